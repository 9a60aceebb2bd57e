# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""The isolated atom, solved in closed form."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from ..problem import Problem, Solution
from .hubbard_i import HubbardI


@dataclass(frozen=True)
class AtomicLimit:
    """G of the atom, the hybridisation taken as zero: Hubbard-I is exact there."""

    name: ClassVar[str] = "atom"

    def solve(self, problem: Problem) -> Solution:
        """The solution of `problem` without its bath."""
        solution = HubbardI().solve(problem)
        return replace(solution, provenance={**solution.provenance, "solver": self.name})
