# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""
Two orbitals with Hund's coupling
=================================

DMFT for two degenerate orbitals on the Bethe lattice, half filled::

    python examples/two_orbitals.py [--quick]        mpiexec -n 2 python examples/two_orbitals.py

The density-density part of the Kanamori interaction, J = U/4, sampled by the embedded CTQMC. Hund's coupling aligns the
spins of the two electrons: the metal is gone at a U of which a single orbital takes little notice. Results are written
to two_orbitals.h5.
"""

import argparse

import numpy as np

from triqs_mlsolver import Solver
from triqs_mlsolver.compat import HDFArchive, SemiCircular, inverse, iOmega_n, mpi, n

parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
parser.add_argument("--quick", action="store_true", help="seconds: one value of U, three iterations")
options = parser.parse_args()

D, beta, J_over_U = 1.0, 20.0, 0.25
values_of_U = [1.0] if options.quick else np.arange(0.5, 2.1, 0.5)
max_iterations = 3 if options.quick else 20

blocks = [f"{spin}_{orbital}" for orbital in (0, 1) for spin in ("up", "down")]
S = Solver(beta=beta, gf_struct=[(name, 1) for name in blocks], database="two_orbitals_points.h5", tolerance=0.005)
S.G_iw << SemiCircular(D)
average = lambda G: sum(G[name] for name in blocks[1:]) + G[blocks[0]]


def interaction(U: float, J: float):
    """U within an orbital, U − 2J between opposite and U − 3J between parallel spins of different orbitals."""
    h = sum(U * n(f"up_{a}", 0) * n(f"down_{a}", 0) for a in (0, 1))
    h += (U - 2 * J) * (n("up_0", 0) * n("down_1", 0) + n("down_0", 0) * n("up_1", 0))
    return h + (U - 3 * J) * (n("up_0", 0) * n("up_1", 0) + n("down_0", 0) * n("down_1", 0))


for U in values_of_U:
    J = J_over_U * U
    mu = 0.5 * (3 * U - 5 * J)
    n_exact = 0
    for _ in range(max_iterations):
        g = 0.25 * average(S.G_iw)
        before = g.data.copy()
        for _, g0 in S.G0_iw:
            g0 << inverse(iOmega_n + mu - (D / 2) ** 2 * g)

        S.solve(h_int=interaction(U, J))

        n_exact += S.last_decision.source == "exact"
        if np.max(np.abs(0.25 * average(S.G_iw).data - before)) < 0.01:
            break
    Sigma = 0.25 * average(S.Sigma_iw)
    Z = 1 / (1 - Sigma.data[len(Sigma.data) // 2, 0, 0].imag * beta / np.pi)
    filling = sum(float(np.real(m[0, 0])) for m in S.orbital_occupations.values())
    if mpi.is_master_node():
        print(f"U/D = {U:.2f}  J/D = {J:.3f}  Z = {Z:.3f}  <n> = {filling:.3f}  {n_exact} exact")
        with HDFArchive("two_orbitals.h5", "a") as archive:
            archive[f"G_iw-U{U:.2f}"] = S.G_iw
            archive[f"Sigma_iw-U{U:.2f}"] = S.Sigma_iw
            archive[f"Z-U{U:.2f}"] = Z
