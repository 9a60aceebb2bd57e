# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Two orbitals with Hund's coupling on the Bethe lattice: what learning saves, and what it costs in accuracy.

    python benchmarks/orbitals.py [--J 0.25] [--filling half|quarter] [--tolerance 0.005] [--database orbitals.h5]

Density-density interaction (U, U − 2J, U − 3J), βD = 20, six values of U of at most eight iterations each, from the metal;
then five values between them from the database that this has filled. Exact solver: the embedded CTQMC. `--reference` runs
the same loops with the exact solver alone.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from triqs_mlsolver import LearnedSolver, Problem
from triqs_mlsolver.dmft import solve_bethe_orbitals

BETA = 20.0
BLOCKS = tuple((f"{spin}_{orbital}", 1) for orbital in (0, 1) for spin in ("up", "down"))


def local_problem(U: float, J: float, quarter: bool) -> Problem:
    """β, levels and interaction of both orbitals, half filled or with about one electron."""
    same, other = np.array([[0.0, U], [U, 0.0]]), np.array([[U - 3 * J, U - 2 * J], [U - 2 * J, U - 3 * J]])
    interaction = np.block([[same, other], [other, same]])
    mu = 0.5 * U if quarter else 0.5 * interaction[0].sum()
    none = [np.zeros((2, 1, 1))] * 4
    return Problem(BETA, BLOCKS, [[[-mu]]] * 4, none, interaction)


def scan(solver: LearnedSolver, values: list[float], J: float, quarter: bool) -> dict[float, tuple]:
    """Per U: exact calls, solves, Z, filling, ⟨n↑n↓⟩ and the largest difference between flavours."""
    found = {}
    for U in values:
        sources = []
        seen = lambda step, solution, sources=sources: sources.append(solver.last_decision.source)
        start = time.perf_counter()
        made = solve_bethe_orbitals(
            solver, local_problem(U, J * U, quarter), max_iterations=8, tolerance=2e-3, watch=seen
        )
        Z = made.solution.Z(made.problem)
        unlike = max(np.max(np.abs(g - made.solution.G_l[0])) for g in made.solution.G_l)
        nn = made.solution.nn
        exact = sum(source != "model" for source in sources)
        found[U] = (exact, len(sources), Z[0], np.trace(nn), nn[0, 1], unlike)
        print(
            f"U = {U:.2f}: {exact} of {len(sources)} exact, Z = {Z[0]:.4f}, n = {np.trace(nn):.4f}, docc = {nn[0, 1]:.4f}, "
            f"flavours differ by {unlike:.0e}, {time.perf_counter() - start:.0f} s",
            flush=True,
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--J", type=float, default=0.25, help="J/U")
    parser.add_argument("--filling", choices=["half", "quarter"], default="half")
    parser.add_argument("--tolerance", type=float, default=0.005)
    parser.add_argument("--database", help="file that is resumed; default: memory")
    parser.add_argument("--reference", action="store_true", help="the exact solver alone")
    options = parser.parse_args()
    quarter = options.filling == "quarter"
    first = np.linspace(0.5, 3.0, 6) if quarter else np.linspace(0.4, 1.4, 6)
    between = 0.5 * (first[1:] + first[:-1])
    solver = LearnedSolver(options.database, exact="segment", tolerance=options.tolerance, audit_rate=0.01)
    if options.reference:
        solver = LearnedSolver(None, exact="segment", tolerance=options.tolerance, learn=False)
    for values in (first, between):
        found = scan(solver, [float(U) for U in values], options.J, quarter)
        exact, solves = (sum(row[k] for row in found.values()) for k in (0, 1))
        print(f"{exact} exact of {solves} solves: {1 - exact / solves:.0%} answered by the model\n", flush=True)


if __name__ == "__main__":
    main()
