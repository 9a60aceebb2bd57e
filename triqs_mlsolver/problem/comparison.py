# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""How far two answers to one problem differ, and how much of that their error bars explain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..numerics import legendre
from ..numerics.significance import BROKEN, TWO_SIDED
from .problem import Problem
from .solution import Solution

SIGMAS = TWO_SIDED  # error bars of a label that count in favour of a bound
_REPEAT_SLACK = 1e-6  # by which two exact runs may differ without error bars: rounding


@dataclass(frozen=True)
class Comparison:
    """Differences of an answer from a reference.

    Attributes
    ----------
    error : float
        max over τ and flavours of abs(ΔG(τ)).
    sigma_error : float
        abs(ΔΣ(iω₀)) / (ω₀ − Im Σ(iω₀)), largest over flavours.
    noise, sigma_noise : float
        One standard error of each, from the error bars of both answers.
    """

    error: float
    sigma_error: float
    noise: float = 0.0
    sigma_noise: float = 0.0

    def over(self, error_bound: float, sigma_bound: float) -> np.ndarray:
        """Both errors in units of their bounds, (2,): what the error bars explain is taken off."""
        errors = [self.error - SIGMAS * self.noise, self.sigma_error - SIGMAS * self.sigma_noise]
        return np.maximum(errors, 0.0) / np.maximum([error_bound, sigma_bound], 1e-300)

    @property
    def agrees(self) -> bool:
        """Whether two exact runs give the same G(τ) within their error bars, at the worst τ."""
        return self.error <= BROKEN * self.noise + _REPEAT_SLACK


def compare(problem: Problem, answer: Solution, reference: Solution) -> Comparison:
    """Differences of `answer` from `reference`, both answers to `problem`."""
    noise = np.hypot(label_noise(problem, answer), label_noise(problem, reference))
    return Comparison(
        G_distance(problem, answer, reference),
        sigma_distance(problem, answer, reference),
        float(noise[0]),
        float(noise[1]),
    )


def G_distance(problem: Problem, a: Solution, b: Solution) -> float:
    """max over τ and flavours of abs(ΔG(τ))."""
    tau, _ = legendre.quadrature(problem.beta, 64)
    tau = np.concatenate([[0.0], tau, [problem.beta]])
    return max(float(np.max(np.abs(x - y))) for x, y in zip(a.G_tau(tau), b.G_tau(tau)))


def sigma_distance(problem: Problem, a: Solution, b: Solution) -> float:
    """abs(ΔΣ(iω₀)) / (ω₀ − Im Σ(iω₀)) between two solutions, largest over flavours; `b` is the reference."""
    distance = 0.0
    for Sa, Sb in zip(a.Sigma_iw(problem, 1), b.Sigma_iw(problem, 1)):
        reference = np.abs(np.pi / problem.beta - np.diagonal(Sb[0]).imag)
        distance = max(distance, float(np.max(np.abs(np.diagonal(Sa[0] - Sb[0])) / reference)))
    return distance


def label_noise(problem: Problem, exact: Solution) -> tuple[float, float]:
    """Error bar of an exact answer: largest over τ of G(τ), and of Σ(iω₀) relative to ω₀ − Im Σ(iω₀).

    As the solver tells (see `Solution.told_error`), else from the error bars of G_l, taken as independent.
    """
    told = exact.told_error("G_tau")
    if exact.G_l_error is None and told is None:
        return 0.0, 0.0
    at_tau = max(float(np.max(e)) for e in exact.G_tau_error(np.linspace(0, problem.beta, 101)))
    tau_noise = at_tau if told is None else told
    told = exact.told_error("G_iw0")
    iw_noise = problem.beta * (tau_noise if told is None else told)
    worst = 0.0
    for G, Sigma in zip(exact.G_iw(1), exact.Sigma_iw(problem, 1)):
        reference = np.abs(np.diagonal(G[0])) ** 2 * np.abs(np.pi / problem.beta - np.diagonal(Sigma[0]).imag)
        worst = max(worst, float(np.max(iw_noise / reference)))
    return tau_noise, worst
