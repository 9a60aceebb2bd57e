# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
import numpy as np
import pytest

from triqs_mlsolver.lattice.bethe import semicircle
from triqs_mlsolver.numerics import legendre
from triqs_mlsolver.numerics.bath import fit_bath, log_grid, projected_bath


def delta_tau(beta, eps, V, tau):
    return legendre.fermi_kernel(beta, tau, np.asarray(eps)) @ np.asarray(V) ** 2


@pytest.mark.parametrize("n_bath", [1, 2, 3, 4])
@pytest.mark.parametrize("beta", [5.0, 50.0])
def test_recovers_a_discrete_bath(n_bath, beta):
    """Δ(τ) of a bath with that many sites comes back; levels too, where they are well apart at this temperature."""
    tau = np.linspace(0, beta, 301)
    for seed in range(4):
        rng = np.random.default_rng([n_bath, seed])
        eps = np.linspace(-0.9, 0.8, n_bath) + rng.uniform(-0.1, 0.1, n_bath) if n_bath > 1 else rng.uniform(-1, 1, 1)
        V = rng.uniform(0.2, 0.4, n_bath)
        found_eps, found_V, residual = fit_bath(beta, legendre.from_poles(beta, eps, V**2), n_bath, reach=3.0)
        deviation = np.max(np.abs(delta_tau(beta, found_eps, found_V, tau) - delta_tau(beta, eps, V, tau))) / np.sum(
            V**2
        )
        assert deviation < 1e-6
        assert residual < 1e-6
        if beta > 10:
            assert np.allclose(found_eps, eps, atol=1e-3) and np.allclose(found_V, V, atol=1e-3)


