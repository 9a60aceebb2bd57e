# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
import pytest
from scipy.stats import norm

from triqs_mlsolver.numerics.significance import AGREEMENT, BROKEN, ONE_SIDED, TWO_SIDED


def test_quantiles_hold_95_percent_of_a_gaussian():
    assert norm.cdf(TWO_SIDED) - norm.cdf(-TWO_SIDED) == pytest.approx(0.95, abs=1e-12)
    assert norm.cdf(ONE_SIDED) == pytest.approx(0.95, abs=1e-12)


def test_levels_are_as_rare_as_they_say():
    assert 1 / (2 * norm.sf(AGREEMENT)) == pytest.approx(370, abs=1)
    assert 1 / (2 * norm.sf(BROKEN)) == pytest.approx(1.7e6, rel=0.05)
