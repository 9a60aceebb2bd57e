# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Permutations of flavours, and with them of bath sites, that leave the Hamiltonian of a discrete problem unchanged.

Those that generate all others are enough: what one of them maps to the next one maps on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...problem import Problem
from ...problem.symmetry import ROUNDING, generating_permutations


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
    """Generators of the symmetries of `problem` with bath levels (n,) and couplings (n, N)."""
    N = problem.n_flavours
    tolerance = ROUNDING * max(problem.largest_energy, 1e-300)
    matched = lambda flavours: _matched_sites(*sites, flavours, tolerance)
    found = generating_permutations(problem, _strengths(*sites, tolerance), lambda p: matched(p) is not None)
    out = []
    for flavours in found:
        where, sign = matched(flavours)
        modes = np.concatenate([flavours, N + where])
        out.append(ModePermutation(flavours, modes, np.concatenate([np.ones(N), sign])))
    return tuple(out)


def _strengths(eps: np.ndarray, V: np.ndarray, tolerance: float) -> np.ndarray:
    """V†V of the sites of each level, (n_levels, N, N): what a permutation must keep, whatever site goes where."""
    left, out = np.arange(len(eps)), [np.zeros((0, V.shape[1], V.shape[1]))]
    while len(left):
        alike = np.abs(eps[left] - eps[left[0]]) <= tolerance
        out.append((V[left[alike]].T @ V[left[alike]])[None])
        left = left[~alike]
    return np.concatenate(out)


def _matched_sites(eps, V, image, tolerance):
    """Where each bath site goes and its sign when flavour i goes to image[i]; None where the bath does not allow it."""
    moved = np.empty_like(V)
    moved[:, list(image)] = V
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
