# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Three numbers by which processes see at once whether they hold the same problem."""

from __future__ import annotations

import zlib

import numpy as np

from ..tools import meeting
from ..tools.mpi import Comm
from .problem import Problem


def meet_over(comm: Comm, what: str, problem: Problem) -> None:
    """Wait until all ranks come to the call `what` with this problem; see `tools.meeting.meet` for what it raises."""
    if comm.size > 1:
        meeting.meet(comm, what, fingerprint(problem))


def fingerprint(problem: Problem) -> tuple[float, float, float]:
    """A checksum of the structure, a projection of all numbers, and their size; see `tools.meeting`.

    Unlike `Problem.id` the projection changes little where the numbers do: roundings differ between machines.
    """
    structure = repr((problem.gf_struct, [indices for _, indices in problem.terms]))
    arrays = [problem.beta, *problem.h_loc0, problem.U, [value for value, _ in problem.terms], *problem.Delta_l]
    parts = [np.ravel(a).astype(complex).view(float) for a in arrays]
    # each array has weights of its own: a hybridisation with one more coefficient shifts nothing behind it
    weighted = sum(float(np.cos(k + np.arange(len(part))) @ part) for k, part in enumerate(parts))
    return float(zlib.crc32(structure.encode())), weighted, sum(float(np.sum(np.abs(part))) for part in parts)
