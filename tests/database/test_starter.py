# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""A database on top of another one that is never written to, and "starter"."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from triqs_mlsolver import Database, DiscreteBath, LearnedSolver, Problem
from triqs_mlsolver.app.cli import main
from triqs_mlsolver.database import DatabaseError, open_database, starter
from triqs_mlsolver.database.cache import DescriptorCache
from triqs_mlsolver.database.starter import starter_file
from triqs_mlsolver.decision.models import fitted_model
from triqs_mlsolver.exact.ed import ED
from triqs_mlsolver.lattice.bethe import bethe_problem, semicircle
from triqs_mlsolver.model.features.descriptor import Descriptor, Kind
from triqs_mlsolver.model.features.labelled_rows import as_numbers
from triqs_mlsolver.model.features.training_set import TrainingSet
from triqs_mlsolver.numerics import legendre
from triqs_mlsolver.problem.comparison import compare

KIND = "1+1 density-density"


def problem(U: float) -> Problem:
    return Problem.siam(beta=5.0, U=U, mu=0.4, eps=[-0.3, 0.6], V=[0.3, 0.4])


def add(db: Database, U: float):
    return db.add(problem(U), ED().solve(problem(U)))


@pytest.fixture
def base(tmp_path):
    """Three points in a file that nobody may write."""
    db = Database(tmp_path / "base.h5")
    for U in (1.0, 2.0, 3.0):
        add(db, U)
    db.compact()
    (tmp_path / "base.h5.journal").rmdir()
    (tmp_path / "base.h5").chmod(0o444)
    (tmp_path / "work").mkdir()
    return tmp_path / "base.h5"


def test_points_of_both_are_served_and_the_base_stays_as_it_is(base):
    before, own = base.read_bytes(), base.parent / "work" / "own.h5"
    db = Database(own, base=base)
    assert len(db) == 3 and not list(own.parent.iterdir())
    new = add(db, 4.0)
    assert add(db, 2.0).index == 1 and len(db) == 4  # a point of the base is there already
    db.remove(db[0].id, "a test")
    db.compact()
    for found in (db, Database(own, base=base), Database(own, base=base, read_only=True)):
        assert [float(p.problem.U[0, 1] * p.unit) for p in found] == pytest.approx([2.0, 3.0, 4.0])
        assert new in found.find(problem(4.0)) and found.info()["points_of_base"] == 3
    assert [p.id for p in Database(own)] == [new.id]
    assert base.read_bytes() == before and sorted(p.name for p in base.parent.iterdir()) == ["base.h5", "work"]


def test_several_writers_on_one_base(base):
    own = base.parent / "work" / "own.h5"
    one, two = Database(own, base=base), Database(own, base=base)
    add(one, 4.0)
    add(two, 5.0)
    assert [p.problem_id for p in one.refresh()] == [problem(5.0).id] and len(one) == 5


def test_in_memory_on_a_base(base):
    db = Database(None, base=base)
    add(db, 4.0)
    assert len(db) == 4 and len(Database(base, read_only=True)) == 3


def test_own_points_of_another_kind(base, tmp_path):
    """What a user computes on top of the starter may be anything."""
    with Database(tmp_path / "two.h5", base=base) as db:
        n = len(db)
        bath = DiscreteBath([0.2], [[0.3, 0.2]])
        other = Problem.from_bath(5.0, [("both", 2)], [np.diag([-1.0, -0.8])], [bath], [[0, 1], [1, 0]])
        db.add(other, ED().solve(other))
    again = Database(tmp_path / "two.h5", base=base)
    assert len(again) == n + 1 and again.kinds == {KIND: n, "2 density-density": 1}


def test_starter(base, monkeypatch):
    """The first solve of a newcomer uses it; what is learned is found again beside it."""
    monkeypatch.setattr(starter, "starter_file", lambda: str(base))
    monkeypatch.chdir(base.parent / "work")
    solver = LearnedSolver("starter", exact="ed")
    assert len(solver.database) == 3
    solver.solve(problem(4.0))
    assert len(open_database("starter")) == 4 and len(Database("mlsolver.h5")) == 1
    assert len(LearnedSolver("starter", exact="ed", learn=False).database) == 4
    said = CliRunner().invoke(main, ["info", "starter"])
    assert said.exit_code == 0 and "4 points" in said.output and "on top of   3 points" in said.output


def test_an_installation_without_starter_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(starter, "resources", lambda package: tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DatabaseError, match="make_starter.py"):
        open_database("starter")


@pytest.fixture(scope="module")
def script():
    """The script that makes the starter."""
    file = Path(__file__).resolve().parents[2] / "benchmarks" / "make_starter.py"
    spec = importlib.util.spec_from_file_location("make_starter", file)
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "make_starter", module)  # where its dataclass looks for itself
        spec.loader.exec_module(module)
    return module


