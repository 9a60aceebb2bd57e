# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""What `mlsolver doctor` looks at: what is installed, what will be used, and what to do about each problem."""

from __future__ import annotations

import os
import platform
import shutil
import socket
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from pathlib import Path

from ..tools import mpi
from ..version import version

STATES = ("ok", "absent", "problem", "broken")
_MARKS = {"ok": "ok", "absent": "--", "problem": "!", "broken": "!!"}
_LIBRARIES = ("numpy", "scipy", "scikit-learn", "h5py", "pydlr", "threadpoolctl", "click", "tqdm")
_OLDEST_TRIQS = (3, 2)
_LITTLE_SPACE = 100 * 2**20  # bytes free below which a database directory deserves a warning
_NUMBA_FAILURES = (ImportError, OSError, SystemError)  # numba beside a numpy it does not know raises any of these


@dataclass(frozen=True)
class Finding:
    """One line of the diagnosis.

    Attributes
    ----------
    topic : str
        What was looked at.
    state : {"ok", "absent", "problem", "broken"}
        "absent" is optional and not there, "problem" works with less than it could, "broken" keeps the package from
        working.
    what : str
        What was found.
    remedy : str
        What to do; empty where nothing needs doing.
    """

    topic: str
    state: str
    what: str
    remedy: str = ""

    def __str__(self) -> str:
        line = f" {_MARKS[self.state]:>2}  {self.topic:<14}{self.what}"
        return line if not self.remedy else f"{line}\n{'':19}-> {self.remedy}"


def examine(database: str | os.PathLike = "mlsolver.h5") -> list[Finding]:
    """Look at everything; under an MPI launcher all ranks call this together.

    Parameters
    ----------
    database : path or "starter"
        The database that runs will use: whether it opens, and whether its directory is writable.

    Returns
    -------
    list of Finding
        The same on every rank.

    Examples
    --------
    >>> found = {finding.topic: finding for finding in examine("mlsolver.h5")}
    >>> found["libraries"].state, found["containers"].state
    ('ok', 'ok')
    """
    ranks, comm = see_ranks()
    alone = [libraries(), triqs(), cthyb(), containers(), segment(), plots(), self_test()] if comm.rank == 0 else []
    found = comm.bcast(alone)
    places = comm.allgather([numba_cache(), database_place(database)])  # directories differ between nodes
    return [*found, *ranks, *_merged(places), *threads(comm.size)]


def healthy(findings: list[Finding]) -> bool:
    """Whether nothing essential is broken."""
    return all(finding.state != "broken" for finding in findings)


def verdict(findings: list[Finding]) -> str:
    """The line below the findings."""
    count = {state: sum(f.state == state for f in findings) for state in STATES}
    if count["broken"]:
        return f"not usable: {count['broken']} broken (!!), follow the arrows"
    return f"ready to use; problems (!): {count['problem']}, optional and absent (--): {count['absent']}"


def heading() -> str:
    """The line above the findings: versions and machine."""
    system = f"{platform.system()} on {socket.gethostname()}"
    return f"triqs_mlsolver {version}, Python {platform.python_version()}, {system}"


# -- what is installed -------------------------------------------------------------------------------------------------


def libraries() -> Finding:
    """The numerical libraries, with HDF5's own version."""
    missing, present = [], []
    for name in _LIBRARIES:
        try:
            present.append(f"{name} {version_of(name)}")
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        remedy = f"pip install {' '.join(missing)}"
        return Finding("libraries", "broken", f"not installed: {', '.join(missing)}", remedy)
    try:
        import h5py
    except ImportError as error:
        return Finding("libraries", "broken", f"h5py does not import: {error}", "reinstall h5py: pip install -U h5py")
    return Finding("libraries", "ok", f"{', '.join(present)}, HDF5 {h5py.version.hdf5_version}")


def triqs() -> Finding:
    """TRIQS and its version."""
    from_where = "conda install -c conda-forge triqs (or the cluster's module)"
    return _triqs_package("TRIQS", "triqs.version", from_where, "the embedded containers are used")


def cthyb() -> Finding:
    """triqs_cthyb and its version."""
    from_where = "conda install -c conda-forge triqs_cthyb (or the cluster's module)"
    return _triqs_package("triqs_cthyb", "triqs_cthyb.version", from_where, "only density-density is computed")


