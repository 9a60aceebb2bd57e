# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
r"""Legendre representation of functions of imaginary time: τ ↔ l ↔ iω.

Convention of Boehnke et al., PRB 84, 075145 (2011):

.. math::
    G_l = \sqrt{2l+1} \int_0^\beta d\tau\, P_l(x(\tau)) G(\tau), \qquad x(\tau) = 2\tau/\beta - 1,

    G(\tau) = \sum_l \frac{\sqrt{2l+1}}{\beta} P_l(x(\tau)) G_l, \qquad
    G(i\omega_n) = \sum_l T_{nl} G_l, \quad
    T_{nl} = (-1)^n i^{l+1} \sqrt{2l+1}\, j_l\!\left(\frac{(2n+1)\pi}{2}\right).

All arrays have the Legendre (or τ, or iω) index first; any trailing axes are carried along.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.polynomial.legendre import leggauss, legvander
from scipy.special import spherical_jn

_PRECISION = 1e-11  # relative, of functions with energies in the range that is asked for


def n_legendre(beta_energy: float) -> int:
    r"""Number of coefficients that represents energies up to `beta_energy` / β to `_PRECISION`.

    The coefficients of exp(-τ ε) fall like exp(-l² / (β ε)) beyond l ~ sqrt(β ε); a dozen more serve small β ε. Lengths
    come in multiples of eight, so that few transformation matrices are ever built.
    """
    n = 14 + np.sqrt(max(beta_energy, 0.0) * np.log(1 / _PRECISION))
    return 8 * int(np.ceil(n / 8))


@lru_cache(maxsize=32)
def _unit_nodes(n: int) -> tuple[np.ndarray, np.ndarray]:
    return leggauss(n)


def quadrature(beta: float, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Legendre nodes and weights on [0, β], both of shape (n,)."""
    x, w = _unit_nodes(n)
    return 0.5 * beta * (x + 1), 0.5 * beta * w


def vandermonde(x: np.ndarray, n_l: int) -> np.ndarray:
    """sqrt(2l+1) P_l(x), shape (len(x), n_l), for x in [-1, 1]."""
    return legvander(np.atleast_1d(x), n_l - 1) * np.sqrt(2 * np.arange(n_l) + 1)


def evaluate(beta: float, coefficients: np.ndarray, tau: np.ndarray) -> np.ndarray:
    """Values at times `tau` (n_tau,) of a function given by `coefficients` (n_l, ...); shape (n_tau, ...)."""
    tau = np.atleast_1d(np.asarray(tau, dtype=float))
    v = vandermonde(2 * tau / beta - 1, len(coefficients))
    return np.tensordot(v, coefficients, axes=(1, 0)) / beta


def project(beta: float, values: np.ndarray, n_l: int) -> np.ndarray:
    """Coefficients (n_l, ...) of a function whose `values` (n, ...) are given at the nodes of `quadrature(beta, n)`."""
    values = np.asarray(values)
    return beta * np.tensordot(_projector(len(values), n_l), values, axes=(0, 0))


@lru_cache(maxsize=32)
def _projector(n: int, n_l: int) -> np.ndarray:
    x, w = _unit_nodes(n)
    return vandermonde(x, n_l) * (0.5 * w[:, None])


def on_uniform_mesh(beta: float, coefficients: np.ndarray, n_tau: int) -> np.ndarray:
    """Values (n_tau, ...) at `n_tau` equidistant times from 0 to β; the polynomials are kept for the next call."""
    n_l = _padded(len(coefficients))
    return np.tensordot(_padded_uniform_vandermonde(n_tau, n_l), resized(coefficients, n_l), axes=(1, 0)) / beta


@lru_cache(maxsize=8)
def _padded_uniform_vandermonde(n_tau: int, n_l: int) -> np.ndarray:
    return vandermonde(np.linspace(-1, 1, n_tau), n_l)


def integrals(beta: float, edges: np.ndarray, n_l: int) -> np.ndarray:
    """Matrix (n_cells, n_l) of the integrals of f(τ) between neighbouring `edges` from its coefficients."""
    l = np.arange(n_l)
    P = legvander(2 * edges / beta - 1, n_l)
    integral = np.empty((len(edges), n_l))  # of P_l over x from −1: (P_{l+1} − P_{l−1})/(2l+1)
    integral[:, 0] = P[:, 1] + 1
    integral[:, 1:] = (P[:, 2:] - P[:, :-2]) / (2 * l[1:] + 1)
    return 0.5 * np.sqrt(2 * l + 1) * np.diff(integral, axis=0)


