# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Discrete Lehmann meshes for machines without TRIQS, on the nodes of pydlr.

A function whose energies lie within ±w_max is Σ_l g_l k(x_l): of few poles x_l, known from its values at as many times
or Matsubara frequencies. With τ in units of β and energies in units of 1/β,

    k(τ) = −e^{−τ x}/(1 + e^{−x}),    k(iν) = 1/(iν − x) for fermions, tanh(x/2)/(iν − x) for bosons.

Poles and times are those of TRIQS. Frequencies are as good, but which of some that serve alike are taken is a matter of
rounding: an archive holds the nodes, and what it holds is read on them.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from dcorelib.triqs_compat.gf.meshes import Mesh as _Mesh
from dcorelib.triqs_compat.h5 import register_class

from ..numerics import legendre
from .embedded_blocks import BlockGf
from .embedded_gf import Gf, register
from .embedded_meshes import FiniteTemperatureMesh, MatsubaraPoint, MeshImFreq, MeshImTime, RealPointsMesh, placed


class _Basis:
    """Poles `x`, times `tau` in [0, 1] and Matsubara indices `n`, all ascending, of one Λ = β w_max."""

    def __init__(self, x, tau, n, statistic: str):
        self.x, self.tau, self.n, self.statistic = np.asarray(x), np.asarray(tau), np.asarray(n, int), statistic

    def at_times(self, tau: np.ndarray) -> np.ndarray:
        """k(τ), (len(tau), r); τ in units of β."""
        return legendre.fermi_kernel(1.0, tau, self.x)

    def at_frequencies(self, n: np.ndarray) -> np.ndarray:
        """k(iν_n), (len(n), r), in units of β."""
        fermionic = self.statistic == "Fermion"
        nu = np.pi * (2 * np.asarray(n) + fermionic)
        if fermionic:
            return 1 / (1j * nu[:, None] - self.x[None, :])
        with np.errstate(invalid="ignore", divide="ignore"):
            kernel = np.tanh(self.x / 2)[None, :] / (1j * nu[:, None] - self.x[None, :])
        return np.where((nu[:, None] == 0) & (self.x[None, :] == 0), -0.5, kernel)


@lru_cache(maxsize=16)
def _basis(cutoff: float, eps: float, statistic: str) -> _Basis:
    from pydlr import dlr

    found = dlr(lamb=cutoff, eps=eps, xi=-1 if statistic == "Fermion" else 1)
    nu = np.imag(found.get_matsubara_frequencies(1.0)) / np.pi
    n = np.sort(np.round((nu - (statistic == "Fermion")) / 2).astype(int))
    return _Basis(found.get_dlr_frequencies(), np.sort(found.get_tau(1.0)), n, statistic)


class MeshDLR(RealPointsMesh, FiniteTemperatureMesh, _Mesh):
    """Poles of the discrete Lehmann representation.

    Parameters
    ----------
    beta : float
    statistic : str
        "Fermion" or "Boson".
    w_max : float
        Energies lie within ±w_max.
    eps : float
        Accuracy of the representation, relative.
    """

    def __init__(self, beta, statistic, w_max, eps, _nodes=None):
        self._set_domain(beta, statistic)
        if not (w_max > 0 and 0 < eps < 1):
            raise ValueError(f"w_max = {w_max} must be a positive energy, and eps = {eps} lie between 0 and 1")
        self.w_max, self.eps = float(w_max), float(eps)
        self.basis = _basis(self.beta * self.w_max, self.eps, self.statistic) if _nodes is None else _nodes
        self._points = self._own_points()

    def _own_points(self) -> np.ndarray:
        return self.basis.x

    def on(self, mesh_type):
        """The mesh of another kind with the same nodes."""
        return mesh_type(self.beta, self.statistic, self.w_max, self.eps, self.basis)

    @property
    def hash(self) -> int:
        nodes = (np.round(self.basis.x, 9).tobytes(), np.round(self.basis.tau, 12).tobytes(), self.basis.n.tobytes())
        return hash((type(self).__name__, self.beta, self.statistic, self.w_max, self.eps, nodes))

    def __repr__(self) -> str:
        return f"{super().__repr__()}, w_max = {self.w_max:g}, eps = {self.eps:g}"

    def __write_hdf5__(self, group, key) -> None:
        group.create_group(key)
        g = group[key]
        self._write_domain(g)
        g["w_max"], g["eps"], g["dlr_freq"] = self.w_max, self.eps, self.basis.x
        cutoff, tau = self.beta * self.w_max, self.basis.tau
        times, frequencies = self.basis.at_times(tau), self.basis.at_frequencies(self.basis.n)
        signed = np.where(tau > 0.5, tau - 1, tau)  # times past the middle are counted from the end
        sign = np.intc(1 if self.statistic == "Fermion" else 0)
        _write_operations(g, "dlr_it", cutoff, self.basis.x, "it", signed, times)
        _write_operations(g, "dlr_if", cutoff, self.basis.x, "if", self.basis.n.astype(np.intc), frequencies, sign)
        g.write_attr("Format", type(self).__name__)

    @classmethod
    def __factory_from_dict__(cls, key, values):
        domain = cls._read_domain(values)
        tau, n = values["dlr_it"]["it"], values["dlr_if"]["if"]
        nodes = _Basis(values["dlr_freq"], np.where(tau < 0, 1 + tau, tau), n, cls._full_name(domain["statistic"]))
        return cls(**domain, w_max=float(values["w_max"]), eps=float(values["eps"]), _nodes=nodes)


