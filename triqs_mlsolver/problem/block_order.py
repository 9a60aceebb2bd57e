# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""One order of the blocks for all listings of a problem, so that its id knows nothing of the order it was given in.

Blocks come by their own content. Those that tie (degenerate orbitals) may still be told apart by what they have to do
with each other, U between them and the terms. That is labelling a graph (McKay, Piperno, J. Symb. Comput. 60, 94):
blocks take the colours that the others give them; where some are left alike, each in turn is put first, and the
labelling with the smallest rows is taken. Two that come out equal are a symmetry, which spares looking at whatever it
maps to something known.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .parts import Parts
from .permutations import orbit_labels

_MOST_LABELLINGS = 1000  # compared: more only where hundreds of orders look alike and are not; see `block_order`


def block_order(
    keys: Sequence[tuple], sizes: Sequence[int], U: np.ndarray, terms: Sequence[tuple[float, tuple[int, ...]]]
) -> tuple[int, ...]:
    """Order of the blocks by their keys, and by U and the terms between them where keys tie.

    Numbers are compared as they are: round them first. In contrived cases, which look alike in too many orders, the one
    found may depend on the listing; the price is a problem that is not recognised, never a wrong answer.

    Parameters
    ----------
    keys : sequence of n tuples
        Own content of each block, its size included.
    sizes : sequence of n ints
    U : (N, N) array
        Over the flavours of all blocks.
    terms : sequence of (float, (int, int, int, int))
        c†_i c†_j c_k c_l between flavours.
    """
    order = sorted(range(len(keys)), key=keys.__getitem__)
    ties = [(a, b) for a, b in zip(order, order[1:]) if keys[a] == keys[b]]
    if not ties:
        return tuple(order)
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    if not len(terms) and all(_exchangeable(U, offsets, a, b) for a, b in ties):
        return tuple(order)  # any order of those that tie is as good
    rank = {key: number for number, key in enumerate(sorted(set(keys)))}
    search = _Labelling(_parts(offsets, U, terms))
    search.visit(np.array([rank[key] for key in keys]), [], [])
    return tuple(search.order.tolist())


def _exchangeable(U: np.ndarray, offsets: np.ndarray, a: int, b: int) -> bool:
    """Whether exchanging two blocks of one size leaves U as it is."""
    flavours = np.arange(len(U))
    first, second = (flavours[offsets[k] : offsets[k + 1]].copy() for k in (a, b))
    flavours[first], flavours[second] = second, first
    return np.array_equal(U[flavours][:, flavours], U)


def _parts(offsets: np.ndarray, U: np.ndarray, terms: Sequence) -> Parts:
    """The blocks with U between two as the label of the pair."""
    cut = [slice(start, end) for start, end in zip(offsets, offsets[1:])]
    between = [[tuple(U[a, b].ravel().tolist()) for b in cut] for a in cut]
    label = {content: number for number, content in enumerate(sorted({c for row in between for c in row}))}
    pairs = np.array([[label[content] for content in row] for row in between])
    if not len(terms):
        return Parts(pairs)
    flavours = np.array([indices for _, indices in terms])
    block = np.searchsorted(offsets, flavours, side="right") - 1
    return Parts(pairs, [value for value, _ in terms], block, flavours - offsets[block])


class _Labelling:
    """Search for the labelling of `parts` with the smallest rows.

    Attributes
    ----------
    order : (n,) array of int
        The parts as that labelling numbers them.
    """

    def __init__(self, parts: Parts):
        self._parts = parts
        self.order: np.ndarray | None = None
        self._rows: list = []  # at each step to the best labelling
        self._path: list[int] = []  # the parts put first there
        self._symmetries: list[np.ndarray] = []
        self._left = _MOST_LABELLINGS

    def visit(self, colour: np.ndarray, path: list[int], rows: list) -> int:
        """Look at all labellings of a colouring, to which the parts in `path` were put first.

        Returns the length of the path from where to go on: the next shorter one, or that at which a symmetry says that
        all from here on is known.
        """
        colour, seen = self._parts.refined(colour)
        rows = [*rows, seen]
        if self.order is not None and rows > self._rows[: len(rows)]:
            return len(path) - 1
        members = np.bincount(colour)
        if len(members) == len(colour):
            return self._compare(np.argsort(colour), path, rows)
        tied = np.flatnonzero(colour == np.argmax(members > 1))
        tried: list[int] = []
        for part in tied.tolist():
            if tried and (known := self._connected(path))[part] in known[tried]:
                continue
            first = 2 * colour + 1
            first[part] -= 1
            back = self.visit(first, [*path, part], rows)
            if back < len(path):
                return back
            tried.append(part)
        return len(path) - 1

    def _compare(self, order: np.ndarray, path: list[int], rows: list) -> int:
        self._left -= 1
        if self.order is None or rows < self._rows:
            self.order, self._path, self._rows = order, path, rows
        elif rows == self._rows:
            symmetry = np.empty_like(order)
            symmetry[self.order] = order
            self._symmetries.append(symmetry)
            return next(n for n, (a, b) in enumerate(zip(path, self._path)) if a != b)
        return len(path) - 1 if self._left > 0 else -1

    def _connected(self, path: list[int]) -> np.ndarray:
        """Label of each part, equal for those that known symmetries connect while they leave all of `path` in place."""
        kept = [s for s in self._symmetries if np.array_equal(s[path], path)]
        return orbit_labels(kept, np.arange(self._parts.n))
