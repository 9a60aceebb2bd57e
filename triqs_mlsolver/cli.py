# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""The `mlsolver` command."""
from __future__ import annotations

from pathlib import Path

import click

from .version import version


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version, prog_name="mlsolver")
def main() -> None:
    """Impurity solver that answers from a learned database and computes what it does not know."""


@main.command()
@click.option("--beta", default=20.0, show_default=True, help="Inverse temperature in units of 1/D.")
@click.option("--points", default=31, show_default=True, help="Values of U/D from 0.5 to 3.5, each way.")
@click.option("--tolerance", default=0.002, show_default=True, help="Largest accepted error bound on G(tau).")
@click.option("--exact", default="auto", show_default=True, type=click.Choice(["auto", "segment", "ed"]), help="Exact solver.")
@click.option("--output", default="mlsolver-demo", show_default=True, type=click.Path(path_type=Path), help="Directory to write to.")
def demo(beta: float, points: int, tolerance: float, exact: str, output: Path) -> None:
    """The Mott transition on the Bethe lattice, by DMFT from an empty database.

    Started again, it begins with the database of the first run and makes almost no exact calls.

    Example: mlsolver demo --beta 100
    """
    from .demo import Demo

    if beta <= 0:
        raise click.BadParameter(f"{beta} is not an inverse temperature: give a number above 0", param_hint="--beta")
    if points < 2:
        raise click.BadParameter(f"{points} values make no scan: give at least 2", param_hint="--points")
    if tolerance < 0:
        raise click.BadParameter(f"{tolerance} is negative; 0 means always exact", param_hint="--tolerance")
    Demo(beta=beta, points=points, tolerance=tolerance, exact=exact, output=output).run()
