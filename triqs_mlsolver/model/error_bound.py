# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
r"""From leave-out residuals to a calibrated bound on the error of a prediction.

Two scales of the error are combined, and the larger one wins: a random forest that has learned log(error) from
leave-out residuals (sharp inside known territory), and the standard deviation of the Gaussian process with the same
kernel (grows outside it). The bound is the scale times the conformal quantile of error/scale over all stored points,
the forest's scales being out-of-bag, since its own training residuals would flatter it.

A residual contains the noise of the left-out label, which a bound on the truth must not. Noise is subtracted in
quadrature, point by point down to a share of the residual; where labels are mostly noise this still leaves its
fluctuations, and the mean square of all residuals less that of the noise, with its own statistical error on top, is
the sharper estimate. A forest would only learn the noise there: the Gaussian process, which knows it, gives the scale
alone.
"""

from __future__ import annotations

import numpy as np
from sklearn.base import BaseEstimator

from ..numerics.significance import ONE_SIDED
from ..tools.constants import (
    ALIKE_FROM,
    FOREST_FROM,
    FOREST_INPUTS,
    FOREST_LEAF,
    FOREST_TREES,
    LARGEST_ERROR,
    LEAST_SHARE,
    MOMENTS_FROM,
    MOSTLY_NOISE,
    REFIT_GROWTH,
    SMALLEST_ERROR,
    TAIL,
)


class ErrorBound(BaseEstimator):
    """Conformal bound on several kinds of error at once (each calibrated on its own).

    Parameters
    ----------
    confidence : float
        Probability with which an error stays below its bound.
    n_estimators : int
        Trees of the forest that are asked.
    random_state : int
        Seed of the forest.

    Attributes
    ----------
    quantile_ : (n_kinds + n_followers,) array
        Conformal quantile of error/scale.
    std_factor_ : (n_kinds,) array
        Typical ratio of error to Gaussian-process standard deviation.
    """

    def __init__(self, confidence: float = 0.95, n_estimators: int = FOREST_TREES, random_state: int = 0):
        self.confidence = confidence
        self.n_estimators = n_estimators
        self.random_state = random_state

    def fit(self, summary, std, error, noise=0.0, followers=None, way=None, point=None) -> ErrorBound:
        """Calibrate on N residuals.

        Parameters
        ----------
        summary : (N, n_summary) array
            Features of the forest.
        std : (N,) or (N, n_kinds) array
            Leave-out standard deviation, in the units of the errors as far as these are known.
        error : (N, n_kinds) array
            Leave-out errors, those of the labels included. Not finite: as large as can be in the first way, none in
            others.
        noise : (N, n_kinds) array, optional
            Root mean square error of the labels.
        followers : (N, n_followers) array, optional
            Errors that share the scale of the first kind, each with a quantile of its own; noise is not taken off.
        way : (N,) array of int, optional
            How a point was left out, 0 being the strictest way, in which all were: a bound holds for each way on its
            own. Later residuals must come after earlier ones, also of other ways.
        point : (N,) array of int, optional
            The point a residual belongs to.
        """
        total = np.maximum(np.asarray(error, float), SMALLEST_ERROR)
        noise, std = np.broadcast_to(noise, total.shape), _as_columns(std, total.shape[1])
        way = np.zeros(len(total), int) if way is None else np.asarray(way)
        point = np.arange(len(total)) if point is None else np.asarray(point)
        first = way == 0
        total = np.where(first[:, None] & ~np.isfinite(total), LARGEST_ERROR, total)
        asked = np.isfinite(total).all(axis=1)
        ways = [asked & (way == k) for k in np.unique(way[asked])]
        error = np.sqrt(np.maximum(total**2 - noise**2, (LEAST_SHARE * total) ** 2))
        self.noisy_ = np.median((noise / total)[first], axis=0) > MOSTLY_NOISE  # per kind of error
        inputs, std = self._inputs(summary, std), self._scale(std)
        self.std_factor_ = np.median((error / std)[first], axis=0)
        scale = std * self.std_factor_
        if first.sum() >= FOREST_FROM and not self.noisy_.all():
            if not hasattr(self, "forest_") or self._has_outgrown(asked):
                self._fit_forest(inputs, np.log(error), asked, point)
            expected = self.forest_(inputs)
            known = np.flatnonzero(np.isfinite(self.expected_[:, 0]))
            expected[known] = self.expected_[known]
            scale = np.where(self.noisy_, scale, np.maximum(scale, np.exp(expected)))
        self.quantile_ = np.max([self._quantile(total[w], error[w], noise[w], scale[w]) for w in ways], axis=0)
        if followers is not None:
            ratio = np.maximum(np.asarray(followers, float), SMALLEST_ERROR) / scale[:, :1]
            quantile = np.max([_conformal_quantile(ratio[w], self.confidence) for w in ways], axis=0)
            self.quantile_ = np.concatenate([self.quantile_, quantile])
        return self

    def _quantile(self, total, error, noise, scale) -> np.ndarray:
        """Quantile of error/scale, (n_kinds,), of points that were left out in one way."""
        quantile = _conformal_quantile(error / scale, self.confidence)
        if len(total) >= MOMENTS_FROM and self.confidence <= 0.95:
            sharper = _moment_quantile(total / scale, noise / scale)
            quantile = np.where(self.noisy_, np.minimum(quantile, sharper), quantile)
        return quantile

    def _has_outgrown(self, asked: np.ndarray) -> bool:
        """Whether the forest is too old: many more residuals, or new ones of points that it knows in another way."""
        late = asked[: len(self.expected_)] & np.isnan(self.expected_[:, 0])
        return asked.sum() > REFIT_GROWTH * self.n_fitted_ or bool(late.any())

    def _fit_forest(self, inputs, log_error, asked, point):
        """A random forest whose trees draw points with all their residuals, too alike to judge each other."""
        from sklearn.tree import DecisionTreeRegressor

        # an out-of-bag scale is the mean of one tree in e: more scatter than in predictions, so too wide a quantile.
        # Many points are worth the trees that make both alike; for few ones a wide quantile is welcome
        n_trees = self.n_estimators if asked.sum() < ALIKE_FROM else round(np.e * self.n_estimators)
        random, n = np.random.default_rng(self.random_state), int(point.max()) + 1
        total, n_seen, trees = np.zeros_like(log_error), np.zeros(len(asked)), []
        for seed in range(n_trees):
            drawn = np.bincount(random.integers(n, size=n), minlength=n)[point]
            inside, outside = asked & (drawn > 0), asked & (drawn == 0)
            tree = DecisionTreeRegressor(
                min_samples_leaf=FOREST_LEAF, max_features=FOREST_INPUTS, random_state=self.random_state + seed
            )
            trees.append(tree.fit(inputs[inside], log_error[inside], sample_weight=drawn[inside]))
            if outside.any():
                total[outside] += tree.predict(inputs[outside]).reshape(-1, log_error.shape[1])
                n_seen[outside] += 1
        self.expected_ = np.full_like(log_error, np.nan)
        self.expected_[asked] = np.where(
            n_seen[asked, None] > 0, total[asked] / np.maximum(n_seen[asked, None], 1), log_error[asked].mean(axis=0)
        )
        self.forest_ = FlatForest(trees[: self.n_estimators])
        self.n_fitted_ = int(asked.sum())

    def _scale(self, std: np.ndarray) -> np.ndarray:
        """Standard deviations (n, n_kinds); of kinds where labels are mostly noise those of the first kind.

        How much a deviation of G moves Σ(iω₀) varies by far more than the noise that is subtracted, and would make the
        residuals it hardly moves decide the bound of those it moves most.
        """
        return np.where(self.noisy_, std[:, :1], std)

    @staticmethod
    def _inputs(summary, std):
        return np.column_stack([summary, np.log(np.maximum(std, 1e-12))])

    def predict(self, summary, std) -> np.ndarray:
        """Bounds (n, n_kinds + n_followers) for new points."""
        std = _as_columns(std, len(self.std_factor_))
        scale = self._scale(std) * self.std_factor_
        if hasattr(self, "forest_") and not self.noisy_.all():
            expected = np.exp(self.forest_(self._inputs(summary, std)))
            scale = np.where(self.noisy_, scale, np.maximum(scale, expected))
        n_followers = len(self.quantile_) - scale.shape[1]
        return self.quantile_ * np.concatenate([scale, np.repeat(scale[:, :1], n_followers, axis=1)], axis=1)


