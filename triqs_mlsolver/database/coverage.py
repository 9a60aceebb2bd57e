# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""How often the bounds held so far, from the decision log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Coverage:
    """`held` of `checked` bounds held.

    Examples
    --------
    >>> coverage = Coverage(held=19, checked=20)
    >>> coverage.share, [round(end, 3) for end in coverage.interval()]
    (0.95, [0.751, 0.999])
    >>> print(coverage)
    19 of 20 = 95 % [75, 100]
    """

    held: int
    checked: int

    @property
    def share(self) -> float:
        """Observed coverage; NaN before the first check."""
        return self.held / self.checked if self.checked else np.nan

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Exact binomial interval of the true coverage (Clopper and Pearson, Biometrika 26, 404 (1934))."""
        from scipy.stats import beta  # slow to import

        tail = (1 - confidence) / 2
        misses = self.checked - self.held
        low = beta.ppf(tail, self.held, misses + 1) if self.held else 0.0
        high = beta.ppf(1 - tail, self.held + 1, misses) if misses else 1.0
        return float(low), float(high)

    def __str__(self) -> str:
        if not self.checked:
            return "no checks yet"
        low, high = (100 * end for end in self.interval())
        return f"{self.held} of {self.checked} = {100 * self.share:.0f} % [{low:.0f}, {high:.0f}]"


def checked(log: Mapping[str, np.ndarray]) -> np.ndarray:
    """Rows of a decision log whose bound can be judged: true error known, a bound given, the problem not novel.

    Parameters
    ----------
    log : mapping of arrays
        As `DecisionLog.read` returns it.

    Returns
    -------
    (n_rows,) bool array
    """
    if "true_error" not in log or "error_bound" not in log:
        return np.zeros(len(log.get("time", ())), bool)
    known = np.isfinite(log["true_error"].astype(float)) & np.isfinite(log["error_bound"].astype(float))
    return known & ~novel(log)


def novel(log: Mapping[str, np.ndarray]) -> np.ndarray:
    """Rows on problems outside known territory, (n_rows,) bool."""
    return np.char.startswith(log["reason"].astype(str), "novel")


def audited(log: Mapping[str, np.ndarray]) -> np.ndarray:
    """Rows of accepted answers that were computed as well: an unbiased sample of what the user was given."""
    return np.array([flag in (True, 1.0) for flag in log.get("audit", np.zeros(len(log.get("time", ()))))], bool)


def coverage(log: Mapping[str, np.ndarray], among: np.ndarray | None = None) -> Coverage:
    """How often both bounds held, among the checked rows (and those of the mask `among`).

    A bound is held where the log does not call the solve a miss: error bars of the exact answer count in its favour.
    """
    rows = checked(log) if among is None else checked(log) & among
    missed = np.array([flag in (True, 1.0) for flag in log["miss"]], bool) if rows.any() else rows
    return Coverage(int(np.sum(rows & ~missed)), int(np.sum(rows)))
