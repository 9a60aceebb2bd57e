# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Functions of Green's functions under either provider, against those of known poles."""

from __future__ import annotations

import numpy as np
import pytest

from triqs_mlsolver import compat
from triqs_mlsolver.compat import (
    BlockGf,
    Flat,
    Gf,
    MatsubaraToLegendre,
    MeshImFreq,
    MeshImTime,
    MeshLegendre,
    MeshReFreq,
    SemiCircular,
    conjugate,
    delta,
    dyson,
    enforce_discontinuity,
    fit_hermitian_tail,
    fit_hermitian_tail_on_window,
    fit_tail,
    inverse,
    iOmega_n,
    is_gf_hermitian,
    is_gf_real_in_tau,
    make_gf_from_fourier,
    make_hermitian,
    make_real_in_tau,
    make_zero_tail,
    map_block,
    rebinning_tau,
    replace_by_tail,
    transpose,
)  # fmt: skip
from triqs_mlsolver.numerics import legendre

BETA = 10.0
H = np.array([[0.5, 0.2 + 0.1j], [0.2 - 0.1j, -0.7]])
ENERGIES, STATES = np.linalg.eigh(H)
embedded_only = pytest.mark.skipif(compat.HAS_TRIQS, reason="TRIQS has messages of its own")


@pytest.fixture
def G():
    g = Gf(mesh=MeshImFreq(BETA, "Fermion", 200), target_shape=[2, 2])
    g << inverse(iOmega_n - H)
    return g


@pytest.fixture
def noisy(G):
    rng = np.random.default_rng(1)
    g = G.copy()
    g.data[...] += 1e-3 * (rng.normal(size=g.data.shape) + 1j * rng.normal(size=g.data.shape))
    return g


def omega(mesh):
    return np.array([complex(w) for w in mesh])


def at_times(tau):
    """G(τ) of H."""
    projectors = np.einsum("ak,bk->kab", STATES, STATES.conj())
    return np.tensordot(legendre.fermi_kernel(BETA, tau, ENERGIES), projectors, axes=(1, 0))


# -- moments -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fit", [fit_tail, fit_hermitian_tail])
def test_moments_are_powers_of_the_hamiltonian(G, fit):
    tail, error = fit(G)
    for found, exact, accuracy in zip(tail, (0 * H, np.eye(2), H, H @ H), (1e-11, 1e-9, 1e-7, 1e-5)):
        np.testing.assert_allclose(found, exact, atol=accuracy)
    assert error < 1e-11
    known, _ = fit(G, np.array([0 * H, np.eye(2)]))
    np.testing.assert_array_equal(known[1], np.eye(2))
    np.testing.assert_allclose(known[2], H, atol=1e-8)


def test_hermitian_moments_of_noisy_data_are_hermitian(noisy):
    tail, error = fit_hermitian_tail(noisy, np.array([0 * H, np.eye(2)], complex))
    np.testing.assert_array_equal(tail, tail.conj().swapaxes(1, 2))
    assert 5e-4 < error < 3e-3


def test_moments_from_a_window(G):
    tail, _ = fit_hermitian_tail_on_window(
        G, n_min=50, n_max=150, known_moments=np.array([0 * H, np.eye(2)], complex), n_tail_max=100, expansion_order=6
    )
    assert len(tail) == 7
    np.testing.assert_allclose(tail[2], H, atol=1e-6)


def test_moments_of_blocks_and_of_scalars(G):
    scalar = Gf(mesh=G.mesh, target_shape=[])
    scalar << inverse(iOmega_n - 0.3)
    np.testing.assert_allclose(fit_hermitian_tail(scalar)[0][:3], [0, 1, 0.3], atol=1e-7)
    tails, error = fit_hermitian_tail(BlockGf(name_list=["a", "b"], block_list=[G, 2 * G]))
    np.testing.assert_allclose(tails[1][1], 2 * np.eye(2), atol=1e-8)
    assert error < 1e-10 and make_zero_tail(G, 4).shape == (4, 2, 2)


def test_tails_replace_what_is_noise(noisy, G):
    moments = np.array([np.linalg.matrix_power(H, k - 1) if k else 0 * H for k in range(10)])
    replace_by_tail(noisy, moments, n_min=40)
    n = np.arange(-200, 200)
    high = (n >= 40) | (n < -40)
    np.testing.assert_allclose(noisy.data[high], G.data[high], atol=1e-12)
    assert np.abs(noisy.data[~high] - G.data[~high]).max() > 1e-3


# -- symmetries --------------------------------------------------------------------------------------------------------


