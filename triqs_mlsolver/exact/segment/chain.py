# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""A Markov chain of the segment solver from the Python side: tables of Δ, memory, and bins of raw data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.polynomial import legendre as polynomial

from ...numerics import legendre
from ...problem import Problem
from ..bins import MOST_ORDERS, REFINEMENT, Bins, cell_projection, in_order, sum_up
from . import bare, kernel
from .global_moves import refresh
from .moves import Chain, Model
from .reweight import LEAST, Target, reweight, sampled_hybridisation, strength
from .sweeps import N_POWERS, NEVER
from .symmetries import Symmetries
from .vectors import WIDTH

_TABLE_ACCURACY = 2e-9  # of the interpolation of Δ, relative to its largest value


def hybridisation_table(F, n_mesh: int) -> np.ndarray:
    """A function F of x/β interpolated at Chebyshev points of n_mesh intervals of [0, 1].

    Returns (n_mesh + 1, N_POWERS) powers of the coordinate that runs from 0 to 1 along each interval; the last row is
    F(1).
    """
    y = 0.5 - 0.5 * np.cos(np.pi * (np.arange(N_POWERS) + 0.5) / N_POWERS)
    powers = F((np.arange(n_mesh)[:, None] + y) / n_mesh) @ np.linalg.inv(np.vander(y, increasing=True)).T
    table = np.zeros((n_mesh + 1, N_POWERS), powers.dtype)
    table[:-1] = powers
    table[-1, 0] = np.sum(table[-2])
    return table


def hybridisation_tables(beta: float, Deltas, n_mesh: int = 64, *, together: bool = False) -> np.ndarray:
    """Tables of F(x) = −Δ(β − x) of all `Deltas` on the coarsest common mesh that is accurate at the midpoints.

    It has `n_mesh` intervals or more. The accuracy is relative to each function, or to the largest of all where they
    are elements that belong `together`.
    """
    as_series = [d * np.sqrt(2 * np.arange(len(d)) + 1) / beta for d in Deltas]
    functions = [lambda x, series=series: -polynomial.legval(1 - 2 * x, series) for series in as_series]
    while True:
        tables = np.array([hybridisation_table(F, n_mesh) for F in functions])
        exact = np.array([F((np.arange(n_mesh) + 0.5) / n_mesh) for F in functions])
        errors = np.max(np.abs(tables[:, :-1] @ 0.5 ** np.arange(N_POWERS) - exact), axis=1)
        sizes = np.max(np.abs(exact), axis=1)
        sizes = np.max(sizes) if together else np.where(sizes > 0, sizes, 1.0)
        if np.max(errors / sizes) < _TABLE_ACCURACY or n_mesh >= 2**16:
            return tables
        n_mesh *= 2


@dataclass
class RawBins(Bins):
    """Averages over equal bins, the weight of the measurements not divided out.

    G_l and F_l (n_bins, N, n_l), nn (n_bins, N, N), weight and its magnitude (n_bins,), and G(τ) and F(τ) integrated
    over the cells of the measurement mesh in increasing τ, G_cells and F_cells (n_bins, N, n_cells).
    """

    G_l: np.ndarray
    F_l: np.ndarray
    nn: np.ndarray
    weight: np.ndarray
    magnitude: np.ndarray
    G_cells: np.ndarray
    F_cells: np.ndarray


