# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""The one style of all pictures: half a page wide, readable at that size, safe for colour-blind readers."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable, Sequence
from os import PathLike

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

WIDTH = 3.5  # inches: half a page
DPI = 200

#: Okabe and Ito, in an order in which neighbours differ in brightness as well.
BLUE, ORANGE, GREEN, PURPLE, SKY, YELLOW = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00"
COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY, YELLOW)
MARKERS = ("o", "s", "^", "D", "v", "P")

STYLE = {
    "font.size": 8, "axes.labelsize": 8, "axes.titlesize": 8, "legend.fontsize": 7, "xtick.labelsize": 7,
    "ytick.labelsize": 7, "axes.grid": True, "grid.alpha": 0.25, "lines.linewidth": 1.2, "lines.markersize": 4,
    "legend.frameon": False, "axes.axisbelow": True, "savefig.dpi": DPI, "figure.constrained_layout.use": True,
}  # fmt: skip


def styled(plot: Callable) -> Callable:
    """Draw in the package's style, whatever the user's own settings are."""

    @functools.wraps(plot)
    def drawn(*args, **kwargs):
        with matplotlib.rc_context(STYLE):
            return plot(*args, **kwargs)

    return drawn


@styled
def panels(axes: Axes | Sequence[Axes] | None, n: int, height: float, **options) -> np.ndarray:
    """The user's axes, or `n` new ones below each other, `height` inches each.

    Raises
    ------
    ValueError
        If the user gave another number of axes.
    """
    if axes is None:
        figure = Figure(figsize=(WIDTH, n * height), layout="constrained")
        FigureCanvasAgg(figure)  # headless: no window, no pyplot state
        return np.atleast_1d(figure.subplots(n, 1, **options))
    given = np.ravel(np.asarray(axes, dtype=object))
    if len(given) != n:
        raise ValueError(f"{len(given)} axes were given, this picture has {n} panels: give {n}, or none")
    return given


def save(axes: Axes | np.ndarray, path: str | PathLike) -> None:
    """Write the figure that `axes` belong to; the ending of `path` says the format (png, pdf, svg).

    Parameters
    ----------
    axes : Axes or array of Axes
        What a plot function returned.
    path : path

    Raises
    ------
    OSError, ValueError
        If the file cannot be written, or matplotlib does not know the format.
    """
    with matplotlib.rc_context(STYLE):
        _figure(axes).savefig(path, dpi=DPI)


def as_png(axes: Axes | np.ndarray) -> bytes:
    """The figure as a PNG file in memory."""
    buffer = io.BytesIO()
    with matplotlib.rc_context(STYLE):
        _figure(axes).savefig(buffer, dpi=DPI, format="png")
    return buffer.getvalue()


def _figure(axes: Axes | np.ndarray) -> Figure:
    return np.ravel(np.asarray(axes, dtype=object))[0].figure
