# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""One run of the segment solver."""

from __future__ import annotations

import numpy as np

from ...problem import Problem
from .. import run
from ..analysis import measured_length
from ..kernel_cache import discard_stale
from . import kernel
from .chain import MarkovChain
from .result import Analysis, Workspace, analyse
from .symmetries import Symmetries

_WALK = 2.0  # updates between measurements per step of 1/energy, where lines grow from empty to full
_COARSE_STEPS, _MOST_COARSE = 1024, 100  # lots of steps in which a visit changes a weight by e, until all τ are visited
_HALVINGS = 6  # of these changes, in lots that grow as they shrink


class Run(run.Run):
    """Sampling in the segment picture; `Deltas` is the hybridisation of each flavour."""

    name = "segment"
    moves = ("insert", "remove", "shift", "flip", "permute", "recast")
    why_signs = "Delta has negative spectral weight"

    def __init__(self, options, problem: Problem, Deltas: list[np.ndarray], started: float):
        self.symmetries = Symmetries.of(problem, Deltas)
        super().__init__(options, problem, started)
        self.work = Workspace(problem, self.symmetries, self.chain.n_cells)

    def new_chain(self, seed: int) -> MarkovChain:
        return MarkovChain(self.problem, self.symmetries, measured_length(self.problem), seed)

    def is_compiled(self) -> bool:
        return discard_stale(kernel.run, kernel.SOURCES)

    def analyse(self, bins, n_independent: float) -> Analysis:
        return analyse(self.work, bins, n_independent, self.chain.sampled_size(self.work.middle))

    def between_measurements(self, order: np.ndarray) -> int:
        p = self.problem
        walk = _WALK * p.beta * p.largest_energy if len(self.chain.bare_classes) else 0.0
        return super().between_measurements(order) + int(walk)

    def prepare(self) -> None:
        """Find the weights with which pairs of flavours that have no hybridisation visit all τ, see `bare`."""
        if not len(self.chain.bare_classes):
            return
        length = 8 * self.problem.n_flavours

        def learn(step: float, n_steps: int) -> np.ndarray:
            self._check_others()
            self.n_moved += n_steps * length
            return self.chain.learn_pair_weights(step, n_steps, length)

        visits = 0.0
        for _ in range(_MOST_COARSE):
            visits = visits + learn(1.0, _COARSE_STEPS)
            if np.all(visits > 1):
                break
        for halvings in range(1, _HALVINGS + 1):
            learn(0.5**halvings, _COARSE_STEPS * 2 ** (halvings - 1))
        self.chain.take_pair_weights(np.mean(self._allgather(self.chain.log_pair_weights), axis=0))

    def adapt(self, order: np.ndarray) -> None:
        self.chain.recast_every = _recast_interval(order, len(self.symmetries.Deltas))


def _recast_interval(order: np.ndarray, n_distinct: int) -> int:
    """Updates between moves that need whole determinants, such that these take a small share of the time.

    The share is larger where flavours of different Δ can only be exchanged by them.
    """
    k, share = float(np.mean(order)), 0.2 if n_distinct > 1 else 0.05
    inversion, update = 0.4 + 0.0025 * k**3, 0.04 + 0.01 * k  # µs
    return int(np.clip(2 * len(order) * inversion / (share * update), 50, 5000))
