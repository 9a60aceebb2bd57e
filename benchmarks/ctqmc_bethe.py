# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Impurity problems of the Bethe lattice (half bandwidth 1) that the benchmarks of the CTQMC solvers share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from triqs_mlsolver.exact.segment import SegmentSolver
from triqs_mlsolver.exact.segment.solver import causal_hybridisation
from triqs_mlsolver.numerics import legendre
from triqs_mlsolver.problem import Problem, Solution


@dataclass(frozen=True)
class Case:
    """A point of the phase diagram; `start` is the branch, "metal" or "insulator"."""

    name: str
    U: float
    mu_shift: float  # μ − U/2
    start: str


RACED = [
    Case("U=2 half filled", 2.0, 0.0, "metal"),
    Case("U=2.5 insulator", 2.5, 0.0, "insulator"),
    Case("U=3 doped", 3.0, -1.0, "metal"),
]


def problem_of(beta: float, case: Case, Delta_l: np.ndarray) -> Problem:
    """Single orbital with h_loc0 = −U/2 − (μ − U/2)."""
    h, U = [[-case.U / 2 - case.mu_shift]], case.U
    return Problem(beta, (("up", 1), ("down", 1)), (h, h), (Delta_l, Delta_l), [[0, U], [U, 0]])


def initial_delta(beta: float, U: float, start: str) -> np.ndarray:
    """Δ_l of a semicircle, or of two Hubbard bands for the insulator."""
    angle = np.pi * np.arange(1, 200) / 200
    eps, weight = np.cos(angle), np.sin(angle) ** 2 / np.sum(np.sin(angle) ** 2) / 4
    if start == "insulator":
        eps, weight = np.concatenate([0.5 * eps - U / 2, 0.5 * eps + U / 2]), np.tile(weight / 2, 2)
    return legendre.from_poles(beta, eps, weight)


def converge(beta: float, case: Case, loops: int, last: int, seed: int, **options) -> list[tuple[Problem, Solution]]:
    """DMFT by Δ = G/4 with the segment solver; problems and solutions of the `last` loops."""
    Delta_l, found = initial_delta(beta, case.U, case.start), []
    for i in range(loops):
        problem = problem_of(beta, case, Delta_l)
        solution = SegmentSolver(random_seed=seed + i, **options).solve(problem)
        Delta_l = 0.125 * (solution.G_l[0] + solution.G_l[1])[:, 0, 0]
        if case.mu_shift == 0:
            Delta_l[1::2] = 0
        if i >= loops - last:
            found.append((problem, solution))
    return found


def raced_problem(beta: float, case: Case, seed: int, n_cycles: int = 10000) -> Problem:
    """A problem near self-consistency, its Δ averaged over eight loops and causal, the same for all who solve it."""
    problems = [p for p, _ in converge(beta, case, 14, 8, seed, n_cycles=n_cycles)]
    noisy = problem_of(beta, case, np.mean([p.Delta_l[0][:, 0, 0] for p in problems], axis=0))
    return problem_of(beta, case, causal_hybridisation(noisy)[0][0])
