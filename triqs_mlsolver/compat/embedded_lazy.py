# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Right-hand sides of `g << ...` for machines without TRIQS: iOmega_n, semicircular and flat bands, their algebra."""

from __future__ import annotations

import numbers
from collections.abc import Callable

import numpy as np
from dcorelib.triqs_compat.gf import Gf as _DcoreGf
from dcorelib.triqs_compat.gf import MeshImFreq as _DcoreMeshImFreq
from dcorelib.triqs_compat.gf.gf import LazyExpression as _DcoreLazy

from .embedded_meshes import OwnMesh


class LazyExpression(_DcoreLazy):
    """A function of frequency that takes its mesh and its size from the Green's function it is assigned to.

    Parameters
    ----------
    values : callable
        Maps a Green's function to an array of the shape of its data.
    """

    __array_ufunc__ = None  # numpy scalars and matrices on the left leave the operation to this class

    def __init__(self, values: Callable[[_DcoreGf], np.ndarray]):
        self.values = values

    def evaluate(self, g: _DcoreGf) -> _DcoreGf:
        """A new Green's function like `g` that holds the expression."""
        result = g.copy()
        result.data[...] = self.values(g)
        return result

    def _combined(self, other, rule: Callable, swapped: bool = False):
        if not _is_term(other):
            return NotImplemented
        left, right = (other, self) if swapped else (self, other)
        return LazyExpression(lambda g: rule(term_values(left, g), term_values(right, g), g))

    def __add__(self, other):
        return self._combined(other, lambda a, b, g: a + b)

    def __radd__(self, other):
        return self._combined(other, lambda a, b, g: a + b, swapped=True)

    def __sub__(self, other):
        return self._combined(other, lambda a, b, g: a - b)

    def __rsub__(self, other):
        return self._combined(other, lambda a, b, g: a - b, swapped=True)

    def __mul__(self, other):
        return self._combined(other, _product)

    def __rmul__(self, other):
        return self._combined(other, _product, swapped=True)

    def __truediv__(self, other):
        return self * (1 / other) if isinstance(other, numbers.Number) else NotImplemented

    def __neg__(self):
        return -1 * self

    def inverse(self) -> LazyExpression:
        return LazyExpression(lambda g: inverse_of(self.values(g)))


def _is_term(x) -> bool:
    return isinstance(x, (numbers.Number, np.ndarray, _DcoreGf, _DcoreLazy))


def term_values(x, g: _DcoreGf) -> np.ndarray:
    """Values of a term on the mesh of `g`: numbers stand for multiples of the unit matrix."""
    if isinstance(x, LazyExpression):
        return x.values(g)
    if isinstance(x, _DcoreLazy):
        values = x.evaluate(g)
        return values.data if isinstance(values, _DcoreGf) else np.asarray(values)
    if isinstance(x, _DcoreGf):
        if x.data.shape != g.data.shape:
            raise ValueError(f"a Green's function of shape {x.data.shape} does not fit one of shape {g.data.shape}")
        if isinstance(x.mesh, OwnMesh) and isinstance(g.mesh, OwnMesh) and x.mesh != g.mesh:
            raise ValueError(f"the two Green's functions live on different meshes: {x.mesh!r} and {g.mesh!r}")
        return x.data
    if isinstance(x, numbers.Number):
        return np.broadcast_to(x * unit_of(g), g.data.shape)
    return np.broadcast_to(x, g.data.shape)


def unit_of(g: _DcoreGf) -> np.ndarray:
    """The unit matrix of the target space (1 for a scalar-valued function)."""
    return np.eye(g.data.shape[1]) if g.data.ndim == 3 else np.ones(())


def inverse_of(data: np.ndarray) -> np.ndarray:
    return np.linalg.inv(data) if data.ndim == 3 else 1 / data


def _product(a: np.ndarray, b: np.ndarray, g: _DcoreGf) -> np.ndarray:
    return a @ b if g.data.ndim == 3 else a * b


def _of_frequency(function: Callable[[np.ndarray], np.ndarray], name: str) -> LazyExpression:
    def values(g):
        if not (isinstance(g.mesh, _DcoreMeshImFreq) or getattr(g.mesh, "of_frequency", False)):
            raise TypeError(f"{name} is a function of frequency: it cannot be assigned on a {type(g.mesh).__name__}")
        with np.errstate(divide="ignore", invalid="ignore"):  # a flat band diverges at its edges
            z = function(g.mesh.values().astype(complex))
        return z.reshape((-1,) + (1,) * (g.data.ndim - 1)) * unit_of(g)

    return LazyExpression(values)


class SemiCircular(LazyExpression):
    """Hilbert transform of the semicircular band 2 sqrt(D² − ω²)/(π D²), centred at minus `chem_potential`."""

    def __init__(self, half_bandwidth: float, chem_potential: float = 0.0):
        self.half_bandwidth, self.chem_potential = half_bandwidth, chem_potential

        def transform(z):
            z = z + chem_potential
            # written as a quotient, which keeps its digits at high frequency; on the real axis just above it
            above = np.sqrt(z - half_bandwidth) * np.sqrt(z + half_bandwidth)
            return 2 / (z + np.where(z.imag == 0, above, 1j * np.sign(z.imag) * np.sqrt(half_bandwidth**2 - z**2)))

        super().__init__(_of_frequency(transform, "SemiCircular").values)


class Flat(LazyExpression):
    """Hilbert transform of a flat band of half width D."""

    def __init__(self, half_bandwidth: float):
        self.half_bandwidth = half_bandwidth
        D = half_bandwidth
        super().__init__(_of_frequency(lambda z: -np.log((z - D) / (z + D)) / (2 * D), "Flat").values)


Wilson = Flat
iOmega_n = Omega = _of_frequency(lambda z: z, "iOmega_n")
