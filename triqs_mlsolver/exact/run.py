# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""One run of an embedded CTQMC: the chain of this rank, the bins of all ranks, and when sampling ends.

Sampling starts with short bins. When there are enough of them, they are merged two by two whenever the run doubles, so
that there are about as many bins, and error bars, whenever it ends.
"""

from __future__ import annotations

import logging
import time

import numpy as np

from ..problem import Problem
from ..tools import seeds
from ..version import version
from .outlook import Outlook
from .statistics import autocorrelation_time, merged_pairs

log = logging.getLogger("triqs_mlsolver")

DEFAULT_TARGET = 5e-4  # error bar of G(τ), where neither n_cycles nor a target is given
_N_BINS = 64  # per rank
_FEWEST_BINS = 8  # per rank, for error bars: so many are measured whatever max_time says
_FIRST_CYCLES = 64  # per bin
_STUCK = 0.9  # an eightfold run should cut the error to 0.35 of what it was; beyond this it is given up
_BETWEEN_LOOKS = 0.2  # seconds between two looks at the clock


class Run:
    """One Monte Carlo run: the chain of this rank, the bins of all ranks, and the decisions all ranks share.

    `options` is the solver, `started` when the run began. What a chain samples and what bins mean is up to those who
    derive from this class.
    """

    name: str  # of the solver
    moves: tuple[str, ...]  # rows of the chain's counts
    why_signs: str  # what it means that configurations have different signs

    def __init__(self, options, problem: Problem, started: float):
        self.options, self.problem, self.started = options, problem, started
        self.rank = getattr(options.comm, "rank", 0)
        self.size = getattr(options.comm, "size", 1)
        self.analysis = None
        self.outlook = Outlook(self.name, visible=self.rank == 0)
        self.chain = self._compiled_chain()
        self.n_moved = self.warmup_cycles = 0
        self.is_timed = 0 <= options.max_time < np.inf
        self.stopped = False  # by max_time
        self.cycles_per_bin = 0
        self.chunk: int | None = None  # cycles between two looks at the clock, and for an interrupt
        self.target_reached = None
        self.seconds_per_update = 0.0

    # -- what derived classes say -----------------------------------------------------------------------------------

    def new_chain(self, seed: int):
        """The Markov chain of this rank."""
        raise NotImplementedError

    def is_compiled(self) -> bool:
        """Whether the kernel need not be compiled any more."""
        raise NotImplementedError

    def analyse(self, bins, n_independent: float):
        """What the bins of all ranks say, with attributes `worst_error`, `average_sign` and others of provenance."""
        raise NotImplementedError

    def prepare(self) -> None:
        """What the chain must learn before it can warm up."""

    def between_measurements(self, order: np.ndarray) -> int:
        """Updates that make measurements nearly independent, where the user gives no number."""
        return int(10 + 6 * order.sum())

    def adapt(self, order: np.ndarray) -> None:
        """Fit the chain to the average perturbation order of each flavour or component."""

    # -- ranks ----------------------------------------------------------------------------------------------------

    def _allgather(self, value) -> list:
        return [value] if self.options.comm is None else self.options.comm.allgather(value)

    def _out_of_time(self) -> bool:
        """Whether any rank has used up max_time; every rank gets the same answer."""
        if not self.is_timed:
            return False
        return any(self._allgather(time.perf_counter() - self.started > self.options.max_time))

    def _goes_on(self) -> bool:
        """Whether to measure on; raises where the ranks are threads and one of them, or their caller, has failed."""
        self._check_others()
        self.outlook.tick()
        return not self._out_of_time()

    def _check_others(self) -> None:
        getattr(self.options.comm, "check", lambda: None)()

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
        if self.rank == 0 and not self.is_compiled():
            log.warning("%s: compiling the sampling kernel, once on this machine (about 15 seconds)", self.name)
        chain = self.new_chain(seeds.of_rank(self.options.random_seed, self.rank))
        chain.advance(1, 1, False)
        return chain

    # -- sampling -------------------------------------------------------------------------------------------------

    def warm_up(self) -> None:
        """Forget the empty start, and fix how many updates lie between measurements."""
        p, options = self.problem, self.options
        updates = int(4000 * p.n_flavours * (1 + p.beta * p.scale / 5))
        if options.n_warmup_cycles is not None and options.length_cycle is not None:
            updates = options.n_warmup_cycles * options.length_cycle
        elif options.n_cycles is not None and options.target_error is None and not self.is_timed:
            updates = max(updates, options.n_cycles // 2)
        self.prepare()
        finding = updates // 4 if self.chain.is_reweighted else 0
        if finding:
            weights = self._move(finding, lambda: self.chain.weight)
            self.chain.balance(float(np.mean(self._allgather(np.mean(weights[len(weights) // 5 :])))))
        orders = self._move(updates - finding, lambda: self.chain.orders.copy())
        order = np.mean(self._allgather(np.mean(orders[len(orders) // 5 :], axis=0)), axis=0)
        self.length_cycle = options.length_cycle or self.between_measurements(order)
        self.adapt(order)
        if options.n_warmup_cycles is not None:
            self._move(options.n_warmup_cycles * self.length_cycle - self.n_moved, lambda: None)
        self.warmup_cycles = self.n_moved // self.length_cycle

    def _move(self, n_updates: int, watch) -> list:
        """Update without measuring; what `watch` says at about 50 moments on the way."""
        chunk = max(min(n_updates // 50, 200_000), 1)
        watched = []
        for left in range(n_updates // chunk, 0, -1):
            begun = time.perf_counter()
            self.chain.advance(chunk, 1, False)
            self.seconds_per_update = (time.perf_counter() - begun) / chunk
            self.outlook.expect(f"a warm-up of {n_updates} updates", left * chunk * self.seconds_per_update)
            self.outlook.tick()
            self.n_moved += chunk
            watched.append(watch())
            self._check_others()
            if self.options.n_warmup_cycles is not None and self._out_of_time():
                raise RuntimeError(
                    f"max_time = {self.options.max_time:g} s ran out during the warm-up, before anything was measured: "
                    f"raise max_time or lower n_warmup_cycles"
                )
        return watched or [watch()]

    def sample(self) -> None:
        """Measure until n_cycles, the target error, max_updates or max_time is reached."""
        options = self.options
        least, target = options.n_cycles or 0, options.target_error
        if target is None and options.n_cycles is None:
            target = DEFAULT_TARGET
        n_bins, self.cycles_per_bin = first_bins(least)
        if least:
            self._foretell(least, target)
        bins = self._first_bins(n_bins)
        errors = []
        while True:
            is_long = self.cycles_per_bin * n_bins >= least
            self.stopped = len(bins[0]) < n_bins or (not is_long and self._out_of_time())
            if is_long or self.stopped:
                self._analyse(bins)
                errors.append(self.analysis.worst_error)
                if target is None or self._is_enough(target):
                    break
                stuck = len(errors) > 3 and errors[-1] > _STUCK * errors[-4]
                self.stopped = self.stopped or self._out_of_time()
                if stuck or self.stopped or self._is_too_long(2 * n_bins * self.cycles_per_bin):
                    break
                # an error that falls like one over a square root, in steps of two
                doublings = np.ceil(2 * np.log2(max(errors[-1] / target, np.sqrt(2))))
                self._foretell((2**doublings - 1) * n_bins * self.cycles_per_bin, target)
            if n_bins < _N_BINS:
                more, n_bins = self._bins(n_bins), 2 * n_bins
            else:
                bins = [b.map(merged_pairs) for b in bins]
                self.cycles_per_bin *= 2
                more = self._bins(n_bins // 2)
            bins = [b.join([b, m]) for b, m in zip(bins, more)]
        self.outlook.close()
        self._warn_of_early_end(target, least)

    def _foretell(self, n_cycles: float, target: float | None) -> None:
        """Say how long `n_cycles` more will take."""
        seconds = n_cycles * self.length_cycle * self.seconds_per_update
        if self.is_timed:
            seconds = min(seconds, self.options.max_time - (time.perf_counter() - self.started))
        if self.options.n_cycles is not None:
            aim = f"{self.options.n_cycles} measurements, each after {self.length_cycle} updates"
        else:
            aim = f"an error of G(tau) of {target:g}"
        self.outlook.expect(aim, seconds)

    def _is_enough(self, target: float) -> bool:
        error = self.analysis.worst_error
        log.debug("%s: %d cycles, error of G(tau) %.1e, target %.1e", self.name, self.n_cycles, error, target)
        long_enough = self.cycles_per_bin >= 4 * (1 + 2 * self.autocorrelation_time())
        self.target_reached = bool(error <= target and long_enough)
        return self.target_reached

    def _is_too_long(self, n_cycles: int) -> bool:
        most = self.options.max_updates
        return most is not None and n_cycles * self.length_cycle > most

    def _warn_of_early_end(self, target: float | None, least: int) -> None:
        if target is None or self.target_reached:
            if self.stopped and self.n_cycles < least:
                log.warning("%s: max_time is used up after %d of %d cycles", self.name, self.n_cycles, least)
            return
        if self.options.max_updates is None or self.stopped:
            why = "max_time is used up" if self.stopped else "it no longer falls as the run grows"
            error = self.analysis.worst_error
            log.warning(
                "%s: stopped at an error of G(tau) of %.1e, above the target %.1e: %s", self.name, error, target, why
            )

    def _first_bins(self, n: int) -> list:
        """`n` bins of every rank; a few of them are measured even where there is no time, and tell how often to look
        at the clock.
        """
        begun = time.perf_counter()
        few = self._bins(min(n, _FEWEST_BINS), lambda: True)
        seconds = max(self._allgather(time.perf_counter() - begun)) / (len(few[0]) * self.cycles_per_bin)
        self.chunk = max(int(_BETWEEN_LOOKS / max(seconds, 1e-9)), 1)
        return [b.join([b, more]) for b, more in zip(few, self._bins(n - len(few[0])))]

    def _bins(self, n: int, keep_going=None) -> list:
        """`n` bins of every rank; fewer where time runs out."""
        keep_going = keep_going or self._goes_on
        bins = self.chain.measure_bins(n, self.cycles_per_bin, self.length_cycle, keep_going, self.chunk)
        return self._allgather(bins)

    def _analyse(self, bins: list) -> None:
        self.n_bins = sum(len(b) for b in bins)
        self.n_cycles = self.n_bins * self.cycles_per_bin // self.size
        self.blocks = sum(self._allgather(self.chain.sums.blocks))
        spread = 1 + 2 * self.autocorrelation_time()
        n_independent = self.n_bins * self.cycles_per_bin / (spread if np.isfinite(spread) else 10.0)
        self.analysis = self.analyse(bins[0].of_ranks(bins), n_independent)

    # -- what is told about the run ---------------------------------------------------------------------------------

    def autocorrelation_time(self) -> float:
        """The longest among expansion order, interaction energy and densities, in cycles."""
        times = [autocorrelation_time(b) for b in self.blocks]
        return float(np.nanmax(times)) if np.any(np.isfinite(times)) else float("nan")

    def provenance(self) -> dict:
        """Strings and numbers stored with the point."""
        counts = sum(self._allgather(self.chain.chain.counts))
        histogram = sum(self._allgather(self.chain.sums.histogram))
        auto_corr_time = self.autocorrelation_time()
        sign, weight = self.analysis.average_sign, self.analysis.average_weight
        self.acceptance = counts[:, 1] / np.maximum(counts[:, 0], 1)
        self.histogram = histogram
        if sign < 0.9:
            log.warning("%s: average sign %.3f, error bars are large: %s", self.name, sign, self.why_signs)
        if self.cycles_per_bin < 2 * auto_corr_time:
            log.warning(
                "%s: the chain hardly moves, its autocorrelation time of %.0f cycles is not short against bins of "
                "%d cycles: error bars are too small, run longer",
                self.name,
                auto_corr_time,
                self.cycles_per_bin,
            )
        return {
            "solver": self.name,
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
            "solve_status": int(self.stopped),
            "target_reached": "not asked" if self.target_reached is None else ("yes" if self.target_reached else "no"),
        }

    def statistics(self) -> dict:
        """Raw data of this run."""
        *of_blocks, total = self._measurements()
        return {
            "perturbation_order": of_blocks,
            "perturbation_order_total": total,
            "acceptance": dict(zip(self.moves, self.acceptance.tolist())),
        }

    def _measurements(self) -> np.ndarray:
        """Number of measurements at each perturbation order, of each block and of all together, whole numbers.

        Where the chain samples another hybridisation than the problem's, they are shared out by weight.
        """
        share = np.maximum(self.histogram, 0.0) / np.maximum(self.histogram.sum(axis=1, keepdims=True), 1e-300)
        top = int(np.max(np.nonzero(share.any(axis=0))[0], initial=0)) + 1
        up_to = np.rint(np.cumsum(share[:, :top], axis=1) * self.n_bins * self.cycles_per_bin).astype(int)
        return np.diff(up_to, prepend=0)  # so that all have the same sum


def first_bins(n_cycles: int) -> tuple[int, int]:
    """Number and length of the bins with which a run begins that shall have at least `n_cycles`; 0: of any length.

    Their number is even, and doubling their length a few times leads to about `n_cycles` at once.
    """
    doublings = max(int(np.ceil(np.log2(n_cycles / (_N_BINS * _FIRST_CYCLES)))), 0) if n_cycles else 0
    length = -(-n_cycles // (_N_BINS * 2**doublings)) if n_cycles else _FIRST_CYCLES
    n_bins = -(-n_cycles // (length * 2**doublings)) if n_cycles else _N_BINS
    return max(n_bins + n_bins % 2, _FEWEST_BINS), length
