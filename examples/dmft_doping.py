# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""
Doping a correlated metal
=========================

DMFT on the Bethe lattice at U = 2 D and T = D/50, from half filling to 30 % holes::

    python examples/dmft_doping.py [--quick]        mpiexec -n 2 python examples/dmft_doping.py

The chemical potential goes down in steps, and each loop starts from the one before it. On the way back it visits what
lies between: by then the database knows the neighbours. Rows of μ − U/2, filling and Z go to dmft_doping.h5.
"""

import argparse

import numpy as np

from triqs_mlsolver import Solver
from triqs_mlsolver.compat import HDFArchive, SemiCircular, inverse, iOmega_n, mpi, n

parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
parser.add_argument("--quick", action="store_true", help="seconds: three values, exact diagonalisation")
options = parser.parse_args()

D, U, beta = 1.0, 2.0, 50.0
shifts = [0.0, -0.5, -0.25] if options.quick else [*np.arange(0.0, -0.81, -0.1), *np.arange(-0.75, 0.0, 0.1)]
max_iterations = 8 if options.quick else 30
exact = "ed" if options.quick else "auto"

S = Solver(beta=beta, gf_struct=[("up", 1), ("down", 1)], database="doping_points.h5", exact=exact, tolerance=0.005)
S.G_iw << SemiCircular(D)
rows = []

for shift in shifts:
    mu = U / 2 + float(shift)
    n_exact, iteration = 0, 0
    while iteration < max_iterations:
        iteration += 1
        g = 0.5 * (S.G_iw["up"] + S.G_iw["down"])
        before = g.data.copy()
        for _, g0 in S.G0_iw:
            g0 << inverse(iOmega_n + mu - (D / 2) ** 2 * g)

        S.solve(h_int=U * n("up", 0) * n("down", 0))

        n_exact += S.last_decision.source == "exact"
        g = 0.5 * (S.G_iw["up"] + S.G_iw["down"])
        if np.max(np.abs(g.data - before)) < 0.01:
            break
    filling = sum(float(np.real(m[0, 0])) for m in S.orbital_occupations.values())
    Z = 1 / (1 - S.Sigma_iw["up"].data[S.n_iw, 0, 0].imag * beta / np.pi)
    rows.append([shift, filling, Z])
    if mpi.is_master_node():
        print(f"mu - U/2 = {shift:+.2f}  n = {filling:.4f}  Z = {Z:.3f}  {iteration} iterations, {n_exact} exact")

if mpi.is_master_node():
    with HDFArchive("dmft_doping.h5", "w") as archive:
        archive["shift_filling_Z"] = np.array(rows)
