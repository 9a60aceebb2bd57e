# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""One run of the segment solver."""

from __future__ import annotations

import numpy as np

from ...problem import Problem
from .. import run
from ..kernel_cache import discard_stale
from . import kernel
from .chain import MarkovChain
from .result import Analysis, Workspace, analyse, measured_length
from .symmetries import Symmetries


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
        return analyse(self.work, bins, n_independent, self.chain.sampled)

    def adapt(self, order: np.ndarray) -> None:
        self.chain.recast_every = _recast_interval(order, len(self.symmetries.Deltas))


def _recast_interval(order: np.ndarray, n_distinct: int) -> int:
    """Updates between moves that need whole determinants, such that these take a small share of the time.

    The share is larger where flavours of different Δ can only be exchanged by them.
    """
    k, share = float(np.mean(order)), 0.2 if n_distinct > 1 else 0.05
    inversion, update = 0.4 + 0.0025 * k**3, 0.04 + 0.01 * k  # µs
    return int(np.clip(2 * len(order) * inversion / (share * update), 50, 5000))
