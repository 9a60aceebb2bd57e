# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Every command opens a database in the same way: a file, "starter", and what is none of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from triqs_mlsolver import Database, LearnedSolver, Problem
from triqs_mlsolver.app.cli import main
from triqs_mlsolver.database import starter
from triqs_mlsolver.exact.ed import ED

#: Commands that read the database X: what is said of one with 6 points.
READING = {
    "info X": "6 points",
    "export X out.csv": "out.csv: 6 points",
    "validate X --folds 6": "6 points, 6 folds",
    "plot coverage X": "written: coverage.png",
    "plot decision X": "written: decision.png",
    "report X -o page.html": "written: page.html",
    "doctor --database X": "6 points",
    "merge all.h5 X": "X: 6 of 6 points were new",
}
READING_LOG = {
    "log X": "12 solves",
    "plot history X": "written: history.png",
    "plot reliability X": "written: reliability.png",
}
CHANGING = {
    "compact X": "6 points, 6 files of the journal folded in",
    "merge X other.h5": "other.h5: 1 of 1 points were new",
    "generate X --n 1 --exact ed --n-bath 1": "1 points of this sampling, 1 of them computed now",
    "refresh X --budget 1 --exact ed": "1 exact runs",
}


def problem(U: float) -> Problem:
    return Problem.siam(5.0, U, U / 2, [-0.5, 0.5], [0.35, 0.35])


def filled(path: Path, values) -> Path:
    database = Database(path)
    for U in values:
        database.add(problem(U), ED().solve(problem(U)))
    return path


