# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""`mlsolver merge`."""

from __future__ import annotations

from pathlib import Path

import click

from ._shared import opened


@click.command()
@click.argument("database", type=click.Path(path_type=Path))
@click.argument("others", nargs=-1, required=True, type=click.Path(path_type=Path))
def command(database: Path, others: tuple[Path, ...]) -> None:
    """Add all points of OTHERS to DATABASE, which is created where it is missing.

    Points that are there already stay as they are; removals are taken over. OTHERS are only read.

    Example: mlsolver merge all.h5 monday.h5 tuesday.h5
    """
    from ...database import Database

    sources = [opened(other, read_only=True) for other in others]  # a wrong name is said before anything is changed
    db = Database(database)
    for source in sources:
        try:
            new = db.merge(source)
        except ValueError as error:
            raise click.ClickException(str(error)) from error
        click.echo(f"{source.path}: {new} of {len(source)} points were new")
    click.echo(f"{database}: {len(db)} points")
