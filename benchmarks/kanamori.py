# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Two Kanamori orbitals with triqs_cthyb: how many of its runs learning saves, and whether the observables stay.

    python benchmarks/kanamori.py reference|learned [--tolerance 0.01] [--cycles 48000] [--cache DIR] [--seconds 420]

Bethe lattice at half filling, spin-flip and pair-hopping included, J = U/5, βD = 20: five values of U/D from 2 to 4 of
eight iterations each, every one started from the last, then the four values between them. `reference` lets cthyb answer
everything; `learned` starts from an empty database, and certifies each value of U by one more run of cthyb after four
iterations. Observables are means over the four others. Every answer of cthyb is kept in the cache directory: a run that
is out of time is repeated and goes on where it was.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from triqs_mlsolver import Database, LearnedSolver, Problem, Solution
from triqs_mlsolver.exact.cthyb.solver import CthybSolver
from triqs_mlsolver.lattice.bethe import solve_bethe_orbitals
from triqs_mlsolver.problem.comparison import label_noise

BETA, HUND = 20.0, 0.2
BLOCKS = tuple((f"{spin}_{orbital}", 1) for orbital in (0, 1) for spin in ("up", "down"))
FIRST, BETWEEN = (2.0, 2.5, 3.0, 3.5, 4.0), (2.25, 2.75, 3.25, 3.75)
ITERATIONS, AVERAGED = 8, 4
OBSERVABLES = ("Z", "n", "docc", "triplet", "h_int")


def local_problem(U: float) -> Problem:
    """β, levels and the rotationally invariant interaction of both orbitals at half filling; no bath."""
    J = HUND * U
    same, other = np.array([[0.0, U], [U, 0.0]]), np.array([[U - 3 * J, U - 2 * J], [U - 2 * J, U - 3 * J]])
    matrix = np.block([[same, other], [other, same]])
    exchange = ((J, (0, 1, 3, 2)), (J, (2, 3, 1, 0)), (-J, (0, 3, 2, 1)), (-J, (1, 2, 3, 0)))
    return Problem(BETA, BLOCKS, [[[-0.5 * matrix[0].sum()]]] * 4, [np.zeros((2, 1, 1))] * 4, matrix, exchange)


class OutOfTime(RuntimeError):
    """The time of this chunk is over."""


@dataclass
class Kept:
    """triqs_cthyb, whose answers are kept on disk; asked again for the same problem, it runs with another seed."""

    database: Database
    stream: int
    cycles: int
    until: float
    name: str = "cthyb"
    asked: Counter = field(default_factory=Counter)
    seconds: float = 0.0
    latest: tuple[Problem, Solution] | None = None

    def solve(self, problem: Problem) -> Solution:
        before = self.asked[problem.id]
        self.asked[problem.id] += 1
        known = self.database.find(problem)
        if len(known) > before:
            solution = known[before].solution.in_units_of(problem)
        else:
            if time.perf_counter() > self.until:
                raise OutOfTime(f"{len(self.database)} answers of cthyb are stored: repeat the command to go on")
            seed = (int(problem.id, 16) + 7919 * before + self.stream) % 2**31
            run = CthybSolver(n_cycles=self.cycles, length_cycle=100, n_warmup_cycles=200, n_runs=12, random_seed=seed)
            solution = run.solve(problem)
            self.database.add(problem, solution)
        self.seconds += solution.provenance["seconds"]
        self.latest = problem, solution
        return solution


def observables(problem: Problem, solution: Solution) -> np.ndarray:
    """Z, density per site, ⟨n↑n↓⟩ of an orbital, ⟨n↑n↑⟩ of two orbitals, ⟨H_int⟩."""
    nn = solution.nn
    return np.array([solution.Z(problem)[0], np.trace(nn), nn[0, 1], nn[0, 2], solution.h_int])


