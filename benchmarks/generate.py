# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Generating points with two ranks against one, and killed again and again until it is through.

    python benchmarks/generate.py [--n 200] [--draw lecture] [--kills 5]

The exact solver is ED. Wall time depends on what else the machine does: the time each rank spends
on a processor says how evenly the work is shared, time of one rank / longest time of two ranks.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from triqs_mlsolver import Database

WORKER = (
    "import sys, time; from triqs_mlsolver.tools import mpi; from triqs_mlsolver.generation.generate import generate\n"
    "comm = mpi.world(); wall, cpu = time.perf_counter(), time.process_time()\n"
    "done = generate(sys.argv[1], int(sys.argv[2]), draw=sys.argv[3], exact='ed')\n"
    "times = comm.gather(time.process_time() - cpu)\n"
    "print(time.perf_counter() - wall, *times) if comm.rank == 0 else None"
)


def command(ranks: int, path: Path, n: int, draw: str) -> list[str]:
    beside = Path(sys.prefix) / "bin" / "mpiexec"
    mpiexec = str(beside) if beside.exists() else shutil.which("mpiexec")
    start = [] if ranks == 1 else [mpiexec, "-n", str(ranks)]
    return [*start, sys.executable, "-c", WORKER, str(path), str(n), draw]


def run(ranks: int, path: Path, n: int, draw: str) -> list[float]:
    """Wall time, then the processor time of each rank (s)."""
    done = subprocess.run(command(ranks, path, n, draw), capture_output=True, text=True, check=True)
    return [float(word) for word in done.stdout.split()]


def killed(path: Path, n: int, draw: str, kills: int) -> list[int]:
    """Points there were after each kill of both ranks."""
    found = []
    for _ in range(kills):
        process = subprocess.Popen(command(2, path, n, draw), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   start_new_session=True)  # fmt: skip
        end = time.monotonic() + 300
        before = found[-1] if found else 0
        journal = Path(f"{path}.journal")
        while process.poll() is None and time.monotonic() < end:
            if journal.is_dir() and len(list(journal.glob("*.h5"))) > before + n // (kills + 2):
                break
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        found.append(len(Database(path, read_only=True)))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=200)
    parser.add_argument("--draw", default="lecture", help="lecture: milliseconds a solve; dmft: a bath fit for each")
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="20 points, 2 kills")
    o = parser.parse_args()
    if o.quick:
        o.n, o.kills = 20, 2
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "OMPI_ALLOW_RUN_AS_ROOT": "1",
                   "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMPI_MCA_rmaps_base_oversubscribe": "1"}  # fmt: skip
    with tempfile.TemporaryDirectory() as place:
        wall, *cpu = run(1, Path(place) / "one.h5", o.n, o.draw)
        wall_two, *cpu_two = run(2, Path(place) / "two.h5", o.n, o.draw)
        same = Database(f"{place}/one.h5").digest == Database(f"{place}/two.h5").digest
        print(f"{o.n} points, 1 rank: {wall:.1f} s, on the processor {cpu[0]:.1f} s")
        print(f"{o.n} points, 2 ranks: {wall_two:.1f} s, on the processor {cpu_two[0]:.1f} and {cpu_two[1]:.1f} s")
        print(f"times faster: {wall / wall_two:.2f} by the clock, {cpu[0] / max(cpu_two):.2f} by processor time; "
              f"the same points: {same}")  # fmt: skip
        if not o.kills:
            return
        counts = killed(Path(place) / "killed.h5", o.n, o.draw, o.kills)
        run(2, Path(place) / "killed.h5", o.n, o.draw)
        found = Database(f"{place}/killed.h5")
        print(f"killed with {counts} points, repeated: {len(found)} points, the same ones: "
              f"{found.digest == Database(f'{place}/one.h5').digest}")  # fmt: skip


if __name__ == "__main__":
    main()
