# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""The gate before a point is stored: what is wrong with an exact answer, if anything."""

from __future__ import annotations

import numpy as np

from ..numerics import legendre
from ..numerics.significance import BROKEN
from ..problem import Problem, Solution
from ..problem.solution import static_moments
from ..problem.symmetry import legendre_over_flavours, pair_mean, pairs_alike

_MIN_SIGN = 0.1
_MIN_INDEPENDENT = 50  # independent samples a Monte Carlo run needs
_DOMINANT = 0.3  # share of one bin in the variance beyond which rare events carry the answer
_WORST_FIT = 0.05  # relative error of a fitted bath beyond which its answer is one to another problem


def objections(problem: Problem, solution: Solution) -> list[str]:
    """Reasons not to store `solution` as an answer of `problem`; empty where there are none.

    Checked are NaN, the sum rule G(0⁺) + G(β⁻) = −1, densities against G(β⁻), the bounds of probabilities, self-energy
    moments against correlators, causality of G at the lowest frequencies, spin and orbital symmetry where the problem
    has it, and, for Monte Carlo, sign, warm-up, autocorrelation, drift and rare events.
    """
    arrays = [*solution.G_l, solution.nn, *solution.Sigma_infty, *solution.Sigma_1]
    arrays += [a for a in (*(solution.G_l_error or ()), *(solution.F_l or ())) if a is not None]
    if not all(np.all(np.isfinite(a)) for a in arrays):
        return ["the answer contains NaN or infinity"]
    found = []
    slack = _end_error(solution)
    for (name, size), g, s in zip(solution.gf_struct, solution.G_l, slack):
        start, end = legendre.at_ends(solution.beta, g)
        deviation = np.max(np.abs(start + end + np.eye(size)))
        if deviation > 1e-6 + BROKEN * s:
            found.append(f"sum rule of block {name!r} violated by {deviation:.2g}")
        lowest = legendre.to_matsubara(g, 3)
        spectral = np.linalg.eigvalsh(-(lowest - lowest.conj().transpose(0, 2, 1)) / 2j)
        if np.min(spectral) < -BROKEN * s * solution.beta:
            found.append(f"G of block {name!r} is not causal at the lowest frequencies")
    ends = np.concatenate([-np.diag(legendre.at_ends(solution.beta, g)[1]) for g in solution.G_l])
    density_error = 0.0 if solution.nn_error is None else np.max(np.diag(solution.nn_error))
    mismatch = np.max(np.abs(ends - solution.density))
    if mismatch > 1e-6 + BROKEN * (density_error + max(slack)):
        found.append(f"densities differ from −G(β⁻) by {mismatch:.2g}")
    noise = 0.0 if solution.nn_error is None else np.max(solution.nn_error)
    if np.min(solution.nn) < -1e-9 - BROKEN * noise or np.max(solution.nn) > 1 + 1e-9 + BROKEN * noise:
        found.append("correlators ⟨n_i n_j⟩ lie outside [0, 1]")
    found += _wrong_moments(problem, solution, noise + max(slack)) + _asymmetry(problem, solution)
    return found + _sampling(solution.provenance)


def _end_error(solution: Solution) -> list[float]:
    """Error bar of G at the ends of [0, β], per block."""
    return [float(np.max(e)) for e in solution.G_tau_error(np.array([0.0, solution.beta]))]


def _wrong_moments(problem: Problem, solution: Solution, noise: float) -> list[str]:
    """Σ∞ and Σ₁ of a density-density problem must be what ⟨n_i n_j⟩ says."""
    if not (problem.is_density_density and problem.is_diagonal):
        return []
    found, U = [], float(np.max(np.sum(np.abs(problem.U), axis=1), initial=0.0))
    given, expected = (solution.Sigma_infty, solution.Sigma_1), static_moments(problem, solution.nn)
    for name, unit, a, b in zip(("Σ∞", "Σ₁"), (U, U**2), given, expected):
        deviation = max(float(np.max(np.abs(x - y))) for x, y in zip(a, b))
        if deviation > (1e-6 + 3 * BROKEN * noise) * unit:  # Σ₁ is quadratic in densities
            found.append(f"{name} is {deviation:.2g} off what ⟨n_i n_j⟩ gives")
    return found


def _asymmetry(problem: Problem, solution: Solution) -> list[str]:
    """Spins and orbitals that the problem does not tell apart must agree within error bars."""
    G = legendre_over_flavours(problem, solution.G_l)
    deviation = np.max(np.abs(G - pair_mean(G, pairs_alike(problem)))) / problem.beta
    error = 0.0
    if solution.G_l_error is not None:
        error = max(float(np.max(e)) for e in solution.G_l_error) / problem.beta
    if deviation > 1e-8 + BROKEN * error:
        return [f"flavours that the problem does not tell apart are {deviation:.2g} off their mean"]
    return []


def _sampling(provenance: dict) -> list[str]:
    found = []
    sign = provenance.get("average_sign")
    if sign is not None and not abs(sign) >= _MIN_SIGN:
        found.append(f"average sign {sign:.2g} is below {_MIN_SIGN}")
    if text := provenance.get("not_thermalised"):
        found.append(text)
    samples = provenance.get("independent_samples")
    if samples is not None and not samples >= _MIN_INDEPENDENT:  # NaN where the autocorrelation could not be measured
        found.append(f"only {samples:.0f} independent samples: raise n_cycles or length_cycle")
    for name, what in (
        ("drift", "the first quarter of the run and the rest"), ("symmetry_deviation", "flavours that should be equal")
    ):  # fmt: skip
        deviation = provenance.get(name)
        if deviation is not None and not abs(deviation) <= BROKEN:
            found.append(f"{what} differ by {deviation:.1f} standard errors")
    share = provenance.get("dominance")
    if share is not None and not share <= _DOMINANT:
        found.append(f"one bin carries {100 * share:.0f} % of the variance: rare events dominate, run longer")
    residual = provenance.get("bath_residual")
    if residual is not None and not residual <= _WORST_FIT:
        found.append(f"the fitted bath misses the hybridisation by {residual:.2g} of its size")
    return found
