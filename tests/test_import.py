# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
import json
import subprocess
import sys

import pytest

HEAVY = ["sklearn", "numba", "scipy", "triqs", "triqs_cthyb", "dcorelib", "pydlr", "matplotlib", "mpi4py", "h5py"]


def fresh(code):
    """What `code` prints in a new interpreter, as JSON."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return json.loads(done.stdout)


def test_import_loads_nothing_heavy_and_prints_nothing():
    code = f"import sys, json, triqs_mlsolver; print(json.dumps([m for m in {HEAVY} if m in sys.modules]))"
    assert fresh(code) == []


def test_dir_and_version_load_nothing_heavy():
    code = (
        "import sys, json, triqs_mlsolver as m; names = dir(m); m.__version__; m.version; m.triqs_mlsolver_hash;"
        f"print(json.dumps([[n for n in {HEAVY} if n in sys.modules], names]))"
    )
    loaded, names = fresh(code)
    assert loaded == []
    assert {
        "Solver",
        "LearnedSolver",
        "Problem",
        "Solution",
        "Database",
        "Predictor",
        "Prediction",
        "DiscreteBath",
    } <= set(names)


@pytest.mark.parametrize("name", ["Problem", "Solution", "DiscreteBath", "Database", "Predictor", "LearnedSolver"])
def test_public_names_need_neither_triqs_nor_numba_nor_mpi(name):
    """The plain-numpy part works without TRIQS, and starts no MPI and no compiler."""
    unwanted = ["triqs", "dcorelib", "triqs_cthyb", "numba", "mpi4py", "matplotlib"]
    code = f"import sys, json; from triqs_mlsolver import {name};"
    code += f"print(json.dumps([m for m in {unwanted} if m in sys.modules]))"
    assert fresh(code) == []


def test_solve_without_monte_carlo_needs_no_compiler():
    code = (
        "import sys, json, logging; logging.getLogger('triqs_mlsolver').addHandler(logging.NullHandler());"
        "from triqs_mlsolver import LearnedSolver, Problem;"
        "LearnedSolver(None, exact='ed').solve(Problem.siam(5.0, 2.0, 1.0, [0.1], [0.4]));"
        "print(json.dumps([m for m in ('numba', 'matplotlib', 'mpi4py', 'triqs') if m in sys.modules]))"
    )
    assert fresh(code) == []


def test_unknown_name():
    import triqs_mlsolver

    with pytest.raises(AttributeError, match="module 'triqs_mlsolver' has no attribute 'Sovler'"):
        getattr(triqs_mlsolver, "Sovler")  # noqa: B009
