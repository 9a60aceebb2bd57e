# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Meshes for machines without TRIQS: those of dcorelib, with TRIQS' keywords, mesh points and HDF5 layout.

Archives hold what TRIQS reads (β as a float at the top level); a frequency mesh also the `domain` group that dcorelib
reads.
"""

from __future__ import annotations

import numpy as np
from dcorelib.triqs_compat.gf import meshes as _dcore

from .embedded_tails import Window

_STATISTICS = {"F": "Fermion", "B": "Boson"}


class MatsubaraPoint(complex):
    """iω_n of a mesh: a complex number that knows its place."""

    index: int
    data_index: int

    @property
    def value(self) -> complex:
        return complex(self)


class RealPoint(float):
    """τ or ω of a mesh: a float that knows its place."""

    index: int
    data_index: int

    @property
    def value(self) -> float:
        return float(self)


class LegendrePoint(int):
    """Degree of a Legendre polynomial."""

    @property
    def value(self) -> int:
        return int(self)

    index = data_index = value


def placed(point, index: int, data_index: int):
    point.index, point.data_index = int(index), int(data_index)
    return point


class OwnMesh:
    """What all meshes here share: comparison by what they hold, and copies."""

    def __hash__(self) -> int:
        return self.hash

    def __eq__(self, other) -> bool:
        return type(other) is type(self) and self.hash == other.hash

    def __len__(self) -> int:
        return len(self._points)

    def copy(self):
        return self


class RealPointsMesh(OwnMesh):
    """Real numbers that are counted as the data are."""

    def values(self) -> np.ndarray:
        return self._points

    def __iter__(self):
        return (self[k] for k in range(len(self)))

    def __getitem__(self, k: int) -> RealPoint:
        index = range(len(self))[k]
        return placed(RealPoint(self._points[index]), index, index)

    def __call__(self, k: int):
        return self[k]

    def to_data_index(self, k: int) -> int:
        return int(k)


class FiniteTemperatureMesh(OwnMesh):
    """β and statistic."""

    def _set_domain(self, beta, statistic) -> None:
        beta = float(beta)
        if not (np.isfinite(beta) and beta > 0):
            raise ValueError(f"beta = {beta} is not a temperature: give a finite inverse temperature beta > 0")
        self._beta, self._statistic = beta, self._full_name(statistic)

    @staticmethod
    def _full_name(statistic) -> str:
        if not isinstance(statistic, str) or statistic[:1] not in _STATISTICS:
            raise ValueError(f"statistic {statistic!r} is neither 'Fermion' nor 'Boson'")
        return _STATISTICS[statistic[0]]

    @property
    def beta(self) -> float:
        return self._beta

    @property
    def statistic(self) -> str:
        return self._statistic

    @property
    def hash(self) -> int:
        return hash((type(self).__name__, self._beta, self._statistic, len(self)))

    def __repr__(self) -> str:
        return f"{type(self).__name__} of size {len(self)} with beta = {self.beta:g}, statistic = {self.statistic}"

    def _write_domain(self, group) -> None:
        group["beta"] = self._beta
        group["statistic"] = self._statistic[0]

    def _write_domain_for_dcorelib(self, group) -> None:
        group.create_group("domain")
        self._write_domain(group["domain"])

    @staticmethod
    def _read_domain(values: dict) -> dict:
        domain = values if "beta" in values else values["domain"]
        return {"beta": float(domain["beta"]), "statistic": domain["statistic"]}


class MeshImFreq(FiniteTemperatureMesh, _dcore.MeshImFreq):
    """Matsubara frequencies iω_n, n = −n_iw … n_iw − 1 (bosons: 1 − n_iw … n_iw − 1).

    Parameters
    ----------
    beta : float
    statistic : str
        "Fermion" or "Boson"; `S` is the same under its old name.
    n_iw : int
        Number of positive frequencies; `n_points` and `n_max` are the same under older names.
    """

    tail_window = Window()

    def __init__(self, beta, statistic=None, n_iw=None, *, S=None, n_points=None, n_max=None):
        self._set_domain(beta, statistic or S or "Fermion")
        n_iw = next((int(k) for k in (n_iw, n_points, n_max) if k is not None), 1025)
        shift = 1 if self._statistic == "Fermion" else 0
        self._n = np.arange(-n_iw if shift else 1 - n_iw, n_iw)
        self._points = 2 * self._n + shift
        self._values = 1j * np.pi / self._beta * self._points

    @property
    def n_iw(self) -> int:
        return int(self._n[-1]) + 1

    def set_tail_fit_parameters(self, tail_fraction, n_tail_max=30, expansion_order=None) -> None:
        """From where on fits of tails take how many frequencies, and how many moments they find."""
        self.tail_window = Window(tail_fraction, n_tail_max, expansion_order)

    def first_index(self) -> int:
        return int(self._n[0])

    def last_index(self) -> int:
        return int(self._n[-1])

    def __iter__(self):
        for k, (n, z) in enumerate(zip(self._n, self._values)):
            yield placed(MatsubaraPoint(z), n, k)

    def __getitem__(self, data_index: int) -> MatsubaraPoint:
        return placed(MatsubaraPoint(self._values[data_index]), self._n[data_index], range(len(self))[data_index])

    def __call__(self, n: int) -> MatsubaraPoint:
        return self[self.to_data_index(n)]

    def to_data_index(self, n: int) -> int:
        """Row of the data that holds Matsubara index `n`."""
        k = int(n) - self.first_index()
        if not 0 <= k < len(self):
            raise IndexError(f"Matsubara index {n} is outside the mesh, {self.first_index()} … {self.last_index()}")
        return k

    def __write_hdf5__(self, group, key) -> None:
        group.create_group(key)
        g = group[key]
        self._write_domain(g)
        self._write_domain_for_dcorelib(g)
        g["size"] = len(self)
        g._raw_write("positive_freq_only", np.intc(0))
        g.write_attr("Format", "MeshImFreq")

    @classmethod
    def __factory_from_dict__(cls, key, values):
        # up to TRIQS 2 functions real in time were stored at positive frequencies alone; the mesh read is the whole one
        size = int(values["size"])
        return cls(**cls._read_domain(values), n_iw=size if values.get("positive_freq_only", 0) else (size + 1) // 2)


class MeshImTime(RealPointsMesh, FiniteTemperatureMesh, _dcore.MeshImTime):
    """`n_tau` equidistant imaginary times, 0 and β included; `n_points` and `n_max` are older names."""

    def __init__(self, beta, statistic=None, n_tau=None, *, S=None, n_points=None, n_max=None):
        self._set_domain(beta, statistic or S or "Fermion")
        n_tau = next((int(k) for k in (n_tau, n_points, n_max) if k is not None), 10001)
        self._points = np.linspace(0, self._beta, n_tau)

    def __write_hdf5__(self, group, key) -> None:
        group.create_group(key)
        g = group[key]
        self._write_domain(g)
        g["n_tau"] = len(self)
        g.write_attr("Format", "MeshImTime")

    @classmethod
    def __factory_from_dict__(cls, key, values):
        return cls(**cls._read_domain(values), n_tau=int(values["n_tau"] if "n_tau" in values else values["size"]))


class MeshLegendre(FiniteTemperatureMesh, _dcore.MeshLegendre):
    """Legendre coefficients l = 0 … max_n − 1; `n_l`, `n_points` and `n_max` are other names."""

    def __init__(self, beta, statistic=None, max_n=None, *, S=None, n_l=None, n_points=None, n_max=None):
        self._set_domain(beta, statistic or S or "Fermion")
        size = next((int(k) for k in (max_n, n_l, n_points, n_max) if k is not None), 30)
        self._nl = size
        self._points = np.arange(size)

    def values(self) -> np.ndarray:
        return self._points

    def __iter__(self):
        return (LegendrePoint(l) for l in self._points)

    def __getitem__(self, l: int) -> LegendrePoint:
        return LegendrePoint(self._points[l])

    __call__ = __getitem__

    def to_data_index(self, l: int) -> int:
        return int(l)

    def __write_hdf5__(self, group, key) -> None:
        group.create_group(key)
        g = group[key]
        self._write_domain(g)
        g["max_n"] = len(self)
        g.write_attr("Format", "MeshLegendre")

    @classmethod
    def __factory_from_dict__(cls, key, values):
        # TRIQS 3.2 writes max_n; before, it was n_max, among the properties of the domain
        holders = [values, *([values["domain"]] if "domain" in values else [])]
        size = next(holder[name] for holder in holders for name in ("max_n", "n_max") if name in holder)
        return cls(**cls._read_domain(values), max_n=int(size))
