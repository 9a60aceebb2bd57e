# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""DMFT on the half-filled Bethe lattice from an empty database, beside the same loop with the exact solver alone.

    python benchmarks/loop.py [--beta 20] [--points 31] [--exact ed|segment] [--quick]

Prints exact calls, the share saved, and the differences of Z and double occupancy; beside them the same for the nearest
stored point in place of the model.
"""

from __future__ import annotations

import argparse
import logging
import time

import numpy as np

from triqs_mlsolver.dmft import scan_bethe
from triqs_mlsolver.exact.registry import choose
from triqs_mlsolver.learned import LearnedSolver


class Counted:
    """An exact solver that counts its calls."""

    def __init__(self, name: str, target_error: float | None):
        self.name, self.target_error, self.calls = name, target_error, 0

    def solve(self, problem):
        self.calls += 1
        return choose(self.name, problem, target_error=self.target_error, random_seed=1000 + self.calls).solve(problem)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--beta", type=float, default=20.0)
    parser.add_argument("--points", type=int, default=31)
    parser.add_argument("--exact", default="ed", choices=["ed", "segment"])
    parser.add_argument("--tolerance", type=float, default=0.002)
    parser.add_argument("--loop-tolerance", type=float, default=2e-4)
    parser.add_argument("--quick", action="store_true", help="a coarse scan")
    options = parser.parse_args()
    logging.getLogger("triqs_mlsolver").setLevel(logging.ERROR)
    U = np.linspace(0.5, 3.5, 4 if options.quick else options.points)
    path = np.r_[U, U[::-1]]

    def scan(solver):
        start = time.perf_counter()
        found = scan_bethe(solver, options.beta, path, tolerance=options.loop_tolerance)
        return found, time.perf_counter() - start

    exact = Counted(options.exact, 0.25 * options.tolerance)
    reference, seconds_exact = scan(exact)
    learned = Counted(options.exact, 0.25 * options.tolerance)
    solver = LearnedSolver(None, exact=learned, tolerance=options.tolerance)
    model, seconds_model = scan(solver)

    log = solver.log.read()
    audited = log.get("audit", np.zeros(0))
    Z = np.array([abs(a.Z - b.Z) for a, b in zip(reference, model)])
    docc = np.array([abs(a.double_occupancy - b.double_occupancy) for a, b in zip(reference, model)])
    apart = lambda branch: max(abs(a.Z - b.Z) for a, b in zip(branch[: len(U)], branch[: len(U) - 1 : -1]))
    print(
        f"beta D = {options.beta:g}, {len(path)} values of U/D, exact solver {options.exact}, tolerance {options.tolerance:g}"
    )
    print(
        f"all-exact loop: {exact.calls} solves, {seconds_exact:.0f} s; branches differ by {apart(reference):.4f} in Z"
    )
    solves = sum(m.n_iterations for m in model)
    print(f"learned loop: {solves} solves, {seconds_model:.0f} s; branches differ by {apart(model):.4f} in Z")
    print(
        f"exact calls: {learned.calls} ({int(np.nansum(audited))} audits)   saved: {1 - learned.calls / exact.calls:.1%}"
    )
    print(f"|dZ|: largest {Z.max():.4f} at U/D = {path[Z.argmax()]:.2f}, 90th percentile {np.quantile(Z, 0.9):.4f}")
    print(f"|d docc|: largest {docc.max():.5f}, 90th percentile {np.quantile(docc, 0.9):.5f}")
    known = np.isfinite(log["true_error"]) & np.isfinite(log["error_bound"])
    inside = known & ~np.char.startswith(log["reason"].astype(str), "novel")
    for name, where in (("all", known), ("not novel", inside)):
        if where.any():
            held = (log["true_error"] <= log["error_bound"])[where].mean()
            sigma = (log["true_sigma_error"] <= log["sigma_bound"])[where].mean()
            print(
                f"bound held at exact calls, {name}: G {held:.2f}, Sigma {sigma:.2f} of {where.sum()} (label noise included)"
            )


if __name__ == "__main__":
    main()
