# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
r"""Exact-tail transforms of tabulated fermionic functions into Legendre coefficients, by a fit of poles.

Data on Matsubara frequencies or imaginary times are fitted by poles on a fixed grid of energies, F(iω) = Σ_k w_k / (iω
− ε_k), plus a constant h where wanted. Such poles span whatever a spectrum on [−ε_max, ε_max] can produce (the discrete
Lehmann representation, Kaye et al., PRB 105, 235115), so that tails come out exactly. The fit is a truncated singular
value decomposition; reach ε_max and rank are the smallest that generalised cross-validation allows, so that clean data
are reproduced to rounding and noise is not fitted. Poles come in pairs ±ε: even combinations are purely imaginary on
the Matsubara axis, odd ones purely real, and the two halves of the problem decouple.

The intermediate representation of sparse-ir spans the same space; its kernel decomposition at this precision takes
seconds (6 s at β ε_max = 1000), where the small decompositions here take milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from . import legendre

_SVD_CUTOFF = 1e-14
_REACHES = 2.0 ** np.arange(1, 18)  # β ε_max that are tried in turn
_NODES_PER_PANEL = 10
_TAU_POINTS = 600


@dataclass(frozen=True)
class PoleFit:
    """Result of a fit.

    Attributes
    ----------
    constant : (...) array
        h = lim F(iω); zero where no constant was fitted.
    coefficients : (n_l, ...) array
        Legendre coefficients of F − h (see `numerics.legendre`).
    doubt : float
        How much the constant changes when poles of twice the reach are admitted; zero unless the fit needed poles up to
        the last frequency, beyond which a pole cannot be told from a constant.
    """

    constant: np.ndarray
    coefficients: np.ndarray
    doubt: float


def from_matsubara(beta: float, values: np.ndarray, has_constant: bool = False) -> PoleFit:
    """Legendre coefficients of a function that is real in imaginary time.

    Parameters
    ----------
    beta : float
        Inverse temperature.
    values : (n_iw, ...) array
        F(iω_n), n = 0 … n_iw − 1.
    has_constant : bool
        Whether a constant may be added to the poles.
    """
    values = np.asarray(values)
    columns = values.reshape(len(values), -1) / beta
    n_iw = len(columns)
    even = _best_fit_under_noise(columns.imag, _matsubara_even, n_iw, has_constant=False)
    odd = _best_fit_under_noise(columns.real, _matsubara_odd, n_iw, has_constant=has_constant)
    doubt = 0.0
    if has_constant and odd.reach == _reaches(n_iw)[-1]:
        wider = _fit(columns.real, _matsubara_odd, 2 * odd.reach, n_iw, True, 0)
        doubt = beta * float(np.abs(wider.constant - odd.constant).max())
    coefficients = beta * _legendre_of_pairs(even, odd)
    return PoleFit(beta * odd.constant.reshape(values.shape[1:]), coefficients.reshape(-1, *values.shape[1:]), doubt)


def from_tau(beta: float, values: np.ndarray) -> np.ndarray:
    """Legendre coefficients (n_l, ...) of a real function on n_tau equidistant points of [0, β], ends included."""
    values = np.asarray(values)
    n_tau = len(values)
    keep = _tau_subset(n_tau)
    columns, mirrored = values[keep].reshape(len(keep), -1), values[n_tau - 1 - keep].reshape(len(keep), -1)
    even = _best_fit(0.5 * (columns + mirrored), _tau_even, n_tau, has_constant=False)
    odd = _best_fit(0.5 * (columns - mirrored), _tau_odd, n_tau, has_constant=False)
    return trimmed(beta * _legendre_of_pairs(even, odd).reshape(-1, *values.shape[1:]))


def trimmed(coefficients: np.ndarray) -> np.ndarray:
    """Without the trailing coefficients that are below rounding; an even number of them, at least 4."""
    size = np.abs(coefficients).reshape(len(coefficients), -1).max(axis=1, initial=0.0)
    significant = np.nonzero(size > 1e-14 * size.max(initial=0.0))[0]
    n_l = 4 if len(significant) == 0 else max(4, int(significant[-1]) + 1)
    return legendre.resized(coefficients, 2 * ((n_l + 1) // 2))


# -- fit by pairs of poles; everything below in units of 1/beta -------------------------------------


@dataclass(frozen=True)
class _Fit:
    """Weights of the poles (n_poles, n_columns), the constant, and how well they describe the data."""

    reach: float
    weights: np.ndarray
    constant: np.ndarray
    error: float  # root mean square of what is left, with the weights of the fit
    score: float
    kernel: np.ndarray

    def residual(self, columns: np.ndarray) -> np.ndarray:
        return columns - self.constant - self.kernel @ self.weights


@lru_cache(maxsize=64)
def _energies(reach: float) -> np.ndarray:
    """β ε of the poles, 0 < β ε ≤ reach: Gauss-Legendre nodes on panels that halve towards zero."""
    n_panels = max(1, int(np.ceil(np.log2(reach))))
    edges = np.concatenate([[0.0], reach * 2.0 ** -np.arange(n_panels - 1, -1, -1)])
    x, _ = np.polynomial.legendre.leggauss(_NODES_PER_PANEL)
    nodes = [0.5 * (a + b) + 0.5 * (b - a) * x for a, b in zip(edges[:-1], edges[1:])]
    return np.concatenate([*nodes, [reach]])


def _omega(n_iw: int) -> np.ndarray:
    return (2 * np.arange(n_iw)[:, None] + 1) * np.pi


def _matsubara_even(reach: float, n_iw: int) -> np.ndarray:
    """Im of ½ [1/(iω−ε) + 1/(iω+ε)] in units of β."""
    w, e = _omega(n_iw), _energies(reach)
    return -w / (w**2 + e**2)


def _matsubara_odd(reach: float, n_iw: int) -> np.ndarray:
    """Re of ½ [1/(iω−ε) − 1/(iω+ε)] in units of β."""
    w, e = _omega(n_iw), _energies(reach)
    return -e / (w**2 + e**2)


def _tau_subset(n_tau: int) -> np.ndarray:
    """At most about `_TAU_POINTS` points of the equidistant mesh, dense near both ends, where Δ varies fastest."""
    x = 0.5 * (1 - np.cos(np.pi * np.linspace(0, 1, min(n_tau, _TAU_POINTS))))
    return np.unique(np.round(x * (n_tau - 1)).astype(int))


def _tau_pair(reach: float, n_tau: int, sign: int) -> np.ndarray:
    tau, e = _tau_subset(n_tau) / (n_tau - 1), _energies(reach)
    return 0.5 * (legendre.fermi_kernel(1.0, tau, e) + sign * legendre.fermi_kernel(1.0, tau, -e))


def _tau_even(reach: float, n_tau: int) -> np.ndarray:
    return _tau_pair(reach, n_tau, 1)


def _tau_odd(reach: float, n_tau: int) -> np.ndarray:
    return _tau_pair(reach, n_tau, -1)


@lru_cache(maxsize=64)
def _decomposition(kernel, reach: float, n: int, has_constant: bool, power: int) -> tuple[np.ndarray, ...]:
    """Singular value decomposition of the weighted kernel matrix, a constant projected out where there is one."""
    K = kernel(reach, n)
    w = _noise_weights(len(K), power)[:, None]
    means = (w**2 * K).sum(axis=0) / (w**2).sum() if has_constant else np.zeros(K.shape[1])
    u, s, vt = np.linalg.svd(w * (K - means), full_matrices=False)
    rank = int(np.sum(s > _SVD_CUTOFF * s[0]))
    return u[:, :rank], vt[:rank].T / s[:rank], means, K


def _noise_weights(n: int, power: int) -> np.ndarray:
    """Weights for noise that grows like ω^power, as that of a self-energy from Dyson's equation does."""
    return (2.0 * np.arange(n) + 1) ** -power


