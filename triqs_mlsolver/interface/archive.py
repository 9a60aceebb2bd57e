# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""A solver in an HDF5 archive: parameters, options, and all results that are there."""

from __future__ import annotations

from os import PathLike

import numpy as np

from ..compat.containers import can_be_stored
from ..decision.decision import Decision
from . import parameters

#: Results that follow from the last answer, which is not in the archive: stored as they came out.
DERIVED = ("G_tau_error", "Sigma_iw_error")


def to_dict(solver) -> dict:
    """What an archive stores of a solver."""
    options = {k: str(v) if isinstance(v, PathLike) else v for k, v in solver._options.items()}
    stored = {
        "constr_parameters": {**solver.last_constr_parameters, "gf_struct": [list(pair) for pair in solver.gf_struct]},
        "options": {k: v for k, v in options.items() if isinstance(v, (str, float, int))},
    }
    if solver.degenerate:
        stored["degenerate"] = solver.degenerate
    if solver.last_solve_parameters is not None:
        stored["solve_parameters"] = solver.last_solve_parameters
        stored["solve_status"] = solver.solve_status
    if (decision := solver.last_decision) is not None:
        stored["decision"], stored["source"] = str(decision), decision.source
        stored["certified"], stored["last_decision"] = int(decision.is_certified), decision.row()
    for name in (*solver._INPUT, *solver._RESULTS, *DERIVED, "_nn"):
        value = getattr(solver, name, None)
        if value is not None and can_be_stored(value):
            stored[name] = value
    return stored


def from_dict(kind: type, stored: dict):
    """The solver of a `kind` that `to_dict` was made of."""
    constr = stored["constr_parameters"]
    gf_struct = [(bl, int(size)) for bl, size in constr.pop("gf_struct")]
    # a database that was given as an object is not in the archive: the solver read back starts without one
    options = {k: bool(v) if isinstance(v, np.bool_) else v for k, v in stored.get("options", {}).items()}
    options = {"database": None, "degenerate": stored.get("degenerate", ()), **options}
    solver = kind(gf_struct=gf_struct, **options, **constr)
    for name in (*solver._INPUT, *solver._RESULTS, "_nn"):
        if name in stored:
            setattr(solver, name, stored[name])
    if "solve_parameters" in stored:
        solver.last_solve_parameters = parameters.with_defaults(stored["solve_parameters"])
        solver.solve_status = int(stored["solve_status"])
    solver._stored = {name: stored[name] for name in DERIVED if name in stored}
    if "last_decision" in stored:
        solver._stored["last_decision"] = Decision.of_row(stored["last_decision"])
    return solver
