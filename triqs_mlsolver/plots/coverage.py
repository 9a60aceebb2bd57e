# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Where the points of a database lie: projections of (βD, U/D, level)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..database import Database
from .style import COLOURS, MARKERS, WIDTH, styled

_LABELS = {"beta": "$βD$", "U": "$U/D$", "x": "level $x/D$"}
_LOG_SPAN = 5.0  # ratio of largest to smallest β from which the axis is logarithmic


@styled
def plot_coverage(database: Database, axes: Sequence[Axes] | None = None) -> np.ndarray:
    """Points of the database in the planes U–β, U–level and β–level, coloured by exact solver.

    The level is x = h_loc0 + Σ_j U_ij / 2, zero at half filling of a symmetric bath; flavours of a point that differ
    (in a field) give one mark each. All energies are in units of the point's own D.

    Parameters
    ----------
    database : Database
    axes : three Axes, optional
        For U–β, U–level, β–level.

    Returns
    -------
    (3,) array of Axes

    Raises
    ------
    ValueError
        If the database has no points.
    """
    if not len(database):
        raise ValueError(f"{database!r} has no points: there is nothing to draw")
    table = database.table(("beta", "U", "x", "solver", "fidelity"))
    flavours = table["x"].shape[1]
    values = {name: np.repeat(table[name], flavours) for name in ("beta", "U")} | {"x": table["x"].ravel()}
    kinds = np.repeat([_kind(s, f) for s, f in zip(table["solver"], table["fidelity"])], flavours)
    there = np.isfinite(values["x"])  # some problems have fewer flavours than others
    values, kinds = {name: of_all[there] for name, of_all in values.items()}, kinds[there]
    new = axes is None
    axes = _corner() if new else np.ravel(axes)
    for ax, (horizontal, vertical) in zip(axes, (("U", "beta"), ("U", "x"), ("beta", "x"))):
        _scatter(ax, values[horizontal], values[vertical], kinds)
        ax.set_xlabel(_LABELS[horizontal])
        ax.set_ylabel(_LABELS[vertical])
        _set_range(horizontal, values[horizontal], ax.set_xlim, ax.set_xscale)
        _set_range(vertical, values[vertical], ax.set_ylim, ax.set_yscale)
    if new:
        axes[0].set_xlabel("")
        axes[2].set_ylabel("")
    handles, names = axes[0].get_legend_handles_labels()
    axes[0].figure.legend(handles, names, loc="upper right", title=f"{len(database)} points")
    return axes


def _kind(solver: str, fidelity: str) -> str:
    return solver or "unknown" if fidelity == "exact" else f"{solver} ({fidelity})"


def _scatter(ax: Axes, x: np.ndarray, y: np.ndarray, kinds: np.ndarray) -> None:
    size = float(np.clip(300 / np.sqrt(len(x)), 3, 18))  # many points would cover each other
    for kind, colour, marker in zip(np.unique(kinds), COLOURS * 3, MARKERS * 3):
        mine = kinds == kind
        ax.scatter(x[mine], y[mine], s=size, color=colour, marker=marker, alpha=0.6, linewidths=0, label=kind)


def _set_range(name: str, values: np.ndarray, set_limits, set_scale) -> None:
    """Logarithmic for β over a wide range; some room around values that are all the same up to rounding."""
    low, high = float(values.min()), float(values.max())
    if name == "beta" and high > _LOG_SPAN * low:
        set_scale("log")
    elif high - low < 1e-6 * max(abs(high), 1.0):
        room = 0.5 * max(abs(high), 1.0)
        set_limits(low - room, high + room)


def _corner() -> np.ndarray:
    """Three panels that share axes, the fourth corner free for the legend."""
    figure = Figure(figsize=(WIDTH, 3.3))
    FigureCanvasAgg(figure)
    grid = figure.subplots(2, 2, sharex="col")
    grid[0, 1].remove()
    grid[1, 1].sharey(grid[1, 0])
    return np.array([grid[0, 0], grid[1, 0], grid[1, 1]], dtype=object)
