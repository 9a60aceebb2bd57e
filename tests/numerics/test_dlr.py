# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
import numpy as np
import pytest

from triqs_mlsolver.numerics import dlr, legendre

CUTOFFS = [10.0, 80.0, 640.0, 5120.0]


def random_poles(cutoff, seed, n=7):
    """Energies (in units of 1/β) spread over all scales up to the cutoff, both signs, the edge included; weights
    ≥ 0.
    """
    rng = np.random.default_rng(seed)
    energy = rng.choice([-1, 1], n) * cutoff * 10.0 ** rng.uniform(-3, 0, n)
    energy[0], energy[1] = cutoff, -cutoff
    weight = rng.uniform(0, 1, n)
    return energy, weight / weight.sum()


@pytest.fixture(scope="module", params=CUTOFFS)
def case(request):
    grid = dlr.grid(request.param)
    beta = 7.3
    energy, weight = random_poles(request.param, 3)
    tau = legendre.fermi_kernel(1.0, grid.tau, energy) @ weight
    iw = beta * (1 / (1j * grid.omega[:, None] - energy)) @ weight
    return grid, beta, energy, weight, tau, iw


def test_grid_covers_the_energies_asked_for():
    for asked in (0.0, 1.0, 9.9, 10.0, 10.1, 300.0):
        assert dlr.grid(asked).cutoff >= asked
    assert dlr.grid(11.0) is dlr.grid(19.0)


def test_nodes(case):
    grid = case[0]
    assert np.all(np.diff(grid.tau) > 0) and grid.tau[0] >= 0 and grid.tau[-1] <= 1
    assert np.array_equal(grid.n, -grid.n[::-1] - 1) and len(np.unique(grid.n)) == len(grid.n)
    assert 2 * np.sum(grid.n >= 0) == len(grid.n)


def test_tau_to_iw_and_back(case):
    grid, beta, _, _, tau, iw = case
    assert np.max(np.abs(grid.to_iw(beta, tau) - iw)) < 1e-9 * beta
    assert np.max(np.abs(grid.to_tau(beta, iw) - tau)) < 1e-9


def test_trailing_axes_are_carried(case):
    grid, beta, _, _, tau, iw = case
    both = np.stack([tau, 2 * tau], axis=1)
    assert np.max(np.abs(grid.to_iw(beta, both) - np.stack([iw, 2 * iw], axis=1))) < 2e-9 * beta


def test_density_from_frequencies(case):
    grid, beta, energy, weight, _, iw = case
    filled = weight @ (1 / (np.exp(np.clip(energy, -700, 700)) + 1))
    assert abs(-np.real(grid.end_from_iw @ iw) / beta - filled) < 1e-9


def test_reflection(case):
    grid, _, energy, weight, tau, _ = case
    assert np.max(np.abs(grid.reflect(tau) - legendre.fermi_kernel(1.0, 1 - grid.tau, energy) @ weight)) < 1e-9


def test_legendre_from_tau_and_back(case):
    grid, beta, energy, weight, tau, iw = case
    exact = legendre.from_poles(beta, energy / beta, weight)
    found = grid.to_legendre(beta, tau, len(exact))
    assert np.max(np.abs(found - exact)) < 1e-9 * beta
    assert np.max(np.abs(grid.tau_of_legendre(beta, exact) - tau)) < 1e-9
    assert np.max(np.abs(grid.iw_of_legendre(exact) - iw)) < 1e-9 * beta


def test_products_stay_on_the_grid():
    """A second-order self-energy has three times the energies of g: a grid for those represents the product."""
    beta, grid = 1.0, dlr.grid(30.0)
    energy, weight = np.array([-10.0, 2.0, 10.0]), np.array([0.3, 0.3, 0.4])
    g = legendre.fermi_kernel(beta, grid.tau, energy) @ weight
    product = g**2 * grid.reflect(g)
    f = 1 / (1 + np.exp(energy))
    a, b, c = np.meshgrid(*[np.arange(3)] * 3, indexing="ij")
    w = weight[a] * weight[b] * weight[c] * ((1 - f[a]) * (1 - f[b]) * f[c] + f[a] * f[b] * (1 - f[c]))
    E = energy[a] + energy[b] - energy[c]
    exact = np.sum(w[..., None] / (1j * grid.omega - E[..., None]), axis=(0, 1, 2))
    assert np.max(np.abs(grid.to_iw(beta, product) - exact)) < 1e-9


def test_grids_of_one_cutoff_are_the_same():
    """Matrices are kept by what a grid is, not by where it lies in memory."""
    one, other, wider = dlr.Grid(40.0), dlr.Grid(40.0), dlr.Grid(80.0)
    assert one == other and hash(one) == hash(other) and one != wider
    for n in (16, 24):
        assert one.quadrature_from_tau(n) is other.quadrature_from_tau(n)
        assert wider.quadrature_from_tau(n).shape == (n, len(wider.tau))
