# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""The options of a solver beside those of cthyb, checked where they are given."""

from __future__ import annotations

import inspect

from ..decision.learned_solver import LearnedSolver
from ..exact import registry
from ..tools import validation
from . import ctseg


def check_options(options: dict) -> None:
    """Refuse options that `LearnedSolver` would refuse: it is only built by the first solve.

    Raises
    ------
    TypeError, ValueError
    """
    for name in options:
        if hint := ctseg.advice(name, ctseg.OPTIONS):
            raise TypeError(f"Solver() has no option {name!r}{hint}")
    allowed = [p for p in inspect.signature(LearnedSolver.__init__).parameters if p != "self"]
    validation.check_keywords("Solver()", options, allowed)
    registry.check(options["exact"])
    finite = "a finite number of at least 0, where 0 means to solve every problem exactly"
    validation.check_number("tolerance", options["tolerance"], f"{finite} (default 0.002)")
    if options["sigma_tolerance"] is not None:
        validation.check_number(
            "sigma_tolerance", options["sigma_tolerance"], f"{finite}, or None for ten times tolerance"
        )
    validation.check_number(
        "audit_rate", options["audit_rate"], "a share between 0 (never) and 1 (audit every accepted answer)", 1
    )
    for name in ("density_tolerance", "docc_tolerance"):
        if options.get(name) is not None:
            validation.check_number(name, options[name], f"{finite}, or None for any")
    for name in ("learn", "allow_uncertified"):
        if name in options:
            validation.check_flag(name, options[name])
    for name, least in (("random_seed", 0), ("n_threads", 1)):
        if name in options:
            validation.check_whole(name, options[name], least)
