# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""The Mott transition: quasiparticle weight and double occupancy of both branches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from ..lattice.bethe import Converged
from .style import COLOURS, MARKERS, panels, styled


@styled
def plot_mott(branches: Sequence[Sequence[Converged]], beta: float, axes: Sequence[Axes] | None = None) -> np.ndarray:
    """Z and double occupancy against U/D for both branches, every value with an exact call marked.

    Parameters
    ----------
    branches : two sequences of Converged
        Increasing and decreasing U.
    beta : float
        Inverse temperature in 1/D, for the title.
    axes : two Axes, optional

    Returns
    -------
    (2,) array of Axes
    """
    axes = panels(axes, 2, 2.1, sharex=True)
    quantities = ((lambda c: c.Z, "quasiparticle weight $Z$"), (lambda c: c.double_occupancy, r"⟨$n_↑n_↓$⟩"))
    for ax, (value, label) in zip(axes, quantities):
        for branch, name, colour, marker in zip(branches, ("increasing $U$", "decreasing $U$"), COLOURS, MARKERS):
            U, y = np.array([c.U for c in branch]), np.array([value(c) for c in branch])
            ax.plot(U, y, marker=marker, color=colour, mfc="white", label=name)
            computed = np.array([any(c.exact) for c in branch])
            note = "with exact calls" if branch is branches[-1] else None
            ax.plot(U[computed], y[computed], "x", ms=6, mew=1, color="black", label=note, zorder=3)
        ax.set_ylabel(label)
        ax.set_ylim(bottom=0)
    axes[-1].set_xlabel("$U/D$")
    axes[0].legend()
    solves = sum(c.n_iterations for b in branches for c in b)
    calls = sum(int(sum(c.exact)) for b in branches for c in b)
    axes[0].set_title(f"Bethe lattice, $βD$ = {beta:g}: {calls} exact calls in {solves} solves")
    return axes
