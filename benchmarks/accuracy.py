# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Error and bound of the model on the random-bath sets, against exact diagonalisation.

    python benchmarks/accuracy.py [table|coverage|curve|compare|denoise|speed] [--sets A] [--cache DIRECTORY] [--quick]

An error is the maximum over 66 nodes in τ of abs(G_model − G_exact), for set E also the mean of abs(ΔG) over 51
equidistant τ. Cheap solvers on A, B and C: IPT (baseline), Hubbard-I, NCA and ED with one bath site. On E, whose
problems have three bath sites, no ED at all: second order around Hartree–Fock (baseline; IPT takes its density from
ED), Hubbard-I and NCA. Labels and descriptions of problems are kept in the cache, so that a second run is quick.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import problem_sets
from joblib import Memory
from problem_sets import draw, tau_nodes

from triqs_mlsolver import Predictor, Problem, Solution
from triqs_mlsolver.database.cache import DescriptorCache
from triqs_mlsolver.exact.ed import ED
from triqs_mlsolver.model.features.descriptor import Description, Descriptor, Kind
from triqs_mlsolver.model.features.training_set import TrainingSet
from triqs_mlsolver.problem.comparison import sigma_distance

N_TEST, TEST_SEED = 4000, 20000
CHEAP = dict.fromkeys("ABC", problem_sets.CHEAP) | {"E": ("hartree_fock", "hubbard_i", "nca")}
TABLE = {"A": (300, 1000, 8000), "B": (300, 1000), "C": (300, 1000), "E": (100, 800, 10000)}
NOISE = (0.01, 0.003)  # error bars of G(τ) in `denoise`
CURVE = (100, 300, 1000, 3000, 8000)


@dataclass(frozen=True)
class Labelled:
    """A problem, the exact answer to it, and a name under which what cheap solvers say of it is kept."""

    id: str
    problem: Problem
    solution: Solution


class Sets:
    """Problems, exact answers and what cheap solvers say of them, computed once."""

    def __init__(self, cache: Path | None, names: str = "ABCE"):
        self.names = names
        memory = Memory(cache, verbose=0)
        self._solved, self._described = memory.cache(_solved), memory.cache(_described)
        self._directory = cache

    def solved(self, name: str, n: int, seed: int) -> list[Labelled]:
        return [Labelled(problem.id, problem, exact) for problem, exact in self._solved(name, _size(n), seed)[:n]]

    def rows(self, name: str, n: int, seed: int, approximations=None) -> DescriptorCache:
        """Where a model keeps what it has computed of these points."""
        chosen = "default" if approximations is None else "-".join(approximations) or "none"
        file = None if self._directory is None else self._directory / f"{name}-{_size(n)}-{seed}-{chosen}"
        return DescriptorCache(file, "1+1 density-density")

    def described(self, name: str, n: int, seed: int, approximations=None) -> list[Description]:
        descriptor = Descriptor(approximations)
        version = TrainingSet(descriptor, Kind.of(draw(name, 1, seed)[0])).version
        return self._described(name, _size(n), seed, approximations, version)[:n]


def _size(n: int) -> int:
    """Sizes in which sets are kept: the first problems of a larger set are those of a smaller one."""
    return next(size for size in (60, 1000, 4000, 8000, 10000) if n <= size)


def _solved(name: str, n: int, seed: int) -> list:
    exact = ED()
    return [(problem, exact.solve(problem)) for problem in draw(name, n, seed)]


def _described(name: str, n: int, seed: int, approximations, version: str) -> list:
    descriptor = Descriptor(approximations)
    return [descriptor.describe(problem.canonical()) for problem in draw(name, n, seed)]


class Errors:
    """Errors of one predictor on a test set."""

    def __init__(self, predictor: Predictor, test: list, descriptions: list):
        rows = [self._of(predictor, t.problem, t.solution, d) for t, d in zip(test, descriptions)]
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
            f"{self.G.mean():.5f} / {np.quantile(self.G, 0.95):.5f} | {self.mean_G.mean():.2e} | "
            f"{np.median(self.sigma):.5f} | "
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
    predictor, seconds = fitted(sets, name, n, seed, **settings)
    errors = tested(sets, predictor, name, n_test)
    return errors, f"{errors} | {errors.accepted(0.01)} | {seconds:.0f} |"


def fitted(sets: Sets, name: str, n: int, seed: int, **settings) -> tuple[Predictor, float]:
    """A model of `n` points, and the seconds it took to fit; the first time, cheap solvers are among them."""
    approximations = settings.setdefault("approximations", CHEAP[name])
    points = sets.solved(name, n, seed)
    start = time.perf_counter()
    predictor = Predictor(**settings).fit(points, cache=sets.rows(name, n, seed, approximations))
    return predictor, time.perf_counter() - start


def tested(sets: Sets, predictor: Predictor, name: str, n_test: int) -> Errors:
    """Errors on the first `n_test` test problems."""
    descriptions = sets.described(name, n_test, TEST_SEED, predictor.approximations)
    return Errors(predictor, sets.solved(name, n_test, TEST_SEED), descriptions)


def table(sets: Sets, n_test: int, quick: bool) -> None:
    """Sets, sizes and seeds of the goals."""
    print(f"| set | N | seed {HEAD}")
    for name, sizes in ((name, TABLE[name]) for name in sets.names):
        for n in (60,) if quick else sizes:
            for seed in (0, 1, 2) if n == 1000 else (0,):
                print(f"| {name} | {n} | {seed} | {measured(sets, name, n, seed, n_test)[1]}", flush=True)


