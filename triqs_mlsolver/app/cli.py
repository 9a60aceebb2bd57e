# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""The `mlsolver` command: every module of `commands` is a sub-command of its name, imported when it is asked for."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

import click

from ..version import version
from . import commands


class _Commands(click.Group):
    """Finds the sub-commands, and turns a user's mistake into a message and an exit code, said by one rank only."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(module.name for module in iter_modules(commands.__path__) if not module.name.startswith("_"))

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in self.list_commands(ctx):
            return None
        return import_module(f".{name}", commands.__name__).command

    def invoke(self, ctx: click.Context):
        try:
            return super().invoke(ctx)
        except click.ClickException as error:
            mistake, speaker = error, 0
        except Exception as error:
            mistake, speaker = _mistake(error), getattr(error, "reported_by_rank", 0)
            if mistake is None:
                raise
        from ..tools import mpi

        if mpi.world().rank != speaker:
            ctx.exit(mistake.exit_code)
        raise mistake


def _mistake(error: Exception) -> click.ClickException | None:
    """The message for an error that a user can cause and repair; None for what is a fault of ours."""
    from ..database import DatabaseError
    from ..database.lock import Locked
    from ..exact.registry import NoExactSolver
    from ..tools.mpi import PeerError

    repairable = (OSError, DatabaseError, Locked, NoExactSolver, PeerError)
    return click.ClickException(str(error)) if isinstance(error, repairable) else None


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version, prog_name="mlsolver")
def main() -> None:
    """Impurity solver that answers from a learned database and computes what it does not know.

    A database is named by its file, or "starter": the one that comes with the package, with what was added to it in
    mlsolver.h5 in the working directory.
    """
