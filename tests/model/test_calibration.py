# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Bounds of a whole model: do they hold as often as they claim, and do they follow the error?"""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom, spearmanr
from support.learned import CHEAP, error_of

from triqs_mlsolver import Predictor, Problem
from triqs_mlsolver.exact.ed import ED
from triqs_mlsolver.model.calibration import ERRORS, Calibration, in_units
from triqs_mlsolver.problem.comparison import compare, sigma_distance


def test_coverage(trained, fresh):
    """Of 60 fresh problems, in a field and in polarised baths too, 95 % obey both bounds, within binomial scatter."""
    held, sigma_held = 0, 0
    for problem, exact in fresh:
        prediction = trained.predict(problem)
        held += error_of(problem, prediction.solution, exact) <= prediction.error_bound
        sigma_held += sigma_distance(problem, prediction.solution, exact) <= prediction.sigma_bound
    least = binom.ppf(0.005, len(fresh), 0.95)  # the calibration set scatters as well
    assert held >= least and sigma_held >= least, (held, sigma_held)


def test_another_confidence_changes_the_bounds_alone(small, family):
    """As if the model had been fitted with it; the model itself keeps its own."""
    points, trained = small
    looser, fitted = trained.with_confidence(0.5), Predictor(0.5, approximations=CHEAP).fit(points)
    rows = [row for U in (0.8, 1.4, 2.9) for row in trained.descriptor_.describe(family(U).canonical()).rows]
    own, other, expected = (m.row_bounds(rows) for m in (trained, looser, fitted))
    for kind in ERRORS.names:
        assert np.allclose(other[kind], expected[kind], rtol=1e-9) and np.all(other[kind] < own[kind])
    assert looser.confidence == 0.5 and trained.confidence == 0.95
    answers = [m.predict(family(1.4)).solution.G_l[0] for m in (trained, looser)]
    assert np.array_equal(*answers)


def test_coverage_of_density_and_double_occupancy(trained, fresh):
    """Each bound is calibrated on its own and holds as often as promised; n = −G(β⁻) is known better than all of G."""
    held, tighter = np.zeros(2), 0
    for problem, exact in fresh:
        p = trained.predict(problem)
        density = np.max(np.abs(p.solution.density - exact.density))
        docc = abs(p.solution.double_occupancy - exact.double_occupancy)
        held += [density <= p.density_bound, docc <= p.docc_bound]
        tighter += p.density_bound <= p.error_bound
    assert np.all(held >= binom.ppf(1e-3, len(fresh), 0.95)), held
    assert tighter == len(fresh)


def test_bound_tells_hard_from_easy(trained, fresh):
    """Rank correlation of bound and true error."""
    predictions = [trained.predict(p) for p, _ in fresh]
    errors = [error_of(p, prediction.solution, exact) for (p, exact), prediction in zip(fresh, predictions)]
    assert spearmanr([p.error_bound for p in predictions], errors).statistic > 0.5


def test_a_value_of_the_scan_that_is_stored_is_known_better_than_a_new_one(family):
    """A loop that closes in at a known U is near what is stored; at a new U all of its points are missing."""
    points = [
        (p, ED().solve(p)) for p in (family(U, eps=0.4 + 0.02 * k) for U in (1.0, 1.4, 1.8, 2.2) for k in range(8))
    ]
    predictor = Predictor(approximations=CHEAP).fit(points)
    bounds, held = {}, 0
    for U in (1.4, 1.6):
        problems = [family(U, eps=0.41 + 0.02 * k) for k in range(7)]
        rows = [predictor.descriptor_.describe(p.canonical()).rows[0] for p in problems]
        bounds[U] = np.median(predictor.row_bounds(rows)["G"])  # without the floor, which is larger
        for p in problems:
            prediction = predictor.predict(p)
            held += np.max(np.abs(prediction.solution.G_l[0] - ED().solve(p).G_l[0])) / p.beta <= prediction.error_bound
    assert bounds[1.4] < 0.5 * bounds[1.6]
    assert held >= 13


@pytest.mark.parametrize("cheap, n_sites", [(CHEAP, 3), (None, 4)])
def test_coverage_on_a_scan(cheap, n_sites):
    """Ten values of U with sixteen baths each: bounds hold at these values, and at new ones between them."""

    def solved(values, n, seed):
        random = np.random.default_rng([77, seed])
        for U in np.repeat(values, n):
            eps, V = random.uniform(-1.2, 1.2, n_sites), 0.5 * np.sqrt(random.dirichlet(np.ones(n_sites)))
            problem = Problem.siam(30.0, U, U / 2 - random.choice([0.2, 0.6]), np.sort(eps), V)
            yield problem, ED().solve(problem)

    known = np.linspace(0.8, 4.4, 10)
    predictor = Predictor(approximations=cheap).fit(solved(known, 16, 0))
    for values, seed in ((known, 1), (0.5 * (known[1:] + known[:-1]), 2)):
        held = []
        for problem, exact in solved(values, 10, seed):
            p = predictor.predict(problem)
            found = compare(problem, p.solution, exact)
            held.append((found.error <= p.error_bound, found.sigma_error <= p.sigma_bound))
        assert np.all(np.sum(held, axis=0) >= binom.ppf(1e-3, len(held), 0.95)), np.mean(held, axis=0)


