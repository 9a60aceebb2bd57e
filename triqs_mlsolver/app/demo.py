# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""The demo: U/D up and back on the half-filled Bethe lattice, one row per value, a plot and a database."""

from __future__ import annotations

import logging
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..database import Database
from ..database.starter import starter_file
from ..decision.learned_solver import LearnedSolver
from ..lattice.bethe import Converged, paramagnetic, solve_bethe
from ..tools import mpi

_WIDTHS = {"branch": 6, "U/D": 5, "iter.": 5, "model": 5, "exact": 5, "largest bound": 13, "Z": 8, "docc": 8, "n": 7}
_HEADER = " ".join(f"{title:>{width}}" for title, width in _WIDTHS.items())


@dataclass(frozen=True, kw_only=True)
class Demo:
    """Options of the demo; see `mlsolver demo --help`."""

    beta: float = 20.0
    points: int = 31
    tolerance: float = 0.002
    exact: str = "auto"
    output: Path = Path("mlsolver-demo")
    starter: bool = False
    loop_tolerance: float = 2e-4

    def run(self) -> tuple[list[Converged], list[Converged]]:
        """Run both branches, print the table, write `mott.png` and the database; returns the branches."""
        comm = mpi.world()
        start = time.perf_counter()
        mpi.on_root(comm, self.output.mkdir, parents=True, exist_ok=True)
        path = self.output / f"{'starter' if self.starter else 'bethe'}-beta{self.beta:g}.h5"
        logging.getLogger("triqs_mlsolver").setLevel(logging.ERROR)  # the table replaces the lines of the solver
        with mpi.shared_errors(comm, "opening the database"):
            database = Database(path, base=starter_file() if self.starter else None) if mpi.is_root(comm) else None
        solver = LearnedSolver(
            database, exact=self.exact, tolerance=self.tolerance, n_threads=min(2, os.cpu_count() or 1)
        )
        stored = mpi.on_root(comm, lambda: len(solver.database))
        if comm.rank == 0:
            print(
                f"DMFT for the half-filled Hubbard model on the Bethe lattice, beta = {self.beta:g}/D, tolerance "
                f"{self.tolerance:g}"
            )
            print(f"database {path}: {stored} points at the start\n\n{_HEADER}")
        U = np.linspace(0.5, 3.5, self.points)
        branches, begin = [], None
        with _Progress(2 * self.points, comm.rank == 0) as progress:
            for name, values in (("up", U), ("down", U[::-1])):
                branch = []
                for u in values:
                    found = solve_bethe(solver, self.beta, float(u), start=begin, tolerance=self.loop_tolerance)
                    begin = paramagnetic(found.solution, half_filled=True)
                    branch.append(found)
                    progress.row(_row(name, found))
                branches.append(branch)
        seconds = time.perf_counter() - start
        mpi.on_root(comm, self._summary, branches, seconds, path)
        return branches[0], branches[1]

    def _summary(self, branches: list[list[Converged]], seconds: float, database: Path) -> None:
        solves = sum(c.n_iterations for b in branches for c in b)
        calls = sum(sum(c.exact) for b in branches for c in b)
        print(f"\nexact calls: {calls} of {solves} solves ({100 * calls / solves:.1f} %), {seconds:.0f} s")
        apart = max(abs(a.Z - b.Z) for a, b in zip(branches[0], branches[1][::-1]))
        print(f"largest difference of Z between the branches: {apart:.3f}")
        try:
            from ..plots import plot_mott, save
        except ImportError:
            print("no plot: matplotlib is missing (pip install matplotlib)")
        else:
            figure = self.output / f"mott{'' if self.beta == 20 else f'-beta{self.beta:g}'}.png"
            save(plot_mott(branches, self.beta), figure)
            print(f"plot:     {figure}")
        print(f"database: {database}")


def _row(name: str, c: Converged) -> str:
    bound = max((b for b in c.bounds if np.isfinite(b)), default=np.inf)
    exact = int(sum(c.exact))
    mark = "" if c.converged else "  not converged"
    return (
        f"{name:>6} {c.U:5.2f} {c.n_iterations:5d} {c.n_iterations - exact:5d} {exact:5d} {bound:13.5f} "
        f"{c.Z:8.4f} {c.double_occupancy:8.5f} {c.density:7.4f}{mark}"
    )


class _Progress:
    """The rows of the table, and a progress bar below them on a terminal; silent on other ranks."""

    def __init__(self, total: int, visible: bool):
        from tqdm import tqdm

        self.visible = visible
        self.bar = tqdm(
            total=total, unit="U", disable=not (visible and sys.stderr.isatty()), leave=False, dynamic_ncols=True
        )

    def row(self, line: str) -> None:
        if self.visible:
            self.bar.write(line)
            sys.stdout.flush()  # who watches a log file sees each row when it is done
            self.bar.update()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.bar.close()
