# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""From measured Legendre coefficients of G to smooth ones with exact tails."""

from __future__ import annotations

import numpy as np

from ...numerics import legendre
from ...problem import Problem

_NEIGHBOURS = 2  # coefficients on each side over which error bars are averaged


class SmoothEstimate:
    r"""Linear map from measured G_l to coefficients with exact tails.

    G is written as poles on a grid that spans the problem's energies, G(iω) = Σ_k w_k / (iω − ε_k), which Legendre
    noise at large l does not fit. The weights minimise

    .. math::  \sum_l (G_l - \hat G_l)^2 / \sigma_l^2 + \sum_k w_k^2 / A_k^2, \quad
        A_k = \frac{v}{v + (\varepsilon_k - \bar\varepsilon)^2},

    subject to what the density matrix of the same run fixes: the moments Σ_k w_k ε_k^p and the occupation −G(β⁻).
    :math:`\bar\varepsilon` and v are mean and variance of the spectrum, known from the moments: by Cantelli's
    inequality no weight of a spectrum exceeds A_k, so that the prior matters only where the data say less than that.

    Parameters
    ----------
    problem : Problem
    error : (n_l, n, n) array
        Error bars of the measured coefficients.
    moments : (3, n, n) array
        c₁, c₂, c₃ of G(iω) = Σ c_p/(iω)^p.
    """

    def __init__(self, problem: Problem, error: np.ndarray, moments: np.ndarray):
        reach = 1.5 * problem.largest_energy + 2 / problem.beta
        n_poles = 8 * int(np.ceil(np.log2(4 + problem.beta * reach)))
        self._poles = reach * np.sin(0.5 * np.pi * np.linspace(-1, 1, n_poles)) ** 3
        self._basis = legendre.from_poles(problem.beta, self._poles, np.eye(n_poles))
        at_end = legendre.fermi_kernel(problem.beta, np.array([problem.beta]), self._poles)
        self._rows = np.concatenate([(self._poles / reach) ** np.arange(3)[:, None], at_end])
        self._fixed = moments / reach ** np.arange(3)[:, None, None]
        self._error = np.maximum(error, 1e-3 * error.max())
        self._amplitude = largest_weights(self._poles, moments)

    def __call__(self, G_l: np.ndarray, occupation: np.ndarray) -> np.ndarray:
        """Coefficients (n_l, n, n) from measured ones and ⟨c†_b c_a⟩ (n, n)."""
        out = np.empty((len(self._basis), *G_l.shape[1:]))
        basis = legendre.resized(self._basis, len(G_l))
        for a, b in np.ndindex(*G_l.shape[1:]):
            fixed = np.append(self._fixed[:, a, b], -occupation[a, b])
            amplitude, sigma = self._amplitude[:, a, b], self._error[:, a, b]
            design = basis * amplitude / sigma[:, None]
            weights = amplitude * _least_squares(design, G_l[:, a, b] / sigma, self._rows * amplitude, fixed)
            out[:, a, b] = self._basis @ weights
        return out


def largest_weights(poles: np.ndarray, moments: np.ndarray) -> np.ndarray:
    """Largest weight that a pole at each energy can have in a spectrum with these moments, (n_poles, n, n)."""
    mean = np.diag(moments[1])
    variance = np.maximum(np.diag(moments[2]) - mean**2, 1e-12 * np.max(np.abs(poles)) ** 2)
    diagonal = variance / (variance + (poles[:, None] - mean) ** 2)
    return np.sqrt(diagonal[:, :, None] * diagonal[:, None, :])


def _least_squares(design: np.ndarray, target: np.ndarray, rows: np.ndarray, fixed: np.ndarray) -> np.ndarray:
    """The z that minimises abs(design z − target)² + abs(z)² subject to rows z = fixed."""
    start = np.linalg.lstsq(rows, fixed, rcond=None)[0]
    null = np.linalg.svd(rows)[2][len(rows) :].T
    reduced = design @ null
    normal = reduced.T @ reduced + np.eye(reduced.shape[1])
    return start + null @ np.linalg.solve(normal, reduced.T @ (target - design @ start))


def smoothed(error: np.ndarray) -> np.ndarray:
    """Root mean square over neighbours: few runs give ragged error bars, the true ones vary slowly with l.

    Coefficients that vanish by symmetry have no error and do not count.
    """
    known = error > 1e-9 * np.max(error, axis=0, initial=0.0)
    square, weight = (_window_sum(a, _NEIGHBOURS) for a in (error**2 * known, known.astype(float)))
    return known * np.sqrt(square / np.maximum(weight, 1.0))


def _window_sum(a: np.ndarray, reach: int) -> np.ndarray:
    padded = np.pad(a, [(reach, reach)] + [(0, 0)] * (a.ndim - 1), mode="reflect")
    return sum(padded[k : k + len(a)] for k in range(2 * reach + 1))
