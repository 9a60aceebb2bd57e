# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""`mlsolver plot`."""

from __future__ import annotations

from pathlib import Path

import click

from ._databases import NAME, opened, read_log
from ._files import PICTURE, require_matplotlib

_FILE = click.argument("file", metavar="FILE", type=NAME)


def _out(default: str):
    """The option for the file to write."""
    return click.option(
        "-o", "--output", type=PICTURE, default=default, show_default=True, help="File to write: png, pdf or svg."
    )


@click.group()
def command() -> None:
    """Draw a picture of a database FILE or of its decision log.

    Example: mlsolver plot coverage bethe.h5 -o coverage.png
    """


@command.command()
@_FILE
@_out("reliability.png")
def reliability(file: str, output: Path) -> None:
    """True error against bound for every exact run that had one, and the share of bounds that held.

    Example: mlsolver plot reliability bethe.h5
    """
    require_matplotlib()
    from ...plots import plot_reliability

    _write(lambda: plot_reliability(read_log(file)), output)


@command.command()
@_FILE
@_out("coverage.png")
def coverage(file: str, output: Path) -> None:
    """Where the points of the database lie: beta D, U/D and level.

    Example: mlsolver plot coverage bethe.h5 -o coverage.pdf
    """
    require_matplotlib()
    from ...plots import plot_coverage

    _write(lambda: plot_coverage(opened(file, with_points=True)), output)


@command.command()
@_FILE
@_out("history.png")
@click.option("--last", type=click.IntRange(min=1), metavar="N", help="Only the latest N solves.")
def history(file: str, output: Path, last: int | None) -> None:
    """Bound, source and Z of every solve in the decision log.

    Example: mlsolver plot history bethe.h5 --last 200
    """
    require_matplotlib()
    from ...plots import plot_history

    _write(lambda: plot_history(read_log(file), last=last), output)


@command.command()
@_FILE
@_out("decision.png")
@click.option("--point", default=-1, show_default=True, help="Number of the point; negative ones count from the end.")
def decision(file: str, output: Path, point: int) -> None:
    """One stored problem as the model would answer it without its point: G and Sigma with bounds, and the exact ones.

    Example: mlsolver plot decision bethe.h5 --point 12
    """
    require_matplotlib()
    from ...decision.models import stored_predictor
    from ...model import predict_left_out
    from ...plots import plot_decision

    database = opened(file, with_points=True)
    if not -len(database) <= point < len(database):
        raise click.BadParameter(
            f"there is no point {point}: {file} holds points 0 to {len(database) - 1}", param_hint="--point"
        )
    asked = database[point]
    prediction = predict_left_out(database, asked, stored_predictor(database.path, asked.kind))
    _write(lambda: plot_decision(asked.problem, prediction, asked.solution), output)


def _write(draw, output: Path) -> None:
    """Draw, save and say where; a picture that cannot be drawn or saved is a user's mistake."""
    from ...plots import save

    try:
        save(draw(), output)
    except (ValueError, OSError) as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"written: {output}")
