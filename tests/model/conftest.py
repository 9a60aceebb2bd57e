# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""A model of twelve points, and problems that `trained` does not know."""

import numpy as np
import pytest
from support.learned import CHEAP

from triqs_mlsolver import Predictor
from triqs_mlsolver.exact.ed import ED


@pytest.fixture(scope="session")
def fresh(draw):
    """60 problems from the distribution of `solved_set` that it does not contain, with exact solutions."""
    out = []
    for i in range(60):
        kind = i % 4
        options = {"field": None if kind == 1 else 0.0, "polarised": kind == 2, "half_filling": kind == 3}
        problem = draw(np.random.default_rng([12, i]), 3, **options)
        out.append((problem, ED().solve(problem)))
    return out


@pytest.fixture(scope="session")
def small(family):
    """Twelve points along U at half filling, and a predictor that knows them."""
    problems = [family(U) for U in np.linspace(0.5, 3.0, 12)]
    points = [(p, ED().solve(p)) for p in problems]
    return points, Predictor(approximations=CHEAP).fit(points)
