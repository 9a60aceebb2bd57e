# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""What is asked: the impurity problem, as plain numpy arrays."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from ..numerics import legendre
from . import checked
from .block_order import block_order
from .interaction import interaction_table, normal_form

_ID_DECIMALS = 9  # digits of the dimensionless problem that enter its id
_ID_N_L = 40  # Legendre coefficients that enter the id
_DIAGONAL = 1e-12  # levels off the diagonal that count as none, relative to the largest energy


@dataclass(frozen=True, eq=False)
class DiscreteBath:
    """A bath of finitely many sites for one block: Δ(iω) = Σ_k V_k V_k† / (iω − ε_k).

    Parameters
    ----------
    eps : (n_bath,) array
        Bath levels (energy).
    V : (n_bath, n) array
        Couplings of each bath site to the orbitals of the block (energy).
    """

    eps: np.ndarray
    V: np.ndarray

    def __post_init__(self):
        eps, V = np.atleast_1d(np.array(self.eps, float)), np.array(self.V, float)
        V = V[:, None] if V.ndim == 1 else V
        if V.ndim != 2 or len(V) != len(eps):
            raise ValueError(
                f"bath couplings of shape {V.shape} do not fit {len(eps)} bath levels: give V as (n_bath, n)"
            )
        if not (np.all(np.isfinite(eps)) and np.all(np.isfinite(V))):
            raise ValueError("bath levels or couplings contain NaN or infinity")
        object.__setattr__(self, "eps", eps)
        object.__setattr__(self, "V", V)

    @property
    def weights(self) -> np.ndarray:
        """V_k V_k†, shape (n_bath, n, n)."""
        return self.V[:, :, None] * self.V[:, None, :]

    def scaled(self, factor: float) -> DiscreteBath:
        """All energies multiplied by `factor`."""
        return DiscreteBath(self.eps * factor, self.V * factor)


