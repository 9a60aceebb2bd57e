# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""The decision log: one line per solve, beside the database."""

from __future__ import annotations

import base64
import json
import os
import time

import numpy as np

from ..database.point import Record, decode_problem, encode_inputs, plain
from ..problem import Problem

_INPUTS = "inputs"


class DecisionLog:
    """An append-only table that survives the crash of whoever writes it.

    Each row is one line of JSON, written by a single `write` to a file opened for appending, so that several processes
    may share it. A line torn by a crash is skipped when reading.

    Parameters
    ----------
    path : str or None
        None: in memory only.

    Examples
    --------
    >>> log = DecisionLog(None)
    >>> log.append(source="model", error_bound=0.001)
    >>> log.append(source="exact")
    >>> table = log.read()
    >>> table["source"].tolist(), table["error_bound"].tolist()
    (['model', 'exact'], [0.001, nan])
    """

    def __init__(self, path: str | os.PathLike | None):
        self.path = None if path is None else os.path.abspath(os.path.expanduser(os.fspath(path)))
        self._memory: list[bytes] = []

    def append(self, *, problem: Problem | None = None, **row) -> None:
        """Add one row of strings, numbers and flags; `time` (seconds since 1970) is added where it is not given.

        With `problem` its inputs are kept, for `problems`.

        Raises
        ------
        OSError
            If the row cannot be written in full.
        """
        content = {name: plain(name, value) for name, value in {"time": time.time(), **row}.items()}
        if problem is not None:
            content[_INPUTS] = _packed(problem)
        line = json.dumps(content, separators=(",", ":"), allow_nan=False).encode() + b"\n"
        if self.path is None:
            self._memory.append(line)
            return
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                line = b"\n" + line  # leave a torn line behind
            written = os.write(descriptor, line)
        finally:
            os.close(descriptor)
        if written < len(line):
            raise OSError(f"only {written} of {len(line)} bytes could be added to {self.path}: is the disk full?")

    def read(self, last: int | None = None) -> dict[str, np.ndarray]:
        """All rows, or the `last` ones: one array per column that any row has; NaN or "" where a row lacks it."""
        lines = self._lines() if last is None else self._lines()[-last:]
        rows = [row for line in lines if (row := _parsed(line)) is not None]
        names = list(dict.fromkeys(name for row in rows for name in row if name != _INPUTS))
        return {name: _column([row.get(name) for row in rows]) for name in names}

    def problems(self) -> list[tuple[dict, Problem]]:
        """The rows whose problem was kept, as dicts, each with its problem in the units it was asked in."""
        rows = [row for line in self._lines() if _INPUTS.encode() in line and (row := _parsed(line)) is not None]
        return [(row, _unpacked(row.pop(_INPUTS))) for row in rows if _INPUTS in row]

    def __len__(self) -> int:
        return sum(_parsed(line) is not None for line in self._lines())

    def _lines(self) -> list[bytes]:
        if self.path is None:
            return self._memory
        try:
            with open(self.path, "rb") as f:
                return f.read().splitlines()
        except FileNotFoundError:
            return []


def _packed(problem: Problem) -> dict:
    record = encode_inputs(problem, {})
    return {"header": record.header.decode(), "data": base64.b64encode(record.data.tobytes()).decode()}


def _unpacked(inputs: dict) -> Problem:
    data = np.frombuffer(base64.b64decode(inputs["data"]), "<f8")
    header = inputs["header"].encode()
    return decode_problem(Record(json.loads(header)["id"], header, data))


def _parsed(line: bytes) -> dict | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) else None


def _column(values: list) -> np.ndarray:
    present = [v for v in values if v is not None]
    if present and all(isinstance(v, bool) for v in values):
        return np.array(values, dtype=bool)
    if all(isinstance(v, (int, float)) for v in present):
        return np.array([np.nan if v is None else v for v in values], dtype=float)
    if all(isinstance(v, str) for v in present):
        return np.array(["" if v is None else v for v in values], dtype=str)
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out
