# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""`mlsolver compact`."""

from __future__ import annotations

from pathlib import Path

import click

from ._shared import opened


@click.command()
@click.argument("database", type=click.Path(path_type=Path))
def command(database: Path) -> None:
    """Fold the journal of DATABASE into its snapshot; others may read and add meanwhile.

    Example: mlsolver compact bethe.h5
    """
    db = opened(database)
    files = len(db.journal.names())
    db.compact()
    click.echo(f"{database}: {len(db)} points, {files - len(db.journal.names())} files of the journal folded in")
