# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Averages of what Monte Carlo has measured over everything the problem does not tell apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...problem import Problem
from ...problem.symmetry import over_flavours, pair_mean, pairs_alike


class SymmetricMean:
    """The mean over permutations of flavours and, where it leaves the problem unchanged, the particle-hole map.

    Each of several equivalent flavours is measured by itself: their mean has the smaller error bar, and at half filling
    the densities, where that is largest, are exact.

    Parameters
    ----------
    problem : Problem
        Any blocks and interaction.
    """

    def __init__(self, problem: Problem):
        self.problem = problem
        self.labels = pairs_alike(problem)
        self.particle_hole = problem.is_particle_hole_symmetric()

    def matrices(self, blocks: Sequence[np.ndarray]) -> list[np.ndarray]:
        """One (…, n, n) array per block, averaged over permutations."""
        mean = pair_mean(over_flavours(self.problem, blocks), self.labels)
        cut = [slice(o, o + size) for o, (_, size) in zip(self.problem.offsets, self.problem.gf_struct)]
        return [mean[..., part, part] for part in cut]

    def G_l(self, blocks: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Legendre coefficients (…, n_l, n, n) per block; under the particle-hole map the odd ones change sign."""
        mean = self.matrices(blocks)
        if self.particle_hole:
            for G in mean:
                G[..., 1::2, :, :] = 0.0
        return mean

    def occupations(self, blocks: Sequence[np.ndarray]) -> list[np.ndarray]:
        """⟨c†_b c_a⟩ (…, n, n) per block."""
        mean = self.matrices(blocks)
        return [0.0 * rho + 0.5 * np.eye(rho.shape[-1]) for rho in mean] if self.particle_hole else mean

    def pairs(self, nn: np.ndarray) -> np.ndarray:
        """⟨n_i n_j⟩, (…, N, N); a pair of holes is 1 − n_i − n_j + n_i n_j."""
        nn = pair_mean(nn, self.labels)
        if not self.particle_hole:
            return nn
        n = np.diagonal(nn, axis1=-2, axis2=-1)
        return nn + 0.5 * (1 - n[..., :, None] - n[..., None, :])

    def moments(
        self, static: Sequence[np.ndarray], second: Sequence[np.ndarray]
    ) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
        """Σ∞ and Σ₁ per block; h_loc0 + Σ∞ changes sign under the particle-hole map."""
        if self.particle_hole:
            return tuple(-h for h in self.problem.h_loc0), tuple(self.matrices(second))
        return tuple(self.matrices(static)), tuple(self.matrices(second))

    def deviation(self, bins: Sequence[np.ndarray], n_coefficients: int = 10) -> float:
        """How far measured flavours that should be equal lie from their mean, at most, in standard errors.

        Parameters
        ----------
        bins : sequence of (n_bins, n_l, n, n) arrays
            Legendre coefficients per block from independent runs. Their scatter is pooled over equivalent flavours and
            neighbouring coefficients: of one number alone a few runs know it badly.
        """
        bins = [b[:, :n_coefficients] for b in bins]
        full, mean = (over_flavours(self.problem, blocks) for blocks in (bins, self.G_l(bins)))
        variance = pair_mean(full.var(axis=0, ddof=1), self.labels) / len(full)
        pooled = np.array([variance[max(l - 2, 0) : l + 3].mean(axis=0) for l in range(len(variance))])
        measured = pooled > 1e-30 * np.max(pooled, initial=0.0)
        off = np.abs(full.mean(axis=0) - mean.mean(axis=0))
        return float(np.max(off[measured] / np.sqrt(pooled[measured]), initial=0.0))
