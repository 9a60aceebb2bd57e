# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Decision: how one solve was answered, as the report line and a row of the decision log."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np


@dataclass(frozen=True)
class Decision:
    """How one solve was answered. `str()` gives the report line.

    Attributes
    ----------
    source : {"model", "exact", "uncertified"}
    solver : str
        "model", or the name of the exact solver.
    reason : str
        Why this source was taken.
    error_bound, sigma_bound : float
        Bounds of the prediction on max abs(ΔG(τ)) and on the relative error of Σ(iω₀) (inf without a prediction).
    tolerance, sigma_tolerance : float
        What the user accepts.
    density_bound, docc_bound : float
        Bounds on the errors of ⟨n⟩ per flavour and of ⟨n↑n↓⟩.
    nearest : float
        Distance to the nearest stored point in the kernel's feature space.
    seconds : float
        Wall time of the whole solve.
    problem_id : str
    number : int
        Which solve of this run it was, from 1.
    point : int or None
        Number of the point added to the database.
    note : str
        What became of an exact answer, or the outcome of an audit.
    audit : bool
        An accepted prediction was checked by an exact run.
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
    reason: str
    error_bound: float
    sigma_bound: float
    tolerance: float
    sigma_tolerance: float
    nearest: float
    seconds: float
    problem_id: str
    number: int = 0
    point: int | None = None
    note: str = ""
    audit: bool = False
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

    def __str__(self) -> str:
        duration = f"{1e3 * self.seconds:.0f} ms" if self.seconds < 1 else f"{self.seconds:.1f} s"
        if self.source == "model":
            parts = ["model", self.reason, f"nearest point {self.nearest:.2g}", duration]
        elif self.source == "uncertified":
            parts = ["NOT CERTIFIED model answer", self.reason, duration]
        else:
            parts = [f"exact ({self.solver})", self.reason, duration]
        doubt = f"in doubt: solves {self.in_doubt} of this run" if self.in_doubt else ""
        parts += [text for text in (self.note, doubt, f"ALARM: {self.alarm}" if self.alarm else "") if text]
        return "mlsolver: " + " | ".join(parts)

    def row(self) -> dict:
        """The columns of the decision log; what is unknown or infinite is left out."""
        return {k: v for k, v in asdict(self).items() if v is not None and not _is_infinite(v)}


def _is_infinite(value) -> bool:
    return isinstance(value, float) and not np.isfinite(value)