class MeshDLRImTime(MeshDLR):
    """Times that determine a function of energies within ±`w_max`; parameters as of `MeshDLR`."""

    def _own_points(self) -> np.ndarray:
        return self.beta * self.basis.tau


class MeshDLRImFreq(MeshDLR):
    """Matsubara frequencies that determine a function of energies within ±`w_max`; parameters as of `MeshDLR`."""

    of_frequency = True

    def _own_points(self) -> np.ndarray:
        return 1j * np.pi / self.beta * (2 * self.basis.n + (self.statistic == "Fermion"))

    def __getitem__(self, k: int) -> MatsubaraPoint:
        index = range(len(self))[k]
        return placed(MatsubaraPoint(self._points[index]), self.basis.n[index], index)


class GfDLR(Gf):
    """Coefficients g_l of the poles."""

    _mesh_type = MeshDLR

    def __call__(self, point) -> np.ndarray:
        """At a time, or at a Matsubara frequency given as a mesh point or a complex number."""
        basis, beta = self.mesh.basis, self.mesh.beta
        if isinstance(point, complex):
            n = getattr(point, "index", (point.imag * beta / np.pi - (self.mesh.statistic == "Fermion")) / 2)
            return beta * np.tensordot(basis.at_frequencies(np.array([round(n)])), self.data, axes=(1, 0))[0]
        return np.tensordot(basis.at_times(np.array([float(point) / beta])), self.data, axes=(1, 0))[0]

    def density(self, *_args) -> np.ndarray:
        """−G(β⁻), not transposed (as of G(iω))."""
        return -self(self.mesh.beta)

    def total_density(self, *args) -> complex:
        return np.trace(np.atleast_2d(self.density(*args)))


class GfDLRImTime(Gf):
    """Values at the times of a MeshDLRImTime."""

    _mesh_type = MeshDLRImTime


class GfDLRImFreq(Gf):
    """Values at the frequencies of a MeshDLRImFreq."""

    _mesh_type = MeshDLRImFreq


def make_gf_dlr(g):
    """Coefficients of the poles from values at the nodes (MeshDLRImTime, MeshDLRImFreq), for blocks as well."""
    if isinstance(g, BlockGf):
        return g._mapped(lambda _, block: make_gf_dlr(block))
    _require(g, (MeshDLRImTime, MeshDLRImFreq), "make_gf_dlr")
    basis = g.mesh.basis
    if isinstance(g.mesh, MeshDLRImTime):
        return _on(g, MeshDLR, _solved(basis.at_times(basis.tau), g.data))
    return _on(g, MeshDLR, _solved(g.mesh.beta * basis.at_frequencies(basis.n), g.data))


def make_gf_dlr_imtime(g):
    """Values at the nodes in time from coefficients of the poles."""
    return _from_poles(g, MeshDLRImTime, lambda mesh: mesh.basis.at_times(mesh.basis.tau))


