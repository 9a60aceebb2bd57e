# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Decide on rank 0, broadcast, share errors.

mpi4py is imported, and MPI initialised, only where the process was launched under MPI or where the user (or TRIQS) has
initialised it already. Everywhere else `world()` is a serial stand-in of size 1.
"""

from __future__ import annotations

import os
import pickle
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

_PATIENCE = 60.0  # seconds a failed rank waits for the others before it ends the job

_DRAIN = (
    0.5  # seconds the launcher is given to forward the message: MPICH's drops what it has not read when a rank aborts
)

# rank and size as each launcher announces them; a launcher may announce the rank alone
_LAUNCHERS = (
    ("Open MPI", "OMPI_COMM_WORLD_RANK", ("OMPI_COMM_WORLD_SIZE",)),
    ("MPICH or Intel MPI", "PMI_RANK", ("PMI_SIZE", "MPI_LOCALNRANKS")),
    ("MVAPICH", "MV2_COMM_WORLD_RANK", ("MV2_COMM_WORLD_SIZE",)),
    ("srun", "SLURM_PROCID", ("SLURM_STEP_NUM_TASKS", "SLURM_NTASKS")),
    ("PMIx", "PMIX_RANK", ()),
)


@dataclass(frozen=True)
class Launch:
    """How this process was started: the launcher, the variable that tells, and the number of processes if announced."""

    launcher: str
    variable: str
    size: int | None


def launch(environ=None) -> Launch | None:
    """The MPI launch this process belongs to according to the environment, None for a serial process.

    A Slurm allocation alone (`salloc`, `sbatch`) is not a launch: only inside a job step, started by `srun`, do
    SLURM_PROCID and a step id come together.
    """
    environ = os.environ if environ is None else environ
    in_step = "SLURM_STEP_ID" in environ or "SLURM_STEPID" in environ
    for launcher, variable, sizes in _LAUNCHERS:
        if variable not in environ or (launcher == "srun" and not in_step):
            continue
        announced = [environ[name] for name in sizes if environ.get(name, "").isdigit()]
        return Launch(launcher, variable, int(announced[0]) if announced else None)
    return None


class PeerError(RuntimeError):
    """Raised on every rank whose own work was fine because another rank failed; names that rank and its message."""


class Comm:
    """The communicator of a serial process: rank 0 of 1."""

    rank = 0
    size = 1

    def bcast(self, obj: Any, root: int = 0) -> Any:
        """The object of rank `root`, on every rank."""
        return obj

    def gather(self, obj: Any, root: int = 0) -> list | None:
        """The objects of all ranks, in their order, on `root`; None elsewhere."""
        return [obj]

    def allgather(self, obj: Any) -> list:
        """The objects of all ranks, in their order, on every rank."""
        return [obj]

    def allreduce(self, array: Any) -> Any:
        """The sum over all ranks of a number or array; a new array of the same shape."""
        return np.array(array) if isinstance(array, np.ndarray) else array

    def barrier(self) -> None:
        """Wait for all ranks."""

    def abort(self, code: int = 1) -> None:
        """End every rank at once."""
        sys.stderr.flush()
        os._exit(code)

    def check(self) -> None:
        """Raise if the others have given up, where that can be known without asking them."""

    def meet(self, patience: float | None = None) -> bool:
        """Wait for all ranks, at most `patience` seconds; whether they came."""
        return True


class _ThreadComm(Comm):
    """One of several threads of this process that work together; see `on_threads`."""

    def __init__(self, rank: int, slots: list, barrier: threading.Barrier):
        self.rank, self.size = rank, len(slots)
        self._slots, self._barrier = slots, barrier

    def allgather(self, obj):
        self._slots[self.rank] = obj
        self._barrier.wait()
        gathered = list(self._slots)
        self._barrier.wait()
        return gathered

    def bcast(self, obj, root=0):
        return self.allgather(obj)[root]

    def gather(self, obj, root=0):
        gathered = self.allgather(obj)
        return gathered if self.rank == root else None

    def allreduce(self, array):
        first, *others = self.allgather(array)
        return sum(others, start=first)

    def barrier(self):
        self._barrier.wait()

    def check(self):
        if self._barrier.broken:
            raise threading.BrokenBarrierError

    def meet(self, patience=None):
        self._barrier.wait(patience)
        return True


def on_threads(n: int, f: Callable[[Comm], Any]) -> Any:
    """f(comm) on `n` threads of this process, `comm` being the communicator they form; the result of rank 0.

    For compiled code that releases the interpreter's lock. What one thread raises ends them all, and is raised here.
    """
    if n == 1:
        return f(Comm())
    slots, barrier = [None] * n, threading.Barrier(n)

    def work(rank):
        try:
            return f(_ThreadComm(rank, slots, barrier))
        except BaseException:
            barrier.abort()
            raise

    with ThreadPoolExecutor(n) as pool:
        running = [pool.submit(work, rank) for rank in range(n)]
        try:
            wait(running)
        except BaseException:  # an interrupt: the threads are to end, too
            barrier.abort()
            raise
    errors = [e for e in (r.exception() for r in running) if e is not None]
    if errors:
        raise next((e for e in errors if not isinstance(e, threading.BrokenBarrierError)), errors[0])
    return running[0].result()


class _MPIComm(Comm):
    """Several ranks, through mpi4py."""

    def __init__(self, native):
        self.native = native
        self.rank, self.size = native.Get_rank(), native.Get_size()
        self._side = None  # errors travel apart from data, so that a rank that fails never answers someone's broadcast

    def bcast(self, obj, root=0):
        return self.native.bcast(obj, root=root)

    def gather(self, obj, root=0):
        return self.native.gather(obj, root=root)

    def allgather(self, obj):
        return self.native.allgather(obj)

    def allreduce(self, array):
        if not isinstance(array, np.ndarray):
            return self.native.allreduce(array)
        mine = np.ascontiguousarray(array)
        total = np.empty_like(mine)
        self.native.Allreduce(mine, total)
        return total

    def barrier(self):
        self.native.Barrier()

    def abort(self, code=1):
        sys.stderr.flush()
        self.native.Abort(code)

    @property
    def side(self) -> _MPIComm:
        """A second communicator over the same ranks; its first use is collective."""
        if self._side is None:
            self._side = _MPIComm(self.native.Dup())
        return self._side

    def meet(self, patience=None):
        request = self.native.Ibarrier()
        end = None if patience is None else time.monotonic() + patience
        pause = 1e-5
        while not request.Test():
            if end is not None and time.monotonic() > end:
                return False
            time.sleep(pause)  # a rank that waits must not burn the core another one computes on
            pause = min(2 * pause, 0.02)
        return True


_world: Comm | None = None


def world() -> Comm:
    """The communicator over all ranks; a serial stand-in of size 1 where the process was not launched under MPI.

    With more than one rank an uncaught exception on any of them ends them all, with one message.

    Raises
    ------
    RuntimeError
        If the process was launched as one of several, but mpi4py is missing or belongs to another MPI library, so that
        every process would take itself for rank 0.
    """
    global _world
    if _world is None:
        _world = _connect(launch())
        if _world.size > 1:
            _install_excepthook(_world)
    return _world


def is_root(comm: Comm) -> bool:
    """Whether this is rank 0."""
    return comm.rank == 0


def _connect(started: Launch | None) -> Comm:
    if not _initialised_by_user() and (started is None or started.size == 1):
        return Comm()
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:  # RuntimeError: mpi4py is there, but finds no MPI library
        raise RuntimeError(_no_mpi4py(started, error)) from error
    native = MPI.COMM_WORLD
    if started is not None and started.size is not None and started.size > 1 and native.Get_size() == 1:
        raise RuntimeError(
            f"this process was launched as one of {started.size} by {started.launcher} ({started.variable} is set), "
            f"but mpi4py's MPI library ({MPI.Get_library_version().splitlines()[0].strip()}) sees a single one: the "
            "mpiexec and mpi4py belong to different MPI installations. Use the mpiexec that came with the library "
            "mpi4py loads (for the pip wheels: the one beside this python), or rebuild mpi4py with the cluster's MPI"
        )
    return _MPIComm(native) if native.Get_size() > 1 else Comm()


def _initialised_by_user() -> bool:
    MPI = sys.modules.get("mpi4py.MPI")
    return MPI is not None and MPI.Is_initialized() and not MPI.Is_finalized()


def _no_mpi4py(started: Launch | None, error: Exception) -> str:
    number = "several processes" if started is None or started.size is None else f"{started.size} processes"
    how = "MPI" if started is None else f"{started.launcher} ({started.variable} is set)"
    return (
        f"this process was launched as one of {number} by {how}, but mpi4py cannot be used ({error}): every process "
        "would take itself for rank 0. Install mpi4py for the MPI of your mpiexec (pip-only machines: pip install "
        "mpi4py mpich), or start without mpiexec"
    )


# -- errors ------------------------------------------------------------------------------------------------------------


@contextmanager
def shared_errors(comm: Comm, what: str, patience: float = _PATIENCE) -> Iterator[None]:
    """What fails on one rank fails on all.

    Collective at entry and exit. If the body raised on any rank, every rank raises: the failing one its own exception,
    the others a `PeerError` that names the rank and its message.

    Parameters
    ----------
    comm : Comm
    what : str
        What the ranks are doing, for the message.
    patience : float, optional
        Seconds a failing rank waits for the others to leave the body. They may be stuck in a collective call that the
        failing rank will never make; then it prints its error and ends the job.
    """
    if comm.size == 1:
        yield
        return
    side = comm.side
    failure = None
    try:
        yield
    except (Exception, SystemExit) as error:
        failure = error
    if not side.meet(None if failure is None else patience):
        _report_and_abort(comm, failure, f"the other ranks did not come back from {what} within {patience:g} s")
    failures = [(rank, text) for rank, text in enumerate(side.allgather(_describe(failure))) if text]
    if not failures:
        return
    if failure is not None:
        failure.reported_by_rank = failures[0][0]
        raise failure
    raise _peer_error(what, failures)


def on_root(comm: Comm, f: Callable, *args, **kwargs) -> Any:
    """f(*args, **kwargs) on rank 0 only; its result, or its exception, on every rank.

    Raises
    ------
    PeerError
        On the other ranks, where `f` raised on rank 0 (which raises the exception itself).
    """
    if comm.size == 1:
        return f(*args, **kwargs)
    if not is_root(comm):
        ok, payload = comm.bcast(None)
        if ok:
            return pickle.loads(payload)
        raise _peer_error(getattr(f, "__name__", "a call"), [(0, payload)])
    try:
        result = f(*args, **kwargs)
        message = (True, pickle.dumps(result, protocol=pickle.HIGHEST_PROTOCOL))
    except (Exception, SystemExit) as error:
        comm.bcast((False, _describe(error)))
        error.reported_by_rank = 0
        raise
    comm.bcast(message)
    return result


def _describe(error: BaseException | None) -> str:
    return "" if error is None else f"{type(error).__name__}: {error}"


def _peer_error(what: str, failures: list[tuple[int, str]]) -> PeerError:
    rank, text = failures[0]
    also = f" (and on {len(failures) - 1} more ranks)" if len(failures) > 1 else ""
    error = PeerError(f"{what} failed on rank {rank}{also}: {text}")
    error.reported_by_rank = rank
    return error


def _report_and_abort(comm: Comm, error: BaseException, why: str = "") -> None:
    lines = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    note = f" ({why})" if why else ""
    sys.stderr.write(f"{lines}rank {comm.rank} of {comm.size} failed{note}: all ranks end.\n")
    sys.stderr.flush()
    time.sleep(_DRAIN)
    comm.abort(1)


def _install_excepthook(comm: Comm) -> None:
    """End all ranks when one dies of an exception; the rank that knows most is given the time to say so first."""
    previous = sys.excepthook

    def hook(kind, error, trace):
        if issubclass(kind, KeyboardInterrupt):
            previous(kind, error, trace)
            comm.abort(130)
        speaker = getattr(error, "reported_by_rank", 0)
        if comm.rank != speaker:
            time.sleep(4 * _DRAIN)  # the same error, or its cause, is being printed there: one message is enough
        _report_and_abort(comm, error.with_traceback(trace))

    sys.excepthook = hook
