# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Transforms between the meshes of the embedded containers, by way of Legendre coefficients with exact tails; other
ways to put G(τ) and G_l on what is wanted.
"""

from __future__ import annotations

import numpy as np

from ..numerics import legendre, pole_fit
from .embedded_meshes import MeshImFreq, MeshImTime


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


def rebinning_tau(g, new_n_tau: int):
    """G(τ) on `new_n_tau` times, each the mean of the old values that are nearest to it."""
    if not isinstance(g.mesh, MeshImTime):
        raise TypeError(f"rebinning_tau takes imaginary times (MeshImTime), not a {type(g.mesh).__name__}")
    mesh = MeshImTime(g.mesh.beta, g.mesh.statistic, new_n_tau)
    tau = g.mesh.beta * (np.arange(len(g.mesh)) / (len(g.mesh) - 1))  # halves are rounded as in TRIQS
    nearest = np.floor(tau / (g.mesh.beta / (new_n_tau - 1)) + 0.5).astype(int)
    sums = np.zeros((new_n_tau, *g.data.shape[1:]), g.data.dtype)
    np.add.at(sums, nearest, g.data)
    counts = np.bincount(nearest, minlength=new_n_tau)
    if not counts.all():
        raise ValueError(f"{len(g.mesh)} times are too few to be rebinned to {new_n_tau}")
    return type(g)(mesh=mesh, data=sums / counts.reshape(-1, *[1] * (g.data.ndim - 1)))


def enforce_discontinuity(gl, disc) -> None:
    """Move Legendre coefficients as little as possible such that −G(0⁺) − G(β⁻) = `disc`, in place."""
    l = np.arange(len(gl.mesh))
    weight = np.where(l % 2 == 0, -2 * np.sqrt(2 * l + 1) / gl.mesh.beta, 0.0)
    found = np.tensordot(weight, gl.data, axes=(0, 0))
    gl.data[...] += np.multiply.outer(weight / np.sum(weight**2), np.asarray(disc) - found)
