# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""What 1, 2, 3 and 5 orbitals cost the model: size and time of a description, fit, prediction.

    python benchmarks/cost.py [--points 300] [--orbitals 1 2 3 5] [--flavours alike different]

Density-density interaction with J = U/6, βD from 10 to 30, two bath sites per orbital; degenerate orbitals and spins,
or all flavours different. The labels are those of Hubbard-I: it is time that is measured here, not accuracy. CPU times,
medians over 20 problems that are not among the points.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from triqs_mlsolver import DiscreteBath, Predictor, Problem, Solution
from triqs_mlsolver.approximations import HubbardI

N_TIMED = 20


def random_problem(n_orbitals: int, different: bool, rng: np.random.Generator) -> Problem:
    """Flavours (orbital, spin); with `different` each has a level and a bath of its own."""
    N, U = 2 * n_orbitals, rng.uniform(0.5, 3.0)
    J = U / 6
    orbital, spin = np.arange(N) // 2, np.arange(N) % 2
    same_orbital, same_spin = (a[:, None] == a[None, :] for a in (orbital, spin))
    matrix = np.where(same_orbital, U, np.where(same_spin, U - 3 * J, U - 2 * J)) * (1 - np.eye(N))
    n_own = N if different else 1
    eps, V = rng.uniform(-0.8, 0.8, (n_own, 2)), rng.uniform(0.3, 0.45, (n_own, 2))
    level = rng.uniform(-0.3, 0.3, n_own)
    pick = lambda i: i if different else 0
    return Problem.from_bath(
        rng.uniform(10, 30),
        [(f"{o}_{s}", 1) for o, s in zip(orbital, spin)],
        [[[level[pick(i)] - 0.5 * matrix[i].sum()]] for i in range(N)],
        [DiscreteBath(eps[pick(i)], V[pick(i)]) for i in range(N)],
        matrix,
    )


def timed(f, *arguments, **named) -> tuple[float, object]:
    start = time.process_time()
    value = f(*arguments, **named)
    return time.process_time() - start, value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=300)
    parser.add_argument("--orbitals", type=int, nargs="+", default=[1, 2, 3, 5])
    parser.add_argument("--flavours", choices=["alike", "different"], nargs="+", default=["alike", "different"])
    options = parser.parse_args()
    print(
        "| orbitals | flavours | rows | features | describe, ms | fit, s | learn one more, ms | predict, ms |\n|"
        + "---|" * 8
    )
    for n_orbitals in options.orbitals:
        for different in (name == "different" for name in options.flavours):
            rng = np.random.default_rng([17, n_orbitals, different])
            problems = [random_problem(n_orbitals, different, rng) for _ in range(options.points + N_TIMED)]
            predictor = Predictor()
            seconds, cache = [], Cache()
            points = [Labelled(str(k), p, HubbardI().solve(p)) for k, p in enumerate(problems[: options.points])]
            predictor.fit(points, cache=cache)
            fit, _ = timed(Predictor().fit, points, cache=cache)
            for problem in problems[options.points :]:
                describe, description = timed(predictor.descriptor_.describe, problem.canonical())
                predict, _ = timed(predictor.predict_described, problem, description)
                seconds.append((describe, predict))
            add = [timed(predictor.add, p, HubbardI().solve(p))[0] for p in problems[options.points :][:5]]
            describe, predict = np.median(seconds, axis=0)
            size = len(predictor.training_.layout.group)
            print(
                f"| {n_orbitals} | {'all different' if different else 'alike'} | {len(description.rows)} | {size} | "
                f"{1e3 * describe:.0f} | {fit:.1f} | {1e3 * (np.median(add) - describe):.0f} | {1e3 * predict:.1f} |",
                flush=True,
            )


class Cache:
    """Keeps what the cheap solvers said of the points: it costs its time once, and is not part of the fit."""

    def __init__(self):
        self.lines = {}

    def get(self, ids, version):
        return self.lines

    def put(self, arrays, version):
        self.lines.update(arrays)


class Labelled:
    """A point as a database hands it out."""

    def __init__(self, point_id: str, problem: Problem, solution: Solution):
        self.id, self.problem, self.solution = point_id, problem, solution


if __name__ == "__main__":
    main()
