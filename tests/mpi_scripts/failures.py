# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""One rank fails in the way named on the command line; the others must not hang."""

import os
import signal
import sys

from triqs_mlsolver.tools import mpi

comm = mpi.world()
last = comm.size - 1


def fail_on_root():
    raise KeyError("no such point")


def caught():
    """Every rank catches its own error and goes on."""
    said = []
    for attempt in (
        fail_on_last,
        lambda: mpi.on_root(comm, fail_on_root),
        lambda: mpi.on_root(comm, lambda: lambda: 0),
    ):
        try:
            attempt()
        except Exception as error:
            said.append(f"rank {comm.rank} {type(error).__name__}: {error}")
    said.append(f"rank {comm.rank} still answers {comm.allgather(comm.rank)}")
    everything = comm.gather(said)
    if mpi.is_root(comm):
        print("\n".join(line for lines in everything for line in lines), flush=True)


def fail_on_last():
    with mpi.shared_errors(comm, "sampling"):
        if comm.rank == last:
            raise ValueError("the chain stuck")


def uncaught():
    """The last rank dies while the others wait in a collective."""
    if comm.rank == last:
        raise ValueError("the chain stuck")
    comm.barrier()


def all_ranks():
    """All ranks make the same mistake."""
    raise ValueError("wrong input")


def collective_in_body():
    """The failing rank leaves a body whose other ranks are in a collective it will never join."""
    with mpi.shared_errors(comm, "sampling", patience=1.0):
        if comm.rank == last:
            raise ValueError("the chain stuck")
        comm.barrier()


def killed():
    """The last rank is shot."""
    if comm.rank == last:
        os.kill(os.getpid(), signal.SIGKILL)
    comm.barrier()


{
    "caught": caught,
    "uncaught": uncaught,
    "uncaught_shared": fail_on_last,
    "collective_in_body": collective_in_body,
    "all_ranks": all_ranks,
    "killed": killed,
}[sys.argv[1]]()
