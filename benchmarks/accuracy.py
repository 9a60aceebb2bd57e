# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Error and bound of the model on the random-bath sets, against exact diagonalisation.

    python benchmarks/accuracy.py [table|coverage|curve|compare|denoise|speed] [--cache DIRECTORY] [--quick]

An error is the maximum over 66 nodes in τ of abs(G_model − G_exact), for set E also the mean of abs(ΔG) over 51 equidistant
τ. Cheap solvers on A, B and C: IPT (baseline), Hubbard-I, NCA and ED with one bath site; on E no ED. Labels and
descriptions of problems are kept in the cache, so that a second run is quick.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from joblib import Memory
from problem_sets import draw, tau_nodes

from triqs_mlsolver import Predictor
from triqs_mlsolver.comparison import sigma_distance
from triqs_mlsolver.exact.ed import ED
from triqs_mlsolver.model.descriptor import Descriptor

N_TEST, TEST_SEED = 4000, 20000
CHEAP = {"A": None, "B": None, "C": None, "E": ("ipt", "hubbard_i", "nca")}
TABLE = {"A": (300, 1000, 8000), "B": (300, 1000), "C": (300, 1000), "E": (100, 800, 10000)}
CURVE = (100, 300, 1000, 3000, 8000)


class Sets:
    """Problems, exact answers and descriptions, computed once."""

    def __init__(self, cache: Path | None):
        memory = Memory(cache, verbose=0)
        self._solved, self._described = memory.cache(_solved), memory.cache(_described)

    def solved(self, name: str, n: int, seed: int) -> list:
        return self._solved(name, _size(n), seed)[:n]

    def described(self, name: str, n: int, seed: int, approximations=None) -> list:
        return self._described(name, _size(n), seed, approximations)[:n]


def _size(n: int) -> int:
    """Sizes in which sets are kept: the first problems of a larger set are those of a smaller one."""
    return next(size for size in (60, 1000, 4000, 8000, 10000) if n <= size)


def _solved(name: str, n: int, seed: int) -> list:
    exact = ED()
    return [(problem, exact.solve(problem)) for problem in draw(name, n, seed)]


def _described(name: str, n: int, seed: int, approximations) -> list:
    descriptor = Descriptor(approximations)
    return [descriptor.describe(problem.canonical()) for problem in draw(name, n, seed)]


class Errors:
    """Errors of one predictor on a test set."""

    def __init__(self, predictor: Predictor, test: list, descriptions: list):
        rows = [self._of(predictor, *pair, description) for pair, description in zip(test, descriptions)]
        names = ("G", "bound", "sigma", "sigma_bound", "mean_G", "acausal", "sum_rule", "seconds")
        for name, column in zip(names, np.array(rows).T):
            setattr(self, name, column)

    @staticmethod
    def _of(predictor, problem, exact, description):
        start = time.perf_counter()
        prediction = predictor.predict_described(problem, description)
        seconds = time.perf_counter() - start
        model, tau = prediction.solution, tau_nodes(problem.beta)
        G = model.G_tau(tau)[0][:, 0, 0]
        even = np.linspace(0, problem.beta, 51)
        return (
            np.max(np.abs(G - exact.G_tau(tau)[0][:, 0, 0])),
            np.inf if prediction.novel else prediction.error_bound,
            sigma_distance(problem, model, exact),
            np.inf if prediction.novel else prediction.sigma_bound,
            np.mean(np.abs(model.G_tau(even)[0] - exact.G_tau(even)[0])),
            np.max(model.Sigma_iw(problem, 64)[0].imag) > 0,
            abs(G[0] + G[-1] + 1),
            seconds,
        )

    def __str__(self) -> str:
        return (
            f"{self.G.mean():.5f} / {np.quantile(self.G, 0.95):.5f} | {self.mean_G.mean():.2e} | {np.median(self.sigma):.5f} | "
            f"{np.mean(self.G <= self.bound):.3f} / {np.mean(self.sigma <= self.sigma_bound):.3f} | "
            f"{int(self.acausal.sum())} | {self.sum_rule.max():.0e} | {1e3 * np.median(self.seconds):.1f}"
        )

    def accepted(self, tolerance: float) -> str:
        mine = self.bound <= tolerance
        wrong = np.mean(self.G[mine] > tolerance) if mine.any() else 0.0
        return f"{mine.mean():.0%}, {wrong:.1%}"


HEAD = (
    "| mean / 95 % of max abs(ΔG) | mean abs(ΔG) | median Σ(iω₀) | bounds cover G / Σ | acausal | sum rule | ms "
    "| accepted at 0.01, of these wrong | fit, s |"
)


def measured(sets: Sets, name: str, n: int, seed: int, n_test: int, **settings) -> tuple[Errors, str]:
    """Errors of a model of `n` points, and the row of the table."""
    approximations = settings.setdefault("approximations", CHEAP[name])
    train = sets.solved(name, n, seed)
    sets.described(name, n_test, TEST_SEED, approximations)
    start = time.perf_counter()
    predictor = Predictor(**settings).fit(train)
    seconds = time.perf_counter() - start
    test = sets.solved(name, n_test, TEST_SEED)
    errors = Errors(predictor, test, sets.described(name, n_test, TEST_SEED, approximations))
    return errors, f"{errors} | {errors.accepted(0.01)} | {seconds:.0f} |"


