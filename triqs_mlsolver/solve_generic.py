# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""The public path of `interface.solve_generic`, where the solvers of TRIQS 4 have theirs.

`from triqs_mlsolver import solve_generic` means the function, whoever imported this module before: so the function
stands in for the module.
"""

import sys

from .interface.solve_generic import SolverResults, solve_generic

solve_generic.solve_generic, solve_generic.SolverResults = solve_generic, SolverResults
sys.modules[__name__] = solve_generic
