# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Ranks that do not come together, or not with the same input, are named instead of hanging or being ignored."""

import pytest
from mpi_scripts.launcher import mpiexec

from triqs_mlsolver.tools import meeting, mpi


def test_a_serial_process_meets_itself():
    meeting.meet(mpi.Comm(), "solve")


def test_threads_that_work_together_meet_as_ranks_do():
    mpi.on_threads(3, lambda comm: meeting.meet(comm, "solve", (1.0, 2.0, 3.0)))
    with pytest.raises(ValueError, match="ranks 1, 2 is not that of rank 0"):
        mpi.on_threads(3, lambda comm: meeting.meet(comm, "solve", (1.0, 2.0 + comm.rank, 3.0)))


def test_ranks_with_another_problem_are_named_on_all_ranks():
    run = mpiexec(3, "meeting.py", "different")
    assert run.returncode == 0, run.stderr
    lines = run.stdout.splitlines()
    said = [line for line in lines if "the impurity problem, or the call, of rank 2 is not that of rank 0" in line]
    assert len(said) == 3 and "mpi.bcast(S.G0_iw)" in said[0], run.stdout


def test_roundings_are_no_difference():
    run = mpiexec(2, "meeting.py", "rounding")
    assert run.returncode == 0 and run.stdout.count("1.0") >= 2, run.stdout + run.stderr


def test_a_solve_on_rank_0_alone_ends_with_a_message():
    run = mpiexec(2, "meeting.py", "guarded", timeout=50, env={meeting.VARIABLE: "1"})
    assert run.returncode != 0
    assert "LearnedSolver() waits for rank 1" in run.stderr, run.stderr
    assert "TimeoutError: rank 0 has waited in LearnedSolver() for rank 1" in run.stderr, run.stderr
    assert "if mpi.is_master_node()" in run.stderr and "MLSOLVER_PATIENCE" in run.stderr


def test_the_others_wait_for_rank_0_as_long_as_it_takes():
    run = mpiexec(2, "meeting.py", "late", env={meeting.VARIABLE: "1"})
    assert run.returncode == 0 and "solved" in run.stdout, run.stderr
    assert "LearnedSolver() waits for others" in run.stderr


@pytest.mark.parametrize("given, expected", [("", 600.0), ("30", 30.0), ("0", float("inf"))])
def test_patience_is_read_from_the_environment(monkeypatch, given, expected):
    monkeypatch.setenv(meeting.VARIABLE, given)
    assert meeting._patience() == expected


@pytest.mark.parametrize("given", ["soon", "-1"])
def test_a_patience_that_is_no_time_is_refused(monkeypatch, given):
    monkeypatch.setenv(meeting.VARIABLE, given)
    with pytest.raises(ValueError, match=f"MLSOLVER_PATIENCE = '{given}' is no time"):
        meeting._patience()


@pytest.mark.parametrize(
    "ranks, text", [([3], "rank 3"), ([1, 2], "ranks 1, 2"), (range(1, 12), "ranks 1, 2, 3, 4, 5, 6, 7, 8 and 3 more")]
)
def test_ranks_are_listed(ranks, text):
    assert meeting._ranks(ranks) == text
