# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""`mlsolver merge`."""

from __future__ import annotations

import click

from ._databases import NAME, opened, opened_to_change


@click.command()
@click.argument("database", type=NAME)
@click.argument("others", nargs=-1, required=True, type=NAME)
def command(database: str, others: tuple[str, ...]) -> None:
    """Add all points of OTHERS to DATABASE, which is created where it is missing.

    Points that are there already stay as they are; removals are taken over. OTHERS are only read.

    Example: mlsolver merge all.h5 monday.h5 tuesday.h5
    """
    sources = [opened(other) for other in others]  # a wrong name is said before anything is changed
    db = opened_to_change(database, create=True)
    for name, source in zip(others, sources):
        try:
            new = db.merge(source)
        except ValueError as error:
            raise click.ClickException(str(error)) from error
        click.echo(f"{name}: {new} of {len(source)} points were new")
    click.echo(f"{database}: {len(db)} points")
