# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""What tells the parts of a problem, its blocks or its flavours, apart: colours that no symmetry can exchange."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Row = tuple[int, ...]


class Parts:
    """Parts that are related in pairs, and by terms c†_i c†_j c_k c_l whose legs are places in them.

    Parameters
    ----------
    pairs : (n, n) array of int
        Label of each pair (a, b): what a has to do with b.
    values : sequence of float, optional
        Coefficient of each term.
    legs, places : (n_terms, 4) arrays of int, optional
        Part of each of the four flavours of a term, and which one of that part it is.
    """

    def __init__(self, pairs: np.ndarray, values: Sequence[float] = (), legs=None, places=None):
        self.n = len(pairs)
        self._pairs = np.asarray(pairs, np.int64) * (2 * self.n)
        value = np.asarray(values, float)
        self._legs = np.zeros((0, 4), np.int64) if legs is None else np.asarray(legs, np.int64)
        self._places = np.zeros_like(self._legs) if places is None else np.asarray(places, np.int64)
        known = np.unique([value, -value, np.abs(value)])
        self._value, self._opposite, self._size = (np.searchsorted(known, v) for v in (value, -value, np.abs(value)))

    def refined(self, colour: Sequence[int]) -> tuple[np.ndarray, list[Row]]:
        """The coarsest colours, finer than those given, that say all there is to say of parts by the colours of others.

        Parameters
        ----------
        colour : (n,) ints in [0, 2 n)
            Parts of different colours are never exchanged; the order of the colours is kept.

        Returns
        -------
        colour : (n,) array of int
            0, 1, … without gaps.
        rows : list of tuples
            What each part is to the others, ascending. The same for two sets of parts, and colours, that some renaming
            turns into each other; where every part has its own colour, only for those.
        """
        colour = np.asarray(colour, np.int64)
        while True:
            rows = self._rows(colour)
            distinct = sorted(set(rows))
            rank = {row: number for number, row in enumerate(distinct)}
            finer = np.array([rank[row] for row in rows])
            if np.array_equal(finer, colour):
                return colour, sorted(rows)
            colour = finer

    def _rows(self, colour: np.ndarray) -> list[Row]:
        """Per part its colour, what it is to parts of each colour, and its share in terms."""
        related = np.sort(self._pairs + colour, axis=1).tolist()
        rows = [(own, *others) for own, others in zip(colour.tolist(), related)]
        if not len(self._legs):
            return rows
        shares, owner = self._shares(colour), self._legs.ravel()
        order = np.lexsort([shares, owner])
        cuts = np.searchsorted(owner[order], np.arange(1, self.n))
        return [(*row, *share.tolist()) for row, share in zip(rows, np.split(shares[order], cuts))]

    def _shares(self, colour: np.ndarray) -> np.ndarray:
        """What each leg of each term says of its part, (4 n_terms,).

        Operators anticommute: the sign of a coefficient means something once colours tell which of two comes first.
        """
        width = int(self._places.max()) + 1
        key, n_keys = colour[self._legs] * width + self._places, 2 * self.n * width
        created, annihilated = np.sort(key[:, :2], axis=1), np.sort(key[:, 2:], axis=1)
        undecided = (created[:, 0] == created[:, 1]) | (annihilated[:, 0] == annihilated[:, 1])
        odd = (key[:, 0] > key[:, 1]) ^ (key[:, 2] > key[:, 3])
        term = np.where(undecided, self._size, np.where(odd, self._opposite, self._value))
        for leg in (*created.T, *annihilated.T):
            term = term * n_keys + leg
        annihilates = np.array([0, 0, 1, 1])
        return ((term[:, None] * 2 + annihilates) * n_keys + key).ravel()
