# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Databases named on the command line, and the decision logs beside them: every command opens them here.

A name is a path, or "starter": the database that comes with the package, with what was added to it in `mlsolver.h5` in
the working directory. A file that has this name is `./starter`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    import numpy as np

    from ...database import Database


#: The text as it was given: a `pathlib.Path` would make "starter" of "./starter".
NAME = click.Path()


def opened(name: str, *, with_points: bool = False) -> Database:
    """The database, read only; ClickException where there is none, or it is empty and `with_points` are needed."""
    from ...database import open_database

    require(name)
    database = open_database(name, read_only=True)
    if with_points and not len(database):
        raise click.ClickException(f"{name} has no points yet: fill it first (mlsolver generate)")
    return database


def opened_to_change(name: str, *, create: bool = False) -> Database:
    """The database, which must be there unless it may be created; never the starter."""
    from ...database import Database

    if _is_starter(name):
        raise click.BadParameter(
            "the starter comes with the package and is never written to: name a file of your own, such as "
            f"{file_of(name)}, which holds what was added to it here",
            param_hint="DATABASE",
        )
    if not create:
        require(name)
    return Database(name)


def require(name: str) -> None:
    """Refuse a name where no database is: nothing is created by a slip of the pen."""
    path = os.path.expanduser(name)
    if not (_is_starter(name) or os.path.exists(path) or os.path.isdir(f"{path}.journal")):
        raise click.ClickException(f"there is no database {name}: correct the path, or fill one (mlsolver generate)")


def file_of(name: str) -> str:
    """The file that takes what is added, beside which log, settings and refused runs are."""
    from ...database import starter

    return starter.OWN_POINTS if _is_starter(name) else name


def read_log(name: str, *, required: bool = True) -> dict[str, np.ndarray]:
    """The decision log `name`, or that of the database `name`; where there is none empty, or ClickException."""
    from ...decision.log import DecisionLog

    path = os.path.expanduser(file_of(name))
    if os.path.isdir(path):
        raise click.ClickException(f"{name} is a directory: give the name of a file in it, such as {name}/mlsolver.h5")
    file = path if path.endswith(".log") else f"{path}.log"
    log = DecisionLog(file).read() if os.path.isfile(file) else {}
    if required and not log:
        why = "holds no decision" if os.path.isfile(file) else "is not there"
        of_starter = " (of what is solved with the starter in this directory)" if _is_starter(name) else ""
        raise click.ClickException(
            f"the decision log {file}{of_starter} {why}: name a database that a Solver has used with learn=True, or "
            "its .log file"
        )
    return log


def _is_starter(name: str) -> bool:
    from ...database import starter

    return name == starter.NAME
