# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Levels and hybridisation from tabulated functions, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from triqs_mlsolver.numerics import hybridisation, legendre, pole_fit


def frequencies(beta, n_iw):
    return 1j * (2 * np.arange(-n_iw, n_iw) + 1) * np.pi / beta


def poles(eps, V):
    return lambda z: sum(v**2 / (z - e) for e, v in zip(eps, V))


def semicircle(D, V):
    return lambda z: 2 * V**2 / (z + 1j * np.sign(z.imag) * np.sqrt(D**2 - z**2))


def flat(D, V):
    return lambda z: -(V**2) / (2 * D) * np.log((z - D) / (z + D))


BATHS = {
    "discrete": poles([-0.7, 0.1, 0.5], [0.3, 0.2, 0.3]),
    "one level at zero": poles([0.0], [0.5]),
    "semicircle": semicircle(1.0, 0.5),
    "flat": flat(1.0, 0.2),
    "weak": semicircle(1.0, 1e-3),
}


@pytest.mark.parametrize("bath", BATHS)
@pytest.mark.parametrize("beta, n_iw", [(1.0, 1025), (20.0, 1025), (100.0, 1025), (200.0, 200), (5.0, 2000)])
@pytest.mark.parametrize("level", [-10.0, 0.3, 10.0])
def test_clean_data_are_reproduced_to_rounding(bath, beta, n_iw, level):
    z = frequencies(beta, n_iw)
    Delta = BATHS[bath](z)
    G0 = (1 / (z - level - Delta))[:, None, None]
    h, Delta_l = hybridisation.from_G0(beta, G0, "up")
    assert abs(h[0, 0] - level) < 1e-10
    found = legendre.to_matsubara(Delta_l, n_iw)[:, 0, 0]
    # 1/G0 is known to rounding times the largest frequency
    rounding = 1e-15 * abs(z[-1])
    assert np.max(np.abs(found - Delta[n_iw:])) < 1e-9 * np.max(np.abs(Delta)) + rounding


def test_levels_beyond_the_mesh_of_small_n_iw():
    z = frequencies(20.0, 200)
    Delta = poles([-10.0, 8.0], [3.0, 2.0])(z)
    h, _ = hybridisation.from_G0(20.0, (1 / (z + 10.0 - Delta))[:, None, None])
    assert abs(h[0, 0] + 10.0) < 1e-9


def test_mesh_that_ends_before_the_tail_is_reported(caplog):
    z = frequencies(200.0, 200)
    Delta = poles([-10.0, 8.0], [3.0, 2.0])(z)
    hybridisation.from_G0(200.0, (1 / (z + 10.0 - Delta))[:, None, None], "up")
    assert "Increase n_iw" in caplog.text and "'up'" in caplog.text


def test_isolated_atom_has_no_hybridisation():
    z = frequencies(20.0, 1025)
    h, Delta_l = hybridisation.from_G0(20.0, (1 / (z - 0.3))[:, None, None])
    assert abs(h[0, 0] - 0.3) < 1e-12 and not np.any(Delta_l)


def test_two_orbitals_with_off_diagonal_hybridisation():
    rng = np.random.default_rng(0)
    beta, eps, V = 20.0, np.array([-0.5, 0.1, 0.7]), 0.4 * rng.normal(size=(3, 2))
    weights = V[:, :, None] * V[:, None, :]
    level = np.array([[1.0, 0.3], [0.3, -2.0]])
    z = frequencies(beta, 1025)
    Delta = np.tensordot(1 / (z[:, None] - eps), weights, axes=(1, 0))
    h, Delta_l = hybridisation.from_G0(beta, np.linalg.inv(z[:, None, None] * np.eye(2) - level - Delta))
    np.testing.assert_allclose(h, level, atol=1e-12)
    exact = legendre.from_poles(beta, eps, weights)
    np.testing.assert_allclose(legendre.resized(Delta_l, 60), legendre.resized(exact, 60), atol=1e-11)