def _triqs_package(topic: str, module: str, from_where: str, without: str) -> Finding:
    try:
        found = str(import_module(module).version)
    except ModuleNotFoundError as error:
        if (error.name or "") == module.split(".")[0]:
            return Finding(topic, "absent", f"not installed; {without}", from_where)
        return Finding(topic, "broken", f"is installed but lacks a module: {error}", f"reinstall it: {from_where}")
    except ImportError as error:
        return Finding(topic, "broken", f"does not import: {error}", f"reinstall it: {from_where}")
    if tuple(int(part) for part in found.split(".")[:2] if part.isdigit()) < _OLDEST_TRIQS:
        return Finding(topic, "problem", f"{found} is older than 3.2, the oldest version supported", from_where)
    return Finding(topic, "ok", found)


def containers() -> Finding:
    """Which Green's function containers `Solver` will use."""
    try:
        from ..compat import PROVIDER
    except ImportError as error:
        return Finding("containers", "broken", str(error), "pip install dcorelib, or install TRIQS from conda-forge")
    return Finding("containers", "ok", PROVIDER)


def segment() -> Finding:
    """The exact solver that `exact="auto"` takes."""
    topic, install = "exact solver", "pip install -U numba numpy"
    try:
        import numba
    except _NUMBA_FAILURES as error:
        return Finding(topic, "broken", f"numba does not import, so the segment solver cannot run: {error}", install)
    general = "triqs_cthyb for everything else" if cthyb().state in ("ok", "problem") else "nothing for everything else"
    return Finding(topic, "ok", f"segment (numba {numba.__version__}) for density-density, {general}")


def plots() -> Finding:
    """Matplotlib, for pictures."""
    try:
        return Finding("pictures", "ok", f"matplotlib {version_of('matplotlib')}")
    except PackageNotFoundError:
        return Finding("pictures", "absent", "matplotlib is not installed", "pip install matplotlib")


def self_test() -> Finding:
    """A two-site impurity at half filling, solved by diagonalisation and learned in memory: n = 1 by symmetry."""
    try:
        from ..exact.ed import ED
        from ..problem import Problem

        density = ED().solve(Problem.siam(beta=5.0, U=2.0, mu=1.0, eps=[0.0], V=[0.5])).density.sum()
    except (ImportError, OSError, ArithmeticError) as error:
        remedy = "reinstall numpy and scipy: pip install -U numpy scipy"
        return Finding("self-test", "broken", f"a two-site impurity cannot be solved: {error}", remedy)
    if abs(density - 1) > 1e-9:
        remedy = "the linear algebra library is at fault: reinstall numpy and scipy"
        return Finding("self-test", "broken", f"a half-filled impurity has density {density:.6f}", remedy)
    return Finding("self-test", "ok", "a two-site impurity is solved")


# -- the places it writes to -------------------------------------------------------------------------------------------


def numba_cache() -> Finding:
    """Where compiled kernels are kept, and whether that place can be written."""
    topic = "numba cache"
    try:
        import numba  # noqa: F401

        from ..exact.segment import kernel
    except _NUMBA_FAILURES:
        return Finding(topic, "absent", "no numba, no cache")
    folder = kernel.run.stats.cache_path
    remedy = "export NUMBA_CACHE_DIR=<a directory you may write to>, on a disk that all ranks see"
    if not folder:
        return Finding(topic, "problem", "no directory can be written: every process compiles for 10 seconds", remedy)
    if trouble := _cannot_write(_existing(Path(folder))):
        return Finding(topic, "problem", f"{folder}: {trouble}: every process compiles for 10 seconds", remedy)
    compiled = any(Path(folder).glob("kernel.run*.nbc"))
    return Finding(topic, "ok", f"{folder}, {'compiled' if compiled else 'the first run compiles for 10 seconds'}")


def database_place(database: str | os.PathLike) -> Finding:
    """Whether the database opens and its directory can be written."""
    from ..database import DatabaseError, open_database, starter

    is_starter = database == starter.NAME
    path = Path(starter.OWN_POINTS if is_starter else database).expanduser().absolute()
    topic, elsewhere = "database", "choose a directory that exists and that you may write to: database=<path>"
    if not path.parent.is_dir():
        return Finding(topic, "broken", f"{path.parent} is no directory", elsewhere)
    if trouble := _cannot_write(path.parent):
        remedy = f"{elsewhere}, or read it only: Solver(..., learn=False)"
        return Finding(topic, "broken", f"{path.parent}: {trouble}", remedy)
    free = shutil.disk_usage(path.parent).free
    there = "none yet, created by the first solve"
    if is_starter or path.exists() or Path(f"{path}.journal").is_dir():
        try:
            found = open_database(database, read_only=True)
            there = f"{len(found)} points" + (f", {found.n_of_base} of them the starter's" if is_starter else "")
        except (OSError, DatabaseError, ValueError) as error:
            remedy = "restore it from a copy, or move it away and start a new one; on file systems without locks "
            return Finding(topic, "broken", str(error), remedy + "export HDF5_USE_FILE_LOCKING=FALSE")
    if free < _LITTLE_SPACE:
        return Finding(topic, "problem", f"{path}: only {free / 2**20:.0f} MB free", "free some space there")
    return Finding(topic, "ok", f"{path}: {there}; {free / 2**30:.0f} GB free")


