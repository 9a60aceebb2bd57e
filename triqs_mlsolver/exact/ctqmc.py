# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""What the embedded Monte Carlo solvers have in common: their run parameters, and how ranks and threads share a run."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from ..problem import Problem, Solution
from ..tools import seeds
from ..tools.mpi import on_threads
from ..tools.validation import MAX_TIME, TARGET_ERROR, check_number, whole


@dataclass(frozen=True, kw_only=True)
class EmbeddedCTQMC:
    """Run parameters of an embedded CT-HYB.

    Parameters
    ----------
    n_cycles : int, optional
        Measurements per rank, at least eight. With `target_error` the least number: the run goes on until the target is
        reached, too. By default the target alone decides.
    length_cycle : int, optional
        Updates between measurements; by default about six per operator pair, so that successive
        measurements are nearly independent and cost less than the moves between them.
    n_warmup_cycles : int, optional
        Cycles before measuring; by default grown with β and the number of flavours.
    random_seed : int
        Rank r uses random_seed + 928374 r. The same seed and number of ranks give the same numbers.
    max_updates : int, optional
        Updates per rank beyond which the target is no longer pursued.
    max_time : float
        Seconds after which measuring stops, −1 for no limit; error bars then come from what has been measured.
    target_error : float, optional
        One standard error of G(τ), the largest over τ and flavours (dimensionless): run until it is reached, tested
        only at doubling run lengths. Default 5e-4 where `n_cycles` is not given either.
    n_threads : int
        Chains that this process samples at the same time where it is the only rank; they count as ranks.
    comm : communicator, optional
        Object with rank, size and allgather, such as `triqs_mlsolver.tools.mpi.world()`; all its ranks call `solve`
        together and each gets the same solution. None samples on this process alone.
    """

    n_cycles: int | None = None
    length_cycle: int | None = None
    n_warmup_cycles: int | None = None
    random_seed: int = seeds.DEFAULT
    max_updates: int | None = None
    max_time: float = -1
    target_error: float | None = None
    n_threads: int = 1
    comm: object = field(default=None, repr=False)
    name = ""

    def __post_init__(self):
        for option, least in (
            ("n_cycles", 1), ("length_cycle", 1), ("n_warmup_cycles", 0), ("max_updates", 1), ("random_seed", 0),
            ("n_threads", 1),
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
        """None if this solver takes `problem`, else the reason why not."""
        raise NotImplementedError

    def solve(self, problem: Problem) -> Solution:
        """Sample `problem`; see the class for when sampling ends.

        Raises
        ------
        ValueError
            If the problem is not one for this solver, see `supports`, or its Δ is not causal.
        RuntimeError
            If `max_time` ends during the warm-up that was asked for, or nothing could be measured.
        """
        reason = self.supports(problem)
        if reason is not None:
            raise ValueError(f"the {self.name} solver cannot solve this problem: {reason}")
        if self.n_threads > 1 and getattr(self.comm, "size", 1) == 1:
            return on_threads(self.n_threads, lambda comm: replace(self, comm=comm, n_threads=1).solve(problem))
        return self.sample(problem)

    def sample(self, problem: Problem) -> Solution:
        """The solution of a problem that this solver takes."""
        raise NotImplementedError
