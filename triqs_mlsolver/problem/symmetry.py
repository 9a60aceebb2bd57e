# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""What is known of the symmetries of a problem: permutations of flavours, pairs that are alike, signs that are conserved."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import numpy as np

from ..numerics import legendre
from .interaction import interaction_table
from .problem import Problem

_LIMIT = 200  # permutations searched; those found generate all where there are more
ROUNDING = 1e-13  # relative to the largest energy: what differs by rounding is the same


def flavour_permutations(problem: Problem, functions: np.ndarray | None = None) -> tuple[tuple[int, ...], ...]:
    """Permutations of flavours that leave h_loc0 and the interaction unchanged, the identity included.

    Parameters
    ----------
    problem : Problem
    functions : (n, N, N) array, optional
        Further matrices that must not change, such as Δ.
    """
    tolerance = ROUNDING * max(problem.largest_energy, 1e-300)
    kept = local_hamiltonian(problem)[None]
    if functions is not None:
        scale = max(np.max(np.abs(functions), initial=0.0), 1e-300)
        kept = np.concatenate([kept, functions * (problem.largest_energy / scale)])
    diagonals = np.diagonal(kept, axis1=1, axis2=2)
    colour = [int(np.argmax(np.max(np.abs(diagonals - d[:, None]), axis=0) <= tolerance)) for d in diagonals.T]
    unchanged = lambda p: np.max(np.abs(kept[:, p][:, :, p] - kept)) <= tolerance
    candidates = automorphisms(colour, problem.U, _LIMIT)
    return tuple(p for p in candidates if unchanged(np.asarray(p)) and _keeps_terms(problem, p))


def automorphisms(colour: list, U: np.ndarray, limit: int, image_colour: list | None = None) -> list[tuple[int, ...]]:
    """Up to `limit` permutations p that keep the interaction matrix and have image_colour[p[f]] = colour[f].

    By default the image has the colours of the original, and the identity is among the permutations.
    """
    image_colour = colour if image_colour is None else image_colour
    n, tol, found = len(colour), 1e-12 * max(1.0, np.max(np.abs(U), initial=0.0)), []

    def extend(image: list[int]) -> None:
        if len(found) >= limit:
            return
        f = len(image)
        if f == n:
            found.append(tuple(image))
            return
        for g in range(n):
            if g not in image and image_colour[g] == colour[f]:
                if all(abs(U[f, a] - U[g, b]) <= tol for a, b in enumerate(image)):
                    extend([*image, g])

    extend([])
    return found


def _keeps_terms(problem: Problem, flavours: tuple[int, ...]) -> bool:
    if not problem.terms:
        return True
    terms, moved = (
        interaction_table(problem.terms),
        interaction_table([(value, tuple(flavours[i] for i in indices)) for value, indices in problem.terms]),
    )
    scale = max(abs(value) for value in terms.values())
    return all(abs(terms.get(k, 0.0) - moved.get(k, 0.0)) <= ROUNDING * scale for k in terms.keys() | moved.keys())


def local_hamiltonian(problem: Problem) -> np.ndarray:
    """h_loc0 over all flavours, (N, N)."""
    return over_flavours(problem, problem.h_loc0)


def over_flavours(problem: Problem, blocks) -> np.ndarray:
    """One matrix over all flavours, (…, N, N), from one (…, n, n) per block; zero between blocks."""
    out = np.zeros((*blocks[0].shape[:-2], problem.n_flavours, problem.n_flavours))
    for o, block in zip(problem.offsets, blocks):
        n = block.shape[-1]
        out[..., o : o + n, o : o + n] = block
    return out


def legendre_over_flavours(problem: Problem, blocks) -> np.ndarray:
    """Legendre coefficients of all blocks as matrices over all flavours, (n_l, N, N), n_l being that of the longest."""
    n_l = max(len(b) for b in blocks)
    return over_flavours(problem, [legendre.resized(b, n_l) for b in blocks])


def pairs_alike(problem: Problem) -> np.ndarray:
    """Label of each pair of flavours, (N, N), equal for those the problem does not tell apart."""
    Delta = legendre_over_flavours(problem, problem.Delta_l)
    return pair_orbits(flavour_permutations(problem, Delta), problem.n_flavours)


@lru_cache(maxsize=64)
def pair_orbits(permutations: tuple[tuple[int, ...], ...], N: int, *, ordered: bool = False) -> np.ndarray:
    """Label of each pair of flavours, (N, N): the first one alike by symmetry, or by exchange unless `ordered`."""
    labels = np.arange(N * N).reshape(N, N)
    return orbit_labels(permutations, labels if ordered else np.minimum(labels, labels.T))


def pair_mean(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Matrices (…, N, N) averaged over the entries of equal label."""
    return label_mean(values.reshape(-1, labels.size), labels.ravel()).reshape(values.shape)


def orbit_labels(permutations, labels: np.ndarray) -> np.ndarray:
    """Smallest label that the permutations, applied to every axis of `labels`, connect to each entry."""
    while True:
        before = labels.copy()
        for p in permutations:
            labels = np.minimum(labels, labels[np.ix_(*(p,) * labels.ndim)])
        if np.array_equal(before, labels):
            return labels


def label_mean(a: np.ndarray, labels: np.ndarray) -> np.ndarray:
    out = np.empty_like(a)
    for label in np.unique(labels):
        members = labels == label
        out[:, members] = a[:, members].mean(axis=1, keepdims=True)
    return out


class ParitySpan:
    """Products of flavour signs that a Hamiltonian does not conserve.

    A term that acts on flavours i, j, k, l is unchanged by signs with s_i s_j s_k s_l = 1. Where some such signs have
    s_a ≠ s_b, ⟨c_a c†_b⟩ vanishes: unless the pair a, b is a sum (modulo 2) of terms.

    Parameters
    ----------
    terms : iterable of tuples of int
        Flavours each term acts on.
    """

    def __init__(self, terms: Iterable[tuple[int, ...]]):
        self._basis: list[int] = []
        for flavours in terms:
            if left := self._rest(_mask(flavours)):
                self._basis = sorted([*self._basis, left], reverse=True)

    def allows(self, a: int, b: int) -> bool:
        """Whether no sign forbids ⟨c_a c†_b⟩."""
        return self._rest(_mask((a, b))) == 0

    def _rest(self, mask: int) -> int:
        for b in self._basis:
            mask = min(mask, mask ^ b)
        return mask


def _mask(flavours: Iterable[int]) -> int:
    out = 0
    for i in flavours:
        out ^= 1 << i
    return out


def why_not_learnable(problem: Problem) -> str | None:
    """None where G is diagonal, so that each flavour can be learned on its own; else the reason why not."""
    if not problem.is_diagonal:
        return "the model describes a diagonal hybridisation"
    if problem.n_flavours < 2:
        return "the model describes two flavours or more"
    if problem.terms and not _keeps_diagonal(problem):
        return "the model describes further terms that act on four different flavours and keep G diagonal"
    if problem.is_isolated:
        return "the hybridisation vanishes: the atom is solved exactly"
    return None


def _keeps_diagonal(problem: Problem) -> bool:
    """Whether all terms act on four different flavours, and signs of flavours that they conserve tell any two apart."""
    terms = [flavours for _, flavours in problem.terms]
    if any(len(set(flavours)) < 4 for flavours in terms):
        return False
    span, N = ParitySpan(terms), problem.n_flavours
    return not any(span.allows(a, b) for a in range(N) for b in range(a))
