# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""The decision log as text: a row per solve, and what they come to."""

from __future__ import annotations

import datetime
from collections.abc import Mapping

import numpy as np

from ..decision import coverage

_COLUMNS = (
    ("time", "time", "19"), ("source", "source", "11"), ("beta", "beta", "8"), ("U", "U", "7"), ("x", "level", "7"),
    ("error_bound", "bound G", "8"), ("sigma_bound", "bound S", "8"), ("true_error", "error G", "8"), ("Z", "Z", "7"),
    ("seconds", "seconds", "8"),
)  # fmt: skip
HEADER = tuple(title for _, title, _ in _COLUMNS) + ("reason",)


def cells(log: Mapping[str, np.ndarray], row: int) -> list[str]:
    """One row of the table, the texts under `HEADER`."""
    texts = [_text(name, log[name][row]) if name in log else "" for name, _, _ in _COLUMNS]
    if coverage.audited(log)[row]:
        texts[1] = "audit"
    missed = " MISSED" if coverage.flags(log, "miss")[row] else ""
    return [*texts, str(log["reason"][row]) + missed]


def rows(log: Mapping[str, np.ndarray], last: int | None = None) -> list[str]:
    """The latest decisions as lines of text, with a header.

    Parameters
    ----------
    log : mapping of arrays
        As `DecisionLog.read` returns it.
    last : int, optional
        How many; all by default.
    """
    n = len(log["time"])
    start = 0 if last is None else max(0, n - last)
    widths = [int(width) for _, _, width in _COLUMNS]
    line = lambda texts: " ".join([f"{text:>{w}}" for text, w in zip(texts, widths)] + ["", texts[-1]])
    return [line(list(HEADER)), *(line(cells(log, row)) for row in range(start, n))]


def summary(log: Mapping[str, np.ndarray]) -> list[str]:
    """Solves, exact calls, time, and how often the bounds held, a line each."""
    n, source = len(log["time"]), log["source"]
    audits = coverage.audited(log)
    exact = coverage.computed(log)
    seconds = log["seconds"]
    lines = [
        f"{n} solves: {int(np.sum(source == 'model'))} answered by the model, {int(exact.sum())} computed "
        f"({int(audits.sum())} of them audits)",
        f"time: {np.sum(seconds[exact]):.1f} s in exact runs, {np.sum(seconds[~exact]):.1f} s in model answers",
    ]
    for kind, name in (("G", "G(tau)"), ("Sigma", "Sigma(iw0)")):
        everywhere, accepted = coverage.coverage(log, kind), coverage.coverage(log, kind, accepted=True)
        lines.append(f"bound on {name} held in checked solves: {everywhere}; among audits: {accepted}")
    return lines


def _text(name: str, value) -> str:
    if name == "time":
        return datetime.datetime.fromtimestamp(float(value)).isoformat(sep=" ", timespec="seconds")
    if isinstance(value, str):
        return value
    return "-" if not np.isfinite(value) else f"{value:.4g}" if name in ("beta", "U", "x", "Z") else f"{value:.2g}"
