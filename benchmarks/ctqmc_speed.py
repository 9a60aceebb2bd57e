# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Speed of the embedded segment CT-HYB, alone and beside triqs_cthyb: updates per second, CPU time to equal error.

Errors are the scatter of independent runs, never a solver's own error bars. CPU time is that of the whole solve on one
core: warm-up, measurements and the way to G and Σ included.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import NamedTuple

import ctqmc_bethe as bethe
import numpy as np

from triqs_mlsolver.exact.segment import SegmentSolver
from triqs_mlsolver.numerics import legendre
from triqs_mlsolver.problem import Problem

N_L = 40  # Legendre coefficients cthyb is asked for; more only add noise to its Σ
MEASURED_EVERY = 50  # updates, in cthyb


class Run(NamedTuple):
    """One independent run."""

    updates: int
    seconds: float
    G_middle: float  # G(β/2), averaged over spins
    Sigma_0: float  # Im Σ(iω₀), averaged over spins


def segment_run(problem: Problem, n_cycles: int, seed: int) -> Run:
    """The segment solver; Σ from its improved estimator."""
    return embedded_run(SegmentSolver, problem, n_cycles, seed)


def embedded_run(solver: type, problem: Problem, n_cycles: int, seed: int) -> Run:
    """One of the embedded solvers; G and Σ averaged over blocks of one orbital each."""
    began = time.process_time()
    solution = solver(n_cycles=n_cycles, random_seed=seed).solve(problem)
    middle = solution.G_tau([problem.beta / 2])
    Sigma = solution.Sigma_iw(problem, 1)
    seconds = time.process_time() - began
    p = solution.provenance
    updates = (p["n_cycles"] + p["n_warmup_cycles"]) * p["length_cycle"]
    return Run(updates, seconds, np.mean([g[0, 0, 0] for g in middle]), np.mean([s[0, 0, 0].imag for s in Sigma]))


def cthyb_run(problem: Problem, n_cycles: int, seed: int) -> Run:
    """triqs_cthyb as its users run it: G_l measured, Σ by Dyson's equation from G_l."""
    from triqs_cthyb import Solver

    from triqs_mlsolver.compat import containers

    began = time.process_time()
    S = Solver(
        beta=problem.beta, gf_struct=list(problem.gf_struct), n_iw=1025, n_tau=10001, n_l=N_L, delta_interface=True
    )
    containers.fill(S.Delta_tau, [legendre.on_uniform_mesh(problem.beta, d, 10001) for d in problem.Delta_l])
    warmup = n_cycles // 10
    S.solve(
        h_int=containers.interaction_operator(problem),
        h_loc0=containers.quadratic_operator(problem.gf_struct, problem.h_loc0),
        n_cycles=n_cycles,
        length_cycle=MEASURED_EVERY,
        n_warmup_cycles=warmup,
        random_seed=seed,
        measure_G_l=True,
        measure_G_tau=False,
        perform_post_proc=False,
        verbosity=0,
    )
    G_l = np.mean([S.G_l[block].data[:, 0, 0].real for block, _ in problem.gf_struct], axis=0)
    G_iw0 = (legendre.transfer_matrix(np.zeros(1, int), len(G_l)) @ G_l)[0]
    Sigma = problem.G0_inverse_iw(1)[0][0, 0, 0] - 1 / G_iw0
    middle = legendre.evaluate(problem.beta, G_l, [problem.beta / 2])[0]
    seconds = time.process_time() - began
    return Run((n_cycles + warmup) * MEASURED_EVERY, seconds, middle, Sigma.imag)


def cycles_for(run: Callable, problem: Problem, seconds: float, seed: int) -> int:
    """Cycles that take about so many seconds, from two short runs: a run costs more than its cycles."""
    short, long = (run(problem, n, seed) for n in (1000, 5000))
    per_cycle = max(long.seconds - short.seconds, 1e-9) / 4000
    return int(np.clip((seconds - short.seconds) / per_cycle, 2000, 10**7))


def cost(runs: np.ndarray, column: int) -> float:
    """CPU seconds times variance: CPU time to an error of one."""
    variance = np.var(runs[:, column], ddof=1)
    return float(np.mean(runs[:, 1]) * max(variance, 1e-300))  # a bootstrap sample may repeat one run


def ratio_with_interval(rival: np.ndarray, own: np.ndarray, statistic: Callable, n: int = 4000) -> tuple:
    """statistic(rival) / statistic(own) with its central 95 % bootstrap interval over runs."""
    rng = np.random.default_rng(0)
    again = [
        statistic(rival[rng.integers(0, len(rival), len(rival))]) / statistic(own[rng.integers(0, len(own), len(own))])
        for _ in range(n)
    ]
    return statistic(rival) / statistic(own), *np.percentile(again, [2.5, 97.5])


