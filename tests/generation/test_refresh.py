# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Where a budget of exact runs goes: missed audits, noisy labels, uncertain and informative problems."""

from __future__ import annotations

import importlib
import logging
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from mpi_scripts.launcher import mpiexec

from triqs_mlsolver import Database, LearnedSolver, Problem
from triqs_mlsolver.app.cli import main
from triqs_mlsolver.database import DatabaseError
from triqs_mlsolver.decision.log import DecisionLog
from triqs_mlsolver.exact.ed import ED
from triqs_mlsolver.generation.candidates import Candidates, most_uncertain, recombined
from triqs_mlsolver.generation.generate import generate
from triqs_mlsolver.generation.refresh import refresh
from triqs_mlsolver.lattice.bethe import bethe_problem, semicircle
from triqs_mlsolver.model import Predictor

BOUNDS = {"n_bath": 2, "beta": (2.0, 20.0), "U": (0.5, 3.0)}


@pytest.fixture(autouse=True)
def few_candidates(monkeypatch):
    module = importlib.import_module("triqs_mlsolver.generation.refresh")
    monkeypatch.setattr(module, "_POOL", 60)
    monkeypatch.setattr(module, "_PROBES", 20)


@pytest.fixture(scope="module")
def filled():
    database = Database(None)
    generate(database, 12, draw="uniform", exact="ed", bounds=BOUNDS)
    return database


@pytest.fixture
def database(filled, tmp_path):
    """Twelve points on disk."""
    db = Database(tmp_path / "db.h5")
    db.merge(filled)
    return db


class Recording:
    """ED with a seed of its own in every answer, which it remembers, and with error bars if asked."""

    name = "recording"

    def __init__(self, error: float = 0.0):
        self.asked, self.error = [], error

    def solve(self, problem: Problem):
        self.asked.append(problem)
        return noisy(ED().solve(problem), self.error, seed=100 + len(self.asked))


def noisy(solution, error: float, seed: int):
    provenance = {**solution.provenance, "solver": "recording", "seed": seed, "G_tau_noise": error}
    bars = tuple(np.full_like(g, error) for g in solution.G_l)
    return replace(solution, G_l_error=bars, provenance=provenance)


def test_the_budget_goes_to_informative_problems(database):
    oracle = Recording()
    done = refresh(database, budget=13, exact=oracle)
    assert done.runs == {"informative": 13} and len(oracle.asked) == 13 and len(database) == 25
    assert (done.before.points, done.after.points, done.refused) == (12, 25, 0)
    assert len({p.id for p in oracle.asked}) == 13
    table = Database(database.path).table(("beta", "U"))
    assert table["U"].max() <= 3.001 and table["beta"].max() <= 20.01  # within the range that was stored
    model = Predictor().fit(database)
    assert done.after.error[1] == pytest.approx(np.quantile(model.leave_out_error_["G"], 0.95), rel=0.5)


def test_an_informative_problem_is_one_the_model_does_not_know(database):
    """Chosen candidates have larger bounds than candidates have on average, and no problem is stored twice."""
    model = Predictor().fit(database)
    usual = Candidates(recombined([p.problem for p in database], np.random.default_rng(3), 60)).bounds(model)
    oracle = Recording()
    refresh(database, budget=8, exact=oracle)
    assert np.median(Candidates(oracle.asked).bounds(model)) > 1.5 * np.median(usual)


def test_a_noisy_label_is_replaced_by_a_better_one(database):
    problem = Problem.siam(beta=5.0, U=1.0, mu=0.4, eps=[-0.3, 0.6], V=[0.3, 0.4])
    old = database.add(problem, noisy(ED().solve(problem), 0.02, seed=1))
    done = refresh(database, budget=1, exact=Recording(1e-4))
    assert done.runs == {"noisy label": 1}
    assert [p.attributes["seed"] for p in database.find(problem)] == [101]
    assert "smaller error bars" in database.removed[old.id]["why"]
    assert len(Database(database.path)) == 13


def test_a_label_that_got_no_better_stays(database):
    problem = Problem.siam(beta=5.0, U=1.0, mu=0.4, eps=[-0.3, 0.6], V=[0.3, 0.4])
    database.add(problem, noisy(ED().solve(problem), 0.02, seed=1))
    refresh(database, budget=1, exact=Recording(0.018))
    assert len(database.find(problem)) == 2 and not database.removed


