# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""`mlsolver validate`, and the settings it keeps with a database."""

import json
import os
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner

from triqs_mlsolver import Database, LearnedSolver, Problem
from triqs_mlsolver.app.cli import main
from triqs_mlsolver.database import DatabaseError
from triqs_mlsolver.database.model_settings import load_settings, save_settings
from triqs_mlsolver.exact.ed import ED


def problem(U):
    return Problem.siam(8.0, U, U / 2, [-0.5, 0.5], [0.35, 0.35])


@pytest.fixture
def database(tmp_path):
    """A file with twelve values of U."""
    db = Database(tmp_path / "bethe.h5")
    for U in np.linspace(0.5, 3.0, 12):
        db.add(problem(U), ED().solve(problem(U)))
    return db


def run(*arguments):
    return CliRunner().invoke(main, ["validate", *map(str, arguments)])


def test_the_winner_is_stored_and_used(database, tmp_path):
    picture = tmp_path / "errors.png"
    done = run(database.path, "--try", "approximations=ipt,ipt+hubbard_i+ed1", "--folds", 3, "--store", "-o", picture)
    assert done.exit_code == 0, done.output
    rows = [line for line in done.output.splitlines() if "approximations=" in line]
    assert len(rows) == 2 and float(rows[0].split()[0]) <= float(rows[1].split()[0])
    assert picture.stat().st_size > 5000
    kept = load_settings(database.path, "1+1 density-density")
    assert "=" + "+".join(np.atleast_1d(kept["approximations"])) in rows[0]
    save_settings(database.path, {"nu": 2.5, "approximations": ["ipt", "hubbard_i"]})
    solver = LearnedSolver(database.path, exact="ed", audit_rate=0)
    solver.solve(problem(1.6))
    assert solver.predictor.nu == 2.5 and solver.predictor.descriptor_.approximations == ("ipt", "hubbard_i")
    assert solver.predictor.regression_.settings.nu == 2.5


def test_a_second_start_needs_no_cheap_solvers_for_stored_points(database, monkeypatch):
    LearnedSolver(database.path, exact="ed", audit_rate=0).solve(problem(1.6))
    from triqs_mlsolver.model.features.descriptor import Descriptor

    described, describe = [], Descriptor.describe
    monkeypatch.setattr(Descriptor, "describe", lambda self, p: described.append(p) or describe(self, p))
    LearnedSolver(database.path, exact="ed", audit_rate=0).solve(problem(1.7))
    assert len(described) <= 2, "the new problem, and at most the point that came last"


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("--try", "nu"), "write name=value,value"),
        (("--try", "kernel=1"), "are no settings"),
        (("--try", "nu=3"), "choose one of 0.5, 1.5, 2.5, 3.5"),
        (("--try", "nu=smooth"), "nu = 'smooth' is not known"),
        (("--try", "confidence=2"), "no probability"),
        (("--try", "pca=0"), "at least one component"),
        (("-o", "none/errors.png"), "none is no directory"),
        (("-o", "errors.xyz"), "ends in none of .png, .pdf, .svg"),
        (("--try", "representation=fourier"), "'fourier' is not known"),
        (("--try", "approximations=dmft"), "approximation 'dmft' is not known"),
        (("--scheme", "scan", "--folds", "13"), "too few to leave some out"),
    ],
    ids=str,
)
def test_mistakes_are_said_in_one_line(database, arguments, message):
    done = run(database.path, *arguments)
    assert done.exit_code != 0 and message in done.output and "Traceback" not in done.output


def test_a_missing_database_is_not_created(tmp_path):
    done = run(tmp_path / "none.h5")
    assert done.exit_code == 1 and "there is no database" in done.output and not list(tmp_path.iterdir())


def test_settings_that_cannot_be_stored_cost_no_fit(database, monkeypatch):
    from triqs_mlsolver.app.commands import _files
    from triqs_mlsolver.model import Predictor

    monkeypatch.setattr(_files, "os", SimpleNamespace(access=lambda *_: False, W_OK=os.W_OK))
    monkeypatch.setattr(Predictor, "search", lambda *_, **__: pytest.fail("computed in vain"))
    done = run(database.path, "--store")
    assert done.exit_code == 2 and "cannot be written (permission denied)" in done.output


def test_damaged_settings_are_named(database):
    with open(f"{database.path}.model", "w") as stream:
        stream.write("{nu: 2.5")
    with pytest.raises(DatabaseError, match=r"bethe.h5.model is not valid JSON .* mlsolver validate again"):
        LearnedSolver(database.path, exact="ed").solve(problem(1.0))
    with open(f"{database.path}.model", "w") as stream:
        json.dump([1], stream)
    with pytest.raises(DatabaseError, match="holds no settings"):
        load_settings(database.path)
    save_settings(database.path, {"nue": 2.5})
    with pytest.raises(DatabaseError, match="bethe.h5.model names nue, which the model does not have .*, nu, "):
        LearnedSolver(database.path, exact="ed").solve(problem(1.0))
