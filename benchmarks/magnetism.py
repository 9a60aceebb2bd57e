# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""One orbital whose spins differ, on the Bethe lattice: antiferromagnet, paramagnetic phase, and a uniform field.

    python benchmarks/magnetism.py FOLDER [antiferromagnet] [paramagnet] [field] [--exact ed|segment]

Each scan starts from an empty database and is held against the same loops with the exact solver alone, whose answers
are kept in FOLDER. Observables are averaged over the last four iterations of each value.

antiferromagnet  half filling, βD = 20, U from 1 to 4, back to values between; the bath of a spin is that of the other
paramagnet       U = 2 at temperatures above and below ordering with that database: a polarised start
                 must lose its order where there is none, an unpolarised one must stay so to the last digit
field            U = 2, βD = 20, half filling and μ − U/2 = −0.6, a uniform field from 0 to 0.3
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from loop import Memo

from triqs_mlsolver import Database, LearnedSolver, Problem
from triqs_mlsolver.lattice.bethe import semicircle, solve_bethe_orbitals
from triqs_mlsolver.tools.constants import TARGET_SHARE

SPINS = (("up", 1), ("down", 1))
STAGGERED = {"up": "down", "down": "up"}
AVERAGED = 4


@dataclass(frozen=True)
class Value:
    """What one value of a scan is about; energies in units of D."""

    beta: float
    U: float
    x: float = 0.0  # μ − U/2
    field: float = 0.0

    def local(self) -> Problem:
        none = [np.zeros((1, 1, 1))] * 2
        levels = [[[-self.U / 2 - self.x - sign * self.field]] for sign in (1, -1)]
        return Problem(self.beta, SPINS, levels, none, [[0, self.U], [self.U, 0]])

    def __str__(self) -> str:
        return f"βD = {self.beta:g}, U = {self.U:.3g}, μ − U/2 = {self.x:.2g}, field {self.field:.3g}"


@dataclass
class Found:
    """Averages over the last iterations, with standard errors: n↑ − n↓, n, Z per spin, ⟨n↑n↓⟩."""

    mean: np.ndarray
    error: np.ndarray
    who: str
    last: object


def run(solver, values: list[Value], *, staggered: bool, start=None, carry: bool = True) -> list[Found]:
    """One loop after the other, each from the one before where `carry`."""
    found = []
    for value in values:
        rows, who = [], []

        def watch(_, solution, rows=rows, who=who):
            n_up, n_down = solution.density
            rows.append((n_up - n_down, n_up + n_down, solution.double_occupancy))
            decision = getattr(solver, "last_decision", None)
            who.append("m" if decision is not None and decision.source == "model" else "E")

        options = {"min_iterations": 2 * AVERAGED, "max_iterations": 30, "tolerance": 1e-3, "watch": watch}
        made = solve_bethe_orbitals(solver, value.local(), start, bath_of=STAGGERED if staggered else None, **options)
        table = np.array(rows[-AVERAGED:])
        found.append(Found(table.mean(axis=0), table.std(axis=0, ddof=1) / np.sqrt(AVERAGED), "".join(who), made))
        if carry:
            start = list(made.solution.G_l)
    return found


def compare(name: str, values: list[Value], learned: list[Found], exact: list[Found]) -> None:
    print(f"{name}: E computed, m answered by the model")
    for value, a, b in zip(values, learned, exact):
        print(
            f"  {value} {a.who}: m = {a.mean[0]:.4f} ± {a.error[0]:.4f}, exact {b.mean[0]:.4f} ± {b.error[0]:.4f}, "
            f"Δm = {a.mean[0] - b.mean[0]:+.4f}, Δn = {a.mean[1] - b.mean[1]:+.4f}, Δdocc = "
            f"{a.mean[2] - b.mean[2]:+.4f}, "
            f"ΔZ = {np.max(np.abs(a.last.Z - b.last.Z)):.4f}"
        )
    calls, solves = sum(a.who.count("E") for a in learned), sum(len(b.who) for b in exact)
    worst = max(abs(a.mean[0] - b.mean[0]) for a, b in zip(learned, exact))
    print(
        f"  {calls} exact calls, all-exact {solves}: {1 - calls / solves:.1%} saved; largest Δm {worst:.4f}\n",
        flush=True,
    )


def paramagnet(solver, exact) -> None:
    print("paramagnet: iterations, how many of them exact, n↑ − n↓")
    plain = [semicircle(20.0)[:, None, None]] * 2
    for value in (Value(4.0, 2.0), Value(20.0, 2.0)):
        for name, start in (("polarised start", None), ("unpolarised start", plain)):
            for who, one in (("learned", solver), ("exact", exact)):
                a = run(one, [value], staggered=True, start=start)[0]
                same = float(np.max(np.abs(np.subtract(*a.last.solution.G_l))))
                print(
                    f"  {value}, {name}, {who}: {len(a.who)}, {a.who.count('E')}, m = {a.mean[0]:+.5f}, G↑ − G↓ "
                    f"{same:.1e}",
                    flush=True,
                )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("parts", nargs="*", default=["antiferromagnet", "paramagnet", "field"])
    parser.add_argument("--exact", choices=["ed", "segment"], default="segment")
    parser.add_argument("--tolerance", type=float, default=0.002)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    target = TARGET_SHARE * options.tolerance if options.exact == "segment" else None
    truth = Memo(Database(options.folder / f"magnetism-{options.exact}.h5"), options.exact, target)
    fresh = lambda: LearnedSolver(None, exact=options.exact, tolerance=options.tolerance)
    ordered = fresh()
    if "antiferromagnet" in options.parts:
        for values in ([1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0], [3.75, 3.25, 2.75, 2.25, 1.75, 1.25]):
            path = [Value(20.0, U) for U in values]
            learned, exact = (run(solver, path, staggered=True, carry=True) for solver in (ordered, truth))
            compare("antiferromagnet", path, learned, exact)
    if "paramagnet" in options.parts:
        paramagnet(ordered, truth)
    if "field" in options.parts:
        for x in (0.0, -0.6):
            path = [Value(20.0, 2.0, x, field) for field in (0.0, 0.05, 0.1, 0.15, 0.2, 0.3)]
            solver = fresh()
            compare("field", path, *(run(s, path, staggered=False) for s in (solver, truth)))


if __name__ == "__main__":
    main()
