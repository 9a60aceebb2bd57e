# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""`mlsolver info | merge | compact | export`: what they print and write, and what they refuse."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from click.testing import CliRunner

from triqs_mlsolver import Database, DiscreteBath, Problem
from triqs_mlsolver.app.cli import main
from triqs_mlsolver.decision.log import DecisionLog
from triqs_mlsolver.exact.ed import ED


def problem(U: float) -> Problem:
    return Problem.siam(beta=5.0, U=U, mu=0.4, eps=[-0.3, 0.6], V=[0.3, 0.4])


@pytest.fixture
def path(tmp_path):
    db = Database(tmp_path / "db.h5")
    for U in (1.0, 2.0, 3.0):
        db.add(problem(U), ED().solve(problem(U)))
    return tmp_path / "db.h5"


def run(*arguments) -> str:
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_info(path):
    log = DecisionLog(f"{path}.log")
    log.append(source="model")
    log.append(source="exact", audit=True, miss=True)
    said = run("info", path)
    assert "3 points" in said and "3 exact" in said and "2 solves, 1 exact, 1 audits, 1 of them missed" in said
    assert "U/D         1 to 3" in said
    info = json.loads(run("info", path, "--json"))
    assert info["points"] == 3 and info["digest"] == Database(path).digest


def test_merge_and_compact(path, tmp_path):
    other = Database(tmp_path / "other.h5")
    for U in (3.0, 4.0):
        other.add(problem(U), ED().solve(problem(U)))
    said = run("merge", tmp_path / "all.h5", path, tmp_path / "other.h5")
    assert "3 of 3 points were new" in said and "1 of 2 points were new" in said
    assert len(Database(tmp_path / "all.h5")) == 4
    assert "3 files of the journal" in run("compact", path)
    assert list((tmp_path / "db.h5.journal").iterdir()) == [] and len(Database(path)) == 3


@pytest.fixture
def mixed(path, tmp_path):
    """The three single orbitals of `path`, and one block of two flavours."""
    bath = DiscreteBath([0.1], [[0.3, 0.2]])
    both = Problem.from_bath(5.0, [("up", 2)], [np.zeros((2, 2))], [bath], [[0, 1], [1, 0]])
    Database(tmp_path / "two.h5").add(both, ED().solve(both))
    run("merge", path, tmp_path / "two.h5")
    return path


def test_databases_of_two_kinds_are_merged(mixed):
    assert Database(mixed).kinds == {"1+1 density-density": 3, "2 density-density": 1}
    told = run("info", mixed)
    assert "blocks      1+1, density-density interaction: 3 points" in told
    assert "blocks      2, density-density interaction: 1 points" in told


def test_several_kinds_are_exported_drawn_and_reported(mixed, tmp_path):
    run("export", mixed, tmp_path / "out.csv")
    run("export", mixed, tmp_path / "out.npz")
    with np.load(tmp_path / "out.npz", allow_pickle=False) as f:
        single = f["kind"] == "1+1 density-density"
        assert single.sum() == 3 and np.isnan(f["G_l_0"][single, :, 1, 1]).all()
        assert np.isfinite(f["G_l_0"][~single]).all() and np.isfinite(f["G_l_1"][single]).all()
    run("plot", "coverage", mixed, "-o", tmp_path / "coverage.png")
    run("report", mixed, "-o", tmp_path / "report.html")
    assert "by kind of problem" in (tmp_path / "report.html").read_text()
    run("compact", mixed)
    assert len(Database(mixed)) == 4


def test_validation_asks_which_kind(mixed):
    told = CliRunner().invoke(main, ["validate", str(mixed)])
    assert told.exit_code == 2 and 'name one by --kind, "1+1 density-density" (3 points), "2 density' in told.output
    told = CliRunner().invoke(main, ["validate", str(mixed), "--kind", "3 general"])
    assert told.exit_code == 2 and "'3 general' is not there" in told.output


def test_export_csv(path, tmp_path):
    run("export", path, tmp_path / "out.csv")
    with open(tmp_path / "out.csv", newline="") as f:
        rows = list(csv.DictReader(f))
    assert [r["id"] for r in rows] == Database(path).ids
    table = Database(path).table()
    assert np.array_equal([float(r["density_1"]) for r in rows], table["density"][:, 1])
    assert np.array_equal([float(r["nn_0_1"]) for r in rows], table["nn"][:, 0, 1])


def test_export_npz(path, tmp_path):
    run("export", path, tmp_path / "out.npz")
    with np.load(tmp_path / "out.npz", allow_pickle=False) as f:
        assert f["id"].tolist() == Database(path).ids
        n_l = len(Database(path)[1].solution.G_l[1])
        assert np.array_equal(f["G_l_1"][1, :n_l], Database(path)[1].solution.G_l[1])
        assert f["Delta_l_0"].shape[0] == 3


@pytest.mark.parametrize("arguments, code, message", [
    (["info", "none.h5"], 1, "there is no database none.h5"),
    (["compact", "none.h5"], 1, "there is no database"),
    (["merge", "all.h5", "none.h5"], 1, "there is no database"),
    (["merge", "all.h5"], 2, "OTHERS"),
    (["export", "none.h5", "out.csv"], 1, "there is no database"),
    (["export", "none.h5", "out.xls"], 2, "ends in none of .csv, .npz"),
    (["export", "text.h5", "none/out.csv"], 2, "none is no directory: create it"),
    (["plot", "coverage", "text.h5", "-o", "out.doc"], 2, "ends in none of .png, .pdf, .svg"),
    (["validate", "text.h5", "--store"], 1, "damaged or no HDF5 file"),
    (["info", "text.h5"], 1, "damaged or no HDF5 file"),
])  # fmt: skip
def test_refusals(tmp_path, monkeypatch, arguments, code, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.h5").write_text("no database")
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == code and message in result.output and "Traceback" not in result.output
    assert [p.name for p in tmp_path.iterdir()] == ["text.h5"]
