# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Known territory: where bounds may be believed, and why not elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..tools.constants import DIGITS, EDGE, REACH, REACH_QUANTILE, ROUNDING, VALUES_TO_EXTRAPOLATE
from .features.descriptor import Description
from .features.training_set import TrainingSet

_SCANNED = ("beta", "U", "level", "U spread", "level spread")  # groups of features that a run varies on purpose


@dataclass(frozen=True)
class Novelty:
    """Why nothing, or nothing that could be relied on, is known of a problem.

    Attributes
    ----------
    cause : {"unsuited", "few points", "indescribable", "parameter", "bath"}
        The model is not made for such a problem; it knows too few points; a cheap solver has no answer; a parameter
        lies beyond the stored range; the hybridisation is unlike any stored one.
    sentence : str
        The same in words, for report lines.
    parameter : str or None
        Group of features that lies beyond, see `Layout`: "beta", "U", "level", "U spread" or "level spread".
    """

    cause: Literal["unsuited", "few points", "indescribable", "parameter", "bath"]
    sentence: str
    parameter: str | None = None

    def __str__(self) -> str:
        return self.sentence


@dataclass(frozen=True)
class Range:
    """How far a parameter may go.

    Attributes
    ----------
    name : str
        Its group of features.
    column : int
        Its feature.
    low, high : float
        Limits, inclusive, in units of the feature (log βD, U/D, level/D).
    mirrored : bool
        Whether a value and its negative are as good as each other: particle and hole.
    """

    name: str
    column: int
    low: float
    high: float
    mirrored: bool

    def contains(self, values: np.ndarray) -> bool:
        """Whether all of `values` (n,) lie within."""
        values = np.abs(values) if self.mirrored else values
        return not (np.any(values < self.low) or np.any(values > self.high))


class Territory:
    """The ranges of the parameters of exact labels, and how far from all of them a bath may be.

    Parameters
    ----------
    data : TrainingSet
        Looked at again whenever it has grown.

    Attributes
    ----------
    reach_ : float
        Standard deviation, in units of the amplitude, that all but a few of the stored points stay below when left out.
    """

    def __init__(self, data: TrainingSet):
        self._data = data
        self._found: tuple[int, tuple[Range, ...]] = (0, ())

    def fit(self, std: np.ndarray) -> Territory:
        """Learn from the standard deviations (n_problems,) of stored problems that were left out with their groups."""
        self.reach_ = float(np.quantile(std, REACH_QUANTILE))
        return self

    @property
    def ranges(self) -> tuple[Range, ...]:
        """Of each parameter."""
        if self._found[0] != len(self._data):
            self._found = len(self._data), self._ranges()
        return self._found[1]

    def novelty(self, description: Description, std: np.ndarray) -> Novelty | None:
        """Why a problem lies outside, if it does; `std` (n_rows,) are the standard deviations of its prediction."""
        for known in self.ranges:
            if not known.contains(np.array([row.features[known.column] for row in description.rows])):
                return Novelty("parameter", f"{known.name} lies outside the stored range", known.name)
        if np.max(std) > REACH * self.reach_:
            return Novelty("bath", "the bath is unlike any stored one")
        return None

    def _ranges(self) -> tuple[Range, ...]:
        data, layout, found = self._data, self._data.layout, []
        exact = data.source == 0 if data.cheap else slice(None)
        for name in _SCANNED:
            for column in layout.columns(name):
                seen, mirrored = data.X[exact, column], bool(layout.parity[column] < 0)
                if mirrored:
                    low, high = -np.inf, _reach(np.abs(seen))[1]  # between a level and its mirror image
                elif name == "beta":  # bounds hold least beyond the coldest
                    low, high = _as_seen(seen)
                else:
                    low, high = _reach(seen)
                found.append(Range(name, int(column), float(low), float(high), mirrored))
        return tuple(found)


def _as_seen(seen: np.ndarray) -> tuple[float, float]:
    return seen.min() - ROUNDING, seen.max() + ROUNDING


def _reach(seen: np.ndarray) -> tuple[float, float]:
    """The stored range of a parameter, and beyond each end as much as the last two values there are apart.

    That far the bounds have been tried: the values at the ends, too, are left out and predicted from the others.
    """
    values = np.unique(np.round(seen, DIGITS))
    if len(values) == 1:  # it never varied, and nothing is known of what it does
        return _as_seen(seen)
    edge = 10.0**-DIGITS + EDGE * (values[-1] - values[0])
    if len(values) < VALUES_TO_EXTRAPOLATE:
        return values[0] - edge, values[-1] + edge
    gaps = np.diff(values)
    return values[0] - gaps[0] - edge, values[-1] + gaps[-1] + edge
