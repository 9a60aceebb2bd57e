# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Histograms and dichotomy under either provider."""

from __future__ import annotations

import numpy as np
import pytest

from triqs_mlsolver.compat import HDFArchive, Histogram, cdf, dichotomy, pdf


@pytest.fixture
def histogram():
    h = Histogram(0.0, 2.0, 5)
    for x in (0.1, 0.3, 0.3, 1.9, 2.0, 2.1, -1.0):
        h << x
    return h


def test_bins_are_centred_on_their_points(histogram):
    assert histogram.data.tolist() == [1, 2, 0, 0, 2] and (histogram.n_data_pts, histogram.n_lost_pts) == (5, 2)
    assert tuple(histogram.limits) == (0.0, 2.0) and histogram.mesh_point(3) == 1.5 and len(histogram) == 5
    assert len(Histogram(0, 10)) == 11


def test_distributions_and_sums(histogram):
    np.testing.assert_allclose(pdf(histogram).data, [0.2, 0.4, 0, 0, 0.4])
    np.testing.assert_allclose(cdf(histogram).data, [0.2, 0.6, 0.6, 0.6, 1.0])
    total = histogram + histogram
    assert total.data.tolist() == [2, 4, 0, 0, 4] and total.n_lost_pts == 4
    with pytest.raises((ValueError, RuntimeError)):
        histogram + Histogram(0.0, 3.0, 5)


def test_histograms_are_archived(tmp_path, histogram):
    with HDFArchive(str(tmp_path / "h.h5"), "w") as A:
        A["h"] = histogram
    with HDFArchive(str(tmp_path / "h.h5"), "r") as A:
        assert A["h"] == histogram and A["h"].n_lost_pts == 2


@pytest.mark.parametrize("x_init", [-2.0, 0.0, 3.0])
def test_dichotomy_finds_a_root(x_init):
    x, y = dichotomy(lambda x: np.tanh(x), x_init, 0.3, 1e-10, 0.5, verbosity=0)
    assert x == pytest.approx(np.arctanh(0.3), abs=1e-8) and y == pytest.approx(0.3, abs=1e-10)


def test_dichotomy_gives_up():
    assert dichotomy(lambda x: x, 0.0, 1e9, 1e-8, 0.5, max_loops=10, verbosity=0) == (None, None)
