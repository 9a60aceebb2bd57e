# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
r"""Full exact diagonalisation of a single orbital with a discrete bath, at finite temperature.

H = Σ_σ [levels_σ n_σ + Σ_k ε_kσ c†_kσ c_kσ + V_kσ (d†_σ c_kσ + h.c.)] + U n↑n↓ conserves N↑ and N↓, so that each sector
is diagonalised on its own. G follows from the Lehmann sum at the quadrature nodes in τ,

.. math::
    G_\sigma(\tau) = -\frac{1}{\mathcal Z} \sum_{mn} e^{-(\beta-\tau) E_m} e^{-\tau E_n} |\langle n|d^\dagger_\sigma|m\rangle|^2 .
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from typing import ClassVar

import numpy as np

from ..numerics import legendre
from ..numerics.bath import fit_bath
from ..problem import DiscreteBath, Problem
from ..solution import Solution, static_moments
from ..version import version

_LARGEST_BATH = 6
_EXACT, _POOR = 1e-6, 0.02  # residuals of a bath fit below which it counts as exact, above which it is worth a warning

log = logging.getLogger("triqs_mlsolver")


@dataclass(frozen=True, kw_only=True)
class ED:
    """Exact diagonalisation; a bath that is not discrete from the start is fitted.

    Parameters
    ----------
    n_bath : int, default 5
        Bath sites per spin used where the bath has to be fitted (1–6).

    Notes
    -----
    `provenance["bath_residual"]` is the largest error of the fitted Δ(τ) relative to −Δ(0⁺) − Δ(β⁻) (zero for a bath known
    to be discrete), and `provenance["fidelity"]` is "exact" below 1e-6, else "bath-fit": such an answer carries
    the error of the fit.

    Examples
    --------
    >>> p = Problem.siam(beta=10.0, U=2.0, mu=1.0, eps=[-0.5, 0.5], V=[0.35, 0.35])
    >>> round(float(ED().solve(p).density[0]), 12)
    0.5
    """

    n_bath: int = 5
    name: ClassVar[str] = "ed"

    def __post_init__(self):
        if not 1 <= self.n_bath <= _LARGEST_BATH:
            raise ValueError(
                f"n_bath = {self.n_bath}: this exact diagonalisation takes 1 to {_LARGEST_BATH} bath sites"
            )

    @staticmethod
    def supports(problem: Problem) -> str | None:
        """None where `problem` can be solved, else the reason why not."""
        if [size for _, size in problem.gf_struct] != [1, 1]:
            return f"ED solves one orbital in two spin blocks of size 1, not gf_struct = {list(problem.gf_struct)}"
        if problem.terms:
            return "ED solves density-density interactions only"
        return None

    def solve(self, problem: Problem) -> Solution:
        """G, correlators and self-energy moments of `problem`.

        Raises
        ------
        ValueError
            If the problem is not a single orbital (see `supports`).
        """
        reason = self.supports(problem)
        if reason:
            raise ValueError(reason)
        start = time.perf_counter()
        bath, residual = self.bath_of(problem)
        values, nn = _solve_siam(problem, bath)
        G_l = tuple(legendre.project(problem.beta, g, problem.n_l)[:, None, None] for g in values)
        Sigma_infty, Sigma_1 = static_moments(problem, nn)
        provenance = {
            "solver": self.name,
            "version": version,
            "seed": 0,
            "settings": f"n_bath={len(bath[0].eps)}",
            "bath_residual": residual,
            "fidelity": "exact" if residual < _EXACT else "bath-fit",
            "seconds": time.perf_counter() - start,
        }
        if residual > _POOR:
            log.warning(
                "ed: %d bath sites fit the hybridisation to %.2g only, the answer is about as uncertain",
                self.n_bath,
                residual,
            )
        h_int = float(problem.U[0, 1] * nn[0, 1])
        return Solution(
            problem.beta, problem.gf_struct, G_l, nn, Sigma_infty, Sigma_1, h_int=h_int, provenance=provenance
        )

    def bath_of(self, problem: Problem) -> tuple[tuple[DiscreteBath, ...], float]:
        """The problem's own discrete bath, or the fitted one, and the residual of the fit."""
        if problem.bath is not None and all(len(b.eps) <= _LARGEST_BATH for b in problem.bath):
            return problem.bath, 0.0
        found = []
        for d in problem.Delta_l:
            known = next((f for e, f in found if e is d or np.array_equal(e, d)), None)
            symmetric = bool(np.max(np.abs(d[1::2]), initial=0.0) <= 1e-9 * np.max(np.abs(d), initial=0.0))
            fitted = known or fit_bath(
                problem.beta, d[:, 0, 0], self.n_bath, reach=problem.largest_energy, symmetric=symmetric
            )
            found.append((d, fitted))
        return tuple(DiscreteBath(eps, V) for _, (eps, V, _) in found), max(r for _, (_, _, r) in found)


# -- one spin species ------------------------------------------------------------------------------------------------


@lru_cache(maxsize=8)
def _basis(n_sites: int) -> tuple[tuple[np.ndarray, ...], ...]:
    """Occupation rows (dim, n_sites) of each particle-number sector, site 0 being the impurity."""
    sectors = []
    for n in range(n_sites + 1):
        rows = np.zeros((len(list(combinations(range(n_sites), n))), n_sites), dtype=np.int8)
        for row, sites in zip(rows, combinations(range(n_sites), n)):
            row[list(sites)] = 1
        sectors.append(rows)
    return tuple(sectors)


