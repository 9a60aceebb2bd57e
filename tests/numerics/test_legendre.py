# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ive

from triqs_mlsolver.numerics import legendre


def pole_coefficients(beta, energy, n_l):
    """G_l of 1/(iω − ε) in closed form: −√(2l+1) (∓1)^l β i_l(β|ε|/2) / (2 cosh(βε/2)), i_l modified spherical
    Bessel.
    """
    l, z = np.arange(n_l), max(0.5 * beta * abs(energy), 1e-30)
    scaled_bessel = np.sqrt(np.pi / (2 * z)) * ive(l + 0.5, z)
    sign = (-1.0) ** l if energy > 0 else np.ones(n_l)
    return -np.sqrt(2 * l + 1) * sign * beta * scaled_bessel / (1 + np.exp(-2 * z))


def pole_iw(beta, energy, n):
    return 1 / (1j * np.pi * (2 * np.asarray(n) + 1) / beta - energy)


def test_coefficients_of_polynomials():
    beta = 3.0
    tau, _ = legendre.quadrature(beta, 8)
    assert np.allclose(legendre.project(beta, np.ones(8), 4), [beta, 0, 0, 0], atol=1e-13)
    assert np.allclose(legendre.project(beta, tau, 4), [beta**2 / 2, np.sqrt(3) * beta**2 / 6, 0, 0], atol=1e-13)


@pytest.mark.parametrize("beta_energy", [0.01, 1.0, -1.0, 7.0, -60.0, 400.0, 3000.0])
def test_coefficients_of_a_pole(beta_energy):
    beta = 5.0
    found = legendre.from_poles(beta, beta_energy / beta, 1.0)
    assert np.allclose(found, pole_coefficients(beta, beta_energy / beta, len(found)), atol=1e-12 * beta, rtol=0)


@given(st.floats(-2000, 2000), st.floats(0.05, 200))
def test_enough_coefficients_by_default(beta_energy, beta):
    """What is left out lies below the promised precision, whatever the energy."""
    n_l = legendre.n_legendre(abs(beta_energy))
    left_out = pole_coefficients(beta, beta_energy / beta, n_l + 60)[n_l:]
    tau = np.sort(np.random.default_rng(1).uniform(0, beta, 50))
    G = legendre.evaluate(beta, legendre.from_poles(beta, beta_energy / beta, 1.0), np.r_[0.0, tau, beta])
    exact = legendre.fermi_kernel(beta, np.r_[0.0, tau, beta], beta_energy / beta)[:, 0]
    assert np.max(np.abs(left_out)) / beta < 1e-10
    assert np.max(np.abs(G - exact)) < 1e-9


@pytest.mark.parametrize("beta_energy", [0.0, 0.3, -4.0, 80.0, -1500.0])
def test_matsubara_of_a_pole_at_any_sign_of_frequency(beta_energy):
    beta = 12.0
    G_l = legendre.from_poles(beta, beta_energy / beta, 1.0)
    n = np.array([-2000, -31, -2, -1, 0, 1, 30, 1999])
    assert np.allclose(
        legendre.transfer_matrix(n, len(G_l)) @ G_l, pole_iw(beta, beta_energy / beta, n), atol=1e-10 * beta, rtol=0
    )
    positive = legendre.to_matsubara(G_l, 50)
    assert np.allclose(positive, pole_iw(beta, beta_energy / beta, np.arange(50)), atol=1e-10 * beta, rtol=0)


def test_transfer_matrix_is_the_fourier_integral():
    x, w = np.polynomial.legendre.leggauss(200)
    tau = 0.5 * (x + 1)
    for n in (-7, -1, 0, 12):
        for l in (0, 1, 6, 31):
            P = np.polynomial.legendre.Legendre.basis(l)(x)
            integral = 0.5 * np.sum(w * np.exp(1j * np.pi * (2 * n + 1) * tau) * np.sqrt(2 * l + 1) * P)
            assert abs(legendre.transfer_matrix(np.array([n]), l + 1)[0, l] - integral) < 1e-12


def test_sum_rule_is_the_high_frequency_limit():
    beta, energy, weight = 20.0, np.array([-0.7, 0.1, 2.0]), np.array([0.5, 1.5, 0.25])
    G_l = legendre.from_poles(beta, energy, weight)
    start, end = legendre.at_ends(beta, G_l)
    assert abs(start + end + weight.sum()) < 1e-11
    n = 20000
    omega = np.pi * (2 * n + 1) / beta
    tail = legendre.transfer_matrix(np.array([n]), len(G_l))[0] @ G_l * 1j * omega
    assert abs(tail - weight.sum()) < 1e-3


@given(st.integers(1, 3), st.integers(0, 2**31))
def test_round_trip_of_matrices(size, seed):
    rng = np.random.default_rng(seed)
    beta = float(np.exp(rng.uniform(0, 4)))
    coefficients = rng.normal(size=(12, size, size))
    tau, _ = legendre.quadrature(beta, 20)
    values = legendre.evaluate(beta, coefficients, tau)
    assert values.shape == (20, size, size)
    assert np.allclose(legendre.project(beta, values, 12), coefficients, atol=1e-11)
    uniform = np.linspace(0, beta, 33)
    assert np.allclose(
        legendre.on_uniform_mesh(beta, coefficients, 33), legendre.evaluate(beta, coefficients, uniform), atol=1e-12
    )
    ends = legendre.evaluate(beta, coefficients, np.array([0.0, beta]))
    assert np.allclose(legendre.at_ends(beta, coefficients), ends, atol=1e-12)


def test_particle_hole_mirrors_time_and_energy():
    beta, energy, weight = 15.0, np.array([-0.4, 1.3]), np.array([[[1.0, 0.2], [0.2, 0.5]], [[0.3, 0.1], [0.1, 2.0]]])
    G_l = legendre.from_poles(beta, energy, weight)
    tau = np.linspace(0, beta, 17)
    mirrored = legendre.particle_hole(G_l)
    assert np.allclose(legendre.evaluate(beta, mirrored, tau), legendre.evaluate(beta, G_l, beta - tau), atol=1e-12)
    assert np.allclose(mirrored, legendre.from_poles(beta, -energy, weight, len(G_l)), atol=1e-11)
    assert np.array_equal(legendre.particle_hole(mirrored), G_l)


def test_resized_pads_and_cuts():
    a = np.arange(6.0).reshape(3, 2)
    assert np.array_equal(legendre.resized(a, 2), a[:2])
    assert np.array_equal(legendre.resized(a, 5), np.concatenate([a, np.zeros((2, 2))]))


def test_kernel_without_overflow():
    with np.errstate(all="raise", under="ignore"):
        K = legendre.fermi_kernel(1.0, np.array([0.0, 0.5, 1.0]), np.array([-1e6, 0.0, 1e6]))
    assert np.allclose(K, [[0, -0.5, -1], [0, -0.5, 0], [-1, -0.5, 0]], atol=1e-300)


def test_many_coefficients_of_noisy_size():
    """Cached matrices of neighbouring lengths are the same numbers, not those of a longer expansion."""
    for n_l in (31, 32, 33, 64, 65):
        assert np.allclose(
            legendre.to_matsubara(np.eye(n_l), 5), legendre.transfer_matrix(np.arange(5), n_l), atol=0, rtol=1e-14
        )
