# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Cross-validated errors of several settings side by side."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from ..model.selection import SearchResult
from .style import BLUE, ORANGE, panels, styled


@styled
def plot_validation(result: SearchResult, axes: Axes | None = None) -> Axes:
    """Mean and 95 % quantile of max |ΔG(τ)| per choice of settings, best on top.

    Parameters
    ----------
    result : SearchResult
        Of `Predictor.search`.
    axes : Axes, optional

    Returns
    -------
    Axes
    """
    scores = result.scores[::-1]
    (ax,) = panels(axes, 1, 0.8 + 0.35 * len(scores))
    place = np.arange(len(scores))
    ax.hlines(place, [s.mean for s in scores], [s.quantile for s in scores], color=BLUE)
    ax.plot([s.mean for s in scores], place, "o", color=BLUE, label="mean")
    ax.plot([s.quantile for s in scores], place, "|", color=ORANGE, markersize=9, label="95 % quantile")
    ax.set_yticks(place, [", ".join(f"{k}={v}" for k, v in s.settings.items()) or "defaults" for s in scores])
    ax.set(xscale="log", xlabel=r"error $\max_τ|ΔG(τ)|$ of left-out points", ylim=(-0.5, len(scores) - 0.5))
    ax.legend(loc="lower right")
    return ax
