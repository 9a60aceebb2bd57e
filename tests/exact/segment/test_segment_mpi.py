# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""The segment solver under a real mpiexec."""

from __future__ import annotations

import pytest
from mpi_scripts.launcher import mpiexec


def sampled(n: int) -> list[list[str]]:
    """What each rank got, by `mpi_scripts/sampling.py` on n ranks."""
    run = mpiexec(n, "sampling.py", timeout=120)
    assert run.returncode == 0, run.stderr
    return [line.split() for line in run.stdout.splitlines()]


@pytest.fixture(scope="module")
def on_two():
    return sampled(2)


def test_all_ranks_get_the_pooled_answer(on_two):
    assert len(on_two) == 2 and on_two[0] == on_two[1]
    ranks, n_bins, *_ = on_two[0]
    assert (ranks, n_bins) == ("2", "128")


def test_same_seed_and_ranks_same_numbers(on_two):
    assert sampled(2) == on_two


def test_error_bars_fall_with_the_root_of_the_ranks(on_two):
    one = sampled(1)
    assert one[0][2] != on_two[0][2]
    ratio = float(one[0][3]) / float(on_two[0][3])
    assert 1.15 < ratio < 1.75  # 1.41; error bars of 64 bins scatter by a tenth
