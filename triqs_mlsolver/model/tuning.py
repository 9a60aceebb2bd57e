# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Length scales, smoothness and ridge of the kernel, found by the leave-out error of a subset of the data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.base import clone

from .regression import SymmetricKernelRidge

_LARGEST_SUBSET = 300


def tune(
    model: SymmetricKernelRidge,
    X,
    y,
    *,
    output_parity,
    noise,
    labels,
    error,
    smoothness: Sequence[float] | None = None,
    reach: float = 4.0,
    seed: int = 0,
) -> dict:
    """Better parameters `length_scale`, `alpha` and `nu` than those of `model`.

    Parameters
    ----------
    model : SymmetricKernelRidge
        Starting point.
    X, y, output_parity, noise, labels
        Data as for `SymmetricKernelRidge.fit` and `leave_out`.
    error : callable
        From residuals (n, n_outputs) and row numbers (n,) to errors (n,).
    smoothness : sequence of float, optional
        Values of ν to choose from; default: that of `model`.
    reach : float
        Largest factor by which a length scale may leave its starting value: long ones flatter extrapolation.
    seed : int
        Seed for the choice of the subset.
    """
    rows = np.arange(len(X))
    if len(X) > _LARGEST_SUBSET:
        rows = np.sort(np.random.default_rng(seed).choice(len(X), _LARGEST_SUBSET, replace=False))
    start = np.log(np.append(model.length_scale, model.alpha))
    bounds = np.append(np.full(len(start) - 1, np.log(reach)), np.log(1e2))

    def parameters(p, nu):
        return {"length_scale": np.exp(p[:-1]), "alpha": float(np.exp(p[-1])), "nu": nu}

    def cost(p, nu):
        kernel = clone(model).set_params(**parameters(p, nu))
        residual, _ = kernel.fit(X[rows], y[rows], output_parity=output_parity, noise=noise[rows]).leave_out(labels[rows])
        e = np.sort(error(residual, rows))
        return np.log(np.mean(e[: max(1, int(0.98 * len(e)))]) + 1e-9)

    found = [(*_pattern_search(lambda p, nu=nu: cost(p, nu), start, bounds), nu) for nu in smoothness or (model.nu,)]
    _, p, nu = min(found, key=lambda f: f[0])
    return parameters(p, nu)


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
