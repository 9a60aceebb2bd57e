# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Representations, transforms, reduction, regressors and the search over them."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from triqs_mlsolver import Predictor, Problem
from triqs_mlsolver.exact.ed import ED
from triqs_mlsolver.model.features.reduction import GroupedPCA
from triqs_mlsolver.model.features.representation import N_LEGENDRE, representation
from triqs_mlsolver.model.regression import regressors
from triqs_mlsolver.model.regression.estimators import Average, SymmetricEstimator
from triqs_mlsolver.model.regression.kernel import KernelSettings
from triqs_mlsolver.model.regression.kernel_ridge import SymmetricKernelRidge
from triqs_mlsolver.model.regression.local_kernel import LocalKernelRidge
from triqs_mlsolver.model.regression.transform import TargetTransform
from triqs_mlsolver.model.selection import _folds
from triqs_mlsolver.numerics import legendre

BASES = ("legendre", "chebyshev", "tau_mesh", "ir")
PARITY = np.array([1.0, -1.0])
SETTINGS = KernelSettings(np.array([0, 1]), PARITY, np.ones(2))


def green_function(beta, energies, weights):
    """Legendre coefficients, divided by β, of a G with these poles."""
    return legendre.resized(legendre.from_poles(beta, np.array(energies), np.array(weights)), N_LEGENDRE) / beta


# -- representations


@pytest.mark.parametrize("name", BASES)
def test_green_functions_survive_the_representation(name):
    r = representation(name)
    for beta in (1.0, 20.0):
        f = green_function(beta, [-0.9, 0.05, 0.7], [0.3, 0.2, 0.5])
        back = f @ r.analysis @ r.synthesis
        x = np.linspace(-1, 1, 201)
        assert np.max(np.abs(legendre.vandermonde(x, N_LEGENDRE) @ (back - f))) < 2e-6


@pytest.mark.parametrize("name", BASES)
def test_coefficients_are_even_or_odd(name):
    """f(β − τ) has the coefficients of f times the parity."""
    r = representation(name)
    f = green_function(10.0, [-0.4, 0.9], [0.6, 0.4])
    mirrored = f * (-1.0) ** np.arange(N_LEGENDRE)
    assert np.allclose(mirrored @ r.analysis, (f @ r.analysis) * r.parity, atol=1e-10)


def test_the_mesh_holds_values():
    """Even and odd combinations of the values at τ and β − τ, one value at β/2."""
    r = representation("tau_mesh")
    f = green_function(5.0, [0.3], [1.0])
    ends = legendre.vandermonde(np.array([-1.0, 0.0, 1.0]), N_LEGENDRE) @ f
    values = f @ r.analysis
    assert values[0] == pytest.approx((ends[0] + ends[2]) / np.sqrt(2), abs=1e-10)
    assert values[26] == pytest.approx((ends[0] - ends[2]) / np.sqrt(2), abs=1e-10)
    assert values[25] == pytest.approx(ends[1], abs=1e-10)


def test_few_functions_of_the_intermediate_representation_suffice():
    """At low temperature its first 24 functions hold a Green function that needs more Legendre polynomials for the same
    error.
    """
    r = representation("ir")
    f = green_function(600.0, [-0.8, -0.02, 0.6], [0.4, 0.1, 0.5])
    x = np.linspace(-1, 1, 401)
    V = legendre.vandermonde(x, N_LEGENDRE)
    ir = np.max(np.abs(V @ ((f @ r.analysis)[:24] @ r.synthesis[:24] - f)))
    plain = np.max(np.abs(V[:, :24] @ f[:24] - V @ f))
    assert ir < 0.2 * plain


def test_unknown_representation_names_those_there_are():
    with pytest.raises(ValueError, match="'fourier' is not known.*'legendre', 'chebyshev', 'tau_mesh', 'ir'"):
        representation("fourier")


# -- transforms and reduction


@pytest.mark.parametrize("kind", ["identity", "scaled", "asinh", "tanh"])
def test_transforms_are_reversible_and_odd(kind):
    y = np.random.default_rng(0).normal(size=(50, 3)) * [1.0, 1e-3, 0.0]
    t = TargetTransform(kind).fit(y)
    assert np.allclose(t.inverse_transform(t.transform(y)), y, atol=1e-12)
    assert np.array_equal(t.transform(-y), -t.transform(y))
    assert np.all(np.isfinite(t.inverse_transform(np.full((1, 3), 2.0))))


