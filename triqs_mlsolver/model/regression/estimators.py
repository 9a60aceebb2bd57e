# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Any scikit-learn regressor in the place of the kernel ridge, made particle-hole covariant; averages of several."""

from __future__ import annotations

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.model_selection import GroupKFold

from ...tools.constants import FOLDS
from .kernel import KernelSettings


class SymmetricEstimator(RegressorMixin, BaseEstimator):
    """A regressor trained on every row and its mirror image; y(Px) = ±y(x) holds exactly by averaging over both.

    Parameters
    ----------
    estimator : scikit-learn regressor
        Takes features in units of the length scales.
    settings : KernelSettings
        Of which length scales and parities count.

    Attributes
    ----------
    X_, y_ : (N, n_features), (N, n_outputs) arrays
    fitted_ : the fitted estimator

    Notes
    -----
    It knows nothing of label noise, and its standard deviation is the distance to the nearest stored row (in length
    scales), so that the bound still grows outside the data. Leave-out residuals come from five-fold cross-validation.
    """

    quick_leave_out = False

    def __init__(self, estimator, settings: KernelSettings):
        self.estimator = estimator
        self.settings = settings

    def fit(self, X, y, *, output_parity, noise=None, source=None) -> SymmetricEstimator:
        """Train on rows `X` (N, n_features) and `y` (N, n_outputs); `noise` and `source` are not used."""
        self.X_, self.y_ = np.array(X, float), np.array(y, float)
        self.output_parity_ = np.asarray(output_parity)
        self.fitted_ = self._trained(self.X_, self.y_)
        return self

    def append(self, x, y, noise: float = 0.0, source: int = 0) -> SymmetricEstimator:
        """Keep one more row; the estimator itself is trained again by the next `fit`."""
        self.X_ = np.concatenate([self.X_, np.asarray(x, float)[None]])
        self.y_ = np.concatenate([self.y_, np.asarray(y, float)[None]])
        return self

    def predict(self, X, return_std: bool = False):
        """Outputs (n, n_outputs) and, if asked, the distance (n,) to the nearest stored row."""
        out = self._ask(self.fitted_, np.atleast_2d(X))
        return (out, self.nearest(X)) if return_std else out

    def nearest(self, X: np.ndarray) -> np.ndarray:
        """Distance of each row of `X` (n, n_features) to the nearest stored row, in length scales; (n,)."""
        return self._nearest(self.settings.scaled(np.atleast_2d(X)), self.settings.scaled(self.X_))

    def weights(self, X: np.ndarray) -> np.ndarray:
        """One for the nearest stored row, (n, N): no more is known of what an estimator leans on."""
        square = self._squares(self.settings.scaled(np.atleast_2d(X)), self.settings.scaled(self.X_))
        return np.eye(len(self.X_))[square.argmin(axis=1)]

    def leave_out(self, labels: np.ndarray, rows=None) -> tuple[np.ndarray, np.ndarray]:
        """Residuals and distances with whole labels left out, by cross-validation."""
        n_folds = min(FOLDS, len(np.unique(labels)))
        residual, distance = np.zeros_like(self.y_), np.zeros(len(self.y_))
        for kept, left in GroupKFold(n_folds).split(self.X_, groups=labels):
            model = self._trained(self.X_[kept], self.y_[kept])
            residual[left] = self.y_[left] - self._ask(model, self.X_[left])
            distance[left] = self._nearest(self.settings.scaled(self.X_[left]), self.settings.scaled(self.X_[kept]))
        return (residual, distance) if rows is None else (residual[rows], distance[rows])

    def _trained(self, X: np.ndarray, y: np.ndarray):
        x = self.settings.scaled(X)
        return clone(self.estimator).fit(
            np.concatenate([x, x * self.settings.parity]), np.concatenate([y, y * self.output_parity_])
        )

    def _ask(self, model, X: np.ndarray) -> np.ndarray:
        x = self.settings.scaled(X)
        direct, mirrored = (model.predict(v).reshape(len(x), -1) for v in (x, x * self.settings.parity))
        return 0.5 * (direct + self.output_parity_ * mirrored)

    def _nearest(self, x: np.ndarray, stored: np.ndarray) -> np.ndarray:
        return np.sqrt(self._squares(x, stored).min(axis=1))

    def _squares(self, x: np.ndarray, stored: np.ndarray) -> np.ndarray:
        """Squared distances of scaled rows to stored ones, or to their mirror images where those are nearer."""
        each = [
            np.sum(x**2, axis=1)[:, None] - 2 * x @ y.T + np.sum(y**2, axis=1)[None]
            for y in (stored, stored * self.settings.parity)
        ]
        return np.maximum(np.minimum(*each), 0.0)


class Average(RegressorMixin, BaseEstimator):
    """The mean of several regressors with the same interface.

    Parameters
    ----------
    members : sequence of regressors
    """

    quick_leave_out = False

    def __init__(self, members):
        self.members = members

    @property
    def X_(self) -> np.ndarray:
        """Stored rows, (N, n_features)."""
        return self.members[0].X_

    def fit(self, X, y, *, output_parity, noise=None, source=None) -> Average:
        """Fit every member."""
        for member in self.members:
            member.fit(X, y, output_parity=output_parity, noise=noise, source=source)
        return self

    def append(self, x, y, noise: float = 0.0, source: int = 0) -> Average:
        """One more row for every member."""
        for member in self.members:
            member.append(x, y, noise, source)
        return self

    def predict(self, X, return_std: bool = False):
        """Mean of the members' outputs; the standard deviation is that of the first member."""
        out = np.mean([member.predict(X) for member in self.members], axis=0)
        return (out, self.members[0].predict(X, return_std=True)[1]) if return_std else out

    def weights(self, X: np.ndarray) -> np.ndarray:
        """Those of the first member, (n, N)."""
        return self.members[0].weights(X)

    def nearest(self, X: np.ndarray) -> np.ndarray:
        """Distance to the nearest stored row as the first member sees it, (n,)."""
        return self.members[0].nearest(X)

    def leave_out(self, labels: np.ndarray, rows=None) -> tuple[np.ndarray, np.ndarray]:
        """Residuals of the mean, standard deviations of the first member."""
        found = [member.leave_out(labels, rows) for member in self.members]
        return np.mean([residual for residual, _ in found], axis=0), found[0][1]
