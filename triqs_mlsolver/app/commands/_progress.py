# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""How far a command is, in place of the lines of the solvers."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click

_EVERY = 30.0  # seconds between two lines where there is no terminal


class Progress:
    """How much of a known amount of work is done: a bar on a terminal, a line now and then elsewhere; on rank 0 only.

    Used as `with Progress("points") as progress: progress(17, 100)`.
    """

    def __init__(self, unit: str, visible: bool = True):
        self.unit, self.visible = unit, visible
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
        elif done >= total or time.monotonic() - self._said > _EVERY:
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
