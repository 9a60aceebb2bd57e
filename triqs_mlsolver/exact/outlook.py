# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""How long a run will take, said before it does, and how far it is."""

from __future__ import annotations

import logging
import sys
import time

from ..tools.messages import report

_LONG = 5.0  # seconds from which on a run is worth a line

log = logging.getLogger("triqs_mlsolver")


class Outlook:
    """One line before each part of a run of more than a few seconds, then a bar on a terminal; on one rank only.

    Parameters
    ----------
    name : str
        Of the solver.
    visible : bool
        Whether this rank is the one that speaks.
    """

    def __init__(self, name: str, visible: bool):
        self.name, self.visible = name, visible
        self._started = self._end = time.perf_counter()
        self._said: set[str] = set()  # aims
        self._bar = None

    def expect(self, aim: str, seconds: float) -> None:
        """What the run aims at, and about how many seconds are left."""
        self._end = time.perf_counter() + seconds
        if self.visible and seconds > _LONG and aim not in self._said:
            self._said.add(aim)
            report(f"mlsolver: {self.name} aims at {aim}: about {in_words(seconds)}")

    def tick(self) -> None:
        """Draw the bar, if there is something to be seen."""
        if not (self._said and sys.stderr.isatty() and log.isEnabledFor(logging.INFO)):
            return
        now = time.perf_counter()
        if self._bar is None:
            from tqdm import tqdm

            self._bar = tqdm(
                desc=self.name, unit="s", bar_format="{desc}: {percentage:3.0f}%|{bar}| {postfix}", leave=False
            )
        self._bar.total = max(self._end, now) - self._started
        self._bar.n = now - self._started
        self._bar.set_postfix_str(f"{in_words(max(self._end - now, 0.0))} left")

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


def in_words(seconds: float) -> str:
    """A duration for people: "40 s", "3 min", "2.5 h".

    >>> in_words(40.3), in_words(170), in_words(9000)
    ('40 s', '3 min', '2.5 h')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