@lru_cache(maxsize=8)
def _hops(n_sites: int) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """Per sector, the operators d†c_k (n_bath, dim, dim) and d† into the next sector (dim_next, dim)."""
    sectors = _basis(n_sites)
    index = [{tuple(row): i for i, row in enumerate(rows)} for rows in sectors]
    out = []
    for n, rows in enumerate(sectors):
        hop = np.zeros((n_sites - 1, len(rows), len(rows)))
        up = np.zeros((len(sectors[n + 1]), len(rows))) if n < n_sites else np.zeros((0, len(rows)))
        for i, row in enumerate(rows):
            if row[0]:
                continue
            filled = row.copy()
            filled[0] = 1
            if n < n_sites:
                up[index[n + 1][tuple(filled)], i] = 1.0  # the impurity is the first site: no sign
            for k in np.flatnonzero(row[1:]):
                target = filled.copy()
                target[1 + k] = 0
                hop[k, index[n][tuple(target)], i] = (-1.0) ** np.sum(row[1 : 1 + k])
        out.append((hop, up))
    return tuple(out)


def _one_spin(level: float, bath: DiscreteBath) -> list[np.ndarray]:
    """The non-interacting Hamiltonian of one spin, sector by sector."""
    n_sites = len(bath.eps) + 1
    energies = np.concatenate([[level], bath.eps])
    out = []
    for rows, (hop, _) in zip(_basis(n_sites), _hops(n_sites)):
        coupling = np.tensordot(bath.V[:, 0], hop, axes=(0, 0)) if len(bath.eps) else 0.0
        out.append(np.diag(rows @ energies) + coupling + np.transpose(coupling))
    return out


# -- both spins ------------------------------------------------------------------------------------------------------


def _solve_siam(problem: Problem, bath: tuple[DiscreteBath, ...]) -> tuple[list[np.ndarray], np.ndarray]:
    """G(τ) of both spins at the quadrature nodes that `legendre.project` expects, and ⟨n_i n_j⟩."""
    levels, U = problem.levels, problem.U[0, 1]
    species = [_one_spin(level, b) for level, b in zip(levels, bath)]
    n_sites = [len(b.eps) + 1 for b in bath]
    equal = levels[0] == levels[1] and np.array_equal(bath[0].eps, bath[1].eps) and np.array_equal(bath[0].V, bath[1].V)
    states = {}
    for a in range(n_sites[0] + 1):
        for b in range(n_sites[1] + 1):
            if equal and b < a:
                states[a, b] = _exchanged(states[b, a], len(species[0][b]), len(species[1][a]))
            else:
                states[a, b] = _diagonalise(
                    species[0][a], species[1][b], _occupied(n_sites[0], a), _occupied(n_sites[1], b), U
                )
    ground = min(E[0] for E, _ in states.values())
    states = {key: (E - ground, v) for key, (E, v) in states.items()}
    weight = {key: np.exp(-problem.beta * E) for key, (E, _) in states.items()}
    Z = sum(w.sum() for w in weight.values())

    nn = np.zeros((2, 2))
    for (a, b), (_, v) in states.items():
        occupied = np.stack(
            [np.repeat(_occupied(n_sites[0], a), v.shape[1]), np.tile(_occupied(n_sites[1], b), v.shape[0])]
        )
        population = (v.reshape(-1, v.shape[2]) ** 2) @ weight[a, b] / Z
        nn += (occupied * population) @ occupied.T
    values = [_lehmann(problem, states, Z, n_sites, spin) for spin in range(1 if equal else 2)]
    return [values[0], values[-1]], nn


def _occupied(n_sites: int, n: int) -> np.ndarray:
    """Impurity occupation (0.0 or 1.0) of each basis state of a sector."""
    return _basis(n_sites)[n][:, 0].astype(float)


def _diagonalise(up, down, occupied_up, occupied_down, U):
    """Energies (dim,) and eigenvectors (dim_up, dim_down, dim) of one (N↑, N↓) sector."""
    n_up, n_down = len(up), len(down)
    H = np.zeros((n_up, n_down, n_up, n_down))
    every_up, every_down = np.arange(n_up), np.arange(n_down)
    H[:, every_down, :, every_down] = up
    H[every_up, :, every_up, :] += down
    H = H.reshape(n_up * n_down, -1)
    H[np.diag_indices_from(H)] += U * np.outer(occupied_up, occupied_down).ravel()
    E, v = np.linalg.eigh(H)
    return E, v.reshape(n_up, n_down, -1)


def _exchanged(sector, n_up, n_down):
    """The sector with both spins exchanged, for spin-symmetric problems."""
    E, v = sector
    return E, v.transpose(1, 0, 2)


def _lehmann(problem, states, Z, n_sites, spin):
    """G(τ) of one spin at the quadrature nodes."""
    tau, _ = legendre.quadrature(problem.beta, problem.n_l + 24)
    G = np.zeros(len(tau))
    for (a, b), (E, v) in states.items():
        key = (a + 1, b) if spin == 0 else (a, b + 1)
        if key not in states:
            continue
        E_plus, v_plus = states[key]
        create = _hops(n_sites[spin])[(a, b)[spin]][1]
        # the sign of passing the other spin's electrons drops out of |⟨n|d†|m⟩|²
        image = np.tensordot(create, v, axes=(1, spin))
        image = image if spin == 0 else image.transpose(1, 0, 2)
        overlap = v_plus.reshape(-1, len(E_plus)).T @ image.reshape(-1, len(E))
        decay_plus = np.exp(-tau[:, None] * E_plus[None, :])
        decay = np.exp(-(problem.beta - tau)[:, None] * E[None, :])
        G -= np.sum((decay_plus @ overlap**2) * decay, axis=1)
    return G / Z
