# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Fock states of an impurity with its bath, split into sectors that the Hamiltonian does not mix.

A state is an integer whose bit i is the occupation of mode i, and stands for the creators of its modes in ascending
order on the vacuum. The impurity's flavours are the first modes, so that its operators never meet the sign of a bath
electron.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

String = tuple[tuple[bool, int], ...]  # ladder operators as written, the last acts first: (is it a creator?, mode)


class Moves(NamedTuple):
    """Matrix elements ⟨target|operator|source⟩ = value, states given by number or by place in their sectors."""

    source: np.ndarray
    target: np.ndarray
    value: np.ndarray


def applied(string: String, n_modes: int) -> Moves:
    """Matrix elements of a product of ladder operators in the whole Fock space."""
    parity = _parity(n_modes)
    source = np.arange(2**n_modes)
    target, value = source.copy(), np.ones(len(source))
    for dagger, mode in reversed(string):
        alive = (target >> mode & 1) != dagger
        source, target, value = source[alive], target[alive], value[alive]
        value = value * parity[target & ((1 << mode) - 1)]
        target = target ^ (1 << mode)
    return Moves(source, target, value)


@lru_cache(maxsize=4)
def _parity(n_modes: int) -> np.ndarray:
    """(−1)^(number of electrons) of every state."""
    parity = np.ones(1)
    for _ in range(n_modes):
        parity = np.concatenate([parity, -parity])
    return parity


def occupations(states: np.ndarray, n_modes: int) -> np.ndarray:
    """0.0 or 1.0 for each mode of each of the `states`, (len(states), n_modes)."""
    return (states[:, None] >> np.arange(n_modes) & 1).astype(float)


class FockSpace:
    """Sectors of Hamiltonians that share a pattern: the places of their off-diagonal terms, not the values.

    Parameters
    ----------
    n_modes : int
    strings : tuple of tuple of String
        Off-diagonal terms of the Hamiltonian; those of one entry share a coefficient.

    Attributes
    ----------
    sectors : list of int arrays
        States of each sector: the smallest sets between which no term leads.
    sector_of, place_of : (2^n_modes,) int arrays
        Sector of each state and place within it.
    """

    def __init__(self, n_modes: int, strings: tuple[tuple[String, ...], ...]):
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        self.n_modes, n_states = n_modes, 2**n_modes
        found = [(op, applied(string, n_modes)) for op, entry in enumerate(strings) for string in entry]
        join = lambda parts, kind: np.concatenate([np.zeros(0, kind), *parts]).astype(kind)
        source = join([m.source for _, m in found], np.int64)
        target = join([m.target for _, m in found], np.int64)
        value = join([m.value for _, m in found], float)
        op = join([np.full(len(m.source), k) for k, m in found], np.int64)
        links = coo_array((np.ones(len(source), np.int8), (source, target)), shape=(n_states, n_states))
        n_sectors, self.sector_of = connected_components(links, directed=False)
        size = np.bincount(self.sector_of)
        order = np.argsort(self.sector_of, kind="stable")
        self.sectors = np.split(order, np.cumsum(size)[:-1])
        self.place_of = np.empty(n_states, np.int64)
        self.place_of[order] = np.arange(n_states) - np.repeat(np.cumsum(size) - size, size)
        home = self.sector_of[source]
        by_home = np.argsort(home, kind="stable")
        flat = (self.place_of[target] * size[home] + self.place_of[source])[by_home]
        cuts = np.cumsum(np.bincount(home, minlength=n_sectors))[:-1]
        self._elements = list(
            zip(np.split(flat, cuts), np.split(op[by_home], cuts), np.split(value[by_home], cuts), strict=True)
        )
        self._creation: dict[int, dict[tuple[int, int], Moves]] = {}

    def hamiltonian(self, sector: int, coefficients: np.ndarray, diagonal: np.ndarray) -> np.ndarray:
        """The matrix of one sector from the coefficients of all strings and the diagonal over all states."""
        flat, op, value = self._elements[sector]
        dim = len(self.sectors[sector])
        H = np.bincount(flat, coefficients[op] * value, dim * dim).astype(float).reshape(dim, dim)
        H.flat[:: dim + 1] += diagonal[self.sectors[sector]]
        return H

    def creation(self, mode: int) -> dict[tuple[int, int], Moves]:
        """c†_mode as moves from sector to sector, {(source sector, target sector): Moves}."""
        if mode not in self._creation:
            self._creation[mode] = self.between_sectors(applied(((True, mode),), self.n_modes))
        return self._creation[mode]

    def impurity_operator(self, matrix, n_impurity: int) -> dict[tuple[int, int], Moves]:
        """A sparse matrix over the impurity's Fock space, (2^n_impurity, 2^n_impurity), as moves between sectors."""
        element = matrix.tocoo()
        bath = np.arange(2 ** (self.n_modes - n_impurity))[:, None] << n_impurity
        value = np.broadcast_to(element.data, (len(bath), len(element.data)))
        return self.between_sectors(Moves((element.col + bath).ravel(), (element.row + bath).ravel(), value.ravel()))

    def between_sectors(self, moves: Moves) -> dict[tuple[int, int], Moves]:
        """Matrix elements between states, sorted by sectors and renumbered to places within them."""
        source, target = self.sector_of[moves.source], self.sector_of[moves.target]
        key = source.astype(np.int64) * len(self.sectors) + target
        order = np.argsort(key, kind="stable")
        cuts = np.flatnonzero(np.diff(key[order])) + 1
        return {
            (int(source[group[0]]), int(target[group[0]])): Moves(
                self.place_of[moves.source[group]], self.place_of[moves.target[group]], moves.value[group]
            )
            for group in np.split(order, cuts)
            if len(group)
        }


@lru_cache(maxsize=8)
def fock_space(n_modes: int, strings: tuple[tuple[String, ...], ...]) -> FockSpace:
    """The FockSpace of a pattern, kept for the next problem of the same shape."""
    return FockSpace(n_modes, strings)
