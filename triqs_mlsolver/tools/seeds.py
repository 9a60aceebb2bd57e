# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Seeds: from the one number a user gives, one for every run, part of a run and rank.

========================  =====================================================================================
`of_run(seed, k)`         run k of many that share a seed: solves of a loop, their second runs, problems of a sampling
`of_part(seed, k)`        part k of one run: the mean of the parts is the answer
`of_rank(seed, rank)`     a rank that shares a run with others
`mixed(*numbers)`         where no single number counts the runs
========================  =====================================================================================

They are whole numbers, as triqs_cthyb takes them, and apply one after the other: `of_part(of_rank(of_run(s, k), r),
p)`. No two are equal for up to 2000 runs on 1000 ranks in 128 parts. The embedded solver passes its seed through
`numpy.random.SeedSequence`, so that different seeds, however near, give independent streams.
"""

from __future__ import annotations

import numpy as np

DEFAULT = 34788  #: triqs_cthyb's own
_RANK_STRIDE = 928374  # triqs_cthyb's own, as in 34788 + 928374 * rank
_RUN_STRIDE, _PART_STRIDE = 7919, 104729  # primes


def of_run(seed: int, number: int) -> int:
    """Seed of run `number` ≥ 0 of many that share `seed`; the first one has `seed` itself."""
    return seed + _RUN_STRIDE * number


def of_part(seed: int, number: int) -> int:
    """Seed of part `number` ≥ 0 of the run with `seed`; the first one has `seed` itself."""
    return seed + _PART_STRIDE * number


def of_rank(seed: int, rank: int) -> int:
    """Seed on a rank of those that share the run with `seed`: as in triqs_cthyb, `seed` + 928374 `rank`."""
    return seed + _RANK_STRIDE * rank


def mixed(*numbers: int) -> int:
    """A seed below 2³¹ from non-negative numbers; all of them matter.

    Examples
    --------
    >>> mixed(0, 100, 3) == mixed(0, 100, 3) != mixed(0, 100, 4)
    True
    """
    return int(np.random.SeedSequence(numbers).generate_state(1)[0] % 2**31)