def test_hermiticity(G, noisy):
    assert is_gf_hermitian(G) and not is_gf_hermitian(noisy) and is_gf_hermitian(noisy, 0.1)
    np.testing.assert_allclose(
        make_hermitian(noisy).data, 0.5 * (noisy.data + noisy.data[::-1].conj().swapaxes(1, 2)), atol=1e-15
    )
    assert is_gf_hermitian(make_hermitian(noisy)) and G.is_gf_hermitian()
    blocks = BlockGf(name_list=["a", "b"], block_list=[G, noisy])
    assert not is_gf_hermitian(blocks) and is_gf_hermitian(make_hermitian(blocks))


def test_reality_in_time(G):
    assert not is_gf_real_in_tau(G)
    assert is_gf_real_in_tau(make_real_in_tau(G))
    exact = Gf(mesh=G.mesh, target_shape=[2, 2])
    exact << 0.5 * inverse(iOmega_n - H) + 0.5 * inverse(iOmega_n - H.conj())
    np.testing.assert_allclose(make_real_in_tau(G).data, exact.data, atol=1e-13)


# -- equations ---------------------------------------------------------------------------------------------------------


def test_hybridisation_without_the_level():
    mesh = MeshImFreq(BETA, "Fermion", 200)
    G0, bath = Gf(mesh=mesh, target_shape=[1, 1]), Gf(mesh=mesh, target_shape=[1, 1])
    bath << 0.25 * inverse(iOmega_n - 0.4)
    G0 << inverse(iOmega_n + 0.3 - bath)
    np.testing.assert_allclose(delta(G0).data, bath.data, atol=1e-9)
    blocks = delta(BlockGf(name_list=["a"], block_list=[G0]))
    np.testing.assert_allclose(blocks["a"].data, bath.data, atol=1e-9)


def test_dysons_equation_all_ways_round(G):
    Sigma = G.copy()
    Sigma << 0.5 * inverse(iOmega_n - 1.0)
    full = dyson(G0_iw=G, Sigma_iw=Sigma)
    z = omega(G.mesh)[:, None, None] * np.eye(2)
    np.testing.assert_allclose(full.data, np.linalg.inv(z - H - Sigma.data), atol=1e-12)
    np.testing.assert_allclose(dyson(G0_iw=G, G_iw=full).data, Sigma.data, atol=1e-10)
    np.testing.assert_allclose(dyson(Sigma_iw=Sigma, G_iw=full).data, G.data, atol=1e-10)
    with pytest.raises(ValueError):
        dyson(G_iw=full)


def test_maps_over_blocks(G):
    blocks = BlockGf(name_list=["a", "b"], block_list=[G, 3 * G])
    np.testing.assert_allclose(map_block(lambda g: 2 * g, blocks)["b"].data, 6 * G.data)
    assert map_block(lambda g: g.data.shape, blocks) == [(400, 2, 2)] * 2


def test_transposes_and_conjugates(G):
    np.testing.assert_array_equal(transpose(G).data, G.data.swapaxes(1, 2))
    np.testing.assert_array_equal(conjugate(G).data, G.data.conj())


def test_density_is_not_transposed(G):
    """As in TRIQS: −G(β⁻), which is f(H)."""
    fermi = (STATES / (1 + np.exp(BETA * ENERGIES))) @ STATES.conj().T
    np.testing.assert_allclose(G.density(), fermi, atol=1e-6)


# -- transforms --------------------------------------------------------------------------------------------------------


def test_fourier_transform_of_poles(G):
    g_tau = make_gf_from_fourier(G)
    assert isinstance(g_tau.mesh, MeshImTime) and len(g_tau.mesh) == 1201
    np.testing.assert_allclose(g_tau.data, at_times(np.linspace(0, BETA, 1201)), atol=1e-6)
    back = make_gf_from_fourier(g_tau)
    assert len(back.mesh) == 400
    np.testing.assert_allclose(back.data, G.data, atol=1e-6)
    other = make_gf_from_fourier(G, MeshImTime(BETA, "Fermion", 2001), np.array([0 * H, np.eye(2)], complex))
    np.testing.assert_allclose(other.data[1000], at_times([BETA / 2])[0], atol=1e-7)
    assert len(make_gf_from_fourier(G, 801).mesh) == 801


def test_legendre_coefficients_of_poles(G):
    g_l = Gf(mesh=MeshLegendre(BETA, "Fermion", 30), target_shape=[2, 2])
    g_l << MatsubaraToLegendre(G)
    projectors = np.einsum("ak,bk->kab", STATES, STATES.conj())
    np.testing.assert_allclose(g_l.data, legendre.from_poles(BETA, ENERGIES, projectors, 30), atol=2e-4)


