# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
r"""Discrete baths for a given hybridisation: Δ(iω) ≈ Σ_k V_k² / (iω − ε_k).

`fit_bath` looks for the best sites. It depends on the problem alone, never on an earlier fit: all its starting points
follow from Δ. Only the levels are searched for; the V_k² for given levels follow from non-negative least squares
(separable fit). Where minima exchange their order, the best sites jump.

`projected_bath` gives sites that vary smoothly with Δ.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations

import numpy as np
from scipy.optimize import least_squares

from . import dlr, legendre
from .nonnegative import nonnegative_least_squares

_DEPENDENT = 1e-10  # share of a site in the projections on the filters below which it is not there


def fit_bath(
    beta: float, Delta_l: np.ndarray, n_bath: int, *, reach: float, symmetric: bool = False
) -> tuple[np.ndarray, np.ndarray, float]:
    """Fit one orbital's Δ by `n_bath` sites, started from many places.

    Parameters
    ----------
    beta : float
        Inverse temperature (1/energy).
    Delta_l : (n_l,) array
        Legendre coefficients of Δ(τ) (energy).
    n_bath : int
        Number of bath sites.
    reach : float
        The levels are looked for in [−reach, reach] (energy).
    symmetric : bool
        Keep the bath symmetric under ε → −ε, for a particle-hole symmetric Δ.

    Returns
    -------
    eps, V : (n_bath,) arrays
        Levels, ascending, and couplings ≥ 0 (energy).
    residual : float
        Largest deviation of the fitted Δ(τ), relative to −Δ(0⁺) − Δ(β⁻); dimensionless.
    """
    if n_bath < 1:
        raise ValueError(f"n_bath = {n_bath}: a bath has at least one site")
    m1 = -float(sum(legendre.at_ends(beta, Delta_l)))
    if m1 <= 0:
        return np.zeros(n_bath), np.zeros(n_bath), 0.0
    fit = _SeparableFit(beta, np.asarray(Delta_l, float), n_bath, reach, symmetric)
    found = [fit.refined(start) for start in fit.starts()]
    _, free = min(found, key=lambda pair: pair[0])
    eps = fit.levels(free)
    weight, _ = fit.weights(eps)
    order = np.argsort(eps)
    Delta_tau = legendre.evaluate(beta, Delta_l, fit.tau)
    residual = np.max(np.abs(legendre.fermi_kernel(beta, fit.tau, eps) @ weight - Delta_tau)) / m1
    return eps[order], np.sqrt(weight[order]), float(residual)


def projected_bath(beta: float, Delta_iw: np.ndarray, filters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    r"""The bath seen through n filters, a smooth function of Δ.

    Be H the bath without the impurity and v the state that the impurity couples to,
    :math:`\Delta(z) = v^\dagger (z - H)^{-1} v`. H is projected on the n states
    :math:`\sum_k a_{kj} (i\omega_k - H)^{-1} v`. All matrix elements follow from Δ(iω), since
    :math:`(z - \bar w) (\bar w - H)^{-1} (z - H)^{-1} = (\bar w - H)^{-1} - (z - H)^{-1}` (Loewner matrices; Mayo,
    Antoulas, Linear Algebra Appl. 425, 634 (2007)).

    The levels lie within the band, and levels and couplings are analytic functions of Δ. A bath of n sites comes back
    as it is. Filters that pass one frequency each give the bath whose Δ is right there.

    Parameters
    ----------
    beta : float
        Inverse temperature (1/energy).
    Delta_iw : (n_iw,) complex array
        Δ(iω_k) of one orbital at the first Matsubara frequencies (energy).
    filters : (n_iw, n) array
        Real coefficients a_kj; n independent columns.

    Returns
    -------
    eps, V : arrays
        Levels, ascending, and couplings ≥ 0 (energy); fewer than n where the bath has fewer sites.
    """
    iw = 1j * np.pi * (2 * np.arange(len(Delta_iw)) + 1) / beta
    summed = beta * (_inverse_sums(len(Delta_iw)) @ filters)

    def matrix(f):
        half = summed.T @ (f[:, None] * filters)
        return 1j * (half - half.conj().T)

    overlap = matrix(Delta_iw)
    size = np.real(np.diag(overlap))
    if not np.all(size > 0):
        return np.zeros(0), np.zeros(0)
    normalised = 1 / np.sqrt(size)
    strength, directions = np.linalg.eigh(normalised[:, None] * overlap * normalised)
    kept = strength > _DEPENDENT
    basis = normalised[:, None] * directions[:, kept] / np.sqrt(strength[kept])
    eps, levels = np.linalg.eigh(basis.conj().T @ matrix(iw * Delta_iw) @ basis)
    return eps, np.abs((Delta_iw @ filters) @ basis @ levels)


@lru_cache(maxsize=4)
def _inverse_sums(n: int) -> np.ndarray:
    """1 / (ω_k + ω_l) in units of β, (n, n)."""
    k = np.arange(n)
    return 1 / (2 * np.pi * (k[:, None] + k + 1))


def log_grid(smallest: float, reach: float, n: int) -> np.ndarray:
    """`n` (odd) energies symmetric about zero and including it, geometric from `smallest` to `reach`."""
    positive = np.geomspace(min(smallest, 0.5 * reach), reach, n // 2)
    return np.concatenate([-positive[::-1], [0.0], positive])


class _SeparableFit:
    """Least squares in iω with weights 1/ω, so that the low frequencies decide the low-energy physics."""

    def __init__(self, beta, Delta_l, n_bath, reach, symmetric):
        self.beta, self.n_bath, self.reach, self.symmetric = beta, n_bath, reach, symmetric
        grid = dlr.grid(beta * reach)
        positive = grid.n >= 0
        self.tau = grid.tau * beta
        self.iw = 1j * grid.omega[positive] / beta
        target = grid.iw_of_legendre(Delta_l)[positive]
        spacing = np.gradient(self.iw.imag)
        self.row_weight = np.sqrt(spacing) / (self.iw.imag + 0.1 * reach)
        self.rhs = self._rows(target[:, None])[:, 0]

    def _rows(self, columns):
        weighted = self.row_weight[:, None] * columns
        return np.concatenate([weighted.real, weighted.imag])

    def _mirrored(self):
        return self.n_bath // 2 if self.symmetric else 0

    def levels(self, free):
        """All levels from the free ones; with symmetry those come in pairs ±ε, and an odd site sits at zero."""
        if not self.symmetric:
            return np.asarray(free)
        return np.concatenate([-np.asarray(free), free, np.zeros(self.n_bath % 2)])

    def weights(self, eps):
        """Best V² ≥ 0 for levels `eps`, and the residual vector."""
        A = self._rows(1 / (self.iw[:, None] - eps[None, :]))
        pairs = self._mirrored()
        share = np.eye(len(eps))
        if pairs and len(eps) == self.n_bath:  # mirror images share one weight
            share = np.delete(share, np.s_[:pairs], axis=1)
            share[np.arange(pairs), np.arange(pairs)] = 1
        v = nonnegative_least_squares(A @ share, self.rhs)
        return share @ v, A @ (share @ v) - self.rhs

    def starts(self):
        """Free levels to start from: spread over the band, and picked among the peaks of a fine-grid fit."""
        n_free = self._mirrored() if self.symmetric else self.n_bath
        if n_free == 0:
            return [np.zeros(0)]
        if self.n_bath == 1:
            return [self._best_single_level()]
        peaks, strength = self._peaks()
        bottom = 0.0 if self.symmetric else -1.0
        spread = [self.reach * f * np.linspace(bottom, 1, n_free + 2)[1:-1] for f in (0.8, 0.3, 0.08)]
        strongest = np.sort(peaks[np.argsort(-strength)[: n_free + 3]])
        picked = [np.array(levels) for levels in combinations(strongest, n_free)]
        picked.sort(key=lambda levels: np.sum(self.weights(self.levels(levels))[1] ** 2))
        return spread + picked[:4]

    def _peaks(self):
        """Centres and strengths of the clusters of a non-negative fit on a fine grid."""
        eps = log_grid(0.3 / self.beta, self.reach, 121)
        weight = nonnegative_least_squares(self._rows(1 / (self.iw[:, None] - eps[None, :])), self.rhs)
        occupied = np.concatenate([[False], weight > 1e-6 * weight.sum(), [False]]).astype(int)
        edges = np.flatnonzero(np.diff(occupied))
        clusters = [slice(a, b) for a, b in zip(edges[::2], edges[1::2])]
        centre = np.array([np.average(eps[c], weights=weight[c]) for c in clusters])
        strength = np.array([weight[c].sum() for c in clusters])
        keep = centre > 0 if self.symmetric else np.full(len(centre), True)
        return centre[keep], strength[keep]

    def _best_single_level(self):
        """Global minimum for one site, by scanning ever finer grids: the best weight for each level is a projection."""
        levels = np.linspace(-self.reach, self.reach, 201)
        for _ in range(8):  # each is ten times finer: to the square root of rounding
            A = self._rows(1 / (self.iw[:, None] - levels[None, :]))
            gain = np.maximum(self.rhs @ A, 0.0) ** 2 / np.sum(A**2, axis=0)
            best, step = levels[np.argmax(gain)], levels[1] - levels[0]
            levels = np.linspace(best - 2 * step, best + 2 * step, 41)
        return np.array([best])

    def refined(self, free):
        """Cost and free levels at the minimum nearest to `free`."""
        norm = np.linalg.norm(self.rhs)
        residual = lambda levels: self.weights(self.levels(levels))[1] / norm
        if len(free) == 0 or self.n_bath == 1:
            return float(np.sum(residual(free) ** 2)), free
        found = least_squares(
            residual, free, x_scale=0.25 * self.reach, xtol=1e-15, ftol=1e-15, gtol=1e-15, max_nfev=80
        )
        return 2 * float(found.cost), found.x
