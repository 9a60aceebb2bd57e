# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""DMFT scans on the Bethe lattice for `trust.py`: which there are, how one is run, and solvers to run it with."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from triqs_mlsolver import Database, LearnedSolver, Problem, Solution
from triqs_mlsolver.decision.decision import Decision
from triqs_mlsolver.exact.registry import choose
from triqs_mlsolver.lattice.bethe import Converged, paramagnetic, solve_bethe
from triqs_mlsolver.numerics import legendre
from triqs_mlsolver.problem.comparison import G_distance, sigma_distance

LOOP_TOLERANCE = 1e-5


@dataclass(frozen=True)
class Scan:
    """Values (U, μ − U/2), in units of D, that are visited one after the other, each started from the one before."""

    beta: float
    path: tuple[tuple[float, float], ...]
    half_bandwidth: float = 1.0
    average: int = 1  # iterations after convergence whose observables are averaged; 1: the last one alone
    options: dict = field(default_factory=dict)

    @classmethod
    def up_and_down(cls, beta: float, low: float, high: float, points: int, **more) -> Scan:
        U = np.linspace(low, high, points).round(9)
        return cls(beta, tuple((float(u), 0.0) for u in np.r_[U, U[::-1]]), **more)

    @classmethod
    def doped(cls, beta: float, U: float, lowest: float, points: int) -> Scan:
        return cls(beta, tuple((U, float(x)) for x in np.linspace(0, lowest, points).round(9)))

    def run(self, solver) -> list[Converged]:
        """The converged solutions of `solver` along the path, energies in units of D."""
        found, start, D = [], None, self.half_bandwidth
        for U, x in self.path:
            options = {"tolerance": LOOP_TOLERANCE, **self.options}
            mu = D * (U / 2 + x)
            c = solve_bethe(solver, self.beta / D, D * U, mu, start, half_bandwidth=D, **options)
            start = paramagnetic(c.solution, half_filled=x == 0)
            if self.average > 1:
                recorded = Recorded(solver)
                for _ in range(self.average):
                    once = solve_bethe(recorded, self.beta / D, D * U, mu, start, half_bandwidth=D, max_iterations=1)
                    start = paramagnetic(once.solution, half_filled=x == 0)
                    c = replace(once, exact=c.exact + once.exact)
                c = replace(c, n_iterations=len(c.exact), **recorded.mean())
            found.append(replace(c, U=U, mu=mu / D))
        return found


class Recorded:
    """A solver whose observables are averaged over its solves; the scatter of Z is kept in `bounds`."""

    def __init__(self, solver):
        self.solver, self.Z, self.double_occupancy, self.density = solver, [], [], []

    @property
    def last_decision(self) -> Decision | None:
        return getattr(self.solver, "last_decision", None)

    def solve(self, problem: Problem) -> Solution:
        solution = self.solver.solve(problem)
        self.Z.append(float(np.mean(solution.Z(problem))))
        self.double_occupancy.append(solution.double_occupancy)
        self.density.append(float(solution.density.sum()))
        return solution

    def mean(self) -> dict:
        """Fields of `Converged`: means, and one standard error of Z as the only entry of `bounds`."""
        means = {name: float(np.mean(getattr(self, name))) for name in ("Z", "double_occupancy", "density")}
        return {**means, "bounds": [float(np.std(self.Z, ddof=1) / np.sqrt(len(self.Z)))], "converged": True}


class Memo:
    """The exact solver of a benchmark; what it has ever answered is on disk, so that a run can be resumed and repeated.

    ED stands for the truth here, whatever the residual of its fitted bath: the mark of a poor fit is taken off.
    """

    def __init__(self, database: Database, name: str = "ed", target_error: float | None = None):
        self.database, self.name, self.target_error, self.calls = database, name, target_error, 0

    def solve(self, problem: Problem) -> Solution:
        self.calls += 1
        known = self.database.find(problem)
        if known:
            return known[0].solution.in_units_of(problem)
        seed = int(problem.id, 16) % 2**31
        solution = choose(self.name, problem, target_error=self.target_error, random_seed=seed).solve(problem)
        kept = {k: v for k, v in solution.provenance.items() if k not in ("bath_residual", "fidelity")}
        solution = replace(solution, provenance=kept)
        self.database.add(problem, solution)
        return solution


