# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""`mlsolver plot`."""

from __future__ import annotations

from pathlib import Path

import click

from ._files import PICTURE, open_database, read_log, require_matplotlib

_FILE = click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
_OUT = click.option("-o", "--output", type=PICTURE, help="File to write: png, pdf or svg.")


@click.group()
def command() -> None:
    """Draw a picture of a database FILE or of its decision log.

    Example: mlsolver plot coverage bethe.h5 -o coverage.png
    """


@command.command()
@_FILE
@_OUT
def reliability(file: Path, output: Path | None) -> None:
    """True error against bound for every exact run that had one, and the share of bounds that held.

    Example: mlsolver plot reliability bethe.h5
    """
    require_matplotlib()
    from ..plots import plot_reliability

    _write(lambda: plot_reliability(read_log(file)), output or Path("reliability.png"))


@command.command()
@_FILE
@_OUT
def coverage(file: Path, output: Path | None) -> None:
    """Where the points of the database lie: beta D, U/D and level.

    Example: mlsolver plot coverage bethe.h5 -o coverage.pdf
    """
    require_matplotlib()
    from ..plots import plot_coverage

    _write(lambda: plot_coverage(open_database(file)), output or Path("coverage.png"))


@command.command()
@_FILE
@_OUT
@click.option("--last", type=click.IntRange(min=1), metavar="N", help="Only the latest N solves.")
def history(file: Path, output: Path | None, last: int | None) -> None:
    """Bound, source and Z of every solve in the decision log.

    Example: mlsolver plot history bethe.h5 --last 200
    """
    require_matplotlib()
    from ..plots import plot_history

    _write(lambda: plot_history(read_log(file), last=last), output or Path("history.png"))


@command.command()
@_FILE
@_OUT
@click.option("--point", default=-1, show_default=True, help="Number of the point; negative ones count from the end.")
def decision(file: Path, output: Path | None, point: int) -> None:
    """One stored problem as the model would answer it without its point: G and Sigma with bounds, and the exact ones.

    Example: mlsolver plot decision bethe.h5 --point 12
    """
    require_matplotlib()
    from ..database.settings import stored_predictor
    from ..model import predict_left_out
    from ..plots import plot_decision

    database = open_database(file)
    if not -len(database) <= point < len(database):
        raise click.BadParameter(
            f"there is no point {point}: {file} holds points 0 to {len(database) - 1}", param_hint="--point"
        )
    asked = database[point]
    prediction = predict_left_out(database, asked, stored_predictor(file))
    _write(lambda: plot_decision(asked.problem, prediction, asked.solution), output or Path("decision.png"))


def _write(draw, output: Path) -> None:
    """Draw, save and say where; a picture that cannot be drawn or saved is a user's mistake."""
    from ..plots import save

    try:
        save(draw(), output)
    except (ValueError, OSError) as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"written: {output}")
