# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""One standard error of G(τ) and Σ(iω), in the form analytic continuation takes them."""

from __future__ import annotations

import numpy as np

from ..decision.decision import Answer
from ..exact.statistics import jackknife_error
from ..numerics import legendre
from ..numerics.significance import TWO_SIDED
from ..problem import Solution


def of_G_tau(answer: Answer, tau: np.ndarray) -> list[np.ndarray]:
    """One standard error of G at times `tau`, (n_tau, n, n) per block (dimensionless).

    After an exact run from its jackknife samples, or from the error bars of the coefficients, taken as independent;
    after a model's answer its bound, which holds with 95 % confidence, over 1.96, at all times.
    """
    solution, decision = answer.solution, answer.decision
    if not decision.has_error_bars:
        error = decision.error_bound / TWO_SIDED
        return [np.full((len(tau), size, size), error) for _, size in solution.gf_struct]
    if (told := _systematic(solution, "G_tau")) is not None:
        return [np.full((len(tau), size, size), told) for _, size in solution.gf_struct]
    samples = solution.statistics.get("samples")
    if samples is None:
        return list(solution.G_tau_error(tau))
    G = legendre.evaluate(solution.beta, np.moveaxis(samples["G_l"], -1, 0), tau)  # (n_tau, samples, flavours)
    return _blocks(solution, jackknife_error(G.swapaxes(0, 1)))


def of_Sigma_iw(answer: Answer, n_iw: int) -> list[np.ndarray]:
    r"""One standard error of abs Σ(iω_n), n = 0 … n_iw − 1, (n_iw, n, n) per block (energy).

    After an exact run from its jackknife samples of F/G, or from the error bars of the coefficients of G, taken as
    independent, through Dyson's equation: :math:`\delta\Sigma = G^{-1} \delta G\, G^{-1}`. After a model's answer it is
    the bound at the first frequency, relative to ω₀ − Im Σ(iω₀), over 1.96, at all frequencies: the tails are exact, so
    that it is largest there.
    """
    problem, solution, decision = answer.problem, answer.solution, answer.decision
    if not decision.has_error_bars:
        relative = decision.sigma_bound / TWO_SIDED
        first = [np.diagonal(s[0]).imag for s in solution.Sigma_iw(problem, 1)]
        return [np.full((n_iw, len(s), len(s)), relative * np.max(np.pi / problem.beta - s)) for s in first]
    samples = solution.statistics.get("samples")
    if samples is not None and samples.get("F_l") is not None:
        G, F = (
            legendre.to_matsubara(np.moveaxis(samples[name], -1, 0), n_iw).swapaxes(0, 1) for name in ("G_l", "F_l")
        )
        return _blocks(solution, jackknife_error(F / G))
    if solution.G_l_error is None:
        return [np.zeros((n_iw, size, size)) for _, size in solution.gf_struct]
    inverse = [np.abs(np.linalg.inv(g)) ** 2 for g in solution.G_iw(n_iw)]
    if (told := _systematic(solution, "G_iw0")) is not None:
        first = problem.beta * told
        return [np.broadcast_to(first * np.max(i[0]), (n_iw, *i.shape[1:])).copy() for i in inverse]
    return [np.sqrt(i @ _variance_iw(e, n_iw) @ i) for i, e in zip(inverse, solution.G_l_error)]


def _systematic(solution: Solution, name: str) -> float | None:
    """What a solver says of an error bar that is no noise, and the same at all times: coefficients share it."""
    return None if solution.is_noisy or solution.G_l_error is None else solution.told_error(name)


def _variance_iw(error: np.ndarray, n_iw: int) -> np.ndarray:
    """Variance of a function of iω from the standard errors (n_l, n, n) of its coefficients, (n_iw, n, n)."""
    weight = np.abs(legendre.transfer_matrix(np.arange(n_iw), len(error))) ** 2
    return np.tensordot(weight, error**2, axes=(1, 0))


def _blocks(solution: Solution, by_flavour: np.ndarray) -> list[np.ndarray]:
    """Diagonal matrices (points, n, n) per block from (points, flavours)."""
    columns = iter(by_flavour.T)
    return [np.stack([next(columns) for _ in range(n)], axis=-1)[..., None] * np.eye(n) for _, n in solution.gf_struct]
