# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Principal components of the features, group by group, even and odd ones apart: parity and groups survive."""

from __future__ import annotations

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin


class GroupedPCA(TransformerMixin, BaseEstimator):
    """The leading uncentred principal components of each group and parity.

    Parameters
    ----------
    n_components : int or None
        Components kept per group and parity; None keeps every feature as it is.

    Attributes
    ----------
    components_ : (n_features, n_kept) array
    group_, parity_ : (n_kept,) arrays
        Of the kept components.
    """

    def __init__(self, n_components: int | None = None):
        self.n_components = n_components

    def fit(self, X, *, group: np.ndarray, parity: np.ndarray) -> GroupedPCA:
        """Find the components of `X` (N, n_features); ValueError unless n_components is None or positive."""
        if self.n_components is None:
            self.components_, self.group_, self.parity_ = None, group, parity
            return self
        if self.n_components < 1:
            raise ValueError(f"n_components = {self.n_components}: keep at least one, or None for all features")
        blocks, groups, parities = [], [], []
        for g in np.unique(group):
            for sign in (1, -1):
                columns = np.flatnonzero((group == g) & (parity == sign))
                if len(columns) == 0:
                    continue
                kept = self._leading(np.asarray(X)[:, columns])
                block = np.zeros((len(group), kept.shape[1]))
                block[columns] = kept
                blocks.append(block)
                groups += [g] * kept.shape[1]
                parities += [sign] * kept.shape[1]
        self.components_ = np.concatenate(blocks, axis=1)
        self.group_, self.parity_ = np.array(groups), np.array(parities, float)
        return self

    def _leading(self, X: np.ndarray) -> np.ndarray:
        if X.shape[1] <= self.n_components:
            return np.eye(X.shape[1])
        return np.linalg.svd(X.T @ X)[0][:, : self.n_components]

    def transform(self, X) -> np.ndarray:
        """Components (N, n_kept) of `X` (N, n_features)."""
        return np.asarray(X) if self.components_ is None else np.asarray(X) @ self.components_
