# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
import numpy as np
import pytest

from triqs_mlsolver.exact.segment import SegmentSolver
from triqs_mlsolver.tools import seeds


def test_the_first_of_each_kind_has_the_users_seed():
    assert seeds.of_run(5, 0) == seeds.of_part(5, 0) == seeds.of_rank(5, 0) == 5


@pytest.mark.parametrize("rank", [0, 1, 7])
def test_ranks_are_seeded_as_in_triqs_cthyb(rank):
    assert seeds.of_rank(seeds.DEFAULT, rank) == 34788 + 928374 * rank


def test_numbers_of_earlier_versions_are_repeated():
    assert (seeds.of_run(34788, 3), seeds.of_part(34788, 3)) == (34788 + 3 * 7919, 34788 + 3 * 104729)
    assert seeds.mixed(0, 12, 1) == int(np.random.SeedSequence([0, 12, 1]).generate_state(1)[0] % 2**31)
    assert SegmentSolver().random_seed == 34788


def test_runs_parts_and_ranks_have_seeds_of_their_own():
    run, rank, part = np.ogrid[:2000, :32, :32]
    every = seeds.of_part(seeds.of_rank(seeds.of_run(seeds.DEFAULT, run), rank), part)
    assert len(np.unique(every)) == every.size
    # two seeds are equal where their parts and ranks differ by what a number of runs makes up for
    rank, part = np.ogrid[-999:1000, -127:128]
    apart = seeds.of_part(seeds.of_rank(0, rank), part)
    made_up = (apart % seeds.of_run(0, 1) == 0) & (apart != 0)
    assert np.abs(apart[made_up]).min() > seeds.of_run(0, 2000)


@pytest.mark.parametrize("others", [(1, 100, 3), (0, 101, 3), (0, 100, 4), (100, 0, 3)])
def test_every_number_matters_for_a_mixed_seed(others):
    assert seeds.mixed(*others) != seeds.mixed(0, 100, 3) and 0 <= seeds.mixed(*others) < 2**31
