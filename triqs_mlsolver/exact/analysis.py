# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""What the analyses of the embedded solvers have in common: error bars of G and F, and of what was not seen."""

from __future__ import annotations

import numpy as np

from ..numerics import legendre
from ..problem import Problem
from .statistics import jackknife_error, largest_error

N_TAU, N_IW = 201, 8  # times and Matsubara frequencies at which G and Σ are handed out with error bars
RESOLVED = 16  # cells that one missing event may stand for: G varies on this scale at the shortest
_LONGEST_MEASURED = 80  # Legendre coefficients; beyond, all is noise at any affordable run length
_WINDOW = 5  # cells over which error bars are averaged: they vary slowly with τ, their estimates do not


def measured_length(problem: Problem) -> int:
    """Number of Legendre coefficients measured."""
    return min(problem.n_l, _LONGEST_MEASURED)


class Estimates:
    """Base of analyses with samples G_l and F_l (s, ..., n_l), the mean and then the leave-one-out samples.

    G_unresolved and F_unresolved (r, ..., n_l) are independent deviations, one standard error each, that the data do
    not decide; G_tau_error are error bars of G(τ).
    """

    def error(self, function) -> np.ndarray:
        """One standard error, statistical and unresolved, of a function(G_l, F_l) along the sample axis."""
        at_mean = function(self.G_l[:1], self.F_l[:1])
        moved = function(self.G_l[:1] + self.G_unresolved, self.F_l[:1] + self.F_unresolved) - at_mean
        return np.hypot(jackknife_error(function(self.G_l, self.F_l)), np.sqrt(np.sum(np.abs(moved) ** 2, axis=0)))

    def complex_error(self, function) -> np.ndarray:
        """Those of the real and the imaginary part of a complex function, as parts of a complex number."""
        real, imag = lambda G, F: function(G, F).real, lambda G, F: function(G, F).imag
        return self.error(real) + 1j * self.error(imag)

    @property
    def worst_error(self) -> float:
        """Largest error bar of G(τ) over τ and elements."""
        return float(np.max(self.G_tau_error))


def label_noise(beta: float, G_l: np.ndarray, G_unresolved: np.ndarray) -> dict[str, float]:
    """Root mean square error of the largest deviation of G(τ) over τ, and of G(iω₀)/β; dimensionless.

    What the data do not decide comes on top of the statistical error. The worst of the m elements counts.

    Parameters
    ----------
    beta : float
    G_l : (s, m, n_l) array
    G_unresolved : (r, m, n_l) array
    """
    n_l = G_l.shape[-1]
    to_tau = legendre.vandermonde(np.linspace(-1, 1, N_TAU), n_l).T
    to_iw0 = legendre.transfer_matrix(np.zeros(1, int), n_l).T

    def worst(matrix):
        drawn = largest_error(G_l, matrix)
        unresolved = np.max(np.sum(np.abs(G_unresolved @ matrix) ** 2, axis=0), axis=1)
        return float(np.sqrt(np.max(drawn + unresolved))) / beta

    return {"G_tau_noise": worst(to_tau), "G_iw0_noise": worst(to_iw0)}


def symmetry_deviation(G_hat: np.ndarray, labels: np.ndarray) -> float:
    """Largest difference between equivalent flavours in standard errors, over the first ten coefficients.

    G_hat (s, N, n_l); `labels` (N,) is the first flavour that each is equivalent to.
    """
    worst = 0.0
    for f, label in enumerate(labels):
        if label != f:
            difference = G_hat[:, f, :10] - G_hat[:, label, :10]
            worst = max(worst, float(np.max(np.abs(difference[0]) / np.maximum(jackknife_error(difference), 1e-300))))
    return worst


def unseen(beta: float, Delta, edges, n_independent: float, G_cells, G_error, density: float) -> np.ndarray:
    """What events that happened not to occur could add to the integral of −G over each cell.

    An element of the inverse matrix at time difference τ is of order 1/|Δ(β − τ)|, `Delta` being the size of the
    sampled one, and as rare as |Δ| is small. Where a run sees no event it finds G ≈ 0 ± 0; one event missing in any 16
    neighbouring cells is the standard error of a run without any. As −G(τ) is convex, it is also bounded by the line
    between the nearest times where it is known.
    """
    middle, width = 0.5 * (edges[1:] + edges[:-1]), np.diff(edges)
    missing = 1 / (beta * n_independent * Delta)
    known = missing < 0.5 * (np.abs(G_cells) + G_error)
    tau = np.concatenate([[0.0], middle[known], [beta]])
    value = np.concatenate([[1 - density], ((np.abs(G_cells) + 2 * G_error) / width)[known], [density]])
    return np.minimum(missing / np.sqrt(RESOLVED), np.interp(middle, tau, value) * width)


def smooth(error: np.ndarray) -> np.ndarray:
    """Error bars (N, n_cells) averaged over neighbouring cells."""
    padded = np.pad(error**2, ((0, 0), (_WINDOW // 2,) * 2), mode="edge")
    mean = sum(padded[:, i : i + error.shape[1]] for i in range(_WINDOW)) / _WINDOW
    return np.sqrt(np.maximum(mean, (1e-9 * np.max(error, axis=1, keepdims=True, initial=0.0)) ** 2 + 1e-300))
