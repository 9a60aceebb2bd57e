# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""A Markov chain of the matrix solver from the Python side: tables of Δ, memory, and bins of raw data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ...numerics import legendre
from ...problem import Problem
from ...problem.symmetry import generating_permutations
from ..bins import MOST_ORDERS, REFINEMENT, Bins, cell_projection, in_order, sum_up
from ..segment.chain import hybridisation_tables
from ..segment.reweight import LEAST, sampled_hybridisation, strength
from . import kernel
from .local import LocalBasis
from .moves import Chain, Model, refresh
from .tree import N_OPS, Tree, rebuild

_NONE = 1e-10  # size of Δ_ab, relative to the largest element, that counts as none
_ROOM = 16  # operators in one leaf
_OPERATORS_PER_LEAF = 3.0
_SHARES = np.array([0.05, 0.1, 0.22])  # of far moves, double moves and shifts, cumulative
_SHARES_OF_ONE = np.array([0.25, 0.25, 0.4])  # where Δ connects all flavours
_UNCANCELLED = 0.2  # μ of `moves`; 0 to 0.2 tried where `result._CORRELATED` was chosen
_LOOKS = 64  # configurations from which λ is chosen
_N_NODES, _FEW, _HARDLY = 16, 3, 1e-5  # a bath with less than 1e-5 of its weight in a fourth site holds few


def components(Delta_l: np.ndarray) -> np.ndarray:
    """Label of each flavour, equal for those that Δ_l (n_l, N, N) connects."""
    Delta = np.max(np.abs(Delta_l), axis=0)
    return connected_components(coo_array(Delta > _NONE * np.max(Delta, initial=0.0)), directed=False)[1]


def holds_few(beta: float, Delta_l: np.ndarray) -> bool:
    """Whether a bath has few sites, so that it cannot take several electrons of one flavour in a row.

    Determinants of such configurations vanish, while their minors, which G is measured from, do not: unless another
    bath is added, they would be missing. The number of sites is the rank of Δ(τ_i + τ_j).
    """
    tau = 0.25 * beta * (1 + np.polynomial.legendre.leggauss(_N_NODES)[0])
    values = legendre.evaluate(beta, Delta_l, (tau[:, None] + tau).ravel()).reshape(_N_NODES, _N_NODES)
    size = np.linalg.svd(values, compute_uv=False)
    return bool(size[_FEW] < _HARDLY * size[0])


def renamings(problem: Problem, label: np.ndarray) -> np.ndarray:
    """Permutations of flavours to be tried, each followed by its inverse, (n, N): exchanges of two, and what leaves the
    interaction unchanged.

    They may change levels and Δ, but take components to components.
    """
    N = problem.n_flavours
    bare = replace(problem, h_loc0=tuple(np.zeros_like(h) for h in problem.h_loc0), bath=None)
    together = label[:, None] == label
    found = [np.array(p) for p in generating_permutations(bare)]
    for a, b in combinations(range(N), 2):
        p = np.arange(N)
        p[[a, b]] = b, a
        found.append(p)
    kept = [p for p in found if np.array_equal(together[np.ix_(p, p)], together)]
    both = [q for p in kept for q in (p, np.argsort(p))]
    return np.array(both, np.int64).reshape(len(both), N)


def log_norms(basis: LocalBasis) -> np.ndarray:
    """ln of the spectral norm of the moduli of each ladder operator from each sector, (2 N, n_sectors)."""
    out = np.zeros(basis.link.shape)
    for o, s in np.argwhere(basis.link >= 0):
        out[o, s] = np.log(max(np.linalg.norm(np.abs(basis.ladder_from(o, s)), 2), 1e-300))
    return out


@dataclass
class RawBins(Bins):
    """Averages over equal bins, the weight of the measurements not divided out.

    G_l (n_bins, n_entries, n_l), rho (n_bins, n_states, largest sector), weight and its magnitude (n_bins,), and G(τ)
    and K(τ) integrated over the cells of the measurement mesh in increasing τ, G_cells and K_cells (n_bins, n_entries,
    n_cells).
    """

    G_l: np.ndarray
    rho: np.ndarray
    weight: np.ndarray
    magnitude: np.ndarray
    G_cells: np.ndarray
    K_cells: np.ndarray


