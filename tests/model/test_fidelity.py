# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Cheap labels beside exact ones: the truth plus a difference, learned together."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from sklearn.gaussian_process.kernels import Matern

from triqs_mlsolver import Database, LearnedSolver, Predictor, Problem, Solution
from triqs_mlsolver.approximations import FewSiteED, HubbardI
from triqs_mlsolver.exact.ed import ED
from triqs_mlsolver.model.regression.kernel import KernelSettings
from triqs_mlsolver.model.regression.kernel_ridge import SymmetricKernelRidge
from triqs_mlsolver.model.regression.local_kernel import LocalKernelRidge
from triqs_mlsolver.model.regression.samples import Samples
from triqs_mlsolver.model.regression.tuning import likely_difference
from triqs_mlsolver.problem.comparison import G_distance

ALPHA, S2 = 1e-3, (0.3, 0.02)
SOLVERS = ("ipt", "hubbard_i", "ed1")  # features that leave something to learn for baths of three sites
ONE = KernelSettings(np.zeros(2, int), np.ones(2), np.ones(1), ALPHA, 1.5)
THREE = replace(ONE, difference=S2)  # the truth and two cheap sources


@pytest.fixture(scope="module")
def rows():
    """Rows, outputs and sources: 12 exact ones, then two cheap sources, some at the same places."""
    rng = np.random.default_rng(4)
    X = rng.uniform(-1, 1, (40, 2))
    X[12:18] = X[:6]
    source = np.repeat([0, 1, 2], [12, 18, 10])
    return X, rng.normal(size=(40, 2)), source


def posterior(X, y, source, new):
    """Mean and variance of the truth at `new`, from the joint Gaussian of truth and differences at all places."""
    k = Matern(1.0, nu=1.5)
    K = k(np.concatenate([X, new]))
    n = len(X)
    latent = np.zeros((3 * len(K), 3 * len(K)))  # the truth, and the differences of both sources
    for s, scale in enumerate((1.0, *S2)):
        part = slice(s * len(K), (s + 1) * len(K))
        latent[part, part] = scale * K
    seen = np.zeros((n, len(latent)))
    seen[np.arange(n), np.arange(n)] = 1.0
    cheap = source > 0
    seen[np.flatnonzero(cheap), source[cheap] * len(K) + np.flatnonzero(cheap)] = 1.0
    wanted = np.zeros((len(new), len(latent)))
    wanted[:, n : n + len(new)] = np.eye(len(new))
    A = seen @ latent @ seen.T + ALPHA * np.eye(n)
    gain = wanted @ latent @ seen.T @ np.linalg.inv(A)
    return gain @ y, np.diag(wanted @ latent @ wanted.T - gain @ seen @ latent @ wanted.T)


@pytest.mark.parametrize("kind", [SymmetricKernelRidge, LocalKernelRidge])
def test_prediction_is_that_of_the_joint_gaussian(rows, kind):
    X, y, source = rows
    new = np.random.default_rng(5).uniform(-1, 1, (6, 2))
    mean, std = kind(THREE).fit(X, y, output_parity=np.ones(2), source=source).predict(new, return_std=True)
    expected, variance = posterior(X, y, source, new)
    assert np.allclose(mean, expected, atol=1e-9) and np.allclose(std**2, variance, atol=1e-9)


def test_growth_and_leaving_out_are_those_of_a_new_fit(rows):
    X, y, source = rows
    options = {"output_parity": np.ones(2)}
    fit = lambda keep: SymmetricKernelRidge(THREE).fit(X[keep], y[keep], source=source[keep], **options)
    every = fit(np.arange(40))
    grown = fit(np.arange(35))
    for i in range(35, 40):
        grown.append(X[i], y[i], source=int(source[i]))
    assert np.allclose(grown.dual_coef_, every.dual_coef_, atol=1e-8)
    labels = np.r_[np.arange(12), np.arange(6), 12 + np.arange(22)]  # a cheap label goes with its exact twin
    residual, std = every.leave_out(labels, np.arange(12))
    for i in (0, 3, 8):
        mean, expected = fit(np.flatnonzero(labels != labels[i])).predict(X[i : i + 1], return_std=True)
        assert np.allclose(y[i] - mean[0], residual[i], atol=1e-8) and std[i] == pytest.approx(expected[0], abs=1e-8)


def test_difference_is_found(rows):
    """Of labels drawn from the model itself, to the statistical error of 100 outputs."""
    X, _, source = rows
    source = np.minimum(source, 1)
    k = Matern(1.0, nu=1.5)(X)
    rng = np.random.default_rng(6)
    for size in (0.01, 1.0, 100.0):
        covariance = k * (1 + size * ((source[:, None] == 1) & (source == 1))) + ALPHA * np.eye(40)
        y = np.linalg.cholesky(covariance) @ rng.normal(size=(40, 100))
        (found,) = likely_difference(ONE, Samples(X, 7.0 * y, np.ones(100), source=source))
        assert size / 2 < found < 2 * size


