# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""A TRIQS-style impurity solver that answers from a learned database and computes what it does not know.

Public names are loaded when first used, so that importing the package costs nothing.
"""

from __future__ import annotations

import importlib

from .version import triqs_mlsolver_hash, version

__version__ = version

_HOME = {
    "Solver": "interface.solver",
    "SolverCore": "interface.solver_core",
    "solve_generic": "interface.solve_generic",
    "LearnedSolver": "decision.learned_solver",
    "Problem": "problem",
    "Solution": "problem",
    "DiscreteBath": "problem",
    "Database": "database",
    "Predictor": "model",
    "Prediction": "model",
}

__all__ = [*_HOME, "version", "triqs_mlsolver_hash"]


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
