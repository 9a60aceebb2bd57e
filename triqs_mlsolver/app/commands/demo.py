# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""`mlsolver demo`."""

from __future__ import annotations

import math
import os
from pathlib import Path

import click


def _only_starter(_, __, name: str | None) -> str | None:
    if name not in (None, "starter"):
        raise click.BadParameter(
            f'{name!r} cannot be begun with: give "starter", or leave the option out; the demo keeps a database of its '
            "own in the directory --output"
        )
    return name


@click.command()
@click.option("--beta", default=20.0, show_default=True, help="Inverse temperature in units of 1/D.")
@click.option("--points", default=31, show_default=True, help="Values of U/D from 0.5 to 3.5, each way.")
@click.option("--tolerance", default=0.002, show_default=True, help="Largest accepted error bound on G(tau).")
@click.option(
    "--exact", default="auto", show_default=True, type=click.Choice(["auto", "segment", "ed"]), help="Exact solver."
)
@click.option(
    "--output",
    default="mlsolver-demo",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Directory to write to.",
)
@click.option(
    "--database",
    metavar="starter",
    callback=_only_starter,
    help="Begin with the database that comes with the package, which is never written to, instead of an empty one.",
)
def command(beta: float, points: int, tolerance: float, exact: str, output: Path, database: str | None) -> None:
    """The Mott transition on the Bethe lattice, by DMFT from an empty database.

    Started again, it begins with the database of the first run and makes almost no exact calls.

    Example: mlsolver demo --database starter
    """
    from ..demo import Demo

    if not (math.isfinite(beta) and beta > 0):
        raise click.BadParameter(
            f"{beta} is not an inverse temperature: give a finite number above 0", param_hint="--beta"
        )
    if points < 2:
        raise click.BadParameter(f"{points} values make no scan: give at least 2", param_hint="--points")
    if not (math.isfinite(tolerance) and tolerance >= 0):
        raise click.BadParameter(
            f"{tolerance} is not a tolerance: give a finite number of at least 0, where 0 means always exact",
            param_hint="--tolerance",
        )
    _make_writable(output)
    starter = database == "starter"
    Demo(beta=beta, points=points, tolerance=tolerance, exact=exact, output=output, starter=starter).run()


def _make_writable(directory: Path) -> None:
    """Create the directory; BadParameter where nothing can be written to it."""
    advice = "give a directory that exists or can be created, and that you may write to"
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = "it is a file" if directory.is_file() else error.strerror
        raise click.BadParameter(f"cannot create {directory} ({reason}): {advice}", param_hint="--output") from None
    if not os.access(directory, os.W_OK | os.X_OK):
        raise click.BadParameter(f"cannot write to {directory} (permission denied): {advice}", param_hint="--output")
