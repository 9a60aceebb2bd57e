# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
r"""From raw matrices G and F = Σ G to consistent ones with exact tails.

What `segment.estimators` does for one flavour, for orbitals that hybridisation or levels mix: each column of G and F
obeys the equation of motion :math:`G = G_0 + G_0 F`, in which the orbitals are coupled, and is replaced by the pair
that obeys it exactly, takes its values at the ends from the density matrix, has a spectrum, and lies closest to the
estimates in units of their error bars.
"""

from __future__ import annotations

import numpy as np

from ..segment.estimators import convolution_matrix, end_rows, integration_matrix


class EquationOfMotion:
    """G = G0 + K F in Legendre coefficients for levels h (n, n) and Δ (n_coefficients, n, n).

    G0 (n, n_l, n): orbital, coefficient, column. K (n, n_l, n, n_l). h (n, n).
    """

    def __init__(self, beta: float, h: np.ndarray, Delta_l: np.ndarray, n_l: int):
        n, m = len(h), n_l + 16
        self.h = h
        J = integration_matrix(beta, m)
        A = np.zeros((n, m, n, m), np.result_type(h, Delta_l))
        for a in range(n):
            for b in range(n):
                A[a, :, b] = (a == b) * np.eye(m) - J @ (
                    h[a, b] * np.eye(m) + convolution_matrix(beta, Delta_l[:, a, b], m)
                )
        source = np.zeros((n, m, n))
        source[range(n), 0, range(n)] = -0.5 * beta
        right = np.concatenate([source.reshape(n * m, n), np.kron(np.eye(n), J)], axis=1)
        solved = np.linalg.solve(A.reshape(n * m, n * m), right)
        self.G0 = solved[:, :n].reshape(n, m, n)[:, :n_l]
        self.K = solved[:, n:].reshape(n, m, n, m)[:, :n_l, :, :n_l]


class ConsistentColumn:
    """The linear map from estimates of one column of G and F to the consistent pair.

    Parameters
    ----------
    beta : float
    motion : EquationOfMotion
    column : int
    prior : (n_l, r) array
        See `segment.estimators.spectral_prior`.
    cells : (m, n_l) array
        Integrals over the cells of the measurement mesh from coefficients.
    G_error, K_error : (n, m) arrays
        Error bars of the raw estimates of these integrals, of G and of F + h G, which is what is measured.
    known : (n,) array of bool
        Of which elements the values at the ends are known.

    Attributes
    ----------
    F_unresolved, G_unresolved : (n r, n, n_l) arrays
        Independent deviations, one standard error each, of what the data leave to the prior.
    """

    def __init__(self, beta, motion: EquationOfMotion, column: int, prior, cells, G_error, K_error, known):
        n, n_l = motion.G0.shape[:2]
        r = prior.shape[1]
        self._shape = (n, n_l)
        self._G0 = motion.G0[:, :, column]
        # F = B z, G = G0 + KB z, orbital by orbital
        self._B = np.kron(np.eye(n), prior)
        self._KB = (motion.K.reshape(n * n_l * n, n_l) @ prior).reshape(n * n_l, n * r)
        rows = np.stack(end_rows(beta, n_l))
        ends_F = np.kron(np.eye(n), rows @ prior)  # (3 n, n r): by orbital F(0+), F(β−), slopes
        end_G = np.einsum("l,alz->az", rows[1], self._KB.reshape(n, n_l, n * r))
        self._fixed = np.concatenate([np.repeat(known, 3), known])
        constraints = np.concatenate([ends_F, end_G])[self._fixed]
        self._scale = np.linalg.norm(constraints, axis=1)
        C = constraints / self._scale[:, None]
        self._G_end_0 = self._G0 @ rows[1]
        self._particular = np.linalg.pinv(C)
        null = np.linalg.qr(C.conj().T, mode="complete")[0][:, len(C) :]
        self._w = np.concatenate([1 / K_error.ravel(), 1 / G_error.ravel()])
        in_cells = lambda a: np.einsum("cl,alz->acz", cells, a.reshape(n, n_l, -1)).reshape(n * len(cells), -1)
        times_h = lambda a: (motion.h @ a.reshape(n, -1)).reshape(a.shape)
        G0_cells = np.einsum("cl,al->ac", cells, self._G0).ravel()
        self._without_F = np.concatenate([times_h(G0_cells), G0_cells])
        of_G = in_cells(self._KB)
        self._design = self._w[:, None] * np.concatenate([in_cells(self._B) + times_h(of_G), of_G])
        reduced = self._design @ null
        values, axes = np.linalg.eigh(reduced.conj().T @ reduced)
        half = null @ axes
        posterior = (half / (1 + np.maximum(values, 0.0))) @ half.conj().T
        self._step = posterior @ self._design.conj().T
        self.F_unresolved = (self._B @ posterior).T.reshape(-1, n, n_l)
        self.G_unresolved = (self._KB @ posterior).T.reshape(-1, n, n_l)

    def __call__(self, G_hat, K_hat, F_start, F_end, F_slope, G_end):
        """(G_l, F_l), both (s, n, n_l), for s samples of the estimates (s, n, m) and of the values at the ends (s, n).

        F(0⁺), F(β⁻), F'(0⁺) + F'(β⁻) and G(β⁻) follow from the density matrix, where it is `known`.
        """
        s = len(G_hat)
        ends = np.stack([F_start, F_end, F_slope], axis=2).reshape(s, -1)
        fixed = np.concatenate([ends, G_end - self._G_end_0], axis=1)[:, self._fixed] / self._scale
        data = (np.concatenate([K_hat.reshape(s, -1), G_hat.reshape(s, -1)], axis=1) - self._without_F) * self._w
        z = fixed @ self._particular.T
        z = z + (data - z @ self._design.T) @ self._step.T
        shape = (s, *self._shape)
        return self._G0 + (z @ self._KB.T).reshape(shape), (z @ self._B.T).reshape(shape)
