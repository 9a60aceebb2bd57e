# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""`mlsolver report`."""

from __future__ import annotations

from pathlib import Path

import click

from ._databases import NAME, opened, read_log
from ._files import OutputFile, require_matplotlib, writable


@click.command()
@click.argument("file", metavar="FILE", type=NAME)
@click.option("-o", "--output", type=OutputFile(), help="Page to write.  [default: FILE.html]")
def command(file: str, output: Path | None) -> None:
    """Write one self-contained HTML page about a database: its points, its calibration, its last runs.

    Example: mlsolver report bethe.h5 -o report.html
    """
    require_matplotlib()
    from ..report import page

    database = opened(file, with_points=True)
    log = read_log(file, required=False)
    output = writable(output or Path(file).with_suffix(".html"))
    try:
        output.write_text(page(database, log), encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{output} cannot be written: {error.strerror}") from None
    click.echo(f"written: {output}")
