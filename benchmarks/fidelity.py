# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""What cheap labels are worth: set A, 100 exact answers alone, and with 1000 answers of a cheaper kind beside them.

    python benchmarks/fidelity.py [--exact 100] [--cheap 1000] [--test 400] [--seeds 1]

Cheap kinds: exact diagonalisation with two bath sites fitted to the four of the problem (`fit2`), the package's own ED
approximations with two and three sites (`ed2`, `ed3`), and exact answers with Gaussian errors on their first 20
Legendre coefficients such that the error bar of G(τ) is 0.01 (`short`). Error: max over τ of abs(ΔG). Printed as well:
the model that takes cheap labels for exact ones, and how often the 95 % bounds hold.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace

import numpy as np
from problem_sets import CHEAP, draw

from triqs_mlsolver import Predictor, Problem, Solution
from triqs_mlsolver.approximations import FewSiteED
from triqs_mlsolver.exact.ed import ED
from triqs_mlsolver.problem.comparison import compare

SIGMA, N_NOISY = 0.01, 20


@dataclass(frozen=True)
class Labelled:
    """What a predictor learns from."""

    problem: Problem
    solution: Solution
    fidelity: str


def fitted_bath(problem: Problem, _: Solution, random) -> Solution:
    return ED(n_bath=2).solve(replace(problem, bath=None))


def short_run(problem: Problem, exact: Solution, random) -> Solution:
    """The exact answer with errors as of a Monte Carlo run whose error bar of G(τ), root mean square, is `SIGMA`."""
    bar, noise = np.zeros_like(exact.G_l[0]), np.zeros_like(exact.G_l[0])
    bar[:N_NOISY] = SIGMA * problem.beta / np.sqrt(N_NOISY)  # the squares of P_l sqrt(2l + 1) have the mean 1
    noise[:N_NOISY, 0, 0] = random.normal(size=N_NOISY)
    return replace(exact, G_l=tuple(g + bar * noise for g in exact.G_l), G_l_error=(bar, bar))


KINDS = {
    "fit2": fitted_bath,
    "ed2": lambda problem, *_: FewSiteED(2).solve(problem),
    "ed3": lambda problem, *_: FewSiteED(3).solve(problem),
    "short": short_run,
}


def judged(model: Predictor, test: list) -> str:
    found = [(compare(p, (a := model.predict(p)).solution, s), a) for p, s in test]
    error = np.array([c.error for c, _ in found])
    held = np.mean([(c.error <= a.error_bound, c.sigma_error <= a.sigma_bound) for c, a in found], axis=0)
    bound = np.median([a.error_bound for _, a in found])
    return (
        f"{error.mean():.5f} / {np.quantile(error, 0.95):.5f}, Sigma "
        f"{np.median([c.sigma_error for c, _ in found]):.4f}, "
        f"median bound {bound:.4f}, holds {held[0]:.3f} / {held[1]:.3f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--exact", type=int, default=100)
    parser.add_argument("--cheap", type=int, default=1000)
    parser.add_argument("--test", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="*", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--quick", action="store_true", help="30 exact, 100 cheap, 30 tested")
    o = parser.parse_args()
    if o.quick:
        o.exact, o.cheap, o.test = 30, 100, 30
    solved = [(p, ED().solve(p)) for p in draw("A", o.exact + o.cheap, o.seed)]
    test = [(p, ED().solve(p)) for p in draw("A", o.test, 20000)]
    exact, others = solved[: o.exact], solved[o.exact :]
    print(f"{o.exact} exact alone: {judged(Predictor(approximations=CHEAP).fit(exact), test)}", flush=True)
    print(f"{o.exact + o.cheap} exact: {judged(Predictor(approximations=CHEAP).fit(solved), test)}", flush=True)
    for kind in o.kinds:
        random = np.random.default_rng([o.seed, 1])
        labels = [Labelled(p, KINDS[kind](p, s, random), f"cheap {kind}") for p, s in others]
        apart = np.array([compare(a.problem, a.solution, s).error for a, (_, s) in zip(labels, others)])
        print(f"{kind}: the labels' own error {apart.mean():.5f} / {np.quantile(apart, 0.95):.5f}")
        model = Predictor(approximations=CHEAP).fit([*exact, *labels])
        difference = ", ".join(f"{d:.2g}" for d in model.difference_)
        print(f"  {o.exact} exact and {o.cheap} {kind}: {judged(model, test)}, s2 = {difference}", flush=True)
        taken = Predictor(approximations=CHEAP).fit([*exact, *((a.problem, a.solution) for a in labels)])
        print(f"  the same, taken for exact: {judged(taken, test)}", flush=True)


if __name__ == "__main__":
    main()
