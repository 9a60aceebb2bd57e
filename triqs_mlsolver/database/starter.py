# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""The database that comes with the package (made by benchmarks/make_starter.py): random baths and the Bethe lattice."""

from __future__ import annotations

import os
from importlib.resources import files as resources

from .files import DatabaseError
from .store import Database

NAME = "starter"
OWN_POINTS = "mlsolver.h5"


def open_database(database: str | os.PathLike | None, *, read_only: bool = False) -> Database:
    """A database by path, or "starter": the one that comes with the package, never written to.

    What is added to the starter goes to `mlsolver.h5` in the working directory, where it is found again.

    Raises
    ------
    DatabaseError
        For "starter" in an installation that has none.
    """
    if database != NAME:
        return Database(database, read_only=read_only)
    return Database(OWN_POINTS, base=starter_file(), read_only=read_only)


def starter_file() -> str:
    """Path of the starter database."""
    path = str(resources(__package__.partition(".")[0]) / "data" / "starter.h5")
    if not os.path.exists(path):
        raise DatabaseError(
            f"this installation has no starter database ({path} is missing): install the package with its data, make "
            "one with benchmarks/make_starter.py, or name a database of your own"
        )
    return path