# -- the whole model


@dataclass(frozen=True)
class Labelled:
    problem: Problem
    solution: Solution
    fidelity: str


def fitted_bath(problem):
    """Two bath sites fitted to the three of the problem."""
    return ED(n_bath=2).solve(replace(problem, bath=None))


@pytest.fixture(scope="module")
def models(solved_set):
    """From 25 exact answers alone, and with 50 cheap ones beside them; the rest to test on."""
    exact, test = solved_set[:25], solved_set[75:]
    cheap = [Labelled(p, fitted_bath(p), "two sites") for p, _ in solved_set[25:75]]
    return Predictor(approximations=SOLVERS).fit(exact), Predictor(approximations=SOLVERS).fit([*exact, *cheap]), test


def test_cheap_labels_teach(models):
    alone, both, test = models
    assert (both.n_points_, both.training_.cheap, len(both.leave_out_error_)) == (
        25,
        ["two sites"],
        len(alone.training_),
    )
    errors, bounds = [], []
    for model in (alone, both):
        found = [(model.predict(p), p, s) for p, s in test]
        errors.append([G_distance(p, a.solution, s) for a, p, s in found])
        bounds.append([a.error_bound for a, _, _ in found])
    assert np.mean(errors[1]) < 0.8 * np.mean(errors[0])
    assert np.mean(np.array(errors[1]) <= bounds[1]) > 0.9


def test_novelty_is_that_of_exact_labels(solved_set, draw):
    """A temperature that only cheap labels have seen is unknown territory."""
    cold = draw(np.random.default_rng(3), 3, beta=60.0, field=0.0, polarised=False)
    model = Predictor(approximations=SOLVERS).fit([*solved_set[:10], Labelled(cold, fitted_bath(cold), "two sites")])
    assert len(model.training_.cheap) == 1 and model.predict(cold).novel == "beta lies outside the stored range"


def test_exact_answer_supersedes(solved_set):
    """Where both are known the prediction is the exact answer, whichever came first."""
    exact, (problem, answer) = solved_set[:30], solved_set[30]
    wrong = HubbardI().solve(problem)
    first = Predictor(approximations=SOLVERS).fit([Labelled(p, s, "exact") for p, s in exact])
    for order in (((wrong, "rough"), (answer, "exact")), ((answer, "exact"), (wrong, "rough"))):
        model = Predictor(approximations=SOLVERS).fit([Labelled(p, s, "exact") for p, s in exact])
        for solution, fidelity in order:
            model.add(problem, solution, fidelity=fidelity)
        assert G_distance(problem, wrong, answer) > 0.02
        assert G_distance(problem, model.predict(problem).solution, answer) < 1e-3
    assert first.n_points_ + 1 == model.n_points_


def test_hopeless_labels_change_next_to_nothing(models, solved_set):
    alone, _, test = models
    wrong = [Labelled(p, HubbardI().solve(p), "rough") for p, _ in solved_set[25:75]]
    both = Predictor(approximations=SOLVERS).fit([*solved_set[:25], *wrong])
    errors = [np.mean([G_distance(p, m.predict(p).solution, s) for p, s in test]) for m in (alone, both)]
    assert errors[1] < 1.1 * errors[0]


def test_what_is_a_feature_already_is_not_learned(solved_set):
    points = [*solved_set[:10], *[Labelled(p, FewSiteED(1).solve(p), "ed1") for p, _ in solved_set[10:15]]]
    assert Predictor(approximations=SOLVERS).fit(points).training_.cheap == []
    forest = Predictor(regressor="random_forest", approximations=SOLVERS)
    assert forest.fit([Labelled(p, s, "short") for p, s in points[:10]]).n_points_ == 0


def test_cheap_labels_alone_answer_nothing(solved_set):
    model = Predictor(approximations=SOLVERS).fit([Labelled(p, s, "short") for p, s in solved_set[:8]])
    assert model.n_points_ == 0 and "too few" in model.predict(solved_set[9][0]).novel
    for problem, solution in solved_set[10:16]:
        model.add(problem, solution)
    assert model.predict(solved_set[9][0]).solution is not None


def test_solver_learns_them_from_its_database(solved_set):
    database = Database(None)
    for problem, solution in solved_set[:12]:
        database.add(problem, solution)
    for problem, _ in solved_set[12:20]:
        database.add(problem, fitted_bath(problem), fidelity="two sites")
    solver = LearnedSolver(database, exact="ed")
    solver.solve(solved_set[30][0])
    assert solver.predictor.training_.cheap == ["two sites"] and solver.predictor.n_points_ in (12, 13)