@pytest.fixture(scope="module")
def a_log(tmp_path_factory) -> bytes:
    """What twelve solves have left, all of them audited."""
    path = tmp_path_factory.mktemp("log") / "db.h5"
    solver = LearnedSolver(path, exact="ed", audit_rate=1)
    for U in np.linspace(1.0, 2.0, 12):
        solver.solve(problem(U))
    return Path(f"{path}.log").read_bytes()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with another database, beside it the one that comes with the package."""
    monkeypatch.setattr(starter, "starter_file", lambda: str(tmp_path / "package" / "starter.h5"))
    (tmp_path / "package").mkdir()
    Database(filled(tmp_path / "package" / "starter.h5", np.linspace(0.5, 3, 6))).compact()
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    filled(Path("other.h5"), [3.5])
    return Path()


def run(line: str, name: str) -> tuple[int, str]:
    """Exit code and output, on one line, of a command for the database `name`."""
    result = CliRunner().invoke(main, line.replace("X", name).split())
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, " ".join(result.output.split())


def listing(folder: Path) -> set[str]:
    return {str(path) for path in folder.rglob("*")}


@pytest.mark.parametrize("line", [*READING, *READING_LOG, *CHANGING])
def test_a_file_is_opened(folder, a_log, line):
    filled(folder / "db.h5", np.linspace(0.5, 3, 6))
    Path("db.h5.log").write_bytes(a_log)
    code, said = run(line, "db.h5")
    expected = (READING | READING_LOG | CHANGING)[line]
    assert code == 0 and expected.replace("X", "db.h5") in said, said


@pytest.mark.parametrize("line", READING)
def test_the_starter_is_read(folder, line):
    code, said = run(line, "starter")
    assert code == 0 and READING[line].replace("X", "starter") in said, said
    assert not [name for name in listing(folder) if name.startswith(("mlsolver.h5", "starter"))]


@pytest.mark.parametrize("line", READING_LOG)
def test_the_log_of_the_starter_is_that_of_the_working_directory(folder, a_log, line):
    code, said = run(line, "starter")
    assert code == 1 and "mlsolver.h5.log (of what is solved with the starter in this directory) is not there" in said
    Path("mlsolver.h5.log").write_bytes(a_log)
    code, said = run(line, "starter")
    assert code == 0 and READING_LOG[line] in said


@pytest.mark.parametrize("line", ["compact X", "merge X other.h5"])
def test_the_starter_is_not_written_to(folder, line):
    before = listing(folder)
    code, said = run(line, "starter")
    assert code == 2 and "the starter comes with the package and is never written to: name a file of your own" in said
    assert "such as mlsolver.h5" in said and listing(folder) == before


@pytest.mark.parametrize("line", ["generate X --n 1 --exact ed --n-bath 1", "refresh X --budget 1 --exact ed"])
def test_what_is_added_to_the_starter_is_in_the_working_directory(folder, a_log, line):
    code, said = run(line, "starter")
    assert code == 0 and "mlsolver.h5: " in said and CHANGING[line] in said
    assert len(Database("mlsolver.h5")) == 1 and len(Database(starter.starter_file(), read_only=True)) == 6


def test_the_report_names_the_starter_below_the_working_directory(folder):
    assert run("report X", "starter") == (0, "written: starter.html")
    text = Path("starter.html").read_text(encoding="utf-8")
    assert f"<td>on top of</td><td>6 points of {starter.starter_file()}</td>" in text


def test_a_file_may_have_the_name_of_the_starter(folder):
    filled(folder / "starter", [1.0, 2.0])
    assert "2 points" in run("info X", "./starter")[1]
    assert "2 points, 2 files" in run("compact X", "./starter")[1]


@pytest.mark.parametrize("line", [*READING, *READING_LOG, "compact X", "refresh X --budget 1 --exact ed"])
def test_a_missing_file_is_said_and_not_created(folder, line):
    before = listing(folder)
    code, said = run(line, "none.h5")
    assert listing(folder) == before
    if line.startswith("doctor"):  # it is about databases to come, too
        assert code == 0 and "none yet, created by the first solve" in said
    elif line in READING_LOG:
        assert code == 1 and "the decision log none.h5.log is not there: name a database that a Solver has used" in said
    else:
        assert code == 1 and said.endswith(
            "there is no database none.h5: correct the path, or fill one (mlsolver generate)"
        )


@pytest.mark.parametrize("line", [*READING, *CHANGING])
def test_a_file_of_something_else_is_said_and_not_touched(folder, line):
    (folder / "text.h5").write_text("my notes")
    before = listing(folder)
    code, said = run(line, "text.h5")
    assert code == 1 and "text.h5 (8 bytes) is damaged or no HDF5 file" in said and "Traceback" not in said
    assert "journal" not in said, "there is none"
    assert listing(folder) == before and (folder / "text.h5").read_text() == "my notes"


@pytest.mark.parametrize("line", READING_LOG)
def test_a_log_of_something_else_is_said(folder, line):
    (folder / "text.h5.log").write_text("my notes")
    code, said = run(line, "text.h5")
    assert code == 1 and "the decision log text.h5.log holds no decision" in said


@pytest.mark.parametrize("line", [*READING, *READING_LOG, *CHANGING])
def test_a_directory_is_said(folder, line):
    (folder / "data").mkdir()
    before = listing(folder)
    code, said = run(line, "data")
    assert code == 1 and "data is a directory" in said and listing(folder) == before
    assert line.startswith("doctor") or "give the name of a file in it, such as" in said and "data/mlsolver.h5" in said


@pytest.mark.parametrize("line", ["plot coverage X", "plot decision X", "report X"])
def test_a_database_without_points_shows_nothing(folder, line):
    Database("empty.h5").add(problem(1.0), ED().solve(problem(1.0)))
    database = Database("empty.h5")
    database.remove(database.ids, "for this test")
    code, said = run(line, "empty.h5")
    assert code == 1 and "empty.h5 has no points yet: fill it first (mlsolver generate)" in said


def test_the_demo_begins_with_the_starter_alone(folder):
    code, said = run("demo --database X", "db.h5")
    assert code == 2 and "'db.h5' cannot be begun with: give \"starter\", or leave the option out" in said


def test_an_installation_without_starter_is_said_by_all(folder, monkeypatch):
    def missing():
        raise starter.DatabaseError("this installation has no starter database: install the package with its data")

    monkeypatch.setattr(starter, "starter_file", missing)
    for line in READING:
        code, said = run(line, "starter")
        assert code == 1 and "this installation has no starter database" in said, line


@pytest.mark.parametrize("line", ["export X none/out.csv", "plot coverage X -o none/a.png", "report X -o none/a.html"])
def test_where_nothing_can_be_written_is_said_before_the_database_is_read(folder, line):
    code, said = run(line, "none.h5")
    assert code == 2 and "none is no directory: create it, or write elsewhere" in said
