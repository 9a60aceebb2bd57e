# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Knowing what is not known: reach of parameters, baths that are unlike any stored one, and why."""

from types import SimpleNamespace

import numpy as np
import pytest
from support.learned import CHEAP, error_of

from triqs_mlsolver import Predictor, Problem
from triqs_mlsolver.exact.ed import ED
from triqs_mlsolver.model import Novelty, Prediction
from triqs_mlsolver.model.territory import Range, Territory
from triqs_mlsolver.tools.constants import REACH


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
    prediction = predictor.predict(family(**{"U": 1.5, **change}))
    assert reason in prediction.novel
    assert (prediction.novelty.cause, prediction.novelty.parameter) == ("parameter", reason)


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


def test_isolated_atom_is_left_to_the_exact_solver(small):
    prediction = small[1].predict(Problem.siam(5.0, 2.0, 1.0, [0.0], [0.0]))
    assert prediction.solution is None and "hybridisation vanishes" in prediction.novel


# -- what it is made of


def test_a_range_contains_its_limits():
    seen = Range("U", 1, 0.5, 2.0, mirrored=False)
    assert seen.contains(np.array([0.5, 2.0])) and not seen.contains(np.array([1.0, 2.1]))
    assert not seen.contains(np.array([-1.0]))
    level = Range("level", 2, -np.inf, 0.3, mirrored=True)
    assert level.contains(np.array([-0.3, 0.1])) and not level.contains(np.array([-0.4]))


def test_ranges_grow_with_the_data(small, family):
    """Each parameter of the description, found anew when there are more rows."""
    points, _ = small
    predictor = Predictor(approximations=CHEAP).fit(points)
    before = {r.name: r for r in predictor.territory_.ranges}
    assert set(before) == {"beta", "U", "level"} and before["level"].mirrored and before["level"].low == -np.inf
    assert before["beta"].low < np.log(points[0][0].canonical().beta) < before["beta"].high
    assert predictor.territory_.ranges is predictor.territory_.ranges
    new = family(4.0)
    predictor.add(new, ED().solve(new))
    assert {r.name: r for r in predictor.territory_.ranges}["U"].high > before["U"].high


def test_a_bath_is_novel_by_its_standard_deviation():
    """Nineteen of twenty stored points lie within the reach, a fifth of which is added."""
    territory = Territory([]).fit(np.linspace(0.0, 1.0, 101))
    assert territory.reach_ == pytest.approx(0.95)
    nowhere = SimpleNamespace(rows=())
    assert territory.novelty(nowhere, np.array([0.1, 0.999 * REACH * 0.95])) is None
    found = territory.novelty(nowhere, np.array([0.1, 1.001 * REACH * 0.95]))
    assert found == Novelty("bath", "the bath is unlike any stored one") and str(found) == found.sentence


def test_novelty_says_what_the_sentence_says():
    assert Prediction(None, 1.0, 1.0, None, 0.0).novel is None
    found = Prediction.of_nothing(Novelty("few points", "3 stored points are too few"))
    assert found.novel == "3 stored points are too few" and found.novelty.cause == "few points"
    assert found.solution is None and found.error_bound == found.sigma_bound == found.docc_bound == np.inf
