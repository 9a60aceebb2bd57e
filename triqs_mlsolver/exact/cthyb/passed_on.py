# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Problems that only triqs_cthyb can pose: given to it as the user gave them, its answer taken as it is."""

from __future__ import annotations

from ...compat import mpi
from ...tools import seeds


def solve(constructor: dict, inputs: dict, params: dict, *, post_processed: bool):
    """triqs_cthyb's own solver after one run. All ranks call it together.

    Parameters
    ----------
    constructor : dict
        Arguments of its constructor.
    inputs : dict
        Containers to fill, by name: `G0_iw` or `Delta_tau`.
    params : dict
        Parameters of its `solve`; a random seed that is the same on all ranks is made different.
    post_processed : bool
        Whether it is triqs_cthyb's `Solver`, with self-energy and moments, or its `SolverCore`.

    Raises
    ------
    TypeError
        If `n_cycles` is missing: without error bars nothing else says when to stop.
    """
    import triqs_cthyb

    if params.get("n_cycles") is None:
        raise TypeError("the problem is for triqs_cthyb alone, which needs n_cycles: give solve(n_cycles=...)")
    if params.get("random_seed") is not None:
        params = {**params, "random_seed": seeds.of_rank(int(params["random_seed"]), mpi.rank)}
    native = (triqs_cthyb.Solver if post_processed else triqs_cthyb.SolverCore)(**constructor)
    for name, G in inputs.items():
        getattr(native, name) << G
    native.solve(**params)
    return native


def results(native, names) -> dict:
    """What it found under these `names`; None for what this version does not have, or not in this interface."""
    # reading what the interface does not have ends the process: a C++ exception that Python never sees
    unreadable = {"Delta_infty"} if native.last_constr_parameters["delta_interface"] else set()
    return {name: None if name in unreadable else getattr(native, name, None) for name in names}
