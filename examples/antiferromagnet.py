# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""
Antiferromagnet on the Bethe lattice
====================================

The half-filled Hubbard model on a bipartite lattice, ordered at low temperature::

    python examples/antiferromagnet.py [--quick]        mpiexec -n 2 python examples/antiferromagnet.py

Neighbours belong to the other sublattice, whose spins are flipped: the bath of spin up is made of the G of spin down. A
small staggered field in the first iteration starts the order; above the Néel temperature it dies out again. One file of
points serves all temperatures.
"""

import argparse

import numpy as np

from triqs_mlsolver import Solver
from triqs_mlsolver.compat import SemiCircular, inverse, iOmega_n, mpi, n

parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
parser.add_argument("--quick", action="store_true", help="seconds: two temperatures, larger error bars")
options = parser.parse_args()

D, U, first_field = 1.0, 2.0, 0.2
other = {"up": "down", "down": "up"}
sign = {"up": 1, "down": -1}
temperatures = [0.25, 0.08] if options.quick else [0.25, 0.15, 0.12, 0.1, 0.08]

for T in temperatures:
    tolerance = 0.01 if options.quick else 0.003
    S = Solver(
        1 / T, [("up", 1), ("down", 1)], n_iw=256, n_tau=1001, database="antiferromagnet.h5", tolerance=tolerance
    )
    S.G_iw << SemiCircular(D)
    field, n_exact, m = first_field, 0, 0.0
    for iteration in range(20):
        for name, g0 in S.G0_iw:
            g0 << inverse(iOmega_n + U / 2 + sign[name] * field - (D / 2) ** 2 * S.G_iw[other[name]])

        S.solve(h_int=U * n("up", 0) * n("down", 0))

        n_exact += S.last_decision.source == "exact"
        field, before = 0.0, m
        m = sum(sign[name] * float(np.real(filling[0, 0])) for name, filling in S.orbital_occupations.items())
        if iteration and abs(m - before) < tolerance:
            break
    if mpi.is_master_node():
        print(f"T/D = {T:.2f}  m = {m:+.3f}  {iteration + 1} iterations, {n_exact} exact")
