# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Files to write, refused before anything is computed."""

from __future__ import annotations

import os
from pathlib import Path

import click


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


def require_matplotlib() -> None:
    """ClickException with the remedy where matplotlib is missing."""
    from importlib.util import find_spec

    if find_spec("matplotlib") is None:
        raise click.ClickException("pictures need matplotlib: pip install matplotlib")
