# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
r"""Time-ordered convolutions on the compact grid in τ, in units of β:

.. math::
    (f \ast g)(\tau) = \int_0^\tau ds\, f(\tau - s)\, g(s), \qquad 0 \le \tau \le 1 .

f and g are interpolated from their values at the nodes, and the integral is a Gauss quadrature over panels that shrink
towards both ends, where functions of imaginary time are steep. All this is one tensor per grid.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .dlr import Grid

_ORDER = 12  # Gauss nodes per panel; a panel spans a factor of two in the distance from its end


def convolution_matrices(grid: Grid, values: np.ndarray) -> np.ndarray:
    """Matrices C (n, r, r) with C_k @ g = f_k ∗ g, for functions f_k given by `values` (n, r) at `grid.tau`."""
    r = len(grid.tau)
    return (values @ _tensor(grid)).reshape(-1, r, r)


@lru_cache(maxsize=16)
def _tensor(grid: Grid) -> np.ndarray:
    """t[j, i r + k]: the weight of f(τ_j) g(τ_k) in (f ∗ g)(τ_i)."""
    share, weight = _graded_quadrature(grid.cutoff)
    tensor = np.empty((len(grid.tau),) * 3)
    for i, tau in enumerate(grid.tau):
        late = grid.interpolation(tau * share)
        early = late[::-1]  # the quadrature is symmetric: τ − s runs through the same nodes
        tensor[:, i] = (tau * weight * early.T) @ late
    return tensor.reshape(len(grid.tau), -1)


def _graded_quadrature(cutoff: float) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights on [0, 1], symmetric, for functions with energies up to ±`cutoff`."""
    x, w = np.polynomial.legendre.leggauss(_ORDER)
    half = np.concatenate([[0.0], 0.5 ** np.arange(int(np.ceil(np.log2(cutoff))), 0, -1)])
    edges = np.concatenate([half, 1 - half[-2::-1]])
    width = np.diff(edges)[:, None]
    return (edges[:-1, None] + 0.5 * width * (x + 1)).ravel(), (0.5 * width * w).ravel()
