# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""A problem that neither model nor database know: the solver hands out triqs_cthyb's own answer, as it is."""

from __future__ import annotations

import time
import warnings

from ..decision.decision import Decision
from ..exact.cthyb import passed_on
from ..problem.fingerprint import meet_over
from ..tools import mpi
from ..tools.messages import report
from . import parameters

_INFINITE = float("inf")
_MIXED = (
    "G has elements between blocks that gf_struct does not declare: G within each block is right, but a self-energy "
    "made of it block by block is none"
)


def solve(solver, params: dict, interaction) -> bool:
    """Have triqs_cthyb solve what it alone can pose, and fill the `solver` with its results; False for other problems.

    Parameters
    ----------
    solver : SolverCore
    params : Parameters
        Checked.
    interaction : operators.Interaction
        What `h_int` says.

    Raises
    ------
    ValueError
        If triqs_cthyb is needed and not there, or the ranks have different problems.
    """
    reason = parameters.reason_for_cthyb_alone(params, interaction)
    if not reason:
        return False
    parameters.require_cthyb(solver._options["exact"], reason)
    problem = solver._problem(params, interaction)  # without what makes it one for triqs_cthyb alone
    meet_over(solver._comm, "solve", problem)
    name = "Delta_tau" if solver.delta_interface else "G0_iw"
    start, post_processed = time.perf_counter(), solver._IS_POST_PROCESSED
    solver._native = passed_on.solve(
        solver.last_constr_parameters,
        {name: getattr(solver, name)},
        parameters.for_cthyb(params, post_processed=post_processed),
        post_processed=post_processed,
    )
    _fill(solver, params)
    if solver.delta_interface:  # there triqs_cthyb hands out none
        solver._fill_noninteracting(problem, interaction)
    alarm = _MIXED if interaction.between_blocks else ""
    decision = Decision(
        "exact", "cthyb", "asked for", reason, _INFINITE, _INFINITE, solver._options["tolerance"], _INFINITE, _INFINITE,
        time.perf_counter() - start, "", note="passed to triqs_cthyb as it is, not learned", alarm=alarm,
    )  # fmt: skip
    solver._stored = {"last_decision": decision}
    mpi.on_root(solver._comm, report, str(decision))
    if alarm:
        warnings.warn(alarm, RuntimeWarning, stacklevel=4)
    return True


def _fill(solver, params: dict) -> None:
    solver._asked = solver._answer = solver._nn = None
    solver.last_solve_parameters = parameters.with_defaults(params)
    for name, value in passed_on.results(solver._native, (*solver._RESULTS, "solve_status")).items():
        setattr(solver, name, value)
    solver.Delta_tau << solver._native.Delta_tau
