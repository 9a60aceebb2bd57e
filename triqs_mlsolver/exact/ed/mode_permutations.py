# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Permutations of flavours, and with them of bath sites, that leave the Hamiltonian of a discrete problem unchanged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...problem import Problem
from ...problem.symmetry import ROUNDING, flavour_permutations


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
    tolerance = ROUNDING * max(problem.largest_energy, 1e-300)
    found = []
    for flavours in flavour_permutations(problem):
        image = np.asarray(flavours)
        matched = _matched_sites(*sites, image, tolerance)
        if matched is not None:
            where, sign = matched
            modes = np.concatenate([image, N + where])
            found.append(ModePermutation(flavours, modes, np.concatenate([np.ones(N), sign])))
    return tuple(found)


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


