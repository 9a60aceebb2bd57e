# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""A Markov chain of the segment solver from the Python side: tables of Δ, symmetries, memory, and bins of raw data."""
from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.polynomial import legendre as polynomial

from ..numerics import legendre
from . import segment_kernel as kernel
from .segment_moves import Chain, Model

_TABLE_ACCURACY = 2e-9  # of the interpolation of Δ, relative to its largest value
_MAX_PERMUTATIONS = 100


def hybridisation_table(beta: float, Delta_l: np.ndarray, n_mesh: int) -> np.ndarray:
    """Cubic Hermite pieces of F(x) = −Δ(β − x) on n_mesh intervals of [0, β]: (n_mesh, 4) powers of the local coordinate."""
    x = np.linspace(0, beta, n_mesh + 1)
    series = Delta_l * np.sqrt(2 * np.arange(len(Delta_l)) + 1) / beta
    value = -polynomial.legval(1 - 2 * x / beta, series)
    slope = polynomial.legval(1 - 2 * x / beta, polynomial.legder(series)) * 2 / n_mesh
    a, b, da, db = value[:-1], value[1:], slope[:-1], slope[1:]
    return np.stack([a, da, 3 * (b - a) - 2 * da - db, 2 * (a - b) + da + db], axis=1)


def hybridisation_tables(beta: float, Deltas: list[np.ndarray]) -> np.ndarray:
    """Tables of all `Deltas` on the coarsest common mesh whose error at the midpoints stays below the accuracy asked for."""
    n_mesh = 256
    while True:
        tables = np.array([hybridisation_table(beta, d, n_mesh) for d in Deltas])
        middle = beta * (np.arange(n_mesh) + 0.5) / n_mesh
        errors = []
        for table, d in zip(tables, Deltas):
            exact = -legendre.evaluate(beta, d, beta - middle)
            errors.append(np.max(np.abs(table @ 0.5 ** np.arange(4) - exact)) / np.max(np.abs(exact)))
        if max(errors) < _TABLE_ACCURACY or n_mesh >= 2**16:
            return tables
        n_mesh *= 2


def automorphisms(colour: list, U: np.ndarray, limit: int) -> list[tuple[int, ...]]:
    """Up to `limit` permutations of the flavours that keep their colours and the interaction matrix, identity included."""
    n, tol, found = len(colour), 1e-12 * max(1.0, np.max(np.abs(U), initial=0.0)), []

    def extend(image: list[int]) -> None:
        if len(found) >= limit:
            return
        f = len(image)
        if f == n:
            found.append(tuple(image))
            return
        for g in range(n):
            if g not in image and colour[g] == colour[f]:
                if all(abs(U[f, a] - U[g, b]) <= tol for a, b in enumerate(image)):
                    extend([*image, g])

    extend([])
    return found


def cheap_permutations(delta_class: list[int], symmetries: list[tuple[int, ...]]) -> np.ndarray:
    """Permutations among flavours of equal Δ, closed under inversion: exchanges, double exchanges, and the symmetries."""
    n = len(delta_class)
    swaps = [(a, b) for a, b in combinations(range(n), 2) if delta_class[a] == delta_class[b]]
    perms = set()
    for s in swaps:
        for t in [(), *swaps]:
            if not set(s) & set(t) and len(perms) < _MAX_PERMUTATIONS:
                p = list(range(n))
                for a, b in (s, t) if t else (s,):
                    p[a], p[b] = b, a
                perms.add(tuple(p))
    for p in symmetries[:_MAX_PERMUTATIONS]:
        perms |= {p, tuple(int(i) for i in np.argsort(p))}
    perms.discard(tuple(range(n)))
    return np.array(sorted(perms), dtype=np.int64).reshape(len(perms), n)


