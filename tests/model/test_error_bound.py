# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
import numpy as np
import pytest
from scipy.stats import binom
from sklearn.ensemble import RandomForestRegressor

from triqs_mlsolver.model.error_bound import ErrorBound, FlatForest


@pytest.mark.parametrize("n_outputs", [1, 2])
@pytest.mark.parametrize("depth", [None, 1, 4])
def test_flat_forest_is_the_forest(n_outputs, depth):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(150, 6)), rng.normal(size=(150, n_outputs))
    forest = RandomForestRegressor(17, max_depth=depth, min_samples_leaf=2, random_state=1).fit(
        X, y if n_outputs > 1 else y.ravel()
    )
    Xt = np.concatenate([rng.normal(size=(200, 6)), X, 1e6 * rng.normal(size=(5, 6))])
    assert np.allclose(FlatForest(forest.estimators_)(Xt), forest.predict(Xt).reshape(-1, n_outputs), atol=1e-12)


def test_flat_forest_rounds_as_the_forest_does():
    """Features a hair from a threshold: scikit-learn compares them in single precision."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(100, 1)), rng.normal(size=100)
    forest = RandomForestRegressor(5, random_state=1).fit(X, y)
    thresholds = np.concatenate([t.tree_.threshold[t.tree_.feature >= 0] for t in forest.estimators_])
    near = np.concatenate([thresholds - 1e-9, thresholds, thresholds + 1e-9])[:, None]
    assert np.allclose(FlatForest(forest.estimators_)(near), forest.predict(near)[:, None], atol=1e-12)


def test_flat_forest_of_stumps_without_splits():
    """Constant targets: trees of a single leaf."""
    forest = RandomForestRegressor(3, random_state=0).fit(np.zeros((10, 2)), np.full(10, 2.5))
    assert np.allclose(FlatForest(forest.estimators_)(np.ones((4, 2))), 2.5)


def heteroscedastic(n, rng):
    """Errors of two kinds whose size depends on the summary and, weakly, on the standard deviation."""
    summary = rng.uniform(-1, 1, (n, 3))
    size = np.exp(2 * summary[:, 0] + np.sin(3 * summary[:, 1])) * 1e-2
    std = size * np.exp(0.8 * rng.normal(size=n)) + 1e-3
    error = np.abs(rng.normal(size=(n, 2))) * size[:, None] * [1.0, 5.0]
    return summary, std, error


@pytest.mark.parametrize("confidence", [0.8, 0.95])
@pytest.mark.parametrize("n", [24, 40, 150])
def test_coverage(n, confidence):
    """Errors of fresh points stay below their bounds as often as promised, within the binomial scatter of the count.

    Conformal coverage of one calibration set scatters by itself (a beta distribution), so that many sets are averaged.
    """
    rng = np.random.default_rng([n, int(100 * confidence)])
    repeats, tests = (60 if n < 25 else 12), 100
    held = np.zeros(2)
    for _ in range(repeats):
        bound = ErrorBound(confidence, n_estimators=20).fit(*heteroscedastic(n, rng))
        summary, std, error = heteroscedastic(tests, rng)
        held += np.sum(error <= bound.predict(summary, std), axis=0)
    # variance of the mean: binomial within a set, beta between sets
    sigma = np.sqrt(confidence * (1 - confidence) * (1 / (repeats * tests) + 1 / (repeats * (n + 2))))
    share = held / (repeats * tests)
    assert np.all(share > confidence - 3.5 * sigma), share
    assert np.all(share < min(1.0, confidence + 3.5 * sigma + 1.5 / n + 0.02)), (
        "a bound that is far too wide costs exact calls"
    )


def test_followers_are_covered_and_change_nothing_else():
    """Errors that share the scale of the first kind: each gets its own quantile, the other bounds stay as they are."""
    rng = np.random.default_rng(6)
    summary, std, error = heteroscedastic(300, rng)
    ts, tstd, terror = heteroscedastic(1000, rng)
    alone = ErrorBound().fit(summary, std, error).predict(ts, tstd)
    followers = lambda e: np.column_stack([0.1 * e[:, 1], 3 * e[:, 0]])
    bound = ErrorBound().fit(summary, std, error, followers=followers(error)).predict(ts, tstd)
    assert np.array_equal(bound[:, :2], alone) and bound.shape == (1000, 4)
    share = np.mean(followers(terror) <= bound[:, 2:], axis=0)
    assert np.all(share > binom.ppf(1e-3, 1000, 0.95) / 1000 - 3 * np.sqrt(0.95 * 0.05 / 300)) and np.all(share < 0.99)


@pytest.mark.parametrize("n", [60, 400])
def test_predictions_ask_as_many_trees_as_promised(n):
    """However many are grown to make out-of-bag scales sharp; a prediction's time is theirs."""
    rng = np.random.default_rng(8)
    bound = ErrorBound(n_estimators=20).fit(*heteroscedastic(n, rng))
    assert len(bound.forest_.value) == 20
    summary, std, error = heteroscedastic(400, rng)
    assert np.all(np.mean(error <= bound.predict(summary, std), axis=0) > binom.ppf(1e-3, 400, 0.95) / 400 - 0.06)


