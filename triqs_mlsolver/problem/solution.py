# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""What is answered: the solution of an impurity problem, as plain numpy arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..numerics import legendre
from .problem import Problem, flavour_order


@dataclass(frozen=True, eq=False)
class Solution:
    r"""G and the local correlators of one problem, with error bars and provenance.

    Parameters
    ----------
    beta : float
        Inverse temperature of the problem (1/energy).
    gf_struct : sequence of (str, int)
        Names and sizes of the blocks, in the problem's order.
    G_l : sequence of (n_l, n, n) arrays
        Legendre coefficients of G(τ) per block (1/energy).
    nn : (N, N) array
        ⟨n_i n_j⟩ over flavours; its diagonal holds the densities (dimensionless).
    Sigma_infty, Sigma_1 : sequences of (n, n) arrays
        Σ(iω) → Σ∞ + Σ₁/(iω) per block (energy, energy²).
    G_l_error, nn_error : like G_l, nn, optional
        One standard error; None where the answer carries no statistical noise.
    F_l : like G_l, optional
        Legendre coefficients of F = Σ G (improved estimator; dimensionless), where the solver measured it.
    F_l_error : like G_l, optional
    h_int : float, optional
        ⟨H_int⟩ (energy); for a density-density interaction it follows from `nn`.
    provenance : dict
        Plain strings and numbers that are stored with the point: solver, version, seed, seconds, n_cycles,
        average_sign, auto_corr_time, fit residual, ...
    statistics : dict
        What only this run has and nobody stores: histograms, raw bins, the solver's own object under "native".
    """

    beta: float
    gf_struct: tuple[tuple[str, int], ...]
    G_l: tuple[np.ndarray, ...]
    nn: np.ndarray
    Sigma_infty: tuple[np.ndarray, ...]
    Sigma_1: tuple[np.ndarray, ...]
    G_l_error: tuple[np.ndarray, ...] | None = None
    nn_error: np.ndarray | None = None
    F_l: tuple[np.ndarray, ...] | None = None
    F_l_error: tuple[np.ndarray, ...] | None = None
    h_int: float | None = None
    provenance: dict = field(default_factory=dict)
    statistics: dict = field(default_factory=dict, repr=False)

    @property
    def fidelity(self) -> str:
        """How far the answer is trusted, see `problem.fidelity`: "exact" unless its solver says otherwise."""
        return self.provenance.get("fidelity", "exact")

    @property
    def density(self) -> np.ndarray:
        """⟨n_i⟩ over flavours, (N,)."""
        return np.diag(self.nn)

    @property
    def double_occupancy(self) -> float:
        """⟨n↑ n↓⟩; single-orbital solutions only."""
        if len(self.nn) != 2:
            raise ValueError(
                f"double_occupancy is defined for one orbital, this solution has {len(self.nn)} flavours: read nn"
            )
        return float(self.nn[0, 1])

    def G_tau(self, tau: np.ndarray) -> tuple[np.ndarray, ...]:
        """G at times `tau` in [0, β], (n_tau, n, n) per block."""
        return tuple(legendre.evaluate(self.beta, g, tau) for g in self.G_l)

    def G_tau_error(self, tau: np.ndarray) -> tuple[np.ndarray, ...]:
        """One standard error of `G_tau`, coefficients taken as independent; zero for an exact answer."""
        if self.G_l_error is None:
            return tuple(np.zeros((len(np.atleast_1d(tau)),) + g.shape[1:]) for g in self.G_l)
        square = lambda e: legendre.vandermonde(2 * np.atleast_1d(tau) / self.beta - 1, len(e)) ** 2 / self.beta**2
        return tuple(np.sqrt(np.tensordot(square(e), e**2, axes=(1, 0))) for e in self.G_l_error)

    @property
    def is_noisy(self) -> bool:
        """Whether another run on the same problem would give other numbers."""
        return self.G_l_error is not None and "G_tau_systematic" not in self.provenance

    def told_error(self, name: str) -> float | None:
        """What the solver says of its error bar on "G_tau", largest over τ, or "G_iw0", G(iω₀)/β; None if nothing.

        "G_tau_noise" in the provenance is statistical; "G_tau_systematic" is not, and the same for the same problem.
        """
        for kind in ("noise", "systematic"):
            if (error := self.provenance.get(f"{name}_{kind}")) is not None:
                return float(error)
        return None

    def G_iw(self, n_iw: int) -> tuple[np.ndarray, ...]:
        """G(iω_n), n = 0 … n_iw − 1, (n_iw, n, n) per block."""
        return tuple(legendre.to_matsubara(g, n_iw) for g in self.G_l)

    def Sigma_iw(self, problem: Problem, n_iw: int) -> tuple[np.ndarray, ...]:
        """Σ(iω_n) of `problem`, (n_iw, n, n) per block (energy).

        F/G where the improved estimator was measured (Hafermann, Patton, Werner, PRB 85, 205106), Dyson's equation
        otherwise.
        """
        G = self.G_iw(n_iw)
        if self.F_l is not None:
            return tuple(legendre.to_matsubara(f, n_iw) @ np.linalg.inv(g) for f, g in zip(self.F_l, G))
        return tuple(g0_inv - np.linalg.inv(g) for g0_inv, g in zip(problem.G0_inverse_iw(n_iw), G))

    def Z(self, problem: Problem) -> np.ndarray:
        """Quasiparticle weight per flavour from the first Matsubara frequency, 1/(1 − Im Σ(iω₀)/ω₀), (N,)."""
        S = np.concatenate([np.diagonal(s[0]) for s in self.Sigma_iw(problem, 1)])
        return 1 / (1 - S.imag * problem.beta / np.pi)

    def _plot_(self, options: dict) -> list[dict]:
        """Curves of G(τ), one per orbital, for TRIQS' `oplot(solution, name="G")`."""
        name, tau = options.pop("name", "G"), np.linspace(0, self.beta, 501)
        labels = {"xlabel": r"$\tau$", "ylabel": rf"${name}(\tau)$"}
        return [
            {"xdata": tau, "ydata": G[:, a, a], "label": f"{name} {block} {a}", **labels}
            for (block, size), G in zip(self.gf_struct, self.G_tau(tau))
            for a in range(size)
        ]

    # -- change of units and block order; keeps solutions parallel to Problem.scaled / permuted ---------------------

    def scaled(self, factor: float) -> Solution:
        """The solution of the problem with every energy multiplied by `factor`."""
        mul = lambda blocks, f: None if blocks is None else tuple(b * f for b in blocks)
        return replace(
            self,
            beta=self.beta / factor,
            G_l=mul(self.G_l, 1 / factor),
            G_l_error=mul(self.G_l_error, 1 / factor),
            Sigma_infty=mul(self.Sigma_infty, factor),
            Sigma_1=mul(self.Sigma_1, factor**2),
            h_int=None if self.h_int is None else self.h_int * factor,
        )

    def permuted(self, order: Sequence[int]) -> Solution:
        """The solution with its blocks in the given `order`."""
        order = list(order)
        pick = lambda seq: None if seq is None else tuple(seq[b] for b in order)
        flavours = flavour_order(self.gf_struct, order)
        square = lambda a: None if a is None else a[np.ix_(flavours, flavours)]
        return replace(
            self,
            gf_struct=pick(self.gf_struct),
            G_l=pick(self.G_l),
            G_l_error=pick(self.G_l_error),
            F_l=pick(self.F_l),
            F_l_error=pick(self.F_l_error),
            Sigma_infty=pick(self.Sigma_infty),
            Sigma_1=pick(self.Sigma_1),
            nn=square(self.nn),
            nn_error=square(self.nn_error),
        )

    def canonical(self, problem: Problem) -> Solution:
        """The solution of `problem.canonical()`."""
        return self.permuted(problem.canonical_order).scaled(1 / problem.unit)

    def in_units_of(self, problem: Problem) -> Solution:
        """Back from canonical form to the units, block order and names of `problem`."""
        inverse = np.argsort(problem.canonical_order)
        return replace(self.scaled(problem.unit).permuted(inverse), gf_struct=problem.gf_struct)