def test_cheap_entries_are_computed_by_those_who_can_do_better(database):
    problem = Problem.siam(beta=5.0, U=1.0, mu=0.4, eps=[-0.3, 0.6], V=[0.3, 0.4])
    cheap = database.add(problem, noisy(ED().solve(problem), 0.0, seed=1), fidelity="ed3")
    assert refresh(database, budget=1, exact=Recording()).runs == {"noisy label": 1}
    assert [p.fidelity for p in database.find(problem)] == ["ed3", "exact"]
    assert cheap not in database.best_points()


def test_missed_audits_and_uncertain_problems_come_from_the_log(database):
    missed, uncertain = database[3], Problem.siam(beta=8.0, U=2.0, mu=0.7, eps=[-0.2, 0.5], V=[0.35, 0.35])
    scaled = uncertain.scaled(2.5)
    log = DecisionLog(database.path + ".log")
    common = {"tolerance": 0.002, "sigma_tolerance": 0.02, "sigma_bound": 0.001}
    log.append(source="exact", problem_id=missed.problem_id, audit=True, miss=True, error_bound=0.001, **common)
    log.append(source="exact", problem_id=database[4].problem_id, audit=True, miss=False, error_bound=0.001, **common)
    log.append(source="model", problem_id=uncertain.id, error_bound=0.0019, problem=scaled, **common)
    known = database[5].problem
    log.append(source="model", problem_id=known.id, error_bound=0.0015, problem=known, **common)
    oracle = Recording()
    done = refresh(database, budget=10, exact=oracle)
    assert done.runs == {"missed in an audit": 1, "uncertain in a run": 1, "informative": 8}
    assert [p.id for p in oracle.asked[:2]] == [missed.problem_id, uncertain.id]
    assert len(database.find(missed.problem)) == 2
    again = Recording()
    assert refresh(database, budget=1, exact=again).runs == {"informative": 1}  # both are settled


def test_the_log_keeps_what_was_uncertain(tmp_path, filled, monkeypatch):
    """A model's answer near the tolerance leaves its problem, one far below it does not."""
    monkeypatch.setattr(logging.getLogger("triqs_mlsolver"), "level", logging.ERROR)
    path = tmp_path / "db.h5"
    Database(path).merge(filled)
    problem = replace(filled[0].problem, U=1.0001 * filled[0].problem.U).scaled(3.0)  # itself it would be served
    bound = Predictor(random_state=34788).fit(filled).predict(problem)
    for share, kept in ((1.5, 1), (100.0, 1)):
        options = {"tolerance": share * bound.error_bound, "sigma_tolerance": share * bound.sigma_bound}
        LearnedSolver(path, exact="ed", audit_rate=0.0, **options).solve(problem)
        found = DecisionLog(f"{path}.log").problems()
        assert len(found) == kept
    row, stored = found[0]
    assert stored == problem and row["source"] == "model" and row["problem_id"] == problem.id
    assert "inputs" not in DecisionLog(f"{path}.log").read()


def test_time_is_a_limit_too(database):
    assert refresh(database, minutes=1e-6, exact=Recording()).runs == {}


def test_refused_runs_count_and_are_left_for_replay(database):
    class Broken(Recording):
        def solve(self, problem):
            solution = super().solve(problem)
            return replace(solution, nn=solution.nn * np.nan)

    done = refresh(database, budget=3, exact=Broken())
    assert (sum(done.runs.values()), done.refused, len(database)) == (3, 3, 12)
    assert len(database.refused()) == 3


@pytest.mark.parametrize("arguments, error, message", [
    ({}, ValueError, "give a budget"),
    ({"budget": 0}, ValueError, "at least 1"),
    ({"minutes": -1}, ValueError, "positive time"),
    ({"budget": "some"}, TypeError, "budget = 'some' is not a number: give a whole number of exact runs"),
    ({"budget": 1, "tolerance": 0}, ValueError, "tolerance = 0 is not possible: give a positive error bound"),
    ({"budget": 1, "seed": -1}, ValueError, "seed = -1 is not possible"),
    ({"budget": 1, "options": {"max_tim": 3}}, TypeError, "no option 'max_tim': did you mean 'max_time'"),
    ({"budget": 1, "exact": "dmrg"}, ValueError, "not an exact solver"),
])  # fmt: skip
def test_impossible_calls(database, arguments, error, message):
    with pytest.raises(error, match=message):
        refresh(database, **arguments)


