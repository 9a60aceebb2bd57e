# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""`mlsolver export`."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import click
import numpy as np

from ._databases import NAME, opened
from ._files import OutputFile

_SERIES = ("Delta_l", "G_l", "G_l_error")


@click.command()
@click.argument("database", type=NAME)
@click.argument("output", type=OutputFile(".csv", ".npz"))
def command(database: str, output: Path) -> None:
    """Write DATABASE as plain tables to OUTPUT: .csv, one row per point, or .npz, with Delta_l and G_l.

    Numbers are dimensionless, in units of each problem's own scale D (the column `unit`).

    Example: mlsolver export bethe.h5 bethe.npz
    """
    db = opened(database)
    temporary = output.with_name(f".{output.name}.tmp{output.suffix}")
    try:
        if output.suffix == ".csv":
            _write_csv(temporary, db.table())
        else:
            np.savez_compressed(temporary, **db.table(), **db.table(_SERIES))
        os.replace(temporary, output)
    finally:
        temporary.unlink(missing_ok=True)
    click.echo(f"{output}: {len(db)} points, {output.stat().st_size / 1e6:.2f} MB")


def _write_csv(path: Path, table: dict[str, np.ndarray]) -> None:
    """One row per point; columns of vectors and matrices become `density_0`, `nn_0_1`, ..."""
    columns = {}
    for name, values in table.items():
        for index in np.ndindex(values.shape[1:]):
            columns["_".join([name, *map(str, index)])] = values[(slice(None), *index)].tolist()
    with open(path, "w", newline="", encoding="utf-8") as f:
        writer = csv.writer(f)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values()))
