# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from mpi_scripts.launcher import mpiexec

from triqs_mlsolver.tools import mpi

SERIAL = mpi.Comm()


@pytest.mark.parametrize(
    "environ, expected",
    [
        ({}, None),
        ({"OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_SIZE": "4"}, ("OMPI_COMM_WORLD_RANK", 4)),
        ({"PMI_RANK": "0", "PMI_SIZE": "2"}, ("PMI_RANK", 2)),
        ({"PMI_RANK": "0"}, ("PMI_RANK", None)),
        ({"PMIX_RANK": "3"}, ("PMIX_RANK", None)),
        ({"SLURM_NTASKS": "8"}, None),  # inside salloc
        ({"SLURM_NTASKS": "8", "SLURM_PROCID": "0"}, None),  # the batch script itself
        ({"SLURM_NTASKS": "8", "SLURM_PROCID": "0", "SLURM_STEP_ID": "0"}, ("SLURM_PROCID", 8)),
        (
            {"SLURM_NTASKS": "8", "SLURM_PROCID": "0", "SLURM_STEPID": "0", "SLURM_STEP_NUM_TASKS": "1"},
            ("SLURM_PROCID", 1),
        ),
        ({"SLURM_NTASKS": "8", "OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_SIZE": "2"}, ("OMPI_COMM_WORLD_RANK", 2)),
    ],
)
def test_launches_are_recognised(environ, expected):
    found = mpi.launch(environ)
    assert (found and (found.variable, found.size)) == expected


def test_serial_stand_in():
    array = np.arange(3.0)
    summed = SERIAL.allreduce(array)
    assert (SERIAL.rank, SERIAL.size, mpi.is_root(SERIAL)) == (0, 1, True)
    assert (
        SERIAL.bcast("x") == "x" and SERIAL.gather(1) == [1] and SERIAL.allgather(2) == [2] and SERIAL.allreduce(3) == 3
    )
    assert np.array_equal(summed, array) and summed is not array
    assert mpi.on_root(SERIAL, max, 1, 2) == 2
    with pytest.raises(ZeroDivisionError):
        mpi.on_root(SERIAL, lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError), mpi.shared_errors(SERIAL, "dividing"):
        1 / 0


def python(code: str, **env) -> subprocess.CompletedProcess:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("OMPI_", "PMI", "SLURM_"))}
    root = os.path.dirname(os.path.dirname(os.path.abspath(mpi.__file__)))
    clean["PYTHONPATH"] = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.run(
        [sys.executable, "-c", code], env={**clean, **env}, capture_output=True, text=True, timeout=60
    )


def test_a_serial_process_never_initialises_mpi():
    run = python(
        "import sys; from triqs_mlsolver.tools import mpi; c = mpi.world(); print(c.size, 'mpi4py' in sys.modules)",
        SLURM_NTASKS="8",
    )
    assert run.stdout.split() == ["1", "False"], run.stderr


def test_missing_mpi4py_under_mpiexec_is_an_error():
    code = "import sys; sys.modules['mpi4py'] = None; from triqs_mlsolver.tools import mpi; mpi.world()"
    run = python(code, PMI_RANK="1", PMI_SIZE="2")
    assert run.returncode != 0
    assert "one of 2 processes" in run.stderr and "PMI_RANK" in run.stderr and "pip install mpi4py" in run.stderr


def test_missing_mpi4py_does_not_matter_for_one_process():
    code = "import sys; sys.modules['mpi4py'] = None; from triqs_mlsolver.tools import mpi; print(mpi.world().size)"
    assert python(code, PMI_RANK="0", PMI_SIZE="1").stdout.strip() == "1"


def test_mpiexec_of_another_mpi_is_an_error():
    """A library that does not know the launcher starts alone: every process would be rank 0."""
    code = """
import sys, types
class World: Get_size = staticmethod(lambda: 1); Get_rank = staticmethod(lambda: 0)
MPI = types.SimpleNamespace(COMM_WORLD=World, Get_library_version=lambda: "Other MPI 1.0", Is_initialized=lambda: False)
package = types.ModuleType("mpi4py"); package.MPI = MPI
sys.modules["mpi4py"] = package
from triqs_mlsolver.tools import mpi
mpi.world()
"""
    run = python(code, PMI_RANK="0", PMI_SIZE="3")
    assert run.returncode != 0
    assert "one of 3" in run.stderr and "Other MPI 1.0" in run.stderr and "different MPI installations" in run.stderr


@pytest.mark.parametrize("n", [1, 2, 3])
def test_collectives(n):
    run = mpiexec(n, "collectives.py", str(n))
    assert run.returncode == 0, run.stderr
    assert sorted(run.stdout.splitlines()) == [f"rank {r}: fine" for r in range(n)], run.stdout + run.stderr


@pytest.mark.parametrize("n", [2, 3])
def test_errors_are_shared_and_the_ranks_go_on_together(n):
    run = mpiexec(n, "failures.py", "caught")
    assert run.returncode == 0, run.stderr
    lines = run.stdout.splitlines()
    for r in range(n):
        mine = [line for line in lines if line.startswith(f"rank {r} ")]
        assert ("ValueError: the chain stuck" in mine[0]) and (("PeerError" in mine[0]) == (r != n - 1)), mine
        assert f"rank {n - 1}" in mine[0], mine
        assert "KeyError: 'no such point'" in mine[1] and (("PeerError" in mine[1]) == (r != 0)), mine
        assert "pickle" in mine[2], mine
        assert mine[3].endswith(f"still answers {list(range(n))}"), mine


@pytest.mark.parametrize("n, how", [(3, "uncaught"), (2, "uncaught_shared"), (3, "collective_in_body")])
def test_one_failing_rank_ends_all_with_one_message(n, how):
    run = mpiexec(n, "failures.py", how, timeout=40)
    assert run.returncode != 0
    assert run.stderr.count("ValueError: the chain stuck") == 1, run.stderr
    assert f"rank {n - 1} of {n} failed" in run.stderr, run.stderr


def test_the_same_error_on_all_ranks_is_told_once():
    run = mpiexec(3, "failures.py", "all_ranks", timeout=40)
    assert run.returncode != 0
    assert run.stderr.count("ValueError: wrong input") == 1, run.stderr


def test_a_killed_rank_ends_all():
    assert mpiexec(2, "failures.py", "killed", timeout=40).returncode != 0


def test_threads_end_when_their_caller_is_interrupted(monkeypatch):
    def interrupted(running):
        raise KeyboardInterrupt

    def work(comm):
        while True:
            comm.check()
            time.sleep(0.01)

    monkeypatch.setattr(mpi, "wait", interrupted)
    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        mpi.on_threads(2, work)
    assert threading.active_count() == before
