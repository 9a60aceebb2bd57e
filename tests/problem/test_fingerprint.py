# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Processes tell by three numbers whether they hold the same problem."""

from dataclasses import replace

import numpy as np
import pytest

from triqs_mlsolver import Problem
from triqs_mlsolver.problem.fingerprint import fingerprint

SIAM = Problem.siam(beta=10.0, U=2.0, mu=1.0, eps=[-0.5, 0.5], V=[0.35, 0.35])


def apart(a: Problem, b: Problem) -> float:
    """Relative difference of the projections, infinite where the structures differ."""
    (s, x, size), (t, y, _) = fingerprint(a), fingerprint(b)
    return abs(x - y) / size if s == t else np.inf


def test_the_same_problem_has_the_same_fingerprint():
    again = Problem.siam(beta=10.0, U=2.0, mu=1.0, eps=[-0.5, 0.5], V=[0.35, 0.35])
    assert apart(SIAM, again) < 1e-12


@pytest.mark.parametrize(
    "change", [{"beta": 10.01}, {"U": 1.01 * SIAM.U}, {"h_loc0": tuple(h + 1e-3 for h in SIAM.h_loc0)},
               {"Delta_l": (SIAM.Delta_l[0], 1.001 * SIAM.Delta_l[1])}, {"gf_struct": (("a", 1), ("b", 1))}]
)  # fmt: skip
def test_any_difference_shows(change):
    assert apart(SIAM, replace(SIAM, bath=None, **change)) > 1e-6


def test_roundings_and_one_more_coefficient_hardly_show():
    noise = 1e-12 * np.random.default_rng(1).normal(size=SIAM.Delta_l[0].shape)
    longer = np.concatenate([SIAM.Delta_l[0] + noise, np.full((1, 1, 1), 1e-14)])
    assert apart(SIAM, replace(SIAM, bath=None, Delta_l=(longer, SIAM.Delta_l[1]))) < 1e-10
