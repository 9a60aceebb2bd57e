# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""A model of very many points: time to fit it, and of a prediction with its bound.

    python benchmarks/large.py [--n 10000 100000]

The rows are synthetic: those of 500 problems of set A, each feature and label moved by a tenth of its spread. Only
times are meant seriously. A prediction is timed without the cheap solvers, on problems of the test set.
"""

from __future__ import annotations

import argparse
import resource
import time
from types import SimpleNamespace

import numpy as np
from problem_sets import draw

from triqs_mlsolver import Predictor, Problem
from triqs_mlsolver.exact.ed import ED
from triqs_mlsolver.model.features.descriptor import Kind
from triqs_mlsolver.model.features.labelled_rows import as_numbers
from triqs_mlsolver.model.features.training_set import TrainingSet

N_REAL, MOVED = 500, 0.1


class SyntheticPoints:
    """Points without a solution, and the cache that holds their rows."""

    def __init__(self, rows: np.ndarray, problem: Problem):
        self._rows = {str(k): line[None] for k, line in enumerate(as_numbers(rows))}
        self._points = [
            SimpleNamespace(id=name, problem=problem, solution=None, fidelity="exact") for name in self._rows
        ]

    def __iter__(self):
        return iter(self._points)

    def get(self, ids, version):
        return {i: self._rows[i] for i in ids}

    def put(self, arrays, version):
        """Everything is there."""


def synthetic_points(training: TrainingSet, n: int) -> SyntheticPoints:
    """`n` points of as many different problems."""
    problems = draw("A", N_REAL, 0)
    for problem in problems:
        training.append(training.rows_of(problem, ED().solve(problem)))
    random = np.random.default_rng(0)
    chosen = random.integers(len(training), size=n)
    real, training = training, TrainingSet(training.descriptor, training.kind)
    training.append(real.rows[chosen])
    for name in ("X", "y", "summary"):
        values = getattr(training, name)
        values += MOVED * getattr(real, name).std(axis=0) * random.normal(size=values.shape)
    training.problem[:] = np.arange(n)
    return SyntheticPoints(training.rows, problems[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, nargs="*", default=[10_000, 100_000])
    parser.add_argument("--test", type=int, default=60)
    parser.add_argument("--quick", action="store_true", help="4000 points, 5 predictions")
    o = parser.parse_args()
    if o.quick:
        o.n, o.test = [4000], 5
    test = draw("A", o.test, 20000)
    for n in o.n:
        model = Predictor()
        training = TrainingSet(model.fit([]).descriptor_, Kind.of(test[0]))
        points = synthetic_points(training, n)
        start, cpu = time.perf_counter(), time.process_time()
        model.fit(points, cache=points)
        fit = time.perf_counter() - start, time.process_time() - cpu
        described = [(p, model.descriptor_.describe(p.canonical())) for p in test]
        times = []
        for problem, description in described:
            start, cpu = time.perf_counter(), time.process_time()
            model.predict_described(problem, description)
            times.append((time.perf_counter() - start, time.process_time() - cpu))
        wall, processor = 1e3 * np.median(times[1:], axis=0)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
        print(
            f"{n:>7} rows | fit {fit[0]:.1f} s ({fit[1]:.1f} s of processor time) | prediction with bound, median "
            f"{wall:.0f} ms ({processor:.0f} ms of processor time) | {memory:.0f} MB at most",
            flush=True,
        )


if __name__ == "__main__":
    main()
