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
    """Mean and 95 % quantile of the error of G(τ) per choice of settings, best on top.

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
    (ax,) = panels(axes, 1, 0.9 + 0.35 * len(scores))
    place = np.arange(len(scores))
    ax.hlines(place, [s.mean for s in scores], [s.quantile for s in scores], color=BLUE)
    ax.plot([s.mean for s in scores], place, "o", color=BLUE, label="mean")
    ax.plot([s.quantile for s in scores], place, "|", color=ORANGE, markersize=7, label="95 % quantile")
    for position, score in zip(place, scores):  # inside: names of settings are too long for labels beside half a page
        ax.annotate(
            score.name, (0, position), (3, 5), xycoords=("axes fraction", "data"), textcoords="offset points", size=6
        )
    ax.set_yticks([])
    ax.set(xlim=(0, None), ylim=(-0.4, len(scores) - 0.3), xlabel=r"error of left-out points, $\max_τ|ΔG(τ)|$")
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    return ax