@dataclass(frozen=True, eq=False)
class Problem:
    r"""An impurity problem: G0(iω)⁻¹ = iω − h_loc0 − Δ(iω) and H_int = ½ Σ_ij U_ij n_i n_j + terms.

    Flavours i are the spin-orbitals, counted through the blocks in order. Any energy unit may be used.

    Parameters
    ----------
    beta : float
        Inverse temperature (1/energy).
    gf_struct : sequence of (str, int)
        Names and sizes of the blocks.
    h_loc0 : sequence of (n, n) arrays
        Quadratic local Hamiltonian per block, −μ included (energy).
    Delta_l : sequence of (n_l, n, n) arrays
        Legendre coefficients of Δ(τ) per block (energy); see `numerics.legendre`.
    U : (N, N) array
        Density-density interaction, symmetric, zero diagonal (energy).
    terms : tuple of (float, (int, int, int, int)), optional
        Remaining two-body terms: coefficient and flavours (i, j, k, l) of c†_i c†_j c_k c_l. Kept in normal order
        (i < j, k > l), equal ones added, without those that vanish; c†_i c†_j c_j c_i = n_i n_j is added to U.
    bath : sequence of DiscreteBath, optional
        The bath itself where it is known to be discrete, so that an exact diagonalisation needs no fit.

    Examples
    --------
    >>> p = Problem.siam(beta=10.0, U=2.0, mu=1.0, eps=[-0.5, 0.5], V=[0.35, 0.35])
    >>> round(p.scale, 6), p.n_flavours, p.is_particle_hole_symmetric()
    (0.989949, 2, True)
    """

    beta: float
    gf_struct: tuple[tuple[str, int], ...]
    h_loc0: tuple[np.ndarray, ...]
    Delta_l: tuple[np.ndarray, ...]
    U: np.ndarray
    terms: tuple = ()
    bath: tuple[DiscreteBath, ...] | None = field(default=None, repr=False)

    def __post_init__(self):
        put = lambda name, value: object.__setattr__(self, name, value)
        beta = float(self.beta)
        if not (np.isfinite(beta) and beta > 0):
            raise ValueError(f"beta = {self.beta} is not a temperature: give a finite inverse temperature beta > 0")
        put("beta", beta)
        put("gf_struct", checked.structure(self.gf_struct))
        names = [name for name, _ in self.gf_struct]
        h_loc0 = [checked.levels(h, *block) for h, block in self._blocks_of(self.h_loc0, "h_loc0")]
        Delta_l = [checked.hybridisation(d, *block) for d, block in self._blocks_of(self.Delta_l, "Delta_l")]
        U = checked.densities(self.U, self.n_flavours)
        rounding = checked.rounding([*h_loc0, *Delta_l, U])
        put("h_loc0", checked.real_levels(h_loc0, names, rounding))
        put("Delta_l", checked.real_hybridisation(Delta_l, names, rounding))
        U, terms = normal_form(checked.symmetric(U, rounding), checked.terms(self.terms, self.n_flavours))
        put("U", U)
        put("terms", terms)
        if self.bath is not None:
            put("bath", tuple(b for b, _ in self._blocks_of(self.bath, "bath")))
            for b, (name, size) in zip(self.bath, self.gf_struct):
                if b.V.shape[1] != size:
                    raise ValueError(
                        f"the bath of block {name!r} couples to {b.V.shape[1]} orbitals, gf_struct says {size}"
                    )
        self._check_sign_of_Delta()

    def _check_sign_of_Delta(self):
        for (name, _), d, m1 in zip(self.gf_struct, self.Delta_l, self.m1):
            if np.trace(m1) < -1e-6 * np.max(np.abs(d), initial=0.0) / self.beta:
                raise ValueError(
                    f"Delta_l of block {name!r} has -Delta(0+) - Delta(beta-) = {np.trace(m1):.2g}, which must not "
                    "be negative: "
                    "Delta(tau) <= 0 in the sign convention of TRIQS"
                )

    def _blocks_of(self, values, what):
        values = tuple(values)
        if len(values) != len(self.gf_struct):
            raise ValueError(
                f"{what} has {len(values)} blocks, gf_struct has {len(self.gf_struct)}: give one array per block"
            )
        return zip(values, self.gf_struct)

    # -- construction ---------------------------------------------------------------------------------------------

    @classmethod
    def siam(
        cls, beta: float, U: float, mu: float, eps: Sequence[float], V: Sequence[float], field: float = 0.0
    ) -> Problem:
        """Single-orbital Anderson model with a discrete bath, the same for both spins.

        Parameters
        ----------
        beta, U, mu : float
            Inverse temperature, interaction, chemical potential (h_loc0 = −μ).
        eps, V : (n_bath,) arrays
            Bath levels and couplings.
        field : float
            Zeeman energy h: levels −μ − h for spin up, −μ + h for spin down.
        """
        bath = DiscreteBath(eps, V)
        return cls.from_bath(
            beta, (("up", 1), ("down", 1)), ([[-mu - field]], [[-mu + field]]), (bath, bath), [[0, U], [U, 0]]
        )

    @classmethod
    def from_bath(
        cls,
        beta: float,
        gf_struct: Sequence[tuple[str, int]],
        h_loc0: Sequence[np.ndarray],
        bath: Sequence[DiscreteBath],
        U: np.ndarray,
        terms: Sequence = (),
    ) -> Problem:
        """A problem whose bath is discrete in every block: `bath` in place of `Delta_l`, the rest as for the class."""
        Delta_l = tuple(legendre.from_poles(beta, b.eps, b.weights) for b in bath)
        return cls(beta, gf_struct, h_loc0, Delta_l, U, terms, bath)

    # -- sizes and flags ------------------------------------------------------------------------------------------

    @cached_property
    def n_flavours(self) -> int:
        """N, the number of orbitals times spins."""
        return sum(size for _, size in self.gf_struct)

    @cached_property
    def offsets(self) -> tuple[int, ...]:
        """First flavour of each block."""
        return tuple(int(o) for o in np.cumsum([0] + [size for _, size in self.gf_struct])[:-1])

    @cached_property
    def m1(self) -> tuple[np.ndarray, ...]:
        """Total hybridisation strength per block, lim iω Δ(iω) = −Δ(0⁺) − Δ(β⁻), shape (n, n) each (energy²)."""
        return tuple(-sum(legendre.at_ends(self.beta, d)) for d in self.Delta_l)

    @cached_property
    def scale(self) -> float:
        """D = 2 sqrt(trace m₁ / N): the problem's own energy unit (a Bethe lattice's half bandwidth); 0 for an atom."""
        trace = math.fsum(np.trace(m) for m in self.m1)  # the same to the last digit for blocks in any order
        return 2 * float(np.sqrt(max(trace, 0.0) / self.n_flavours))

    @cached_property
    def is_isolated(self) -> bool:
        """No bath to speak of: Δ vanishes beside the other energies and the temperature."""
        return self.scale <= 1e-8 * max(1 / self.beta, self.energy_of_local_part)

    @cached_property
    def energy_of_local_part(self) -> float:
        """Largest element of U and the levels, by modulus (energy)."""
        return float(max([np.max(np.abs(self.U), initial=0.0)] + [np.max(np.abs(h), initial=0.0) for h in self.h_loc0]))

    @cached_property
    def largest_energy(self) -> float:
        """Upper estimate of the energies in G (energy): band edge plus local ones; even under the particle-hole map."""
        local = np.abs(self.x) + 1.5 * np.sum(np.abs(self.U), axis=1)
        mixing = max(np.max(np.abs(h - np.diag(np.diag(h))), initial=0.0) for h in self.h_loc0)
        bath = max((np.max(np.abs(b.eps), initial=0.0) for b in self.bath), default=0.0) if self.bath else self.scale
        return float(local.max() + mixing + bath + self.scale)

    @cached_property
    def n_l(self) -> int:
        """Length of the internal Legendre expansion of G."""
        return legendre.n_legendre(self.beta * self.largest_energy)

    @cached_property
    def is_diagonal(self) -> bool:
        """True where Δ and h_loc0 have no off-diagonal elements."""
        off = lambda a: np.max(np.abs(a - a * np.eye(a.shape[-1])), initial=0.0)
        return all(off(d) <= 1e-10 * max(self.scale, 1e-300) * len(d) for d in self.Delta_l) and all(
            off(h) <= _DIAGONAL * max(self.scale, self.energy_of_local_part) for h in self.h_loc0
        )

    @property
    def unreached(self) -> tuple[np.ndarray, ...]:
        """Per block, the orbitals without hybridisation, (n,) of bool."""
        size = [np.max(np.abs(np.diagonal(d, axis1=1, axis2=2)), axis=0, initial=0.0) for d in self.Delta_l]
        largest = max(float(s.max()) for s in size)
        return tuple(s <= 1e-10 * largest for s in size)

    @property
    def is_density_density(self) -> bool:
        """Whether U is all there is of the interaction."""
        return not self.terms

    # -- flavour-resolved views (diagonal problems) ----------------------------------------------------------------

    @cached_property
    def levels(self) -> np.ndarray:
        """Diagonal of h_loc0 over all flavours, (N,) (energy)."""
        return np.concatenate([np.diag(h) for h in self.h_loc0])

    @cached_property
    def x(self) -> np.ndarray:
        """(h_loc0)_ii + ½ Σ_j U_ij, (N,): zero at half filling of a symmetric bath, odd under the particle-hole map."""
        return self.levels + 0.5 * self.U.sum(axis=1)

    def delta_l(self, flavour: int) -> np.ndarray:
        """Diagonal Legendre coefficients (n_l,) of Δ of one flavour."""
        block = int(np.searchsorted(self.offsets, flavour, side="right")) - 1
        a = flavour - self.offsets[block]
        return self.Delta_l[block][:, a, a]

    def is_particle_hole_symmetric(self, tolerance: float = 1e-9) -> bool:
        """Whether the particle-hole map alone leaves the problem unchanged, to `tolerance` in units of `unit`.

        Terms of four different flavours do not change under it; levels and baths that mix orbitals do.
        """
        if not self.is_diagonal or any(len(set(indices)) < 4 for _, indices in self.terms):
            return False
        odd = max(np.max(np.abs(d[1::2]), initial=0.0) for d in self.Delta_l)
        return bool(max(np.max(np.abs(self.x)), odd) <= tolerance * self.unit)

    # -- matsubara -------------------------------------------------------------------------------------------------

    def omega(self, n_iw: int) -> np.ndarray:
        """The first `n_iw` positive fermionic Matsubara frequencies (energy)."""
        return (2 * np.arange(n_iw) + 1) * np.pi / self.beta

    def Delta_iw(self, n_iw: int) -> tuple[np.ndarray, ...]:
        """Δ(iω_n), n = 0 … n_iw − 1, (n_iw, n, n) per block (energy)."""
        return tuple(legendre.to_matsubara(d, n_iw) for d in self.Delta_l)

    def G0_inverse_iw(self, n_iw: int) -> tuple[np.ndarray, ...]:
        """iω − h_loc0 − Δ(iω), (n_iw, n, n) per block (energy)."""
        iw = 1j * self.omega(n_iw)[:, None, None]
        return tuple(iw * np.eye(len(h)) - h - d for h, d in zip(self.h_loc0, self.Delta_iw(n_iw)))

    # -- canonical form --------------------------------------------------------------------------------------------

    def scaled(self, factor: float) -> Problem:
        """The same problem with every energy multiplied by `factor` (β divided by it)."""
        return replace(
            self,
            beta=self.beta / factor,
            h_loc0=tuple(h * factor for h in self.h_loc0),
            Delta_l=tuple(d * factor for d in self.Delta_l),
            U=self.U * factor,
            terms=tuple((c * factor, idx) for c, idx in self.terms),
            bath=None if self.bath is None else tuple(b.scaled(factor) for b in self.bath),
        )

    def permuted(self, order: Sequence[int]) -> Problem:
        """The same problem with its blocks in the given `order`."""
        order = list(order)
        if order == list(range(len(order))):
            return self
        flavours = flavour_order(self.gf_struct, order)
        pick = lambda seq: tuple(seq[b] for b in order)
        return replace(
            self,
            gf_struct=pick(self.gf_struct),
            h_loc0=pick(self.h_loc0),
            Delta_l=pick(self.Delta_l),
            U=self.U[np.ix_(flavours, flavours)],
            terms=_renamed(self.terms, flavours),
            bath=None if self.bath is None else pick(self.bath),
        )

    @cached_property
    def _rounded(self) -> _Rounded:
        """The numbers that make the id, blocks in the order they were given."""
        factor = 1 / self.unit
        beta = self.beta / factor
        rounded = lambda values: values.round(_ID_DECIMALS)
        return _Rounded(
            rounded(np.array([beta])),
            rounded(self.U * factor),
            tuple(rounded(h * factor) for h in self.h_loc0),
            tuple(rounded(legendre.resized(d * factor, _ID_N_L) / beta) for d in self.Delta_l),
            tuple((float(rounded(np.float64(value * factor))), indices) for value, indices in self.terms),
        )

    @cached_property
    def canonical_order(self) -> tuple[int, ...]:
        """Order of the blocks by their content, free of their names and of the order they were given in.

        Size, levels, U and Δ of each, then the interaction between those that tie.
        """
        numbers, sizes = self._rounded, [size for _, size in self.gf_struct]
        rows = [np.sort(numbers.U[o : o + size], axis=1) for o, size in zip(self.offsets, sizes)]
        content = zip(numbers.h_loc0, rows, numbers.Delta_l)
        keys = [(size, *np.concatenate([a.ravel() for a in own]).tolist()) for size, own in zip(sizes, content)]
        return block_order(keys, sizes, numbers.U, numbers.terms)

    def canonical(self) -> Problem:
        """Blocks in canonical order, energies in units of `scale`. Isolated atoms are scaled by 1/β instead."""
        return self.permuted(self.canonical_order).scaled(1 / self.unit)

    @cached_property
    def unit(self) -> float:
        """The energy unit of the canonical form: `scale`, or the temperature for an isolated atom."""
        return 1 / self.beta if self.is_isolated else self.scale

    @cached_property
    def id(self) -> str:
        """Content hash (16 hex digits) of the canonical problem, rounded and free of block names."""
        order, rounded = self.canonical_order, self._rounded  # `canonical`, without checking the numbers again
        flavours = flavour_order(self.gf_struct, order)
        numbers = [rounded.beta, [self.gf_struct[b][1] for b in order], rounded.U[flavours][:, flavours]]
        numbers += [rounded.h_loc0[b] for b in order] + [rounded.Delta_l[b] for b in order]
        for indices, value in sorted(interaction_table(_renamed(rounded.terms, flavours)).items()):
            numbers.append([value, *indices])
        content = np.concatenate([np.asarray(a, float).ravel() for a in numbers]) + 0.0  # + 0.0: −0 is 0
        return hashlib.sha256(content.astype("<f8").tobytes()).hexdigest()[:16]

    def __eq__(self, other) -> bool:
        return isinstance(other, Problem) and self.id == other.id and abs(self.unit - other.unit) <= 1e-9 * self.unit

    def __hash__(self) -> int:
        return hash(self.id)


def flavour_order(gf_struct, block_order) -> np.ndarray:
    """Flavours of `gf_struct` in the order they take when the blocks are put in `block_order`."""
    offsets = np.cumsum([0] + [size for _, size in gf_struct])
    return np.concatenate([np.arange(offsets[b], offsets[b + 1]) for b in block_order])


def _renamed(terms, flavours: np.ndarray) -> tuple:
    """Terms between flavours that come in the order `flavours`."""
    new = np.argsort(flavours).tolist()
    return tuple((value, tuple(new[i] for i in indices)) for value, indices in terms)


class _Rounded(NamedTuple):
    """A problem in its own unit, to the digits that its id has; Δ_l relative to β."""

    beta: np.ndarray
    U: np.ndarray
    h_loc0: tuple[np.ndarray, ...]
    Delta_l: tuple[np.ndarray, ...]
    terms: tuple
