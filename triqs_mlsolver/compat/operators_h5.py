# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""HDF5 layout of many-body operators, that of TRIQS: a record per monomial, and the table of indices as attribute."""

from __future__ import annotations

import h5py
import numpy as np

_MAX_FACTORS = 4  # a record has room for four operators
_RECORD = np.dtype(
    [("is_real", "<i4"), ("re", "<f8"), ("im", "<f8"), ("op_indices", "<i8", (_MAX_FACTORS,))], align=True
)


def write_operator(op, group: h5py.Group, key: str) -> None:
    """Store `op` under `key`; factors are numbered from 1, positive for creation and negative for annihilation."""
    numbers: dict[tuple, int] = {}
    records = np.zeros(sum(1 for _ in op), _RECORD)
    for record, (monomial, value) in zip(records, op):
        if len(monomial) > _MAX_FACTORS:
            raise ValueError(f"operators of more than {_MAX_FACTORS} factors cannot be stored: {len(monomial)} given")
        record["is_real"], record["re"], record["im"] = not isinstance(value, complex), value.real, value.imag
        for k, (dag, indices) in enumerate(monomial):
            number = numbers.setdefault(tuple(indices), len(numbers) + 1)
            record["op_indices"][k] = number if dag else -number
    dataset = group.create_dataset(key, data=records)
    dataset.attrs["Format"] = "Operator"
    dataset.attrs["fundamental_operator_set"] = _table(list(numbers))


def read_terms(group: h5py.Group, key: str) -> list[tuple[list[tuple[bool, tuple]], complex]]:
    """The operator stored under `key`, as pairs ``([(dagger, indices), ...], coefficient)``."""
    dataset = group[key]
    labels = read_labels(dataset.attrs["fundamental_operator_set"])
    terms = []
    for record in dataset[()]:
        used = [number for number in record["op_indices"].tolist() if number]
        value = float(record["re"]) if record["is_real"] else complex(record["re"], record["im"])
        terms.append(([(number > 0, labels[abs(number) - 1]) for number in used], value))
    return terms


def read_labels(table) -> list[tuple]:
    """Index lists out of the attribute that holds them."""
    return [tuple(_index(x) for x in row if x) for row in table]


def _table(labels: list[tuple]) -> np.ndarray:
    """Index lists as rows of strings, 's' before names and 'i' before integers."""
    if not labels:
        return np.zeros((0, 0), "S1")
    width = max(len(row) for row in labels)
    rows = [[f"s{i}" if isinstance(i, str) else f"i{i}" for i in row] + [""] * (width - len(row)) for row in labels]
    return np.char.encode(np.array(rows), "utf-8")


def _index(x) -> str | int:
    text = x.decode("utf-8") if isinstance(x, bytes) else str(x)
    return int(text[1:]) if text[0] == "i" else text[1:]
