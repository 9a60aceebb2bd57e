# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""What a prediction must fulfil to be the answer: tolerances, novelty, and how much a creeping loop can afford."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from ..model import Prediction
from ..numerics import legendre
from ..numerics.significance import TWO_SIDED
from ..problem import Problem, Solution
from ..tools.constants import (
    CREEPING_STEPS,
    DEFAULT_TOLERANCE,
    JUMP,
    LARGEST_ALLOWANCE,
    LEAST_TOLERANCE,
    LOOPS,
    SIGMA_SHARE,
    STEP_SIGMAS,
)
from ..tools.validation import number

#: Why the exact solver runs, or an answer of the model is taken.
CAUSES = (
    "within tolerance",  # the model answers
    "stored",  # an exact answer to the very problem is there
    "tolerance 0",
    "novel",
    "bound on G",
    "bound on Sigma",
    "bound on density",
    "bound on double occupancy",
    "no bound",
    "asked for",  # by the user, or by a measurement that only Monte Carlo makes
    "certificate",
)


@dataclass(frozen=True)
class Refusal:
    """Why a prediction cannot be the answer: the cause, one of `CAUSES`, and a sentence with its numbers."""

    cause: str
    reason: str


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

    def takes(self, problem: Problem, exact: Solution, noise: tuple[float, float]) -> bool:
        """Whether a stored exact answer with that `noise` (`comparison.label_noise`) is within the tolerances."""
        error_bar, sigma_bar = TWO_SIDED * np.array(noise)
        within = error_bar <= self.affordable and sigma_bar <= self.sigma_tolerance * allowance(problem, exact)
        pairs = 0.0 if exact.nn_error is None else TWO_SIDED * float(np.max(exact.nn_error))
        return bool(self.tolerance > 0 and within and pairs <= min(self.density_tolerance, self.docc_tolerance))

    def refusal(self, problem: Problem, prediction: Prediction, tolerance: float | None = None) -> Refusal | None:
        """Why the prediction cannot be the answer; None if it can.

        `tolerance` on G(τ) is by default what the loop can afford now.
        """
        affordable = self.affordable if tolerance is None else tolerance
        if self.tolerance == 0:
            return Refusal("tolerance 0", "tolerance 0")
        if prediction.novel:
            return Refusal("novel", f"novel: {prediction.novel}")
        bound, sigma_bound = prediction.error_bound, prediction.sigma_bound
        if not (bound > 0 and sigma_bound > 0):
            return Refusal("no bound", "the model states no bound")
        if not bound <= affordable:
            return Refusal("bound on G", f"bound {bound:.2g} > {affordable:.2g}{self.creeping}")
        sigma_tolerance = self.sigma_tolerance * allowance(problem, prediction.solution)
        if not sigma_bound <= sigma_tolerance:
            return Refusal("bound on Sigma", f"bound on Sigma(iw0) {sigma_bound:.2g} > {sigma_tolerance:.2g}")
        for what, stated, allowed in (
            ("density", prediction.density_bound, self.density_tolerance),
            ("double occupancy", prediction.docc_bound, self.docc_tolerance),
        ):
            if not stated <= allowed:
                return Refusal(f"bound on {what}", f"bound on the {what} {stated:.2g} > {allowed:.2g}")
        return None


def allowance(problem: Problem, solution: Solution) -> float:
    """Factor for the tolerance on the relative error of Σ(iω₀): 1 for Z ≥ ½, growing like 1/(2Z) up to 5.

    It is Z itself that is to be protected, whose relative error this is.
    """
    Z = float(np.max(solution.Z(problem)))
    return float(np.clip(0.5 / max(Z, 1e-9), 1.0, LARGEST_ALLOWANCE))


class CriticalSlowing:
    """How much of the tolerance on G(τ) a self-consistency loop can afford, from the problems it asks for.

    Where the distance between successive problems shrinks by a factor r per iteration, an error of the solver is
    amplified to 1/(1 − r) times itself at the fixed point. Half of that is what a healthy loop does anyway.

    Several loops may ask in turn, such as those of the inequivalent sites of a crystal: each problem goes on from the
    one among the latest that is nearest to it.

    Attributes
    ----------
    share : float
        Factor for the tolerance, between 1/2 and 1: an exact run has an error bar of its own.
    """

    def __init__(self):
        self.share = 1.0
        self._asked: deque[_Step] = deque(maxlen=LOOPS)

    def see(self, problem: Problem, noise: float) -> None:
        """Take note of the next problem, and of the statistical error of the answer to the one before."""
        if self._asked:
            self._asked[-1].noise = noise
        step = _Step(problem)
        before = [other for other in self._asked if _same_but_for_delta(other.problem, problem)]
        if before:
            self._go_on(step, min(before, key=step.distance))
        self._asked.append(step)
        self.share = 1.0
        if len(step.lengths) >= 2 and step.lengths[0] > 0:
            r = (step.lengths[-1] / step.lengths[0]) ** (1 / (len(step.lengths) - 1))
            self.share = float(np.clip(2 * (1 - r), LEAST_TOLERANCE, 1.0))

    def _go_on(self, step: _Step, last: _Step) -> None:
        length, step.before = step.distance(last), last.noise
        if length <= max(STEP_SIGMAS * max(last.noise, last.before), 1e-9):
            return
        jumped = bool(last.lengths) and length > JUMP * last.lengths[-1]
        step.lengths = [length] if jumped else [*last.lengths[1 - CREEPING_STEPS :], length]


@dataclass(eq=False)
class _Step:
    """One problem of a loop.

    Attributes
    ----------
    Delta : list of (101, n, n) arrays
        Δ(τ) per block, in units of one that makes up the bath (dimensionless).
    noise, before : float
        Statistical errors of the answers to this problem, and to the one it goes on from.
    lengths : list of float
        Of the latest steps that lead here.
    """

    problem: Problem
    noise: float = 0.0
    before: float = 0.0
    lengths: list[float] = field(default_factory=list)

    def __post_init__(self):
        unit = 0.25 * self.problem.unit**2
        self.Delta = [legendre.on_uniform_mesh(self.problem.beta, d, 101) / unit for d in self.problem.Delta_l]

    def distance(self, other: _Step) -> float:
        """max over τ of the change of Δ(τ), as a change of a G(τ) that makes up the bath (dimensionless)."""
        return max(float(np.max(np.abs(a - b))) for a, b in zip(self.Delta, other.Delta))


def _same_but_for_delta(a: Problem, b: Problem) -> bool:
    """Whether two problems may belong to one loop: levels move by rounding, or by a search for μ, from step to step."""
    same = a.gf_struct == b.gf_struct and [i for _, i in a.terms] == [i for _, i in b.terms]
    same = same and all(abs(v - w) <= 1e-9 * b.unit for (v, _), (w, _) in zip(a.terms, b.terms))
    return same and abs(a.beta - b.beta) <= 1e-9 * b.beta and np.max(np.abs(a.U - b.U), initial=0.0) <= 1e-9 * b.unit