def _best_fit(columns: np.ndarray, kernel, n: int, has_constant: bool, power: int = 0) -> _Fit:
    """Fit of all columns with the smallest reach that cross-validation finds as good as the largest one."""
    reaches = _reaches(n)
    widest = _fit(columns, kernel, reaches[-1], n, has_constant, power)
    for reach in reaches[:-1]:
        fit = _fit(columns, kernel, reach, n, has_constant, power)
        if fit.score <= 1.25 * widest.score:
            return fit
    return widest


def _best_fit_under_noise(columns: np.ndarray, kernel, n: int, has_constant: bool) -> _Fit:
    """As `_best_fit`, with the noise taken to grow with frequency where the residuals of a first fit say so."""
    fit = _best_fit(columns, kernel, n, has_constant)
    if fit.error <= 1e-10 * np.abs(columns).max(initial=0.0):
        return fit
    # what is left at low frequencies may be misfit rather than noise: compare two bands far above, a factor 4 apart
    residual = fit.residual(columns)
    size = lambda part: float(np.sqrt(np.mean(residual[part] ** 2)))
    growth = np.log(size(slice(n // 2, n)) / max(size(slice(n // 8, n // 4)), 1e-300)) / np.log(4)
    power = int(np.clip(round(growth), 0, 2))
    return _best_fit(columns, kernel, n, has_constant, power) if power else fit


def _reaches(n: int) -> list[float]:
    return [float(r) for r in _REACHES[_REACHES <= max(2 * np.pi * n, 16.0)]]


def _fit(b: np.ndarray, kernel, reach: float, n: int, has_constant: bool, power: int) -> _Fit:
    u, back, means, K = _decomposition(kernel, reach, n, has_constant, power)
    w = _noise_weights(len(b), power)[:, None]
    centre = (w**2 * b).sum(axis=0) / (w**2).sum() if has_constant else np.zeros(b.shape[1])
    weighted = w * (b - centre)
    c = u.T @ weighted
    # squared residual after keeping the first k singular vectors, k = 0 … rank
    squares = np.append(np.cumsum(np.sum(c**2, axis=1)[::-1])[::-1], 0.0) + np.sum((weighted - u @ c) ** 2)
    score = squares / (len(b) - np.arange(len(squares))) ** 2
    rank = int(np.argmin(score))
    weights = back[:, :rank] @ c[:rank]
    return _Fit(reach, weights, centre - means @ weights, float(np.sqrt(squares[rank] / b.size)), float(score[rank]), K)


@lru_cache(maxsize=64)
def _legendre_table(reach: float) -> np.ndarray:
    """Legendre coefficients (n_l, n_poles) of the single poles 1/(iω − ε), β = 1."""
    e = _energies(reach)
    return legendre.from_poles(1.0, e, np.eye(len(e)))


def _legendre_of_pairs(even: _Fit, odd: _Fit) -> np.ndarray:
    """Coefficients, β = 1, of Σ_k [a_k (p₊ + p₋) + b_k (p₊ − p₋)]/2: even l from even pairs, odd l from odd ones."""
    a = _legendre_table(even.reach) @ even.weights
    b = _legendre_table(odd.reach) @ odd.weights
    out = np.zeros((max(len(a), len(b)), a.shape[1]))
    out[0 : len(a) : 2] = a[0::2]
    out[1 : len(b) : 2] = b[1::2]
    return out