def test_script(script, tmp_path):
    """At its smallest: a loop stores what the model does not know, and a repeated call computes nothing again."""
    script.make(tmp_path / "starter.h5", n_random=10, n_loops=3)
    db = Database(tmp_path / "starter.h5", read_only=True)
    assert {p.attributes["sampling"] for p in db} == {"sobol", "bethe"} and len(db) > 10
    assert all(
        {"seed", "version", "sampling_seed", "sampling_index", "package_version"} <= p.attributes.keys() for p in db
    )
    assert not (tmp_path / "starter.h5.journal").exists()
    rows = DescriptorCache(tmp_path / "starter.h5", KIND).get(db.ids, fitted_model(db, db[0].problem).training_.version)
    assert set(rows) == set(db.ids)


def test_bath_of_a_loop_keeps_its_weight(script):
    asked = bethe_problem(30.0, 2.0, 1.0, semicircle(30.0))
    discrete = script.discretised(asked, 5)
    assert discrete.scale == pytest.approx(asked.scale, rel=1e-12) and len(discrete.bath[0].eps) == 5
    tau = np.linspace(0, 30.0, 50)
    a, b = (legendre.evaluate(30.0, p.Delta_l[0][:, 0, 0], tau) for p in (asked, discrete))
    assert np.max(np.abs(a - b)) < 1e-3


# -- the file that is shipped


@pytest.fixture(scope="module")
def shipped():
    return Database(starter_file(), read_only=True)


def test_what_is_shipped(shipped):
    """Ranges, exact labels, and where each point comes from."""
    files = [Path(starter_file()), Path(f"{starter_file()}.1+1-density-density.cache")]
    assert sum(f.stat().st_size for f in files) < 10e6
    columns = shipped.table(("beta", "U", "x", "fidelity", "solver"))
    assert columns["beta"].min() < 1.0 and columns["beta"].max() > 100.0
    assert columns["U"].min() < 0.05 and columns["U"].max() > 5.9
    half_filled = np.max(np.abs(columns["x"]), axis=1) < 1e-9
    assert 200 < half_filled.sum() < len(shipped) - 800 and np.abs(columns["x"]).max() > 1.5
    assert set(columns["fidelity"]) == {"exact"} and set(columns["solver"]) == {"ed"}
    for point in shipped[::97]:
        assert {
            "seed",
            "version",
            "sampling",
            "sampling_seed",
            "sampling_index",
            "package_version",
        } <= point.attributes.keys()
        assert point.solution.G_l_error is None and point.problem.bath is not None


def test_shipped_labels_are_exact(shipped):
    """A point, solved again."""
    for point in (p for p in shipped[::211] if len(p.problem.bath[0].eps) < 6):
        again = ED().solve(point.problem)
        assert np.allclose(again.G_l[0], point.solution.G_l[0], atol=1e-9 * point.problem.beta)


def test_shipped_rows_are_those_of_this_version(shipped):
    """Where this fails the cheap solvers or the descriptor have changed: run benchmarks/make_starter.py --rows."""
    training = TrainingSet(Descriptor(), Kind(2, False))
    rows = DescriptorCache(starter_file(), KIND).get(shipped.ids, training.version)
    assert set(rows) == set(shipped.ids)
    for point in shipped[::83]:
        assert np.allclose(
            rows[point.id], as_numbers(training.rows_of(point.problem, point.solution)), rtol=1e-5, atol=1e-6
        )


class Nobody:
    """An exact solver that must not be asked."""

    name = "nobody"

    @staticmethod
    def supports(problem):
        return None

    def solve(self, problem):
        raise AssertionError("the model has no answer")


def test_first_solve_is_answered_by_the_model(tmp_path, monkeypatch):
    """At once: of all points, only the new problem is described. What is claimed holds against ED."""
    monkeypatch.chdir(tmp_path)
    described = []
    describe = Descriptor.describe
    monkeypatch.setattr(Descriptor, "describe", lambda self, p: (described.append(p), describe(self, p))[1])
    solver = LearnedSolver("starter", exact=Nobody(), audit_rate=0.0)
    for beta, U in ((20.0, 2.0), (50.0, 2.2), (10.0, 3.0)):
        problem = bethe_problem(beta, U, U / 2, semicircle(beta))
        found, exact = solver.solve(problem), ED(n_bath=5).solve(problem)
        decision, difference = solver.last_decision, compare(problem, found, exact)
        assert decision.source == "model"
        assert difference.error < decision.error_bound and difference.sigma_error < decision.sigma_bound
    assert len(described) == 3
    assert not list(tmp_path.glob("*.h5")) and not (tmp_path / "mlsolver.h5.cache").exists()