def scan(solver, values: tuple[float, ...], start: list | None, tell) -> tuple[dict[float, np.ndarray], list]:
    """Mean and error bar of the observables for each U, the larger of scatter and single error bars, (2, 5).

    Of a learned solver two more rows: what cthyb found when it was asked to certify, and its error bar.
    """
    found = {}
    for U in values:
        rows, errors, certified = [], [], []
        for iteration in range(ITERATIONS):
            if iteration == ITERATIONS - AVERAGED and hasattr(solver, "certify"):
                solver.certify()
                certified = [observables(*solver.exact.latest), single_errors(*solver.exact.latest)]
            made = solve_bethe_orbitals(solver, local_problem(U), start, max_iterations=1)
            start = list(made.solution.G_l)
            rows.append(observables(made.problem, made.solution))
            errors.append(single_errors(made.problem, made.solution))
            tell(f"  {U:.2f} {iteration}", made, rows[-1])
        rows, errors = np.array(rows[-AVERAGED:]), np.array(errors[-AVERAGED:])
        scatter = rows.std(axis=0, ddof=1) / np.sqrt(AVERAGED)
        found[U] = np.array(
            [rows.mean(axis=0), np.maximum(scatter, np.sqrt(np.mean(errors**2, axis=0) / AVERAGED)), *certified]
        )
    return found, start


def single_errors(problem: Problem, solution: Solution) -> np.ndarray:
    """Error bars of the observables of one run; zero for a model's answer."""
    if solution.nn_error is None:
        return np.zeros(len(OBSERVABLES))
    Z = solution.Z(problem)[0] * label_noise(problem, solution)[1]
    e = solution.nn_error
    return np.array([Z, np.sqrt(np.sum(np.diag(e) ** 2)), e[0, 1], e[0, 2], 0.0])


def told_by(solver):
    """Print what each iteration cost; of an exact answer why it was asked for, and how wrong the model was."""

    def tell(where, made, row):
        found = f"Z {row[0]:.5f}, docc {row[2]:.5f}"
        d = getattr(solver, "last_decision", None)
        if d is None:
            noise = label_noise(made.problem, made.solution)
            print(f"{where} cthyb: noise {noise[0]:.4f} {noise[1]:.4f}; {found}", flush=True)
            return
        errors = ""
        if d.true_error is not None:
            errors = f"errors {d.true_error:.4f}({d.noise:.4f}) {d.true_sigma_error:.4f}({d.sigma_noise:.4f}); "
        bounds = f"bounds {d.error_bound:.4f} {d.sigma_bound:.4f}"
        print(f"{where} {d.source}: {d.reason}; {bounds}; {errors}{found} {d.note} {d.alarm}", flush=True)

    return tell


def run(solver, exact: Kept, tell=None) -> dict[float, np.ndarray]:
    """All values of U, first and between them; `tell` is called after every iteration."""
    found, start = {}, None
    for values in (FIRST, BETWEEN[::-1]):
        calls = sum(exact.asked.values())
        more, start = scan(solver, values, start, tell or (lambda *_: None))
        found |= more
        calls = sum(exact.asked.values()) - calls
        solves = ITERATIONS * len(values)
        if tell:
            print(f"cthyb ran {calls} times in {solves} solves: {1 - calls / solves:.0%} saved\n", flush=True)
    return found


def compare(found: dict, reference: dict) -> None:
    """The loop that cthyb answered alone, and how the learned loop and its certificates differ."""
    print("all-cthyb run; learned loop: difference from it / its error bar; certificate: difference / both error bars")
    for U in sorted(found):
        (mean, error), (learned, _, certified, own) = reference[U], found[U]
        for name, m, e, value, c, o in zip(OBSERVABLES, mean, error, learned, certified, own):
            if e > 0:
                text = f"{m:.5f} ± {e:.5f}; {value - m:+.5f} ({abs(value - m) / e:.1f})"
                print(f"  {U:.2f} {name:8s} {text}; {c - m:+.5f} ({abs(c - m) / np.hypot(e, o):.1f})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["reference", "learned"])
    parser.add_argument("--tolerance", type=float, default=0.01)
    parser.add_argument("--cycles", type=int, default=48000, help="of 100 updates, per answer of cthyb")
    parser.add_argument("--cache", type=Path, default=Path("kanamori"))
    parser.add_argument("--seconds", type=float, default=420, help="no run of cthyb is started later than this")
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    until = time.perf_counter() + options.seconds
    kept = {
        name: Kept(Database(options.cache / f"{name}.h5"), stream, options.cycles, until)
        for stream, name in enumerate(("reference", "learned"))
    }
    try:
        cthyb = kept[options.what]
        solver = cthyb if options.what == "reference" else LearnedSolver(None, exact=cthyb, tolerance=options.tolerance)
        found = run(solver, cthyb, told_by(solver))
        print(f"{cthyb.seconds:.0f} s of cthyb")
        if options.what == "learned":
            compare(found, run(kept["reference"], kept["reference"]))
    except OutOfTime as error:
        print(error)


if __name__ == "__main__":
    main()
