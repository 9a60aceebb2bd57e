# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Columns over many points, without building each of them."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from itertools import islice
from typing import Any

import numpy as np

from ..numerics import legendre
from ..problem.fidelity import distrust
from ..tools.validation import closest
from .point import Record

_TEXT = ("id", "problem_id", "kind", "solver", "version", "fidelity", "host", "date", "package_version")
_NUMBER = ("unit", "seed", "n_cycles", "average_sign", "auto_corr_time", "seconds")
_PHYSICS = ("beta", "U", "U_matrix", "level", "x", "density", "nn", "double_occupancy", "error_bar")
_SERIES = ("Delta_l", "G_l", "G_l_error", "F_l", "F_l_error")
_SUMMARISED = ("kind", "solver", "fidelity", "beta", "U", "x", "density", "error_bar", "seconds", "date", "version")
COLUMNS = _TEXT + _NUMBER + _PHYSICS
_BATCH = 4096  # records that are looked at together: columns are assembled without a second copy of all headers


def build(records: Iterable[Record], columns: Iterable[str] | None = None) -> dict[str, np.ndarray]:
    """One array per column, one row per record; see `Database.table`."""
    columns = tuple(COLUMNS if columns is None else columns)
    unknown = [name for name in columns if name not in COLUMNS + _SERIES]
    if unknown:
        raise unknown_name(unknown[0], COLUMNS + _SERIES)
    records = iter(records)
    batches = []
    while batch := list(islice(records, _BATCH)):
        batches.append(_batch(batch, columns))
    batches = batches or [_batch([], columns)]
    out = {name: _stacked([b[name] for b in batches]) for name in columns if name not in _SERIES}
    for name in columns:
        if name in _SERIES:
            out |= _series(name, [blocks for b in batches for blocks in b[name]])
    return out


def fulfilled(columns: dict[str, np.ndarray], wanted: dict, n: int) -> np.ndarray:
    """Which of `n` rows fulfil all conditions, (n,) of bool; see `Database.select`."""
    keep = np.ones(n, bool)
    for name, condition in wanted.items():
        values = columns[name].reshape(n, -1) if n else columns[name]
        if isinstance(condition, tuple):
            low, high = condition
            good = (values >= low) & (values <= high)
        else:
            good = values == condition
        missing = np.isnan(values) if values.dtype.kind == "f" else np.zeros(values.shape, bool)
        keep &= ((good | missing).all(axis=1) & ~missing.all(axis=1)) if n else keep
    return keep


def best_of_each_problem(t: dict[str, np.ndarray]) -> np.ndarray:
    """Rows that `Database.best_points` takes, in their order, from the columns problem_id, fidelity and error_bar."""
    ranks = {name: distrust(name) for name in np.unique(t["fidelity"]).tolist()}
    rank = np.array([ranks[name] for name in t["fidelity"].tolist()], dtype=int)
    order = np.lexsort((-np.arange(len(rank)), t["error_bar"], rank))
    _, first = np.unique(t["problem_id"][order], return_index=True)
    return np.sort(order[first])


def summary(database: Any) -> dict:
    """See `Database.info`."""
    t = database.table(_SUMMARISED)
    count = lambda column: {str(k): int(n) for k, n in zip(*np.unique(column, return_counts=True))}
    ends = lambda values: (float(np.nanmin(values)), float(np.nanmax(values)))
    ranges = {k: ends(t[k]) for k in ("beta", "U", "x", "density") if len(database)}
    quantiles = np.quantile(t["error_bar"], [0.05, 0.5, 0.95]).tolist() if len(database) else []
    names = database.journal.names() if database.journal else []
    return {
        "path": database.path,
        "base": database.base,
        "points_of_base": database.n_of_base,
        "points": len(database),
        "removed": len(database.removed),
        "kinds": count(t["kind"]) if len(database) else {},
        "solvers": count(np.char.add(np.char.add(t["solver"], " "), t["version"])) if len(database) else {},
        "fidelities": count(t["fidelity"]),
        "ranges": ranges,
        "error_bar_quantiles": dict(zip(("5%", "50%", "95%"), quantiles)),
        "seconds": float(np.nansum(t["seconds"])),
        "dates": (str(min(t["date"])), str(max(t["date"]))) if len(database) else None,
        "snapshot_bytes": os.path.getsize(database.path) if database.path and os.path.exists(database.path) else 0,
        "journal_files": len(names),
        "journal_bytes": database.journal.size() if database.journal else 0,
        "digest": database.digest,
    }


def unknown_name(name: str, allowed: Iterable[str]) -> TypeError:
    """The error for a name that is none, with the nearest that is one."""
    near = closest(name, allowed)
    hint = f" Did you mean {near!r}?" if near else ""
    return TypeError(f"there is no column {name!r}.{hint} Columns: {', '.join(allowed)}")


