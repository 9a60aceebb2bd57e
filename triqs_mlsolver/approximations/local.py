# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""What approximations with a diagonal self-energy share: Δ on a compact grid, and a Solution from Σ or G on that
grid.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from ..numerics import dlr
from ..problem import Problem, Solution
from ..problem.solution import static_moments
from ..version import version


class LocalGrid:
    """A diagonal problem on the grid of its largest energy.

    Attributes
    ----------
    grid : dlr.Grid
    iw : (2 r', 1) array
        Matsubara frequencies i ω_n of the grid (energy).
    Delta : (2 r', N) array
        Δ(iω_n) per flavour (energy).
    levels : (N,) array
        Diagonal of h_loc0 (energy).
    """

    def __init__(self, problem: Problem):
        if not problem.is_diagonal:
            raise ValueError("this approximation takes a diagonal hybridisation and diagonal levels")
        if problem.terms:
            raise ValueError("this approximation takes a density-density interaction, not further terms")
        self.problem = problem
        self.grid = dlr.grid(problem.beta * problem.largest_energy)
        self.iw = 1j * self.grid.omega[:, None] / problem.beta
        self.levels = problem.levels
        self._delta_l = [problem.delta_l(i) for i in range(problem.n_flavours)]

    @cached_property
    def Delta(self) -> np.ndarray:
        return np.stack([self.grid.iw_of_legendre(d) for d in self._delta_l], axis=1)

    def to_tau(self, values: np.ndarray) -> np.ndarray:
        return self.grid.to_tau(self.problem.beta, values)

    def density(self, G_iw: np.ndarray) -> np.ndarray:
        """⟨n_i⟩ = −G_i(β⁻), (N,), from G(iω) on the grid."""
        return -np.real(self._end_row @ G_iw) / self.problem.beta

    @cached_property
    def _end_row(self) -> np.ndarray:
        return self.grid.end_from_iw

    def solution(self, G_iw: np.ndarray, nn: np.ndarray, name: str) -> Solution:
        """The Solution with G(iω) on the grid, (2 r', N), and correlators `nn`."""
        p = self.problem
        return self.solution_of_legendre(self.grid.to_legendre(p.beta, self.to_tau(G_iw), p.n_l), nn, name)

    def solution_of_legendre(self, G_l: np.ndarray, nn: np.ndarray, name: str) -> Solution:
        """The Solution with Legendre coefficients `G_l` (n_l, N) and correlators `nn`."""
        p = self.problem
        blocks = tuple(
            np.einsum("lm,mn->lmn", G_l[:, o : o + size], np.eye(size)) for o, (_, size) in zip(p.offsets, p.gf_struct)
        )
        Sigma_infty, Sigma_1 = static_moments(p, nn)
        h_int = 0.5 * float(np.sum(p.U * nn))
        provenance = {"solver": name, "version": version}
        return Solution(p.beta, p.gf_struct, blocks, nn, Sigma_infty, Sigma_1, h_int=h_int, provenance=provenance)


def occupation_states(problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """Occupations (2^N, N) and energies (2^N,) of the isolated atom's states; bit i of a state's index is flavour i."""
    states = (np.arange(2**problem.n_flavours)[:, None] >> np.arange(problem.n_flavours)) & 1
    return states, states @ problem.levels + 0.5 * np.einsum("si,ij,sj->s", states, problem.U, states)


def pair_occupancy(local: LocalGrid, G_iw: np.ndarray, Sigma_iw: np.ndarray, static: np.ndarray) -> float:
    """⟨n↑n↓⟩ of one orbital from U (⟨n↑n↓⟩ − ⟨n↑⟩⟨n↓⟩) = T Σ_n (Σ(iω_n) − Σ∞) G(iω_n), both spins averaged.

    The connected part is taken since it does not change under the particle-hole map, even where Σ∞ (`static`, (2,)) of
    an approximation differs from U ⟨n⟩.
    """
    U = local.problem.U[0, 1]
    n = local.density(G_iw)
    if abs(U) < 1e-9 * local.problem.unit:
        return float(n[0] * n[1])
    value = n[0] * n[1] + float(np.mean(local.density((Sigma_iw - static) * G_iw)) / U)
    return float(np.clip(value, max(0.0, n.sum() - 1), n.min()))
