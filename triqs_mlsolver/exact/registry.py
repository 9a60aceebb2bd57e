# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Which exact solver takes which problem."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import fields
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol

from ..problem import Problem, Solution
from ..tools.validation import check_keywords, check_name

NAMES = ("auto", "segment", "matrix", "cthyb", "ed")
_HOME = {
    "segment": ("segment", "SegmentSolver"),
    "matrix": ("matrix", "MatrixSolver"),
    "cthyb": ("cthyb.solver", "CthybSolver"),
    "ed": ("ed", "ED"),
}


class ExactSolver(Protocol):
    """What stands in for any exact solver."""

    name: str

    def solve(self, problem: Problem) -> Solution: ...


class NoExactSolver(RuntimeError):
    """No exact solver is available for a problem."""


def check(exact: str | ExactSolver) -> None:
    """Refuse what is neither a known name nor a solver.

    Raises
    ------
    ValueError, TypeError
    """
    if isinstance(exact, str):
        check_name("exact", exact, NAMES, kind="an exact solver")
    elif inspect.isclass(exact):
        raise TypeError(
            f"exact = {exact.__name__} is a class, not a solver: pass an instance with a method solve(problem), "
            f"exact={exact.__name__}(...), or a name ({', '.join(NAMES)})"
        )
    elif not callable(getattr(exact, "solve", None)) or not isinstance(getattr(exact, "name", None), str):
        raise TypeError(
            f"exact = {exact!r} is no exact solver: give a name ({', '.join(NAMES)}) or an object with a method "
            "solve(problem) "
            "and a string `name`"
        )


def name_of(exact: str | ExactSolver) -> str:
    """The name of a solver that is given by name or as an object."""
    return exact if isinstance(exact, str) else exact.name


def check_options(options: Mapping[str, Any]) -> None:
    """Refuse run parameters that no exact solver has; each takes those it knows.

    Raises
    ------
    TypeError
    """
    known = dict.fromkeys(field.name for name in _HOME for field in fields(_class(name)))
    check_keywords("an exact solver", options, known)


def choose(exact: str | ExactSolver, problem: Problem, **options: Any) -> ExactSolver:
    """The solver for `problem`.

    Parameters
    ----------
    exact : {"auto", "segment", "matrix", "cthyb", "ed"} or object with solve(problem)
        "auto" takes the segment solver where the interaction is density-density and Δ diagonal, else the matrix solver
        where it can sample the problem, else triqs_cthyb.
    problem : Problem
    options
        Run parameters: those that are fields of the solver are passed to its constructor, None means its default.

    Raises
    ------
    NoExactSolver
        If nothing that is installed takes the problem; names the ways out.
    """
    check(exact)
    if not isinstance(exact, str):
        return exact
    if exact == "auto":
        exact = next((name for name in ("segment", "matrix") if _class(name).supports(problem) is None), "cthyb")
        if exact == "cthyb" and find_spec("triqs_cthyb") is None:
            bath = ', take exact="ed" if a bath of few sites will do' if _class("ed").supports(problem) is None else ""
            raise NoExactSolver(
                f"no exact solver for this problem: {_class('matrix').supports(problem)}, and triqs_cthyb does not "
                f"import. Install triqs_cthyb (conda install -c conda-forge triqs_cthyb){bath}, or pass "
                "exact=<object with solve(problem)>."
            )
    kind = _class(exact)
    reason = kind.supports(problem)
    if reason:
        raise NoExactSolver(f"exact = {exact!r} cannot solve this problem: {reason}")
    known = {field.name for field in fields(kind)}
    return kind(**{name: value for name, value in options.items() if name in known and value is not None})


def _class(name: str):
    module, cls = _HOME[name]
    return getattr(import_module(f".{module}", __package__), cls)
