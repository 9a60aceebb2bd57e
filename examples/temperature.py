# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""
A temperature scan with one database
====================================

The half-filled Hubbard model on the Bethe lattice at U = 2 D, cooled from T = D/10 to D/50::

    python examples/temperature.py [--quick]        mpiexec -n 2 python examples/temperature.py

β is a parameter of the model like any other: points at all temperatures help each other. A β outside the stored range
is computed, so the ends come first, then what lies between. This script uses the plain-numpy side of the package,
`LearnedSolver` and `solve_bethe`, which need no TRIQS. The picture is written to temperature.png.
"""

import argparse

import numpy as np

from triqs_mlsolver import LearnedSolver
from triqs_mlsolver.lattice.bethe import paramagnetic, solve_bethe
from triqs_mlsolver.tools import mpi

parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
parser.add_argument("--quick", action="store_true", help="seconds: three temperatures, exact diagonalisation")
options = parser.parse_args()

U = 2.0  # in units of D
betas = (
    [50.0, 20.0, 30.0] if options.quick else [50.0, 10.0, 20.0, 35.0, 14.0, 27.0, 42.0, 12.0, 17.0, 23.0, 31.0, 38.0]
)
solver = LearnedSolver(
    "temperature_points.h5", exact="ed" if options.quick else "auto", tolerance=0.005, audit_rate=0.02
)
start, rows = None, []

for beta in betas:
    found = solve_bethe(solver, beta, U, start=start, tolerance=5e-4, max_iterations=40)
    start = paramagnetic(found.solution, half_filled=True)
    rows.append([1 / beta, found.Z, found.double_occupancy])
    if mpi.world().rank == 0:
        print(
            f"T/D = {1 / beta:.4f}  Z = {found.Z:.4f}  <n_up n_down> = {found.double_occupancy:.5f}  "
            f"{found.n_iterations} iterations, {sum(found.exact)} exact"
        )

if mpi.world().rank == 0:
    from matplotlib.figure import Figure

    T, Z, double_occupancy = np.array(sorted(rows)).T
    figure = Figure(figsize=(3.5, 4), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True)
    upper.plot(T, Z, "o-")
    upper.set_ylabel("$Z$")
    lower.plot(T, double_occupancy, "o-")
    lower.set(xlabel="$T/D$", ylabel=r"⟨$n_↑n_↓$⟩")
    figure.savefig("temperature.png", dpi=200)
