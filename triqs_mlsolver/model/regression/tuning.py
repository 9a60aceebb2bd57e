# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Length scales, smoothness and ridge of the kernel, found by the leave-out error of a subset of the data.

How much cheap labels, where there are any, differ from exact ones is what makes the data most likely.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from ...tools.constants import CLOSE_LABELS, DIFFERENCES, TUNE_ALPHA_REACH, TUNE_REACH, TUNE_ROWS, TUNE_SHARE
from .kernel import KernelSettings
from .kernel_ridge import SymmetricKernelRidge
from .samples import Samples


def tune(
    start: KernelSettings,
    samples: Samples,
    *,
    labels: np.ndarray,
    error: Callable[[np.ndarray, np.ndarray], np.ndarray],
    smoothness: Sequence[float] | None = None,
    reach: float = TUNE_REACH,
    seed: int = 0,
) -> KernelSettings:
    """Better length scales, ridge and ν than those of `start`.

    Parameters
    ----------
    start : KernelSettings
        Starting point; also says how much cheap labels differ from exact ones.
    samples : Samples
    labels : (N,) array
        Samples of the same label are left out together.
    error : callable
        From residuals (n, n_outputs) and row numbers (n,) to errors (n,).
    smoothness : sequence of float, optional
        Values of ν to choose from; default: that of `start`.
    reach : float
        Largest factor by which a length scale may leave its starting value: long ones flatter extrapolation.
    seed : int
        Seed for the choice of the subset.
    """
    rows = _subset(samples.source, np.random.default_rng(seed))
    seen = samples.take(rows)
    judged = np.append(0.0, start.difference)[seen.source] < CLOSE_LABELS
    center = np.log(np.append(start.length_scale, start.alpha))
    bounds = np.append(np.full(len(center) - 1, np.log(reach)), np.log(TUNE_ALPHA_REACH))

    def variant(p: np.ndarray, nu: float) -> KernelSettings:
        return replace(start, length_scale=np.exp(p[:-1]), alpha=float(np.exp(p[-1])), nu=nu)

    def cost(p: np.ndarray, nu: float) -> float:
        residual, _ = seen.teach(SymmetricKernelRidge(variant(p, nu))).leave_out(labels[rows])
        e = np.sort(error(residual[judged], rows[judged]))
        return np.log(np.mean(e[: max(1, int(TUNE_SHARE * len(e)))]) + 1e-9)

    found = [(*_pattern_search(lambda p, nu=nu: cost(p, nu), center, bounds), nu) for nu in smoothness or (start.nu,)]
    _, p, nu = min(found, key=lambda f: f[0])
    return variant(p, nu)


def likely_difference(settings: KernelSettings, samples: Samples, *, seed: int = 0) -> tuple[float, ...]:
    """The most likely `difference` of each cheap source, given the other parameters in `settings`.

    The likelihood is that of one source and the exact labels, for the most likely size of the truth.
    """
    found = []
    for number in range(1, samples.source.max() + 1):
        source = np.select([samples.source == number, samples.source == 0], [1, 0], -1)
        rows = _subset(source, np.random.default_rng(seed))
        seen = replace(samples, source=source).take(rows)

        def surprise(value: float, seen=seen) -> float:
            kernel = seen.teach(SymmetricKernelRidge(replace(settings, difference=(value,))))
            square = max(float(np.sum(kernel.dual_coef_ * kernel.y_)), 1e-300)
            parity = samples.output_parity
            volume = sum(np.sum(parity == s) * -np.linalg.slogdet(a)[1] for s, a in kernel.inverse_.items())
            return kernel.y_.size * np.log(square) + volume

        found.append(min(DIFFERENCES, key=surprise))
    return tuple(found)


def _some(rows: np.ndarray, n: int, random: np.random.Generator) -> np.ndarray:
    return rows if len(rows) <= n else np.sort(random.choice(rows, n, replace=False))


def _subset(source: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Rows to judge parameters by: all or `TUNE_ROWS`, half of them exact where enough are cheap (source > 0)."""
    exact, cheap = np.flatnonzero(source == 0), np.flatnonzero(source > 0)
    n_exact = min(len(exact), max(TUNE_ROWS // 2, TUNE_ROWS - len(cheap)))
    return np.concatenate([_some(exact, n_exact, random), _some(cheap, TUNE_ROWS - n_exact, random)])


def _pattern_search(cost, start, bounds, *, steps=(0.7, 0.35), sweeps=3) -> tuple[float, np.ndarray]:
    """Least cost and its point, by coordinates around `start` within ±`bounds`; takes a plateau's nearest point."""
    p, best = start.copy(), cost(start)
    for step in steps:
        for _ in range(sweeps):
            improved = False
            for i in range(len(p)):
                for move in (step, -step):
                    q = p.copy()
                    q[i] += move * (4 if i == len(p) - 1 else 1)
                    if abs(q[i] - start[i]) > bounds[i] + 1e-12:
                        continue
                    value = cost(q)
                    if value < best - 1e-3:
                        p, best, improved = q, value, True
                        break
            if not improved:
                break
    return best, p
