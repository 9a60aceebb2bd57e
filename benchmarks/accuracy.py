# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Error and bound of the model on the random-bath sets, against exact diagonalisation.

    python benchmarks/accuracy.py [--set A] [--n 300] [--test 1000] [--seed 0] [--quick]

An error is the maximum over 66 nodes in τ of abs(G_model − G_exact). The baseline is IPT, the features Hubbard-I, IPT and
ED with one bath site.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from problem_sets import draw, tau_nodes

from triqs_mlsolver import Predictor
from triqs_mlsolver.exact.ed import ED
from triqs_mlsolver.comparison import sigma_distance


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--set", default="A", choices=["A", "B", "C", "E"])
    parser.add_argument("--n", type=int, default=300)
    parser.add_argument("--test", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="60 training and 40 test problems")
    options = parser.parse_args()
    n, n_test = (60, 40) if options.quick else (options.n, options.test)

    solve = ED().solve
    start = time.perf_counter()
    predictor = Predictor().fit((p, solve(p)) for p in draw(options.set, n, options.seed))
    fit_seconds = time.perf_counter() - start
    error, bound, sigma, sigma_bound, acausal, sum_rule, seconds = ([] for _ in range(7))
    for problem in draw(options.set, n_test, 20000):
        exact = solve(problem)
        start = time.perf_counter()
        prediction = predictor.predict(problem)
        seconds.append(time.perf_counter() - start)
        tau, model = tau_nodes(problem.beta), prediction.solution
        G = model.G_tau(tau)[0][:, 0, 0]
        error.append(np.max(np.abs(G - exact.G_tau(tau)[0][:, 0, 0])))
        bound.append(np.inf if prediction.novel else prediction.error_bound)
        sigma.append(sigma_distance(problem, model, exact))
        sigma_bound.append(np.inf if prediction.novel else prediction.sigma_bound)
        acausal.append(np.max(model.Sigma_iw(problem, 64)[0].imag) > 0)
        sum_rule.append(abs(G[0] + G[-1] + 1))
    error, bound, sigma, sigma_bound = map(np.array, (error, bound, sigma, sigma_bound))
    print(
        f"set {options.set}, N = {n} (seed {options.seed}), {n_test} test problems; labels and fit {fit_seconds:.0f} s"
    )
    print(f"error of G: mean {error.mean():.5f}, 95th percentile {np.quantile(error, 0.95):.5f}")
    print(
        f"error of Sigma(iw0), relative: median {np.median(sigma):.4f}, 95th percentile {np.quantile(sigma, 0.95):.4f}"
    )
    print(f"95 % bounds cover: G {np.mean(error <= bound):.3f}, Sigma {np.mean(sigma <= sigma_bound):.3f}")
    for tolerance in (0.01, 0.005, 0.002):
        accepted = bound <= tolerance
        wrong = np.mean(error[accepted] > tolerance) if accepted.any() else 0.0
        print(f"accepted at {tolerance:g}: {accepted.mean():.1%}, of these above it: {wrong:.2%}")
    print(f"acausal Sigma: {np.sum(acausal)}   largest violation of the sum rule: {np.max(sum_rule):.1e}")
    print(f"time per prediction, cheap solvers included: median {1e3 * np.median(seconds):.1f} ms")


if __name__ == "__main__":
    main()
