# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Columns over many points, without building each of them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

import numpy as np

from ..numerics import legendre
from .point import Record

_TEXT = ("id", "problem_id", "solver", "version", "fidelity", "host", "date", "package_version")
_NUMBER = ("unit", "seed", "n_cycles", "average_sign", "auto_corr_time", "seconds")
_PHYSICS = ("beta", "U", "U_matrix", "level", "x", "density", "nn", "double_occupancy", "error_bar")
_SERIES = ("Delta_l", "G_l", "G_l_error", "F_l", "F_l_error")
COLUMNS = _TEXT + _NUMBER + _PHYSICS


def build(records: Iterable[Record], columns: Iterable[str] | None = None) -> dict[str, np.ndarray]:
    """One array per column, one row per record; see `Database.table`."""
    columns = tuple(COLUMNS if columns is None else columns)
    unknown = [name for name in columns if name not in COLUMNS + _SERIES]
    if unknown:
        raise unknown_name(unknown[0], COLUMNS + _SERIES)
    wanted = [name for name in columns if name not in _SERIES]
    values: dict[str, list] = {name: [] for name in wanted}
    series: dict[str, list] = {name: [] for name in columns if name in _SERIES}
    for record in records:
        arrays = record.arrays()
        row = _Row(record, arrays)
        for name in wanted:
            values[name].append(row.value(name))
        for name in series:
            series[name].append([arrays[f"{name}/{b}"] for b in range(row.n_blocks) if f"{name}/{b}" in arrays])
    out = {name: _as_array(name, column) for name, column in values.items()}
    for name, column in series.items():
        out |= _padded(name, column)
    return out


def unknown_name(name: str, allowed: Iterable[str]) -> TypeError:
    """The error for a name that is none, with the nearest that is one."""
    near = difflib.get_close_matches(name, allowed, 1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return TypeError(f"there is no column {name!r}.{hint} Columns: {', '.join(allowed)}")


class _Row:
    """The entries of one record."""

    def __init__(self, record: Record, arrays: dict[str, np.ndarray]):
        self.record, self.a = record, arrays
        self.attributes = record.description["attributes"]
        self.n_blocks = len(record.description["gf_struct"])

    def value(self, name: str):
        if name == "id":
            return self.record.id
        if name == "problem_id":
            return self.record.description["problem"]
        if name in _PHYSICS:
            return getattr(self, name)()
        value = self.attributes.get(name)
        if name in _TEXT:
            return "" if value is None else str(value)
        return float(value) if isinstance(value, (int, float)) else np.nan

    def beta(self):
        return float(self.a["beta"])

    def U(self):
        return float(self.a["U"].max(initial=0.0))

    def U_matrix(self):
        return self.a["U"]

    def level(self):
        return np.concatenate([np.diag(self.a[f"h_loc0/{b}"]) for b in range(self.n_blocks)])

    def x(self):
        return self.level() + 0.5 * self.a["U"].sum(axis=1)

    def nn(self):
        return self.a["nn"]

    def density(self):
        return np.diag(self.a["nn"])

    def double_occupancy(self):
        return float(self.a["nn"][0, 1]) if len(self.a["nn"]) == 2 else np.nan

    def error_bar(self):
        """Standard error of G(τ), root mean square over τ (Parseval), the largest of all elements."""
        errors = [self.a[f"G_l_error/{b}"] for b in range(self.n_blocks) if f"G_l_error/{b}" in self.a]
        return max((float(np.sqrt((e**2).sum(axis=0)).max()) / self.beta() for e in errors), default=0.0)


def _as_array(name: str, column: list) -> np.ndarray:
    if name in _TEXT:
        return np.array(column, dtype=str)
    return np.array(column, dtype=float)


def _padded(name: str, column: list) -> dict[str, np.ndarray]:
    """`name_b` for each block b, (n, longest, size, size), with zeros where a series is shorter or missing."""
    out = {}
    for b in range(max((len(blocks) for blocks in column), default=0)):
        blocks = [row[b] if b < len(row) else None for row in column]
        shape = next(a.shape[1:] for a in blocks if a is not None)
        length = max(len(a) for a in blocks if a is not None)
        out[f"{name}_{b}"] = np.stack(
            [np.zeros((length, *shape)) if a is None else legendre.resized(a, length) for a in blocks]
        )
    return out
