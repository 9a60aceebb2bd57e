# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""`mlsolver validate`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ._databases import NAME, opened
from ._files import PICTURE, require_matplotlib, writable
from ._progress import Progress


def _grid(_, __, options: tuple[str, ...]) -> dict:
    """`name=value,value` as lists. Values are JSON where they can be, else names; "+" joins several, "none" is none."""
    grid = {}
    for option in options:
        name, equals, values = option.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{option!r}: write name=value,value")
        grid[name] = [_value(value) for value in values.split(",")]
    return grid


def _value(text: str):
    if "+" in text:
        return text.split("+")
    try:
        return json.loads(text)
    except ValueError:
        return {"default": None, "none": []}.get(text, text)


@click.command()
@click.argument("database", type=NAME)
@click.option(
    "--try",
    "grid",
    multiple=True,
    callback=_grid,
    metavar="NAME=VALUE,VALUE",
    help="Settings of the model, such as regressor, approximations (joined by +), representation, transform, nu, pca.",
)
@click.option(
    "--scheme",
    type=click.Choice(["kfold", "scan"]),
    default="kfold",
    show_default=True,
    help="What is left out together.",
)
@click.option(
    "--folds", type=click.IntRange(min=2), default=5, show_default=True, help="Parts that are left out in turn."
)
@click.option("--points", type=click.IntRange(min=5), help="Use so many points only, the first ones.")
@click.option("--kind", help='Only problems of this kind, such as "1+1 density-density" (see mlsolver info).')
@click.option("--store", is_flag=True, help="Keep the winner with the database: solvers use it from then on.")
@click.option("-o", "--output", type=PICTURE, help="Picture of the errors.")
def command(database, grid, scheme, folds, points, kind, store, output) -> None:
    """Cross-validate the model on a DATABASE, for every combination of the settings to try.

    Each kind of problem has a model of its own: of several, one is to be named by --kind.

    `scan` leaves out whole values of (beta, U) at a time, as a scan that reaches new ones does. The table gives the
    mean and the 95 % quantile of max |dG(tau)|, the median relative error of Sigma(iw0), how many bounds held, and the
    time.

    Example: mlsolver validate bethe.h5 --try nu=1.5,2.5 --try approximations=ipt,ipt+hubbard_i+ed1 --store
    """
    from ...database.model_settings import load_settings, save_settings
    from ...decision.models import stored_predictor

    if output:
        require_matplotlib()
    db = opened(database)
    if store:
        writable(Path(f"{db.path}.model"))
    kind = _chosen(kind, db.kinds)
    stored, predictor = db.select(kind=kind)[:points], stored_predictor(db.path, kind)
    with Progress("fits") as progress:
        try:
            result = predictor.search(stored, grid, scheme=scheme, n_folds=folds, progress=progress)
        except (ValueError, TypeError) as error:
            raise click.ClickException(str(error)) from error
    click.echo(f"{len(stored)} points, {folds} folds, scheme {scheme}")
    click.echo(str(result))
    if output:
        from ...plots import plot_validation, save

        save(plot_validation(result), output)
        click.echo(f"picture: {output}")
    if store:
        best = {**load_settings(db.path, kind), **result.best_settings}
        click.echo(f"stored: {save_settings(db.path, best, kind)}")


def _chosen(kind: str | None, kinds: dict[str, int]) -> str:
    """The kind of problem to look at."""
    if kind in kinds:
        return kind
    known = ", ".join(f'"{name}" ({n} points)' for name, n in kinds.items())
    if kind is not None:
        raise click.BadParameter(f"{kind!r} is not there: the database holds {known}", param_hint="--kind")
    if len(kinds) > 1:
        raise click.UsageError(f"the database holds several kinds of problem: name one by --kind, {known}")
    return next(iter(kinds), "")
