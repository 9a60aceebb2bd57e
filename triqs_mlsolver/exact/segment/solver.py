# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""The embedded CTQMC: hybridisation expansion in the segment picture (Werner et al., PRL 97, 076405).

For density-density interactions and diagonal hybridisation, any number of flavours. The compiled kernel is loaded when
the first problem is solved.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field, replace

import numpy as np

from ...numerics.causality import project_delta
from ...problem import Problem, Solution
from ...tools import seeds
from ...tools.mpi import on_threads
from ...tools.validation import MAX_TIME, TARGET_ERROR, check_number, whole
from ..statistics import autocorrelation_time, merged_pairs
from .result import Analysis, Workspace, analyse, as_solution, measured_length
from .symmetries import Symmetries

log = logging.getLogger("triqs_mlsolver")

_N_BINS = 64  # per rank; bins are merged two by two whenever the run doubles
_FIRST_CYCLES = 64  # per bin, where the run length is to be found
_DEFAULT_TARGET = 5e-4
_STUCK = 0.9  # an eightfold run should cut the error to 0.35 of what it was; beyond this it is given up
_NOT_CAUSAL = 0.05  # relative distance from the closest causal Δ beyond which a problem is refused
_POSITIVE = 1e-9  # Δ(τ) above this, relative to its largest magnitude, is projected


@dataclass(frozen=True, kw_only=True)
class SegmentSolver:
    """Segment-picture CT-HYB with improved estimators.

    Parameters
    ----------
    n_cycles : int, optional
        Measurements per rank. With `target_error` the least number: the run goes on until the target is reached, too.
        By default the target alone decides.
    length_cycle : int, optional
        Updates between measurements; by default about six per operator pair, so that successive
        measurements are nearly independent and cost less than the moves between them.
    n_warmup_cycles : int, optional
        Cycles before measuring; by default grown with β and the number of flavours.
    random_seed : int
        Rank r uses random_seed + 928374 r. The same seed and number of ranks give the same numbers.
    max_time : float
        Seconds after which measuring stops, −1 for no limit.
    target_error : float, optional
        One standard error of G(τ), the largest over τ and flavours (dimensionless): run until it is reached, tested
        only at doubling run lengths. Default 5e-4 where `n_cycles` is not given either.
    n_threads : int
        Chains that this process samples at the same time where it is the only rank; they count as ranks.
    comm : communicator, optional
        Object with rank, size and allgather, such as `triqs_mlsolver.tools.mpi.world()`; all its ranks call `solve`
        together and each gets the same solution. None samples on this process alone.

    Examples
    --------
    >>> from triqs_mlsolver import Problem
    >>> problem = Problem.siam(beta=10.0, U=2.0, mu=1.0, eps=[-0.5, 0.5], V=[0.35, 0.35])
    >>> solution = SegmentSolver(n_cycles=20000, random_seed=1).solve(problem)
    >>> bool(abs(solution.density.sum() - 1) < 0.05)
    True
    """

    n_cycles: int | None = None
    length_cycle: int | None = None
    n_warmup_cycles: int | None = None
    random_seed: int = seeds.DEFAULT
    max_time: float = -1
    target_error: float | None = None
    n_threads: int = 1
    comm: object = field(default=None, repr=False)
    name = "segment"

    def __post_init__(self):
        for option, least in (
            ("n_cycles", _N_BINS), ("length_cycle", 1), ("n_warmup_cycles", 0), ("random_seed", 0), ("n_threads", 1)
        ):  # fmt: skip
            value = getattr(self, option)
            if value is not None or option in ("random_seed", "n_threads"):
                object.__setattr__(self, option, whole(option, value, least))
        if self.target_error is not None:
            check_number("target_error", self.target_error, TARGET_ERROR, positive=True)
        if self.max_time not in (-1, np.inf):
            check_number("max_time", self.max_time, MAX_TIME, positive=True)

    @staticmethod
    def supports(problem: Problem) -> str | None:
        """None if the segment picture covers `problem`, else the reason why not."""
        if not problem.is_density_density:
            return (
                f"the interaction has {len(problem.terms)} terms beyond density-density; the segment picture has none"
            )
        if not problem.is_diagonal:
            return "Delta or h_loc0 has off-diagonal elements, which the segment picture cannot sample"
        unreached = np.flatnonzero(np.concatenate(problem.unreached))
        if len(unreached):
            f = unreached[0]
            return f"flavour {f} has no hybridisation, so that its G cannot be measured: use exact diagonalisation"
        return None

    def solve(self, problem: Problem) -> Solution:
        """Sample `problem`; see the class for when sampling ends.

        Raises
        ------
        ValueError
            If the problem is not one for the segment picture, or its Δ is not causal.
        RuntimeError
            If `max_time` leaves no time to measure, or nothing could be measured.
        """
        reason = self.supports(problem)
        if reason is not None:
            raise ValueError(f"the segment solver cannot solve this problem: {reason}")
        if self.n_threads > 1 and getattr(self.comm, "size", 1) == 1:
            return on_threads(self.n_threads, lambda comm: replace(self, comm=comm, n_threads=1).solve(problem))
        started = time.perf_counter()
        Deltas, distance = causal_hybridisation(problem)
        run = _Run(self, problem, Deltas, started)
        run.warm_up()
        run.sample()
        provenance = run.provenance() | {"delta_projection_distance": distance}
        return as_solution(problem, run.analysis, provenance, run.statistics())


