# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""`mlsolver generate`."""

from __future__ import annotations

import click

from ._databases import NAME, file_of
from ._progress import Progress, quiet_solvers

_SAMPLINGS = ("lecture", "uniform", "sobol", "furthest", "walk", "dmft")
_SOLVERS = ("auto", "ed", "segment", "matrix", "cthyb", "hubbard_i", "ipt", "ed1", "ed2", "ed3")
_RANGES = {
    "beta": "Inverse temperature; lecture: one of 1, 2, 5, 10, 20, 50.",
    "U": "Interaction.",
    "level": "Impurity level, from half filling.",
    "bandwidth": "W = 2 D.",
    "eps": "Bath levels, in units of D.",
    "V": "Couplings to each bath site; by default such that their squares add up to D**2/4.",
}


def _ranges(command):
    for name, help in reversed(_RANGES.items()):
        command = click.option(f"--{name}", name, nargs=2, type=float, metavar="LOW HIGH", help=help)(command)
    return command


@click.command()
@click.argument("database", type=NAME)
@click.option("--n", required=True, type=click.IntRange(1), help="Points of this sampling there shall be.")
@click.option("--sampling", default="lecture", show_default=True, type=click.Choice(_SAMPLINGS))
@click.option("--exact", default="auto", show_default=True, type=click.Choice(_SOLVERS), help="Who solves them.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Of sampling and Monte Carlo.")
@_ranges
@click.option("--n-bath", type=click.IntRange(1, 6), help="Bath sites per spin, of problems and of a fit.")
@click.option("--target-error", type=click.FloatRange(0, min_open=True), help="Error bar of G(tau), Monte Carlo.")
@click.option("--n-cycles", type=click.IntRange(64), help="Cycles of a Monte Carlo run.")
@click.option("--max-time", type=click.FloatRange(0, min_open=True), help="Seconds after which a run ends.")
@click.option("--fidelity", help='Store the answers under this name, such as "short"; by default as exact.')
def command(database: str, n: int, sampling: str, exact: str, seed: int, n_bath: int | None, **given) -> None:
    """Solve N problems and store them in DATABASE.

    What is there already is not computed again: a run that was killed is simply repeated. Under mpiexec the ranks share
    the work.

    \b
    Examples:
      mlsolver generate bethe.h5 --n 300 --sampling dmft --beta 10 50 --U 0 4
      mpiexec -n 8 mlsolver generate random.h5 --n 10000 --exact ed
    """
    from ...generation.generate import TooManyRefused, generate, sequence
    from ...tools import mpi

    comm = mpi.world()
    fidelity = given.pop("fidelity")
    given = {name: value for name, value in given.items() if value is not None}
    bounds = {name: given.pop(name) for name in _RANGES if name in given}
    if n_bath is not None:
        bounds["n_bath"] = given["n_bath"] = n_bath
    try:
        drawn = sequence(sampling, seed, **bounds)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    with quiet_solvers(), Progress("points", mpi.is_root(comm)) as progress:
        try:
            done = generate(
                database, n, draw=drawn, exact=exact, fidelity=fidelity, seed=seed, options=given, comm=comm,
                watch=progress,
            )  # fmt: skip
        except TooManyRefused as error:
            raise click.ClickException(str(error)) from error
    if mpi.is_root(comm):
        file = file_of(database)
        refused = f", {done.refused} runs refused (inputs in {file}.replay)" if done.refused else ""
        click.echo(f"{file}: {done.points} points of this sampling, {done.computed} of them computed now{refused}")
