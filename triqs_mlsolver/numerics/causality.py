# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
r"""Projection of a hybridisation function onto non-negative spectral weight.

A scalar Δ is causal where :math:`\Delta(i\omega) = \sum_k w_k/(i\omega - \varepsilon_k)` with all w_k ≥ 0. Noise of a
self-consistency loop can lift Δ(τ) above zero where it should be small and negative; a sampler that uses |Δ| as a
weight then meets heavy tails and signs. The projection is the closest causal function on a fixed grid of poles, in the
least-squares sense over τ.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import legendre
from .nonnegative import nonnegative_least_squares

_N_POLES = 321


@dataclass(frozen=True, eq=False)
class CausalProjection:
    """Poles, weights and Legendre coefficients of the projected function, and how far it lies from the given one.

    Parameters
    ----------
    eps, weights : (n_poles,) arrays
        Poles and their non-negative weights (energy, energy²); only poles of positive weight.
    Delta_l : (n_l,) array
        Legendre coefficients of the projected function.
    distance : float
        Largest |Δ_given(τ) − Δ_projected(τ)| relative to the largest |Δ_given(τ)| (dimensionless).
    """

    eps: np.ndarray
    weights: np.ndarray
    Delta_l: np.ndarray
    distance: float


def pole_grid(beta: float, cutoff: float, n: int = _N_POLES) -> np.ndarray:
    """Poles from −`cutoff` to `cutoff`, spaced by a fraction of the temperature at zero and growing outwards."""
    inner = min(0.2 / beta, cutoff / n)
    stretch = np.arcsinh(cutoff / inner)
    return inner * np.sinh(np.linspace(-1, 1, n) * stretch)


def project_delta(beta: float, Delta_l: np.ndarray, cutoff: float) -> CausalProjection:
    """The causal function closest to a scalar Δ.

    Parameters
    ----------
    beta : float
        Inverse temperature (1/energy).
    Delta_l : (n_l,) array
        Legendre coefficients of Δ(τ) of one flavour, TRIQS sign (Δ(τ) ≤ 0 where causal).
    cutoff : float
        Largest pole energy allowed.

    Returns
    -------
    CausalProjection

    Raises
    ------
    ValueError
        If `cutoff` is not positive.
    """
    if not cutoff > 0:
        raise ValueError(f"cutoff = {cutoff} must be a positive energy: give the largest pole that Δ may have")
    tau, w = legendre.quadrature(beta, max(2 * len(Delta_l), 64))
    given = legendre.evaluate(beta, Delta_l, tau)
    eps = pole_grid(beta, cutoff)
    root = np.sqrt(w / beta)
    unit = max(np.max(np.abs(given)), 1e-300)
    kernel = legendre.fermi_kernel(beta, tau, eps) * root[:, None]
    weights = unit * nonnegative_least_squares(kernel, given / unit * root)
    kept = weights > 0
    eps, weights = eps[kept], weights[kept]
    if len(eps) == 0:
        return CausalProjection(np.zeros(1), np.zeros(1), np.zeros(len(Delta_l)), 1.0)
    n_l = max(len(Delta_l), legendre.n_legendre(beta * float(np.max(np.abs(eps)))))
    projected = legendre.from_poles(beta, eps, weights, n_l)
    distance = np.max(np.abs(legendre.evaluate(beta, projected, tau) - given)) / unit
    return CausalProjection(eps, weights, projected, float(distance))
