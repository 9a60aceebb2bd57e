# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Matern
from sklearn.kernel_ridge import KernelRidge

from triqs_mlsolver.model.regression.kernel import KernelSettings
from triqs_mlsolver.model.regression.kernel_ridge import SymmetricKernelRidge
from triqs_mlsolver.model.regression.samples import Samples
from triqs_mlsolver.model.regression.tuning import tune

GROUP = np.array([0, 0, 1, 2, 2])
PARITY = np.array([1, -1, -1, 1, -1])
SCALES = np.array([0.8, 1.5, 2.5])
OUTPUT = np.array([1, -1, 1, -1, -1, 1])


def data(n, seed=0):
    """Smooth even and odd functions of random features."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 5))
    even = np.cos(X[:, 1] + X[:, 2]) * np.exp(-0.1 * X[:, 0] ** 2) + X[:, 3]
    odd = np.sin(X[:, 1] + 0.5 * X[:, 4]) + X[:, 2] * X[:, 0]
    return X, np.stack([even, odd, even**2, odd * even, odd**3, X[:, 4] ** 2], axis=1)


def model(nu=1.5, alpha=1e-4):
    return SymmetricKernelRidge(KernelSettings(GROUP, PARITY, SCALES, alpha, nu))


def reference_kernels(X, Y, nu):
    """K± from scikit-learn's anisotropic Matérn kernel."""
    k = Matern(length_scale=SCALES[GROUP], nu=nu)
    direct, mirrored = k(X, Y), k(X, Y * PARITY)
    return {1: 0.5 * (direct + mirrored), -1: 0.5 * (direct - mirrored)}


@pytest.mark.parametrize("nu", [0.5, 1.5, 2.5, 3.5])
def test_predictions_are_those_of_scikit_learn(nu):
    (X, y), (Xt, _) = data(40), data(9, 1)
    noise = np.random.default_rng(2).uniform(0, 0.1, 40)
    found = model(nu).fit(X, y, output_parity=OUTPUT, noise=noise).predict(Xt)
    K, Kt = reference_kernels(X, X, nu), reference_kernels(Xt, X, nu)
    for s in (1, -1):
        # KernelRidge has one ridge for all samples: the noise of each goes into the kernel's diagonal
        ridge = KernelRidge(alpha=1e-4, kernel="precomputed").fit(K[s] + np.diag(noise), y[:, OUTPUT == s])
        assert np.allclose(found[:, OUTPUT == s], ridge.predict(Kt[s]), atol=1e-9)


def test_standard_deviation_is_that_of_the_gaussian_process():
    """k(x,x) = K₊ + K₋ = 1, and both channels explain their share: var = (K₊ − …) + (K₋ − …)."""
    (X, y), (Xt, _) = data(30), data(8, 1)
    _, std = model().fit(X, y, output_parity=OUTPUT).predict(Xt, return_std=True)
    K, Kt, Ktt = (reference_kernels(a, b, 1.5) for a, b in ((X, X), (Xt, X), (Xt, Xt)))
    total = 0.0
    for s in (1, -1):
        total = total + np.diag(Ktt[s] - Kt[s] @ np.linalg.solve(K[s] + 1e-4 * np.eye(30), Kt[s].T))
    assert np.allclose(std, np.sqrt(total), atol=1e-10)


def test_without_mirrored_features_it_is_a_plain_gaussian_process():
    """All parities +1: K₋ vanishes, K₊ is the Matérn kernel, and scikit-learn's own regressor must agree in mean
    and std.
    """
    (X, y), (Xt, _) = data(30), data(8, 1)
    settings = KernelSettings(GROUP, np.ones(5), SCALES, 1e-3, 1.5)
    plain = SymmetricKernelRidge(settings).fit(X, y[:, :1], output_parity=np.ones(1))
    gp = GaussianProcessRegressor(Matern(SCALES[GROUP], nu=1.5), alpha=1e-3, optimizer=None).fit(X, y[:, :1])
    mean, std = plain.predict(Xt, return_std=True)
    reference, reference_std = gp.predict(Xt, return_std=True)
    assert np.allclose(mean[:, 0], reference.ravel(), atol=1e-10) and np.allclose(std, reference_std.ravel(), atol=1e-9)


def test_parity_is_exact():
    X, y = data(40)
    fitted = model().fit(X, y, output_parity=OUTPUT)
    Xt = data(20, 3)[0]
    mean, std = fitted.predict(Xt, return_std=True)
    mirrored_mean, mirrored_std = fitted.predict(Xt * PARITY, return_std=True)
    assert np.allclose(mirrored_mean, mean * OUTPUT, atol=1e-12) and np.allclose(mirrored_std, std, atol=1e-12)
    fixed = Xt * (PARITY > 0)
    assert np.max(np.abs(fitted.predict(fixed)[:, OUTPUT < 0])) < 1e-12


def test_training_at_symmetric_points_only():
    """There the odd kernel is zero: nothing is learned about odd outputs, and nothing breaks."""
    X, y = data(20)
    X = X * (PARITY > 0)
    y = y * (OUTPUT > 0)
    fitted = model(alpha=1e-6).fit(X, y, output_parity=OUTPUT)
    mean, std = fitted.predict(data(10, 1)[0], return_std=True)
    assert np.all(np.isfinite(mean)) and np.all(mean[:, OUTPUT < 0] == 0)
    assert np.all(std > 0.1), "an odd feature that was never seen must be felt in the standard deviation"
    residual, out_std = fitted.leave_out(np.arange(20))
    assert np.all(np.isfinite(residual)) and np.all(np.isfinite(out_std))


