# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
import copy
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, spearmanr
from sklearn.base import clone

from triqs_mlsolver import Database, DiscreteBath, Predictor, Problem
from triqs_mlsolver.approximations import IPT, HubbardI
from triqs_mlsolver.exact.ed import ED
from triqs_mlsolver.model.features.descriptor import Descriptor, Kind
from triqs_mlsolver.numerics import legendre
from triqs_mlsolver.problem.comparison import compare, sigma_distance

TAU = np.concatenate([[0.0], 0.5 * (np.polynomial.legendre.leggauss(64)[0] + 1), [1.0]])


def error_of(problem, solution, exact):
    tau = TAU * problem.beta
    return max(float(np.max(np.abs(a - b))) for a, b in zip(solution.G_tau(tau), exact.G_tau(tau)))


def assert_physical(problem, solution, n_iw=2000):
    """Σ causal at all of `n_iw` frequencies, the sum rule, densities and ⟨n↑n↓⟩ within their bounds, and all
    finite.
    """
    for g, n in zip(solution.G_l, solution.density):
        start, end = legendre.at_ends(problem.beta, g)
        assert abs(start + end + 1)[0, 0] < 1e-12
        assert 0 <= n <= 1
    for Sigma, G in zip(solution.Sigma_iw(problem, n_iw), solution.G_iw(n_iw)):
        omega = problem.omega(n_iw)
        assert np.all(Sigma[:, 0, 0].imag <= 1e-7 * problem.scale * (1 + omega / problem.scale))
        assert np.all(G[:, 0, 0].imag < 0)
    pair = solution.double_occupancy
    assert max(0.0, solution.density.sum() - 1) - 1e-12 <= pair <= solution.density.min() + 1e-12
    assert solution.h_int == pytest.approx(problem.U[0, 1] * pair, abs=1e-9 * problem.scale)


CHEAP = ("ipt", "hubbard_i", "ed1", "nca")  # a cluster with two sites would be exact for the baths of `family`


@pytest.fixture(scope="module")
def fresh(draw):
    """60 problems from the distribution of `solved_set` that it does not contain, with exact solutions."""
    out = []
    for i in range(60):
        kind = i % 4
        options = {"field": None if kind == 1 else 0.0, "polarised": kind == 2, "half_filling": kind == 3}
        problem = draw(np.random.default_rng([12, i]), 3, **options)
        out.append((problem, ED().solve(problem)))
    return out


@pytest.fixture(scope="module")
def small(family):
    """Twelve points along U at half filling, and a predictor that knows them."""
    problems = [family(U) for U in np.linspace(0.5, 3.0, 12)]
    points = [(p, ED().solve(p)) for p in problems]
    return points, Predictor(approximations=CHEAP).fit(points)


# -- symmetries
# ----------------------------------------------------------------------------------------------------------


def test_spin_symmetric_problem_gets_an_exactly_symmetric_answer(trained, draw):
    for seed in range(5):
        problem = draw(np.random.default_rng([41, seed]), 3, field=0.0, polarised=False)
        solution = trained.predict(problem).solution
        assert np.array_equal(solution.G_l[0], solution.G_l[1]) and np.array_equal(solution.F_l[0], solution.F_l[1])
        assert solution.nn[0, 0] == solution.nn[1, 1] and np.array_equal(
            solution.Sigma_infty[0], solution.Sigma_infty[1]
        )


def test_half_filled_symmetric_problem_gets_a_symmetric_answer(trained, family):
    """Though the database is not symmetric: n = ½, odd coefficients of G vanish, Re Σ = U/2."""
    problem = family(2.2, beta=15.0)
    solution = trained.predict(problem).solution
    assert np.allclose(solution.density, 0.5, atol=1e-12)
    assert np.max(np.abs(solution.G_l[0][1::2])) < 1e-9 * problem.beta
    Sigma = solution.Sigma_iw(problem, 30)[0][:, 0, 0]
    assert np.max(np.abs(Sigma.real - 1.1)) < 1e-6


def test_covariant_under_the_particle_hole_map(trained, draw, mirrored):
    """predict(P x) = P predict(x), though the points themselves are at any filling."""
    for seed in range(12):
        problem = draw(np.random.default_rng([42, seed]), 3)
        here, there = trained.predict(problem), trained.predict(mirrored(problem))
        for a, b in zip(here.solution.G_l, there.solution.G_l):
            assert np.max(np.abs(legendre.particle_hole(a) - b)) < 1e-6 * problem.beta
        assert np.allclose(here.solution.density, 1 - there.solution.density, atol=1e-6)
        # a tree's threshold may lie within the 1e-6 of a bath fit
        assert there.error_bound == pytest.approx(here.error_bound, rel=2e-2)
        assert there.novel == here.novel