def updates_per_second(runs: np.ndarray) -> float:
    """Over all runs, warm-up and measurements included."""
    return float(np.sum(runs[:, 0]) / np.sum(runs[:, 1]))


def run_speed(quick: bool, seed: int) -> None:
    """Without a rival: updates per second, CPU time to an error of 1e-3, growth with β and number of flavours."""
    n_runs, n_cycles = (6, 3000) if quick else (24, 20000)
    print(f"\nspeed on one core; errors from the scatter of {n_runs} runs of {n_cycles} cycles")
    print("problem            beta   updates/s  us/update   CPU to 1e-3 on G(beta/2)   on Im Sigma(iw0)")
    for case in bethe.RACED:
        for beta in (20.0, 50.0) if quick else (20.0, 50.0, 100.0):
            problem = bethe.raced_problem(beta, case, seed, 2000 if quick else 10000)
            runs = np.array([segment_run(problem, n_cycles, seed + r) for r in range(n_runs)])
            speed = updates_per_second(runs)
            print(
                f"{case.name:18s} {beta:4.0f}   {speed:9.3g}  {1e6 / speed:9.3f}   {1e6 * cost(runs, 2):22.3g} s"
                f"   {1e6 * cost(runs, 3):14.3g} s",
                flush=True,
            )
    print("\ngrowth with the number of flavours: beta=20, U=2, half filled, all flavours coupled alike")
    for N in (2, 4, 6, 10):
        U, Delta_l = 2.0 * (1 - np.eye(N)), bethe.initial_delta(20.0, 2.0, "metal")
        problem = Problem(20.0, [(f"f{i}", 1) for i in range(N)], [[[-(N - 1.0)]]] * N, [Delta_l] * N, U)
        run = segment_run(problem, n_cycles, seed)
        print(f"N={N:2d}: {run.updates / run.seconds:9.3g} updates/s", flush=True)


def run_rival(quick: bool, seed: int) -> None:
    """Interleaved runs of both solvers on the same problems."""
    if find_spec("triqs_cthyb") is None:
        print("\ntriqs_cthyb does not import here: no comparison. TRIQS/ctseg was not compared either")
        return
    from triqs_cthyb.version import version

    n_runs, seconds = (6, (0.3, 1.0)) if quick else (32, (1.5, 5.0))
    print(
        f"\nside by side with triqs_cthyb {version}, {n_runs} interleaved runs each, of about {seconds[0]:g} and "
        f"{seconds[1]:g} s\ncthyb: {N_L} Legendre coefficients measured every {MEASURED_EVERY} updates, Sigma by Dyson "
        "from G_l; segment: improved estimator\nratios with 95 % intervals; TRIQS/ctseg was not compared"
    )
    for beta in (50.0, 100.0):
        for case in bethe.RACED:
            problem = bethe.raced_problem(beta, case, seed, 2000 if quick else 10000)
            lengths = [cycles_for(run, problem, s, seed) for run, s in zip((segment_run, cthyb_run), seconds)]
            own, rival = [], []
            for r in range(n_runs):
                own.append(segment_run(problem, lengths[0], seed + 1000 * r + 1))
                rival.append(cthyb_run(problem, lengths[1], seed + 1000 * r + 1))
            report(f"{case.name:18s} beta {beta:3.0f}", np.array(own), np.array(rival))


def report(name: str, own: np.ndarray, rival: np.ndarray, solver: str = "segment") -> None:
    """One problem's lines: agreement, updates per second, CPU time to equal error."""
    print(f"{name}: {np.mean(own[:, 1]):.2f} s per {solver} run, {np.mean(rival[:, 1]):.2f} s per cthyb run")
    speeds = updates_per_second(own), updates_per_second(rival)
    ratio = ratio_with_interval(own, rival, updates_per_second)
    print(f"    updates/s {speeds[0]:.3g} and {speeds[1]:.3g}: {ratio[0]:.1f} [{ratio[1]:.1f}, {ratio[2]:.1f}] times")
    for column, what in ((2, "G(beta/2)"), (3, "Im Sigma(iw0)")):
        means, errors = zip(*((x[:, column].mean(), x[:, column].std(ddof=1) / np.sqrt(len(x))) for x in (own, rival)))
        ratio = ratio_with_interval(rival, own, lambda x, column=column: cost(x, column))
        print(
            f"    {what:13s} {means[0]:.5g} ± {errors[0]:.1g} and {means[1]:.5g} ± {errors[1]:.1g}, "
            f"{abs(means[0] - means[1]) / np.hypot(*errors):.1f} sigma apart; CPU to equal error "
            f"{ratio[0]:.1f} [{ratio[1]:.1f}, {ratio[2]:.1f}] times less",
            flush=True,
        )
