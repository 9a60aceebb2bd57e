# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""`mlsolver doctor` finds what is broken, names the remedy, and its exit code tells."""

from __future__ import annotations

import builtins
import sys

import numpy as np
import pytest
from click.testing import CliRunner
from mpi_scripts.launcher import mpiexec

from triqs_mlsolver import Database, Problem
from triqs_mlsolver.app import doctor
from triqs_mlsolver.app.cli import main
from triqs_mlsolver.exact.ed import ED
from triqs_mlsolver.tools import mpi


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def diagnosis(*arguments: str):
    """Exit code and output of the command."""
    result = CliRunner().invoke(main, ["doctor", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def by_topic(findings) -> dict[str, doctor.Finding]:
    return {finding.topic: finding for finding in findings}


def test_a_healthy_installation(tmp_path):
    code, said = diagnosis("--database", str(tmp_path / "new.h5"))
    assert code == 0 and "ready to use" in said and "!!" not in said
    for topic in ("libraries", "TRIQS", "containers", "exact solver", "MPI", "numba cache", "database"):
        assert topic in said
    assert "HDF5 " in said and f"numpy {np.__version__}" in said
    assert list(tmp_path.iterdir()) == []  # it leaves nothing behind


def test_points_are_counted(tmp_path):
    problem = Problem.siam(beta=5.0, U=2.0, mu=1.0, eps=[0.0], V=[0.5])
    Database(tmp_path / "one.h5").add(problem, ED().solve(problem))
    assert "1 points" in doctor.database_place(tmp_path / "one.h5").what


@pytest.mark.parametrize("make, message", [
    (lambda folder: folder / "missing" / "a.h5", "is no directory"),
    (lambda folder: folder, "is a directory"),
])  # fmt: skip
def test_a_place_without_a_database(tmp_path, make, message):
    code, said = diagnosis("--database", str(make(tmp_path)))
    assert code == 1 and "!!" in said and message in said and "->" in said


def test_a_damaged_database(tmp_path):
    file = tmp_path / "damaged.h5"
    file.write_bytes(b"not HDF5")
    code, said = diagnosis("--database", str(file))
    assert code == 1 and "damaged.h5" in said and "restore it from a copy" in said
    assert file.read_bytes() == b"not HDF5"


def test_a_read_only_directory(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor.Path, "write_bytes", lambda *_: (_ for _ in ()).throw(PermissionError(13, "denied")))
    found = doctor.database_place(tmp_path / "a.h5")
    assert found.state == "broken" and "denied" in found.what and "learn=False" in found.remedy
    found = doctor.numba_cache()
    assert found.state == "problem" and "denied" in found.what and "NUMBA_CACHE_DIR" in found.remedy


def test_a_full_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 2**20}))
    found = doctor.database_place(tmp_path / "a.h5")
    assert found.state == "problem" and "only 1 MB free" in found.what


@pytest.fixture
def without_cthyb():
    """No triqs_cthyb is loaded, and what the test loads as such is gone afterwards."""
    own = lambda: [name for name in sys.modules if name.split(".")[0] == "triqs_cthyb"]
    before = {name: sys.modules.pop(name) for name in own()}
    yield
    for name in own():
        del sys.modules[name]
    sys.modules.update(before)


def test_a_triqs_that_does_not_load(tmp_path, monkeypatch, without_cthyb):
    """A package that is there but misses its library is broken, not absent."""
    package = tmp_path / "triqs_cthyb"
    package.mkdir()
    (package / "__init__.py").write_text("raise ImportError('libtriqs.so: cannot open shared object file')")
    monkeypatch.syspath_prepend(tmp_path)
    found = doctor.cthyb()
    assert found.state == "broken" and "libtriqs.so" in found.what and "conda-forge" in found.remedy


@pytest.mark.parametrize("version, state", [("2.2.0", "problem"), ("3.2.1", "ok"), ("4.0.0", "ok")])
def test_versions_of_triqs(tmp_path, monkeypatch, without_cthyb, version, state):
    package = tmp_path / "triqs_cthyb"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "version.py").write_text(f"version = {version!r}")
    monkeypatch.syspath_prepend(tmp_path)
    assert doctor.cthyb().state == state


def test_missing_libraries(monkeypatch):
    def version_of(name):
        if name == "pydlr":
            raise doctor.PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr(doctor, "version_of", version_of)
    assert doctor.libraries() == doctor.Finding("libraries", "broken", "not installed: pydlr", "pip install pydlr")


def test_a_numba_that_does_not_load(monkeypatch):
    original = builtins.__import__

    def no_numba(name, *rest):
        if name == "numba":
            raise ImportError("Numba needs NumPy 2.4 or less")
        return original(name, *rest)

    monkeypatch.setattr(builtins, "__import__", no_numba)
    found = doctor.segment()
    assert found.state == "broken" and "NumPy 2.4" in found.what and "pip install" in found.remedy
    assert doctor.numba_cache().state == "absent"


def test_ranks_that_do_not_meet(monkeypatch):
    """The launcher of one MPI, the library of another: one message, exit code 1."""
    monkeypatch.setenv("PMI_RANK", "0")

    def world():
        raise RuntimeError("the mpiexec and mpi4py belong to different MPI installations")

    findings, comm = doctor.see_ranks(world)
    assert comm.size == 1 and not doctor.healthy(findings) and "different MPI" in str(findings[0])
    monkeypatch.setenv("PMI_RANK", "1")
    assert doctor.see_ranks(world)[1].rank == doctor.announced_rank() == 1


def test_the_worst_rank_counts():
    good, bad = doctor.Finding("database", "ok", "fine"), doctor.Finding("database", "broken", "no", "go elsewhere")
    (merged,) = doctor._merged([[good], [bad], [bad]])
    assert merged.state == "broken" and merged.what == "on rank 1, 2: no" and merged.remedy == "go elsewhere"
    assert doctor._merged([[good], [good]]) == [good]


def test_threads(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    assert doctor.threads(1) == [] and by_topic(doctor.threads(2))["threads"].remedy == "export OMP_NUM_THREADS=1"
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert doctor.threads(2) == []


def test_under_mpiexec():
    run = mpiexec(2, "doctor.py")
    assert run.returncode == 0, run.stderr
    assert run.stdout.count("2 ranks on 1 node see each other") == run.stdout.count("ready to use") == 1, run.stdout


def test_self_test_is_a_test(monkeypatch):
    assert doctor.self_test().state == "ok"
    monkeypatch.setattr(mpi, "world", mpi.Comm)
    monkeypatch.setattr(np.linalg, "eigh", lambda a: (np.zeros(a.shape[:-1]), np.zeros(a.shape)))
    assert doctor.self_test().state == "broken"
