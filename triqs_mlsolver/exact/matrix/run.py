# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""One run of the matrix solver."""

from __future__ import annotations

import numpy as np

from ...problem import Problem
from .. import run
from ..analysis import measured_length
from ..kernel_cache import discard_stale
from . import kernel
from .chain import MarkovChain
from .local import LocalBasis
from .result import Analysis, Workspace, analyse


class Run(run.Run):
    """Sampling in the local eigenbasis; `Delta_l` (n_l, N, N) is the hybridisation over all flavours."""

    name = "matrix"
    moves = ("insert", "remove", "far insert", "far remove", "shift", "double insert", "double remove", "permute")
    why_signs = "configurations interfere; a basis in which Delta and the levels are closer to diagonal may help"

    def __init__(self, options, problem: Problem, Delta_l: np.ndarray, started: float):
        self.Delta_l, self.basis = Delta_l, LocalBasis.of(problem)
        super().__init__(options, problem, started)
        self.work = Workspace(problem, self.basis, self.chain.pairs, self.chain.n_cells)

    def new_chain(self, seed: int) -> MarkovChain:
        return MarkovChain(self.problem, self.basis, self.Delta_l, measured_length(self.problem), seed)

    def is_compiled(self) -> bool:
        return discard_stale(kernel.run, kernel.SOURCES)

    def analyse(self, bins, n_independent: float) -> Analysis:
        return analyse(self.work, bins, n_independent, self.chain.sampled_size(self.work.middle))

    def adapt(self, order: np.ndarray) -> None:
        self.chain.fit_tree()
        updates = 20 * self.length_cycle
        self.chain.spread(updates)
        self.chain.advance(updates, 1, False)
