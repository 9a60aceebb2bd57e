# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""
An Anderson impurity
====================

An impurity in a flat conduction band: a scan of its level from filled to empty::

    python examples/aim.py [--quick]        mpiexec -n 2 python examples/aim.py

The model is that of the triqs_cthyb tutorial. Neighbouring levels are similar problems, and the particle-hole image of
a problem counts as known: the further the scan goes, the less is computed. It runs with TRIQS' containers where TRIQS
is installed and with the embedded ones elsewhere. Results are written to aim.h5.
"""

import argparse

import numpy as np

from triqs_mlsolver import Solver
from triqs_mlsolver.compat import HDFArchive, Wilson, inverse, iOmega_n, mpi, n

parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
parser.add_argument("--quick", action="store_true", help="seconds: nine levels, exact diagonalisation as exact solver")
options = parser.parse_args()

D, V, U, beta = 1.0, 0.4, 2.0, 10.0
levels = -U / 2 + np.linspace(-1.5, 1.5, 9 if options.quick else 31)
exact = "ed" if options.quick else "auto"

S = Solver(beta=beta, gf_struct=[("up", 1), ("down", 1)], database="aim_points.h5", exact=exact, tolerance=0.005)
densities, from_model = [], []

for e_f in levels:
    for _, g0 in S.G0_iw:
        g0 << inverse(iOmega_n - float(e_f) - V**2 * Wilson(D))

    S.solve(h_int=U * n("up", 0) * n("down", 0))

    densities.append(sum(float(np.real(m[0, 0])) for m in S.orbital_occupations.values()))
    from_model.append(S.last_decision.source == "model")
    if mpi.is_master_node():
        print(f"e_f = {e_f:+.2f}  <n> = {densities[-1]:.4f}  {S.last_decision.source}")

if mpi.is_master_node():
    print(f"answered by the model: {sum(from_model)} of {len(levels)}")
    with HDFArchive("aim.h5", "w") as archive:
        archive["level"] = levels
        archive["density"] = np.array(densities)
        archive["G_tau"] = S.G_tau
        archive["Sigma_iw"] = S.Sigma_iw