def orbit_labels(symmetries: list[tuple[int, ...]], n: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels of the flavours (n,) and of the ordered pairs (n, n) that the symmetries map onto each other."""
    flavour, pair = np.arange(n), np.arange(n * n).reshape(n, n)
    for labels, moved in ((flavour, lambda p: flavour[list(p)]), (pair, lambda p: pair[np.ix_(p, p)])):
        changed = True
        while changed:
            before = labels.copy()
            for p in symmetries:
                smaller = np.minimum(labels, moved(p))
                labels[...] = smaller
            changed = not np.array_equal(before, labels)
    return flavour, pair


@dataclass
class RawBins:
    """Averages over equal bins: G_l and F_l (n_bins, N, n_l), nn (n_bins, N, N), sign (n_bins,); signs not divided out."""

    G_l: np.ndarray
    F_l: np.ndarray
    nn: np.ndarray
    sign: np.ndarray

    def __len__(self) -> int:
        return len(self.sign)

    def map(self, function) -> RawBins:
        """The same function applied to each array."""
        return RawBins(*(function(a) for a in (self.G_l, self.F_l, self.nn, self.sign)))

    @staticmethod
    def join(parts: list[RawBins]) -> RawBins:
        """Bins of several runs or ranks, one after the other."""
        return RawBins(*(np.concatenate([getattr(p, name) for p in parts]) for name in ("G_l", "F_l", "nn", "sign")))


class MarkovChain:
    """One chain with its measurements.

    Parameters
    ----------
    beta : float
    levels : (N,) array
    U : (N, N) array
    Deltas : list of (n_l,) arrays
        The distinct hybridisation functions.
    delta_class : list of int
        Which of them each flavour has.
    symmetries : list of permutations
        Permutations of flavours that leave the problem unchanged.
    n_l : int
        Number of Legendre coefficients measured.
    seed : int
    """

    def __init__(self, beta, levels, U, Deltas, delta_class, symmetries, n_l: int, seed: int):
        N = len(levels)
        self.beta, self.n_l = beta, n_l
        self.model = Model(
            float(beta),
            np.array(levels, float),
            np.array(U, float),
            np.array(delta_class, dtype=np.int64),
            hybridisation_tables(beta, Deltas),
            cheap_permutations(delta_class, symmetries),
        )
        self.recast_every = 200
        self.position = np.zeros(3, dtype=np.int64)
        self.chain = _empty_chain(N, max(32, N), seed)
        self.sums = kernel.Sums(
            cells=np.zeros((N, 4 * n_l, 2, kernel.N_MOMENTS)),
            nn=np.zeros((N, N)),
            histogram=np.zeros((N, 512), dtype=np.int64),
            sign=np.zeros(1),
            blocks=np.zeros((2 + N, 48, 4)),
            interaction=np.zeros((2, self.chain.S.shape[1])),
        )
        self.projection = _cell_projection(4 * n_l, n_l)

    def advance(self, n_cycles: int, length_cycle: int, measuring: bool) -> None:
        """Run the chain; memory grows where an expansion order outgrows it."""
        while not kernel.run(
            self.model, self.chain, self.sums, self.position, n_cycles, length_cycle, self.recast_every, measuring
        ):
            self.chain = _enlarged(self.chain)
            self.sums = self.sums._replace(interaction=np.zeros((2, self.chain.S.shape[1])))

    def measure_bins(self, n_bins: int, n_cycles: int, length_cycle: int, keep_going=lambda: True) -> RawBins:
        """`n_bins` bins of `n_cycles` measurements each; fewer where `keep_going` says stop between two bins."""
        bins = []
        while len(bins) < n_bins and keep_going():
            self.sums.cells[...] = 0
            self.sums.nn[...] = 0
            self.sums.sign[...] = 0
            self.advance(n_cycles, length_cycle, True)
            G_and_F = -np.tensordot(self.sums.cells, self.projection, axes=([1, 3], [0, 1])) / (self.beta * n_cycles)
            bins.append((G_and_F[:, 0], G_and_F[:, 1], self.sums.nn / (self.beta * n_cycles), self.sums.sign[0] / n_cycles))
        if not bins:
            N = len(self.model.level)
            return RawBins(np.zeros((0, N, self.n_l)), np.zeros((0, N, self.n_l)), np.zeros((0, N, N)), np.zeros(0))
        return RawBins(*(np.array(column) for column in zip(*bins)))

    @property
    def orders(self) -> np.ndarray:
        """Present expansion order of each flavour, (N,)."""
        return self.chain.n_pairs[self.chain.slot]


def _cell_projection(n_cells: int, n_l: int) -> np.ndarray:
    """sqrt(2l+1) P_l as polynomials of the local coordinate of each cell: (n_cells, n_moments, n_l)."""
    half, m = n_cells // 2, kernel.N_MOMENTS
    u = np.cos(np.pi * (np.arange(m) + 0.5) / m)
    to_powers = np.linalg.inv(np.vander(u, m, increasing=True))
    y = (np.arange(half)[:, None] + 0.5 * (u + 1)) / (half * np.sqrt(2))
    x = 2 * y.ravel() ** 2 - 1  # τ/β = y²
    values = np.concatenate([legendre.vandermonde(x, n_l), legendre.vandermonde(-x, n_l)])
    return to_powers @ values.reshape(n_cells, m, n_l)


def _empty_chain(N: int, n_max: int, seed: int) -> Chain:
    real, whole = np.zeros, lambda shape: np.zeros(shape, dtype=np.int64)
    return Chain(
        slot=np.arange(N, dtype=np.int64),
        S=real((N, n_max)),
        E=real((N, n_max)),
        M=real((N, n_max, n_max)),
        n_pairs=whole(N),
        n0=whole(N),
        length=real(N),
        overlap=real((N, N)),
        rng=np.random.SeedSequence(seed).generate_state(4, np.uint64),
        counts=whole((5, 2)),
        sign=np.ones(1, dtype=np.int64),
        deviation=real(1),
        work=real((5, n_max)),
        shift=real(N),
        spare_S=real((N, n_max)),
        spare_E=real((N, n_max)),
        spare_M=real((N, n_max, n_max)),
        spare_n=whole(N),
        spare_n0=whole(N),
        spare_overlap=real((N, N)),
        matrix=real((n_max, n_max)),
    )


def _enlarged(chain: Chain) -> Chain:
    """The same chain with room for twice the expansion order."""
    grown = _empty_chain(len(chain.slot), 2 * chain.S.shape[1], 0)
    for name in Chain._fields:
        old, new = getattr(chain, name), getattr(grown, name)
        new[tuple(slice(0, s) for s in old.shape)] = old
    return grown
