# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""What the database costs and whether it survives: storage at 10 000 and 100 000 synthetic points, 500 kills.

    python benchmarks/database.py [--n 10000 100000] [--kills 500]

Prints the time to open (compacted, with 1000 journal files beside), the memory this takes, the time of `add`,
`refresh`, `table`, `compact` and of reading a cache of descriptors, and what became of the points when writers and
compactors were killed at random instants.
"""

from __future__ import annotations

import argparse
import hashlib
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

import numpy as np

from triqs_mlsolver import Database, Problem, Solution
from triqs_mlsolver.database import snapshot
from triqs_mlsolver.database.cache import DescriptorCache
from triqs_mlsolver.database.files import write_durably
from triqs_mlsolver.database.point import Record, encode

_TESTS = pathlib.Path(__file__).resolve().parents[1] / "tests"
sys.path[:0] = [str(_TESTS), str(_TESTS / "database")]

N_JOURNAL = 1000
LIMITS = {10_000: 1.0, 100_000: 10.0}  # seconds to open


def synthetic(seed: int) -> tuple[Problem, Solution]:
    """A single-orbital CTQMC point with every field a run can have; only its sizes are meant seriously."""
    rng = np.random.default_rng(seed)
    D = rng.uniform(0.5, 5.0)
    beta, U = float(rng.choice([1, 2, 5, 10, 20, 50])) * D, rng.uniform(1, 10) / D
    V = np.abs(rng.normal(size=4))
    problem = Problem.siam(beta, U, U / 2 - rng.uniform(-1, 1) / D, rng.uniform(-1, 1, 4), 0.5 * V / np.linalg.norm(V))

    def series():
        return tuple(rng.normal(size=(problem.n_l, 1, 1)) for _ in range(2))

    one = (np.eye(1), np.eye(1))
    error = tuple(np.abs(g) for g in series())
    provenance = {"solver": "segment", "version": "0.1", "seed": seed, "n_cycles": 10**6, "average_sign": 1.0}
    nn = np.full((2, 2), 0.25)
    return problem, Solution(
        problem.beta,
        problem.gf_struct,
        series(),
        nn,
        one,
        one,
        error,
        nn,
        series(),
        error,
        0.5,
        provenance | {"seconds": 9.0},
    )


def prepare(path: str, n: int) -> None:
    """A database of `n` points, the last `N_JOURNAL` of them in the journal; rows repeat, ids do not."""
    base = [encode(*synthetic(seed)) for seed in range(300)]
    records = []
    for i in range(n - N_JOURNAL):
        record = base[i % len(base)]
        new_id = hashlib.sha256(str(i).encode()).hexdigest()[:20]
        records.append(Record(new_id, record.header.replace(record.id.encode(), new_id.encode()), record.data))
    snapshot.write(path, None, records, [])
    del records
    db = Database(path)
    for seed in range(N_JOURNAL):
        db.add(*synthetic(10**6 + seed))


def resident() -> float:
    """Memory in use now (MB)."""
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1]) * resource.getpagesize() / 1e6


def clocked(f) -> tuple[float, object]:
    start = time.perf_counter()
    result = f()
    return time.perf_counter() - start, result


def bare_write(directory: str) -> float:
    """Seconds this disk takes, now, for what durability needs: write, sync, rename, sync the directory."""
    name = f"{directory}/bare"
    times = [clocked(lambda: write_durably(name, bytes(20_000)))[0] for _ in range(30)]
    return float(np.median(times))


def measure(path: str, n: int) -> None:
    """In a fresh process."""
    synthetic(0)
    before = resident()
    seconds, db = clocked(lambda: Database(path))
    memory = resident() - before
    assert len(db) == n
    points = [synthetic(2 * 10**6 + i) for i in range(30)]
    add = [clocked(lambda p=p: db.add(*p))[0] for p in points]
    refresh, _ = clocked(db.refresh)
    table, _ = clocked(db.table)
    compact, _ = clocked(db.compact)
    cache = DescriptorCache(path, next(iter(db.kinds)))
    cache.put(dict(zip(db.ids, np.random.default_rng(0).normal(size=(len(db), 400)))), "1")
    cached, found = clocked(lambda: cache.get(db.ids, "1"))
    assert len(found) == len(db)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    bare = bare_write(str(pathlib.Path(path).parent))
    within = "within" if seconds < LIMITS.get(n, np.inf) and np.median(add) < 0.02 and memory < 1000 else "BEYOND"
    size = pathlib.Path(path).stat().st_size / 1e6
    print(
        f"{n:>7} points, {size:6.0f} MB | open {seconds:6.2f} s, {memory:5.0f} MB | add {1e3 * np.median(add):4.1f} ms "
        f"(slowest {1e3 * max(add):4.1f}, bare disk {1e3 * bare:4.1f}) | refresh {1e3 * refresh:4.1f} ms | "
        f"table {table:5.2f} s | cache {cached:5.2f} s | compact {compact:5.2f} s, peak {peak:5.0f} MB | "
        f"{within} the limits"
    )


def storage(n: int) -> None:
    with tempfile.TemporaryDirectory() as place:
        path = f"{place}/synthetic.h5"
        prepare(path, n)
        subprocess.run([sys.executable, __file__, "--measure", path, "--n", str(n)], check=True)


def kills(number: int, seed: int) -> None:
    """Kill writers and compactors; raises if anything is lost, doubled or corrupt."""
    from test_database_faults import check_killed_writers, run_killed_writers

    with tempfile.TemporaryDirectory() as place:
        seconds, (path, acknowledged) = clocked(lambda: run_killed_writers(place, number, seed))
        stored = check_killed_writers(path, acknowledged)
    print(
        f"{number} kills of 4 writers and a compactor in {seconds:.0f} s: {len(acknowledged)} additions had returned, "
        f"{stored} points are stored, none lost, none twice, none corrupt"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, nargs="*", default=sorted(LIMITS), help="database sizes")
    parser.add_argument("--kills", type=int, default=500, help="processes to kill (0: none)")
    parser.add_argument("--seed", type=int, default=1, help="of the kills")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(options.measure, options.n[0])
        return
    for n in options.n:
        storage(n)
    if options.kills:
        kills(options.kills, options.seed)


if __name__ == "__main__":
    main()
