# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""SIAM_Discrete_Bath of the TRIQS/benchmarks collection: our solvers against the results published there.

β = 5, μ = 2, U = 5, field h = 0.2 coupling as −h (n↑ − n↓), bath levels 0 and 4 with couplings 2 and 5. The collection
holds G(iω) of several solvers; those of its exact diagonalisations (pyed, pomerol, atomdiag) agree to 1e-8.
"""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest
from support.published import DENSITY, problem, published_G, published_Sigma

from triqs_mlsolver.exact.ed import ED
from triqs_mlsolver.exact.segment import SegmentSolver


@pytest.fixture(scope="module")
def exact():
    return ED(n_bath=2).solve(problem())


@pytest.fixture(scope="module")
def sampled():
    return SegmentSolver(n_cycles=100000, random_seed=3).solve(problem())


def test_exact_diagonalisation_repeats_the_published_result(exact):
    G = np.array([g[:, 0, 0] for g in exact.G_iw(4)])
    np.testing.assert_allclose(G, published_G(), atol=2e-8)


def test_segment_solver_agrees_with_the_published_G(sampled):
    z = sampled.statistics["G_iw"][:, :4] - published_G()
    error = sampled.statistics["G_iw_error"][:, :4]
    assert np.max(np.abs(z.real) / error.real) < 4 and np.max(np.abs(z.imag) / error.imag) < 4
    assert np.max(np.abs(error)) < 1e-3


def test_segment_solver_agrees_with_the_published_Sigma(sampled):
    z = sampled.statistics["Sigma_iw"][:, :4] - published_Sigma()
    error = sampled.statistics["Sigma_iw_error"][:, :4]
    assert np.max(np.abs(z.real) / error.real) < 4 and np.max(np.abs(z.imag) / error.imag) < 4
    assert np.max(np.abs(error)) < 0.1


def test_densities(sampled, exact):
    np.testing.assert_allclose(exact.density, DENSITY, atol=1e-7)
    assert np.max(np.abs(sampled.nn - exact.nn) / sampled.nn_error) < 4


@pytest.mark.skipif(find_spec("triqs_cthyb") is None, reason="triqs_cthyb is not installed")
def test_cthyb_adapter_agrees_with_the_published_G():
    from triqs_mlsolver.exact.cthyb.solver import CthybSolver

    found = CthybSolver(n_cycles=80000, length_cycle=30, n_warmup_cycles=1000, random_seed=9).solve(problem())
    G = np.array([g[:, 0, 0] for g in found.G_iw(4)])
    assert np.max(np.abs(G - published_G())) < 2e-3
