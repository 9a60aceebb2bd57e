# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""The segment solver on all ranks; each says what it got."""

from triqs_mlsolver import Problem
from triqs_mlsolver.exact.segment import SegmentSolver
from triqs_mlsolver.tools import mpi

comm = mpi.world()
problem = Problem.siam(beta=8.0, U=2.0, mu=0.7, eps=[-0.5, 0.2, 0.6], V=[0.3, 0.3, 0.25])
solution = SegmentSolver(n_cycles=12800, random_seed=5, comm=comm).solve(problem)
p = solution.provenance
said = comm.gather((p["ranks"], p["n_bins"], repr(float(solution.G_l[0][3, 0, 0])), p["G_tau_error"]))
if comm.rank == 0:
    for line in said:
        print(*line, flush=True)