@pytest.mark.parametrize("power", [0, 1])
@pytest.mark.parametrize("beta", [10.0, 100.0])
def test_noise_is_averaged_not_amplified(beta, power):
    """Noise of 1e-5, the same at all frequencies or growing with them: h and the low frequencies stay at that level."""
    rng = np.random.default_rng(1)
    n_iw, size = 1025, 1e-5
    z = frequencies(beta, n_iw)
    noise = size * (rng.normal(size=n_iw) + 1j * rng.normal(size=n_iw)) * np.abs(z[n_iw:]) ** power
    Delta = semicircle(1.0, 0.5)(z)
    A = -1.0 + Delta + np.concatenate([noise[::-1].conj(), noise])
    h, Delta_l = hybridisation.from_G0(beta, (1 / (z - A))[:, None, None])
    error = np.abs(legendre.to_matsubara(Delta_l, 20)[:, 0, 0] - Delta[n_iw : n_iw + 20])
    assert abs(h[0, 0] + 1.0) < size
    assert np.max(error) < 200 * size and np.median(error) < 10 * size


def test_noisy_legendre_input_of_a_dmft_loop():
    """Δ = t² G with independent noise on each G_l, as Monte Carlo leaves it."""
    rng = np.random.default_rng(2)
    beta = 20.0
    G_l = legendre.resized(legendre.from_poles(beta, [-0.5, 0.5], np.array([0.5, 0.5])), 40)
    G_l += 1e-3 * rng.normal(size=40)
    t2G = 0.25 * legendre.to_matsubara(G_l, 1025)
    both = np.concatenate([t2G[::-1].conj(), t2G])
    h, Delta_l = hybridisation.from_G0(beta, (1 / (frequencies(beta, 1025) + 1.0 - both))[:, None, None])
    assert abs(h[0, 0] + 1.0) < 1e-4
    assert np.max(np.abs(legendre.resized(Delta_l, 40)[:, 0, 0] - 0.25 * G_l)) < 1e-3


@pytest.mark.parametrize("n_tau", [401, 10001])
def test_from_imaginary_time(n_tau):
    beta, eps, weights = 20.0, np.array([-0.5, 0.1, 0.7]), np.array([[[0.1]], [[0.2]], [[0.05]]])
    tau = np.linspace(0, beta, n_tau)
    values = np.tensordot(legendre.fermi_kernel(beta, tau, eps), weights, axes=(1, 0))
    exact = legendre.from_poles(beta, eps, weights)
    found = hybridisation.from_Delta_tau(beta, values, "up")
    np.testing.assert_allclose(legendre.resized(found, 60), legendre.resized(exact, 60), atol=1e-11)
    noisy = values + 1e-4 * np.random.default_rng(3).normal(size=values.shape)
    found = hybridisation.from_Delta_tau(beta, noisy, "up")
    np.testing.assert_allclose(legendre.resized(found, 60), legendre.resized(exact, 60), atol=2e-3)


def test_pole_fit_without_constant_keeps_the_tail():
    beta = 10.0
    F = poles([-1.5, 0.4], [1.0, 0.5])(frequencies(beta, 300)[300:])
    fit = pole_fit.from_matsubara(beta, F)
    start, end = legendre.at_ends(beta, fit.coefficients)
    assert fit.constant == 0.0
    assert abs(-(start + end) - 1.25) < 1e-11


Z = frequencies(20.0, 300)
COMPLEX_LEVEL = np.array([[1.0, 0.2j], [-0.2j, 0.0]])
BAD_G0 = {
    "unset": (0 * Z, "not set"),
    "NaN": (Z * np.nan, "NaN"),
    "complex constant": (1 / (Z + 0.1j - 0.2), r"Delta\(infinity\) is not real.*'up'.*0\.1"),
    "not Hermitian": (1 / (Z - 0.2) + 0.01j / Z**2, "not Hermitian.*omega ="),
    "negative frequencies unset": (np.concatenate([0 * Z[300:], 1 / Z[300:]]), "negative ones"),
    "wrong tail": (1 / (1.2 * Z - 1), r"does not fall off like 1/\(i omega\)"),
}


@pytest.mark.parametrize("case", BAD_G0)
def test_bad_G0_is_refused(case):
    G0, message = BAD_G0[case]
    with pytest.raises(ValueError, match=message):
        hybridisation.from_G0(20.0, G0[:, None, None], "up")


