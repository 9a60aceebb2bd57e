# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""A database on top of another one that is never written to, and "starter"."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from triqs_mlsolver import Database, LearnedSolver, Problem
from triqs_mlsolver.cli import main
from triqs_mlsolver.database import DatabaseError, open_database, starter
from triqs_mlsolver.exact.ed import ED


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


def test_own_points_of_another_kind_are_refused(base, tmp_path):
    from triqs_mlsolver.database import snapshot

    snapshot.write(str(tmp_path / "two.h5"), None, [], [], {"blocks": [2], "interaction": "general"}, {})
    with pytest.raises(DatabaseError, match="use one database for each"):
        Database(tmp_path / "two.h5", base=base)


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


def test_script(tmp_path, monkeypatch):
    """The script that makes the starter, at its smallest."""
    file = Path(__file__).resolve().parents[1] / "benchmarks" / "make_starter.py"
    spec = importlib.util.spec_from_file_location("make_starter", file)
    script = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, script)  # where dataclasses look for it
    spec.loader.exec_module(script)
    script.make(tmp_path / "starter.h5", n_random=4, n_bethe=2, exact="ed", target_error=0.01)
    db = Database(tmp_path / "starter.h5", read_only=True)
    assert len(db) == 6 and {p.attributes["sampling"] for p in db} == {"sobol", "dmft"}
    assert all({"seed", "version", "sampling_seed", "package_version"} <= p.attributes.keys() for p in db)
    assert not (tmp_path / "starter.h5.journal").exists()
