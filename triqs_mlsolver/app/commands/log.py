# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""`mlsolver log`."""

from __future__ import annotations

import click

from ._databases import NAME, read_log


@click.command()
@click.argument("file", metavar="FILE", type=NAME)
@click.option("--last", default=20, show_default=True, type=click.IntRange(min=0), metavar="N", help="Rows; 0 for all.")
def command(file: str, last: int) -> None:
    """Show the decisions recorded beside a database FILE, and how often the bounds held.

    Example: mlsolver log bethe.h5 --last 50
    """
    from .. import decision_table as decisions

    log = read_log(file)
    for line in (*decisions.rows(log, last or None), "", *decisions.summary(log)):
        click.echo(line)
