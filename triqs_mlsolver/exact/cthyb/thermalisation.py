# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Whether runs of triqs_cthyb have forgotten the empty configuration they start from."""

from __future__ import annotations

import numpy as np

_FEWEST = 20  # independent samples of a run from which its autocorrelation time means something
_BLOCKS = 3.0  # of triqs_cthyb's longest blocks that the time must fit into: its estimate saturates at their length
_LARGEST_BIAS = 0.3  # in standard errors


def objection(order: float, auto_corr_time: float, n_cycles: int, n_warmup: int, n_chains: int) -> str:
    r"""What is wrong with the warm-up of runs that are averaged; empty if nothing is.

    triqs_cthyb takes the autocorrelation time τ from blocks of n^{0.7} of the n cycles of a run. Where these are not
    long against τ, τ may be far longer, and nothing is known of the warm-up. Else n_w cycles of warm-up have brought
    the order to within a share exp(−n_w/τ) of its average ⟨k⟩, of spread √⟨k⟩, which moves the mean over M runs by

    .. math::  \sqrt{\langle k \rangle}\; e^{-n_w/\tau} \sqrt{\frac{M \tau}{2 n}}

    of its own standard errors.

    Parameters
    ----------
    order : float
        Average expansion order ⟨k⟩.
    auto_corr_time : float
        τ in cycles.
    n_cycles, n_warmup : int
        Cycles of each run.
    n_chains : int
        Runs, times ranks.
    """
    independent = n_cycles / (1 + 2 * auto_corr_time)
    if not independent >= max(_FEWEST, _BLOCKS * n_cycles**0.3):
        return (
            f"runs of {n_cycles} cycles hold {independent:.0f} independent samples each, too few to tell whether "
            f"{n_warmup} warm-up cycles are enough: raise n_cycles or length_cycle"
        )
    tau = auto_corr_time + 0.5
    bias = np.sqrt(max(order, 1.0) * n_chains * tau / (2 * n_cycles)) * np.exp(-n_warmup / tau)
    if bias > _LARGEST_BIAS:
        return (
            f"{n_warmup} warm-up cycles are too few for an autocorrelation time of {auto_corr_time:.0f} cycles: raise "
            "n_warmup_cycles"
        )
    return ""