def test_exchange_of_spins(trained, draw):
    """Field up and field down are one problem: names carry no meaning."""
    for seed in range(6):
        problem = draw(np.random.default_rng([43, seed]), 3, field=0.2, polarised=True)
        swapped = replace(problem.permuted([1, 0]), gf_struct=problem.gf_struct)
        here, there = trained.predict(problem), trained.predict(swapped)
        for s in range(2):
            assert np.allclose(here.solution.G_l[s], there.solution.G_l[1 - s], atol=1e-11)
        assert there.error_bound == pytest.approx(here.error_bound, rel=1e-9)


@pytest.mark.parametrize("unit", [1e-3, 13.6, 11604.5])
def test_answers_do_not_depend_on_the_unit(trained, draw, unit):
    """eV, Ry, K: the same database serves them all, with the same bounds."""
    for seed in range(4):
        problem = draw(np.random.default_rng([44, seed]), 3)
        here, there = trained.predict(problem), trained.predict(problem.scaled(unit))
        back = there.solution.scaled(1 / unit)
        for a, b in zip(here.solution.G_l, back.G_l):
            assert np.max(np.abs(a - b)) < 1e-6 * problem.beta
        assert np.allclose(here.solution.Sigma_1[0], back.Sigma_1[0], rtol=1e-5)
        assert there.error_bound == pytest.approx(here.error_bound, rel=1e-4)
        assert there.sigma_bound == pytest.approx(here.sigma_bound, rel=1e-4)


def test_answer_comes_in_the_problems_own_names_and_order(trained, draw):
    problem = draw(np.random.default_rng(45), 3, field=-0.3)
    named = replace(problem, gf_struct=(("a", 1), ("b", 1)))
    solution = trained.predict(named).solution
    assert solution.gf_struct == named.gf_struct and solution.beta == problem.beta
    exact = ED().solve(problem)
    assert np.all(np.abs(solution.density - exact.density) < 0.1)


# -- physics of every answer
# ---------------------------------------------------------------------------------------------


@settings(max_examples=30)
@given(st.integers(0, 10**6))
def test_every_answer_is_physical(trained, draw, seed):
    problem = draw(np.random.default_rng(seed), 3)
    assert_physical(problem, trained.predict(problem).solution)


def test_physical_far_outside_of_what_it_knows(trained, family, draw):
    """Novel problems are refused by the solver, but even then what is offered is finite and causal."""
    far = [
        family(30.0),
        family(2.0, beta=300.0),
        family(2.0, x=20.0),
        family(2.0, x=-20.0),
        family(2.0, field=9.0),
        family(0.0),
    ]
    far += [draw(np.random.default_rng(i), 1, beta=0.2) for i in range(3)]
    for problem in far:
        prediction = trained.predict(problem)
        assert_physical(problem, prediction.solution, 300)
        assert np.isfinite(prediction.error_bound) and prediction.error_bound > 0


def test_densities_and_g_belong_together(trained, fresh):
    """⟨n⟩ that is reported is −G(β⁻) of the G that is returned: a loop over μ reads one, a Σ tail the other."""
    for problem, _ in fresh[:20]:
        prediction = trained.predict(problem)
        ends = [-legendre.at_ends(problem.beta, g)[1][0, 0] for g in prediction.solution.G_l]
        assert np.max(np.abs(ends - prediction.solution.density)) < 1e-6 + 2 * prediction.moved


def test_moments_and_self_energy_belong_together(trained, fresh):
    """Σ(iω) → Σ∞ + Σ₁/(iω) with the moments that are reported."""
    for problem, _ in fresh[:10]:
        solution = trained.predict(problem).solution
        n = 400
        z = 1j * problem.omega(n)[-1]
        for Sigma, static, first in zip(solution.Sigma_iw(problem, n), solution.Sigma_infty, solution.Sigma_1):
            rest = Sigma[-1, 0, 0] - static[0, 0] - first[0, 0] / z
            assert abs(rest) < 0.05 * (abs(first[0, 0] / z) + 1e-3)