def make_gf_dlr_imfreq(g):
    """Values at the nodes in frequency from coefficients of the poles."""
    return _from_poles(g, MeshDLRImFreq, lambda mesh: mesh.beta * mesh.basis.at_frequencies(mesh.basis.n))


def make_gf_imtime(g, n_tau: int):
    """G(τ) at `n_tau` equidistant times from coefficients of the poles."""
    new = lambda mesh: MeshImTime(mesh.beta, mesh.statistic, n_tau)
    return _from_poles(g, new, lambda mesh: mesh.basis.at_times(np.linspace(0, 1, n_tau)))


def make_gf_imfreq(g, n_iw: int):
    """G(iω) at all Matsubara frequencies, `n_iw` positive ones, from coefficients of the poles."""
    new = lambda mesh: MeshImFreq(mesh.beta, mesh.statistic, n_iw)

    def kernel(mesh):
        target = new(mesh)
        return mesh.beta * mesh.basis.at_frequencies(np.arange(target.first_index(), target.last_index() + 1))

    return _from_poles(g, new, kernel)


def fit_gf_dlr(g, w_max: float, eps: float):
    """Coefficients of the poles that fit G(τ), given at equidistant times, best: least squares."""
    if isinstance(g, BlockGf):
        return g._mapped(lambda _, block: fit_gf_dlr(block, w_max, eps))
    _require(g, MeshImTime, "fit_gf_dlr")
    mesh = MeshDLR(g.mesh.beta, g.mesh.statistic, w_max, eps)
    kernel = mesh.basis.at_times(np.linspace(0, 1, len(g.mesh)))
    data = g.data.reshape(len(g.mesh), -1)
    found = np.linalg.lstsq(kernel, data, rcond=None)[0]
    return Gf(mesh=mesh, data=found.reshape(-1, *g.data.shape[1:]).astype(complex), name=g.name)


def _from_poles(g, mesh_of, kernel_of):
    if isinstance(g, BlockGf):
        return g._mapped(lambda _, block: _from_poles(block, mesh_of, kernel_of))
    _require(g, MeshDLR, "this transform")
    return _on(g, mesh_of, np.tensordot(kernel_of(g.mesh), g.data, axes=(1, 0)))


def _on(g, mesh_of, data: np.ndarray):
    mesh = g.mesh.on(mesh_of) if isinstance(mesh_of, type) else mesh_of(g.mesh)
    return Gf(mesh=mesh, data=data.astype(complex), name=g.name)


def _solved(matrix: np.ndarray, data: np.ndarray) -> np.ndarray:
    return np.linalg.solve(matrix, data.reshape(len(data), -1)).reshape(data.shape)


def _require(g, mesh_types, what: str) -> None:
    types = mesh_types if isinstance(mesh_types, tuple) else (mesh_types,)
    if type(g.mesh) not in types:
        allowed = " or ".join(t.__name__ for t in types)
        raise TypeError(f"{what} takes a function on {allowed}, not on a {type(g.mesh).__name__}")


def _write_operations(group, key, cutoff, x, kind: str, nodes, matrix, sign=None) -> None:
    """What TRIQS stores with a mesh: nodes, the matrix from coefficients to values there, and LU factors of it."""
    from scipy.linalg import lu_factor

    group.create_group(key)
    g = group[key]
    factors, pivots = lu_factor(matrix.T)  # of the transpose, for LAPACK counts rows and columns the other way round
    g["lambda"], g["rf"] = cutoff, x
    g[kind], g[f"cf2{kind}"], g[f"{kind}2cf_lu"] = nodes, matrix, factors.T.copy()
    g[f"{kind}2cf_piv"] = (pivots + 1).astype(np.intc)  # counted from 1
    if sign is not None:
        g._raw_write("statistic", sign)
    g.write_attr("Format", "cppdlr::imfreq_ops" if sign is not None else "cppdlr::imtime_ops")


class _Operations:
    """Nodes and matrices that TRIQS stores with a mesh, as a dict."""

    __factory_from_dict__ = classmethod(lambda cls, key, values: values)


for _format in ("cppdlr::imfreq_ops", "cppdlr::imtime_ops"):
    register_class(_Operations, hdf5_format=_format)
for _cls in (MeshDLR, MeshDLRImTime, MeshDLRImFreq):
    register(_cls)
