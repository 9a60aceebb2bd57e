# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Permutations of flavours, and with them of bath sites, that leave the Hamiltonian of a discrete problem unchanged."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..numerics import legendre
from ..problem import Problem
from .segment_symmetry import automorphisms, label_mean, orbit_labels

_LIMIT = 200  # permutations searched; those found generate all where there are more
_TOLERANCE = 1e-13  # relative to the largest energy: what differs by rounding is the same


@dataclass(frozen=True, eq=False)
class ModePermutation:
    """c†_i → sign_i c†_{modes[i]} for all modes, flavours first.

    Parameters
    ----------
    flavours : tuple of int
        Where each flavour goes.
    modes : (n_modes,) int array
    sign : (n_modes,) array
        ±1 for bath sites, +1 for flavours.
    """

    flavours: tuple[int, ...]
    modes: np.ndarray
    sign: np.ndarray

    def act(self, states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Images of Fock states, and the signs they take."""
        n = states[:, None] >> np.arange(len(self.modes)) & 1
        crossed = np.triu(self.modes[:, None] > self.modes[None, :], 1).astype(int)
        odd = np.einsum("si,si->s", n @ crossed, n) + n @ (self.sign < 0).astype(int)
        return n @ (1 << self.modes), 1.0 - 2.0 * (odd % 2)


def permutations_of(problem: Problem, sites: tuple[np.ndarray, np.ndarray]) -> tuple[ModePermutation, ...]:
    """Symmetries of `problem` with bath levels (n,) and couplings (n, N); the identity is among them."""
    N = problem.n_flavours
    tolerance = _TOLERANCE * max(problem.largest_energy, 1e-300)
    found = []
    for flavours in flavour_permutations(problem):
        image = np.asarray(flavours)
        matched = _matched_sites(*sites, image, tolerance)
        if matched is not None:
            where, sign = matched
            modes = np.concatenate([image, N + where])
            found.append(ModePermutation(flavours, modes, np.concatenate([np.ones(N), sign])))
    return tuple(found)


def flavour_permutations(problem: Problem, functions: np.ndarray | None = None) -> tuple[tuple[int, ...], ...]:
    """Permutations of flavours that leave h_loc0 and the interaction unchanged, the identity included.

    Parameters
    ----------
    problem : Problem
    functions : (n, N, N) array, optional
        Further matrices that must not change, such as Δ.
    """
    tolerance = _TOLERANCE * max(problem.largest_energy, 1e-300)
    kept = local_hamiltonian(problem)[None]
    if functions is not None:
        scale = max(np.max(np.abs(functions), initial=0.0), 1e-300)
        kept = np.concatenate([kept, functions * (problem.largest_energy / scale)])
    diagonals = np.diagonal(kept, axis1=1, axis2=2)
    colour = [int(np.argmax(np.max(np.abs(diagonals - d[:, None]), axis=0) <= tolerance)) for d in diagonals.T]
    unchanged = lambda p: np.max(np.abs(kept[:, p][:, :, p] - kept)) <= tolerance
    candidates = automorphisms(colour, problem.U, _LIMIT)
    return tuple(p for p in candidates if unchanged(np.asarray(p)) and _keeps_terms(problem, p))


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


def _keeps_terms(problem: Problem, flavours: tuple[int, ...]) -> bool:
    if not problem.terms:
        return True
    terms, moved = (
        interaction_table(problem.terms),
        interaction_table([(value, tuple(flavours[i] for i in indices)) for value, indices in problem.terms]),
    )
    scale = max(abs(value) for value in terms.values())
    return all(abs(terms.get(k, 0.0) - moved.get(k, 0.0)) <= _TOLERANCE * scale for k in terms.keys() | moved.keys())


def interaction_table(terms) -> dict[tuple[int, int, int, int], float]:
    """Coefficients of c†_i c†_j c_k c_l with i < j and k > l, equal ones added."""
    table: dict[tuple[int, int, int, int], float] = {}
    for value, (i, j, k, l) in terms:
        if i == j or k == l:
            continue
        if i > j:
            i, j, value = j, i, -value
        if k < l:
            k, l, value = l, k, -value
        table[i, j, k, l] = table.get((i, j, k, l), 0.0) + value
    return table


def _matched_sites(eps, V, image, tolerance):
    """Where each bath site goes and its sign when flavour i goes to image[i]; None where the bath does not allow it."""
    moved = np.empty_like(V)
    moved[:, image] = V
    where, sign, taken = np.empty(len(eps), int), np.ones(len(eps)), np.zeros(len(eps), bool)
    for k in range(len(eps)):
        for s in (1.0, -1.0):
            off = np.maximum(np.abs(eps - eps[k]), np.max(np.abs(V - s * moved[k]), axis=1))
            fits = np.flatnonzero((off <= tolerance) & ~taken)
            if len(fits):
                where[k], sign[k], taken[fits[0]] = fits[0], s, True
                break
        else:
            return None
    return where, sign


@lru_cache(maxsize=64)
def pair_orbits(permutations: tuple[tuple[int, ...], ...], N: int, *, ordered: bool = False) -> np.ndarray:
    """Label of each pair of flavours, (N, N): the first one alike by symmetry, or by exchange unless `ordered`."""
    labels = np.arange(N * N).reshape(N, N)
    return orbit_labels(permutations, labels if ordered else np.minimum(labels, labels.T))


def pair_mean(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Matrices (…, N, N) averaged over the entries of equal label."""
    return label_mean(values.reshape(-1, labels.size), labels.ravel()).reshape(values.shape)
