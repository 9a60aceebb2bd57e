# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""What the checks of a run say about its bounds: misses widen them at once, and what should not happen rings an alarm.

A check is an exact answer to a problem for which the model had stated a bound.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

import numpy as np

from ..tools.constants import (
    CONTRADICTION,
    NOVEL_CONTRADICTION,
    SAME_BOUND,
    WIDENING_DECAY,
    WIDEST,
    WORTH_A_SECOND_RUN,
)
from .coverage import binomial, coverage


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
        missed = self.factor * np.clip(over, 1.0, WIDEST)
        held = np.maximum(WIDENING_DECAY * self.factor, 1.0)
        self.factor = np.minimum(np.where(over > 1, missed, held), WIDEST)


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
        if len(self._bounds) > SAME_BOUND:
            self._bounds.popitem(last=False)
        values = np.array(list(self._bounds.values()))
        constant = len(values) == SAME_BOUND and np.ptp(values) <= 1e-6 * values.max()
        return self._once("constant", constant, f"the bound has been {bound:.2g} for {SAME_BOUND} different problems")

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
    return bool(over[0] > (NOVEL_CONTRADICTION if novel else CONTRADICTION) and error > WORTH_A_SECOND_RUN * tolerance)