def static_moments(problem: Problem, nn: np.ndarray) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
    """Σ∞ and Σ₁ per block of a density-density problem from ⟨n_i n_j⟩ (energy, energy²).

    Σ∞,i = Σ_j U_ij ⟨n_j⟩ and Σ₁,i = Σ_jk U_ij U_ik (⟨n_j n_k⟩ − ⟨n_j⟩⟨n_k⟩).
    """
    n = np.diag(nn)
    Hartree = problem.U @ n
    first = np.einsum("ij,ik,jk->i", problem.U, problem.U, nn - np.outer(n, n))
    cut = lambda v: tuple(np.diag(v[o : o + size]) for o, (_, size) in zip(problem.offsets, problem.gf_struct))
    return cut(Hartree), cut(np.maximum(first, 0.0))


def key_figures(problem: Problem, solution: Solution) -> dict[str, float]:
    """What was asked and answered in a few numbers, in the units of the problem.

    Returns
    -------
    dict
        `beta` (1/energy), `U` (largest element of the matrix, energy), `x` (mean level from half filling, energy),
        `density` (sum over flavours), `Z` (smallest over flavours, from the first Matsubara frequency; NaN where a
        refused answer has none).
    """
    try:
        Z = float(np.min(solution.Z(problem)))
    except np.linalg.LinAlgError:
        Z = np.nan
    return {
        "beta": float(problem.beta),
        "U": float(np.max(problem.U, initial=0.0)),
        "x": float(np.mean(problem.x)),
        "density": float(np.sum(solution.density)),
        "Z": Z,
    }
