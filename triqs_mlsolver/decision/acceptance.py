# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""What a prediction must fulfil to be the answer: tolerances, novelty, and how much a creeping loop can afford."""

from __future__ import annotations

import numpy as np

from ..model import Prediction
from ..numerics import legendre
from ..problem import Problem, Solution
from ..tools.validation import number

DEFAULT_TOLERANCE = 0.002
SIGMA_SHARE = 10.0  # default tolerance on Σ(iω₀) in units of that on G(τ); about what their errors are to each other
_LARGEST_ALLOWANCE = 5.0


class Gate:
    """The user's tolerances, and what is left of them where a self-consistency loop creeps.

    Parameters
    ----------
    tolerance : float
        Largest accepted bound on max over τ of abs(ΔG(τ)).
    sigma_tolerance : float, optional
        Largest accepted bound on abs(ΔΣ(iω₀)) / (ω₀ − Im Σ(iω₀)) at Z ≥ ½; more is allowed below (`allowance`).
        Default: ten times `tolerance`.
    density_tolerance, docc_tolerance : float, optional
        Largest accepted bounds on the errors of ⟨n⟩ per flavour and of ⟨n↑n↓⟩; None: any.
    """

    def __init__(
        self,
        tolerance: float = DEFAULT_TOLERANCE,
        sigma_tolerance: float | None = None,
        density_tolerance: float | None = None,
        docc_tolerance: float | None = None,
    ):
        self.tolerance = number("tolerance", tolerance, "0 means always exact; the default is 0.002")
        sigma_tolerance = SIGMA_SHARE * self.tolerance if sigma_tolerance is None else sigma_tolerance
        self.sigma_tolerance = number("sigma_tolerance", sigma_tolerance, "the default is ten times tolerance")
        optional = {"density_tolerance": density_tolerance, "docc_tolerance": docc_tolerance}
        for name, value in optional.items():
            setattr(self, name, np.inf if value is None else number(name, value, "None, the default, accepts any"))
        self._slowing = CriticalSlowing()

    def see(self, problem: Problem, noise: float) -> None:
        """Take note of the next problem, and of the statistical error of the answer it follows from."""
        self._slowing.see(problem, noise)

    @property
    def affordable(self) -> float:
        """The tolerance on G(τ), tightened where the loop creeps."""
        return self._slowing.share * self.tolerance

    @property
    def creeping(self) -> str:
        """How much the tolerance is tightened, for the report line; empty where it is not."""
        share = self._slowing.share
        return "" if share == 1 else f" (tolerance / {1 / share:.1f}: the loop creeps)"

    def refusal(self, problem: Problem, prediction: Prediction, tolerance: float | None = None) -> str:
        """Why the prediction cannot be the answer; empty if it can.

        `tolerance` on G(τ) is by default what the loop can afford now.
        """
        affordable = self.affordable if tolerance is None else tolerance
        if self.tolerance == 0:
            return "tolerance 0"
        if prediction.novel:
            return f"novel: {prediction.novel}"
        bound, sigma_bound = prediction.error_bound, prediction.sigma_bound
        if not (bound > 0 and sigma_bound > 0):
            return "a bound of zero is none"
        if not bound <= affordable:
            return f"bound {bound:.2g} > {affordable:.2g}{self.creeping}"
        sigma_tolerance = self.sigma_tolerance * allowance(problem, prediction.solution)
        if not sigma_bound <= sigma_tolerance:
            return f"bound on Sigma(iw0) {sigma_bound:.2g} > {sigma_tolerance:.2g}"
        if not prediction.density_bound <= self.density_tolerance:
            return f"bound on the density {prediction.density_bound:.2g} > {self.density_tolerance:.2g}"
        if not prediction.docc_bound <= self.docc_tolerance:
            return f"bound on the double occupancy {prediction.docc_bound:.2g} > {self.docc_tolerance:.2g}"
        return ""


def allowance(problem: Problem, solution: Solution) -> float:
    """Factor for the tolerance on the relative error of Σ(iω₀): 1 for Z ≥ ½, growing like 1/(2Z) up to 5.

    It is Z itself that is to be protected, whose relative error this is.
    """
    Z = float(np.max(solution.Z(problem)))
    return float(np.clip(0.5 / max(Z, 1e-9), 1.0, _LARGEST_ALLOWANCE))


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