class MarkovChain:
    """One chain with its measurements.

    Parameters
    ----------
    problem : Problem
    symmetries : Symmetries
        Holds the hybridisation to be sampled and the permutations offered as moves.
    n_l : int
        Number of Legendre coefficients measured.
    seed : int
    """

    def __init__(self, problem: Problem, symmetries: Symmetries, n_l: int, seed: int):
        N, beta = problem.n_flavours, problem.beta
        self.beta, self.n_l = beta, n_l
        self._own = Model(
            float(beta),
            problem.levels.copy(),
            problem.U.copy(),
            np.array(symmetries.delta_class, dtype=np.int64),
            hybridisation_tables(beta, symmetries.Deltas),
            symmetries.moves(),
            symmetries.bare,
        )
        self._Deltas, self._width = symmetries.Deltas, problem.scale
        is_bare = self._own.bare
        self.bare_classes = np.unique(self._own.delta_class[is_bare])
        self.log_pair_weights = np.full((len(symmetries.Deltas), bare.N_NODES), bare.first(beta, np.sum(is_bare)))
        self._n_mesh = max(64, int(np.ceil(beta * problem.largest_energy))) if np.any(is_bare) else 64
        self.recast_every = 200
        self.position = np.zeros(3, dtype=np.int64)
        self.n_cells = 4 * n_l
        self.chain = _empty_chain(N, WIDTH * max(4, -(-N // WIDTH)), seed)
        self.sums = kernel.Sums(
            cells=np.zeros((N, REFINEMENT * self.n_cells, 2 * kernel.N_MOMENTS)),
            nn=np.zeros((N, N)),
            histogram=np.zeros((len(problem.gf_struct) + 1, MOST_ORDERS)),
            block=np.repeat(np.arange(len(problem.gf_struct)), [size for _, size in problem.gf_struct]),
            weight=np.zeros(2),
            blocks=np.zeros((2 + N, 48, 4)),
            interaction=np.zeros((2, self.chain.S.shape[1])),
        )
        self.projection = cell_projection(REFINEMENT * self.n_cells, n_l, kernel.N_MOMENTS)

        self.add_hybridisation(LEAST)

    def add_hybridisation(self, c: float) -> None:
        """Sample with hybridisation of strength `c` added where the problem's own is small, see `reweight`."""
        own = self._own
        self.added = c
        self.sampled = sampled_hybridisation(self.beta, self._Deltas, len(own.level), self._width, c)
        added = np.array([s is not d for s, d in zip(self.sampled, self._Deltas)])
        self.target = Target(own, added)
        self._tabulate()

    def _tabulate(self) -> None:
        """Take over what is sampled: `sampled`, and the pairs of flavours that have no hybridisation."""
        own = self._own
        self.model = own
        if len(self.bare_classes) or np.any(self.target.added):
            table = hybridisation_tables(self.beta, self.sampled, self._n_mesh)
            for c in self.bare_classes:
                bare.tabulate(table[c], self.log_pair_weights[c])
            self.model = own._replace(table=table)
        deviation = self.chain.deviation[0]
        refresh(self.model, self.chain)
        self.chain.deviation[0] = deviation

    def learn_pair_weights(self, step: float, n_steps: int, length: int) -> np.ndarray:
        """Adapt the weights of pairs of flavours that have no hybridisation, see `bare`; visits by class and node."""
        visits = np.zeros_like(self.log_pair_weights)
        while n_steps:
            n_steps = kernel.flatten(
                self.model,
                self.target,
                self.chain,
                self.sums,
                self.position,
                self.log_pair_weights,
                visits,
                step,
                n_steps,
                length,
                self.recast_every,
            )
            if n_steps:
                self._enlarge()
        return visits[self.bare_classes]

    def take_pair_weights(self, log_weights: np.ndarray) -> None:
        """Sample with these weights, half of the time with a pair where they are least."""
        self.log_pair_weights = np.array([bare.favour_the_likely(w) for w in log_weights])
        self._tabulate()

    def sampled_size(self, tau: np.ndarray) -> np.ndarray:
        """|Δ(β − τ)| of what is sampled for each flavour, (N, n_tau)."""
        sizes = [np.abs(legendre.evaluate(self.beta, d, self.beta - tau)) for d in self.sampled]
        sizes = [np.maximum(size, 1e-13 * np.max(size)) for size in sizes]
        for c in self.bare_classes:
            sizes[c] = bare.at(tau / self.beta, self.log_pair_weights[c])
        return np.array(sizes)[self._own.delta_class]

    def balance(self, average_weight: float) -> None:
        """Adapt the strength of what was added to the `weight` it has on average."""
        self.add_hybridisation(strength(average_weight, self.added))

    @property
    def is_reweighted(self) -> bool:
        """Whether another hybridisation than the problem's is sampled."""
        return bool(np.any(self.target.added))

    @property
    def weight(self) -> float:
        """Weight of the present configuration in the problem itself relative to its weight in the chain."""
        return reweight(self.target, self.model, self.chain) if np.any(self.target.added) else 1.0

    def advance(self, n_cycles: int, length_cycle: int, measuring: bool) -> None:
        """Run the chain; memory grows where an expansion order outgrows it."""
        while not kernel.run(
            self.model,
            self.target,
            self.chain,
            self.sums,
            self.position,
            n_cycles,
            length_cycle,
            self.recast_every,
            measuring,
        ):
            self._enlarge()

    def _enlarge(self) -> None:
        self.chain = _enlarged(self.chain)
        self.sums = self.sums._replace(interaction=np.zeros((2, self.chain.S.shape[1])))

    def measure_bins(
        self, n_bins: int, n_cycles: int, length_cycle: int, keep_going=lambda: True, chunk: int | None = None
    ) -> RawBins:
        """`n_bins` bins of `n_cycles` measurements each; fewer where `keep_going`, asked after every `chunk` of
        measurements, says stop: what has not become a whole bin is left out.
        """
        N, n_cells = len(self.sums.nn), self.n_cells
        shapes = ((N, self.n_l), (N, self.n_l), (N, N), (), (), (N, n_cells), (N, n_cells))
        bins = RawBins(*(np.zeros((n_bins, *shape)) for shape in shapes))
        moments = np.zeros((n_bins, *self.sums.cells.shape))
        done, unit = 0, -self.beta * n_cycles
        sums = self.sums.cells, self.sums.nn, self.sums.weight
        while done < n_bins and sum_up(self, sums, n_cycles, length_cycle, keep_going, chunk or n_cycles):
            moments[done] = self.sums.cells
            bins.nn[done] = -self.sums.nn / unit
            bins.weight[done], bins.magnitude[done] = self.sums.weight / n_cycles
            done += 1
        moments = moments.reshape(n_bins, N, REFINEMENT * n_cells, 2, kernel.N_MOMENTS)
        projection = self.projection.reshape(-1, self.n_l)
        for k, (series, cells) in enumerate(((bins.G_l, bins.G_cells), (bins.F_l, bins.F_cells))):
            flat = np.ascontiguousarray(moments[:, :, :, k]).reshape(n_bins * N, len(projection))
            series[...] = (flat @ projection).reshape(series.shape) / unit
            zeroth = moments[:, :, :, k, 0].reshape(n_bins, N, n_cells, REFINEMENT)
            cells[...] = in_order(zeroth.sum(axis=3)) / unit
        return bins.map(lambda a: a[:done])

    @property
    def orders(self) -> np.ndarray:
        """Present expansion order of each flavour, (N,)."""
        return self.chain.n_pairs[self.chain.slot]


def _empty_chain(N: int, n_max: int, seed: int) -> Chain:
    real, whole = np.zeros, lambda shape: np.zeros(shape, dtype=np.int64)
    return Chain(
        slot=np.arange(N, dtype=np.int64),
        S=np.full((N, n_max), NEVER),
        E=np.full((N, n_max), NEVER),
        M=real((N, n_max, n_max)),
        n_pairs=whole(N),
        n0=whole(N),
        length=real(N),
        overlap=real((N, N)),
        log_det=real(N),
        sign=np.ones(N, dtype=np.int64),
        rng=np.random.SeedSequence(seed).generate_state(4, np.uint64),
        counts=whole((6, 2)),
        deviation=real(1),
        work=real((4, n_max)),
        index=whole(n_max),
        number=np.arange(n_max, dtype=float),
        shift=real(N),
        spare_S=np.full((N, n_max), NEVER),
        spare_E=np.full((N, n_max), NEVER),
        spare_M=real((N, n_max, n_max)),
        spare_n=whole(N),
        spare_n0=whole(N),
        spare_log_det=real(N),
        spare_sign=whole(N),
        spare_overlap=real((N, N)),
        matrix=real((n_max, n_max)),
    )


def _enlarged(chain: Chain) -> Chain:
    """The same chain with room for twice the expansion order."""
    grown = _empty_chain(len(chain.slot), 2 * chain.S.shape[1], 0)
    for name in Chain._fields:
        old, new = getattr(chain, name), getattr(grown, name)
        if name != "number":
            new[tuple(slice(0, s) for s in old.shape)] = old
    return grown
