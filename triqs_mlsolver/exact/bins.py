# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Bins of raw Monte Carlo data, and the mesh of cells in τ in which an embedded solver collects G.

The mesh is uniform in y = sqrt(τ/β) on [0, β/2] and mirrored beyond. A kernel sums up moments of a local coordinate, −1
to 1, in each of its cells, which are finer than those of the results, and counts those beyond β/2 from β downwards.
"""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from ..numerics import legendre

REFINEMENT = 2  # cells of the kernel in each cell of the results
MOST_ORDERS = 2048  # perturbation orders told apart; larger ones count as the last


class Bins:
    """Base of dataclasses whose fields are arrays with one entry per bin, `weight` among them."""

    def __len__(self) -> int:
        return len(self.weight)

    def map(self, function) -> Bins:
        """The same function applied to each array."""
        return type(self)(*(function(getattr(self, f.name)) for f in fields(self)))

    @staticmethod
    def join(parts: list[Bins]) -> Bins:
        """Bins of successive parts of a run."""
        return type(parts[0])(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(parts[0])))

    @staticmethod
    def of_ranks(parts: list[Bins]) -> Bins:
        """Equally many bins of each rank in the order of time: the first ones of all ranks, then the second ones."""
        in_time = lambda arrays: np.stack(arrays, axis=1).reshape(-1, *arrays[0].shape[1:])
        return type(parts[0])(*(in_time([getattr(p, f.name) for p in parts]) for f in fields(parts[0])))


def sum_up(chain, sums, n_cycles: int, length_cycle: int, keep_going, chunk: int) -> bool:
    """Sum up `n_cycles` measurements of `chain` in the arrays `sums`; False if they were not finished."""
    for sum_ in sums:
        sum_[...] = 0
    left = n_cycles
    while left and keep_going():
        piece = min(chunk, left)
        chain.advance(piece, length_cycle, True)
        left -= piece
    return not left


def in_order(cells: np.ndarray) -> np.ndarray:
    """Cell values (..., n_cells) of a kernel in increasing τ."""
    half = cells.shape[-1] // 2
    return np.concatenate([cells[..., :half], cells[..., ::-1][..., :half]], axis=-1)


def cell_projection(n_cells: int, n_l: int, n_moments: int) -> np.ndarray:
    """sqrt(2l+1) P_l as polynomials of the local coordinate of each cell: (n_cells, n_moments, n_l)."""
    half, m = n_cells // 2, n_moments
    u = np.cos(np.pi * (np.arange(m) + 0.5) / m)
    to_powers = np.linalg.inv(np.vander(u, m, increasing=True))
    y = (np.arange(half)[:, None] + 0.5 * (u + 1)) / (half * np.sqrt(2))
    x = 2 * y.ravel() ** 2 - 1  # τ/β = y²
    values = np.concatenate([legendre.vandermonde(x, n_l), legendre.vandermonde(-x, n_l)])
    return to_powers @ values.reshape(n_cells, m, n_l)
