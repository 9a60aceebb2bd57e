# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Histograms for machines without TRIQS: `triqs.stat.histograms.Histogram`, its attributes and its HDF5 layout."""

from __future__ import annotations

import h5py
import numpy as np


class Histogram:
    """Counts of values in bins of equal width, whose centres go from `a` to `b`.

    Parameters
    ----------
    a, b : float
        Centres of the first and the last bin; what lies outside is lost.
    n_bins : int, optional
        Number of bins; default: bins of width 1.

    Attributes
    ----------
    data : (n_bins,) array
        Counts.
    limits : (float, float)
    n_data_pts, n_lost_pts : int
        Values that were counted, and that were lost.

    Examples
    --------
    >>> h = Histogram(0, 3)
    >>> for x in (1, 1, 2, 7):
    ...     _ = h << x
    >>> h.data, h.n_data_pts, h.n_lost_pts, h.mesh_point(2)
    (array([0., 2., 1., 0.]), 3, 1, 2.0)
    """

    def __init__(self, a: float, b: float, n_bins: int | None = None):
        if not a < b:
            raise ValueError(f"a histogram from {a} to {b} has no bins: give a < b")
        self.limits = (float(a), float(b))
        self.data = np.zeros(round(b - a) + 1 if n_bins is None else n_bins)
        self.n_data_pts = self.n_lost_pts = 0

    def __len__(self) -> int:
        return len(self.data)

    @property
    def _width(self) -> float:
        return (self.limits[1] - self.limits[0]) / (len(self) - 1)

    def mesh_point(self, n: int) -> float:
        """Centre of bin `n`."""
        return self.limits[0] + n * self._width

    def __lshift__(self, x: float) -> Histogram:
        """Count the value `x`."""
        if self.limits[0] <= x <= self.limits[1]:
            self.data[int(np.floor((x - self.limits[0]) / self._width + 0.5))] += 1
            self.n_data_pts += 1
        else:
            self.n_lost_pts += 1
        return self

    def __add__(self, other: Histogram) -> Histogram:
        """Counts of both, over the same bins."""
        if self.limits != other.limits or len(self) != len(other):
            raise ValueError(
                f"histograms of {len(self)} bins in {self.limits} and {len(other)} in {other.limits} cannot be added: "
                "give the same bins"
            )
        total = Histogram(*self.limits, len(self))
        total.data = self.data + other.data
        total.n_data_pts = self.n_data_pts + other.n_data_pts
        total.n_lost_pts = self.n_lost_pts + other.n_lost_pts
        return total

    def __eq__(self, other) -> bool:
        return isinstance(other, Histogram) and self._key() == other._key()

    __hash__ = None

    def _key(self) -> tuple:
        return self.limits, self.data.tolist(), self.n_data_pts, self.n_lost_pts

    def clear(self) -> None:
        """Forget all counts."""
        self.data = np.zeros(len(self))
        self.n_data_pts = self.n_lost_pts = 0

    def _plot_(self, options: dict) -> list[dict]:
        """The curve for `oplot`."""
        return [{"xdata": np.linspace(*self.limits, len(self)), "ydata": self.data, "label": "Histogram", **options}]

    def __write_hdf5__(self, group, key: str) -> None:
        dataset = group._group.create_dataset(key, data=self.data)
        a, b = self.limits
        n_data_pts, n_lost_pts = np.uint64(self.n_data_pts), np.uint64(self.n_lost_pts)  # as TRIQS reads them
        dataset.attrs.update(Format="Histogram", a=a, b=b, n_bins=len(self))
        dataset.attrs.update(n_data_pts=n_data_pts, n_lost_pts=n_lost_pts)


def read_histogram(group: h5py.Group, key: str) -> Histogram:
    """The histogram stored under `key`."""
    stored = group[key]
    found = Histogram(float(stored.attrs["a"]), float(stored.attrs["b"]), int(stored.attrs["n_bins"]))
    found.data = np.array(stored[()], dtype=float)
    found.n_data_pts, found.n_lost_pts = int(stored.attrs["n_data_pts"]), int(stored.attrs["n_lost_pts"])
    return found


def pdf(h: Histogram) -> Histogram:
    """Share of the values in each bin."""
    return _with_data(h, h.data / max(h.n_data_pts, 1))


def cdf(h: Histogram) -> Histogram:
    """Share of the values in each bin and all before."""
    return _with_data(h, np.cumsum(pdf(h).data))


def _with_data(h: Histogram, data: np.ndarray) -> Histogram:
    other = Histogram(*h.limits, len(data))
    other.data, other.n_data_pts, other.n_lost_pts = data, h.n_data_pts, h.n_lost_pts
    return other