def test_bounds_contain_the_noise_of_the_labels_they_lean_on(family):
    """Noise of G(iω₀) alone, which the standard deviation of the Gaussian process does not see."""
    noise, bounds = 2e-3, []
    for level in (0.0, noise):
        told = {"G_tau_noise": 0.0, "G_iw0_noise": level}
        solved = [(p, ED().solve(p)) for p in (family(U) for U in np.linspace(0.5, 3.0, 12))]
        points = [(p, replace(s, provenance={**s.provenance, **told})) for p, s in solved]
        predictor = Predictor(approximations=CHEAP).fit(points)
        bounds.append([predictor.predict(p).sigma_bound for p, _ in points])
    relative = predictor.label_noise_["Sigma"]
    assert np.all(np.array(bounds[1]) > 1.2 * relative), "a stored point leans on its own label"
    assert np.all(np.array(bounds[1]) > np.array(bounds[0]))


def test_an_error_that_labels_have_in_common_is_added_and_never_averaged_away(family):
    """As of fitted baths: no noise, so that residuals do not contain it, however many labels there are."""
    solved = [(p, ED().solve(p)) for p in (family(U) for U in np.linspace(0.5, 3.0, 24))]
    common = {"G_tau_systematic": 1e-3, "G_iw0_systematic": 1e-4}
    marked = [
        (p, replace(s, provenance={**s.provenance, **common}, G_l_error=tuple(np.full(g.shape, 1e-3) for g in s.G_l)))
        for p, s in solved
    ]
    clean, off = (Predictor(approximations=CHEAP).fit(points) for points in (solved, marked))
    np.testing.assert_array_equal(off.bound_.quantile_, clean.bound_.quantile_)
    for problem in (family(1.0), family(1.7), family(2.3)):
        mine, theirs = off.predict(problem), clean.predict(problem)
        np.testing.assert_array_equal(mine.solution.G_l[0], theirs.solution.G_l[0])
        assert mine.error_bound > np.hypot(theirs.error_bound, 1.9e-3) * 0.99


@pytest.mark.parametrize("scan", [True, False], ids=["scan over U", "baths at one U"])
def test_repeating_runs_does_not_make_the_model_confident(family, scan):
    """Three answers to each problem instead of one: bounds as large as before, novelty too."""
    problems = [family(1.0 + 0.2 * i * scan, eps=0.3 + 0.05 * i * (not scan)) for i in range(9)]
    points = [(p, ED().solve(p)) for p in problems]
    once, often = (Predictor(approximations=CHEAP).fit(p) for p in (points, [p for p in points for _ in range(3)]))
    new = family(1.9 if scan else 1.0, eps=0.3 if scan else 0.52)
    assert often.predict(new).error_bound == pytest.approx(once.predict(new).error_bound, rel=0.05)
    assert often.predict(new).sigma_bound == pytest.approx(once.predict(new).sigma_bound, rel=0.05)
    assert often.reach_ == pytest.approx(once.reach_, rel=0.01)


def test_a_mirror_image_does_not_vouch_for_its_own_problem(family):
    """At half filling in a field one spin is the other's mirror image: both are left out together."""
    points = [(p, ED().solve(p)) for p in (family(1.5, eps=0.3 + 0.05 * k, field=0.1) for k in range(8))]
    left_out = points.pop(4)
    without, predictor = (
        Predictor(approximations=CHEAP).fit(points),
        Predictor(approximations=CHEAP).fit([*points, left_out]),
    )
    rows = without.descriptor_.describe(left_out[0].canonical()).rows
    expected = without._ask(rows, without._features(rows))[1]
    std = predictor.regression_.leave_out(predictor.training_.groups())[1][-2:]
    assert np.allclose(std, expected, rtol=1e-6)


# -- what it is made of


def test_errors_by_name_are_those_of_leaving_out(small):
    """A point's error of G(τ) and of ⟨n⟩ are what the regression misses when its U is not stored."""
    points, predictor = small
    data, errors = predictor.training_, predictor.leave_out_error_
    assert errors.dtype == ERRORS and len(errors) == len(points) and np.all(errors["G"] > 0)
    residual, std = predictor.regression_.leave_out(data.groups())
    shift = in_units(data, predictor.transform_, residual, np.arange(len(data)))
    assert np.array_equal(errors["G"], data.max_error(shift))
    assert np.all(errors["density"] <= errors["G"] * (1 + 1e-12)), "n = −G(β⁻) is one value of G(τ)"
    assert np.array_equal(predictor.calibration_.leave_out_std_, std), "twelve problems of one row each"


def test_calibrating_again_changes_nothing(small):
    """The same residuals give the same bounds, whoever asks."""
    _, predictor = small
    again = Calibration(0.95).fit(predictor.training_, predictor.regression_, predictor.transform_)
    assert np.array_equal(again.bound_.quantile_, predictor.bound_.quantile_) and again.floor_ == predictor.floor_
    for name in ERRORS.names:
        assert np.array_equal(again.leave_out_error_[name], predictor.leave_out_error_[name])
