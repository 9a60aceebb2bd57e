# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""What the checks of a run say about its bounds: misses widen them at once, and what should not happen rings an alarm.

A check is an exact answer to a problem for which the model had stated a bound.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .comparison import _SIGMAS

CONFIDENCE = 0.95  # what a bound claims
_SURPRISE = 1e-3  # probability below which a number of misses is no accident
_DECAY = 0.9  # factor of the widening per check that held
_WIDEST = 10.0  # no single miss, and no series of them, widens the bounds by more
_SAME_BOUND = 30  # bounds of so many different problems that do not vary are none
_CONTRADICTION = 1.5  # an exact answer this many bounds away from the prediction is run again
_NOVEL_CONTRADICTION = 3.0  # where the problem is novel, and the bound a guess


class Widening:
    """Factor on the bounds, per kind of error: a miss widens them by as much as it missed, later checks undo it.

    Examples
    --------
    >>> widening = Widening()
    >>> widening.see(np.array([3.0, 0.2]))
    >>> widening.factor.tolist()
    [3.0, 1.0]
    >>> for _ in range(20):
    ...     widening.see(np.array([0.5, 0.5]))
    >>> widening.factor.tolist()
    [1.0, 1.0]
    """

    def __init__(self):
        self.factor = np.ones(2)

    def see(self, over: np.ndarray) -> None:
        """Take note of a check, errors in units of the bounds that were stated, (2,)."""
        missed = self.factor * np.clip(over, 1.0, _WIDEST)
        held = np.maximum(_DECAY * self.factor, 1.0)
        self.factor = np.minimum(np.where(over > 1, missed, held), _WIDEST)


@dataclass(frozen=True)
class Coverage:
    """How often a bound held among the checks of a log.

    Attributes
    ----------
    checks, held : int
    low, high : float
        95 % binomial interval (Clopper and Pearson) of the share that holds; 0 and 1 without checks.
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
        from scipy.stats import binom

        misses = self.checks - self.held
        return bool(misses and binom.sf(misses - 1, self.checks, 1 - CONFIDENCE) < _SURPRISE)


def coverage(log: Mapping[str, np.ndarray], kind: str = "G", *, accepted: bool = False) -> Coverage:
    """How often the bound held in a decision log (`DecisionLog.read()`), error bars of the labels allowed for.

    Parameters
    ----------
    log : dict of arrays
        Columns of the decision log.
    kind : {"G", "Sigma"}
        The bound on G(τ) or that on Σ(iω₀).
    accepted : bool
        Only audits and certificates, that is problems the model had accepted. Otherwise all exact answers to problems
        that were not novel, most of which were computed because their bound was large.

    Raises
    ------
    ValueError
        For another `kind`.
    """
    columns = {
        "G": ("true_error", "error_bound", "noise"),
        "Sigma": ("true_sigma_error", "sigma_bound", "sigma_noise"),
    }
    if kind not in columns:
        raise ValueError(f"kind = {kind!r} is no bound: choose 'G' or 'Sigma'")
    if len(log.get("reason", ())) == 0 or columns[kind][0] not in log:
        return binomial(0, 0)
    empty = np.full(len(log["reason"]), np.nan)
    error, bound, noise = (np.asarray(log.get(name, empty), float) for name in columns[kind])
    check = np.isfinite(error) & np.isfinite(bound) & ~np.char.startswith(log["reason"].astype(str), "novel")
    if accepted:
        check &= np.array([value is True or value == 1 for value in log["audit"]], bool)
    held = error - _SIGMAS * np.nan_to_num(noise) <= bound
    return binomial(int(check.sum()), int((check & held).sum()))


def binomial(checks: int, held: int) -> Coverage:
    """The coverage with its interval."""
    from scipy.stats import beta

    low = float(beta.ppf(0.025, held, checks - held + 1)) if held else 0.0
    high = float(beta.ppf(0.975, held + 1, checks - held)) if held < checks else 1.0
    return Coverage(checks, held, low, high)


class Alarms:
    """What has been seen of a run's bounds and checks.

    Attributes
    ----------
    widening : Widening
    """

    def __init__(self, log: Mapping[str, np.ndarray]):
        self.widening = Widening()
        self._counts = {kind: [(c := coverage(log, kind)).checks, c.held] for kind in ("G", "Sigma")}
        self._rang: set[str] = set()
        self._bounds: OrderedDict[str, float] = OrderedDict()

    def of_bound(self, problem_id: str, bound: float) -> str:
        """The alarm if the bounds of many different problems are all the same; else empty."""
        self._bounds[problem_id] = bound
        if len(self._bounds) > _SAME_BOUND:
            self._bounds.popitem(last=False)
        values = np.array(list(self._bounds.values()))
        constant = len(values) == _SAME_BOUND and np.ptp(values) <= 1e-6 * values.max()
        return self._once("constant", constant, f"the bound has been {bound:.2g} for {_SAME_BOUND} different problems")

    def of_check(self, over: np.ndarray) -> str:
        """Widen the bounds after a check; the alarm if they are violated more often than they claim, else empty."""
        self.widening.see(over)
        texts = []
        for (kind, counts), ratio in zip(self._counts.items(), over):
            counts[0] += 1
            counts[1] += bool(ratio <= 1)
            found = binomial(*counts)
            text = f"the bound on {kind} held in {found.held} of {found.checks} checks only"
            texts.append(self._once(kind, found.is_broken, text))
        return "; ".join(t for t in texts if t)

    def _once(self, name: str, rings: bool, text: str) -> str:
        """The text when an alarm begins, not while it lasts."""
        began = rings and name not in self._rang
        self._rang = self._rang | {name} if rings else self._rang - {name}
        return text if began else ""


def contradicts(over: np.ndarray, error: float, tolerance: float, novel: bool) -> bool:
    """Whether an exact answer is so far beyond a prediction's bound, and of consequence, that either may be wrong.

    Parameters
    ----------
    over : (2,) array
        Errors in units of the bounds.
    error : float
        The error of G(τ).
    tolerance : float
    novel : bool
        The bound is that of a problem outside known territory.
    """
    return bool(over[0] > (_NOVEL_CONTRADICTION if novel else _CONTRADICTION) and error > 5 * tolerance)
