# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
r"""From raw G_l and F_l of the segment solver to consistent ones with exact tails.

G and F = Σ G of one flavour obey the equation of motion :math:`G = G_0 + G_0 F`, linear in both. The noisy estimates Ĝ, F̂
are therefore replaced by the pair that obeys it exactly and lies closest to them in units of their error bars,

.. math::
    \min_F \sum_l \frac{(F_l - \hat F_l)^2}{\sigma_{F,l}^2} + \sum_l \frac{(G_{0,l} + (KF)_l - \hat G_l)^2}{\sigma_{G,l}^2},

subject to what the static correlators measured in the same run fix: F(0⁺), F(β⁻), F'(0⁺) + F'(β⁻) (hence Σ∞ and Σ₁) and
G(β⁻) = −⟨n⟩; G(0⁺) + G(β⁻) = −1 and the higher moments of G follow. The map from estimates to answers is linear, so it
introduces no bias, and it removes the high-frequency noise that F alone does not have (Hafermann, Patton, Werner, PRB 85,
205106) without a fit of the tail.
"""
from __future__ import annotations

import numpy as np

from ..numerics import legendre


def convolution_matrix(beta: float, f_l: np.ndarray, n_l: int) -> np.ndarray:
    """Matrix C (n_l, n_l) such that C g are the coefficients of f(iω) g(iω): the antiperiodic convolution in τ."""
    tau, w = legendre.quadrature(beta, n_l + 8)
    x, wx = np.polynomial.legendre.leggauss((n_l + len(f_l)) // 2 + 1)
    x, wx = 0.5 * (x + 1), 0.5 * wx
    left = tau[:, None] * x  # τ' in [0, τ]
    right = tau[:, None] + (beta - tau)[:, None] * x  # τ' in [τ, β], where Δ(τ − τ') = −Δ(τ − τ' + β)
    times = np.concatenate([left, right], axis=1)
    f = legendre.evaluate(beta, f_l, np.concatenate([tau[:, None] - left, tau[:, None] - right + beta], axis=1).ravel())
    weight = np.concatenate([tau[:, None] * wx, -(beta - tau)[:, None] * wx], axis=1) * f.reshape(times.shape) / beta
    basis = legendre.vandermonde(2 * times.ravel() / beta - 1, n_l).reshape(*times.shape, n_l)
    rows = np.einsum("tq,tql->tl", weight, basis, optimize=True)
    return (legendre.vandermonde(2 * tau / beta - 1, n_l) * w[:, None]).T @ rows


def integration_matrix(beta: float, n_l: int) -> np.ndarray:
    """Matrix of the convolution with 1/iω, that is −½ on (0, β), antiperiodic: tridiagonal in l."""
    l = np.arange(n_l)
    normal = np.sqrt(2 * l + 1)
    J = np.zeros((n_l, n_l))  # −∫₀^τ, by ∫ P_l = (P_{l+1} − P_{l−1})/(2l+1)
    J[l[1:], l[:-1]] = -0.5 * beta * normal[:-1] / ((2 * l[:-1] + 1) * normal[1:])
    J[l[:-1], l[1:]] = 0.5 * beta * normal[1:] / ((2 * l[1:] + 1) * normal[:-1])
    J[0, 0] = 0.0  # −∫₀^τ f of l = 0 starts at −½ ∫f, which + ½ ∫₀^β f cancels
    return J


class EquationOfMotion:
    """G = G0 + K F in Legendre coefficients for one flavour of level h and hybridisation Δ."""

    def __init__(self, beta: float, level: float, Delta_l: np.ndarray, n_l: int):
        n = n_l + 16
        I = integration_matrix(beta, n)
        A = np.eye(n) - I @ (level * np.eye(n) + convolution_matrix(beta, Delta_l, n))
        source = np.zeros(n)
        source[0] = -0.5 * beta
        solved = np.linalg.solve(A, np.concatenate([source[:, None], I], axis=1))
        self.G0 = solved[:n_l, 0]
        self.K = solved[:n_l, 1 : n_l + 1]


def end_rows(beta: float, n_l: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Row vectors giving f(0⁺), f(β⁻) and f'(0⁺) + f'(β⁻) from coefficients."""
    l = np.arange(n_l)
    root = np.sqrt(2 * l + 1) / beta
    slope = root * l * (l + 1) / beta
    return root * (-1.0) ** l, root, slope * (1 - (-1.0) ** l)


def significant_length(values: np.ndarray, errors: np.ndarray, shortest: int = 10, margin: int = 4) -> int:
    """How many coefficients carry signal: the length of least estimated risk, 2L + Σ_{l≥L} z_l², plus a margin."""
    z2 = (values / errors) ** 2
    tail = np.concatenate([np.cumsum(z2[::-1])[::-1], [0.0]])
    best = int(np.argmin(2.0 * np.arange(len(values) + 1) + tail))
    return int(min(max(best + margin, shortest), len(values)))


class ConsistentPair:
    """The linear map from estimates of one flavour to the consistent pair (G_l, F_l).

    Parameters
    ----------
    beta : float
    motion : EquationOfMotion
    G_error, F_error : (m,) arrays
        Error bars of the raw estimates.
    n_F : int
        Coefficients of F that are kept.
    """

    def __init__(self, beta: float, motion: EquationOfMotion, G_error: np.ndarray, F_error: np.ndarray, n_F: int):
        m = len(G_error)
        n_F = min(n_F, m)
        self.n_l, self.n_F, self.motion = len(motion.G0), n_F, motion
        K = motion.K[:, :n_F]
        start, end, slope = end_rows(beta, n_F)
        G_end = end_rows(beta, self.n_l)[1]
        constraints = np.stack([start, end, slope, G_end @ K])
        self._scale = np.linalg.norm(constraints, axis=1)
        C = constraints / self._scale[:, None]
        self._G_end_0 = G_end @ motion.G0
        Q, _ = np.linalg.qr(C.T, mode="complete")
        null = Q[:, len(C) :]
        self._particular = np.linalg.pinv(C)
        self._wF, self._wG = 1 / F_error[:n_F], 1 / G_error
        design = np.concatenate([np.diag(self._wF), self._wG[:, None] * K[:m]])
        self._design = design
        self._step = null @ np.linalg.pinv(design @ null)
        self._K = K

    def __call__(self, G_hat, F_hat, n, y, Sigma_infty, second) -> tuple[np.ndarray, np.ndarray]:
        """(G_l, F_l) with shapes (s, n_l), (s, n_F) for s samples of the estimates (s, m) and of the correlators (s,).

        y = Σ_j U_ij ⟨n_i n_j⟩ and `second` is the 1/(iω)² moment of F.
        """
        fixed = np.stack([y - Sigma_infty, -y, second, -n - self._G_end_0], axis=1) / self._scale
        data = np.concatenate([F_hat[:, : self.n_F] * self._wF, (G_hat - self.motion.G0[: G_hat.shape[1]]) * self._wG], axis=1)
        F = fixed @ self._particular.T
        F = F + (data - F @ self._design.T) @ self._step.T
        return self.motion.G0 + F @ self._K.T, F