@pytest.mark.parametrize("n_bath", [2, 3, 4, 5])
def test_recovers_a_symmetric_bath_symmetrically(n_bath):
    beta, half = 20.0, np.array([0.3, 0.9])[: n_bath // 2]
    v = np.array([0.25, 0.4])[: n_bath // 2]
    eps = np.concatenate([-half, half, np.zeros(n_bath % 2)])
    V = np.concatenate([v, v, np.full(n_bath % 2, 0.2)])
    found, strength, residual = fit_bath(beta, legendre.from_poles(beta, eps, V**2), n_bath, reach=2.0, symmetric=True)
    order = np.argsort(found)
    assert np.array_equal(found[order], np.sort(found)) and np.allclose(found, -found[::-1], atol=0)
    assert np.allclose(strength**2, strength[::-1] ** 2, atol=1e-15)
    assert residual < 1e-6 and np.allclose(np.sort(found), np.sort(eps), atol=1e-4)


@pytest.mark.parametrize("n_bath", [1, 2, 3, 5])
@pytest.mark.parametrize("symmetric", [True, False])
def test_residual_is_honest(n_bath, symmetric):
    """The residual is what an independent fine mesh says it is, for a bath that no few sites can represent."""
    beta, tau = 30.0, np.linspace(0, 30.0, 2001)
    Delta_l = 0.25 * semicircle(beta)
    eps, V, residual = fit_bath(beta, Delta_l, n_bath, reach=2.0, symmetric=symmetric)
    true = np.max(np.abs(delta_tau(beta, eps, V, tau) - legendre.evaluate(beta, Delta_l, tau))) / 0.25
    assert true <= 1.05 * residual + 1e-12 and residual <= true * 1.05 + 1e-12
    assert residual > 1e-5


def test_more_sites_fit_better():
    beta = 30.0
    Delta_l = 0.25 * semicircle(beta)
    residuals = [fit_bath(beta, Delta_l, n, reach=2.0, symmetric=True)[2] for n in (1, 3, 5)]
    assert residuals[0] > 3 * residuals[1] > 9 * residuals[2]


def test_same_problem_in_another_unit_gets_the_same_fit():
    beta, unit = 20.0, 7.0
    Delta_l = legendre.from_poles(beta, [-0.5, 0.1, 0.7, 0.9], np.array([0.1, 0.02, 0.08, 0.05]))
    eps, V, residual = fit_bath(beta, Delta_l, 2, reach=2.0)
    # Δ has the dimension of an energy, and so have its coefficients times energy over energy
    eps2, V2, residual2 = fit_bath(beta / unit, Delta_l * unit, 2, reach=2.0 * unit)
    assert np.allclose(eps2, unit * eps, rtol=1e-5) and np.allclose(V2, unit * V, rtol=1e-5)
    assert abs(residual2 - residual) < 1e-6


def test_mirrored_problem_gets_the_mirrored_fit():
    """A fit that did not respect the particle-hole map would leak into every feature built on it."""
    beta = 20.0
    rng = np.random.default_rng(5)
    for _ in range(8):
        eps, w = rng.uniform(-1, 1, 4), rng.uniform(0.02, 0.1, 4)
        for n_bath in (1, 2, 3):
            a = fit_bath(beta, legendre.from_poles(beta, eps, w), n_bath, reach=2.0)
            b = fit_bath(beta, legendre.from_poles(beta, -eps, w), n_bath, reach=2.0)
            assert np.allclose(b[0][::-1], -a[0], atol=1e-5), n_bath
            assert np.allclose(b[1][::-1], a[1], atol=1e-5)


def test_no_hybridisation_no_coupling():
    eps, V, residual = fit_bath(10.0, np.zeros(20), 2, reach=1.0)
    assert np.all(V == 0) and residual == 0 and len(eps) == 2


def test_refuses_no_site():
    with pytest.raises(ValueError, match="n_bath = 0.*at least one"):
        fit_bath(10.0, np.zeros(20), 0, reach=1.0)


# -- projection
# ----------------------------------------------------------------------------------------------------------------


def delta_iw(beta, eps, V, n_iw=64):
    iw = 1j * np.pi * (2 * np.arange(n_iw) + 1) / beta
    return iw, np.sum(np.asarray(V) ** 2 / (iw[:, None] - np.asarray(eps)), axis=1)


def smooth_filters(n, n_iw=64):
    k = np.arange(n_iw)[:, None]
    return (2 * k + 1) * np.exp(-k / np.array([0.5, 4.0, 20.0])[:n])


@pytest.mark.parametrize("n_bath", [1, 2, 3])
def test_projection_returns_a_bath_of_that_size(n_bath):
    eps, V = np.array([-0.7, 0.1, 0.6])[:n_bath], np.array([0.3, 0.2, 0.4])[:n_bath]
    _, Delta = delta_iw(20.0, eps, V)
    found, strength = projected_bath(20.0, Delta, smooth_filters(n_bath))
    assert np.allclose(found, eps, atol=1e-7) and np.allclose(strength, V, atol=1e-7)


def test_filters_of_one_frequency_interpolate():
    rng = np.random.default_rng(3)
    iw, Delta = delta_iw(20.0, rng.uniform(-1, 1, 9), rng.uniform(0.1, 0.3, 9))
    for chosen in ([0], [0, 3], [0, 2, 7]):
        eps, V = projected_bath(20.0, Delta, np.eye(64)[:, chosen])
        assert np.allclose(np.sum(V**2 / (iw[chosen, None] - eps), axis=1), Delta[chosen], atol=1e-10)


def test_projected_levels_lie_in_the_band_and_follow_the_mirror_image():
    rng = np.random.default_rng(4)
    for _ in range(20):
        eps, V = rng.uniform(-1, 1, 6), rng.uniform(0.1, 0.3, 6)
        for n in (1, 2, 3):
            found, strength = projected_bath(30.0, delta_iw(30.0, eps, V)[1], smooth_filters(n))
            assert eps.min() <= found.min() and found.max() <= eps.max() and np.sum(strength**2) <= np.sum(V**2)
            mirrored, same = projected_bath(30.0, delta_iw(30.0, -eps, V)[1], smooth_filters(n))
            assert np.allclose(mirrored[::-1], -found, atol=1e-9) and np.allclose(same[::-1], strength, atol=1e-9)


def test_projection_leaves_out_sites_that_are_not_there():
    eps, V = projected_bath(20.0, delta_iw(20.0, [0.2], [0.5])[1], smooth_filters(3))
    assert eps == pytest.approx([0.2]) and V == pytest.approx([0.5])
    assert projected_bath(20.0, np.zeros(64, complex), smooth_filters(2))[0].size == 0


def test_log_grid_is_symmetric():
    grid = log_grid(0.01, 2.0, 21)
    assert len(grid) == 21 and np.array_equal(grid, -grid[::-1]) and grid[10] == 0 and np.all(np.diff(grid) > 0)
    assert grid[-1] == pytest.approx(2.0) and grid[11] == pytest.approx(0.01)