def at_ends(beta: float, coefficients: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Values at τ = 0⁺ and τ = β⁻."""
    l = np.arange(len(coefficients))
    root = np.sqrt(2 * l + 1) / beta
    return np.tensordot(root * (-1.0) ** l, coefficients, axes=(0, 0)), np.tensordot(root, coefficients, axes=(0, 0))


@lru_cache(maxsize=16)
def _padded_transfer(n_iw: int, n_l: int) -> np.ndarray:
    return transfer_matrix(np.arange(n_iw), n_l)


def _padded(n_l: int) -> int:
    """Next multiple of 32: expansions of different lengths share one cached matrix, used as it lies in memory."""
    return 32 * -(-n_l // 32)


def transfer_matrix(n: np.ndarray, n_l: int) -> np.ndarray:
    """T_nl for Matsubara indices `n` (any sign, ω_n = (2n+1)π/β), shape (len(n), n_l), complex."""
    n = np.asarray(n)
    positive = np.where(n >= 0, n, -n - 1)
    l = np.arange(n_l)
    j = spherical_jn(l[None, :], 0.5 * np.pi * (2 * positive[:, None] + 1))
    T = (-1.0) ** positive[:, None] * 1j ** (l[None, :] + 1) * np.sqrt(2 * l + 1) * j
    return np.where(n[:, None] >= 0, T, T.conj())


def to_matsubara(coefficients: np.ndarray, n_iw: int) -> np.ndarray:
    """G(iω_n) for n = 0 … n_iw − 1 from `coefficients` (n_l, ...); complex, shape (n_iw, ...)."""
    n_l = _padded(len(coefficients))
    return np.tensordot(_padded_transfer(n_iw, n_l), resized(coefficients, n_l), axes=(1, 0))


def particle_hole(coefficients: np.ndarray) -> np.ndarray:
    """Coefficients of the map f(τ) → f(β − τ): odd coefficients change sign."""
    sign = (-1.0) ** np.arange(len(coefficients))
    return coefficients * sign.reshape((-1,) + (1,) * (coefficients.ndim - 1))


def resized(coefficients: np.ndarray, n_l: int) -> np.ndarray:
    """The first `n_l` coefficients, padded with zeros where there are fewer."""
    out = np.zeros((n_l,) + coefficients.shape[1:], dtype=coefficients.dtype)
    k = min(n_l, len(coefficients))
    out[:k] = coefficients[:k]
    return out


def fermi_kernel(beta: float, tau: np.ndarray, energy: np.ndarray) -> np.ndarray:
    """−exp(−τ ε) / (1 + exp(−β ε)), the τ-dependence of 1/(iω − ε); shape (len(tau), len(energy)), no overflow."""
    tau, energy = np.atleast_1d(tau)[:, None], np.atleast_1d(energy)[None, :]
    a = np.abs(energy)
    exponent = np.where(energy >= 0, -tau * a, -(beta - tau) * a)
    return -np.exp(exponent) / (1 + np.exp(-beta * a))


def from_poles(beta: float, energy: np.ndarray, weight: np.ndarray, n_l: int | None = None) -> np.ndarray:
    """Coefficients of Σ_k weight_k / (iω − energy_k).

    Parameters
    ----------
    beta : float
        Inverse temperature (1/energy).
    energy : (n_poles,) array
    weight : (n_poles, ...) array
    n_l : int, optional
        Number of coefficients; by default as many as the largest energy needs.

    Returns
    -------
    (n_l, ...) array
    """
    energy, weight = np.atleast_1d(np.asarray(energy, float)), np.asarray(weight)
    weight = weight[None] if weight.ndim == 0 else weight
    needed = n_legendre(beta * np.max(np.abs(energy), initial=0.0))
    n_l = needed if n_l is None else n_l
    n_nodes = max(n_l, needed) + 24
    tau, _ = quadrature(beta, n_nodes)
    return project(beta, np.tensordot(fermi_kernel(beta, tau, energy), weight, axes=(1, 0)), n_l)
