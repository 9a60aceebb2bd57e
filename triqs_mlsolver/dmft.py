# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
r"""Self-consistency on the Bethe lattice, on plain problems: Δ(τ) = (D/2)² G(τ) (Georges et al., RMP 68, 13 (1996)).

Used by the demo, the examples and the tests; any object with `solve(problem) -> Solution` can be the impurity solver.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from .numerics import legendre
from .problem import Problem
from .solution import Solution

_PARAMAGNETIC = (("up", 1), ("down", 1))


@dataclass(frozen=True, eq=False)
class Converged:
    """One self-consistent solution of a scan.

    Attributes
    ----------
    U, mu : float
        In units of D.
    solution : Solution
        Last answer of the loop.
    Z, double_occupancy, density : float
        Of the last answer; density is per site (0–2).
    n_iterations : int
    converged : bool
        The change of Δ(τ) fell below the tolerance.
    exact, bounds : lists
        Per iteration: whether the exact solver ran, and the error bound, where the solver tells.
    """

    U: float
    mu: float
    solution: Solution
    Z: float
    double_occupancy: float
    density: float
    n_iterations: int
    converged: bool
    exact: list = field(default_factory=list)
    bounds: list = field(default_factory=list)


def semicircle(beta: float, half_bandwidth: float = 1.0, n_l: int | None = None) -> np.ndarray:
    """Legendre coefficients of the local G of free electrons with a semicircular density of states, (n_l,)."""
    theta = (np.arange(400) + 0.5) * np.pi / 400
    weight = 2 / 400 * np.sin(theta) ** 2
    return legendre.from_poles(beta, half_bandwidth * np.cos(theta), weight, n_l)


def bethe_problem(beta: float, U: float, mu: float, G_l: np.ndarray, half_bandwidth: float = 1.0) -> Problem:
    """The paramagnetic impurity problem whose bath is that of a lattice with local G given by `G_l` (n_l,)."""
    Delta = 0.25 * half_bandwidth**2 * np.asarray(G_l)[:, None, None]
    return Problem(beta, _PARAMAGNETIC, ([[-mu]], [[-mu]]), (Delta, Delta), [[0, U], [U, 0]])


def solve_bethe(
    solver,
    beta: float,
    U: float,
    mu: float | None = None,
    start: np.ndarray | None = None,
    *,
    half_bandwidth: float = 1.0,
    max_iterations: int = 100,
    tolerance: float = 1e-3,
    mixing: float = 1.0,
    watch: Callable[[int, Solution], None] | None = None,
) -> Converged:
    """DMFT for the paramagnetic Hubbard model on the Bethe lattice.

    Parameters
    ----------
    solver : object with solve(problem) -> Solution
    beta, U, mu : float
        Inverse temperature, interaction and chemical potential; μ = U/2 (half filling) by default.
    start : (n_l,) array, optional
        Legendre coefficients of the local G to start from; free electrons by default.
    half_bandwidth : float
        D, the unit of energy of the problem.
    max_iterations : int
    tolerance : float
        Converged when G(τ) is estimated to be closer than this to the fixed point (dimensionless): the change of one
        iteration says little where the loop creeps, so the later changes are summed as a geometric series.
    mixing : float
        Share of the new G in the next bath.
    watch : callable, optional
        Called after every iteration with its number and solution.

    Returns
    -------
    Converged
    """
    mu = U / 2 if mu is None else mu
    half_filled = abs(mu - U / 2) < 1e-12
    G = semicircle(beta, half_bandwidth) if start is None else np.asarray(start)
    exact, bounds, changes = [], [], []
    converged = False
    tau = np.linspace(0, beta, 201)
    for iteration in range(1, max_iterations + 1):
        problem = bethe_problem(beta, U, mu, G, half_bandwidth)
        solution = solver.solve(problem)
        new = paramagnetic(solution, half_filled)
        decision = getattr(solver, "last_decision", None)
        exact.append(decision is None or decision.source == "exact")
        bounds.append(np.nan if decision is None else decision.error_bound)
        if watch:
            watch(iteration, solution)
        old = legendre.resized(G, len(new))
        change = new - old
        changes.append(float(np.max(np.abs(legendre.evaluate(beta, change, tau)))))
        G = old + mixing * change
        noise = solution.provenance.get("G_tau_noise", 0.0)  # an answer with noise cannot come to rest more closely
        if distance_to_fixed_point(changes) < max(tolerance, 2 * noise):
            converged = True
            break
    Z = float(np.mean(solution.Z(problem)))
    density = float(np.sum(solution.density))
    return Converged(U, mu, solution, Z, solution.double_occupancy, density, iteration, converged, exact, bounds)


def distance_to_fixed_point(changes: list[float]) -> float:
    """Estimated sum of all later changes, if the last ones continue as a geometric series; inf with fewer than two."""
    if len(changes) < 2:
        return np.inf if not changes or changes[-1] > 1e-12 else 0.0
    recent = changes[-3:]
    ratio = min((recent[-1] / recent[0]) ** (1 / (len(recent) - 1)) if recent[0] > 0 else 0.0, 0.98)
    return recent[-1] * max(ratio / (1 - ratio), 0.5)


def paramagnetic(solution: Solution, half_filled: bool = False) -> np.ndarray:
    """Spin-averaged G_l (n_l,), at half filling also symmetric under τ → β − τ."""
    G = np.mean([g[:, 0, 0] for g in solution.G_l], axis=0)
    if half_filled:
        G = G.copy()
        G[1::2] = 0.0
    return G


def scan_bethe(
    solver, beta: float, U_values: Iterable[float], start: np.ndarray | None = None, **options
) -> list[Converged]:
    """One `solve_bethe` after the other, each started from the solution before it."""
    out = []
    for U in U_values:
        out.append(solve_bethe(solver, beta, float(U), start=start, **options))
        start = paramagnetic(out[-1].solution, half_filled=options.get("mu") is None)
    return out
