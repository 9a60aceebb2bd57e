# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Every collective of `mpi.Comm`, checked on each rank; rank 0 prints one line per rank."""

import sys

import numpy as np

from triqs_mlsolver.tools import mpi

comm = mpi.world()
expected = int(sys.argv[1])
ranks = range(comm.size)
checks = {
    "size": comm.size == expected,
    "root": mpi.is_root(comm) == (comm.rank == 0),
    "bcast": comm.bcast({"from": comm.rank}) == {"from": 0},
    "bcast from last": comm.bcast(comm.rank, root=comm.size - 1) == comm.size - 1,
    "gather": comm.gather(comm.rank**2) == ([r**2 for r in ranks] if comm.rank == 0 else None),
    "allgather": comm.allgather("abc"[comm.rank % 3]) == ["abc"[r % 3] for r in ranks],
    "allreduce number": comm.allreduce(comm.rank + 1) == sum(r + 1 for r in ranks),
    "on_root": mpi.on_root(comm, lambda a, b: (a + b, comm.rank), 2, b=3) == (5, 0),
    "same world": mpi.world() is comm,
}
mine = (1 + comm.rank) * np.arange(6.0).reshape(2, 3)[:, ::2]  # not contiguous
total = comm.allreduce(mine)
checks["allreduce array"] = np.array_equal(total, sum(r + 1 for r in ranks) * np.arange(6.0).reshape(2, 3)[:, ::2])
checks["input untouched"] = np.array_equal(mine, (1 + comm.rank) * np.arange(6.0).reshape(2, 3)[:, ::2])
checks["complex"] = comm.allreduce(np.array([1j])) == comm.size * 1j
with mpi.shared_errors(comm, "nothing wrong"):
    pass
comm.barrier()
wrong = [name for name, ok in checks.items() if not ok]
lines = comm.gather(f"rank {comm.rank}: {'fine' if not wrong else wrong}")
if mpi.is_root(comm):
    print("\n".join(lines), flush=True)  # from one rank: launchers may glue the lines of several together
