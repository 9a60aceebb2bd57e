# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
import json
import random
import re
import subprocess
import sys
from pathlib import Path

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


def test_the_package_itself_loads_no_numbers():
    assert fresh("import sys, json, triqs_mlsolver; print(json.dumps('numpy' in sys.modules))") is False


# -- public paths ------------------------------------------------------------------------------------------------------

ROOT = Path(__file__).resolve().parents[1]
PUBLIC = [
    "from triqs_mlsolver import Solver",
    "from triqs_mlsolver import solve_generic",
    "from triqs_mlsolver import LearnedSolver",
    "from triqs_mlsolver import Problem, Solution, DiscreteBath",
    "from triqs_mlsolver import Database",
    "from triqs_mlsolver import Predictor, Prediction",
    "import triqs_mlsolver.compat",
    "import triqs_mlsolver.solid_dmft",
    "import triqs_mlsolver.plots",
    "from triqs_mlsolver import compat, plots, solid_dmft",
    "from triqs_mlsolver.solve_generic import solve_generic, SolverResults",
]


def written_imports() -> list[str]:
    """Imports of the package in the documentation and the examples, one statement each."""
    pages = [ROOT / "README.md", *(ROOT / "doc").glob("*.md")]
    pages += [p for p in (ROOT / "examples").rglob("*") if p.suffix in (".py", ".ipynb", ".md", ".rst")]
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages).replace("\\n", "\n")
    found = re.findall(r"\bfrom (triqs_mlsolver[\w.]*) import (\([^)]*\)|\w+(?:, *\w+)*)", text)
    statements = {f"from {module} import {' '.join(names.strip('()').split()).rstrip(',')}" for module, names in found}
    api = (ROOT / "doc" / "api.md").read_text(encoding="utf-8")
    named = re.findall(r"(?:class|function|module)\}? *:*:? *(triqs_mlsolver\.[\w.]+)", api)
    statements |= {"from {} import {}".format(*name.rsplit(".", 1)) for name in named}
    return sorted(statements)


def test_imports_are_found_in_documentation_and_examples():
    found = written_imports()
    assert len(found) > 40
    assert "from triqs_mlsolver.lattice.bethe import scan_bethe" in found
    assert "from triqs_mlsolver.model.selection import SearchResult" in found


@pytest.mark.parametrize("order", range(4))
def test_public_paths_import_in_any_order(order):
    """Whatever was imported before: `solve_generic`, a module and a function of one name, means the function."""
    statements = [*PUBLIC, *written_imports()]
    random.Random(order).shuffle(statements)
    code = (
        f"import sys, json; failed = []\nfor statement in {statements!r}:\n    try:\n        exec(statement, {{}})\n"
        "    except ImportError as error:\n        failed.append([statement, str(error)])\n"
        "import triqs_mlsolver, inspect\nfrom triqs_mlsolver import solve_generic\n"
        "assert callable(solve_generic) and inspect.isclass(triqs_mlsolver.Solver)\n"
        "print(json.dumps(failed))"
    )
    assert fresh(code) == []


@pytest.mark.parametrize("statement", PUBLIC)
def test_public_paths_import_first(statement):
    assert fresh(f"import json; {statement}; print(json.dumps(1))") == 1


def test_unknown_name():
    import triqs_mlsolver

    with pytest.raises(AttributeError, match="module 'triqs_mlsolver' has no attribute 'Sovler'"):
        getattr(triqs_mlsolver, "Sovler")  # noqa: B009
