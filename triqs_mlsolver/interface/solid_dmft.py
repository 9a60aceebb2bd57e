# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""The plug-in for solid_dmft: `type = "cthyb"` in its input then means `triqs_mlsolver.Solver`.

solid_dmft has no list of solvers to register with: it takes the class `Solver` of triqs_cthyb. Up to 3.2 it looks the
class up in `triqs_cthyb.solver` whenever it sets up an impurity; from 3.3 on, its module for cthyb holds a name of its
own. That one name is what is exchanged; `triqs_cthyb.Solver` stays, and remains the exact solver.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from functools import partial
from os import PathLike
from types import ModuleType

from .solver import Solver

_INTERFACE = "solid_dmft.dmft_tools.solvers.cthyb_interface"  # from solid_dmft 3.3 on
_replaced: tuple[ModuleType, str, object] | None = None  # where, which name, what was there


def enable(
    *,
    database: str | PathLike | object | Callable[[list], object] | None = "mlsolver.h5",
    tolerance: float = 0.002,
    **options,
) -> None:
    """Let solid_dmft solve its impurities of `type = "cthyb"` with `triqs_mlsolver.Solver`.

    To be called before its main(). Calling it again changes the options; `disable` undoes it.

    Parameters
    ----------
    database : str, path, Database, None, or function
        As for `Solver`, and shared by all impurities, which may be of several kinds; or a function that takes the
        `gf_struct` of an impurity and returns its database.
    tolerance : float
        Largest accepted bound on the error of G(τ) (dimensionless); 0 means always exact.
    **options
        Further options of `Solver`: `exact`, `sigma_tolerance`, `audit_rate`, `learn`, ...

    Raises
    ------
    ImportError
        If solid_dmft or triqs_cthyb, without which it knows no `type = "cthyb"`, is not installed.
    TypeError, ValueError
        For options `Solver` does not have, or values it does not take.

    Examples
    --------
    >>> from triqs_mlsolver import solid_dmft
    >>> solid_dmft.enable(database="srvo3.h5", tolerance=0.002)  # doctest: +SKIP
    >>> from solid_dmft.main import main  # doctest: +SKIP
    >>> main(["solid_dmft", "dmft_config.toml"])  # doctest: +SKIP
    """
    build = partial(_build, database, {"tolerance": tolerance, **options})
    # a mistake in the options shows now, not after the DFT part: a solver that is only built touches no file
    Solver(1.0, [("up", 1)], 2, 4, database=None if callable(database) else database, tolerance=tolerance, **options)
    global _replaced
    if _replaced is None:
        module, name = _where_solid_dmft_looks()
        _replaced = module, name, getattr(module, name)
    setattr(_replaced[0], _replaced[1], build)


def disable() -> None:
    """Let solid_dmft use triqs_cthyb itself again; without effect where `enable` was not called."""
    global _replaced
    if _replaced is not None:
        module, name, original = _replaced
        setattr(module, name, original)
        _replaced = None


def _build(database, options: dict, *args, **kwargs) -> Solver:
    """The solver of one impurity, from the arguments solid_dmft has for that of cthyb."""
    if callable(database):
        database = database(kwargs["gf_struct"] if "gf_struct" in kwargs else args[1])
    return Solver(*args, **kwargs, database=database, **options)


def _where_solid_dmft_looks() -> tuple[ModuleType, str]:
    """The module, and the name in it, by which solid_dmft finds the class of cthyb's solver."""
    try:
        importlib.import_module("solid_dmft")
        cthyb = importlib.import_module("triqs_cthyb.solver")
        if importlib.util.find_spec("solid_dmft.dmft_tools.solvers") is None:
            return cthyb, "Solver"
        return importlib.import_module(_INTERFACE), "cthyb_solver"
    except ModuleNotFoundError as error:
        raise ImportError(
            f'solid_dmft cannot be given this solver, since {error.name} is not installed: type = "cthyb" in its input '
            "needs TRIQS, triqs_dft_tools, triqs_cthyb and solid_dmft itself"
        ) from error
