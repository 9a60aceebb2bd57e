# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triqs_mlsolver import Problem
from triqs_mlsolver.exact.ed import ED
from triqs_mlsolver.numerics import dlr
from triqs_mlsolver.numerics.physical import nearest_self_energy


def on_grid(problem):
    grid = dlr.grid(problem.beta * problem.largest_energy)
    return grid, 1j * grid.omega[grid.n >= 0] / problem.beta, grid.n[grid.n >= 0]


def fitted(problem, flavour, G, first, static, **options):
    grid, iw, n = on_grid(problem)
    inverse = iw - problem.levels[flavour] - grid.iw_of_legendre(problem.delta_l(flavour))[grid.n >= 0]
    return nearest_self_energy(
        iw, G, inverse, static, first, beta=problem.beta, reach=problem.largest_energy, **options
    ), inverse


@pytest.mark.parametrize("seed", range(6))
def test_recovers_the_exact_self_energy(seed, draw):
    """Given the exact G, the fit returns G and Σ of the exact diagonalisation."""
    problem = draw(np.random.default_rng([21, seed]), 3)
    solution = ED().solve(problem)
    grid, iw, _ = on_grid(problem)
    for i in range(2):
        G = grid.iw_of_legendre(solution.G_l[i][:, 0, 0])[grid.n >= 0]
        found, inverse = fitted(problem, i, G, solution.Sigma_1[i][0, 0], solution.Sigma_infty[i][0, 0])
        Sigma = inverse - 1 / G
        assert np.max(np.abs(1 / (inverse - found(iw)) - G)) < 1e-5 * problem.beta
        reference = np.abs(iw - Sigma + solution.Sigma_infty[i][0, 0])
        assert np.max(np.abs(found(iw) - Sigma)[:3] / reference[:3]) < 2e-3


def test_recovers_the_atom():
    """Σ₁/(iω − ε) with one pole at μ-shifted zero: the grid contains zero, so half filling is exact."""
    p = Problem.siam(20.0, 2.0, 1.0, [-0.3, 0.3], [0.2, 0.2])
    grid, iw, _ = on_grid(p)
    Sigma = 1.0 + 1.0 / iw
    inverse = iw + 1.0 - grid.iw_of_legendre(p.delta_l(0))[grid.n >= 0]
    found, _ = fitted(p, 0, 1 / (inverse - Sigma), 1.0, 1.0, symmetric=True)
    assert np.max(np.abs(found(iw) - Sigma) / np.abs(Sigma)) < 1e-6


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.floats(0, 30), st.floats(-5, 5), st.floats(-0.5, 6), st.booleans())
def test_always_causal_and_sum_rule(seed, size, static, first, symmetric):
    """Whatever is asked for (noise, acausal G, wrong moments, negative Σ₁), Im Σ ≤ 0 everywhere and Σ_k a_k = Σ₁
    to rounding.
    """
    rng = np.random.default_rng(seed)
    beta = float(np.exp(rng.uniform(0, np.log(100))))
    p = Problem.siam(beta, 3.0, 1.2, rng.uniform(-1, 1, 2), rng.uniform(0.1, 0.5, 2))
    grid, iw, n = on_grid(p)
    noise = size * (rng.normal(size=len(iw)) + 1j * rng.normal(size=len(iw)))
    inverse = iw - p.levels[0] - grid.iw_of_legendre(p.delta_l(0))[grid.n >= 0]
    G = 1 / inverse + noise / (1 + np.arange(len(iw)))
    found, _ = fitted(p, 0, G, first, static, symmetric=symmetric)
    assert np.all(found.weight >= 0)
    assert found.weight.sum() == pytest.approx(max(first, 0.0), rel=1e-10, abs=1e-300)
    assert found.static == static
    assert np.all(np.abs(found.energy) <= p.largest_energy * (1 + 1e-12))
    every = 1j * np.pi * (2 * np.arange(2000) + 1) / beta
    assert np.all(found(every).imag <= 0)
    if symmetric:
        assert np.max(np.abs(found(every).real - static)) < 1e-9 * max(1, first)
    # spectral sum rule of G from Dyson: at high frequency iω G → 1, whatever the fit did
    far = np.array([1e7j])
    Delta = np.sum(p.bath[0].V[:, 0] ** 2 / (far - p.bath[0].eps))
    G_far = 1 / (far - p.levels[0] - Delta - found(far))
    assert abs(far[0] * G_far[0] - 1) < 1e-5


def test_fit_moves_little_where_noise_is_small(draw):
    """The distance to the fitted G is of the size of the noise, not larger by an order of magnitude."""
    problem = draw(np.random.default_rng(5), 3, beta=20.0)
    solution = ED().solve(problem)
    grid, iw, _ = on_grid(problem)
    exact = grid.iw_of_legendre(solution.G_l[0][:, 0, 0])[grid.n >= 0]
    rng = np.random.default_rng(0)
    for size in (1e-3, 1e-2):
        noise = size * (rng.normal(size=len(iw)) + 1j * rng.normal(size=len(iw)))
        found, inverse = fitted(problem, 0, exact + noise, solution.Sigma_1[0][0, 0], solution.Sigma_infty[0][0, 0])
        G = 1 / (inverse - found(iw))
        assert np.max(np.abs(G - exact)) < 5 * size + 1e-3


def test_no_correlation_no_poles():
    found = nearest_self_energy(
        1j * np.array([1.0, 3.0]), np.array([-0.5j, -0.2j]), np.array([1j, 3j]), 0.7, 0.0, beta=3.0, reach=4.0
    )
    assert np.array_equal(found(np.array([1j, 1e9j])), [0.7, 0.7])
