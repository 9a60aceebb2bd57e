# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Hubbard-I: the self-energy of the isolated atom in the problem's bath (Hubbard, Proc. R. Soc. A 276, 238 (1963))."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..problem import Problem
from ..solution import Solution
from .local import LocalGrid


@dataclass(frozen=True)
class HubbardI:
    """G = 1/(G_atom⁻¹ − Δ) for any number of flavours with density-density interaction.

    Exact for Δ = 0 and for U = 0. The densities are those of G, the connected correlators those of the atom.

    Examples
    --------
    >>> p = Problem.siam(beta=10.0, U=2.0, mu=1.0, eps=[0.0], V=[0.0])
    >>> round(float(HubbardI().solve(p).density[0]), 9)
    0.5
    """

    name: ClassVar[str] = "hubbard_i"

    def solve(self, problem: Problem) -> Solution:
        local = LocalGrid(problem)
        G, atomic = dressed_atom(local)
        n = local.density(G)
        nn = np.outer(n, n) + atomic - np.outer(np.diag(atomic), np.diag(atomic))
        nn = np.clip(nn, np.maximum(0.0, np.add.outer(n, n) - 1), np.minimum.outer(n, n))
        nn[np.diag_indices_from(nn)] = n
        return local.solution(G, nn, self.name)


def dressed_atom(local: LocalGrid) -> tuple[np.ndarray, np.ndarray]:
    """G(iω) on the grid, (2 r', N), and ⟨n_i n_j⟩ of the isolated atom, (N, N)."""
    energies, weights, nn = atom(local.problem)
    G_atom = np.stack([np.sum(w / (local.iw - e), axis=1) for e, w in zip(energies, weights)], axis=1)
    return 1 / (1 / G_atom - local.Delta), nn


def atom(problem: Problem) -> tuple[list[np.ndarray], list[np.ndarray], np.ndarray]:
    """Poles and weights of the isolated atom's G per flavour, and ⟨n_i n_j⟩ (N, N)."""
    N = problem.n_flavours
    states = (np.arange(2**N)[:, None] >> np.arange(N)) & 1
    E = states @ problem.levels + 0.5 * np.einsum("si,ij,sj->s", states, problem.U, states)
    p = np.exp(-problem.beta * (E - E.min()))
    p /= p.sum()
    energies, weights = [], []
    for i in range(N):
        empty = np.flatnonzero(states[:, i] == 0)
        full = empty + (1 << i)
        energies.append(E[full] - E[empty])
        weights.append(p[full] + p[empty])
    return energies, weights, np.einsum("s,si,sj->ij", p, states, states)
