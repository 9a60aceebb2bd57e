# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Kernel ridge regression on the nearest stored rows only: for data too many for one matrix.

Each prediction solves the two kernel systems of its `n_neighbours` nearest rows: the cost no longer depends on the
number of rows but for the search.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from ...tools.constants import NEIGHBOURS
from .kernel import KernelSettings
from .kernel_ridge import SymmetricKernelRidge


class LocalKernelRidge(SymmetricKernelRidge):
    """`SymmetricKernelRidge` on the rows nearest to each prediction, mirror images included.

    Parameters
    ----------
    settings : KernelSettings
    n_neighbours : int
        Rows that enter each prediction.

    Attributes
    ----------
    X_, y_, noise_, source_ : arrays
        All stored rows; `fit` and `append` only keep them.
    """

    quick_leave_out = False

    def __init__(self, settings: KernelSettings, n_neighbours: int = NEIGHBOURS):
        super().__init__(settings)
        self.n_neighbours = n_neighbours

    def fit(self, X, y, *, output_parity, noise=None, source=None) -> LocalKernelRidge:
        """Keep rows `X` (N, n_features), `y` (N, n_outputs), relative noise variances `noise` and `source` (N,)."""
        self._keep(X, y, output_parity, noise, source)
        return self

    def append(self, x, y, noise: float = 0.0, source: int = 0) -> LocalKernelRidge:
        """Keep one more row."""
        x = np.asarray(x, float)[None]
        self._keep_one(x, y, noise, source, self.settings.scaled(x))
        return self

    def predict(self, X, return_std: bool = False):
        """Outputs (n, n_outputs) and, if asked, standard deviations (n,) given the neighbours."""
        x = self.settings.scaled(np.atleast_2d(X))
        found = [self._solve_near(row, self._neighbours(row)) for row in x]
        out = np.stack([mean for mean, _ in found])
        return (out, np.array([std for _, std in found])) if return_std else out

    def weights(self, X: np.ndarray) -> np.ndarray:
        """How much each stored row contributes to the even outputs at rows of `X` (n, n_features); (n, N)."""
        out = np.zeros((len(X), len(self.X_)))
        for row, x in zip(out, self.settings.scaled(np.atleast_2d(X))):
            near = self._neighbours(x)
            row[near] = self._weights_of(x, near)[1][0]
        return out

    def nearest(self, X: np.ndarray) -> np.ndarray:
        """Distance of each row of `X` (n, n_features) to the nearest stored row, in length scales; (n,)."""
        return np.array([np.sqrt(self._square_distances(x).min()) for x in self.settings.scaled(np.atleast_2d(X))])

    def leave_out(self, labels: np.ndarray, rows=None) -> tuple[np.ndarray, np.ndarray]:
        """Residuals and standard deviations of `rows`, each with all rows of its label left out."""
        rows = np.arange(len(self.X_)) if rows is None else np.asarray(rows)
        residual, std = np.empty((len(rows), self.y_.shape[1])), np.empty(len(rows))
        for k, row in enumerate(rows):
            allowed = np.flatnonzero(labels != labels[row])
            near = self._neighbours(self.scaled_[row], allowed)
            mean, std[k] = self._solve_near(self.scaled_[row], near)
            residual[k] = self.y_[row] - mean
        return residual, std

    def _square_distances(self, x: np.ndarray) -> np.ndarray:
        """Squared distances of one scaled row to all, or to their mirror images where those are nearer, (N,)."""
        even = x * (self.settings.parity > 0)
        overlap = self.scaled_ @ np.stack([even, x - even], axis=1)
        return np.maximum(self.square_ + x @ x - 2 * (overlap[:, 0] + np.abs(overlap[:, 1])), 0.0)

    def _neighbours(self, x: np.ndarray, allowed: np.ndarray | None = None) -> np.ndarray:
        distance = self._square_distances(x)
        if allowed is not None:
            distance = distance[allowed]
        n = min(self.n_neighbours, len(distance))
        near = np.argpartition(distance, n - 1)[:n] if n < len(distance) else np.arange(n)
        return near if allowed is None else allowed[near]

    def _solve_near(self, x: np.ndarray, near: np.ndarray) -> tuple[np.ndarray, float]:
        """Outputs (n_outputs,) and standard deviation for one scaled row from the rows `near`."""
        out, variance = np.zeros(self.y_.shape[1]), 1.0
        for sign, (weight, cross) in self._weights_of(x, near).items():
            columns = self.output_parity_ == sign
            out[columns] = weight @ self.y_[near][:, columns]
            variance -= float(weight @ cross)
        return out, float(np.sqrt(max(variance, 0.0)))

    def _weights_of(self, x: np.ndarray, near: np.ndarray) -> dict[int, tuple[np.ndarray, np.ndarray]]:
        """For even and odd outputs, weights of the rows `near` at one scaled row, and the kernel between them."""
        if len(near) == 0:
            return {}
        K = self.settings.between_labels(self.scaled_[near], self.source_[near])
        cross = self.settings.between(x[None], self.scaled_[near])
        found = {}
        for sign, k in K.items():
            k[np.diag_indices_from(k)] += self.settings.alpha + self.noise_[near]
            factor = cho_factor(k, overwrite_a=True, check_finite=False)
            found[sign] = cho_solve(factor, cross[sign][0], check_finite=False), cross[sign][0]
        return found