class MarkovChain:
    """One chain with its measurements.

    Parameters
    ----------
    problem : Problem
    basis : LocalBasis
    Delta_l : (n_l, N, N) array
        Hybridisation over all flavours.
    n_l : int
        Number of Legendre coefficients measured.
    seed : int
    """

    def __init__(self, problem: Problem, basis: LocalBasis, Delta_l: np.ndarray, n_l: int, seed: int):
        N = problem.n_flavours
        self.beta, self.n_l, self.basis = problem.beta, n_l, basis
        self.label = components(Delta_l)
        self.dtype = np.result_type(Delta_l, basis.ladder)
        self._Delta_l, self._width, self._N = Delta_l, problem.scale, N
        sizes = np.bincount(self.label)
        members = np.zeros((len(sizes), N), np.int64)
        for c, size in enumerate(sizes):
            members[c, :size] = np.flatnonzero(self.label == c)
        self._own = Model(
            float(problem.beta),
            basis.energies,
            np.array([np.min(basis.energies[sector]) for sector in basis.sectors]),
            log_norms(basis),
            basis.start,
            basis.link,
            basis.ladder.astype(self.dtype),
            self.label.astype(np.int64),
            members,
            sizes.astype(np.int64),
            *self._functions(Delta_l),
            renamings(problem, self.label),
            np.zeros(len(sizes)),
            _UNCANCELLED if basis.largest > 1 else 0.0,
        )
        out_of_order = bool(problem.terms) or len(sizes) < N  # creators of one flavour, or component, may come in a row
        self._narrow = [out_of_order and holds_few(self.beta, Delta_l[:, f, f].real) for f in range(N)]
        self.pairs = [(a, b) for a in range(N) for b in range(N) if self.label[a] == self.label[b]]
        entry = np.full((N, N), -1, np.int64)
        for k, pair in enumerate(self.pairs):
            entry[pair] = k
        self.n_cells = 4 * n_l
        self.position = np.zeros(3, np.int64)
        self.shares = _SHARES if len(sizes) > 1 else _SHARES_OF_ONE
        self.chain = self._empty_chain(8, np.random.SeedSequence(seed).generate_state(4, np.uint64))
        self.model = self._own
        self._allocate_tree(2)
        self.sums = kernel.Sums(
            cells=np.zeros((len(self.pairs), REFINEMENT * self.n_cells, 2 * kernel.N_MOMENTS), self.dtype),
            entry=entry,
            rho=np.zeros((2**N, basis.largest), self.dtype),
            weight=np.zeros(2),
            histogram=np.zeros((len(problem.gf_struct) + 1, MOST_ORDERS)),
            block=np.repeat(np.arange(len(problem.gf_struct)), [size for _, size in problem.gf_struct]),
            blocks=np.zeros((2, 48, 4)),
        )
        self.projection = cell_projection(REFINEMENT * self.n_cells, n_l, kernel.N_MOMENTS)
        self.add_hybridisation(LEAST)

    def _functions(self, Delta_l: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Number of the table of each F_ab, (N, N), and the tables."""
        size = np.max(np.abs(Delta_l))
        number, distinct = np.full((self._N, self._N), -1, np.int64), []
        for a, b in np.argwhere(np.max(np.abs(Delta_l), axis=0) > _NONE * size):
            d = Delta_l[:, a, b]
            alike = (k for k, e in enumerate(distinct) if np.max(np.abs(d - e)) <= 1e-13 * size)
            if (k := next(alike, None)) is None:
                k = len(distinct)
                distinct.append(d)
            number[a, b] = k
        return number, hybridisation_tables(self.beta, distinct, together=True).astype(self.dtype)

    def add_hybridisation(self, c: float) -> None:
        """Sample with hybridisation of strength `c` added where the problem's own is small, see `segment.reweight`."""
        N = self._N
        own = [self._Delta_l[:, f, f].real for f in range(N)]
        self.added = c
        fuller = sampled_hybridisation(self.beta, own, N, self._width, c, self._narrow)
        changed = np.array([s is not d for s, d in zip(fuller, own)])
        self.is_reweighted, self.sampled = bool(np.any(changed)), self._Delta_l
        added = np.array([np.any(changed[self.label == k]) for k in range(self.label.max() + 1)])
        self.target = kernel.Target(self._own, added)
        if self.is_reweighted:
            n_l = max(len(self._Delta_l), *map(len, fuller))
            self.sampled = legendre.resized(self._Delta_l, n_l)
            for f in np.flatnonzero(changed):
                self.sampled[:, f, f] = legendre.resized(fuller[f], n_l)
            number, table = self._functions(self.sampled)
            self.model = self._own._replace(function=number, table=table)
        deviation = self.chain.deviation[0]
        refresh(self.model, self.chain)
        self.chain.deviation[0] = deviation

    def balance(self, average_weight: float) -> None:
        """Adapt the strength of what was added to the `weight` it has on average."""
        self.add_hybridisation(strength(average_weight, self.added))

    def spread(self, length: int) -> None:
        """Choose λ where Δ connects flavours: the reciprocal of the median of Σ|M|, from `length` updates."""
        spread = self._own.spread
        mixed = np.bincount(self.label) > 1
        if not np.any(mixed):
            return
        sizes = []
        for _ in range(_LOOKS):
            self.advance(max(length // _LOOKS, 1), 1, False)
            refresh(self.model, self.chain)
            sizes.append(self.chain.size.copy())
        sizes = np.array(sizes)
        for c in np.flatnonzero(mixed):
            seen = sizes[:, c][sizes[:, c] > 0]
            spread[c] = 1 / np.median(seen) if len(seen) else 0.0

    def sampled_size(self, tau: np.ndarray) -> np.ndarray:
        """|Δ_ab(β − τ)| of what is sampled, plus λ of its component, (N, N, n_tau): one over an element at τ."""
        values = np.abs(legendre.evaluate(self.beta, self.sampled, self.beta - tau))
        values = np.maximum(values, 1e-13 * np.max(values, axis=0))
        return np.moveaxis(values, 0, -1) + self._own.spread[self.label][:, None, None]

    @property
    def weight(self) -> float:
        """Weight of the present configuration in the problem itself relative to its weight in the chain."""
        return abs(kernel.relative_weight(self.model, self.target, self.chain)) if self.is_reweighted else 1.0

    @property
    def orders(self) -> np.ndarray:
        """Present expansion order of each component."""
        return self.chain.n_pairs

    def _empty_chain(self, n_max, rng):
        n_components, kind = self.label.max() + 1, self.dtype
        whole = lambda *shape: np.zeros(shape, np.int64)

        def make(saved):
            return Chain(
                np.zeros((n_components, n_max)),
                np.zeros((n_components, n_max)),
                whole(n_components, n_max),
                whole(n_components, n_max),
                np.zeros((n_components, n_max, n_max), kind),
                whole(n_components),
                np.zeros(n_components),
                np.ones(1, kind),
                np.ones(1, kind),
                np.ones(1),
                rng,
                whole(8, 2),
                whole(1),
                np.zeros(1),
                np.zeros(n_max, kind),
                np.zeros(n_max, kind),
                np.zeros(n_max, kind),
                np.zeros(n_max, kind),
                np.zeros((n_max, n_max), kind),
                np.zeros((n_max, n_max), kind),
                whole(n_max),
                saved,
            )

        return make(make(0))

    def _allocate_tree(self, n_leaves):
        basis, kind = self.basis, self.dtype
        n_nodes, n_sectors, n_states, d = 2 * n_leaves, basis.link.shape[1], len(basis.energies), basis.largest
        whole = lambda *shape: np.zeros(shape, np.int64)
        old = getattr(self, "tree", None)
        self.tree = Tree(
            time=np.zeros((n_leaves, _ROOM)),
            op=whole(n_leaves, _ROOM),
            n_ops=whole(n_leaves),
            page=whole(n_nodes),
            touched=whole(n_nodes),
            target=np.tile(np.arange(n_sectors), (2, n_nodes, 1)),
            alive=whole(2, n_nodes, n_sectors),
            n_alive=whole(2, n_nodes),
            bound=np.zeros((2, n_nodes, n_sectors)),
            product=np.zeros((2, n_nodes, n_states, d), kind),
            bulk=np.zeros((2, n_nodes, n_states, d)),
            known=whole(2, n_nodes, n_sectors),
            version=whole(2, n_nodes) + 1,
            empty=np.ones((2, n_nodes), bool),
            state=whole(4),
            leaves=whole(n_leaves + 8),
            stack=whole(64, 2),
            rows=np.zeros((2, d, d), kind),
            full=np.zeros((2, d, d)),
            survivors=whole(n_sectors + 1),
        )
        n_ops = 0
        if old is not None:
            for leaf in range(len(old.n_ops)):
                for i in range(old.n_ops[leaf]):
                    t, o = old.time[leaf, i], old.op[leaf, i]
                    new = min(int(t / self.beta * n_leaves), n_leaves - 1)
                    k = self.tree.n_ops[new]
                    self.tree.time[new, k], self.tree.op[new, k] = t, o
                    self.tree.n_ops[new] += 1
                    n_ops += 1
        self.tree.state[N_OPS] = n_ops
        self.chain.trace[0], self.chain.bulk[0] = rebuild(self.model, self.beta, self.tree)
        room = max(2 * (self.label.max() + 1) * self.chain.S.shape[1], 16)
        self.sweep = kernel.Sweep(
            np.zeros(room),
            whole(room),
            np.zeros(room, kind),
            whole(room + 1),
            np.zeros((room + 1, d, d), kind),
            np.zeros((d, d), kind),
            np.zeros((d, d), kind),
            np.zeros(room, kind),
            np.zeros(room, kind),
        )

    def _enlarge(self):
        old = self.chain
        if old.full[0] == 0:
            new = self._empty_chain(2 * old.S.shape[1], old.rng)
            n = old.S.shape[1]
            for name in ("S", "E", "SF", "EF"):
                getattr(new, name)[:, :n] = getattr(old, name)
            new.M[:, :n, :n] = old.M
            for name in ("n_pairs", "size", "phase", "trace", "bulk", "counts", "deviation"):
                getattr(new, name)[...] = getattr(old, name)
            self.chain = new
            self._allocate_tree(len(self.tree.n_ops))
        else:
            old.full[0] = 0
            self._allocate_tree(2 * len(self.tree.n_ops))

    def fit_tree(self):
        """As many leaves as the operators need."""
        n = max(int(2 ** np.ceil(np.log2(max(self.tree.state[N_OPS] / _OPERATORS_PER_LEAF, 2)))), 2)
        if n != len(self.tree.n_ops):
            self._allocate_tree(n)

    def advance(self, n_cycles: int, length_cycle: int, measuring: bool) -> None:
        """Run the chain; memory grows where an expansion order outgrows it."""
        while not kernel.run(
            self.model,
            self.target,
            self.chain,
            self.tree,
            self.sums,
            self.sweep,
            self.position,
            n_cycles,
            length_cycle,
            self.shares,
            measuring,
        ):
            self._enlarge()

    def measure_bins(
        self, n_bins: int, n_cycles: int, length_cycle: int, keep_going=lambda: True, chunk: int | None = None
    ) -> RawBins:
        """`n_bins` bins of `n_cycles` measurements each; fewer where `keep_going`, asked after every `chunk` of
        measurements, says stop: what has not become a whole bin is left out.
        """
        n_entries, n_cells, rho = len(self.pairs), self.n_cells, self.sums.rho.shape
        kinds = [((n_entries, self.n_l), self.dtype), (rho, self.dtype), ((), float), ((), float)]
        kinds += [((n_entries, n_cells), self.dtype)] * 2
        bins = RawBins(*(np.zeros((n_bins, *shape), kind) for shape, kind in kinds))
        done, unit = 0, -self.beta * n_cycles
        sums = self.sums.cells, self.sums.rho, self.sums.weight
        while done < n_bins and sum_up(self, sums, n_cycles, length_cycle, keep_going, chunk or n_cycles):
            moments = self.sums.cells.reshape(n_entries, REFINEMENT * n_cells, 2, kernel.N_MOMENTS)
            bins.G_l[done] = np.tensordot(moments[:, :, 0], self.projection, axes=((1, 2), (0, 1))) / unit
            zeroth = moments[..., 0].reshape(n_entries, n_cells, REFINEMENT, 2).sum(axis=2) / unit
            bins.G_cells[done], bins.K_cells[done] = in_order(zeroth[..., 0]), in_order(zeroth[..., 1])
            bins.rho[done] = -self.sums.rho / unit
            bins.weight[done], bins.magnitude[done] = self.sums.weight / n_cycles
            done += 1
        return bins.map(lambda a: a[:done])
