# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Two Anderson impurities in a field out of TRIQS/benchmarks, learned from an exact solver and held against the truth.

    python benchmarks/siam.py FOLDER [discrete] [field] [wide] [--exact segment|ed] [--tolerance 0.002]

discrete  SIAM_Discrete_Bath: β = 5, U = 5, μ = 2, h = 0.2, bath levels 0 and 4, couplings 2 and 5; truth: exact
          diagonalisation
field     the same at U = 5 and μ = 2 with h from 0 to 0.6 in place of U
wide      SIAM_Wide_Band: the same impurity with Γ = 1. Its infinitely wide band is a flat one of width 40 here, of 400
          levels; truth: CTQMC with other seeds, for every third value of U

From an empty database, U takes 13 values from 3 to 7 at μ = U/2 − 0.5, the ends first since what lies beyond is novel,
then the 12 values between. Answers are compared with the truth, which is kept in FOLDER.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from loop import Memo

from triqs_mlsolver import Database, DiscreteBath, LearnedSolver, Problem
from triqs_mlsolver.problem.comparison import compare
from triqs_mlsolver.tools.constants import TARGET_SHARE

BETA, U, FIELD, GAMMA, HALF_WIDTH, N_LEVELS = 5.0, 5.0, 0.2, 1.0, 20.0, 400
SPINS = (("up", 1), ("dn", 1))
U_VALUES = np.linspace(3.0, 7.0, 13)
H_VALUES = np.linspace(0.0, 0.6, 13)


def impurity(U: float, h: float, wide: bool) -> Problem:
    mu = U / 2 - 0.5
    if not wide:
        return Problem.siam(BETA, U, mu, [0.0, 4.0], [2.0, 5.0], h)
    width = 2 * HALF_WIDTH / N_LEVELS
    eps = -HALF_WIDTH + width * (np.arange(N_LEVELS) + 0.5)
    bath = DiscreteBath(eps, np.full(N_LEVELS, np.sqrt(GAMMA * width / np.pi)))
    levels = [[[-mu - h]], [[-mu + h]]]
    return Problem.from_bath(BETA, SPINS, levels, (bath, bath), [[0, U], [U, 0]])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("parts", nargs="*", default=["discrete", "field", "wide"])
    parser.add_argument("--exact", choices=["segment", "ed"], default="segment")
    parser.add_argument("--tolerance", type=float, default=0.002)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    for part in options.parts:
        wide = part == "wide"
        target = TARGET_SHARE * options.tolerance if wide else None
        truth = Memo(Database(options.folder / f"siam-{part}.h5"), "segment" if wide else "ed", target)
        solver = LearnedSolver(None, exact=options.exact, tolerance=options.tolerance)
        grid = H_VALUES if part == "field" else U_VALUES
        for name, values in (("first", np.roll(grid, 1)), ("between", 0.5 * (grid[1:] + grid[:-1]))):
            rows, calls = [], 0
            for k, value in enumerate(values):
                problem = impurity(U, float(value), wide) if part == "field" else impurity(float(value), FIELD, wide)
                answer, d = solver.solve(problem), solver.last_decision
                calls += d.source != "model"
                if wide and k % 3 != 1:
                    continue
                exact = truth.solve(problem)
                found = compare(problem, answer, exact)
                Z = np.max(np.abs(answer.Z(problem) - exact.Z(problem)))
                m = float(np.subtract(*answer.density) - np.subtract(*exact.density))
                docc = answer.double_occupancy - exact.double_occupancy
                held = np.all(found.over(d.error_bound, d.sigma_bound) <= 1)
                rows.append((d.source == "model", found.error, found.sigma_error, Z, abs(m), abs(docc), held))
            table = np.array(rows, float)
            by_model = table[:, 0] > 0
            print(f"{part}, {name}: {calls} exact of {len(values)}, {len(rows)} compared", flush=True)
            for who, chosen in (("model", by_model), ("exact", ~by_model)):
                if chosen.any():
                    worst = table[chosen, 1:6].max(axis=0)
                    print(
                        f"  {who}: largest errors of G {worst[0]:.5f}, Σ(iω₀) {worst[1]:.4f}, Z {worst[2]:.4f}, "
                        f"n↑ − n↓ {worst[3]:.5f}, ⟨n↑n↓⟩ {worst[4]:.5f}; bounds held in "
                        f"{int(table[chosen, 6].sum())} of "
                        f"{chosen.sum()}",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