def test_bound_follows_the_size_of_the_error():
    """Where errors are a hundred times larger the bound must be larger too, by much more than a constant bound
    would.
    """
    rng = np.random.default_rng(1)
    bound = ErrorBound().fit(*heteroscedastic(400, rng))
    low, high = np.array([[-0.9, 0.0, 0.0]]), np.array([[0.9, 0.0, 0.0]])
    ratio = bound.predict(high, np.array([0.06]))[0, 0] / bound.predict(low, np.array([1.6e-3]))[0, 0]
    assert ratio > 5


def test_grows_with_the_standard_deviation_beyond_what_is_known():
    """The forest knows nothing outside its range; the Gaussian process does, and the larger scale wins."""
    rng = np.random.default_rng(2)
    summary, std, error = heteroscedastic(200, rng)
    bound = ErrorBound().fit(summary, std, error)
    inside = bound.predict(summary[:1], std[:1])
    far = bound.predict(summary[:1], np.array([100 * std.max()]))
    assert np.all(far > 50 * inside)
    assert np.allclose(bound.predict(summary[:1], np.array([200 * std.max()])), 2 * far, rtol=1e-12)


def test_few_points_ask_for_more_than_the_largest_ratio():
    """With N < 19 no rank reaches 95 %: twice the largest ratio is taken."""
    error = np.linspace(0.1, 1.0, 10)[:, None]
    bound = ErrorBound().fit(np.zeros((10, 1)), np.ones(10), error)
    assert bound.predict(np.zeros((1, 1)), np.ones(1))[0, 0] == pytest.approx(2.0)
    # 19 points: rank ⌈20 · 0.95⌉ = 19 is the largest one
    error = np.linspace(0.1, 1.0, 19)[:, None]
    bound = ErrorBound().fit(np.zeros((19, 1)), np.ones(19), error)
    assert bound.predict(np.zeros((1, 1)), np.ones(1))[0, 0] == pytest.approx(1.0)


def test_small_sets_are_covered_too():
    """The rule for few points, seen from outside: exchangeable data, N = 5, nominal 95 %."""
    rng = np.random.default_rng(3)
    held = 0
    for _ in range(400):
        summary, std, error = heteroscedastic(6, rng)
        bound = ErrorBound().fit(summary[:5], std[:5], error[:5, :1])
        held += error[5, 0] <= bound.predict(summary[5:], std[5:])[0, 0]
    assert held >= binom.ppf(1e-3, 400, 0.9)