def test_bounds_contain_what_was_moved(small, family):
    """Where the raw prediction is far from anything physical, the distance to the physical answer is in both
    bounds.
    """
    predictor = copy.deepcopy(small[1])
    problem = family(1.4)
    before = predictor.predict(problem)
    coefficients = predictor.regression_.dual_coef_
    coefficients += 3.0 * np.abs(coefficients).max() * np.random.default_rng(0).normal(size=coefficients.shape)
    garbage = predictor.predict(problem)
    assert_physical(problem, garbage.solution, 200)
    assert garbage.moved > 10 * before.error_bound
    assert garbage.error_bound >= garbage.moved and garbage.error_bound > before.error_bound
    assert garbage.sigma_bound > 10 * before.sigma_bound


def test_without_interaction_it_is_exact(trained, draw):
    """U = 0: the baseline is exact and there is nothing to correct beyond what the model's own scale allows."""
    for seed in range(4):
        problem = draw(np.random.default_rng([46, seed]), 3)
        free = Problem.from_bath(problem.beta, problem.gf_struct, problem.h_loc0, problem.bath, np.zeros((2, 2)))
        prediction = trained.predict(free)
        assert error_of(free, prediction.solution, ED().solve(free)) <= prediction.error_bound


# -- learning
# ------------------------------------------------------------------------------------------------------------


def test_learns(trained, fresh):
    """Better than the baseline it corrects, and than its rival, on problems it has not seen."""
    ours, ipt, hubbard = [], [], []
    for problem, exact in fresh:
        ours.append(error_of(problem, trained.predict(problem).solution, exact))
        ipt.append(error_of(problem, IPT().solve(problem), exact))
        hubbard.append(error_of(problem, HubbardI().solve(problem), exact))
    assert np.median(ours) < 0.8 * np.median(ipt) and np.median(ours) < 0.5 * np.median(hubbard)


def test_stored_points_come_back(small):
    points, predictor = small
    for problem, exact in points:
        assert error_of(problem, predictor.predict(problem).solution, exact) < 1e-3
        assert predictor.predict(problem).nearest < 1e-6


def test_interpolates_along_U(small, family):
    """Between points 0.23 D apart the error is a hundred times below that of IPT, and below its bound."""
    _, predictor = small
    for U in (0.9, 1.7, 2.6):
        problem = family(U)
        exact = ED().solve(problem)
        prediction = predictor.predict(problem)
        error = error_of(problem, prediction.solution, exact)
        assert error < 0.1 * error_of(problem, IPT().solve(problem), exact) + 2e-4
        assert error <= prediction.error_bound
        assert sigma_distance(problem, prediction.solution, exact) <= prediction.sigma_bound
        assert abs(prediction.solution.double_occupancy - exact.double_occupancy) < 2e-3


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
    assert np.allclose(other, expected, rtol=1e-9) and np.all(other < own)
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


def test_adding_is_fitting(small, family):
    points, _ = small
    grown = Predictor(approximations=CHEAP).fit(points[:6])
    for point in points[6:]:
        grown.add(*point)
    whole = Predictor(approximations=CHEAP).fit(points)
    assert grown.n_points_ == whole.n_points_ == 12
    for problem in (family(1.3), family(2.9), family(1.0, x=0.2)):
        a, b = grown.predict(problem), whole.predict(problem)
        assert np.allclose(a.solution.G_l[0], b.solution.G_l[0], atol=1e-7 * problem.beta)
        assert a.error_bound == pytest.approx(b.error_bound, rel=1e-3)
        assert a.sigma_bound == pytest.approx(b.sigma_bound, rel=1e-3)


def test_growing_from_nothing(family):
    """From the first point on, one at a time, every prediction is finite; a new point makes its neighbourhood
    better known.
    """
    predictor = Predictor(approximations=CHEAP)
    assert predictor.predict(family(1.0)).solution is None
    for i, U in enumerate(np.linspace(0.6, 3.0, 40)):
        problem = family(U)
        before = predictor.predict(problem)
        predictor.add(problem, ED().solve(problem))
        after = predictor.predict(problem)
        assert predictor.n_points_ == i + 1
        if before.solution is None:
            assert i < 6
            continue
        assert_physical(problem, after.solution, 50)
        assert after.nearest < 1e-6 and after.novel is None


def test_fit_forgets_and_repeats(small, family):
    points, predictor = small
    again = Predictor(approximations=CHEAP).fit([(family(9.0), ED().solve(family(9.0)))] * 3).fit(points)
    problem = family(1.3)
    assert again.n_points_ == 12
    assert np.array_equal(again.predict(problem).solution.G_l[0], predictor.predict(problem).solution.G_l[0])
    assert again.predict(problem).error_bound == predictor.predict(problem).error_bound


