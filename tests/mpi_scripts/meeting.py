# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Ranks that do not come to a solve together, or not with the same problem, in the way named on the command line."""

import sys
import time

from triqs_mlsolver import LearnedSolver, Problem
from triqs_mlsolver.tools import meeting, mpi

comm = mpi.world()
meeting._WARNING_AFTER = 0.2


def problem(mu=1.0):
    return Problem.siam(beta=5.0, U=2.0, mu=mu, eps=[-0.5, 0.5], V=[0.35, 0.35])


def different():
    """The last rank has another problem."""
    solver = LearnedSolver(None, exact="ed")
    try:
        solver.solve(problem(1.0 if comm.rank < comm.size - 1 else 1.1))
    except ValueError as error:
        everything = comm.gather(str(error))
        if mpi.is_root(comm):
            print("\n".join(everything), flush=True)


def rounding():
    """What differs in the last digits only is one problem."""
    print(LearnedSolver(None, exact="ed").solve(problem(1.0 + 1e-13 * comm.rank)).density.sum().round(6), flush=True)


def guarded():
    """Rank 0 solves alone; the others go on to a collective call of the script."""
    if mpi.is_root(comm):
        LearnedSolver(None, exact="ed").solve(problem())
    comm.bcast("what the script broadcasts")


def late():
    """Rank 0 has to do something else before it solves, for longer than the patience."""
    if mpi.is_root(comm):
        time.sleep(1.5)
    LearnedSolver(None, exact="ed").solve(problem())
    comm.barrier()
    if mpi.is_root(comm):
        print("solved", flush=True)


{"different": different, "rounding": rounding, "guarded": guarded, "late": late}[sys.argv[1]]()
