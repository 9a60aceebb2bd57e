# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Sequences of problems: within bounds, the same whatever the number asked for, spread as they promise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kstest

from triqs_mlsolver.generation import generate, sampling
from triqs_mlsolver.generation.sampling import Bounds, draw

RANGES = {"beta": (2.0, 30.0), "U": (0.5, 4.0), "level": (-0.5, 0.25)}


@pytest.mark.parametrize("name", generate.SAMPLINGS)
def test_problem_i_is_the_same_whatever_the_number_asked(name):
    forwards, alone = generate.sequence(name, 3), generate.sequence(name, 3)
    assert [alone[11].id, alone[4].id] == [[forwards[i].id for i in range(12)][k] for k in (11, 4)]
    assert generate.sequence(name, 4)[5].id != forwards[5].id


@pytest.mark.parametrize("name", generate.SAMPLINGS)
def test_bounds_are_kept(name):
    problems = generate.sequence(name, 1, **RANGES)
    # bandwidth 2, hence D = 1, everywhere but in the lecture's problems; level and U do not scale with it
    for p in (problems[i] for i in range(60)):
        assert 2 <= p.beta <= 30 and 0.5 <= p.U[0, 1] <= 4
        assert -0.5 - 1e-12 <= p.x[0] <= 0.25 + 1e-12 and p.x[0] == p.x[1]


def test_lecture():
    """U and W from 1 to 10, levels from −1 to 1, six temperatures, four sites within the band, Σ V² = D²/4."""
    problems = [draw("lecture", 2)[i] for i in range(1)] + [draw("lecture", s)[s] for s in range(1, 60)]
    assert {p.beta for p in problems} == {1, 2, 5, 10, 20, 50}
    for p in problems:
        D = 2 * np.linalg.norm(p.bath[0].V)
        assert 0.5 <= D <= 5 and len(p.bath[0].eps) == 4 and np.all(np.abs(p.bath[0].eps) <= D)
        assert 1 <= p.U[0, 1] <= 10 and np.all(np.abs(p.x) <= 1)
        assert p.scale == pytest.approx(D, rel=1e-8)


@pytest.mark.parametrize("name", ["uniform", "sobol"])
def test_uniform_in_the_logarithm_of_beta_and_in_U(name):
    problems = draw(name, 0, beta=(1, 100), U=(0, 6))
    drawn = [problems[i] for i in range(256)]
    assert kstest(np.log([p.beta for p in drawn]) / np.log(100), "uniform").pvalue > 0.01
    assert kstest([p.U[0, 1] / 6 for p in drawn], "uniform").pvalue > 0.01


def nearest_distance(points: np.ndarray) -> float:
    d = np.linalg.norm(points[:, None] - points, axis=-1)
    return float(np.median((d + 1e9 * np.eye(len(d))).min(axis=1)))


def test_furthest_points_keep_apart_and_walks_keep_close():
    def parameters(name):
        problems = draw(name, 5)
        drawn = [problems[i] for i in range(80)]
        return np.stack([sampling.position(p.beta, p.U[0, 1], p.x[0], p.bath[0].eps, p.bath[0].V[:, 0]) for p in drawn])

    uniform, furthest, walk = (parameters(name) for name in ("uniform", "furthest", "walk"))
    assert nearest_distance(furthest) > 1.3 * nearest_distance(uniform)
    step = lambda x: np.median(np.linalg.norm(np.diff(x, axis=0), axis=1))
    assert step(walk) < 0.5 * step(uniform)


def test_couplings_within_bounds():
    bounds = Bounds(V=(0.1, 0.4), n_bath=3)
    V = np.stack([bounds.problem(np.random.default_rng(s).random(bounds.dimension)).bath[0].V for s in range(50)])
    assert V.min() >= 0.1 and V.max() <= 0.4 and V.shape[1] == 3


def test_dmft_problems_are_those_of_loops():
    """Each bath has the weight D²/4 of a Bethe lattice; half of the loops are half filled."""
    problems = generate.sequence("dmft", 1)
    drawn = [problems[i] for i in range(32)]
    assert all(p.scale == pytest.approx(1.0, rel=1e-5) and p.bath is None for p in drawn)
    assert [p.is_particle_hole_symmetric() for p in drawn] == [True] * 8 + [False] * 8 + [True] * 8 + [False] * 8


@pytest.mark.parametrize("bounds, message", [
    ({"beta": (5, 1)}, "the lower one first"),
    ({"beta": (0, 1)}, "two positive numbers"),
    ({"U": (0, np.nan)}, "is no range"),
    ({"bandwidth": 3}, "is no range"),
    ({"V": (0, 0)}, "nothing to learn"),
    ({"n_bath": 9}, "1 to 6 bath sites"),
])  # fmt: skip
def test_impossible_bounds_are_refused(bounds, message):
    with pytest.raises(ValueError, match=message):
        draw("uniform", **bounds)


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="choose one of lecture, uniform, sobol, furthest, walk, dmft"):
        generate.sequence("random")
    with pytest.raises(TypeError, match="temperature"):
        draw("uniform", temperature=(1, 2))