def test_order_of_the_points_does_not_matter(small, family):
    points, predictor = small
    shuffled = Predictor(approximations=CHEAP).fit([points[i] for i in np.random.default_rng(0).permutation(12)])
    a, b = shuffled.predict(family(1.3)), predictor.predict(family(1.3))
    assert np.allclose(a.solution.G_l[0], b.solution.G_l[0], atol=1e-8) and a.error_bound == pytest.approx(
        b.error_bound, rel=1e-6
    )


def test_points_in_any_unit_and_order_teach_the_same(small, family):
    points, predictor = small
    rng = np.random.default_rng(0)
    units = np.exp(rng.uniform(-3, 3, 12))
    scaled = [(p.scaled(u).permuted([1, 0]), s.scaled(u).permuted([1, 0])) for (p, s), u in zip(points, units)]
    a, b = Predictor(approximations=CHEAP).fit(scaled).predict(family(1.3)), predictor.predict(family(1.3))
    assert np.allclose(a.solution.G_l[0], b.solution.G_l[0], atol=1e-6) and a.error_bound == pytest.approx(
        b.error_bound, rel=1e-3
    )


def test_noise_of_labels_is_known_to_the_model(family):
    """A wrong label with honest error bars does less harm than one that claims to be exact."""
    points = [(family(U), ED().solve(family(U))) for U in np.linspace(0.5, 3.0, 11)]
    problem, exact = points[5]
    wrong = exact.G_l[0] + 0.02 * problem.beta * np.eye(len(exact.G_l[0]))[:, 2][:, None, None]
    error = tuple(np.where(np.arange(len(g))[:, None, None] == 2, 0.02 * problem.beta, 0.0) for g in exact.G_l)
    harm = []
    for bars in (None, error):
        points[5] = (problem, replace(exact, G_l=(wrong, wrong), G_l_error=bars))
        near = family(1.7)
        harm.append(error_of(near, Predictor(approximations=CHEAP).fit(points).predict(near).solution, ED().solve(near)))
    assert harm[1] < 0.5 * harm[0]


def test_scikit_learn_manners(small):
    points, _ = small
    predictor = Predictor(confidence=0.9, nu=2.5, random_state=3)
    changed = {"confidence": 0.9, "nu": 2.5, "random_state": 3}
    assert clone(predictor).get_params() == Predictor().get_params() | changed
    assert not [name for name in vars(predictor) if name.endswith("_")]
    assert predictor.fit(points) is predictor


def test_accepts_a_database(small, family):
    points, predictor = small
    database = Database(None)
    for point in points:
        database.add(*point)
    a, b = Predictor(approximations=CHEAP).fit(database).predict(family(1.3)), predictor.predict(family(1.3))
    assert np.allclose(a.solution.G_l[0], b.solution.G_l[0], atol=1e-8)


# -- knowing what it does not know
# ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change, reason",
    [
        ({"beta": 30.0}, "beta"),
        ({"beta": 3.0}, "beta"),
        ({"U": 4.0}, "U"),
        ({"U": 0.0}, "U"),
        ({"x": 0.3}, "level"),
        ({"x": -0.3}, "level"),
    ],
)
def test_novelty_beyond_the_stored_range(small, family, change, reason):
    _, predictor = small
    assert predictor.predict(family(**{"U": 1.5})).novel is None
    assert reason in predictor.predict(family(**{"U": 1.5, **change})).novel


def test_the_next_value_of_a_scan_is_within_reach(family):
    """Beyond the last stored U by as much as the last two are apart, once there are four of them; not in β."""
    solved = lambda values: [(p, ED().solve(p)) for p in (family(**v) for v in values)]
    few = solved({"U": U} for U in (1.0, 1.1, 1.2, 1.2, 1.2))
    assert "U" in Predictor(approximations=CHEAP).fit(few).predict(family(1.3)).novel
    predictor = Predictor(approximations=CHEAP).fit(solved({"U": U} for U in (0.8, 1.0, 1.1, 1.2, 1.3)))
    novel = {U: predictor.predict(family(U)).novel or "" for U in (0.55, 0.65, 1.4, 1.45)}
    assert "U" in novel[0.55] and "U" in novel[1.45] and "U" not in novel[0.65] + novel[1.4]
    colder = Predictor(approximations=CHEAP).fit(solved({"U": 1.0, "beta": b} for b in (8.0, 8.5, 9.0, 9.5, 10.0)))
    assert "beta" in colder.predict(family(1.0, beta=10.2)).novel


