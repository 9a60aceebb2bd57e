# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Three numbers by which processes see at once whether they hold the same problem."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

import numpy as np

from .problem import Problem


def fingerprint(problem: Problem) -> tuple[float, float, float]:
    """That of a problem; see `of_arrays`."""
    coefficients = [value for value, _ in problem.terms]
    return of_arrays(
        repr((problem.gf_struct, [indices for _, indices in problem.terms])),
        [problem.beta, *problem.h_loc0, problem.U, coefficients, *problem.Delta_l],
    )


def of_arrays(structure: str, arrays: Iterable) -> tuple[float, float, float]:
    """A checksum of `structure`, a projection of all numbers of the `arrays`, and their size; see `tools.meeting`.

    Unlike `Problem.id` the projection changes little where the numbers do: roundings differ between machines.
    """
    parts = [np.ravel(a).astype(complex).view(float) for a in arrays]
    # each array has weights of its own: a hybridisation with one more coefficient shifts nothing behind it
    weighted = sum(float(np.cos(k + np.arange(len(part))) @ part) for k, part in enumerate(parts))
    return float(zlib.crc32(structure.encode())), weighted, sum(float(np.sum(np.abs(part))) for part in parts)
