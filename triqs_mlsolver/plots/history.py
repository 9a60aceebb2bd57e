# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""The history of a run: bound, source and quasiparticle weight per solve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from ..decision import coverage
from .style import BLUE, GREEN, ORANGE, PURPLE, panels, styled

_SOURCES = (("model", BLUE, "o"), ("exact", ORANGE, "x"), ("audit", GREEN, "D"), ("uncertified", PURPLE, "v"))


@styled
def plot_history(
    log: Mapping[str, np.ndarray], axes: Sequence[Axes] | None = None, *, last: int | None = None
) -> np.ndarray:
    """Bound on G(τ) and Z of every solve, marked by who answered.

    Above: the bound against the tolerance; solves without a bound (novel problems) at the upper edge, true errors as
    dots where an exact run tells them. Below: Z = 1/(1 − Im Σ(iω₀)/ω₀) of the answer.

    Parameters
    ----------
    log : mapping of arrays
        A decision log, as `DecisionLog.read` returns it.
    axes : two Axes, optional
    last : int, optional
        Only this many solves, the latest.

    Returns
    -------
    (2,) array of Axes

    Raises
    ------
    ValueError
        If the log is empty.
    """
    n = len(log.get("time", ()))
    if n == 0:
        raise ValueError("the decision log is empty: no solve was recorded yet")
    number = np.arange(1, n + 1)
    first = 0 if last is None else max(n - last, 0)
    log, number = {name: column[first:] for name, column in log.items()}, number[first:]
    axes = panels(axes, 2, 1.9, sharex=True)
    source = np.where(coverage.audited(log), "audit", log["source"])
    _bounds(axes[0], log, number, source)
    Z = log.get("Z", np.full(len(number), np.nan))
    axes[1].plot(number, Z, color="0.7", lw=0.8, zorder=1)
    _mark(axes[1], number, Z, source)
    axes[1].set(xlabel="solve", ylabel="quasiparticle weight $Z$")
    axes[1].set_ylim(bottom=0)
    exact = int(np.sum(coverage.computed(log)))
    axes[0].set_title(f"{len(number)} solves, {exact} computed")
    axes[1].legend(loc="best", ncols=2)
    return axes


def _bounds(ax: Axes, log: Mapping[str, np.ndarray], number: np.ndarray, source: np.ndarray) -> None:
    missing = np.full(len(number), np.nan)
    bound = np.where(coverage.novel(log), np.nan, log.get("error_bound", missing))
    known = np.isfinite(bound)
    top = 3 * max(np.max(bound[known], initial=0.0), np.max(log["tolerance"]), 1e-6)
    ax.plot(number, log["tolerance"], color="black", ls="--", lw=0.8, label="tolerance")
    _mark(ax, number, np.where(known, bound, top), source, legend=False)
    error = log.get("true_error", missing)
    ax.plot(number, np.where(known, error, np.nan), ".", color="black", ms=3, label="true error")
    if not known.all():
        ax.text(0.99, 0.98, "no bound (novel)", transform=ax.transAxes, ha="right", va="top")
    ax.set(yscale="log", ylabel=r"bound on $\max_τ|ΔG(τ)|$")
    ax.set_ylim(top=2.5 * top)
    ax.legend(loc="lower right", ncols=2)


def _mark(ax: Axes, x: np.ndarray, y: np.ndarray, source: np.ndarray, legend: bool = True) -> None:
    for name, colour, marker in _SOURCES:
        mine = source == name
        if mine.any():
            label = name if legend else None
            face = "none" if marker == "o" else colour
            ax.plot(x[mine], y[mine], marker, color=colour, mfc=face, ms=3.5, mew=0.8, label=label)
