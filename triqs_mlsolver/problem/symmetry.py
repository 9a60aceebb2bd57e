# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""What is known of the symmetries of a problem: permutations of flavours, pairs that are alike, signs that are
conserved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache

import numpy as np

from ..numerics import legendre
from .permutations import Permutation, generators, orbit_labels
from .problem import Problem

ROUNDING = 1e-13  # relative to the largest energy: what differs by rounding is the same


def generating_permutations(
    problem: Problem,
    functions: np.ndarray | None = None,
    accept: Callable[[Permutation], bool] | None = None,
) -> tuple[Permutation, ...]:
    """Generators of the group of permutations of flavours that leave h_loc0 and the interaction unchanged.

    Parameters
    ----------
    problem : Problem
    functions : (n, N, N) array, optional
        Further symmetric matrices that must not change, such as Δ, in any unit.
    accept : callable, optional
        Whether a permutation leaves unchanged what else there is, see `permutations.generators`.
    """
    tolerance = ROUNDING * max(problem.largest_energy, 1e-300)
    kept = np.stack([local_hamiltonian(problem), problem.U])
    if functions is not None:
        scale = max(np.max(np.abs(functions), initial=0.0), 1e-300)
        kept = np.concatenate([kept, functions * (problem.largest_energy / scale)])
    labels = alike(kept, tolerance)
    return generators(np.diag(labels), labels, _without_rounding(problem.terms), accept)


def alike(matrices: np.ndarray, tolerance: float) -> np.ndarray:
    """Label of each pair of flavours, (N, N), equal where symmetric matrices (n, N, N) agree up to `tolerance`."""
    values = np.maximum(matrices, matrices.swapaxes(1, 2)).reshape(len(matrices), -1)
    labels = np.full(values.shape[1], -1)
    while len(left := np.flatnonzero(labels < 0)):
        off = np.max(np.abs(values[:, left] - values[:, left[:1]]), axis=0)
        labels[left[off <= tolerance]] = left[0]
    return labels.reshape(matrices.shape[1:])


def _without_rounding(terms: tuple) -> list:
    """The terms, those of coefficients that differ by rounding given one size."""
    tolerance = ROUNDING * max((abs(value) for value, _ in terms), default=0.0)
    sizes: list[float] = []
    out = []
    for value, indices in terms:
        size = next((s for s in sizes if abs(s - abs(value)) <= tolerance), None)
        if size is None:
            sizes.append(size := abs(value))
        out.append((float(np.copysign(size, value)), indices))
    return out


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
    return pair_orbits(generating_permutations(problem, Delta), problem.n_flavours)


@lru_cache(maxsize=64)
def pair_orbits(permutations: tuple[tuple[int, ...], ...], N: int, *, ordered: bool = False) -> np.ndarray:
    """Label of each pair of flavours, (N, N): the first one that the group of the permutations connects it to.

    Pairs count as one with those exchanged unless `ordered`.
    """
    labels = np.arange(N * N).reshape(N, N)
    return orbit_labels(permutations, labels if ordered else np.minimum(labels, labels.T))


def pair_mean(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Matrices (…, N, N) averaged over the entries of equal label."""
    return label_mean(values.reshape(-1, labels.size), labels.ravel()).reshape(values.shape)


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
