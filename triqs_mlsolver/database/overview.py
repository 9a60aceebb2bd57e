# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""What a database holds, in a few numbers."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from .store import Database


def summary(database: Database) -> dict:
    """See `Database.info`."""
    t = database.table(("solver", "fidelity", "beta", "U", "x", "density", "error_bar", "seconds", "date", "version"))
    count = lambda column: {str(k): int(n) for k, n in zip(*np.unique(column, return_counts=True))}
    ranges = {k: (float(t[k].min()), float(t[k].max())) for k in ("beta", "U", "x", "density") if len(database)}
    quantiles = np.quantile(t["error_bar"], [0.05, 0.5, 0.95]).tolist() if len(database) else []
    names = database.journal.names() if database.journal else []
    return {
        "path": database.path,
        "base": database.base,
        "points_of_base": database.n_of_base,
        "points": len(database),
        "removed": len(database.removed),
        "specification": database.specification,
        "solvers": count(np.char.add(np.char.add(t["solver"], " "), t["version"])) if len(database) else {},
        "fidelities": count(t["fidelity"]),
        "ranges": ranges,
        "error_bar_quantiles": dict(zip(("5%", "50%", "95%"), quantiles)),
        "seconds": float(np.nansum(t["seconds"])),
        "dates": (str(min(t["date"])), str(max(t["date"]))) if len(database) else None,
        "snapshot_bytes": os.path.getsize(database.path) if database.path and os.path.exists(database.path) else 0,
        "journal_files": len(names),
        "journal_bytes": database.journal.size() if database.journal else 0,
        "digest": database.digest,
        "settings": dict(database.settings),
    }
