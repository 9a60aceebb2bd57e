# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Permutations of flavours that change nothing: generators of their group, and what the group connects.

A group is never listed: ten equal flavours have 3628800 permutations, and nine of them generate all. For each flavour
k, with those before it held in place, one permutation is looked for to each flavour that k is not yet known to reach
(Schreier, Sims): these generate the group, since each of its members is a product of one per k.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from .interaction import Indices, interaction_table
from .parts import Parts

Permutation = tuple[int, ...]


def generators(
    colour: Sequence,
    pairs: np.ndarray,
    terms: Sequence[tuple[float, Indices]] = (),
    accept: Callable[[Permutation], bool] | None = None,
) -> tuple[Permutation, ...]:
    """Generators of the group of all permutations p that change nothing; at most n − 1, the identity not among them.

    All conditions must be given here. To pick from the generators of a larger group those that meet a further one loses
    products that meet it though their factors do not.

    Parameters
    ----------
    colour : sequence of n
        What each flavour is on its own: kept by p, which takes f to p[f].
    pairs : (n, n) array of int
        What two flavours are to each other, kept too; symmetric.
    terms : sequence of (float, (int, int, int, int))
        c†_i c†_j c_k c_l in normal order, which p turns into each other, coefficients and signs included.
    accept : callable, optional
        Whether a permutation that meets all this keeps what else there is; those it accepts must form a group.
    """
    n = len(colour)
    search = _Search(colour, colour, pairs, terms, accept)
    found: list[Permutation] = []
    reached = np.arange(n)
    for k in reversed(range(n)):
        in_place, out_of_reach = list(range(k)), []
        for g in range(k + 1, n):
            if reached[g] in reached[[k, *out_of_reach]]:
                continue
            permutation = search.complete([*in_place, g]) if search.fits(in_place, k, g) else None
            if permutation is None:
                out_of_reach.append(g)
            else:
                found.append(permutation)
                reached = orbit_labels(found, np.arange(n))
    return tuple(found)


def mapping(colour: Sequence, image_colour: Sequence, pairs: np.ndarray) -> Permutation | None:
    """A permutation p with image_colour[p[f]] = colour[f] that keeps `pairs`, if there is one."""
    return _Search(colour, image_colour, pairs).complete([])


def elements(generators: Iterable[Permutation], n: int, limit: int) -> list[Permutation]:
    """Up to `limit` members of the group that permutations of n generate, the identity first, then short products."""
    generators, out = list(generators), [tuple(range(n))]
    known = set(out)
    for p in out:
        for s in generators:
            product = tuple(s[i] for i in p)
            if product not in known:
                if len(out) >= limit:
                    return out
                known.add(product)
                out.append(product)
    return out


def orbit_labels(permutations: Iterable[Sequence[int]], labels: np.ndarray) -> np.ndarray:
    """Smallest label that the group of the permutations, applied to every axis of `labels`, connects to each entry."""
    while True:
        before = labels.copy()
        for p in permutations:
            labels = np.minimum(labels, labels[np.ix_(*(p,) * labels.ndim)])
        if np.array_equal(before, labels):
            return labels


class _Search:
    """Permutations that are built up flavour by flavour, each image as soon as it fits all before it."""

    def __init__(self, colour, image_colour, pairs, terms=(), accept=None):
        rank = {c: number for number, c in enumerate(dict.fromkeys([*colour, *image_colour]))}
        parts = Parts(pairs, [value for value, _ in terms], [indices for _, indices in terms] or None)
        ranks = [[rank[c] for c in colours] for colours in (colour, image_colour)]
        (own, rows), (image, image_rows) = (parts.refined(r) for r in ranks)
        self._possible = sorted(ranks[0]) == sorted(ranks[1]) and rows == image_rows
        self._colour, self._image_colour = own.tolist(), image.tolist()
        self._pairs = np.asarray(pairs).tolist()
        self._table = {indices: value for value, indices in terms}
        self._complete_at: list[list] = [[] for _ in colour]  # terms by the last of their flavours
        for value, indices in terms:
            self._complete_at[max(indices)].append((value, indices))
        self._accept = accept

    def complete(self, image: list[int]) -> Permutation | None:
        """A permutation that begins with these images, None if there is none."""
        f = len(image)
        if f == len(self._colour):
            return tuple(image) if self._accept is None or self._accept(tuple(image)) else None
        if not self._possible:
            return None
        for g in range(len(self._colour)):
            if self.fits(image, f, g) and (found := self.complete([*image, g])) is not None:
                return found
        return None

    def fits(self, image: list[int], f: int, g: int) -> bool:
        """Whether f may go to g where the flavours before it go to `image`."""
        if g in image or self._image_colour[g] != self._colour[f]:
            return False
        to_f, to_g = self._pairs[f], self._pairs[g]
        if any(to_f[a] != to_g[b] for a, b in enumerate(image)):
            return False
        whole = [*image, g]
        moved = [(value, tuple(whole[i] for i in indices)) for value, indices in self._complete_at[f]]
        return all(self._table.get(indices) == value for indices, value in interaction_table(moved).items())
