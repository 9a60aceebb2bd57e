# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Generate points: database, their number, "go", "raise" or "kill", and the rank that does so at its third solve."""

from __future__ import annotations

import os
import signal
import sys

from triqs_mlsolver.exact.ed import ED
from triqs_mlsolver.generation.generate import generate
from triqs_mlsolver.tools import mpi


class Failing:
    """ED that counts its solves in a file, and fails at the third one on a chosen rank."""

    name = "ed"

    def __init__(self, counts: str, how: str, rank: int):
        self.counts, self.how, self.rank = counts, how, rank
        self.solves = 0

    def solve(self, problem):
        self.solves += 1
        if self.how != "go" and self.solves == 3 and mpi.world().rank == self.rank:
            if self.how == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            raise ZeroDivisionError("the third problem")
        solution = ED().solve(problem)
        with open(self.counts, "a") as f:
            f.write(problem.id + "\n")
        return solution


database, n, how, rank = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
done = generate(database, n, draw="sobol", exact=Failing(database + ".solves", how, rank), bounds={"n_bath": 2})
said = mpi.world().gather((mpi.world().rank, done.points, done.computed, done.refused))
if mpi.world().rank == 0:  # lines of ranks that end together would mix
    for line in said:
        print(*line, flush=True)
