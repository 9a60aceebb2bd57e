# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""What a budget of exact solves buys: `refresh` against as many random additions, from 300 points of set A.

    python benchmarks/refresh.py [--seeds 5] [--first 0] [--budget 100] [--test 300] [--quick]

The exact solver is ED with the 4 bath sites of the problems. Printed per seed: the held-out 95th percentile of
max over τ of abs(ΔG) before, after random additions, after `refresh`, and the ratio of the two reductions.
"""

from __future__ import annotations

import argparse
import copy
import tempfile
import time

import numpy as np
from problem_sets import CHEAP, draw, tau_nodes

from triqs_mlsolver import Database, Predictor
from triqs_mlsolver.database.model_settings import save_settings
from triqs_mlsolver.exact.ed import ED
from triqs_mlsolver.generation.refresh import refresh
from triqs_mlsolver.model.features.descriptor import Descriptor


def solved(problems) -> list:
    return [(p, ED().solve(p)) for p in problems]


def described(points) -> list:
    """Problem, description and exact solution of each."""
    descriptor = Descriptor(CHEAP)
    return [(p, descriptor.describe(p.canonical()), s) for p, s in points]


def percentile(model: Predictor, added, test) -> float:
    """95th percentile of the error of a copy of `model` to which `added` came one by one, as in a loop.

    So the choice of length scales, which has a noise of its own, is the same for all.
    """
    model = copy.deepcopy(model)
    for problem, solution in added:
        model.add(problem, solution)
    errors = []
    for problem, description, exact in test:
        tau = tau_nodes(problem.beta)
        found = model.predict_described(problem, description).solution
        errors.append(max(np.max(np.abs(a - b)) for a, b in zip(found.G_tau(tau), exact.G_tau(tau))))
    return float(np.quantile(errors, 0.95))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--n", type=int, default=300)
    parser.add_argument("--budget", type=int, default=100)
    parser.add_argument("--test", type=int, default=300)
    parser.add_argument("--quick", action="store_true", help="one seed, 60 + 20 points, 30 test problems")
    o = parser.parse_args()
    if o.quick:
        o.seeds, o.n, o.budget, o.test = 1, 60, 20, 30
    test = described(solved(draw("A", o.test, 20000)))
    print("seed   before   random  refresh  ratio of reductions  seconds")
    ratios = []
    for seed in range(o.first, o.first + o.seeds):
        points = solved(draw("A", o.n + o.budget, seed))
        first, others = points[: o.n], points[o.n :]
        model = Predictor(approximations=CHEAP).fit(first)
        before, random = percentile(model, [], test), percentile(model, others, test)
        with tempfile.TemporaryDirectory() as folder:
            database = Database(f"{folder}/a.h5")
            save_settings(database.path, {"approximations": CHEAP})
            for problem, solution in first:
                database.add(problem, solution)
            start = time.perf_counter()
            refresh(database, budget=o.budget, exact="ed", seed=seed)
            seconds = time.perf_counter() - start
            after = percentile(model, [(p.problem, p.solution) for p in database[o.n :]], test)
        ratios.append((before - after, before - random))
        ratio = ratios[-1][0] / ratios[-1][1]
        print(f"{seed:4d} {before:8.5f} {random:8.5f} {after:8.5f} {ratio:20.2f} {seconds:8.0f}", flush=True)
    gained, by_chance = np.mean(ratios, axis=0)
    print(f"mean reduction by refresh {gained:.5f}, at random {by_chance:.5f}: {gained / by_chance:.2f} times")


if __name__ == "__main__":
    main()
