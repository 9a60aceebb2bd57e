# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Refresh a database: its path, the budget, and "share" or "apart"; says which problems each rank has solved."""

from __future__ import annotations

import sys

from triqs_mlsolver.exact.ed import ED
from triqs_mlsolver.generation.refresh import refresh
from triqs_mlsolver.tools import mpi


class Counting:
    """ED that remembers what it was asked."""

    name = "ed"

    def __init__(self):
        self.asked = []

    def solve(self, problem):
        self.asked.append(problem.id)
        return ED().solve(problem)


solver = Counting()
done = refresh(sys.argv[1], budget=int(sys.argv[2]), exact=solver, share=sys.argv[3] == "share")
everybody = mpi.world().gather((mpi.world().rank, sum(done.runs.values()), done.after.points, *solver.asked))
for one in everybody or ():
    print(*one)
