# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Transforms between the meshes of the embedded containers, by way of Legendre coefficients with exact tails."""

from __future__ import annotations

import numpy as np

from ..numerics import legendre, pole_fit
from .embedded_meshes import MeshImFreq


def _require_fermions(g) -> None:
    if g.mesh.statistic != "Fermion":
        raise NotImplementedError(
            "without TRIQS only fermionic functions can be transformed: install TRIQS for bosonic ones"
        )


def legendre_from_frequencies(g) -> np.ndarray:
    """Legendre coefficients of G(iω), real and imaginary part of G(τ) fitted apart."""
    _require_fermions(g)
    forward = g.data[len(g.mesh) // 2 :]
    mirrored = g.data[: len(g.mesh) // 2][::-1].conj()
    real = pole_fit.from_matsubara(g.beta, 0.5 * (forward + mirrored)).coefficients
    difference = 0.5 * (forward - mirrored)
    if np.abs(difference).max(initial=0.0) <= 1e-13 * np.abs(forward).max(initial=0.0):
        return real
    imag = pole_fit.from_matsubara(g.beta, -1j * difference).coefficients
    n_l = max(len(real), len(imag))
    return legendre.resized(real, n_l) + 1j * legendre.resized(imag, n_l)


def legendre_from_times(g) -> np.ndarray:
    _require_fermions(g)
    real = pole_fit.from_tau(g.beta, g.data.real)
    if np.abs(g.data.imag).max(initial=0.0) <= 1e-14 * np.abs(g.data).max(initial=0.0):
        return real
    imag = pole_fit.from_tau(g.beta, g.data.imag)
    n_l = max(len(real), len(imag))
    return legendre.resized(real, n_l) + 1j * legendre.resized(imag, n_l)


def on_frequencies(coefficients: np.ndarray, mesh: MeshImFreq) -> np.ndarray:
    n_iw = mesh.n_iw
    real, imag = legendre.to_matsubara(coefficients.real, n_iw), legendre.to_matsubara(coefficients.imag, n_iw)
    return np.concatenate([(real.conj() + 1j * imag.conj())[::-1], real + 1j * imag])