def test_too_small_a_database():
    with pytest.raises(DatabaseError, match="too few exact answers"):
        refresh(Database(None), budget=1, exact="ed")


@pytest.mark.parametrize("how", ["apart", "share"])
def test_ranks(database, how):
    """Each rank takes problems of its own, or all share each run; either way the budget is kept."""
    run = mpiexec(2, "refreshing.py", database.path, "5", how)
    assert run.returncode == 0, run.stderr
    first, second = (line.split() for line in run.stdout.splitlines())
    assert first[:3] == ["0", "5", "17"] and second[:3] == ["1", "5", "17"]
    asked = (first[3:], second[3:])
    assert asked[0] == asked[1] if how == "share" else (len(asked[0]), len(asked[1])) == (3, 2)
    assert len(set(asked[0] + asked[1])) == 5 and len(Database(database.path)) == 17


# -- candidates --------------------------------------------------------------------------------------------------------


def test_between_two_points_of_a_scan():
    """Problems with a continuous bath: same β, Δ a mixture, of the weight both have."""
    stored = [bethe_problem(20.0, U, U / 2, semicircle(20.0, d)) for U, d in ((1.0, 1.0), (2.0, 0.8), (2.5, 0.6))]
    new = recombined(stored, np.random.default_rng(0), 20)
    assert all(p.beta == pytest.approx(20.0) and p.is_particle_hole_symmetric() for p in new)
    assert all(1.0 <= p.U[0, 1] <= 2.5 and p.scale == pytest.approx(1.0, rel=1e-6) for p in new)
    assert len({p.id for p in new}) == 20


def test_choice_takes_no_neighbours(filled):
    """Of problems that come in near twins one each; the first is the one with the largest bound."""
    problems = recombined([p.problem for p in filled], np.random.default_rng(8), 6)
    twins = [replace(p, U=p.U * (1 + 1e-4), bath=None) for p in problems]
    model, candidates = Predictor().fit(filled), Candidates([*problems, *twins])
    chosen = most_uncertain(candidates, model, 6)
    assert chosen[0] == np.argmax(candidates.bounds(model)) and sorted(k % 6 for k in chosen) == list(range(6))
    assert sorted(most_uncertain(candidates, model, 20)) == list(range(12))


def test_covariance_is_that_of_a_model_that_knows_more(filled):
    """What remains after one more point is the covariance less its share; on the diagonal, the model's own variance."""
    problems = recombined([p.problem for p in filled], np.random.default_rng(9), 4)
    model, candidates = Predictor().fit(filled), Candidates(problems)
    before = candidates.covariance(model)
    std = [model._ask(rows, model._features(rows))[1][0] for rows in candidates._rows]
    assert np.allclose(np.sqrt(np.diag(before[1] + before[-1])), std, atol=1e-4)
    model.add(problems[0], ED().solve(problems[0]))
    after = candidates.covariance(model)
    for parity, c in before.items():
        assert np.allclose(after[parity], c - np.outer(c[0], c[0]) / (c[0, 0] + model.kernel_.alpha), atol=1e-5)


# -- the command -------------------------------------------------------------------------------------------------------


def test_command(database):
    result = CliRunner().invoke(main, ["refresh", database.path, "--budget", "2", "--exact", "ed"])
    assert result.exit_code == 0, result.output
    assert "2 exact runs" in result.output and len(Database(database.path)) == 14
    rows = {line.split()[0]: line.split()[1] for line in result.output.splitlines() if line[:6] in ("before", "after ")}
    assert rows == {"before": "12", "after": "14"}


@pytest.mark.parametrize("arguments, code, message", [
    ([], 2, "nothing to spend"),
    (["--budget", "0"], 2, "--budget"),
    (["--budget", "1", "--tolerance", "0"], 2, "--tolerance"),
    (["--budget", "1"], 1, "there is no database"),
])  # fmt: skip
def test_command_refuses(tmp_path, arguments, code, message):
    result = CliRunner().invoke(main, ["refresh", str(tmp_path / "db.h5"), *arguments])
    assert result.exit_code == code and message in result.output and list(tmp_path.iterdir()) == []
