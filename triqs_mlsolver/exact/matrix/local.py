# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""The isolated impurity in its eigenbasis: sectors that nothing mixes, energies, and the ladder operators between them.

Sectors are the smallest sets of Fock states between which neither H_loc leads nor any ladder operator splits: each of
these takes a whole sector into one sector. For Kanamori interactions that finds the electrons of each spin and the set
of singly occupied orbitals (Parragh et al., PRB 86, 155158) without being told of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ...problem import Problem
from ...problem.symmetry import local_hamiltonian
from ..ed.fock import applied
from ..ed.impurity_operators import ImpurityOperators

_NEGLIGIBLE = 1e-13  # elements of H_loc below this, relative to its largest, connect nothing


@dataclass(frozen=True)
class LocalBasis:
    """Eigenstates of H_loc, sector by sector.

    Attributes
    ----------
    energies : (n_states,) array
        From the lowest one.
    lowest : float
        What they are counted from.
    start : (n_sectors + 1,) int array
        Where the states of each sector begin.
    link : (2 N, n_sectors) int array
        Sector that each ladder operator leads to, −1 for none; operator 2 f annihilates flavour f, 2 f + 1 creates it.
    ladder : (2 N, n_states, largest sector) array
        ⟨out|operator|in⟩ with the state `in` counted through all sectors and `out` within its own.
    states : list of int arrays
        Fock states of each sector.
    vectors : list of (n, n) arrays
        Columns are the eigenvectors over these Fock states.
    """

    energies: np.ndarray
    lowest: float
    start: np.ndarray
    link: np.ndarray
    ladder: np.ndarray
    states: list
    vectors: list

    @classmethod
    def of(cls, problem: Problem) -> LocalBasis:
        N = problem.n_flavours
        H = local_matrix(problem)
        steps = [applied(((dagger, f),), N) for f in range(N) for dagger in (False, True)]
        label = _sectors(H, steps)
        states = [np.flatnonzero(label == s) for s in range(label.max() + 1)]
        place = np.empty(2**N, np.int64)
        for members in states:
            place[members] = np.arange(len(members))
        found = [np.linalg.eigh(H[members][:, members].toarray()) for members in states]
        vectors = [v for _, v in found]
        start = np.concatenate([[0], np.cumsum([len(s) for s in states])])
        largest = int(np.max(np.diff(start)))
        link = np.full((2 * N, len(states)), -1, np.int64)
        ladder = np.zeros((2 * N, 2**N, largest), vectors[0].dtype)
        for o, step in enumerate(steps):
            for s, members in enumerate(states):
                inside = label[step.source] == s
                if not np.any(inside):
                    continue
                target = int(label[step.target[inside][0]])
                link[o, s] = target
                matrix = np.zeros((len(members), len(states[target])))
                matrix[place[step.source[inside]], place[step.target[inside]]] = step.value[inside]
                block = vectors[s].T @ matrix @ vectors[target].conj()
                ladder[o, start[s] : start[s + 1], : block.shape[1]] = block
        energies = np.concatenate([e for e, _ in found])
        return cls(energies - energies.min(), float(energies.min()), start, link, ladder, states, vectors)

    @cached_property
    def sectors(self) -> list[slice]:
        """Where the states of each sector stand."""
        return [slice(int(a), int(b)) for a, b in zip(self.start[:-1], self.start[1:])]

    def ladder_from(self, operator: int, sector: int) -> np.ndarray:
        """⟨out|operator|in⟩ of the states of one sector, (in, out); no columns where it vanishes."""
        target = self.link[operator, sector]
        size = self.start[target + 1] - self.start[target] if target >= 0 else 0
        return self.ladder[operator, self.sectors[sector], :size]

    @cached_property
    def largest(self) -> int:
        return int(np.max(np.diff(self.start)))


def local_matrix(problem: Problem):
    """H_loc over the Fock states of the impurity, sparse (2^N, 2^N)."""
    operators, h = ImpurityOperators(problem), local_hamiltonian(problem)
    H = operators.h_int
    for i, j in zip(*np.nonzero(h)):
        H = H + h[i, j] * operators.product(((True, i), (False, j)))
    H.data[np.abs(H.data) <= _NEGLIGIBLE * np.max(np.abs(H.data), initial=0.0)] = 0
    H.eliminate_zeros()
    return H


def _sectors(H, steps) -> np.ndarray:
    """Label of the sector of each Fock state."""
    _, label = connected_components(H, directed=False)
    while True:
        # all states that one operator reaches from one sector are one sector
        found = []
        for step in steps:
            order = np.argsort(label[step.source], kind="stable")
            source, target = label[step.source][order], label[step.target][order]
            apart = (source[1:] == source[:-1]) & (target[1:] != target[:-1])
            found.append(np.stack([target[1:][apart], target[:-1][apart]]))
        one, other = np.concatenate(found, axis=1)
        if not len(one):
            return label
        m = label.max() + 1
        merged = coo_array((np.ones(len(one)), (one, other)), shape=(m, m))
        label = connected_components(merged, directed=False)[1][label]
