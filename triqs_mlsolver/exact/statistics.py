# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Error bars and autocorrelation times of Monte Carlo data."""

from __future__ import annotations

import numpy as np
from scipy.special import stdtrit

from ..numerics.significance import TWO_SIDED

_FEWEST_BLOCKS = 32  # the variance of fewer block means is too noisy to be used


def leave_one_out(bins: np.ndarray) -> np.ndarray:
    """Mean over all bins, then the means that leave out one bin each: (1 + n_bins, ...) from (n_bins, ...)."""
    n = len(bins)
    if n < 2:
        raise ValueError(f"{n} bin gives no error bar: at least 2 bins are needed")
    total = bins.sum(axis=0)
    return np.concatenate([total[None] / n, (total - bins) / (n - 1)])


def few_samples(n: int) -> float:
    """Factor on a standard error from the scatter of `n` samples, with which TWO_SIDED of them hold for 95 % (Student).

    1.21 for eight samples, 1.62 for four.
    """
    return float(stdtrit(n - 1, 0.975)) / TWO_SIDED


def jackknife_error(samples: np.ndarray) -> np.ndarray:
    """One standard error from any function evaluated on the samples of `leave_one_out`; shape of one sample.

    Of few samples it is that much larger that 1.96 of it hold for 95 %.
    """
    n = len(samples) - 1
    deviation = samples[1:] - samples[1:].mean(axis=0)
    return few_samples(n) * np.sqrt((n - 1) / n * np.sum(np.abs(deviation) ** 2, axis=0))


def curved(error: np.ndarray, ratio: np.ndarray, divisor: np.ndarray, divisor_error: np.ndarray) -> np.ndarray:
    """Error bar of a `ratio` with the second order of its divisor's: real and imaginary part, as in all arguments.

    Where the divisor is no larger than its error, the first order says nothing: the ratio is then as uncertain as it is
    large.
    """
    second = np.abs(ratio) * (np.abs(divisor_error) / np.maximum(np.abs(divisor), 1e-300)) ** 2
    return np.hypot(error.real, second) + 1j * np.hypot(error.imag, second)


def largest_error(samples: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Mean square of the largest statistical error among the values `sample @ matrix`, (...).

    Every deviation of a leave-one-out sample, enlarged by sqrt(n − 1), is one draw of the statistical error of the
    mean; few of them are enlarged as in `jackknife_error`.

    Parameters
    ----------
    samples : (1 + n_bins, ..., m) array
        From `leave_one_out`, or any function of its samples.
    matrix : (m, n_values) array
    """
    n = len(samples) - 1
    drawn = few_samples(n) * np.sqrt(n - 1) * (samples[1:] - samples[1:].mean(axis=0))
    return np.mean(np.max(np.abs(drawn @ matrix), axis=-1) ** 2, axis=0)


def autocorrelation_time(blocks: np.ndarray) -> float:
    r"""Integrated autocorrelation time τ = Σ_{t≥1} ρ(t) in measurements; error bars grow by sqrt(1 + 2τ).

    From the plateau of the variance of block means (Flyvbjerg and Petersen, J. Chem. Phys. 91, 461),
    τ = (B σ²_B/σ²_1 − 1)/2 at the block length B where it is largest.

    Parameters
    ----------
    blocks : (n_levels, 3 or more) array
        For block length 2^level: number of blocks, sum of the block means, sum of their squares.
    """
    count, total, square = blocks[:, 0], blocks[:, 1], blocks[:, 2]
    usable = count >= _FEWEST_BLOCKS
    if not usable[0]:
        return float("nan")
    n = count[usable]
    variance = np.maximum(square[usable] / n - (total[usable] / n) ** 2, 0.0) * n / (n - 1)
    if variance[0] <= 1e-24 * max(square[0] / n[0], 1e-300):
        return 0.0
    return float(max(0.5 * (np.max(variance * 2.0 ** np.arange(len(n))) / variance[0] - 1), 0.0))


def merged_pairs(bins: np.ndarray) -> np.ndarray:
    """Neighbouring bins averaged two by two: half as many bins of twice the length."""
    return 0.5 * (bins[0::2] + bins[1::2])


def drift(bins: np.ndarray) -> np.ndarray:
    """First quarter of the bins against the rest, in standard errors; large where the warm-up was too short."""
    n = max(len(bins) // 4, 2)
    early, late = bins[:n], bins[n:]
    if len(late) < 2:
        return np.zeros(bins.shape[1:])
    spread = early.var(axis=0, ddof=1) / len(early) + late.var(axis=0, ddof=1) / len(late)
    return (early.mean(axis=0) - late.mean(axis=0)) / np.sqrt(np.maximum(spread, 1e-300))


def dominance(samples: np.ndarray) -> float:
    """Share of one bin in the variance of the mean, from the samples of `leave_one_out`.

    About 2 ln n / n for n bins of Gaussian noise in one number, less in many; towards one where a few rare events carry
    the result, and its error bar cannot be trusted.
    """
    deviation = samples[1:] - samples[1:].mean(axis=0)
    share = np.sum(np.abs(deviation.reshape(len(deviation), -1)) ** 2, axis=1)
    return float(np.max(share) / max(np.sum(share), 1e-300))