def _as_columns(std: np.ndarray, n_kinds: int) -> np.ndarray:
    std = np.maximum(np.asarray(std, float), 1e-12)
    return np.broadcast_to(std.reshape(len(std), -1), (len(std), n_kinds))


def _conformal_quantile(ratio: np.ndarray, confidence: float) -> np.ndarray:
    """The ⌈(N+1) confidence⌉-th smallest ratio; with too few points for that, twice the largest."""
    n = len(ratio)
    rank = int(np.ceil((n + 1) * confidence))
    ordered = np.sort(ratio, axis=0)
    return ordered[rank - 1] if rank <= n else 2 * ordered[-1]


def _moment_quantile(ratio: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """95 % quantile of the noise-free ratio, from the mean square of `ratio` less that of `noise` (upper limit)."""
    square = ratio**2 - noise**2
    mean, error = square.mean(axis=0), square.std(axis=0, ddof=1) / np.sqrt(len(square))
    return TAIL * np.sqrt(np.maximum(mean, 0.0) + ONE_SIDED * error)


class FlatForest:
    """A fitted forest as flat arrays: one sample goes down all trees at once, in microseconds, not milliseconds."""

    def __init__(self, estimators):
        trees = [estimator.tree_ for estimator in estimators]
        size = max(tree.node_count for tree in trees)
        pad = lambda values, fill: np.stack([np.r_[v, np.full(size - len(v), fill)] for v in values])
        self.feature = pad([tree.feature for tree in trees], -2)
        self.threshold = pad([tree.threshold for tree in trees], 0.0)
        self.left = pad([tree.children_left for tree in trees], -1)
        self.right = pad([tree.children_right for tree in trees], -1)
        values = [tree.value[:, :, 0] for tree in trees]
        self.value = np.stack([np.concatenate([v, np.zeros((size - len(v), v.shape[1]))]) for v in values])
        self.depth = max(tree.max_depth for tree in trees)

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """Predictions (n, n_outputs) for `X` (n, n_features)."""
        X = np.asarray(X, np.float32)  # scikit-learn compares in single precision
        tree = np.arange(len(self.value))[None, :]
        row = np.arange(len(X))[:, None]
        node = np.zeros((len(X), len(self.value)), int)
        for _ in range(self.depth):
            feature = self.feature[tree, node]
            inner = feature >= 0
            go_left = X[row, np.where(inner, feature, 0)] <= self.threshold[tree, node]
            step = np.where(go_left, self.left[tree, node], self.right[tree, node])
            node = np.where(inner, step, node)
        return self.value[tree, node].mean(axis=1)
