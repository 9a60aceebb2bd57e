# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
r"""From raw G_l and F_l of the segment solver to consistent ones with exact tails.

G and F = Σ G (improved estimator, Hafermann, Patton, Werner, PRB 85, 205106) of one flavour obey the equation of motion
:math:`G = G_0 + G_0 F`, linear in both; in Legendre coefficients G = G0 + K F. The noisy estimates Ĝ, F̂ are replaced
by the pair that obeys it exactly and lies closest to them in units of their error bars, among functions F that have a
spectrum,

.. math::
    F = \sum_k \frac{a_k}{i\omega - \varepsilon_k}, \qquad
    \min_a\; \sum_c \frac{(F_c - \hat F_c)^2}{\sigma_{F,c}^2} + \sum_c \frac{(G_c - \hat G_c)^2}{\sigma_{G,c}^2}
    + \sum_k \frac{a_k^2}{A^2},

where c counts the cells of the measurement mesh in τ (noise is far larger at some τ than at others: in coefficients it
would spread over all of them), and subject to what the static correlators measured in the same run fix: F(0⁺), F(β⁻),
F'(0⁺) + F'(β⁻) (hence Σ∞ and Σ₁) and G(β⁻) = −⟨n⟩; G(0⁺) + G(β⁻) = −1 and the higher moments of G follow. The last
term, a Gaussian prior of amplitude A = Σ_j |U_ij| on the poles, is what decides where data are pure noise, in place of
a truncation in l: combinations of poles that leave no trace in G(τ) stay zero. The answer is linear in the estimates,
so it carries no bias beyond the prior's, and that part of the posterior error is known and handed out beside the
statistical one.
"""

from __future__ import annotations

import numpy as np

from ...numerics import legendre
from ...numerics.causality import pole_grid


def convolution_matrix(beta: float, f_l: np.ndarray, n_l: int) -> np.ndarray:
    """Matrix C (n_l, n_l) such that C g are the coefficients of f(iω) g(iω): the antiperiodic convolution in τ.

    C commutes with the integration J, which is tridiagonal: each column follows from the two before it. That is stable
    below the diagonal, and C_lk = (−1)^(k+l) C_kl (Hale and Townsend, SIAM J. Sci. Comput. 36, A1207).
    """
    n = 2 * n_l  # rows; each column reaches one row less far than the one before
    l = np.arange(n + 1)
    step = 0.5 * beta / np.sqrt((2 * l + 1) * (2 * l + 3))  # J[l, l + 1] = −J[l + 1, l]
    integral = lambda c: np.append(step[: n - 1] * c[1:], 0.0) - np.append(0.0, step[: n - 1] * c[:-1])
    C = np.zeros((n, n_l), f_l.dtype)
    f = np.zeros(n, f_l.dtype)
    f[: min(n, len(f_l))] = f_l[:n]
    C[:, 0] = -2 / beta * integral(f)
    for k in range(n_l - 1):
        following = -integral(C[:, k]) / step[k]
        if k > 0:
            following += step[k - 1] / step[k] * C[:, k - 1]
        C[k + 1 :, k + 1] = following[k + 1 :]
        C[: k + 1, k + 1] = (-1.0) ** (l[: k + 1] + k + 1) * C[k + 1, : k + 1]
    return C[:n_l]


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


def cell_edges(beta: float, n_cells: int) -> np.ndarray:
    """Edges (n_cells + 1,) of the cells of the measurement mesh in increasing τ."""
    half = 0.5 * beta * (np.arange(n_cells // 2 + 1) / (n_cells // 2)) ** 2
    return np.concatenate([half, beta - half[-2::-1]])


def spectral_prior(beta: float, cutoff: float, amplitude: float, n_l: int) -> np.ndarray:
    """Legendre coefficients of functions with spectrum: columns B (n_l, r) such that F = B z with z ~ N(0, 1)."""
    eps = pole_grid(beta, cutoff, 201)
    columns = legendre.from_poles(beta, eps, np.eye(len(eps)), n_l) * amplitude
    left, values, _ = np.linalg.svd(columns, full_matrices=False)
    kept = values > 1e-11 * values[0]
    return left[:, kept] * values[kept]


class ConsistentPair:
    """The linear map from estimates of one flavour to the consistent pair (G_l, F_l).

    Parameters
    ----------
    beta : float
    motion : EquationOfMotion
    prior : (n_l, r) array
        See `spectral_prior`.
    cells : (m, n_l) array
        Integrals over the cells of the measurement mesh from coefficients, see `legendre.integrals`.
    G_error, F_error : (m,) arrays
        Error bars of the raw estimates of these integrals.

    Attributes
    ----------
    F_unresolved, G_unresolved : (r, n_l) arrays
        Independent deviations, one standard error each, of what the data leave to the prior.
    """

    def __init__(self, beta: float, motion: EquationOfMotion, prior: np.ndarray, cells: np.ndarray, G_error, F_error):
        n_l = len(motion.G0)
        self._G0_cells = cells @ motion.G0
        self._motion, self._prior, self._KB = motion, prior, motion.K @ prior
        ends_F, end_G = np.stack(end_rows(beta, n_l)), end_rows(beta, n_l)[1]
        constraints = np.concatenate([ends_F @ prior, (end_G @ self._KB)[None]])
        self._scale = np.linalg.norm(constraints, axis=1)
        C = constraints / self._scale[:, None]
        self._G_end_0 = end_G @ motion.G0
        self._particular = np.linalg.pinv(C)
        null = np.linalg.qr(C.T, mode="complete")[0][:, len(C) :]
        self._w = np.concatenate([1 / F_error, 1 / G_error])
        self._design = self._w[:, None] * np.concatenate([cells @ prior, cells @ self._KB])
        reduced = self._design @ null
        # posterior covariance P = N (Nᵀ DᵀD N + 1)⁻¹ Nᵀ = noise P DᵀD P + prior P P
        values, axes = np.linalg.eigh(reduced.T @ reduced)
        half = null @ axes
        posterior = (half / (1 + np.maximum(values, 0.0))) @ half.T
        self._step = posterior @ self._design.T
        self.F_unresolved = (prior @ posterior).T
        self.G_unresolved = (self._KB @ posterior).T

    def __call__(self, G_hat, F_hat, n, y, Sigma_infty, second) -> tuple[np.ndarray, np.ndarray]:
        """(G_l, F_l), both (s, n_l), for s samples of the estimates (s, m) and of the correlators (s,).

        y = Σ_j U_ij ⟨n_i n_j⟩ and `second` is the 1/(iω)² moment of F.
        """
        fixed = np.stack([y - Sigma_infty, -y, second, -n - self._G_end_0], axis=1) / self._scale
        data = np.concatenate([F_hat, G_hat - self._G0_cells], axis=1) * self._w
        z = fixed @ self._particular.T
        z = z + (data - z @ self._design.T) @ self._step.T
        return self._motion.G0 + z @ self._KB.T, z @ self._prior.T
