# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""
Fill a database under MPI
=========================

The ranks share the problems of a sampling, each storing its own answers, and none is computed twice::

    python examples/mpi_generation.py [--quick]        mpiexec -n 2 python examples/mpi_generation.py

Random baths at several temperatures are diagonalised exactly. A run that is killed is simply repeated. What the
database is worth is then asked of twenty problems that it does not hold.
"""

import argparse

import numpy as np

from triqs_mlsolver import Database, Predictor
from triqs_mlsolver.exact.ed import ED
from triqs_mlsolver.generation.generate import generate
from triqs_mlsolver.generation.sampling import draw
from triqs_mlsolver.tools import mpi

parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
parser.add_argument("--quick", action="store_true", help="seconds: 60 problems")
n = 60 if parser.parse_args().quick else 1000
bounds = {"beta": (5, 50), "U": (1, 6), "bandwidth": (2, 4), "n_bath": 3}

done = generate("random.h5", n, draw="sobol", bounds=bounds, exact="ed")

if mpi.is_root(mpi.world()):
    print(f"{done.points} points, {done.computed} of them computed now by {mpi.world().size} rank(s)")
    model = Predictor().fit(Database("random.h5", read_only=True))
    error, bound = [], []
    for problem in (draw("sobol", seed=1, **bounds)[i] for i in range(20)):
        exact, prediction = ED().solve(problem), model.predict(problem)
        tau = np.linspace(0, problem.beta, 101)
        error.append(np.max(np.abs(prediction.solution.G_tau(tau)[0] - exact.G_tau(tau)[0])))
        bound.append(prediction.error_bound)
    held = np.mean(np.array(error) <= bound)
    print(
        f"twenty new problems: median error {np.median(error):.4f}, median bound {np.median(bound):.4f}, held "
        f"{held:.0%}"
    )
