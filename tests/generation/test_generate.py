# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Filling a database: exactly n points, nothing twice, whoever fails or is killed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from mpi_scripts.launcher import mpiexec

from triqs_mlsolver import Database
from triqs_mlsolver.app.cli import main
from triqs_mlsolver.database.store import read_replay
from triqs_mlsolver.exact.ed import ED
from triqs_mlsolver.exact.registry import NoExactSolver
from triqs_mlsolver.generation.generate import TooManyRefused, dealt, generate, sequence
from triqs_mlsolver.tools.mpi import Comm

TWO_SITES = {"n_bath": 2}


class Counting:
    """ED that remembers what it has solved; what is wrong with the answers is said by `spoil(problem, solution)`."""

    name = "ed"

    def __init__(self, spoil=lambda problem, solution: solution):
        self.solved, self.spoil = [], spoil

    def solve(self, problem):
        self.solved.append(problem.id)
        return self.spoil(problem, ED().solve(problem))


def test_points_are_those_of_the_sampling(tmp_path):
    done = generate(tmp_path / "db.h5", 5, draw="sobol", exact="ed", seed=3, bounds=TWO_SITES)
    assert (done.points, done.computed, done.refused) == (5, 5, 0)
    stored, drawn = Database(tmp_path / "db.h5"), sequence("sobol", 3, **TWO_SITES)
    assert sorted(p.problem_id for p in stored) == sorted(drawn[i].id for i in range(5))
    for point in stored:
        a = point.attributes
        assert (a["sampling"], a["sampling_seed"], a["solver"]) == ("sobol", 3, "ed")
        assert drawn[a["sampling_index"]].id == point.problem_id
        assert np.allclose(point.solution.nn, ED().solve(drawn[a["sampling_index"]]).nn, atol=1e-9)


def test_what_is_there_is_not_computed_again(tmp_path):
    first, second = Counting(), Counting()
    generate(tmp_path / "db.h5", 4, draw="uniform", exact=first, bounds=TWO_SITES)
    done = generate(tmp_path / "db.h5", 7, draw="uniform", exact=second, bounds=TWO_SITES)
    assert (len(first.solved), len(second.solved), done.computed) == (4, 3, 3)
    assert len(set(first.solved + second.solved)) == len(Database(tmp_path / "db.h5")) == 7


@pytest.mark.parametrize("path", ["db.h5", None])
def test_refused_problems_are_replaced_and_not_tried_again(tmp_path, path):
    drawn = sequence("uniform", 0, **TWO_SITES)
    bad = {drawn[i].id for i in (1, 3)}
    spoil = lambda p, s: replace(s, nn=s.nn * np.nan) if p.id in bad else s
    solver = Counting(spoil)
    database = Database(None if path is None else tmp_path / path)
    done = generate(database, 6, draw="uniform", exact=solver, bounds=TWO_SITES)
    assert (done.points, done.computed, done.refused) == (6, 6, 2)
    assert {p.problem_id for p in database} == {drawn[i].id for i in (0, 2, 4, 5, 6, 7)}
    if path is None:
        return
    problem, attributes = read_replay(next((tmp_path / "db.h5.replay").iterdir()))
    assert problem.id in bad and "NaN" in attributes["why"]
    again = Counting(spoil)
    assert generate(tmp_path / path, 6, draw="uniform", exact=again, bounds=TWO_SITES).computed == 0
    assert again.solved == []


def test_a_run_that_fails_is_refused_with_its_reason(tmp_path):
    drawn = sequence("uniform", 0, **TWO_SITES)

    def spoil(problem, solution):
        if problem.id == drawn[0].id:
            raise RuntimeError("max_time left time for nothing")
        return solution

    generate(tmp_path / "db.h5", 2, draw="uniform", exact=Counting(spoil), bounds=TWO_SITES)
    assert "max_time left" in read_replay(next((tmp_path / "db.h5.replay").iterdir()))[1]["why"]


def test_hopeless_runs_end(tmp_path):
    nothing_good = Counting(lambda p, s: replace(s, nn=s.nn * np.nan))
    with pytest.raises(TooManyRefused, match="runs are too short"):
        generate(tmp_path / "db.h5", 12, draw="uniform", exact=nothing_good, bounds=TWO_SITES)
    assert len(nothing_good.solved) == 12


def test_cheap_answers_live_beside_exact_ones(tmp_path):
    path = tmp_path / "db.h5"
    assert generate(path, 3, draw="uniform", exact="ed1", bounds=TWO_SITES).computed == 3
    assert generate(path, 3, draw="uniform", exact="ed", bounds=TWO_SITES).computed == 3
    assert generate(path, 3, draw="uniform", exact="ed1", bounds=TWO_SITES).computed == 0
    database = Database(path)
    assert sorted(p.fidelity for p in database) == ["ed1"] * 3 + ["exact"] * 3
    assert len({p.problem_id for p in database}) == 3