def test_growth_equals_fitting_from_scratch():
    X, y = data(30)
    noise = np.random.default_rng(2).uniform(0, 0.1, 30)
    grown = model().fit(X[:10], y[:10], output_parity=OUTPUT, noise=noise[:10])
    for i in range(10, 30):
        grown.append(X[i], y[i], noise[i])
    whole = model().fit(X, y, output_parity=OUTPUT, noise=noise)
    Xt = data(10, 1)[0]
    for a, b in zip(grown.predict(Xt, return_std=True), whole.predict(Xt, return_std=True)):
        assert np.allclose(a, b, atol=1e-8)
    labels = np.arange(30) // 3
    for a, b in zip(grown.leave_out(labels), whole.leave_out(labels)):
        assert np.allclose(a, b, atol=1e-8)


def test_growth_by_the_same_point_again_and_again():
    X, y = data(8)
    grown = model(alpha=1e-6).fit(X, y, output_parity=OUTPUT)
    for _ in range(10):
        grown.append(X[0], y[0])
    whole = model(alpha=1e-6).fit(
        np.concatenate([X, np.repeat(X[:1], 10, 0)]), np.concatenate([y, np.repeat(y[:1], 10, 0)]), output_parity=OUTPUT
    )
    assert np.allclose(grown.predict(X), whole.predict(X), atol=1e-5)
    assert np.allclose(grown.predict(X), y, atol=1e-3)


@pytest.mark.parametrize("n_groups", [30, 10, 3, 2])
def test_leave_out_is_leaving_out(n_groups):
    X, y = data(30)
    noise = np.random.default_rng(2).uniform(0, 0.1, 30)
    labels = np.random.default_rng(4).permutation(np.arange(30) % n_groups)
    residual, std = model().fit(X, y, output_parity=OUTPUT, noise=noise).leave_out(labels)
    for g in range(n_groups):
        out = labels == g
        rest = model().fit(X[~out], y[~out], output_parity=OUTPUT, noise=noise[~out])
        mean, deviation = rest.predict(X[out], return_std=True)
        assert np.allclose(residual[out], y[out] - mean, atol=1e-8)
        assert np.allclose(std[out], deviation, atol=1e-8)


def test_noise_is_respected():
    """A label with a large error bar pulls the prediction less."""
    X = np.zeros((2, 5))
    X[1, 0] = 10.0
    y = np.array([[1.0], [1.0]])
    fitted = model(alpha=1e-9).fit(X, y, output_parity=np.ones(1), noise=np.array([0.0, 3.0]))
    assert np.allclose(fitted.predict(X)[:, 0], [1.0, 0.25], atol=1e-4)


def test_scikit_learn_manners():
    m = model()
    assert clone(m).get_params()["settings"].alpha == 1e-4 and not hasattr(m, "X_")
    X, y = data(10)
    assert m.fit(X, y, output_parity=OUTPUT) is m
    X[:] = 0  # the model keeps its own copy
    assert np.any(m.X_)


# -- tuning
# --------------------------------------------------------------------------------------------------------------


def test_tuning_finds_what_matters():
    """A feature of no influence gets a longer scale, and the error on fresh points falls."""
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (120, 2))
    y = np.sin(4 * X[:, :1])
    start = KernelSettings(np.array([0, 1]), np.ones(2), np.array([1.0, 0.3]), 1e-2, 2.5)
    error = lambda residual, rows: np.abs(residual[:, 0])
    samples = Samples(X, y, np.ones(1))
    tuned = tune(start, samples, labels=np.arange(120), error=error)
    assert np.array_equal(start.length_scale, [1.0, 0.3]) and start.alpha == 1e-2
    assert tuned.length_scale[1] > 2 * start.length_scale[1]
    Xt = rng.uniform(-1, 1, (200, 2))
    before, after = (
        np.max(np.abs(samples.teach(SymmetricKernelRidge(s)).predict(Xt)[:, 0] - np.sin(4 * Xt[:, 0])))
        for s in (start, tuned)
    )
    assert after < 0.2 * before


def test_tuning_keeps_to_its_reach_and_repeats():
    X, y = data(60)
    options = {"labels": np.arange(60), "error": lambda r, rows: np.abs(r).max(axis=1)}
    a, b = (tune(model().settings, Samples(X, y, OUTPUT), reach=1.5, seed=3, **options) for _ in range(2))
    assert np.all(np.abs(np.log(a.length_scale / SCALES)) <= np.log(1.5) + 1e-9)
    assert np.array_equal(a.length_scale, b.length_scale) and a.alpha == b.alpha


@pytest.mark.parametrize("truth, nu", [(lambda x: np.exp(-np.abs(x) / 0.3), 0.5), (lambda x: np.cos(3 * x), 2.5)])
def test_tuning_finds_how_smooth_the_function_is(truth, nu):
    X = np.linspace(-1, 1, 61)[:, None]
    start = KernelSettings(np.zeros(1, int), np.ones(1), np.ones(1), 1e-6)
    error = lambda residual, rows: np.abs(residual[:, 0])
    samples = Samples(X, truth(X), np.ones(1))
    assert tune(start, samples, labels=np.arange(61), error=error, smoothness=(0.5, 2.5)).nu == nu


def test_weights_are_those_of_the_prediction():
    """Even outputs are linear in the stored ones."""
    rng = np.random.default_rng(11)
    X, y = rng.normal(size=(20, 3)), rng.normal(size=(20, 2))
    model = SymmetricKernelRidge(KernelSettings(np.zeros(3, int), np.array([1, -1, -1]), np.ones(1), alpha=1e-3))
    model.fit(X, y, output_parity=np.array([1, -1]), noise=rng.uniform(0, 0.1, 20))
    new = rng.normal(size=(5, 3))
    assert np.allclose(model.weights(new) @ y[:, 0], model.predict(new)[:, 0], atol=1e-10)
