# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Certificate: one exact solve held against an answer; and which earlier answers of a run a miss puts in doubt."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..model import Prediction
from ..numerics.significance import AGREEMENT, BROKEN
from ..problem import Problem, Solution
from ..problem.comparison import G_distance, compare
from ..tools.constants import ANSWERS_REMEMBERED
from .acceptance import Gate


@dataclass(frozen=True)
class Agreement:
    """One observable: the answer, the exact value, and by how much they may differ."""

    answer: float
    exact: float
    allowed: float

    @property
    def holds(self) -> bool:
        return abs(self.answer - self.exact) <= self.allowed

    def __str__(self) -> str:
        verdict = "agrees" if self.holds else "DIFFERS"
        return f"{self.answer:.5f}, exact {self.exact:.5f}: {verdict} within {self.allowed:.2g}"


@dataclass(frozen=True)
class Certificate:
    """Outcome of `certify`. `str()` gives the report.

    Attributes
    ----------
    problem_id : str
    answered_by : str
        "model", or the name of the exact solver, whose answer a second run then checks.
    error_bound, sigma_bound : float
        What was claimed: the bounds of the model's answer; zero for an exact one, up to its error bars.
    true_error, true_sigma_error : float
        Differences from the exact answer.
    noise, sigma_noise : float
        Their standard errors.
    observables : dict of str to Agreement
        "Z", "density" (per flavour, the worst one) and, for one orbital, "double occupancy".
    held : bool
        Neither bound was exceeded by more than the error bars allow.
    in_doubt : str
        Numbers of the earlier answers of this run that the recalibrated model no longer vouches for.
    """

    problem_id: str
    answered_by: str
    error_bound: float
    sigma_bound: float
    true_error: float
    true_sigma_error: float
    noise: float
    sigma_noise: float
    observables: dict[str, Agreement]
    held: bool
    in_doubt: str = ""

    @property
    def passed(self) -> bool:
        """Bounds held and all observables agree."""
        return self.held and all(a.holds for a in self.observables.values())

    def __str__(self) -> str:
        verdict = "PASSED" if self.passed else "FAILED"
        errors = {
            "G(tau)": (self.error_bound, self.true_error, self.noise),
            "Sigma(iw0)": (self.sigma_bound, self.true_sigma_error, self.sigma_noise),
        }
        lines = [
            f"certificate: {verdict}, answer of the {self.answered_by}, problem {self.problem_id}",
            *(f"  {name:<16} bound {b:.2g}, true error {e:.2g} +- {s:.1g}" for name, (b, e, s) in errors.items()),
            *(f"  {name:<16} {agreement}" for name, agreement in self.observables.items()),
        ]
        if self.in_doubt:
            lines.append(f"  in doubt: solves {self.in_doubt} of this run; run them again")
        return "\n".join(lines)


def certificate(
    problem: Problem,
    answered_by: str,
    bounds: tuple[float, float, float, float],
    answer: Solution,
    exact: Solution,
    in_doubt: str = "",
) -> Certificate:
    """The certificate of `answer`, for which `bounds` on G(τ), Σ(iω₀), densities and ⟨n↑n↓⟩ were claimed."""
    error_bound, sigma_bound, density_bound, docc_bound = bounds
    found = compare(problem, answer, exact)
    nn_noise = sum(0.0 if s.nn_error is None else float(np.max(s.nn_error)) for s in (answer, exact))
    noise = AGREEMENT * max(found.noise, nn_noise) + 1e-6
    worst = int(np.argmax(np.abs(answer.density - exact.density)))
    observables = {
        "density": Agreement(float(answer.density[worst]), float(exact.density[worst]), density_bound + noise)
    }
    if len(exact.nn) == 2:
        allowed = docc_bound + noise
        observables["double occupancy"] = Agreement(answer.double_occupancy, exact.double_occupancy, allowed)
    Z, Z_exact = answer.Z(problem), exact.Z(problem)
    worst = int(np.argmax(np.abs(Z - Z_exact)))
    relative = sigma_bound + AGREEMENT * found.sigma_noise + 1e-6
    Z_allowed = abs(float(Z_exact[worst])) * (relative / (1 - relative) if relative < 0.5 else 2 * relative)
    observables = {"Z": Agreement(float(Z[worst]), float(Z_exact[worst]), Z_allowed), **observables}
    if error_bound or sigma_bound:
        held = bool(np.all(found.over(error_bound + 1e-6, sigma_bound + 1e-6) <= 1))
    else:  # two exact answers
        held = found.agrees and found.sigma_error <= BROKEN * found.sigma_noise + 1e-6
    errors = (found.error, found.sigma_error, found.noise, found.sigma_noise)
    return Certificate(problem.id, answered_by, error_bound, sigma_bound, *errors, observables, held, in_doubt)


class AcceptedAnswers:
    """What the model has answered in this run, to be judged again when it turns out to have been too confident."""

    def __init__(self):
        self._answers: deque[tuple[int, Problem, Prediction]] = deque(maxlen=ANSWERS_REMEMBERED)

    def add(self, number: int, problem: Problem, prediction: Prediction) -> None:
        self._answers.append((number, problem, prediction))

    def in_doubt(self, predict: Callable[[Problem], Prediction], gate: Gate) -> str:
        """Numbers of the answers that `gate` no longer lets pass, or that `predict` has moved by more than their
        bound.
        """
        doubtful = []
        for number, problem, old in self._answers:
            new = predict(problem)
            moved = new.solution is None or G_distance(problem, old.solution, new.solution) > old.error_bound
            if moved or gate.refusal(problem, new, gate.tolerance):
                doubtful.append(number)
        return _ranges(doubtful)


def _ranges(numbers: list[int]) -> str:
    """1, 2, 3, 7 as "1-3, 7"."""
    runs: list[list[int]] = []
    for n in numbers:
        if runs and n == runs[-1][1] + 1:
            runs[-1][1] = n
        else:
            runs.append([n, n])
    return ", ".join(f"{a}" if a == b else f"{a}-{b}" for a, b in runs)