def _existing(path: Path) -> Path:
    """The nearest directory above `path` that is there."""
    return path if path.exists() or path == path.parent else _existing(path.parent)


def _cannot_write(folder: Path) -> str:
    """Why no file can be made in `folder`; empty if one can. Tried, because permission bits do not tell of quotas."""
    probe = folder / f".mlsolver-doctor.{socket.gethostname()}.{os.getpid()}"
    try:
        probe.write_bytes(b"x" * 4096)
        probe.unlink()
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _merged(by_rank: list[list[Finding]]) -> list[Finding]:
    """One finding per topic from those of all ranks: the worst, and how many ranks say so."""
    out = []
    for findings in zip(*by_rank):
        worst = max(findings, key=lambda f: STATES.index(f.state))
        ranks = [rank for rank, f in enumerate(findings) if f.state == worst.state]
        if worst.state != "ok" and len(findings) > 1:
            where = ", ".join(map(str, ranks[:8])) + ("..." if len(ranks) > 8 else "")
            worst = replace(worst, what=f"on rank {where}: {worst.what}")
        out.append(worst)
    return out


# -- MPI ---------------------------------------------------------------------------------------------------------------


def see_ranks(world: Callable[[], mpi.Comm] = mpi.world) -> tuple[list[Finding], mpi.Comm]:
    """Whether the ranks see each other, and the communicator to go on with (a serial one where they do not)."""
    started = mpi.launch()
    try:
        comm = world()
    except RuntimeError as error:
        alone = mpi.Comm()  # every process believes itself alone: the launcher's numbering keeps the others silent
        alone.rank = announced_rank()
        return [Finding("MPI", "broken", str(error), "one MPI only: that of the mpiexec you call")], alone
    if comm.size == 1:
        return [_serial(started)], comm
    hosts = comm.allgather(socket.gethostname())
    total = int(comm.allreduce(comm.rank))
    if total != comm.size * (comm.size - 1) // 2:
        what = f"{comm.size} ranks add their numbers up to {total}"
        return [Finding("MPI", "broken", what, "rebuild mpi4py for the MPI of your mpiexec")], comm
    nodes = f"{len(set(hosts))} node" + ("s" if len(set(hosts)) > 1 else "")
    return [Finding("MPI", "ok", f"{comm.size} ranks on {nodes} see each other ({_library()})")], comm


def announced_rank() -> int:
    """The number of this process according to its launcher, whatever mpi4py believes; 0 without one."""
    started = mpi.launch()
    number = "0" if started is None else os.environ.get(started.variable, "0")
    return int(number) if number.isdigit() else 0


def _serial(started: mpi.Launch | None) -> Finding:
    try:
        found = f"mpi4py {version_of('mpi4py')}"
    except PackageNotFoundError:
        remedy = "on a cluster, build mpi4py with its MPI; elsewhere: pip install mpi4py mpich"
        return Finding("MPI", "absent", "one process; mpi4py is not installed", remedy)
    how = "started without mpiexec" if started is None else f"one process under {started.launcher}"
    return Finding("MPI", "ok", f"{found}, {how}; to see whether ranks meet: mpiexec -n 2 mlsolver doctor")


def _library() -> str:
    from mpi4py import MPI

    first_line = MPI.Get_library_version().splitlines()[0].split(",")[0]
    return " ".join(first_line.replace("Version:", "").split())


def threads(n_ranks: int) -> list[Finding]:
    """BLAS threads: with several ranks, one each."""
    if n_ranks == 1 or os.environ.get("OMP_NUM_THREADS") == "1":
        return []
    what = "OMP_NUM_THREADS is not 1: the ranks' BLAS threads may get into each other's way"
    return [Finding("threads", "problem", what, "export OMP_NUM_THREADS=1")]
