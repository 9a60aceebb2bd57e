# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Histograms: those of TRIQS where it is installed, and the embedded ones that behave alike."""

from __future__ import annotations

import numpy as np
import pytest

from triqs_mlsolver import compat
from triqs_mlsolver.compat import containers
from triqs_mlsolver.compat.histogram import Histogram, read_histogram

COUNTS = [3, 0, 12, 100001, 7]
KINDS = list(dict.fromkeys([Histogram, compat.Histogram]))


def filled(kind):
    h = kind(-1.0, 1.0, 5)
    for x in (-1.0, -0.8, -0.7, 0.0, 1.0, 1.1):
        h << x
    return h


@pytest.mark.parametrize("kind", KINDS)
def test_values_are_counted_in_the_bin_whose_centre_is_nearest(kind):
    h = filled(kind)
    np.testing.assert_array_equal(h.data, [2, 1, 1, 0, 1])
    assert (len(h), tuple(h.limits), h.n_data_pts, h.n_lost_pts, h.mesh_point(1)) == (5, (-1.0, 1.0), 5, 1, -0.5)
    twice = h + h
    np.testing.assert_array_equal(twice.data, 2 * h.data)
    assert (twice.n_data_pts, twice.n_lost_pts) == (10, 2) and not twice == h and h == filled(kind)
    h.clear()
    assert not np.any(h.data) and h.n_data_pts == 0


@pytest.mark.parametrize("kind", KINDS)
def test_histograms_over_different_bins_cannot_be_added(kind):
    with pytest.raises(Exception, match="[Hh]istograms"):
        filled(kind) + kind(0, 3)


def test_counts_become_a_histogram_over_the_orders_of_cthyb():
    h = containers.histogram(COUNTS)
    assert isinstance(h, compat.Histogram) and tuple(h.limits) == (0.0, 1000.0) and len(h) == 1001
    np.testing.assert_array_equal(h.data[:5], COUNTS)
    assert h.n_data_pts == sum(COUNTS) and h.n_lost_pts == 0 and not np.any(h.data[5:])


def test_orders_beyond_the_last_bin_are_lost():
    h = containers.histogram([0] * 1001 + [4])
    assert (h.n_data_pts, h.n_lost_pts) == (0, 4)


def test_a_histogram_without_bins_is_refused():
    with pytest.raises(ValueError, match="from 3 to 3 has no bins"):
        Histogram(3, 3)


def test_archives_give_histograms_back(tmp_path):
    path = str(tmp_path / "h.h5")
    with compat.HDFArchive(path, "w") as A:
        A["h"] = containers.histogram(COUNTS)
        A["by block"] = {"up": containers.histogram([1, 2])}
    with compat.HDFArchive(path, "r") as A:
        assert A["h"] == containers.histogram(COUNTS) and A["by block"]["up"].n_data_pts == 3


def test_the_layout_is_that_of_triqs(tmp_path):
    """What either side writes, the embedded class reads."""
    import h5py

    path = str(tmp_path / "h.h5")
    with compat.HDFArchive(path, "w") as A:
        A["h"] = filled(compat.Histogram)
    with h5py.File(path) as f:
        assert read_histogram(f, "h") == filled(Histogram)
        assert sorted(f["h"].attrs) == ["Format", "a", "b", "n_bins", "n_data_pts", "n_lost_pts"]


@pytest.mark.parametrize("kind", KINDS)
def test_histograms_are_drawn(kind):
    from triqs_mlsolver.compat import HAS_TRIQS

    if kind is Histogram:
        (curve,) = filled(kind)._plot_({"label": "orders"})
        np.testing.assert_allclose(curve["xdata"], [-1, -0.5, 0, 0.5, 1])
        assert curve["label"] == "orders"
    elif HAS_TRIQS:
        from triqs.plot.protocol import plot_protocol_apply

        (curve,) = plot_protocol_apply(filled(kind), {}, lambda: (0, 1))
        np.testing.assert_allclose(curve["xdata"], [-1, -0.5, 0, 0.5, 1])
