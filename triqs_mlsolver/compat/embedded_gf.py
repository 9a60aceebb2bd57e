# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Green's function containers for machines without TRIQS: those of dcorelib, with what TRIQS scripts expect beyond
them.

The classes derive from dcorelib's, so that its functions accept them, and replace dcorelib's entries in the table of
HDF5 formats, so that an archive read through `compat.HDFArchive` returns them.
"""

from __future__ import annotations

import numbers

import numpy as np
from dcorelib.triqs_compat import gf as _dcore
from dcorelib.triqs_compat.h5 import formats as _formats

from ..numerics import legendre
from . import embedded_symmetry as symmetry
from . import embedded_tails as tails
from .embedded_lazy import LazyExpression, inverse_of, term_values
from .embedded_meshes import MeshImFreq, MeshImTime, MeshLegendre
from .embedded_transforms import (
    enforce_discontinuity,
    legendre_from_frequencies,
    legendre_from_times,
    on_frequencies,
    rebinning_tau,
)


class Gf(_dcore.Gf):
    """Green's function on one mesh; matrix-valued, or scalar-valued with ``target_shape=[]``.

    Parameters
    ----------
    mesh : MeshImFreq, MeshImTime or MeshLegendre, optional
        Or `beta`, `statistic` and `n_points` for the mesh of one of the subclasses.
    data : array, optional
        Values, the mesh first. Either this or `target_shape` (or the older `indices`) is needed.
    target_shape : sequence of int, optional
    name : str, optional

    Notes
    -----
    ``Gf(mesh=m, ...)`` returns the subclass that belongs to the mesh (GfImFreq, GfImTime, GfLegendre).
    """

    _mesh_type: type | None = None
    __array_ufunc__ = None  # numpy scalars and matrices on the left leave the operation to this class

    def __new__(cls, **kwargs):
        mesh = kwargs.get("mesh")
        if cls is Gf and mesh is not None:
            cls = next((c for c in Gf.__subclasses__() if isinstance(mesh, c._mesh_type)), cls)
        return object.__new__(cls)

    def __init__(
        self,
        *,
        mesh=None,
        data=None,
        target_shape=None,
        indices=None,
        name="",
        is_real=False,
        beta=None,
        statistic="Fermion",
        n_points=None,
    ):
        if mesh is None:
            if self._mesh_type is None or beta is None:
                raise TypeError(
                    "give the mesh of the Green's function, e.g. Gf(mesh=MeshImFreq(beta, 'Fermion', n_iw=1025), "
                    "target_shape=[1, 1])"
                )
            mesh = self._mesh_type(beta, statistic, n_points)
        if data is None:
            data = np.zeros((len(mesh), *_target_shape(target_shape, indices)), float if is_real else complex)
        data = np.asarray(data)
        if len(data) != len(mesh):
            raise ValueError(f"data of length {len(data)} do not fit a mesh of {len(mesh)} points")
        self.mesh, self.data, self.name = mesh, data, name

    # dcorelib's functions read these
    _beta = property(lambda self: self.mesh.beta)
    _statistic = property(lambda self: self.mesh.statistic)

    @property
    def beta(self) -> float:
        return self.mesh.beta

    @property
    def target_shape(self) -> tuple[int, ...]:
        return self.data.shape[1:]

    @property
    def target_rank(self) -> int:
        return self.data.ndim - 1

    @property
    def indices(self):
        return _dcore.GfIndices([[str(i) for i in range(n)] for n in self.target_shape])

    def _like(self, data: np.ndarray) -> Gf:
        return Gf(mesh=self.mesh, data=data, name=self.name)

    def copy(self) -> Gf:
        return self._like(self.data.copy())

    def copy_from(self, other) -> None:
        self << other

    @property
    def real(self) -> Gf:
        return self._like(self.data.real)

    @property
    def imag(self) -> Gf:
        return self._like(self.data.imag)

    def __repr__(self) -> str:
        mesh = f"{type(self.mesh).__name__} of {len(self.mesh)} points"
        return f"Greens Function {self.name} with mesh {mesh} and target_shape {self.target_shape}"

    # -- access --------------------------------------------------------------------------------------------------------

    def __getitem__(self, key):
        if isinstance(key, slice) and key == slice(None):
            return self
        if hasattr(key, "data_index"):
            return self.data[key.data_index]
        key = key if isinstance(key, tuple) else (key,)
        if len(key) != self.target_rank:
            raise IndexError(f"{len(key)} indices given for a target space of rank {self.target_rank}")
        return self._like(self.data[(slice(None), *key)])

    def __setitem__(self, key, value) -> None:
        if hasattr(key, "data_index"):
            self.data[key.data_index] = value
        else:
            self[key] << value

    def __lshift__(self, source) -> Gf:
        if isinstance(source, LegendreToMatsubara):
            self.set_from_legendre(source.source)
        elif isinstance(source, MatsubaraToLegendre):
            self.set_from_imfreq(source.source)
        elif isinstance(source, Fourier):
            self.set_from_fourier(source.source)
        elif isinstance(source, _dcore.GfIR):
            super().__lshift__(source)
        else:
            self.data[...] = term_values(source, self)
        return self

    # -- algebra -------------------------------------------------------------------------------------------------------

    def _shifted(self, other, sign: int):
        if isinstance(other, LazyExpression):
            return NotImplemented
        return self._like(self.data + sign * term_values(other, self))

    def __add__(self, other):
        return self._shifted(other, 1)

    __radd__ = __add__

    def __sub__(self, other):
        return self._shifted(other, -1)

    def __rsub__(self, other):
        return (-self)._shifted(other, 1)

    def __iadd__(self, other):
        self.data[...] += term_values(other, self)
        return self

    def __isub__(self, other):
        self.data[...] -= term_values(other, self)
        return self

    def __mul__(self, other):
        if isinstance(other, numbers.Number):
            return self._like(self.data * other)
        if isinstance(other, _dcore.Gf):
            return self._times(other)
        if isinstance(other, np.ndarray):
            return self._like(self.data @ other)
        return NotImplemented

    def __rmul__(self, other):
        if isinstance(other, np.ndarray):
            return self._like(other @ self.data)
        return self * other if isinstance(other, numbers.Number) else NotImplemented

    __matmul__, __rmatmul__ = __mul__, __rmul__

    def __imul__(self, other):
        self.data[...] = (self * other).data
        return self

    def _times(self, other) -> Gf:
        """Matrix product; a product of two functions of time is bosonic."""
        a, b = self.data, other.data
        if len(a) != len(b) or self.mesh.beta != other.mesh.beta:
            raise ValueError("the two Green's functions live on different meshes: they cannot be multiplied")
        if a.ndim == b.ndim == 3:
            product = a @ b
        else:
            expand = lambda x: x[:, None, None] if x.ndim == 1 and max(a.ndim, b.ndim) == 3 else x
            product = expand(a) * expand(b)
        mesh = self.mesh
        if isinstance(mesh, MeshImTime):
            mesh = MeshImTime(mesh.beta, "Boson" if mesh.statistic == other.mesh.statistic else "Fermion", len(mesh))
        return Gf(mesh=mesh, data=product)

    def __truediv__(self, other):
        return self._like(self.data / other)

    def __itruediv__(self, other):
        self.data /= other
        return self

    def __neg__(self):
        return self._like(-self.data)

    def inverse(self) -> Gf:
        return self._like(inverse_of(self.data))

    def invert(self) -> None:
        self.data[...] = inverse_of(self.data)

    def transpose(self) -> Gf:
        return self._like(self.data.transpose(0, 2, 1).copy())

    def conjugate(self) -> Gf:
        return self._like(self.data.conj())

    # -- HDF5 ----------------------------------------------------------------------------------------------------------

    def __write_hdf5__(self, group, key) -> None:
        group.create_group(key)
        group[key]["data"] = self.data
        group[key]["mesh"] = self.mesh
        group[key].write_attr("Format", "Gf")

    @classmethod
    def __factory_from_dict__(cls, key, values) -> Gf:
        mesh, data = values["mesh"], np.asarray(values["data"])
        known = tuple(c._mesh_type for c in Gf.__subclasses__())
        if not isinstance(mesh, known) and cls._mesh_type is not None:  # without format, as TRIQS 1 and 2 stored it
            mesh = cls._mesh_type.__factory_from_dict__(key, {name: mesh[name] for name in mesh})
        if not isinstance(mesh, known):
            raise NotImplementedError(
                f"{key!r} is a Green's function on a mesh that is known to TRIQS alone (of several variables, or of a "
                "lattice): conda install -c conda-forge triqs, and the same line reads it"
            )
        return Gf(mesh=mesh, data=_whole(data, mesh), name=key)


class GfImFreq(Gf, _dcore.GfImFreq):
    """G(iω)."""

    _mesh_type = MeshImFreq
    fit_tail, fit_hermitian_tail = tails.fit_tail, tails.fit_hermitian_tail
    fit_tail_on_window, fit_hermitian_tail_on_window = tails.fit_tail_on_window, tails.fit_hermitian_tail_on_window
    replace_by_tail, replace_by_tail_in_fit_window = tails.replace_by_tail, tails.replace_by_tail_in_fit_window
    is_gf_hermitian, is_gf_real_in_tau = symmetry.is_gf_hermitian, symmetry.is_gf_real_in_tau

    def __call__(self, n) -> np.ndarray:
        """Value at Matsubara index `n`, or at a mesh point; beyond the mesh the tail, as in TRIQS."""
        n = int(getattr(n, "index", n))
        if self.mesh.first_index() <= n <= self.mesh.last_index():
            return self.data[self.mesh.to_data_index(n)]
        coefficients = legendre_from_frequencies(self)
        return np.tensordot(legendre.transfer_matrix(np.array([n]), len(coefficients))[0], coefficients, axes=(0, 0))

    def density(self, *_args, **_kwargs) -> np.ndarray:
        """−G(β⁻), not transposed (as in TRIQS): ⟨c†_j c_i⟩ at i, j."""
        return -legendre.at_ends(self.beta, legendre_from_frequencies(self))[1]

    def total_density(self, *args, **kwargs) -> complex:
        return np.trace(self.density(*args, **kwargs))

    def set_from_fourier(self, g: GfImTime, *_known_moments) -> None:
        self.data[...] = on_frequencies(legendre_from_times(g), self.mesh)

    def set_from_legendre(self, g: GfLegendre) -> None:
        self.data[...] = on_frequencies(g.data, self.mesh)


class GfImTime(Gf, _dcore.GfImTime):
    """G(τ)."""

    _mesh_type = MeshImTime
    is_gf_hermitian, rebinning_tau = symmetry.is_gf_hermitian, rebinning_tau

    def __call__(self, tau: float) -> np.ndarray:
        """Linear interpolation at time `tau` in [0, β]."""
        x = float(tau) / self.beta * (len(self.mesh) - 1)
        if not -1e-9 <= x <= len(self.mesh) - 1 + 1e-9:
            raise ValueError(f"tau = {tau} lies outside [0, {self.beta}]")
        k = int(np.clip(np.floor(x), 0, len(self.mesh) - 2))
        return self.data[k] * (1 - (x - k)) + self.data[k + 1] * (x - k)

    def density(self, *_args, **_kwargs) -> np.ndarray:
        return -self.data[-1].T

    def total_density(self, *args, **kwargs) -> complex:
        return np.trace(self.density(*args, **kwargs))

    def set_from_fourier(self, g: GfImFreq, *_known_moments) -> None:
        self.data[...] = legendre.evaluate(self.beta, legendre_from_frequencies(g), self.mesh.values())

    def set_from_legendre(self, g: GfLegendre) -> None:
        self.data[...] = legendre.evaluate(self.beta, g.data, self.mesh.values())


class GfLegendre(Gf, _dcore.GfLegendre):
    """Legendre coefficients G_l."""

    _mesh_type = MeshLegendre
    enforce_discontinuity = enforce_discontinuity

    def __call__(self, tau: float) -> np.ndarray:
        return legendre.evaluate(self.beta, self.data, [float(tau)])[0]

    def density(self, *_args, **_kwargs) -> np.ndarray:
        return -legendre.at_ends(self.beta, self.data)[1].T

    def total_density(self, *args, **kwargs) -> complex:
        return np.trace(self.density(*args, **kwargs))

    def set_from_imfreq(self, g: GfImFreq) -> None:
        self.data[...] = legendre.resized(legendre_from_frequencies(g), len(self.mesh))

    def set_from_imtime(self, g: GfImTime) -> None:
        self.data[...] = legendre.resized(legendre_from_times(g), len(self.mesh))


class Fourier:
    """``g_iw << Fourier(g_tau)`` or ``g_tau << Fourier(g_iw)``; blocks of Green's functions as well.

    Known moments are taken as in TRIQS; the transform finds them itself.
    """

    def __init__(self, source, *_known_moments):
        self.source = source


class LegendreToMatsubara(Fourier):
    """``g_iw << LegendreToMatsubara(g_l)``."""


class MatsubaraToLegendre(Fourier):
    """``g_l << MatsubaraToLegendre(g_iw)``."""


def inverse(x):
    """Inverse of a Green's function, of blocks of them, or of an expression for one."""
    return x.inverse()


def _target_shape(target_shape, indices) -> tuple[int, ...]:
    if target_shape is not None:
        return tuple(int(n) for n in target_shape)
    if indices is None:
        raise TypeError("give target_shape, e.g. [1, 1], or the data themselves")
    if len(indices) and isinstance(indices[0], (list, tuple, range)):
        return tuple(len(i) for i in indices)
    return len(indices), len(indices)


def _whole(data: np.ndarray, mesh) -> np.ndarray:
    """Data on all frequencies, of functions real in time that were stored at positive ones: G(−iω) = G(iω)*."""
    if not isinstance(mesh, MeshImFreq) or len(data) != mesh.n_iw:
        return data
    negative = data if mesh.statistic == "Fermion" else data[1:]
    return np.concatenate([negative[::-1].conj(), data])


def register(cls) -> None:
    """Let archives return `cls` for the HDF5 format of its name (dcorelib refuses to register a format twice)."""
    _formats._formats_dict.pop(cls.__name__, None)
    _formats.register_class(cls)


for _cls in (Gf, GfImFreq, GfImTime, GfLegendre, MeshImFreq, MeshImTime, MeshLegendre):
    register(_cls)
