# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Real frequencies for machines without TRIQS."""

from __future__ import annotations

import numpy as np
from dcorelib.triqs_compat import gf as _dcore

from .embedded_gf import Gf, register
from .embedded_meshes import RealPointsMesh


class MeshReFreq(RealPointsMesh, _dcore.MeshReFreq):
    """`n_w` equidistant frequencies from w_min to w_max, both included.

    Either ``MeshReFreq(w_min, w_max, n_w)`` or ``MeshReFreq((w_min, w_max), n_w)``; `omega_min`, `omega_max` and
    `n_points` are older names.
    """

    of_frequency = True

    def __init__(
        self, *args, window=None, w_min=None, w_max=None, n_w=None, omega_min=None, omega_max=None, n_points=None
    ):
        if args and np.ndim(args[0]) == 1:
            window, args = args[0], args[1:]
        if window is not None:
            w_min, w_max = window
        elif args:
            w_min, w_max, *args = args
        w_min, w_max = (new if new is not None else old for new, old in ((w_min, omega_min), (w_max, omega_max)))
        size = next((int(k) for k in (*args, n_w, n_points) if k is not None), 10000)
        if w_min is None or w_max is None or not w_min < w_max:
            raise ValueError(f"a window of frequencies from {w_min} to {w_max} is none: give w_min < w_max")
        super().__init__(float(w_min), float(w_max), size)

    @property
    def w_min(self) -> float:
        return self._omega_min

    @property
    def w_max(self) -> float:
        return self._omega_max

    omega_min, omega_max = w_min, w_max

    @property
    def delta(self) -> float:
        """Distance of neighbours."""
        return (self.w_max - self.w_min) / (len(self) - 1)

    @property
    def hash(self) -> int:
        return hash((self.w_min, self.w_max, len(self)))

    def __repr__(self) -> str:
        return f"MeshReFreq of size {len(self)} with w_min = {self.w_min:g}, w_max = {self.w_max:g}"


class GfReFreq(Gf, _dcore.GfReFreq):
    """G(ω) just above the real axis."""

    _mesh_type = MeshReFreq

    def __init__(self, *, mesh=None, window=None, n_points=None, **kwargs):
        if mesh is None:
            if window is None:
                raise TypeError("give the mesh of the Green's function, e.g. Gf(mesh=MeshReFreq(-5, 5, 1001), ...)")
            mesh = MeshReFreq(*window, 10000 if n_points is None else n_points)
        super().__init__(mesh=mesh, **kwargs)

    def __call__(self, omega: float) -> np.ndarray:
        """Linear interpolation at a frequency within the window."""
        x = (float(omega) - self.mesh.w_min) / self.mesh.delta
        if not -1e-9 <= x <= len(self.mesh) - 1 + 1e-9:
            raise ValueError(f"omega = {omega} lies outside [{self.mesh.w_min}, {self.mesh.w_max}]")
        k = int(np.clip(np.floor(x), 0, len(self.mesh) - 2))
        return self.data[k] * (1 - (x - k)) + self.data[k + 1] * (x - k)

    def density(self, beta: float | None = None) -> np.ndarray:
        """∫ f(ω) i (G − G†)/2π dω, as TRIQS sums it: at zero temperature unless `beta` is given.

        Real parts of the diagonal, which may diverge at the edges of a band, are left out.
        """
        w, G, dw = self.mesh.values(), self.data, self.mesh.delta
        if beta is not None:
            total = np.tensordot(1 / (1 + np.exp(np.clip(beta * w, None, 700.0))), G, axes=(0, 0))
        else:
            n = int(np.floor(-self.mesh.w_min / dw)) + 1  # the first frequency beyond zero
            rest = -self.mesh.w_min - (n - 1) * dw
            total = 0.5 * G[0] + G[1:n].sum(axis=0)
            if abs(rest) > 1e-9:
                a = rest / dw
                total = total + 0.5 * ((a * a - 1) * G[n - 1] + a * (2 - a) * G[n])
            else:
                total = total - 0.5 * G[n - 1]
        if total.ndim == 2:
            total = np.where(np.eye(len(total), dtype=bool), 1j * np.imag(total), total)
            total = 1j * dw / np.pi * total
            return 0.5 * (total + total.conj().T)
        return np.real(1j * dw / np.pi * 1j * np.imag(total))

    def total_density(self, *args) -> complex:
        return np.trace(np.atleast_2d(self.density(*args)))

    def set_from_pade(self, g_iw, n_points: int = 100, freq_offset: float = 0.0) -> None:
        """Not here: continued fractions in double precision are no match for TRIQS' in many digits."""
        raise NotImplementedError(
            "set_from_pade needs triqs.gf, which continues in many digits: conda install -c conda-forge triqs"
        )


for _cls in (MeshReFreq, GfReFreq):
    register(_cls)
