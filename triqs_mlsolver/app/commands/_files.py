# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Databases, logs and pictures named on the command line; what is wrong with them is said in one line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

if TYPE_CHECKING:
    from ...database import Database


class OutputFile(click.Path):
    """A file to write, with one of some endings, in a directory that is there: refused before anything is computed."""

    def __init__(self, *endings: str):
        super().__init__(dir_okay=False, path_type=Path)
        self.endings = endings

    def convert(self, value, param, ctx) -> Path:
        path = super().convert(value, param, ctx)
        if self.endings and path.suffix.lower() not in self.endings:
            self.fail(f"{path} ends in none of {', '.join(self.endings)}", param, ctx)
        return writable(path)


def writable(path: Path) -> Path:
    """The path, if a file can be written there; else BadParameter."""
    folder = path.parent.absolute()
    if not folder.is_dir():
        raise click.BadParameter(f"{folder} is no directory: create it, or write elsewhere")
    if not os.access(folder, os.W_OK):
        raise click.BadParameter(f"{folder} cannot be written (permission denied): write elsewhere")
    return path


PICTURE = OutputFile(".png", ".pdf", ".svg")


def open_database(path: Path) -> Database:
    """The database, read only; BadParameter where there is none, or it is empty or damaged."""
    from ...database import Database, DatabaseError

    try:
        database = Database(path, read_only=True)
    except (OSError, DatabaseError) as error:
        raise click.BadParameter(str(error), param_hint="FILE") from None
    if not len(database):
        raise click.BadParameter(f"{path} has no points yet: nothing to show", param_hint="FILE")
    return database


def read_log(path: Path) -> dict[str, np.ndarray]:
    """The decision log `path`, or that of the database `path`; BadParameter where there is none."""
    from ...decision.log import DecisionLog

    file = path if path.suffix == ".log" else Path(f"{path}.log")
    log = DecisionLog(file).read() if file.is_file() else {}
    if not log:
        why = "holds no decision" if file.is_file() else "is not there"
        raise click.BadParameter(
            f"the decision log {file} {why}: name a database that a Solver has used with learn=True, or its .log file",
            param_hint="FILE",
        )
    return log


def require_matplotlib() -> None:
    """ClickException with the remedy where matplotlib is missing."""
    from importlib.util import find_spec

    if find_spec("matplotlib") is None:
        raise click.ClickException("pictures need matplotlib: pip install matplotlib")
