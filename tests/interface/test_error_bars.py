# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Error bars for analytic continuation, against exact diagonalisation and the spread of independent runs."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from support.published import problem

from triqs_mlsolver import Solver
from triqs_mlsolver.compat import inverse, iOmega_n, n
from triqs_mlsolver.exact.ed import ED
from triqs_mlsolver.exact.segment import SegmentSolver
from triqs_mlsolver.interface import error_bars
from triqs_mlsolver.numerics.significance import TWO_SIDED


def computed(solution):
    return SimpleNamespace(problem=problem(), solution=solution, decision=SimpleNamespace(has_error_bars=True))


TAU = np.linspace(0, 5.0, 21)


@pytest.fixture(scope="module")
def runs():
    return [SegmentSolver(n_cycles=10000, random_seed=seed).solve(problem()) for seed in range(8)]


@pytest.fixture(scope="module")
def exact():
    return ED(n_bath=2).solve(problem())


def scaled_deviations(runs, values, exact_values, errors):
    """(value − exact)/error of each run; mean square one where the error bars are right."""
    return np.array([(np.abs(values(r) - exact_values) / errors(r)).ravel() for r in runs])


def test_of_G_tau(runs, exact):
    diagonal = lambda blocks: np.array([b[:, 0, 0] for b in blocks])
    z = scaled_deviations(
        runs, lambda r: diagonal(r.G_tau(TAU)), diagonal(exact.G_tau(TAU)),
        lambda r: diagonal(error_bars.of_G_tau(computed(r), TAU)),
    )  # fmt: skip
    assert 0.6 < np.sqrt(np.mean(z**2)) < 1.5


def test_of_Sigma(runs, exact):
    diagonal = lambda blocks: np.array([b[:, 0, 0] for b in blocks])
    z = scaled_deviations(
        runs, lambda r: diagonal(r.Sigma_iw(problem(), 6)), diagonal(exact.Sigma_iw(problem(), 6)),
        lambda r: diagonal(error_bars.of_Sigma_iw(computed(r), 6)),
    )  # fmt: skip
    assert 0.5 < np.sqrt(np.mean(z**2)) < 1.5


def test_errors_of_coefficients_are_carried_through_dyson(exact):
    """Where a run left no samples, as after triqs_cthyb: against the spread of Σ under such noise."""
    draw = np.random.default_rng(5)
    sizes = [1e-4 * np.ones_like(g) for g in exact.G_l]
    noisy = [
        replace(exact, G_l=tuple(g + e * draw.standard_normal(g.shape) for g, e in zip(exact.G_l, sizes)))
        for _ in range(400)
    ]
    Sigma = np.array([solution.Sigma_iw(problem(), 4) for solution in noisy])
    found = error_bars.of_Sigma_iw(computed(replace(exact, G_l_error=tuple(sizes))), 4)
    spread = np.sqrt(Sigma.real.var(axis=0) + Sigma.imag.var(axis=0))
    np.testing.assert_allclose(found, spread, rtol=0.15)  # four standard errors of the spread


def test_of_an_exact_answer_without_noise_is_zero(exact):
    assert all(not np.any(e) for e in error_bars.of_G_tau(computed(exact), TAU))
    assert all(not np.any(e) for e in error_bars.of_Sigma_iw(computed(exact), 3))


def test_of_a_model_is_its_bound(exact):
    decision = SimpleNamespace(has_error_bars=False, error_bound=1e-3 * TWO_SIDED, sigma_bound=1e-2 * TWO_SIDED)
    answer = SimpleNamespace(problem=problem(), solution=exact, decision=decision)
    for error in error_bars.of_G_tau(answer, TAU):
        np.testing.assert_allclose(error, 0.001)
    Sigma = exact.Sigma_iw(problem(), 1)
    for s, error in zip(Sigma, error_bars.of_Sigma_iw(answer, 3)):
        np.testing.assert_allclose(error, 0.01 * (np.pi / 5.0 - s[0].imag) * np.ones((3, 1, 1)))


def test_solver_hands_them_out_on_its_meshes():
    S = Solver(5.0, [("up", 1), ("down", 1)], n_iw=50, n_tau=201, database=None, exact="segment", tolerance=0)
    assert S.G_tau_error is None and S.Sigma_iw_error is None
    for _, g0 in S.G0_iw:
        g0 << inverse(iOmega_n + 1.0 - inverse(iOmega_n - 0.3))
    S.solve(h_int=2.0 * n("up", 0) * n("down", 0), n_cycles=3000)
    error = S.G_tau_error["up"].data[:, 0, 0].real
    assert len(error) == len(S.G_tau["up"].mesh) and np.all(error > 0) and error.max() < 0.05
    error = S.Sigma_iw_error["down"].data[:, 0, 0].real
    assert len(error) == 100 and np.all(error > 0)
    np.testing.assert_array_equal(error, error[::-1])
