# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""`mlsolver compact`."""

from __future__ import annotations

import click

from ._databases import NAME, opened_to_change


@click.command()
@click.argument("database", type=NAME)
def command(database: str) -> None:
    """Fold the journal of DATABASE into its snapshot; others may read and add meanwhile.

    Example: mlsolver compact bethe.h5
    """
    db = opened_to_change(database)
    files = len(db.journal.names())
    db.compact()
    click.echo(f"{database}: {len(db)} points, {files - len(db.journal.names())} files of the journal folded in")
