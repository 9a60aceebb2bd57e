# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
import copy
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from support.learned import CHEAP, assert_physical, error_of

from triqs_mlsolver import Database, DiscreteBath, Predictor, Problem
from triqs_mlsolver.approximations import IPT, HubbardI
from triqs_mlsolver.exact.ed import ED
from triqs_mlsolver.model.features.descriptor import Descriptor, Kind
from triqs_mlsolver.numerics import legendre
from triqs_mlsolver.problem.comparison import sigma_distance

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
        harm.append(
            error_of(near, Predictor(approximations=CHEAP).fit(points).predict(near).solution, ED().solve(near))
        )
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


def test_identical_points_are_one(small, family):
    points, _ = small
    predictor = Predictor(approximations=CHEAP).fit([points[0]] * 8)
    assert predictor.predict(family(1.3)).novel
    mostly = Predictor(approximations=CHEAP).fit([points[0]] * 30 + points[1:4])
    prediction = mostly.predict(points[2][0])
    assert np.isfinite(prediction.error_bound)
    assert_physical(points[2][0], prediction.solution, 50)


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


def with_correlated_hopping():
    return replace(two_orbitals(), terms=((0.1, (0, 1, 2, 0)), (0.1, (0, 2, 1, 0))))


@pytest.mark.parametrize(
    "make, reason",
    [
        (two_orbitals, "the stored points have 2 flavours"),
        (with_correlated_hopping, "terms that act on four different flavours"),
    ],
)
def test_says_what_it_cannot_describe(small, make, reason):
    prediction = small[1].predict(make())
    assert prediction.solution is None and prediction.error_bound == np.inf
    assert reason in prediction.novel


def test_passes_over_points_it_cannot_describe(small, family):
    """A database may hold two-orbital points, or block structures, that this model says nothing about."""
    points, predictor = small
    other = two_orbitals()
    with pytest.warns(UserWarning, match="1 of .* points are not learned: this model learns 2 flavours. Fit each kind"):
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
