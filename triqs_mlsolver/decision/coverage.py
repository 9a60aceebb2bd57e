# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""How often the bounds held so far, from the decision log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..problem.comparison import SIGMAS
from ..tools.constants import SURPRISE

_CONFIDENCE = 0.95  # what a bound claims
_COLUMNS = {
    "G": ("true_error", "error_bound", "noise"),
    "Sigma": ("true_sigma_error", "sigma_bound", "sigma_noise"),
}


@dataclass(frozen=True)
class Coverage:
    """How often a bound held among the checks of a log.

    Attributes
    ----------
    checks, held : int
    low, high : float
        95 % binomial interval (Clopper and Pearson, Biometrika 26, 404 (1934)) of the share that holds; 0 and 1 without
        checks.

    Examples
    --------
    >>> print(binomial(checks=20, held=19))
    19 of 20 = 95 % [75, 100]
    """

    checks: int
    held: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """Observed share that held; NaN without checks."""
        return self.held / self.checks if self.checks else float("nan")

    @property
    def is_broken(self) -> bool:
        """Whether so many misses contradict what the bound claims (probability below 0.001)."""
        from scipy.stats import binom  # slow to import

        misses = self.checks - self.held
        return bool(misses and binom.sf(misses - 1, self.checks, 1 - _CONFIDENCE) < SURPRISE)

    def __str__(self) -> str:
        if not self.checks:
            return "no checks yet"
        percent = f"{100 * self.share:.0f} % [{100 * self.low:.0f}, {100 * self.high:.0f}]"
        return f"{self.held} of {self.checks} = {percent}"


def binomial(checks: int, held: int) -> Coverage:
    """The coverage with its interval."""
    from scipy.stats import beta  # slow to import

    low = float(beta.ppf(0.025, held, checks - held + 1)) if held else 0.0
    high = float(beta.ppf(0.975, held + 1, checks - held)) if held < checks else 1.0
    return Coverage(checks, held, low, high)


def coverage(log: Mapping[str, np.ndarray], kind: str = "G", *, accepted: bool = False) -> Coverage:
    """How often the bound held in a decision log (`DecisionLog.read()`), error bars of the exact answers allowed for.

    Parameters
    ----------
    log : mapping of arrays
        Columns of the decision log.
    kind : {"G", "Sigma"}
        The bound on G(τ) or that on Σ(iω₀).
    accepted : bool
        Only problems the model had accepted (audits). Otherwise all exact answers to problems that were not novel, most
        of which were computed because their bound was large.

    Raises
    ------
    ValueError
        For another `kind`.
    """
    check = checked(log, kind)
    if accepted:
        check &= audited(log)
    return binomial(int(check.sum()), int((check & held(log, kind)).sum()))


def checked(log: Mapping[str, np.ndarray], kind: str = "G") -> np.ndarray:
    """Rows whose bound can be judged, (n_rows,) bool: true error known, a bound given, the problem not novel."""
    error, bound, _ = _numbers(log, kind)
    return np.isfinite(error) & np.isfinite(bound) & ~novel(log)


def held(log: Mapping[str, np.ndarray], kind: str = "G") -> np.ndarray:
    """Rows whose error is at most the bound, 1.96 error bars of the exact answer allowed for, (n_rows,) bool."""
    error, bound, noise = _numbers(log, kind)
    return error - SIGMAS * np.nan_to_num(noise) <= bound


def novel(log: Mapping[str, np.ndarray]) -> np.ndarray:
    """Rows on problems outside known territory, (n_rows,) bool."""
    return flags(log, "novel")


def audited(log: Mapping[str, np.ndarray]) -> np.ndarray:
    """Rows of accepted answers that were computed as well: an unbiased sample of what the user was given."""
    return flags(log, "audit")


def computed(log: Mapping[str, np.ndarray]) -> np.ndarray:
    """Rows answered by an exact solver, whatever the quality gate said of the answer, (n_rows,) bool."""
    return np.isin(log.get("source", np.zeros(0, str)), ("exact", "refused"))


def rows_of_kind(log: Mapping[str, np.ndarray], kind: str) -> dict[str, np.ndarray]:
    """The rows on one kind of problem, and those that do not say theirs, as older ones do."""
    kinds = log.get("kind", np.full(len(log.get("reason", ())), ""))
    mine = (kinds == kind) | (kinds == "")
    return {name: column[mine] for name, column in log.items()}


def flags(log: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    """A column of flags; False where a row or the whole log lacks it, (n_rows,) bool."""
    rows = len(log.get("reason", ()))
    return np.array([flag is True or flag == 1 for flag in log.get(name, np.zeros(rows))], bool)


def _numbers(log: Mapping[str, np.ndarray], kind: str) -> list[np.ndarray]:
    if kind not in _COLUMNS:
        raise ValueError(f"kind = {kind!r} is no bound: choose 'G' or 'Sigma'")
    empty = np.full(len(log.get("reason", ())), np.nan)
    return [np.asarray(log.get(name, empty), float) for name in _COLUMNS[kind]]
