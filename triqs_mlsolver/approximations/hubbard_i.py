# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Hubbard-I: the self-energy of the isolated atom in the problem's bath (Hubbard, Proc. R. Soc. A 276, 238 (1963))."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..exact.ed.impurity_operators import ImpurityOperators, pair_correlators
from ..exact.ed.spectrum import Spectrum
from ..problem import Problem, Solution
from .block_grid import BlockGrid, bounded, wick_pairs
from .local import LocalGrid, occupation_states


@dataclass(frozen=True)
class HubbardI:
    """G = 1/(G_atom⁻¹ − Δ) for any blocks and interaction.

    Exact for Δ = 0 and for U = 0. The densities are those of G, the connected correlators those of the atom.

    Examples
    --------
    >>> p = Problem.siam(beta=10.0, U=2.0, mu=1.0, eps=[0.0], V=[0.0])
    >>> round(float(HubbardI().solve(p).density[0]), 9)
    0.5
    """

    name: ClassVar[str] = "hubbard_i"

    def solve(self, problem: Problem) -> Solution:
        if not (problem.is_diagonal and problem.is_density_density):
            return self._solve_matrix(problem)
        local = LocalGrid(problem)
        G, atomic = dressed_atom(local)
        n, own = local.density(G), np.diag(atomic)
        nn = bounded(np.outer(n, n) + atomic - np.outer(own, own), n)
        return local.solution(G, nn, self.name)

    def _solve_matrix(self, problem: Problem) -> Solution:
        """The same where flavours mix: by diagonalisation of the atom."""
        local = BlockGrid(problem)
        spectrum = Spectrum(problem)
        operators = ImpurityOperators(problem)
        G_atom = atomic_G(local, spectrum)
        G = dressed(local, G_atom)
        rho = spectrum.density_matrix()
        connected = pair_correlators(problem, np.diag(rho)) - wick_pairs(local.occupation(G_atom))
        occupation = local.occupation(G)
        nn = bounded(wick_pairs(occupation) + connected, np.diag(occupation))
        h_int = 0.5 * float(np.sum(problem.U * nn)) + operators.expectation(operators.terms, rho)
        Sigma_1 = local.of_blocks(operators.moments(rho)[1])
        return local.solution(G, local.averaged_pairs(nn), Sigma_1, h_int, self.name)


def dressed(local: BlockGrid, G_atom: np.ndarray) -> np.ndarray:
    """(G_atom⁻¹ − Δ)⁻¹ on the grid, (2 r', N, N)."""
    return np.linalg.inv(np.linalg.inv(G_atom) - local.Delta)


def atomic_G(local: BlockGrid, spectrum: Spectrum) -> np.ndarray:
    """G(iω) of the isolated impurity on the grid, (2 r', N, N)."""
    N = spectrum.problem.n_flavours
    pairs = {(int(a), int(b)) for a, b in zip(*np.nonzero(np.triu(local.inside)))}
    energy, weight = spectrum.poles({a: spectrum.space.creation(a) for a in range(N)}, pairs)
    poles = 1 / (local.iw[:, :, 0] - energy)
    G = np.zeros((len(local.iw), N, N), complex)
    for a, b in pairs:
        G[:, a, b] = G[:, b, a] = poles @ weight[a, b]
    return G


def dressed_atom(local: LocalGrid) -> tuple[np.ndarray, np.ndarray]:
    """G(iω) on the grid, (2 r', N), and ⟨n_i n_j⟩ of the isolated atom, (N, N)."""
    energies, weights, nn = atom(local.problem)
    G_atom = np.stack([np.sum(w / (local.iw - e), axis=1) for e, w in zip(energies, weights)], axis=1)
    return 1 / (1 / G_atom - local.Delta), nn


def atom(problem: Problem) -> tuple[list[np.ndarray], list[np.ndarray], np.ndarray]:
    """Poles and weights of the isolated atom's G per flavour, and ⟨n_i n_j⟩ (N, N)."""
    states, E = occupation_states(problem)
    p = np.exp(-problem.beta * (E - E.min()))
    p /= p.sum()
    energies, weights = [], []
    for i in range(problem.n_flavours):
        empty = np.flatnonzero(states[:, i] == 0)
        full = empty + (1 << i)
        energies.append(E[full] - E[empty])
        weights.append(p[full] + p[empty])
    return energies, weights, np.einsum("s,si,sj->ij", p, states, states)
