# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Where a computed answer goes that its database cannot take: to another database, to be merged later."""

from __future__ import annotations

import os
import tempfile

from ..problem import Problem, Solution
from .files import DatabaseError
from .store import Database


def rescue(database: Database, problem: Problem, solution: Solution) -> str:
    """Store a point in the first place that takes it: the working directory, or that of temporary files.

    Returns
    -------
    str
        The file, a database of its own; empty if there is no such place.
    """
    stem = os.path.splitext(os.path.basename(database.path))[0]
    for place in (os.getcwd(), tempfile.gettempdir()):
        file = os.path.join(place, f"{stem}-rescued-{os.getuid()}.h5")
        try:
            Database(file).add(problem, solution)
        except (OSError, ValueError, DatabaseError):  # full or forbidden as well, damaged, or removed there
            continue
        return file
    return ""