def causal_hybridisation(problem: Problem) -> tuple[list[np.ndarray], float]:
    """Δ_l of each flavour, projected where Δ(τ) > 0, and the largest relative distance moved (0 where nothing was).

    Raises
    ------
    ValueError
        If Δ is too far from any function of non-negative spectral weight to be noise.
    """
    from ...numerics import legendre

    tau = problem.beta * 0.5 * (1 - np.cos(np.linspace(0, np.pi, 513)))
    Deltas, largest = [], 0.0
    for f in range(problem.n_flavours):
        Delta_l = problem.delta_l(f)
        twin = next((g for g in range(f) if np.array_equal(problem.delta_l(g), Delta_l)), None)
        if twin is not None:
            Deltas.append(Deltas[twin])
            continue
        values = legendre.evaluate(problem.beta, Delta_l, tau)
        if np.max(values) > _POSITIVE * np.max(np.abs(values)):
            projection = project_delta(problem.beta, Delta_l, 2 * problem.largest_energy)
            if projection.distance > _NOT_CAUSAL:
                raise ValueError(
                    f"Delta of flavour {f} is not causal: Delta(tau) rises to {np.max(values):.3g} (largest magnitude "
                    f"{np.max(np.abs(values)):.3g}) and its distance from any non-negative spectral weight is "
                    f"{projection.distance:.2g} of its magnitude, more than noise ({_NOT_CAUSAL:g}). In TRIQS's sign "
                    f"Delta(tau) <= 0 between 0 and beta: check the sign and the source of Delta"
                )
            largest = max(largest, projection.distance)
            Delta_l = projection.Delta_l
        Deltas.append(Delta_l)
    if largest > 0:
        log.warning(
            "segment: Delta(tau) > 0 somewhere; projected onto non-negative spectral weight, moved by at most %.1e of "
            "its largest magnitude",
            largest,
        )
    return Deltas, largest


