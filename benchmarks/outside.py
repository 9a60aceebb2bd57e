# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""The bound outside of what is known: trained on the lower 70 % of U/D, βD or |μ − U/2|/D, tested above.

    python benchmarks/outside.py [--set A] [--n 1000] [--along U beta level] [--quick]

Problems beyond the stored range count as novel and are never accepted, whatever the bound says; the table shows the
bound by itself, novelty left aside, and what is accepted with it.
"""

from __future__ import annotations

import argparse

import numpy as np
from problem_sets import CHEAP, draw

from triqs_mlsolver import Predictor
from triqs_mlsolver.exact.ed import ED
from triqs_mlsolver.problem.comparison import G_distance, sigma_distance

_SHARE = 0.7
_ALONG = {
    "U": lambda p: p.U[0, 1] / p.scale,
    "beta": lambda p: p.beta * p.scale,
    "level": lambda p: abs(p.x[0]) / p.scale,
}


def row(points: list, along: str, tolerance: float) -> str:
    """Coverage and acceptance above the 70th percentile of one parameter, trained below."""
    value = np.array([_ALONG[along](problem) for problem, _ in points])
    low = value <= np.quantile(value, _SHARE)
    predictor = Predictor(approximations=CHEAP).fit([p for p, known in zip(points, low) if known])
    error, bound, sigma, sigma_bound, novel = [], [], [], [], []
    for (problem, exact), known in zip(points, low):
        if known:
            continue
        p = predictor.predict(problem)
        error.append(G_distance(problem, p.solution, exact))
        sigma.append(sigma_distance(problem, p.solution, exact))
        bound.append(p.error_bound)
        sigma_bound.append(p.sigma_bound)
        novel.append(p.novel is not None)
    error, bound, sigma, sigma_bound, novel = map(np.array, (error, bound, sigma, sigma_bound, novel))
    within = bound <= tolerance
    accepted = within & ~novel
    wrong = lambda chosen: f"{chosen.mean():.1%} ({np.sum(chosen & (error > tolerance))} of {len(error)} wrong)"
    return (
        f"{along:>6}: {low.sum()} stored, {len(error)} tested; bounds cover G {np.mean(error <= bound):.3f}, Sigma "
        f"{np.mean(sigma <= sigma_bound):.3f}; bound / error median {np.median(bound / np.maximum(error, 1e-7)):.1f}; "
        f"bound within {tolerance:g}: {wrong(within)}, accepted: {wrong(accepted)}, novel {novel.mean():.1%}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--set", default="A", choices=["A", "B", "C", "E"])
    parser.add_argument("--n", type=int, default=1000)
    parser.add_argument("--along", nargs="+", default=list(_ALONG), choices=list(_ALONG))
    parser.add_argument("--tolerance", type=float, default=0.01)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="80 problems")
    options = parser.parse_args()
    problems = draw(options.set, 80 if options.quick else options.n, options.seed)
    points = [(problem, ED().solve(problem)) for problem in problems]
    print(f"set {options.set}, {len(points)} problems", flush=True)
    for along in options.along:
        print(row(points, along, options.tolerance), flush=True)


if __name__ == "__main__":
    main()