def test_unknown_transform_is_refused():
    with pytest.raises(ValueError, match="transform = 'log' is not known"):
        TargetTransform("log").fit(np.ones((2, 1)))


def test_principal_components_keep_groups_and_parity():
    rng = np.random.default_rng(1)
    X = np.concatenate([rng.normal(size=(200, 1)), rng.normal(size=(200, 2)) @ rng.normal(size=(2, 6))], axis=1)
    group, parity = np.array([0, 1, 1, 1, 1, 1, 1]), np.array([1.0, 1, 1, 1, -1, -1, -1])
    pca = GroupedPCA(2).fit(X, group=group, parity=parity)
    assert pca.transform(X).shape == (200, 5) and list(pca.group_) == [0, 1, 1, 1, 1]
    assert np.allclose(pca.transform(X * parity), pca.transform(X) * pca.parity_)
    even = X[:, 1:4]
    assert np.allclose(pca.components_[1:4, 1:3] @ pca.transform(X)[:, 1:3].T, even.T, atol=1e-8), "rank two is kept"
    with pytest.raises(ValueError, match="keep at least one"):
        GroupedPCA(0).fit(X, group=group, parity=parity)


# -- regressors


def data(n, seed=0):
    """An even and an odd function of an even and an odd feature."""
    X = np.random.default_rng(seed).uniform(-1, 1, (n, 2))
    return X, np.stack([np.cos(2 * X[:, 1]) + X[:, 0], np.sin(3 * X[:, 1]) * (1 + X[:, 0])], axis=1)


@pytest.mark.parametrize("name", regressors.NAMES)
def test_every_regressor_learns_and_keeps_the_symmetry(name):
    X, y = data(300)
    model = regressors.build(name, 300, SETTINGS, seed=0)
    model.fit(X, y, output_parity=PARITY)
    fresh, truth = data(100, seed=1)
    predicted, std = model.predict(fresh, return_std=True)
    assert np.sqrt(np.mean((predicted - truth) ** 2)) < 0.25 * truth.std()
    assert np.allclose(model.predict(fresh * PARITY), predicted * PARITY, atol=1e-9)
    assert std.shape == (100,) and np.all(model.predict(np.array([[4.0, 4.0]]), return_std=True)[1] > std.max())


@pytest.mark.parametrize("name", ["kernel_ridge", "extra_trees", "average"])
def test_leave_out_residuals_are_errors_on_unseen_labels(name):
    X, y = data(200)
    labels = np.arange(200) // 4
    model = regressors.build(name, 200, SETTINGS, seed=0)
    residual, _ = model.fit(X, y, output_parity=PARITY).leave_out(labels)
    fresh, truth = data(400, seed=2)
    ahead = np.sqrt(np.mean((model.predict(fresh) - truth) ** 2))
    assert 0.4 < np.sqrt(np.mean(residual**2)) / ahead < 4
    some, _ = model.leave_out(labels, np.array([3, 50]))
    assert np.allclose(some, residual[[3, 50]])


def test_appended_rows_count():
    X, y = data(60)
    for model in (
        LocalKernelRidge(SETTINGS, n_neighbours=30),
        Average([SymmetricKernelRidge(SETTINGS)]),
    ):
        model.fit(X[:40], y[:40], output_parity=PARITY)
        for row in range(40, 60):
            model.append(X[row], y[row])
        assert np.max(np.abs(model.predict(X[40:]) - y[40:])) < 1e-2 and np.all(model.nearest(X) < 1e-6)


def test_local_regression_with_all_neighbours_is_the_exact_one():
    X, y = data(80)
    noise = np.linspace(0, 1e-2, 80)
    options = {"output_parity": PARITY, "noise": noise}
    settings = replace(SETTINGS, length_scale=np.array([1.0, 0.7]))
    exact = SymmetricKernelRidge(settings).fit(X, y, **options)
    local = LocalKernelRidge(settings, n_neighbours=80).fit(X, y, **options)
    fresh, _ = data(20, seed=3)
    for a, b in zip(exact.predict(fresh, return_std=True), local.predict(fresh, return_std=True)):
        assert np.allclose(a, b, atol=1e-6)
    labels = np.arange(80) // 2
    for a, b in zip(exact.leave_out(labels, np.arange(10)), local.leave_out(labels, np.arange(10))):
        assert np.allclose(a, b, atol=1e-4)


