# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""`mlsolver doctor`."""

from __future__ import annotations

import click


@click.command()
@click.option(
    "--database", default="mlsolver.h5", show_default=True, metavar="FILE", help="Database your runs will use."
)
@click.pass_context
def command(ctx: click.Context, database: str) -> None:
    """Look at the installation: what is there, what will be used, and what to do about each problem.

    Exit code 0 where the package works, 1 where something essential is broken. Under mpiexec it also says whether the
    ranks see each other.

    Example: mpiexec -n 2 mlsolver doctor --database bethe.h5
    """
    from .. import doctor

    found = doctor.examine(database)
    if doctor.announced_rank() == 0:
        click.echo(doctor.heading() + "\n")
        for finding in found:
            click.echo(str(finding))
        click.echo("\n" + doctor.verdict(found))
    ctx.exit(0 if doctor.healthy(found) else 1)