def test_complex_levels_and_hybridisation_are_refused():
    eye = np.eye(2)
    inverse = Z[:, None, None] * eye - COMPLEX_LEVEL
    with pytest.raises(ValueError, match=r"Delta\(infinity\) is not real.*'up' is 0\.2"):
        hybridisation.from_G0(20.0, np.linalg.inv(inverse), "up")
    v = np.array([0.3, 0.3j])
    Delta = np.outer(v, v.conj()) / (Z[:, None, None] - 0.4)
    with pytest.raises(ValueError, match="hybridisation of block 'up' is complex"):
        hybridisation.from_G0(20.0, np.linalg.inv(Z[:, None, None] * eye - Delta), "up")


def test_bad_Delta_tau_is_refused():
    values = -0.1 * np.ones((101, 2, 2))
    values[:, 0, 1] = 0.05
    with pytest.raises(ValueError, match="not symmetric"):
        hybridisation.from_Delta_tau(1.0, values, "up")
    with pytest.raises(ValueError, match="complex"):
        hybridisation.from_Delta_tau(1.0, -0.1j * np.ones((101, 1, 1)), "up")
    with pytest.raises(ValueError, match="NaN"):
        hybridisation.from_Delta_tau(1.0, np.full((101, 1, 1), np.nan), "up")


def test_small_imaginary_parts_are_dropped_where_the_user_allows_it():
    inverse = Z[:, None, None] * np.eye(2) - COMPLEX_LEVEL
    h, _ = hybridisation.from_G0(20.0, np.linalg.inv(inverse), "up", imag_threshold=0.3)
    np.testing.assert_allclose(h, COMPLEX_LEVEL.real, atol=1e-10)


@pytest.mark.parametrize("norm", [0.988, 0.997, 0.9996, 1 - 1e-4, 1 + 4e-4, 1.003])
@pytest.mark.parametrize("level", [-1.0, 0.3])
def test_a_coefficient_of_the_tail_that_is_not_one_is_named(norm, level):
    """As from a density of states that is not normalised."""
    z = frequencies(20.0, 1025)
    G0 = (norm / (z - level - BATHS["semicircle"](z)))[:, None, None]
    with pytest.raises(
        ValueError, match="does not fall off like" if abs(norm - 1) > 0.01 else rf"c = {norm:.4g}.*normalised"
    ):
        hybridisation.from_G0(20.0, G0, "up")


@pytest.mark.parametrize("norm", [1 - 1e-6, 1 + 1e-7, 1 + 1e-9])
def test_a_coefficient_that_is_one_within_rounding_is_taken_for_one(norm):
    z = frequencies(20.0, 1025)
    Delta = BATHS["semicircle"](z)
    h, Delta_l = hybridisation.from_G0(20.0, (norm / (z - 0.3 - Delta))[:, None, None])
    assert abs(h[0, 0] - 0.3) < 3 * abs(norm - 1)
    assert np.max(np.abs(legendre.to_matsubara(Delta_l, 100)[:, 0, 0] - Delta[1025:1125])) < 3 * abs(norm - 1) + 1e-9


def test_the_coefficient_of_a_matrix_is_one_as_a_matrix():
    z = frequencies(10.0, 1025)[:, None, None]
    h = np.array([[-1.0, 0.2], [0.2, -1.3]])
    G0 = np.linalg.inv(z * np.eye(2) - h - 0.25 / (z - 0.3) * np.ones((2, 2)))
    with pytest.raises(ValueError, match=r"element \(0, 0\)"):
        hybridisation.from_G0(10.0, np.array([[0.999, 1.0], [1.0, 1.0]]) * G0, "up")


def test_imaginary_parts_that_are_dropped_are_said(caplog):
    caplog.set_level("INFO", "triqs_mlsolver")
    z = frequencies(10.0, 400)[:, None, None]
    complex_levels = lambda size: np.linalg.inv(
        z * np.eye(2) - np.array([[-1, 1j * size], [-1j * size, -1]]) - 0.25 / z * np.eye(2)
    )
    hybridisation.from_G0(10.0, complex_levels(0.1), "up", imag_threshold=1.0)
    assert "up to 0.1 are dropped" in caplog.text and caplog.records[-1].levelname == "WARNING"
    caplog.clear()
    hybridisation.from_G0(10.0, complex_levels(1e-9), "up")
    assert "up to 1e-09 are taken for rounding" in caplog.text and caplog.records[-1].levelname == "INFO"
    caplog.clear()
    hybridisation.from_G0(10.0, complex_levels(0.0), "up", imag_threshold=1.0)
    assert caplog.text == ""