@pytest.mark.parametrize("arguments, error, message", [
    ({"n": 0}, ValueError, "whole number of at least 1"),
    ({"n": 2, "exact": "segmnt"}, ValueError, "did you mean 'segment'"),
    ({"n": 2, "draw": "grid"}, ValueError, "choose one of lecture"),
    ({"n": 2, "bounds": {"U": (2, 1)}}, ValueError, "the lower one first"),
    ({"n": "ten"}, TypeError, "n = 'ten' is not a number: give the number of points"),
    ({"n": 2, "seed": -1}, ValueError, "seed = -1 is not possible"),
    ({"n": 2, "bounds": {"betas": (1, 2)}}, TypeError, "a sampling has no option 'betas': did you mean 'beta'"),
    ({"n": 2, "draw": "dmft", "bounds": {"Us": (1, 2)}}, TypeError, "has no option 'Us': did you mean 'U'"),
    ({"n": 2, "options": {"n_cycle": 100}}, TypeError, "no option 'n_cycle': did you mean 'n_cycles'"),
])  # fmt: skip
def test_impossible_calls_are_refused_before_anything_runs(tmp_path, arguments, error, message):
    with pytest.raises(error, match=message):
        generate(tmp_path / "db.h5", **arguments)
    assert list(tmp_path.iterdir()) == []


def test_a_solver_that_takes_no_such_problem_is_an_error(tmp_path):
    class Picky(Counting):
        def solve(self, problem):
            raise NoExactSolver("not this one")

    with pytest.raises(NoExactSolver):
        generate(tmp_path / "db.h5", 2, exact=Picky())


@pytest.mark.parametrize("size", [1, 2, 3])
def test_every_task_is_dealt_once_and_evenly(size):
    hands = []
    for rank in range(size):
        comm = Comm()
        comm.rank, comm.size = rank, size
        hands.append(dealt(list(range(60, 0, -1)), comm))
    assert sorted(sum(hands, [])) == list(range(1, 61))
    assert max(map(sum, hands)) - min(map(sum, hands)) <= size


def solves(path) -> list[str]:
    return (path.parent / f"{path.name}.solves").read_text().split()


def test_ranks_share_the_work(tmp_path):
    run = mpiexec(2, "generating.py", str(tmp_path / "db.h5"), "9", "go", "0")
    assert run.returncode == 0, run.stderr
    assert sorted(line.split() for line in run.stdout.splitlines()) == [["0", "9", "9", "0"], ["1", "9", "9", "0"]]
    assert len(solves(tmp_path / "db.h5")) == len(set(solves(tmp_path / "db.h5"))) == 9
    drawn = sequence("sobol", 0, **TWO_SITES)
    assert {p.problem_id for p in Database(tmp_path / "db.h5")} == {drawn[i].id for i in range(9)}


@pytest.mark.parametrize("how", ["raise", "kill"])
def test_stopped_and_repeated_it_ends_with_exactly_n_points(tmp_path, how):
    path = tmp_path / "db.h5"
    run = mpiexec(2, "generating.py", str(path), "9", how, "1")
    assert run.returncode != 0
    if how == "raise":
        assert run.stderr.count("ZeroDivisionError: the third problem") == 1 and "rank 1 of 2 failed" in run.stderr
    stored, begun = {point.problem_id for point in Database(path)}, len(solves(path))
    assert 2 <= len(stored) <= begun < 9  # a run may have been killed between its end and its being stored
    assert mpiexec(2, "generating.py", str(path), "9", "go", "0").returncode == 0
    assert len(Database(path)) == 9
    again = solves(path)[begun:]
    assert len(again) == len(set(again)) == 9 - len(stored) and not stored & set(again), (
        "nothing stored is computed again"
    )


# -- the command -------------------------------------------------------------------------------------------------------


def test_command(tmp_path):
    path = tmp_path / "db.h5"
    call = ["generate", str(path), "--n", "3", "--exact", "ed", "--sampling", "sobol", "--n-bath", "2", "--U", "1", "2"]
    result = CliRunner().invoke(main, call)
    assert result.exit_code == 0 and "3 points of this sampling, 3 of them computed now" in result.output
    assert "0 of them computed now" in CliRunner().invoke(main, call).output
    U = Database(path).table(("U",))["U"]
    assert len(U) == 3 and np.all((U >= 1) & (U <= 2))


@pytest.mark.parametrize("arguments, code, message", [
    (["--n", "3", "--beta", "5", "1"], 2, "the lower one first"),
    (["--n", "0"], 2, "--n"),
    (["--n", "3", "--exact", "dmrg"], 2, "--exact"),
    (["--n", "3", "--exact", "ed"], 1, "does not exist: create it"),
])  # fmt: skip
def test_command_refuses(tmp_path, arguments, code, message):
    result = CliRunner().invoke(main, ["generate", str(tmp_path / "none" / "db.h5"), *arguments])
    assert result.exit_code == code and message in result.output and "Traceback" not in result.output
