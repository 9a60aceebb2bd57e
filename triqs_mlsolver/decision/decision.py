# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""How one solve was answered: the decision, as the report line and a row of the log; and the record of all of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from ..problem import Problem, Solution

if TYPE_CHECKING:
    from ..model import Prediction


@dataclass(frozen=True)
class Decision:
    """How one solve was answered. `str()` gives the report line.

    Attributes
    ----------
    source : {"model", "exact", "stored", "refused", "uncertified"}
        Who answered: the model within its bounds; an exact solver, now or in an earlier run; an exact solver whose
        answer the quality gate refuses to store, so that nothing vouches for it; the model beyond its bounds, where no
        exact solver was there.
    solver : str
        "model", or the name of the exact solver, also of a stored answer.
    cause : str
        Why this source was taken, as one word: see `acceptance.CAUSES`.
    reason : str
        The same as a sentence, with its numbers.
    error_bound, sigma_bound : float
        Bounds of the prediction on max abs(ΔG(τ)) and on the relative error of Σ(iω₀) (inf without a prediction); of a
        stored answer its error bars, at the same confidence.
    tolerance, sigma_tolerance : float
        What the user accepts.
    density_bound, docc_bound : float
        Bounds on the errors of ⟨n⟩ per flavour and of ⟨n↑n↓⟩.
    nearest : float
        Distance to the nearest stored point in the kernel's feature space.
    seconds : float
        Wall time of the whole solve.
    problem_id : str
    kind : str
        Kind of problem, see `Database.kinds`: each has a model, and checks of its own.
    number : int
        Which solve of this run it was, from 1.
    point : int or None
        Number of the point added to the database.
    note : str
        What became of an exact answer, or the outcome of an audit.
    audit : bool
        An accepted prediction was checked by an exact run.
    objection : str
        What the quality gate found wrong with an exact answer (source "refused").
    novel : bool
        The problem lay outside known territory: the bounds said nothing.
    true_error, true_sigma_error : float or None
        Errors of the prediction against the exact answer, where both are known.
    noise, sigma_noise : float or None
        One standard error of these, from the error bars of the exact answer.
    miss : bool
        A true error exceeded its bound by more than the exact answer's own error bars allow.
    alarm : str
        What should not have happened: bounds that do not vary, too many misses, exact runs that disagree.
    in_doubt : str
        Numbers of the earlier answers of this run that the recalibrated model no longer vouches for.
    """

    source: str
    solver: str
    cause: str
    reason: str
    error_bound: float
    sigma_bound: float
    tolerance: float
    sigma_tolerance: float
    nearest: float
    seconds: float
    problem_id: str
    kind: str = ""
    number: int = 0
    point: int | None = None
    note: str = ""
    audit: bool = False
    objection: str = ""
    novel: bool = False
    true_error: float | None = None
    true_sigma_error: float | None = None
    noise: float | None = None
    sigma_noise: float | None = None
    miss: bool = False
    alarm: str = ""
    in_doubt: str = ""
    density_bound: float = float("inf")
    docc_bound: float = float("inf")

    @property
    def is_certified(self) -> bool:
        """Whether a bound within the tolerance, or an exact solver's sound answer, vouches for the solution."""
        return self.source in ("model", "exact", "stored")

    @property
    def is_computed(self) -> bool:
        """Whether an exact solver was run for it, whatever the quality gate says of its answer."""
        return self.source in ("exact", "refused")

    @property
    def has_error_bars(self) -> bool:
        """Whether the solution is an exact solver's, with error bars of its own instead of bounds."""
        return self.is_computed or self.source == "stored"

    def __str__(self) -> str:
        duration = f"{1e3 * self.seconds:.0f} ms" if self.seconds < 1 else f"{self.seconds:.1f} s"
        if self.source == "model":
            parts = ["model", self.reason, f"nearest point {self.nearest:.2g}", duration]
        elif self.source == "stored":
            parts = [f"stored ({self.solver})", self.reason, duration]
        elif self.source == "uncertified":
            parts = ["NOT CERTIFIED model answer", self.reason, duration]
        elif self.source == "refused":
            parts = [f"NOT CERTIFIED exact answer ({self.solver})", self.objection, self.reason, duration]
        else:
            parts = [f"exact ({self.solver})", self.reason, duration]
        doubt = f"in doubt: solves {self.in_doubt} of this run" if self.in_doubt else ""
        parts += [text for text in (self.note, doubt, f"ALARM: {self.alarm}" if self.alarm else "") if text]
        return "mlsolver: " + " | ".join(parts)

    @classmethod
    def of_row(cls, row: dict) -> Decision:
        """The decision of a row, from wherever it was stored."""
        kinds = {"float": float, "int": int, "bool": bool, "str": str}
        known = {f.name: kinds[f.type.partition(" ")[0]] for f in fields(cls)}
        infinite = {
            name: float("inf") for name in ("error_bound", "sigma_bound", "tolerance", "sigma_tolerance", "nearest")
        }
        return cls(**{**infinite, **{name: known[name](value) for name, value in row.items() if name in known}})

    def row(self) -> dict:
        """The columns of the decision log; what is unknown or infinite is left out."""
        return {k: v for k, v in asdict(self).items() if v is not None and not _is_infinite(v)}


@dataclass(frozen=True, eq=False)
class Answer:
    """A solve that is over; what is said of it later does not change.

    Attributes
    ----------
    problem : Problem
    solution : Solution
        What was handed out.
    decision : Decision
        How it came about.
    prediction : Prediction or None
        What the model had said; None where it was not asked.
    """

    problem: Problem
    solution: Solution
    decision: Decision
    prediction: Prediction | None


def _is_infinite(value) -> bool:
    return isinstance(value, float) and not np.isfinite(value)