def test_a_value_of_the_scan_that_is_stored_is_known_better_than_a_new_one(family):
    """A loop that closes in at a known U is near what is stored; at a new U all of its points are missing."""
    points = [(p, ED().solve(p)) for p in (family(U, eps=0.4 + 0.02 * k) for U in (1.0, 1.4, 1.8, 2.2) for k in range(8))]
    predictor = Predictor(approximations=CHEAP).fit(points)
    bounds, held = {}, 0
    for U in (1.4, 1.6):
        problems = [family(U, eps=0.41 + 0.02 * k) for k in range(7)]
        rows = [predictor.descriptor_.describe(p.canonical()).rows[0] for p in problems]
        bounds[U] = np.median(predictor.row_bounds(rows)[:, 0])  # without the floor, which is larger
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
    relative = [l[1] for l in predictor.label_noise_]
    assert np.all(np.array(bounds[1]) > 1.2 * np.array(relative)), "a stored point leans on its own label"
    assert np.all(np.array(bounds[1]) > np.array(bounds[0]))


def test_colder_by_a_little_is_novel(family):
    """Bounds hold least beyond the stored β: there is no margin."""
    points = [(p, ED().solve(p)) for p in (family(U, beta=b) for U in np.linspace(0.5, 3, 6) for b in (8.0, 10.0))]
    predictor = Predictor(approximations=CHEAP).fit(points)
    assert "beta lies outside" in predictor.predict(family(1.3, beta=10.01)).novel
    assert "beta" not in (predictor.predict(family(1.3, beta=10.0)).novel or "")


def test_a_field_was_never_seen(small, family):
    _, predictor = small
    for field in (0.02, 0.1, 0.3):
        problem = family(1.5, field=field)
        prediction = predictor.predict(problem)
        error = error_of(problem, prediction.solution, ED().solve(problem))
        assert prediction.novel or prediction.error_bound >= error


@pytest.mark.parametrize("eps", [0.4, 0.1, 0.6])
def test_another_bath_was_never_seen(small, family, eps):
    """Off the path of the stored points: novel, or a bound that holds."""
    _, predictor = small
    for U in (0.8, 1.5, 2.6):
        problem = family(U, eps=eps)
        prediction = predictor.predict(problem)
        error = error_of(problem, prediction.solution, ED().solve(problem))
        assert prediction.novel or prediction.error_bound >= error


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4])
def test_too_few_points(small, family, n):
    points, _ = small
    prediction = Predictor(approximations=CHEAP).fit(points[:n]).predict(family(1.3))
    assert prediction.solution is None and prediction.error_bound == np.inf and prediction.sigma_bound == np.inf
    assert prediction.novel == f"{n} stored points are too few"


def test_identical_points_are_one(small, family):
    points, _ = small
    predictor = Predictor(approximations=CHEAP).fit([points[0]] * 8)
    assert predictor.predict(family(1.3)).novel
    mostly = Predictor(approximations=CHEAP).fit([points[0]] * 30 + points[1:4])
    prediction = mostly.predict(points[2][0])
    assert np.isfinite(prediction.error_bound)
    assert_physical(points[2][0], prediction.solution, 50)


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


@pytest.mark.parametrize("x", [15.0, -15.0])
def test_empty_and_full_orbitals_can_be_learned(family, x):
    points = [(p, ED().solve(p)) for p in (family(U, x=x + shift) for U in (1.0, 2.0) for shift in (-0.2, 0.0, 0.2))]
    predictor = Predictor(approximations=CHEAP).fit(points)
    problem = family(1.5, x=x)
    prediction = predictor.predict(problem)
    assert_physical(problem, prediction.solution, 100)
    assert error_of(problem, prediction.solution, ED().solve(problem)) < 1e-4


def two_orbitals():
    names = tuple((name, 1) for name in ("a_up", "a_down", "b_up", "b_down"))
    bath = [DiscreteBath([0.1], [0.4])] * 4
    U = np.array([[0, 2, 1, 0.5], [2, 0, 0.5, 1], [1, 0.5, 0, 2], [0.5, 1, 2, 0]])
    return Problem.from_bath(5.0, names, [[[-1.0]]] * 4, bath, U)


def with_assisted_hopping():
    return replace(two_orbitals(), terms=((0.1, (0, 2, 2, 1)), (0.1, (1, 2, 2, 0))))


