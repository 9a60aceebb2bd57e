# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""How far cheap solvers are from exact diagonalisation on the random-bath sets, how smooth they are, what they cost.

    python benchmarks/cheap_solvers.py [--sets ABC] [--test 300] [--lines 4] [--points 150] [--quick]

An error is the maximum over 66 nodes in τ of abs(G_cheap − G_exact), on the test problems (seed 20000). The step ratio
is the largest over the median change of G between neighbours on a line in problem space at fixed βD, on which bath and
local part go from those of one problem of the set to those of another: large where a solver jumps. Seconds are CPU
seconds.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from problem_sets import draw, tau_nodes

from triqs_mlsolver import Problem
from triqs_mlsolver.approximations import IPT, NCA, FewSiteED, HubbardI
from triqs_mlsolver.exact.ed import ED

SOLVERS = [HubbardI(), IPT(), NCA(), FewSiteED(1), FewSiteED(2), FewSiteED(3)]
TEMPERATURES = (5.0, 20.0, 50.0, 100.0)


def G(solver, problem: Problem) -> np.ndarray:
    """G of the first spin at the nodes, (66,)."""
    return solver.solve(problem).G_tau(tau_nodes(problem.beta))[0][:, 0, 0]


def accuracy(name: str, n: int) -> None:
    problems = draw(name, n, 20000)
    exact = [G(ED(), p) for p in problems]
    for solver in SOLVERS:
        for p in problems:  # grids and transforms are built once per process
            solver.solve(p)
        error, seconds = [], []
        for p, reference in zip(problems, exact):
            start = time.process_time()
            solver.solve(p)
            seconds.append(time.process_time() - start)
            error.append(np.max(np.abs(G(solver, p) - reference)))
        cold = np.array([p.beta for p in problems]) >= 20
        print(
            f"{name}  {solver.name:10} median {np.median(error):.5f}   "
            f"95th percentile {np.quantile(error, 0.95):.4f}   "
            f"median at beta D >= 20 {np.median(np.array(error)[cold]):.4f}   "
            f"{1e3 * np.median(seconds):5.1f} ms, 95th percentile {1e3 * np.quantile(seconds, 0.95):.1f} ms",
            flush=True,
        )


def line(start: Problem, end: Problem, beta: float, n: int):
    """`n` problems between two: Δ, U and x change linearly."""
    for t in np.linspace(0, 1, n):
        eps = np.concatenate([start.bath[0].eps, end.bath[0].eps])
        V = np.concatenate([np.sqrt(1 - t) * start.bath[0].V[:, 0], np.sqrt(t) * end.bath[0].V[:, 0]])
        U = (1 - t) * start.U[0, 1] + t * end.U[0, 1]
        x = (1 - t) * start.x[0] + t * end.x[0]
        p = Problem.siam(beta, U, U / 2 - x, eps, V)
        yield Problem(beta, p.gf_struct, p.h_loc0, p.Delta_l, p.U)


def smoothness(name: str, n_lines: int, n_points: int) -> None:
    problems = draw(name, 2 * n_lines, 20000)
    for beta in TEMPERATURES:
        report = []
        for solver in SOLVERS:
            ratio = []
            for start, end in zip(problems[::2], problems[1::2]):
                values = np.stack([G(solver, p) for p in line(start, end, beta, n_points)])
                step = np.max(np.abs(np.diff(values, axis=0)), axis=1)
                ratio.append(step.max() / np.median(step))
            report.append(f"{solver.name} {np.median(ratio):.1f}/{np.max(ratio):.1f}")
        print(f"{name}  beta D = {beta:3.0f}   step ratio, median/largest: " + "   ".join(report), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", default="ABC")
    parser.add_argument("--test", type=int, default=300, help="problems for the errors; 0 for none")
    parser.add_argument("--lines", type=int, default=4, help="lines for the step ratios; 0 for none")
    parser.add_argument("--points", type=int, default=150)
    parser.add_argument("--quick", action="store_true", help="20 test problems, one line of 50 points")
    options = parser.parse_args()
    n_test, n_lines, n_points = (20, 1, 50) if options.quick else (options.test, options.lines, options.points)
    for name in options.sets:
        if n_test:
            accuracy(name, n_test)
        if n_lines:
            smoothness(name, n_lines, n_points)


if __name__ == "__main__":
    main()
