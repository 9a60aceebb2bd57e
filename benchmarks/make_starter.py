# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Make the starter database: one orbital, βD from 1 to 100, U/D from 0 to 6, random baths and the Bethe lattice.

    [mpiexec -n 8] python benchmarks/make_starter.py [--random 1200] [--bethe 600] [--target-error 4e-4]

Random baths of four sites along a Sobol sequence are solved by exact diagonalisation; problems out of half-filled and
doped DMFT loops by the embedded CTQMC. Every point records its solver, version, seed and place in its sequence. A
script that was killed is simply started again: it goes on with `<output>.building`.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import triqs_mlsolver
from triqs_mlsolver import Database, mpi
from triqs_mlsolver.generate import generate

OUTPUT = Path(triqs_mlsolver.__file__).parent / "data" / "starter.h5"
RANGES = {"beta": (1.0, 100.0), "U": (0.0, 6.0)}
SEED = 2026
LIMIT = 10e6  # bytes


def make(output: Path, n_random: int, n_bethe: int, exact: str, target_error: float) -> None:
    """Write the database to `output`, compacted; raises where it is larger than may be shipped."""
    comm = mpi.world()
    building = Path(f"{output}.building")
    mpi.on_root(comm, lambda: output.parent.mkdir(parents=True, exist_ok=True))
    parts = (
        ("sobol", n_random, "ed", {"level": (-1.5, 1.5)}, {}),
        ("dmft", n_bethe, exact, {"level": (-2.0, 2.0)}, {"target_error": target_error}),
    )
    for draw, n, solver, bounds, options in parts:
        done = generate(
            building, n, draw=draw, exact=solver, seed=SEED, bounds=RANGES | bounds, options=options, watch=_say
        )
        if mpi.is_root(comm):
            print(f"{draw}: {done.points} points, {done.computed} of them computed now, {done.refused} refused")
    mpi.on_root(comm, _put_in_place, building, output)


def _put_in_place(building: Path, output: Path) -> None:
    Database(building).compact()
    size = building.stat().st_size
    if size > LIMIT:
        raise SystemExit(f"{building}: {size / 1e6:.1f} MB are more than {LIMIT / 1e6:g} MB: ask for fewer points")
    os.replace(building, output)
    Path(f"{building}.journal").rmdir()
    print(f"{output}: {size / 1e6:.2f} MB")


def _say(done: int, n: int) -> None:
    if done % 20 == 0:
        print(f"{done} of {n}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--random", type=int, default=1200, help="problems with random baths")
    parser.add_argument("--bethe", type=int, default=600, help="problems of DMFT loops")
    parser.add_argument("--exact", default="segment", help="who solves those of DMFT loops")
    parser.add_argument("--target-error", type=float, default=4e-4, help="error bar of G(tau), Monte Carlo")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    parser.add_argument("--quick", action="store_true", help="6 + 2 points, coarse")
    o = parser.parse_args()
    if o.quick:
        o.random, o.bethe, o.target_error = 6, 2, 0.01
    make(o.output, o.random, o.bethe, o.exact, o.target_error)


if __name__ == "__main__":
    main()
