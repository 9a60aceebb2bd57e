# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Histograms and the search for a root, for machines without TRIQS."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from dcorelib.triqs_compat import mpi
from dcorelib.triqs_compat.h5 import register_class


class Histogram:
    """Counts of samples in [a, b], in bins centred at a, …, b: ``Histogram(a, b)`` with bins of width 1, or
    ``Histogram(a, b, n_bins)``.

    ``h << x`` counts a sample.

    Examples
    --------
    >>> h = Histogram(0, 3)
    >>> for x in (0, 1, 1, 7):
    ...     h << x
    >>> h.data.tolist(), h.n_data_pts, h.n_lost_pts
    ([1.0, 2.0, 0.0, 0.0], 3, 1)
    """

    def __init__(self, a: float = 0, b: float = 1, n_bins: int | None = None):
        if not a < b:
            raise ValueError(f"a histogram from {a} to {b} has no width: a < b")
        self.limits = (float(a), float(b))
        self.data = np.zeros(int(b) - int(a) + 1 if n_bins is None else n_bins)
        self.n_data_pts = self.n_lost_pts = 0

    def __lshift__(self, x: float) -> None:
        a, b = self.limits
        if a <= x <= b:
            self.data[int(np.floor((x - a) * self._bins_per_unit + 0.5))] += 1
            self.n_data_pts += 1
        else:
            self.n_lost_pts += 1

    @property
    def _bins_per_unit(self) -> float:
        return (len(self) - 1) / (self.limits[1] - self.limits[0])

    def mesh_point(self, n: int) -> float:
        """Centre of bin `n`."""
        return self.limits[0] + n / self._bins_per_unit

    def clear(self) -> None:
        self.data[:] = 0
        self.n_data_pts = self.n_lost_pts = 0

    def __len__(self) -> int:
        return len(self.data)

    def _like(self, data: np.ndarray) -> Histogram:
        other = Histogram(*self.limits, len(data))
        other.data, other.n_data_pts, other.n_lost_pts = data, self.n_data_pts, self.n_lost_pts
        return other

    def __add__(self, other: Histogram) -> Histogram:
        if self.limits != other.limits or len(self) != len(other):
            raise ValueError(f"histograms over {self.limits} and {other.limits} do not add up")
        total = self._like(self.data + other.data)
        total.n_data_pts, total.n_lost_pts = self.n_data_pts + other.n_data_pts, self.n_lost_pts + other.n_lost_pts
        return total

    def __eq__(self, other) -> bool:
        mine, theirs = ((h.limits, h.n_data_pts, h.n_lost_pts, h.data.tolist()) for h in (self, other))
        return mine == theirs

    __hash__ = None

    def __write_hdf5__(self, group, key) -> None:
        attributes = group._group.create_dataset(key, data=self.data).attrs
        attributes["Format"] = "Histogram"
        attributes["a"], attributes["b"] = self.limits
        attributes["n_bins"] = len(self)
        attributes["n_data_pts"], attributes["n_lost_pts"] = np.uint64(self.n_data_pts), np.uint64(self.n_lost_pts)


def pdf(h: Histogram) -> Histogram:
    """Share of the samples in each bin."""
    return h._like(h.data / max(h.n_data_pts, 1))


def cdf(h: Histogram) -> Histogram:
    """Share of the samples in each bin and all before."""
    return h._like(np.cumsum(pdf(h).data))


def read_histogram(group, key: str) -> Histogram:
    """The histogram stored under `key` of an h5py group."""
    stored = group[key]
    h = Histogram(stored.attrs["a"], stored.attrs["b"], stored.shape[0])
    h.data = stored[()]
    h.n_data_pts, h.n_lost_pts = int(stored.attrs["n_data_pts"]), int(stored.attrs["n_lost_pts"])
    return h


register_class(Histogram, read_fun=read_histogram)


def dichotomy(
    function: Callable[[float], float],
    x_init: float,
    y_value: float,
    precision_on_y: float,
    delta_x: float,
    max_loops: int = 1000,
    x_name: str = "",
    y_name: str = "",
    verbosity: int = 1,
) -> tuple[float | None, float | None]:
    """x with function(x) = `y_value` within `precision_on_y`, of a function that grows; and function(x).

    From `x_init` steps of `delta_x` are taken until the value is enclosed, then secants drawn. (None, None) where
    `max_loops` evaluations do not reach it, as in TRIQS.
    """
    say = mpi.report if verbosity > 0 else lambda *_: None
    say(f"searching {x_name or 'x'} such that {y_name or 'y'} = {y_value:g} +/- {precision_on_y:g}")
    low = high = (x_init, function(x_init))
    sign, step, n_loops = np.sign(low[1] - y_value), abs(delta_x), 0
    while n_loops <= max_loops and (high[1] - y_value) * sign > 0 and abs(high[1] - y_value) > precision_on_y:
        n_loops += 1
        x = high[0] - sign * step
        high = (x, function(x))
    low, high = sorted((low, high))
    best = min(low, high, key=lambda point: abs(point[1] - y_value))
    while n_loops <= max_loops and abs(best[1] - y_value) > precision_on_y:
        n_loops += 1
        x = low[0] + (high[0] - low[0]) * (y_value - low[1]) / (high[1] - low[1])
        best = (x, function(x))
        if (low[1] - y_value) * (best[1] - y_value) > 0:
            low = best
        else:
            high = best
    if abs(best[1] - y_value) > precision_on_y:
        say(f"{x_name or 'x'} was not found in {n_loops} steps")
        return None, None
    say(f"found in {n_loops} steps: {x_name or 'x'} = {best[0]:g}, {y_name or 'y'} = {best[1]:g}")
    return best
