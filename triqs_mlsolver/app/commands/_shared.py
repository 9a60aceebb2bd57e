# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""What commands share."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click


class Progress:
    """How much of a known amount of work is done: a bar on a terminal, a line now and then elsewhere; on rank 0 only.

    Used as `with Progress("points") as progress: progress(17, 100)`.
    """

    def __init__(self, unit: str, visible: bool = True, every: float = 30.0):
        self.unit, self.visible, self.every = unit, visible, every
        self._bar = None
        self._said = time.monotonic()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_) -> None:
        if self._bar is not None:
            self._bar.close()

    def __call__(self, done: int, total: int) -> None:
        if not self.visible:
            return
        if sys.stderr.isatty():
            self._draw(done, total)
        elif done >= total or time.monotonic() - self._said > self.every:
            self._said = time.monotonic()
            click.echo(f"{done} of {total} {self.unit}", err=True)

    def _draw(self, done: int, total: int) -> None:
        if self._bar is None:
            from tqdm import tqdm

            self._bar = tqdm(total=total, initial=done, unit=f" {self.unit}", dynamic_ncols=True)
        self._bar.update(done - self._bar.n)


@contextmanager
def quiet_solvers() -> Iterator[None]:
    """Within it the progress replaces the lines of the solvers; errors are still said."""
    import logging

    log = logging.getLogger("triqs_mlsolver")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(before)


def opened(path: Path, read_only: bool = False):
    """The database at a path, which must be there, or "starter"."""
    from ...database import open_database

    require(path)
    return open_database(str(path), read_only=read_only)


def require(path: Path) -> None:
    """Refuse a path where no database is: nothing is created by a slip of the pen."""
    if str(path) == "starter":  # the one that comes with the package
        return
    if not path.exists() and not Path(f"{path}.journal").is_dir():
        raise click.ClickException(f"there is no database {path}: correct the path, or fill one (mlsolver generate)")
