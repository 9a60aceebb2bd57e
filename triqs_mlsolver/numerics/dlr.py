# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
r"""Compact sampling grids in τ and iω from the discrete Lehmann representation.

A function of imaginary time whose energies lie within ±Λ/β is known from its values at a few dozen times, or at as many
Matsubara frequencies (Kaye, Chen, Parcollet, PRB 105, 235115). `grid(Λ)` gives the nodes and the matrices between τ, iω
and l, all in units of β, so that one grid serves every temperature.
"""

from __future__ import annotations

from functools import cached_property, lru_cache

import numpy as np

from . import legendre

_PRECISION = 1e-12
_KEPT = 64  # matrices of each kind, one per grid and length: random problems go through dozens, 0.2 MB each


class Grid:
    """Nodes and transforms for β ω_max ≤ Λ. Grids of one Λ are equal, and share their matrices.

    Attributes
    ----------
    cutoff : float
        Λ.
    tau : (r,) array
        Times in units of β, ascending.
    n : (2 r',) array of int
        Matsubara indices, symmetric about zero frequency: the r' non-negative ones follow their mirror images.
    poles : (r,) array
        Energies of the representation in units of 1/β.
    """

    def __init__(self, cutoff: float):
        from pydlr import dlr

        self.cutoff = cutoff
        basis = dlr(lamb=cutoff, eps=_PRECISION)
        self.poles = np.asarray(basis.get_dlr_frequencies())
        self.tau = np.sort(np.asarray(basis.get_tau(1.0)))
        n = np.round((np.imag(basis.get_matsubara_frequencies(1.0)) / np.pi - 1) / 2).astype(int)
        positive = np.unique(np.where(n >= 0, n, -n - 1))
        self.n = np.concatenate([-positive[::-1] - 1, positive])
        self.omega = np.pi * (2 * self.n + 1)

    def __eq__(self, other) -> bool:
        return isinstance(other, Grid) and self.cutoff == other.cutoff

    def __hash__(self) -> int:
        return hash(self.cutoff)

    @cached_property
    def _tau_from_poles(self) -> np.ndarray:
        return legendre.fermi_kernel(1.0, self.tau, self.poles)

    @cached_property
    def _iw_from_poles(self) -> np.ndarray:
        return 1 / (1j * self.omega[:, None] - self.poles[None, :])

    # The pole weights themselves are ill-conditioned; only products in which they have been eliminated are kept.

    @cached_property
    def iw_from_tau(self) -> np.ndarray:
        """G(iω) at all `n` from G(τ) at `tau`, in units of β."""
        return _eliminate(self._iw_from_poles, self._tau_from_poles)

    @cached_property
    def tau_from_iw(self) -> np.ndarray:
        """G(τ) at `tau` from G(iω) at all `n`, in units of 1/β; for functions that decay like 1/ω."""
        return _eliminate(self._tau_from_poles, self._iw_from_poles)

    @cached_property
    def end_from_iw(self) -> np.ndarray:
        """G(β⁻) from G(iω) at all `n`, (2 r',), in units of 1/β; for functions that decay like 1/ω."""
        return _eliminate(legendre.fermi_kernel(1.0, np.ones(1), self.poles), self._iw_from_poles)[0]

    @cached_property
    def _reflection(self) -> np.ndarray:
        return self.interpolation(1 - self.tau)

    def reflect(self, values: np.ndarray) -> np.ndarray:
        """G(β − τ) at `tau` from `values` (r, ...) of G(τ)."""
        return _applied(self._reflection, values)

    def interpolation(self, tau: np.ndarray) -> np.ndarray:
        """Matrix (len(tau), r) from G(τ) at `self.tau` to G at other times `tau` (n,), in units of β."""
        return _eliminate(legendre.fermi_kernel(1.0, tau, self.poles), self._tau_from_poles)

    def quadrature_from_tau(self, n: int) -> np.ndarray:
        """Matrix (n, r) from G(τ) at `tau` to the nodes of `legendre.quadrature`."""
        return _quadrature_from_tau(self, n)

    def to_iw(self, beta: float, values: np.ndarray) -> np.ndarray:
        """G(iω) at `n` from `values` (r, ...) of G(τ) at `tau`."""
        return beta * _applied(self.iw_from_tau, values)

    def to_tau(self, beta: float, values: np.ndarray) -> np.ndarray:
        """Real G(τ) at `tau` from `values` (2 r', ...) of G(iω) at `n`."""
        return np.real(_applied(self.tau_from_iw, values)) / beta

    def to_legendre(self, beta: float, values: np.ndarray, n_l: int) -> np.ndarray:
        """G_l (n_l, ...) from `values` (r, ...) of G(τ) at `tau`."""
        return beta * _applied(_legendre_from_tau(self, n_l), values)

    def tau_of_legendre(self, beta: float, coefficients: np.ndarray) -> np.ndarray:
        """G(τ) at `tau` from Legendre `coefficients` (n_l, ...)."""
        return _applied(_tau_from_legendre(self, len(coefficients)), coefficients) / beta

    def iw_of_legendre(self, coefficients: np.ndarray) -> np.ndarray:
        """G(iω) at `n` from Legendre `coefficients` (n_l, ...)."""
        return _applied(_iw_from_legendre(self, len(coefficients)), coefficients)


@lru_cache(maxsize=_KEPT)
def _quadrature_from_tau(grid: Grid, n: int) -> np.ndarray:
    return grid.interpolation(legendre.quadrature(1.0, n)[0])


@lru_cache(maxsize=_KEPT)
def _legendre_from_tau(grid: Grid, n_l: int) -> np.ndarray:
    from_poles = legendre.from_poles(1.0, grid.poles, np.eye(len(grid.poles)), n_l)
    return _eliminate(from_poles, grid._tau_from_poles)


@lru_cache(maxsize=_KEPT)
def _tau_from_legendre(grid: Grid, n_l: int) -> np.ndarray:
    return legendre.vandermonde(2 * grid.tau - 1, n_l)


@lru_cache(maxsize=_KEPT)
def _iw_from_legendre(grid: Grid, n_l: int) -> np.ndarray:
    positive = legendre.transfer_matrix(grid.n[grid.n >= 0], n_l)
    return np.concatenate([positive[::-1].conj(), positive])


def _applied(matrix: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The matrix on the first axis of `values`; a plain product, where that will do, saves most of a short call."""
    return matrix @ values if values.ndim <= 2 else np.tensordot(matrix, values, axes=(1, 0))


def _eliminate(to: np.ndarray, source: np.ndarray) -> np.ndarray:
    """The matrix M with M @ source = to, of smallest norm."""
    kind = np.result_type(to, source)
    return np.linalg.lstsq(source.T.astype(kind), to.T.astype(kind), rcond=1e-15)[0].T


@lru_cache(maxsize=16)
def _grid(step: int) -> Grid:
    return Grid(10.0 * 2.0**step)


def grid(beta_energy: float) -> Grid:
    """The grid for energies up to `beta_energy` / β; cutoffs come in powers of two, so that few grids are ever
    built.
    """
    return _grid(max(0, int(np.ceil(np.log2(max(beta_energy, 1.0) / 10.0)))))
