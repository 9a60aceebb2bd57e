# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""
DMFT on the Bethe lattice
=========================

The half-filled Hubbard model, from the metal to the Mott insulator::

    python examples/dmft_bethe.py [--quick]        mpiexec -n 2 python examples/dmft_bethe.py

The loop is the one of the triqs_cthyb tutorial, scanned over U. It runs with TRIQS' containers where TRIQS is installed
and with the embedded ones elsewhere. All values of U share one database: run it again and it hardly computes. Results
are written to dmft_bethe.h5.
"""

import argparse

import numpy as np

from triqs_mlsolver import Solver
from triqs_mlsolver.compat import HDFArchive, SemiCircular, inverse, iOmega_n, mpi, n

parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
parser.add_argument("--quick", action="store_true", help="seconds: two values of U, exact diagonalisation")
options = parser.parse_args()

D, beta = 1.0, 20.0
values_of_U = [1.0, 3.0] if options.quick else np.arange(1.0, 3.51, 0.5)
max_iterations = 6 if options.quick else 30
exact = "ed" if options.quick else "auto"

S = Solver(beta=beta, gf_struct=[("up", 1), ("down", 1)], database="dmft_bethe_points.h5", exact=exact, tolerance=0.005)
S.G_iw << SemiCircular(D)
rows = []

for U in values_of_U:
    mu = U / 2
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
    first = len(S.Sigma_iw["up"].data) // 2
    Z = 1 / (1 - S.Sigma_iw["up"].data[first, 0, 0].imag * beta / np.pi)
    both = float(np.real(S.density_matrix[-1][0, 0]))  # Fock states by energy: the empty one and ↑↓ come last
    rows.append([U, Z, both])
    if mpi.is_master_node():
        print(f"U/D = {U:.2f}  Z = {Z:.3f}  <n_up n_down> = {both:.4f}  {iteration} iterations, {n_exact} exact")
        with HDFArchive("dmft_bethe.h5", "a") as archive:
            archive[f"G_iw-U{U:.2f}"] = S.G_iw
            archive[f"Sigma_iw-U{U:.2f}"] = S.Sigma_iw

if mpi.is_master_node():
    with HDFArchive("dmft_bethe.h5", "a") as archive:
        archive["U_Z_double_occupancy"] = np.array(rows)