class _Run:
    """One Monte Carlo run: the chain of this rank, the bins of all ranks, and the decisions all ranks share."""

    def __init__(self, options: SegmentSolver, problem: Problem, Deltas: list[np.ndarray], started: float):
        self.options, self.problem, self.started = options, problem, started
        self.rank = getattr(options.comm, "rank", 0)
        self.size = getattr(options.comm, "size", 1)
        self.analysis: Analysis | None = None
        self.symmetries = Symmetries.of(problem, Deltas)
        self.chain = self._compiled_chain()
        self.work = Workspace(problem, self.symmetries, self.chain.n_cells)
        self.warmup_cycles = 0
        self.cycles_per_bin = 0
        self.target_reached = None

    # -- ranks ----------------------------------------------------------------------------------------------------

    def _allgather(self, value) -> list:
        return [value] if self.options.comm is None else self.options.comm.allgather(value)

    def _out_of_time(self) -> bool:
        """Whether any rank has used up max_time; every rank gets the same answer."""
        if self.options.max_time < 0:
            return False
        return any(self._allgather(time.perf_counter() - self.started > self.options.max_time))

    def _compiled_chain(self):
        """The chain of this rank; rank 0 compiles first, the others then find the kernel on disk."""
        if self.rank == 0:
            chain = self._build_chain()
            self._allgather(None)
        else:
            self._allgather(None)
            chain = self._build_chain()
        return chain

    def _build_chain(self):
        from . import kernel
        from .chain import MarkovChain
        from .kernel_cache import discard_stale

        if self.rank == 0 and not discard_stale(kernel.run, kernel.SOURCES):
            log.warning("segment: compiling the sampling kernel, once on this machine (about 10 seconds)")
        seed = seeds.of_rank(self.options.random_seed, self.rank)
        chain = MarkovChain(self.problem, self.symmetries, measured_length(self.problem), seed)
        chain.advance(1, 1, False)
        return chain

    # -- sampling -------------------------------------------------------------------------------------------------

    def warm_up(self) -> None:
        """Forget the empty start, and fix how many updates lie between measurements."""
        p, options = self.problem, self.options
        updates = int(4000 * p.n_flavours * (1 + p.beta * p.scale / 5))
        if options.n_warmup_cycles is not None and options.length_cycle is not None:
            updates = options.n_warmup_cycles * options.length_cycle
        elif options.n_cycles is not None and options.target_error is None:
            updates = max(updates, options.n_cycles // 2)
        finding = updates // 4 if np.any(self.chain.target.added) else 0
        if finding:
            weights = self._move(finding, lambda: self.chain.weight)
            self.chain.balance(float(np.mean(self._allgather(np.mean(weights[len(weights) // 5 :])))))
        orders = self._move(updates - finding, lambda: self.chain.orders.copy())
        order = np.mean(self._allgather(np.mean(orders[len(orders) // 5 :], axis=0)), axis=0)
        self.length_cycle = options.length_cycle or int(10 + 6 * order.sum())
        self.chain.recast_every = _recast_interval(order, len(self.symmetries.Deltas))
        done = updates // self.length_cycle
        if options.n_warmup_cycles is not None and done < options.n_warmup_cycles:
            self._move((options.n_warmup_cycles - done) * self.length_cycle, lambda: None)
            done = options.n_warmup_cycles
        self.warmup_cycles = done

    def _move(self, n_updates: int, watch) -> list:
        """Update without measuring; what `watch` says at about 50 moments on the way."""
        chunk = max(min(n_updates // 50, 200_000), 1)
        watched = []
        for _ in range(max(n_updates // chunk, 1)):
            self.chain.advance(chunk, 1, False)
            watched.append(watch())
            if self._out_of_time():
                raise RuntimeError(
                    f"max_time = {self.options.max_time:g} s ran out during the warm-up, before anything was measured: "
                    f"raise max_time or lower n_warmup_cycles"
                )
        return watched

    def sample(self) -> None:
        """Measure until n_cycles, the target error or max_time is reached."""
        options = self.options
        target = options.target_error
        if target is None and options.n_cycles is None:
            target = _DEFAULT_TARGET
        if target is None:
            self.cycles_per_bin = max(options.n_cycles // _N_BINS, 1)
            self._analyse(self._bins(_N_BINS))
            return
        self.cycles_per_bin = max(_FIRST_CYCLES, (options.n_cycles or 0) // _N_BINS)
        bins, errors = self._bins(_N_BINS), []
        while True:
            self._analyse(bins)
            error = self.analysis.worst_error
            long_enough = self.cycles_per_bin >= 4 * (1 + 2 * self.autocorrelation_time())
            self.target_reached = bool(error <= target and long_enough)
            log.debug("segment: %d cycles, error of G(tau) %.1e, target %.1e", self.n_cycles, error, target)
            errors.append(error)
            stuck = len(errors) > 3 and error > target and error > _STUCK * errors[-4]
            if self.target_reached or stuck or self._out_of_time():
                break
            merged = [b.map(merged_pairs) for b in bins]
            if len({len(b) for b in bins} | {_N_BINS}) > 1:
                break
            self.cycles_per_bin *= 2
            more = self._bins(_N_BINS // 2)
            bins = [b.join([b, m]) for b, m in zip(merged, more)]
        if not self.target_reached:
            why = "it no longer falls as the run grows" if stuck else "max_time is used up"
            log.warning("segment: stopped at an error of G(tau) of %.1e, above the target %.1e: %s", error, target, why)

    def _bins(self, n: int) -> list:
        """`n` bins of every rank; fewer where time runs out."""
        mine = self.chain.measure_bins(n, self.cycles_per_bin, self.length_cycle, lambda: not self._out_of_time())
        return self._allgather(mine)

    def _analyse(self, bins: list) -> None:
        self.n_bins = sum(len(b) for b in bins)
        self.n_cycles = self.n_bins * self.cycles_per_bin // self.size
        if self.n_bins < 8:
            raise RuntimeError(
                f"max_time = {self.options.max_time:g} s left time for {self.n_bins} of {_N_BINS * self.size} bins, "
                f"too few for error bars: raise max_time, or lower n_cycles or length_cycle"
            )
        self.blocks = sum(self._allgather(self.chain.sums.blocks))
        spread = 1 + 2 * self.autocorrelation_time()
        n_independent = self.n_bins * self.cycles_per_bin / (spread if np.isfinite(spread) else 10.0)
        self.analysis = analyse(self.work, bins[0].of_ranks(bins), n_independent, self.chain.sampled)

    # -- what is told about the run ---------------------------------------------------------------------------------

    def autocorrelation_time(self) -> float:
        """The longest among expansion order, interaction energy and densities, in cycles."""
        times = [autocorrelation_time(b) for b in self.blocks]
        return float(np.nanmax(times)) if np.any(np.isfinite(times)) else float("nan")

    def provenance(self) -> dict:
        """Strings and numbers stored with the point."""
        from ...version import version

        counts = sum(self._allgather(self.chain.chain.counts))
        histogram = sum(self._allgather(self.chain.sums.histogram))
        auto_corr_time = self.autocorrelation_time()
        sign, weight = self.analysis.average_sign, self.analysis.average_weight
        self.acceptance = counts[:, 1] / np.maximum(counts[:, 0], 1)
        self.histogram = histogram
        if sign < 0.9:
            log.warning("segment: average sign %.3f: Delta has negative spectral weight, error bars are large", sign)
        if self.cycles_per_bin < 2 * auto_corr_time:
            log.warning(
                "segment: the chain hardly moves, its autocorrelation time of %.0f cycles is not short against bins of "
                "%d cycles: error bars are too small, run longer",
                auto_corr_time,
                self.cycles_per_bin,
            )
        return {
            "solver": "segment",
            "version": version,
            "seed": self.options.random_seed,
            "ranks": self.size,
            "n_cycles": self.n_cycles,
            "length_cycle": self.length_cycle,
            "n_warmup_cycles": self.warmup_cycles,
            "n_bins": self.n_bins,
            "seconds": time.perf_counter() - self.started,
            "average_sign": sign,
            "average_weight": weight,
            "auto_corr_time": auto_corr_time,
            "independent_samples": weight * self.n_bins * self.cycles_per_bin / (1 + 2 * auto_corr_time),
            "average_order": float(histogram[-1] @ np.arange(histogram.shape[1]) / max(histogram[-1].sum(), 1)),
            "largest_inverse_deviation": float(max(self._allgather(self.chain.chain.deviation[0]))),
            "G_tau_error": self.analysis.worst_error,
            "drift": self.analysis.drift,
            "symmetry_deviation": self.analysis.symmetry_deviation,
            "dominance": self.analysis.dominance,
            "target_reached": "not asked" if self.target_reached is None else ("yes" if self.target_reached else "no"),
        }

    def statistics(self) -> dict:
        """Raw data of this run."""
        names = ("insert", "remove", "shift", "flip", "permute", "recast")
        *of_blocks, total = self._measurements()
        return {
            "perturbation_order": of_blocks,
            "perturbation_order_total": total,
            "acceptance": dict(zip(names, self.acceptance.tolist())),
        }


    def _measurements(self) -> np.ndarray:
        """Number of measurements at each perturbation order, of each block and of all together, whole numbers.

        Where the chain samples another hybridisation than the problem's, they are shared out by weight.
        """
        share = np.maximum(self.histogram, 0.0) / np.maximum(self.histogram.sum(axis=1, keepdims=True), 1e-300)
        top = int(np.max(np.nonzero(share.any(axis=0))[0], initial=0)) + 1
        return np.rint(share[:, :top] * self.n_bins * self.cycles_per_bin).astype(int)


def _recast_interval(order: np.ndarray, n_distinct: int) -> int:
    """Updates between moves that need whole determinants, such that these take a small share of the time.

    The share is larger where flavours of different Δ can only be exchanged by them.
    """
    k, share = float(np.mean(order)), 0.2 if n_distinct > 1 else 0.05
    inversion, update = 0.4 + 0.0025 * k**3, 0.04 + 0.01 * k  # µs
    return int(np.clip(2 * len(order) * inversion / (share * update), 50, 5000))
