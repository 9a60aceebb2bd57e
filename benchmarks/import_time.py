# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Time of what every script begins with, each in fresh processes.

    python benchmarks/import_time.py [--repeat 10] [--quick]

`import triqs_mlsolver` should take less than 0.5 s: scikit-learn, numba and the containers are loaded when first used.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

STATEMENTS = {
    "import triqs_mlsolver": "import triqs_mlsolver",
    "from triqs_mlsolver import Problem, Database": "from triqs_mlsolver import Problem, Database",
    "from triqs_mlsolver import LearnedSolver": "from triqs_mlsolver import LearnedSolver",
    "from triqs_mlsolver import Solver": "from triqs_mlsolver import Solver",
    "mlsolver --help": "from triqs_mlsolver.app.cli import main; main(['--help'], prog_name='mlsolver')",
}


def inside(statement: str) -> float:
    """Seconds the statement takes in a new interpreter, whose own start is not counted."""
    code = (
        "import sys, time; start = time.perf_counter()\n"
        f"try:\n    {statement}\nexcept SystemExit:\n    pass\n"
        "print(time.perf_counter() - start, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stderr.split()[-1])


def whole(statement: str) -> float:
    """Seconds of a new process that runs the statement, start and end of the interpreter included."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], capture_output=True, check=True)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=10)
    parser.add_argument("--quick", action="store_true", help="two repetitions")
    options = parser.parse_args()
    repeat = 2 if options.quick else options.repeat
    print(f"{'median, seconds':46s} {'statement':>9s} {'process':>9s}")
    print(f"{'(empty interpreter)':46s} {'':9s} {statistics.median(whole('pass') for _ in range(repeat)):9.3f}")
    for name, statement in STATEMENTS.items():
        inside(statement)  # files come into the cache
        medians = [statistics.median(measure(statement) for _ in range(repeat)) for measure in (inside, whole)]
        print(f"{name:46s} {medians[0]:9.3f} {medians[1]:9.3f}")


if __name__ == "__main__":
    main()
