# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Learning curves: the error on unseen problems against the number of stored points."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

from .style import COLOURS, MARKERS, panels, styled


@styled
def plot_learning_curve(
    n_points: np.ndarray,
    errors: Mapping[str, np.ndarray],
    axes: Axes | None = None,
    *,
    ylabel: str = r"error $\max_τ|ΔG(τ)|$",
) -> Axes:
    """Mean and 95th percentile of the error over test problems, both axes logarithmic.

    Parameters
    ----------
    n_points : (n,) array
        Sizes of the training set.
    errors : mapping of name to (n, n_test) array
        Errors of every test problem, per method; NaN where a size was not tried.
    axes : Axes, optional
    ylabel : str
        What the errors are, with their unit.

    Returns
    -------
    Axes
        Lines are means, the upper ends of the bars 95th percentiles.

    Raises
    ------
    ValueError
        If an array of errors does not have one row per size.
    """
    n_points = np.asarray(n_points)
    (ax,) = panels(axes, 1, 2.5)
    for (name, values), colour, marker in zip(errors.items(), COLOURS * 3, MARKERS * 3):
        values = np.asarray(values, dtype=float)
        if values.ndim != 2 or len(values) != len(n_points):
            raise ValueError(
                f"errors[{name!r}] has shape {values.shape}: give one row per training size, ({len(n_points)}, n_test)"
            )
        mean, high = np.mean(values, axis=1), np.quantile(values, 0.95, axis=1)
        up = [np.zeros_like(mean), np.maximum(high - mean, 0.0)]
        ax.errorbar(n_points, mean, up, marker=marker, color=colour, capsize=2, label=name)
    ax.set(xscale="log", yscale="log", xlabel="stored points", ylabel=ylabel)
    ax.set_xticks(n_points, [f"{n:g}" for n in n_points])
    ax.minorticks_off()
    ax.set_title("mean, and up to the 95th percentile")
    ax.legend()
    return ax
