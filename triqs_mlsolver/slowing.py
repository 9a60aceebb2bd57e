# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Critical slowing: how much of the tolerance a self-consistency loop can afford."""

from __future__ import annotations

import numpy as np

from .numerics import legendre
from .problem import Problem


class CriticalSlowing:
    """How much of the tolerance on G(τ) a self-consistency loop can afford, from the problems it asks for.

    Where the distance between successive problems shrinks by a factor r per iteration, an error of the solver is
    amplified to 1/(1 − r) times itself at the fixed point. Half of that is what a healthy loop does anyway.

    Attributes
    ----------
    share : float
        Factor for the tolerance, between 1/2 and 1: an exact run has an error bar of its own.
    """

    _SMALLEST = 0.5
    _MEMORY = 4  # distances over which r is averaged
    _NOISE = 3  # a step tells something if it is longer than this many times the noise of the answers at its ends

    def __init__(self):
        self.share = 1.0
        self._last: Problem | None = None
        self._noise = 0.0
        self._distances: list[float] = []

    def see(self, problem: Problem, noise: float) -> None:
        """Take note of the next problem, and of the statistical error of the answer it follows from."""
        last, self._last = self._last, problem
        before, self._noise = self._noise, noise
        if last is None or not _same_but_for_delta(last, problem):
            self._distances, self.share = [], 1.0
            return
        distance = max(_delta_distance(a, b, problem) for a, b in zip(last.Delta_l, problem.Delta_l))
        if distance <= max(self._NOISE * max(noise, before), 1e-9):
            self._distances, self.share = [], 1.0
            return
        self._distances = [*self._distances[1 - self._MEMORY :], distance]
        if len(self._distances) >= 2 and self._distances[0] > 0:
            r = (self._distances[-1] / self._distances[0]) ** (1 / (len(self._distances) - 1))
            self.share = float(np.clip(2 * (1 - r), self._SMALLEST, 1.0))


def _same_but_for_delta(a: Problem, b: Problem) -> bool:
    """Whether two problems may belong to one loop: levels move by rounding, or by a search for μ, from step to step."""
    same = a.gf_struct == b.gf_struct and len(a.terms) == len(b.terms)
    return same and np.isclose(a.beta, b.beta) and np.allclose(a.U, b.U, atol=1e-9 * b.unit)


def _delta_distance(a: np.ndarray, b: np.ndarray, problem: Problem) -> float:
    """max over τ of the change of Δ(τ), as a change of a G(τ) that makes up the bath (dimensionless)."""
    n = max(len(a), len(b))
    change = legendre.on_uniform_mesh(problem.beta, legendre.resized(a, n) - legendre.resized(b, n), 101)
    return float(np.max(np.abs(change))) / (0.25 * problem.unit**2)
