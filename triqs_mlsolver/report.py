# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Plots. Matplotlib is loaded with this module only; figures are drawn without a display."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from .dmft import Converged

_COLOURS = ("#0072B2", "#D55E00")  # colour-blind safe (Okabe, Ito)
_MARKERS = ("o", "s")


def plot_mott(branches: Sequence[Sequence[Converged]], beta: float, path: str | Path | None = None) -> Figure:
    """Z and double occupancy against U/D for both branches, every value with an exact call marked.

    Parameters
    ----------
    branches : two sequences of Converged
        Increasing and decreasing U.
    beta : float
        Inverse temperature in 1/D, for the title.
    path : str, optional
        PNG file to write.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = Figure(figsize=(8.4, 3.8), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, 2, sharex=True)
    quantities = ((lambda c: c.Z, "quasiparticle weight Z"), (lambda c: c.double_occupancy, "double occupancy ⟨n↑n↓⟩"))
    for axes, (value, label) in zip(panels, quantities):
        for branch, name, colour, marker in zip(branches, ("increasing U", "decreasing U"), _COLOURS, _MARKERS):
            U, y = np.array([c.U for c in branch]), np.array([value(c) for c in branch])
            axes.plot(U, y, marker=marker, ms=4, lw=1.2, color=colour, mfc="white", label=name)
            computed = np.array([any(c.exact) for c in branch])
            note = "with exact calls" if branch is branches[-1] else None
            axes.plot(U[computed], y[computed], "x", ms=9, mew=1.3, color="black", label=note, zorder=3)
        axes.set_xlabel("U / D")
        axes.set_ylabel(label)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.25)
    panels[0].legend(frameon=False)
    solves = sum(c.n_iterations for b in branches for c in b)
    calls = sum(int(sum(c.exact)) for b in branches for c in b)
    figure.suptitle(
        f"Mott transition, Bethe lattice, βD = {beta:g}: {calls} exact calls in {solves} solves", fontsize=11
    )
    if path is not None:
        figure.savefig(path, dpi=150)
    return figure
