# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""`mlsolver refresh`."""

from __future__ import annotations

import click

from ._databases import NAME, file_of, require
from ._progress import Progress, quiet_solvers


@click.command()
@click.argument("database", type=NAME)
@click.option("--budget", type=click.IntRange(1), help="Exact runs to spend.")
@click.option("--minutes", type=click.FloatRange(0, min_open=True), help="Start no run after this time.")
@click.option(
    "--exact",
    default="auto",
    show_default=True,
    type=click.Choice(["auto", "ed", "segment", "matrix", "cthyb"]),
    help="The exact solver.",
)
@click.option("--tolerance", default=0.002, show_default=True, help="Error bound on G(tau) the model is to reach.")
@click.option("--share", is_flag=True, help="MPI: all ranks share each run. By default each takes runs of its own.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Of candidates and Monte Carlo.")
@click.option("--target-error", type=click.FloatRange(0, min_open=True), help="Error bar of G(tau), Monte Carlo.")
@click.option("--n-cycles", type=click.IntRange(64), help="Cycles of a Monte Carlo run.")
@click.option("--max-time", type=click.FloatRange(0, min_open=True), help="Seconds after which a run ends.")
def command(
    database: str, budget: int | None, minutes: float | None, exact: str, tolerance: float, share: bool, seed: int,
    **options,
) -> None:  # fmt: skip
    """Spend exact runs where DATABASE needs them most.

    Computed are problems whose bound failed in an audit, labels whose error bars limit the model, problems that earlier
    runs found most uncertain, and the most informative ones among recombinations of what is stored.

    \b
    Examples:
      mlsolver refresh bethe.h5 --budget 50
      mpiexec -n 8 mlsolver refresh bethe.h5 --minutes 30 --exact cthyb --share
    """
    if budget is None and minutes is None:
        raise click.UsageError("nothing to spend: give --budget, --minutes, or both")
    if not tolerance > 0:
        raise click.BadParameter(f"{tolerance} is no error bound: give a positive number", param_hint="--tolerance")
    require(database)
    from ...generation.refresh import refresh
    from ...tools import mpi

    comm = mpi.world()
    given = {name: value for name, value in options.items() if value is not None}
    with quiet_solvers(), Progress("runs", mpi.is_root(comm) and budget is not None) as progress:
        done = refresh(
            database, budget=budget, minutes=minutes, exact=exact, tolerance=tolerance, share=share, seed=seed,
            options=given, comm=comm, watch=progress,
        )  # fmt: skip
    if mpi.is_root(comm):
        click.echo(_report(file_of(database), done))


def _report(file: str, done) -> str:
    lines = [f"{file}: {sum(done.runs.values())} exact runs in {done.seconds:.0f} s, {done.refused} refused"]
    lines += [f"  {number:5d}  {reason}" for reason, number in done.runs.items()]
    lines.append(f"{'':30s}{'points':>8s}{'error 50 %':>12s}{'95 %':>10s}{'bound 50 %':>12s}{'95 %':>10s}")
    for name, s in (("before", done.before), ("after", done.after)):
        numbers = f"{s.error[0]:12.2g}{s.error[1]:10.2g}{s.bound[0]:12.2g}{s.bound[1]:10.2g}"
        lines.append(f"{name:30s}{s.points:8d}{numbers}")
    note = "error: of G(tau), each point predicted without its group; bound: on problems like the stored ones"
    return "\n".join([*lines, note])