class Adversary:
    """An exact solver that is wrong by `size` on a share of its calls, in a way that no sum rule shows."""

    name = "ed"

    def __init__(self, honest: Memo, *, share: float = 0.05, size: float = 0.05, seed: int = 1):
        self.honest, self.share, self.size = honest, share, size
        self.random = np.random.default_rng(seed)
        self.lied: list[bool] = []

    def solve(self, problem: Problem) -> Solution:
        solution = self.honest.solve(problem)
        self.lied.append(bool(self.random.random() < self.share))
        if not self.lied[-1]:
            return solution
        tau, _ = legendre.quadrature(problem.beta, problem.n_l + 24)
        bump = (4 * tau * (problem.beta - tau) / problem.beta**2) ** self.random.uniform(1, 6)
        sign = self.random.choice([-1.0, 1.0])
        change = legendre.project(problem.beta, sign * self.size * bump, problem.n_l)[:, None, None]
        wrong = tuple(legendre.resized(g, len(change)) + change for g in solution.G_l)
        return replace(solution, G_l=wrong)


class NearestStored:
    """Returns the nearest stored answer if it is closer than `distance`, else runs the exact solver and stores it."""

    def __init__(self, exact: Memo, distance: float):
        self.exact, self.distance = exact, distance
        self.points: list[tuple[Problem, Solution]] = []
        self.vectors: list[np.ndarray] = []
        self.calls = 0

    def solve(self, problem: Problem) -> Solution:
        canonical = problem.canonical()
        Delta = legendre.on_uniform_mesh(canonical.beta, legendre.resized(canonical.delta_l(0), 60), 101) / 0.25
        vector = np.concatenate([[np.log(canonical.beta), canonical.U[0, 1], canonical.x[0]], Delta])
        if self.vectors:
            apart = np.max(np.abs(np.array(self.vectors) - vector), axis=1)
            best = int(np.argmin(apart))
            if apart[best] < self.distance:
                return self.points[best][1].in_units_of(problem)
        self.calls += 1
        solution = self.exact.solve(problem)
        self.points.append((problem, solution.canonical(problem)))
        self.vectors.append(vector)
        return solution


@dataclass(frozen=True)
class Solve:
    """One solve of a learned loop, with the true errors of what was returned (NaN where nobody looked).

    `lies` says which of its exact calls were wrong.
    """

    U: float
    decision: Decision
    error: float
    sigma_error: float
    lies: tuple[bool, ...] = ()


class Watched:
    """A learned solver, every `every`-th of whose answers is compared with the truth, which it does not learn about."""

    def __init__(self, solver: LearnedSolver, truth: Memo, liar: Adversary | None = None, every: int = 1):
        self.solver, self.truth, self.liar, self.every = solver, truth, liar, every
        self.solves: list[Solve] = []

    @property
    def last_decision(self) -> Decision:
        return self.solver.last_decision

    def solve(self, problem: Problem) -> Solution:
        before = len(self.liar.lied) if self.liar else 0
        solution = self.solver.solve(problem)
        decision = self.solver.last_decision
        lies = tuple(self.liar.lied[before:]) if self.liar else ()
        error = sigma_error = np.nan
        if (not decision.is_computed and len(self.solves) % self.every == 0) or any(lies):
            exact = self.truth.solve(problem)
            error, sigma_error = G_distance(problem, solution, exact), sigma_distance(problem, solution, exact)
        self.solves.append(Solve(problem.U[0, 1] / problem.scale, decision, error, sigma_error, lies))
        return solution