def test_few_neighbours_are_nearly_as_good_as_all():
    X, y = data(1000)
    fresh, truth = data(100, seed=4)
    exact, local = (
        np.mean(np.abs(model.fit(X, y, output_parity=PARITY).predict(fresh) - truth))
        for model in (
            SymmetricKernelRidge(SETTINGS),
            LocalKernelRidge(SETTINGS, n_neighbours=100),
        )
    )
    assert local < 1.2 * exact


def test_a_scikit_learn_regressor_can_be_given():
    X = np.random.default_rng(0).normal(size=(40, 2))
    y = X @ np.diag([2.0, -1.0])
    model = SymmetricEstimator(LinearRegression(), SETTINGS).fit(X, y, output_parity=PARITY)
    assert np.allclose(model.predict(X), y)
    with pytest.raises(ValueError, match="regressor = 'tree' is not known"):
        regressors.check("tree")
    with pytest.raises(TypeError, match="has no fit and predict"):
        regressors.check(3)


# -- the predictor built on them


@pytest.fixture(scope="module")
def solved():
    """Forty problems with one bath level each side, and their answers."""
    rng = np.random.default_rng(5)
    problems = []
    for _ in range(40):
        U, eps = rng.uniform(0.5, 3.0), np.sort(rng.uniform(-0.8, 0.8, 2))
        problems.append(Problem.siam(8.0, U, U / 2 + rng.uniform(-0.3, 0.3), eps, [0.35, 0.35]))
    return [(p, ED().solve(p)) for p in problems]


@pytest.mark.parametrize(
    "settings",
    [
        {"representation": "chebyshev"},
        {"representation": "tau_mesh", "transform": "asinh"},
        {"representation": "ir", "transform": "tanh"},
        {"transform": "scaled", "pca": 4},
        {"approximations": ("hartree_fock", "nca")},
        {"approximations": ("nca",)},
        {"approximations": ()},
        {"regressor": "extra_trees"},
        {"regressor": "average"},
    ],
    ids=str,
)
def test_settings_give_physical_answers_with_an_honest_bound(solved, settings):
    predictor = Predictor(**settings).fit(solved[:30])
    covered = []
    for problem, exact in solved[30:]:
        prediction = predictor.predict(problem)
        tau = np.linspace(0, problem.beta, 50)
        G = prediction.solution.G_tau(tau)[0][:, 0, 0]
        assert abs(G[0] + G[-1] + 1) < 1e-9
        assert np.all(prediction.solution.Sigma_iw(problem, 200)[0].imag <= 1e-9)
        covered.append(np.max(np.abs(G - exact.G_tau(tau)[0][:, 0, 0])) <= prediction.error_bound)
    assert np.sum(covered) >= 8


def test_search_ranks_settings_by_cross_validation(solved):
    seen = []
    result = Predictor().search(
        solved,
        {"approximations": [None, ()], "nu": [1.5]},
        n_folds=4,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert result.best_settings == {"approximations": None, "nu": 1.5}, "the correction is easier than G itself"
    assert result.scores[0].mean < 0.5 * result.scores[1].mean and len(result.scores[0].errors) == 40
    assert seen[-1] == (8, 8) and str(result).splitlines()[1].endswith("approximations=default nu=1.5")
    assert str(result).splitlines()[2].endswith("approximations=none nu=1.5")
    assert Predictor(**result.best_settings).fit(solved[:10]).n_points_ == 10


def test_repeated_answers_and_cheap_ones_do_not_flatter_the_search(solved):
    for kept, left in _folds([*solved[:10], *solved[:10]], "kfold", 5):
        assert len(kept) == 16 and len(left) == 4 and not set(kept % 10) & set(left % 10)
    points = [SimpleNamespace(problem=p, solution=s, fidelity="exact") for p, s in solved[:12]]
    points += [SimpleNamespace(problem=p, solution=s, fidelity="ed1") for p, s in solved[12:20]]
    assert len(Predictor().search(points, {}, n_folds=3).scores[0].errors) == 12


def test_search_refuses_what_it_cannot_do(solved):
    with pytest.raises(ValueError, match=r"\['kernel'\] are no settings"):
        Predictor().search(solved, {"kernel": [1]})
    with pytest.raises(ValueError, match="scheme = 'random' is not known"):
        Predictor().search(solved, {}, scheme="random")
    with pytest.raises(ValueError, match="3 problems cannot be cut into 5 folds"):
        Predictor().search(solved[:3], {})
    same = [solved[0]] * 8
    with pytest.raises(ValueError, match="1 values of \\(beta, U\\)"):
        Predictor().search(same, {}, scheme="scan")