def test_a_discontinuity_is_enforced(G):
    g_l = Gf(mesh=MeshLegendre(BETA, "Fermion", 30), target_shape=[2, 2])
    g_l << MatsubaraToLegendre(G)
    before = g_l.data.copy()
    enforce_discontinuity(g_l, np.array([[1.5, 0.0], [0.0, 0.5]]))
    begin, end = legendre.at_ends(BETA, g_l.data)
    np.testing.assert_allclose(-begin - end, [[1.5, 0], [0, 0.5]], atol=1e-12)
    np.testing.assert_array_equal(g_l.data[1::2], before[1::2])  # odd polynomials have none


def test_rebinning_averages_neighbours():
    g = Gf(mesh=MeshImTime(BETA, "Fermion", 1001), target_shape=[1, 1])
    g.data[:, 0, 0] = np.linspace(-1, 0, 1001)
    coarse = rebinning_tau(g, 11)
    assert len(coarse.mesh) == 11
    np.testing.assert_allclose(coarse.data[1:-1, 0, 0].real, np.linspace(-1, 0, 11)[1:-1], atol=6e-4)
    np.testing.assert_allclose(coarse.data[0, 0, 0], g.data[:51].mean(), atol=6e-4)


# -- real frequencies --------------------------------------------------------------------------------------------------


def test_real_frequencies_and_their_bands():
    mesh = MeshReFreq(-3.0, 3.0, 601)
    w = np.linspace(-3, 3, 601)
    assert len(mesh) == 601 and [float(x.real) for x in mesh][:2] == pytest.approx([-3.0, -2.99])
    g = Gf(mesh=mesh, target_shape=[1, 1])
    g << SemiCircular(2.0)
    inside = np.abs(w) < 2
    np.testing.assert_allclose(g.data[:, 0, 0].imag[inside], -0.5 * np.sqrt(4 - w[inside] ** 2), atol=1e-7)
    np.testing.assert_allclose(
        g.data[~inside, 0, 0], 2 / (w + np.sign(w) * np.sqrt(np.abs(w**2 - 4)))[~inside], atol=1e-7
    )
    assert np.real(g.density()[0, 0]) == pytest.approx(0.5, abs=1e-4)
    g << Flat(1.505)
    inside = np.abs(w) < 1.505
    exact = np.log(np.abs((w + 1.505) / (w - 1.505))) / 3.01 - 1j * np.pi / 3.01 * inside
    np.testing.assert_allclose(g.data[:, 0, 0], exact, atol=1e-12)
    g << inverse(iOmega_n - 0.5 + 0.1j)
    np.testing.assert_allclose(g.data[:, 0, 0], 1 / (w - 0.5 + 0.1j), atol=1e-13)
    assert MeshReFreq((-3.0, 3.0), 601) == mesh and MeshReFreq(-3.0, 3.0, 600) != mesh


# -- mistakes ----------------------------------------------------------------------------------------------------------


@embedded_only
def test_functions_on_different_meshes_do_not_mix(G):
    other = Gf(mesh=MeshImFreq(BETA + 1, "Fermion", 200), target_shape=[2, 2])
    with pytest.raises(ValueError, match="different meshes"):
        G + other


@embedded_only
def test_mistakes_are_explained(G, noisy):
    with pytest.raises(ValueError, match="make_hermitian"):
        delta(noisy)
    with pytest.raises(ValueError, match="two of G0_iw"):
        dyson(G_iw=G)
    with pytest.raises(TypeError, match="MeshImFreq"):
        fit_tail(make_gf_from_fourier(G))
    with pytest.raises(ValueError, match="too few"):
        fit_tail(Gf(mesh=MeshImFreq(BETA, "Fermion", 3), target_shape=[1, 1]), np.zeros((2, 1, 1)))
    with pytest.raises(ValueError, match="do not fit"):
        fit_tail(G, np.zeros((2, 1, 1)))
    with pytest.raises(ValueError, match="constant"):
        make_gf_from_fourier(G, None, np.array([np.eye(2)]))
    with pytest.raises(ValueError, match="w_min < w_max"):
        MeshReFreq(1.0, -1.0, 10)
    with pytest.raises(ValueError, match="too few"):
        rebinning_tau(Gf(mesh=MeshImTime(BETA, "Fermion", 5), target_shape=[1, 1]), 11)
    with pytest.raises(NotImplementedError, match="conda install"):
        Gf(mesh=MeshReFreq(-1.0, 1.0, 10), target_shape=[1, 1]).set_from_pade(G)
