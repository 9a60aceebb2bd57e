# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Time of `Solver.solve` answered by the model, with 1000 points in the database.

    python benchmarks/answer.py [--points 1000] [--solves 40] [--polarised] [--n-iw 1025] [--n-tau 10001] [--quick]

The points are Anderson models with up to three bath sites at beta D = 20, solved by exact diagonalisation; the problems
asked for are new ones of the same kind. With --polarised the spins have different baths and levels, which is twice the
work. The median should be below 20 ms, forest, error bound and filling of all containers included. Beside it the
shares of the steps: reading the problem out of G0_iw, describing it with the cheap solvers, the rest of the prediction,
its physical fit, and filling the containers.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from triqs_mlsolver import Database, Problem, Solver
from triqs_mlsolver.compat import PROVIDER, containers, n
from triqs_mlsolver.exact.ed import ED
from triqs_mlsolver.model import physical_answer as answer
from triqs_mlsolver.model import predictor
from triqs_mlsolver.model.features import descriptor
from triqs_mlsolver.problem import DiscreteBath

BETA = 20.0


def draw(rng: np.random.Generator, polarised: bool) -> Problem:
    """An Anderson model in units of D."""

    def bath() -> DiscreteBath:
        n_bath = int(rng.integers(1, 4))
        V = np.abs(rng.normal(size=n_bath)) + 0.05
        return DiscreteBath(rng.uniform(-1, 1, n_bath), 0.5 * V / np.linalg.norm(V))

    U = rng.uniform(0.5, 4.0)
    mu, field = U / 2 + rng.uniform(-1, 1), rng.uniform(-0.2, 0.2) if polarised else 0.0
    up = bath()
    down = bath() if polarised else up
    levels = ([[-mu - field]], [[-mu + field]])
    return Problem.from_bath(BETA, (("up", 1), ("down", 1)), levels, (up, down), [[0, U], [U, 0]])


class Clock:
    """Adds up the seconds spent in functions that it wraps, per solve."""

    def __init__(self):
        self.solves: list[dict[str, float]] = []

    @contextlib.contextmanager
    def watching(self, **steps):
        """Measure `name=(owner, attribute)` for the duration of the block."""
        kept = {name: getattr(*where) for name, where in steps.items()}
        for name, (owner, attribute) in steps.items():
            setattr(owner, attribute, self._timed(name, kept[name]))
        try:
            yield
        finally:
            for name, where in steps.items():
                setattr(*where, kept[name])

    def _timed(self, name, function):
        def timed(*args, **kwargs):
            start = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                row = self.solves[-1]
                row[name] = row.get(name, 0.0) + time.perf_counter() - start

        return timed

    def median(self, name: str) -> float:
        """Median over the solves (ms)."""
        return 1e3 * statistics.median(row.get(name, 0.0) for row in self.solves)


def stored_points(path: Path, count: int, polarised: bool) -> None:
    """A database file of `count` solved problems."""
    database = Database(path)
    rng = np.random.default_rng(1)
    for _ in range(count):
        problem = draw(rng, polarised)
        database.add(problem, ED().solve(problem))
    database.compact()


def ask(solver: Solver, problem: Problem) -> None:
    """Hand a problem to the solver as a script does: G0_iw and h_int."""
    for (_, g0), inverse in zip(solver.G0_iw, problem.G0_inverse_iw(solver.n_iw), strict=True):
        g0.data[...] = containers.both_signs(np.linalg.inv(inverse))
    solver.solve(h_int=float(problem.U[0, 1]) * n("up", 0) * n("down", 0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=1000)
    parser.add_argument("--solves", type=int, default=40)
    parser.add_argument("--polarised", action="store_true", help="different baths and levels for the two spins")
    parser.add_argument("--n-iw", type=int, default=1025)
    parser.add_argument("--n-tau", type=int, default=10001)
    parser.add_argument("--quick", action="store_true", help="100 points, 5 solves")
    options = parser.parse_args()
    points, solves = (100, 5) if options.quick else (options.points, options.solves)
    logging.getLogger("triqs_mlsolver").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "points.h5"
        start = time.perf_counter()
        stored_points(path, points, options.polarised)
        print(f"{points} points solved and stored in {time.perf_counter() - start:.1f} s; containers: {PROVIDER}")
        solver = Solver(
            BETA, [("up", 1), ("down", 1)], options.n_iw, options.n_tau,
            database=path, exact="ed", tolerance=1e6, sigma_tolerance=1e6, audit_rate=0, learn=False,
        )  # fmt: skip
        rng = np.random.default_rng(2)
        start = time.perf_counter()
        ask(solver, draw(rng, options.polarised))
        print(f"first solve, database read and learned: {time.perf_counter() - start:.2f} s")
        measure(solver, lambda: draw(rng, options.polarised), solves)


def measure(solver: Solver, problem: Callable[[], Problem], solves: int) -> None:
    """Time solves until enough of them were answered by the model, and print the medians."""
    clock = Clock()
    steps = {
        "read": (Solver, "_problem"),
        "describe": (descriptor.Descriptor, "describe"),
        "predict": (predictor.Predictor, "predict"),
        "physical": (answer, "nearest_self_energy"),
        "fill": (Solver, "_fill"),
        "solve": (Solver, "solve"),
    }
    asked = 0
    while len(clock.solves) < solves and asked < 10 * solves:
        asked += 1
        clock.solves.append({})
        with clock.watching(**steps):
            ask(solver, problem())
        if solver.last_decision.source != "model":  # novel: the exact solver answered
            clock.solves.pop()
    if not clock.solves:
        raise SystemExit("the model answered none of the problems: give more --points")
    total = clock.median("solve")
    slowest = 1e3 * max(row["solve"] for row in clock.solves)
    describe, physical = clock.median("describe"), clock.median("physical")
    rows = {
        "read G0_iw": clock.median("read"),
        "describe (cheap solvers)": describe,
        "predict (kernels, forest, bound)": clock.median("predict") - describe - physical,
        "physical (fit of the self-energy)": physical,
        "fill (containers)": clock.median("fill"),
    }
    rows["rest"] = total - sum(rows.values())
    for name, value in rows.items():
        print(f"  {name:36s} {value:7.2f} ms")
    print(
        f"Solver.solve answered by the model: median {total:.1f} ms, slowest {slowest:.1f} ms "
        f"({len(clock.solves)} of {asked} problems; n_iw = {solver.n_iw}, n_tau = {solver.n_tau})"
    )


if __name__ == "__main__":
    main()