def table(sets: Sets, n_test: int, quick: bool) -> None:
    """Sets, sizes and seeds of the goals. The time to fit includes the cheap solvers for all points."""
    print(f"| set | N | seed {HEAD}")
    for name, sizes in TABLE.items():
        for n in (60,) if quick else sizes:
            for seed in (0, 1, 2) if n == 1000 else (0,):
                print(f"| {name} | {n} | {seed} | {measured(sets, name, n, seed, n_test)[1]}", flush=True)


def coverage(sets: Sets, n_test: int, quick: bool) -> None:
    """How often the 90 % and 95 % bounds hold, overall, among accepted problems and by β; what they accept."""
    print(
        "| set | N | 95 %: G / Σ | 90 %: G / Σ | accepted at 0.01, at 0.005 (of these wrong) | held among accepted | by βD |"
    )
    for name in "AC":
        for n in (60,) if quick else (300, 1000, 4000):
            found = {c: measured(sets, name, n, 0, n_test, confidence=c)[0] for c in (0.95, 0.9)}
            shares = [
                f"{np.mean(e.G <= e.bound):.3f} / {np.mean(e.sigma <= e.sigma_bound):.3f}" for e in found.values()
            ]
            e = found[0.95]
            beta = np.array([problem.canonical().beta for problem, _ in sets.solved(name, n_test, TEST_SEED)])
            edges = np.quantile(beta, [0, 0.25, 0.5, 0.75, 1])
            bins = [(beta >= low) & (beta <= high) for low, high in zip(edges, edges[1:])]
            by_beta = ", ".join(
                f"{low:.0f}–{high:.0f}: {np.mean((e.G <= e.bound)[b]):.3f}"
                for low, high, b in zip(edges, edges[1:], bins)
            )
            mine = e.bound <= 0.01
            held = f"{np.mean((e.G <= e.bound)[mine]):.3f}"
            accepted = f"{e.accepted(0.01)}; {e.accepted(0.005)}"
            print(f"| {name} | {n} | {' | '.join(shares)} | {accepted} | {held} | {by_beta} |", flush=True)


def curve(sets: Sets, n_test: int, quick: bool) -> None:
    """Learning curves on sets A, B and C, as a picture."""
    from triqs_mlsolver.plots import plot_learning_curve, save

    sizes = (30, 60) if quick else CURVE
    found = {name: [measured(sets, name, n, 0, n_test)[0].G for n in sizes] for name in "ABC"}
    save(
        plot_learning_curve(np.array(sizes), {f"set {name}": np.array(e) for name, e in found.items()}),
        Path("curve.png"),
    )
    for name, errors in found.items():
        print(name, *(f"{n}: {e.mean():.5f}" for n, e in zip(sizes, errors)))


def compare(sets: Sets, n_test: int, quick: bool) -> None:
    """Regressors side by side on set A, each with and without cheap solvers."""
    n = 60 if quick else 1000
    print(f"| regressor | cheap solvers {HEAD}")
    for regressor in ("kernel_ridge", "random_forest", "extra_trees", "gaussian_process", "mlp", "average"):
        for approximations in (None, ()):
            row = measured(sets, "A", n, 0, n_test, regressor=regressor, approximations=approximations)[1]
            print(f"| {regressor} | {'no' if approximations == () else 'yes'} | {row}", flush=True)


def denoise(sets: Sets, n_test: int, quick: bool) -> None:
    """Labels with Gaussian errors of known size on every Legendre coefficient: errors of the model against the truth."""
    from dataclasses import replace

    for noise in (0.01, 0.003):
        for n in (30, 60) if quick else (100, 300, 1000):
            random = np.random.default_rng(n)
            noisy = []
            for problem, exact in sets.solved("C", n, 0):
                # equal errors of all coefficients up to l = 20, so that G(τ) has an error bar of about `noise`
                shape = np.zeros((len(exact.G_l[0]), 1, 1))
                shape[:20] = noise * problem.beta / np.sqrt(np.sum(2 * np.arange(20) + 1))
                drawn = shape * random.normal(size=shape.shape)
                blocks = tuple(g + drawn for g in exact.G_l)
                noisy.append((problem, replace(exact, G_l=blocks, G_l_error=(shape,) * 2)))
            predictor = Predictor().fit(noisy)
            test = sets.solved("C", n_test, TEST_SEED)
            errors = Errors(predictor, test, sets.described("C", n_test, TEST_SEED))
            print(f"| {noise} | {n} | {errors}", flush=True)


def speed(sets: Sets, n_test: int, quick: bool) -> None:
    """Seconds to fit and to predict; cheap solvers apart."""
    for n in (60,) if quick else (1000, 3000, 8000):
        start = time.perf_counter()
        predictor = Predictor().fit(sets.solved("A", n, 0))
        whole = time.perf_counter() - start
        start = time.perf_counter()
        predictor._refit()
        fit = time.perf_counter() - start
        errors = Errors(predictor, sets.solved("A", 200, TEST_SEED), sets.described("A", 200, TEST_SEED))
        print(f"| {n} | {whole:.0f} | {fit:.1f} | {1e3 * np.median(errors.seconds):.1f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    tasks = {task.__name__: task for task in (table, coverage, curve, compare, denoise, speed)}
    parser.add_argument("task", nargs="?", default="table", choices=tasks)
    parser.add_argument("--cache", type=Path, help="directory for labels and descriptions")
    parser.add_argument("--test", type=int, default=N_TEST, help="test problems (default: all 4000)")
    parser.add_argument("--quick", action="store_true", help="60 training and 40 test problems")
    options = parser.parse_args()
    tasks[options.task](Sets(options.cache), 40 if options.quick else options.test, options.quick)


if __name__ == "__main__":
    main()
