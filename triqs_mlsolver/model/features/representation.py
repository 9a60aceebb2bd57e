# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
r"""Bases in which functions of τ enter the model and corrections leave it.

All are linear maps from and to Legendre coefficients of a dimensionless function f on x = 2τ/β − 1, f_l = G_l/β. Every
basis function is even or odd about β/2, so that the particle-hole map is a sign per coefficient.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from ...numerics import legendre

N_LEGENDRE = 96  # Legendre coefficients that are represented; higher ones are those of the baseline
_MESH_POINTS = 51
_HEIGHT_POINTS = 1001  # equidistant x at which the heights of basis functions are read off
_LAMBDA, _SMALLEST_SINGULAR = 1000.0, 1e-9  # of the intermediate representation


@dataclass(frozen=True, eq=False)
class Representation:
    """One basis of n functions.

    Attributes
    ----------
    name : str
    analysis : (N_LEGENDRE, n) array
        f_l @ analysis are the coefficients.
    synthesis : (n, N_LEGENDRE) array
        coefficients @ synthesis are Legendre coefficients.
    parity : (n,) array of ±1
        Sign of each coefficient under τ → β − τ.
    height : (n,) array
        Largest value of each basis function: by how much a unit of the coefficient changes the function.
    """

    name: str
    analysis: np.ndarray
    synthesis: np.ndarray
    parity: np.ndarray

    @cached_property
    def height(self) -> np.ndarray:
        return np.max(
            np.abs(self.synthesis @ legendre.vandermonde(np.linspace(-1, 1, _HEIGHT_POINTS), N_LEGENDRE).T), axis=1
        )


@lru_cache(maxsize=8)
def representation(name: str) -> Representation:
    """The representation of that name: "legendre", "chebyshev", "tau_mesh" (51 points) or "ir".

    Raises
    ------
    ValueError
        For an unknown name.

    Examples
    --------
    >>> mesh = representation("tau_mesh")
    >>> f = np.zeros(N_LEGENDRE)
    >>> f[:3] = 1.0, -0.5, 0.25
    >>> bool(np.allclose(f @ mesh.analysis @ mesh.synthesis, f))
    True
    """
    if name not in _BASES:
        raise ValueError(f"representation = {name!r} is not known: choose one of {', '.join(map(repr, _BASES))}")
    return Representation(name, *_BASES[name]())


def _legendre():
    every = np.eye(N_LEGENDRE)
    return every, every, _alternating(N_LEGENDRE)


def _chebyshev():
    """Coefficients of T_k, k < N_LEGENDRE; exact for the polynomials that N_LEGENDRE coefficients hold."""
    n = N_LEGENDRE
    x = np.cos(np.pi * (np.arange(n) + 0.5) / n)
    T = np.polynomial.chebyshev.chebvander(x, n - 1)
    from_values = 2.0 / n * T
    from_values[:, 0] *= 0.5
    analysis = legendre.vandermonde(x, n).T @ from_values
    nodes, project = _projection()
    return analysis, np.polynomial.chebyshev.chebvander(nodes, n - 1).T @ project, _alternating(n)


def _tau_mesh():
    """Values at Chebyshev–Lobatto points, dense at both ends where G(τ) varies most, as even and odd combinations."""
    n = _MESH_POINTS
    x = -np.cos(np.pi * np.arange(n) / (n - 1))
    half = n // 2
    combine = np.zeros((n, n))
    for k in range(half):
        combine[[k, n - 1 - k], k] = np.sqrt(0.5)
        combine[[k, n - 1 - k], half + 1 + k] = np.sqrt(0.5), -np.sqrt(0.5)
    combine[half, half] = 1.0
    analysis = legendre.vandermonde(x, N_LEGENDRE).T @ combine
    to_chebyshev = np.linalg.inv(np.polynomial.chebyshev.chebvander(x, n - 1)).T
    nodes, project = _projection()
    synthesis = combine.T @ to_chebyshev @ np.polynomial.chebyshev.chebvander(nodes, n - 1).T @ project
    return analysis, synthesis, np.r_[np.ones(half + 1), -np.ones(half)]


def _ir():
    """Left singular functions of the kernel exp(−Λ(x+1)y/2)/(1 + exp(−Λy)) (Shinaoka et al., PRB 96, 035147)."""
    nodes, project = _projection()
    _, weights = np.polynomial.legendre.leggauss(len(nodes))
    y = np.concatenate([-np.geomspace(1, 1e-4, 200), [0.0], np.geomspace(1e-4, 1, 200)])
    kernel = np.exp(-0.5 * _LAMBDA * np.outer(nodes, y)) / (2 * np.cosh(0.5 * _LAMBDA * y))
    u, s, _ = np.linalg.svd(np.sqrt(weights)[:, None] * kernel * np.sqrt(np.gradient(y)), full_matrices=False)
    u = (u / np.sqrt(weights)[:, None])[:, s > _SMALLEST_SINGULAR * s[0]]
    parity = _alternating(u.shape[1])
    u = 0.5 * (u + parity * u[::-1])  # exactly even or odd
    analysis = (legendre.vandermonde(nodes, N_LEGENDRE) * weights[:, None]).T @ u
    return analysis, u.T @ project, parity


def _projection() -> tuple[np.ndarray, np.ndarray]:
    """Gauss nodes x, and the matrix (nodes, N_LEGENDRE) from values there to Legendre coefficients."""
    x, w = np.polynomial.legendre.leggauss(2 * N_LEGENDRE)
    return x, 0.5 * w[:, None] * legendre.vandermonde(x, N_LEGENDRE)


def _alternating(n: int) -> np.ndarray:
    return (-1.0) ** np.arange(n)


_BASES = {"legendre": _legendre, "chebyshev": _chebyshev, "tau_mesh": _tau_mesh, "ir": _ir}