def _padded(column: np.ndarray, shape: Iterable[int]) -> np.ndarray:
    """A column whose entries are at least of this shape, NaN where they were smaller."""
    shape = tuple(np.maximum(column.shape[1:], tuple(shape)).astype(int))
    if shape == column.shape[1:]:
        return column
    out = np.full((len(column), *shape), np.nan)
    out[(slice(None), *map(slice, column.shape[1:]))] = column
    return out


def _stacked(columns: list[np.ndarray]) -> np.ndarray:
    """Columns of successive batches, whose entries may differ in shape."""
    if len({column.shape[1:] for column in columns}) > 1:
        shape = np.max([column.shape[1:] for column in columns], axis=0)
        columns = [_padded(column, shape) for column in columns]
    return np.concatenate(columns)


def _batch(records: list[Record], columns: tuple[str, ...]) -> dict:
    """The columns of some records; of a series the list of arrays per record."""
    out = {name: _empty(name, len(records)) for name in columns if name in _TEXT + _NUMBER}
    if out:
        _fill_attributes(out, records)
    alike: dict[bytes, list[int]] = {}
    for row, record in enumerate(records):
        alike.setdefault(record.layout_text, []).append(row)
    for name in columns:
        if name in _SERIES:
            out[name] = [record.blocks(name) for record in records]
    wanted = [name for name in columns if name in _PHYSICS]
    for rows in alike.values():
        group = _Group([records[row] for row in rows])
        for name in wanted:
            values = getattr(group, name)()
            nothing = np.full((len(records), *(0,) * (values.ndim - 1)), np.nan)
            column = _padded(out.get(name, nothing), values.shape[1:])
            column[(rows, *map(slice, values.shape[1:]))] = values
            out[name] = column
    for name in wanted:
        out.setdefault(name, np.empty(0))
    return out


def _empty(name: str, n: int) -> np.ndarray:
    return np.full(n, np.nan) if name in _NUMBER else np.full(n, "", dtype=object)


def _fill_attributes(out: dict[str, np.ndarray], records: list[Record]) -> None:
    for row, record in enumerate(records):
        attributes = record.attributes
        for name, column in out.items():
            if name == "id":
                column[row] = record.id
            elif name in ("problem_id", "kind"):
                column[row] = getattr(record, name)
            elif name in _TEXT:
                column[row] = str(attributes.get(name) or "")
            elif isinstance(value := attributes.get(name), (int, float)):
                column[row] = value
    for name in out:
        if name in _TEXT:
            out[name] = out[name].astype(str)


class _Group:
    """Records whose arrays have the same names and shapes; each method gives one value per record."""

    def __init__(self, records: list[Record]):
        self.records = records
        self.layout = records[0].layout
        self.n_blocks = sum(name.startswith("h_loc0/") for name in self.layout)
        self._arrays: dict[str, np.ndarray] = {}

    def array(self, name: str) -> np.ndarray:
        """(n, *shape)"""
        if name not in self._arrays:
            start, shape = self.layout[name]
            stop = start + math.prod(shape)
            rows = np.array([r.data[start:stop] for r in self.records])
            self._arrays[name] = rows.reshape(len(self.records), *shape)
        return self._arrays[name]

    def beta(self):
        return self.array("beta")

    def U(self):
        return self.array("U").max(axis=(1, 2), initial=0.0)

    def U_matrix(self):
        return self.array("U")

    def level(self):
        blocks = [self.array(f"h_loc0/{b}") for b in range(self.n_blocks)]
        return np.concatenate([np.diagonal(h, axis1=1, axis2=2) for h in blocks], axis=1)

    def x(self):
        return self.level() + 0.5 * self.array("U").sum(axis=2)

    def nn(self):
        return self.array("nn")

    def density(self):
        return np.diagonal(self.array("nn"), axis1=1, axis2=2)

    def double_occupancy(self):
        nn = self.array("nn")
        return nn[:, 0, 1] if nn.shape[1] == 2 else np.full(len(nn), np.nan)

    def error_bar(self):
        """Standard error of G(τ), root mean square over τ (Parseval), the largest of all elements."""
        worst = np.zeros(len(self.records))
        for b in range(self.n_blocks):
            if f"G_l_error/{b}" in self.layout:
                squares = (self.array(f"G_l_error/{b}") ** 2).sum(axis=1)
                worst = np.maximum(worst, np.sqrt(squares.max(axis=(1, 2))))
        return worst / self.beta()


def _series(name: str, column: list[list[np.ndarray]]) -> dict[str, np.ndarray]:
    """`name_b` for each block b, (n, longest, size, size), with zeros where a series is shorter or missing."""
    out = {}
    for b in range(max((len(blocks) for blocks in column), default=0)):
        blocks = [row[b] if b < len(row) else None for row in column]
        length, *shape = np.max([a.shape for a in blocks if a is not None], axis=0)
        out[f"{name}_{b}"] = whole = np.full((len(blocks), length, *shape), np.nan)
        for row, a in zip(whole, blocks):
            if a is None:
                row[...] = 0.0
            else:
                row[:, : a.shape[1], : a.shape[2]] = legendre.resized(a, length)
    return out