@pytest.mark.parametrize(
    "make, reason",
    [
        (two_orbitals, "the stored points have 2 flavours"),
        (with_assisted_hopping, "terms that act on four different flavours"),
    ],
)
def test_says_what_it_cannot_describe(small, make, reason):
    prediction = small[1].predict(make())
    assert prediction.solution is None and prediction.error_bound == np.inf
    assert reason in prediction.novel


def test_isolated_atom_is_left_to_the_exact_solver(small):
    prediction = small[1].predict(Problem.siam(5.0, 2.0, 1.0, [0.0], [0.0]))
    assert prediction.solution is None and "hybridisation vanishes" in prediction.novel


def test_passes_over_points_it_cannot_describe(small, family):
    """A database may hold two-orbital points, or block structures, that this model says nothing about."""
    points, predictor = small
    other = two_orbitals()
    mixed = Predictor(approximations=CHEAP).fit([*points, (other, HubbardI().solve(other))])
    assert mixed.predict(family(1.3)).error_bound == pytest.approx(predictor.predict(family(1.3)).error_bound, rel=1e-9)
    mixed.add(other, HubbardI().solve(other))


def test_wrong_labels_marked_as_cheap_do_no_harm(small, family):
    """Taken for the truth they would; what ED answers with a fitted bath counts as exact."""
    points, predictor = small
    database = Database(None)
    for k, (problem, solution) in enumerate(points):
        database.add(problem, solution, fidelity="bath-fit" if k % 2 else "exact")
    for U in (1.1, 1.6, 2.4):
        database.add(family(U), HubbardI().solve(family(U)), fidelity="hubbard_i")
        database.add(family(U + 0.1), HubbardI().solve(family(U + 0.1)), fidelity="short")
    learned = Predictor(approximations=CHEAP).fit(database)
    assert learned.n_points_ == len(points) and learned.training_.cheap == ["short"]
    bound = predictor.predict(family(1.35)).error_bound
    assert learned.predict(family(1.35)).error_bound == pytest.approx(bound, rel=1e-3)


def test_a_mirror_image_does_not_vouch_for_its_own_problem(family):
    """At half filling in a field one spin is the other's mirror image: both are left out together."""
    points = [(p, ED().solve(p)) for p in (family(1.5, eps=0.3 + 0.05 * k, field=0.1) for k in range(8))]
    left_out = points.pop(4)
    without, predictor = Predictor(approximations=CHEAP).fit(points), Predictor(approximations=CHEAP).fit([*points, left_out])
    rows = without.descriptor_.describe(left_out[0].canonical()).rows
    expected = without._ask(rows, without._features(rows))[1]
    std = predictor.regression_.leave_out(predictor.training_.groups())[1][-2:]
    assert np.allclose(std, expected, rtol=1e-6)


# -- descriptor
# ----------------------------------------------------------------------------------------------------------


def test_features_are_covariant(draw, mirrored):
    """Feature by feature: x(P problem) = parity · x(problem), and what measures difficulty is even."""
    descriptor = Descriptor()
    parity = descriptor.layout(Kind(2, False)).parity
    for seed in range(8):
        problem = draw(np.random.default_rng([47, seed]), 4)
        here, there = descriptor.describe(problem.canonical()), descriptor.describe(mirrored(problem).canonical())
        rows = {0: there.rows[0], 1: there.rows[-1]}
        # canonical order sorts blocks by content, which the map may reverse
        if len(here.rows) == 2 and not np.allclose(here.rows[0].features[2], -rows[0].features[2], atol=1e-6):
            rows = {0: there.rows[1], 1: there.rows[0]}
        for i, row in enumerate(here.rows):
            assert np.allclose(row.features * parity, rows[i].features, atol=2e-6), seed
            assert row.amplitude == pytest.approx(rows[i].amplitude, rel=1e-3)
            assert np.allclose(row.summary, rows[i].summary, atol=1e-2)


def test_features_change_continuously(draw):
    """A small change of the problem is a small change of every feature: no bath fit jumps, no branch switches."""
    descriptor = Descriptor()
    for seed in range(8):
        problem = draw(np.random.default_rng([48, seed]), 3)
        near = replace(problem, h_loc0=tuple(h + 1e-7 for h in problem.h_loc0))
        a, b = descriptor.describe(problem.canonical()), descriptor.describe(near.canonical())
        for row, other in zip(a.rows, b.rows):
            assert np.max(np.abs(row.features - other.features)) < 1e-4, seed
