# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""What `mlsolver` refuses, and how: a message that says what to do, an exit code, no traceback."""

from __future__ import annotations

import os
from pathlib import Path
from pkgutil import iter_modules

import pytest
from click.testing import CliRunner

from triqs_mlsolver.app import commands, demo
from triqs_mlsolver.app.cli import main
from triqs_mlsolver.tools import mpi

COMMANDS = [m.name for m in iter_modules(commands.__path__) if not m.name.startswith("_")]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(name):
    result = CliRunner().invoke(main, [name, "--help"])
    assert result.exit_code == 0 and f"mlsolver {name}" in result.output.partition("xample")[2]


def test_unknown_command():
    result = CliRunner().invoke(main, ["predict"])
    assert result.exit_code == 2 and "No such command 'predict'" in result.output


@pytest.mark.parametrize("rank, said", [(0, "Error: no such place"), (1, "")])
def test_a_mistake_is_said_once(monkeypatch, tmp_path, rank, said):
    """One rank says it; all end with the same code."""
    monkeypatch.setattr(demo.Demo, "run", lambda self: (_ for _ in ()).throw(OSError("no such place")))
    comm = mpi.Comm()
    comm.rank = rank
    monkeypatch.setattr(mpi, "world", lambda: comm)
    result = CliRunner().invoke(main, ["demo", "--output", str(tmp_path)])
    assert result.exit_code == 1 and result.output.strip() == said


def test_a_fault_of_ours_keeps_its_traceback(monkeypatch, tmp_path):
    monkeypatch.setattr(demo.Demo, "run", lambda self: 1 / 0)
    result = CliRunner().invoke(main, ["demo", "--output", str(tmp_path)])
    assert isinstance(result.exception, ZeroDivisionError)


@pytest.fixture
def started(monkeypatch):
    """The demos that were started, none of which runs."""
    found = []
    monkeypatch.setattr(demo.Demo, "run", lambda self: found.append(self))
    return found


def refusal(*arguments: str) -> str:
    """The message of a call that must be refused with exit code 2, on one line."""
    result = CliRunner().invoke(main, ["demo", *arguments])
    assert result.exit_code == 2 and isinstance(result.exception, SystemExit)
    assert "Traceback" not in result.output
    return " ".join(result.output.split())


@pytest.mark.parametrize("option, value, message", [
    ("--tolerance", "nan", "nan is not a tolerance: give a finite number of at least 0"),
    ("--tolerance", "inf", "inf is not a tolerance"),
    ("--tolerance", "-1", "-1.0 is not a tolerance"),
    ("--tolerance", "small", "'small' is not a valid float"),
    ("--beta", "nan", "nan is not an inverse temperature: give a finite number above 0"),
    ("--beta", "inf", "inf is not an inverse temperature"),
    ("--beta", "0", "0.0 is not an inverse temperature"),
    ("--points", "1", "give at least 2"),
    ("--exact", "cthyb", "'auto', 'segment', 'ed'"),
])  # fmt: skip
def test_bad_values_are_refused(started, tmp_path, option, value, message):
    output = tmp_path / "demo"
    said = refusal(option, value, "--output", str(output))
    assert message in said and option in said
    assert started == [] and not output.exists()


@pytest.mark.parametrize("below", [".", "demo"])
def test_output_that_is_a_file_is_refused(started, tmp_path, below):
    file = tmp_path / "file"
    file.write_text("mine")
    said = refusal("--output", str(file / below))
    assert "--output" in said and "give a directory" in said
    assert started == [] and file.read_text() == "mine"


def test_output_without_permission_is_refused(started, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK)  # root may write everywhere
    said = refusal("--output", str(tmp_path))
    assert "--output" in said and "permission denied" in said and started == []


def test_good_values_reach_the_demo(started, tmp_path):
    output = tmp_path / "new" / "demo"
    arguments = ["--beta", "5", "--tolerance", "0", "--exact", "ed", "--output", str(output)]
    result = CliRunner().invoke(main, ["demo", *arguments])
    assert result.exit_code == 0 and output.is_dir()
    assert started == [demo.Demo(beta=5.0, tolerance=0.0, exact="ed", output=Path(output))]
    assert CliRunner().invoke(main, ["demo", "--database", "starter", "--output", str(output)]).exit_code == 0
    assert started[1] == demo.Demo(starter=True, output=Path(output))