def coverage(sets: Sets, n_test: int, quick: bool) -> None:
    """How often the 90 % and 95 % bounds hold, overall, among accepted problems and by β; what they accept."""
    print(
        "| set | N | 95 %: G / Σ | 90 %: G / Σ | accepted at 0.01, at 0.005 (of these wrong) | held among accepted | "
        "by βD |"
    )
    for name in sets.names:
        for n in (60,) if quick else (300, 1000, 4000):
            predictor, _ = fitted(sets, name, n, 0)
            e = tested(sets, predictor, name, n_test)
            found = (e, tested(sets, predictor.with_confidence(0.9), name, n_test))
            shares = [f"{np.mean(f.G <= f.bound):.3f} / {np.mean(f.sigma <= f.sigma_bound):.3f}" for f in found]
            beta = np.array([t.problem.canonical().beta for t in sets.solved(name, n_test, TEST_SEED)])
            edges = np.unique(np.quantile(np.round(beta, 6), [0, 0.25, 0.5, 0.75, 1]))  # one where all are alike
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

    sizes, found = (30, 60) if quick else CURVE, {}
    for name in sets.names.replace("E", ""):
        tried = [n for n in sizes if name == "A" or n <= 1000]
        errors = np.full((len(sizes), n_test), np.nan)
        errors[: len(tried)] = [measured(sets, name, n, 0, n_test)[0].G for n in tried]
        found[f"set {name}"] = errors
        print(name, *(f"{n}: {e.mean():.5f}" for n, e in zip(tried, errors)), flush=True)
    save(plot_learning_curve(np.array(sizes), found), Path("curve.png"))


def compare(sets: Sets, n_test: int, quick: bool) -> None:
    """Regressors side by side on set A, each with and without cheap solvers."""
    n = 60 if quick else 1000
    print(f"| regressor | cheap solvers {HEAD}")
    for regressor in ("kernel_ridge", "random_forest", "extra_trees", "gaussian_process", "mlp", "average"):
        for approximations in (CHEAP["A"], ()):
            row = measured(sets, "A", n, 0, n_test, regressor=regressor, approximations=approximations)[1]
            print(f"| {regressor} | {'no' if approximations == () else 'yes'} | {row}", flush=True)


def denoise(sets: Sets, n_test: int, quick: bool) -> None:
    """Labels with Gaussian errors of known size on every Legendre coefficient: errors of the model against the
    truth.
    """
    from triqs_mlsolver.plots import plot_learning_curve, save

    sizes, found = (30, 60) if quick else (30, 100, 300, 1000), {}
    for noise in NOISE:
        errors = []
        for n in sizes:
            points = [noisy(point, noise, seed) for seed, point in enumerate(sets.solved("C", n, 0))]
            predictor = Predictor(approximations=CHEAP["C"]).fit(points)
            errors.append(tested(sets, predictor, "C", n_test))
            print(f"| {noise} | {n} | {errors[-1]}", flush=True)
        found[f"error bars of {noise}"] = np.array([e.G for e in errors])
    axes = plot_learning_curve(np.array(sizes), found)
    for noise, line in zip(NOISE, axes.containers):
        axes.axhline(noise, color=line[0].get_color(), linestyle=":")
    axes.set_ylim(5e-4, 5e-2)  # two decades, so that the axis has labels
    save(axes, Path("denoise.png"))


def noisy(point: Labelled, noise: float, seed: int) -> Labelled:
    """The point with equal Gaussian errors of all coefficients up to l = 20, so that G(τ) has an error bar of about
    `noise`.
    """
    shape = np.zeros((len(point.solution.G_l[0]), 1, 1))
    shape[:20] = noise * point.problem.beta / np.sqrt(np.sum(2 * np.arange(20) + 1))
    drawn = shape * np.random.default_rng(seed).normal(size=shape.shape)
    blocks = tuple(g + drawn for g in point.solution.G_l)
    return replace(point, solution=replace(point.solution, G_l=blocks, G_l_error=(shape,) * len(blocks)))


def speed(sets: Sets, n_test: int, quick: bool) -> None:
    """Seconds to fit and milliseconds to predict with bounds, cheap solvers apart."""
    print("| N | fit, s | prediction with bounds, ms: median / 95 % |")
    for n in (60,) if quick else (1000, 3000, 8000, 10000):
        name = "A" if n <= 8000 else "E"
        fitted(sets, name, n, 0)  # fills the cache
        predictor, seconds = fitted(sets, name, n, 0)
        milliseconds = 1e3 * tested(sets, predictor, name, min(n_test, 300)).seconds
        print(
            f"| {n} | {seconds:.1f} | {np.median(milliseconds):.1f} / {np.quantile(milliseconds, 0.95):.1f} |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    tasks = {task.__name__: task for task in (table, coverage, curve, compare, denoise, speed)}
    parser.add_argument("task", nargs="?", default="table", choices=tasks)
    parser.add_argument("--cache", type=Path, help="directory for labels and descriptions")
    parser.add_argument(
        "--sets", default="ABCE", help="letters of the sets for table, coverage and curve (default: all)"
    )
    parser.add_argument("--test", type=int, default=N_TEST, help="test problems (default: all 4000)")
    parser.add_argument("--quick", action="store_true", help="60 training and 40 test problems")
    options = parser.parse_args()
    tasks[options.task](Sets(options.cache, options.sets), 40 if options.quick else options.test, options.quick)


if __name__ == "__main__":
    main()
