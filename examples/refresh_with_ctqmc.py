# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""
Refresh a database with CTQMC
=============================

A database of short Monte Carlo runs is improved by a budget of longer ones, where they help most::

    python examples/refresh_with_ctqmc.py [--quick]        mpiexec -n 2 python examples/refresh_with_ctqmc.py

Labels whose error bars limit the model are computed again and replaced; the rest of the budget goes to the problems
about which the model is most uncertain.
"""

import argparse

from triqs_mlsolver import Database
from triqs_mlsolver.generation.generate import generate
from triqs_mlsolver.generation.refresh import refresh
from triqs_mlsolver.tools import mpi

parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
parser.add_argument("--quick", action="store_true", help="seconds: 12 points and a budget of 4 runs")
quick = parser.parse_args().quick
n, budget, tolerance = (12, 4, 0.02) if quick else (60, 20, 0.005)
bounds = {"beta": (5, 10), "U": (1, 4), "bandwidth": (2, 4), "n_bath": 2}

generate("noisy.h5", n, draw="sobol", bounds=bounds, exact="segment", options={"target_error": 2 * tolerance})
done = refresh("noisy.h5", budget=budget, exact="segment", tolerance=tolerance)

if mpi.is_root(mpi.world()):
    for name, state in (("before", done.before), ("after", done.after)):
        median, high = state.error
        print(f"{name}: {state.points} points, leave-out error {median:.4f} (median), {high:.4f} (95 %)")
    print(", ".join(f"{number} runs for: {reason}" for reason, number in done.runs.items()))
    error_bar = Database("noisy.h5", read_only=True).table(("error_bar",))["error_bar"]
    print(f"error bars of the labels: from {error_bar.min():.1e} to {error_bar.max():.1e}")