def test_calibrating_again_with_more_points_uses_fresh_scales():
    """Growing by one point at a time keeps the forest, and still covers the new points."""
    rng = np.random.default_rng(4)
    summary, std, error = heteroscedastic(60, rng)
    grown = ErrorBound(n_estimators=20)
    for n in range(26, 61, 2):
        grown.fit(summary[:n], std[:n], error[:n])
    ts, tstd, terror = heteroscedastic(400, rng)
    assert np.mean(terror[:, 0] <= grown.predict(ts, tstd)[:, 0]) > binom.ppf(1e-3, 400, 0.95) / 400 - 0.06


@pytest.mark.parametrize("level", [0.3, 1.0, 10.0])
def test_noise_of_the_labels_is_not_an_error_of_the_model(level):
    """Residuals contain the labels' noise; subtracting it must not cost coverage of the truth."""
    rng = np.random.default_rng(int(10 * level))
    held = []
    for _ in range(12):
        summary, std, error = heteroscedastic(60, rng)
        noise = np.full(error.shape, level * 1e-2)
        observed = np.abs(error * rng.choice([-1, 1], error.shape) + noise * rng.normal(size=error.shape))
        bound = ErrorBound(n_estimators=20).fit(summary, std, observed, noise)
        ts, tstd, terror = heteroscedastic(100, rng)
        held.append(np.mean(terror <= bound.predict(ts, tstd)))
    assert np.mean(held) > 0.93


def test_residuals_of_noise_bound_all_points_alike():
    """Where residuals are noise, those on which a deviation acts least must not decide for those on which it acts
    most.
    """
    rng = np.random.default_rng(5)
    n, noise = 40, np.array([3e-3, 2e-2])
    std = 0.04 * np.column_stack([np.ones(n), np.geomspace(2, 20, n)])
    error = np.abs(noise * rng.normal(size=(n, 2)))
    bound = ErrorBound().fit(np.zeros((n, 2)), std, error, np.broadcast_to(noise, (n, 2)))
    assert np.all(bound.predict(np.zeros((n, 2)), std) < 3 * noise)


def test_exact_data_give_a_small_finite_bound():
    bound = ErrorBound().fit(np.zeros((30, 2)), np.zeros(30), np.zeros((30, 2)))
    value = bound.predict(np.zeros((1, 2)), np.zeros(1))
    assert np.all(np.isfinite(value)) and np.all(value < 1e-6) and np.all(value > 0)


def test_same_seed_same_bound():
    rng = np.random.default_rng(5)
    known = heteroscedastic(50, rng)
    a, b = (ErrorBound(random_state=7).fit(*known).predict(known[0], known[1]) for _ in range(2))
    assert np.array_equal(a, b)


def test_a_bound_holds_for_each_way_of_leaving_out():
    """Residuals of two kinds, one ten times as wide as the scale says: neither may hide behind the other."""
    random = np.random.default_rng(5)
    n = 400
    std = np.ones(n)
    way = np.tile([0, 1], n // 2)
    error = np.abs(random.normal(size=(n, 2))) * np.where(way, 10.0, 1.0)[:, None]
    error[(random.random(n) < 0.3) & (way == 1)] = np.nan  # not all are left out in both
    bound = ErrorBound(n_estimators=10).fit(np.zeros((n, 1)), std, error, way=way).predict(np.zeros((1, 1)), np.ones(1))
    assert 17 < bound[0, 0] < 30  # 1.96 times ten, with the scatter of so many


def test_standard_deviations_may_differ_between_kinds_of_error():
    """In units of what each kind is worth at that point, errors have one distribution: the bound is as sharp as
    that.
    """
    random = np.random.default_rng(6)
    n = 2000
    std = np.exp(random.normal(size=(n, 2)))
    error = std * np.abs(random.normal(size=(n, 2)))
    model = ErrorBound(n_estimators=5).fit(np.zeros((n, 1)), std, error)
    bound = model.predict(np.zeros((2, 1)), np.array([[1.0, 1.0], [1.0, 50.0]]))
    assert bound[1, 1] > 10 * bound[0, 1] and bound[1, 0] < 2 * bound[0, 0]
