# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""The reliability diagram: were the bounds honest?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from ..decision import coverage
from .style import BLUE, GREEN, ORANGE, panels, styled

_BIN = 10  # checks per bin of the lower panel, at least
_MOST_BINS = 6
_FLOOR = 1e-7  # errors below this are drawn here: rounding is no error of the model


@styled
def plot_reliability(
    log: Mapping[str, np.ndarray], axes: Sequence[Axes] | None = None, *, confidence: float = 0.95
) -> np.ndarray:
    """True error of G(τ) against its bound, for every solve where both are known, and the share of bounds that held.

    Above: one mark per exact run that had a bound; above the diagonal the bound was exceeded. Problems that were novel
    are left out, since their bounds said nothing. Below: coverage in bins of the bound with exact binomial 95 %
    intervals; it should not lie below the dashed line.

    Parameters
    ----------
    log : mapping of arrays
        A decision log, as `DecisionLog.read` returns it.
    axes : two Axes, optional
    confidence : float
        What the bounds claim.

    Returns
    -------
    (2,) array of Axes

    Raises
    ------
    ValueError
        If the log has no solve whose bound was checked.
    """
    rows = np.flatnonzero(coverage.checked(log))
    if not len(rows):
        raise ValueError(
            "no bound was checked yet: that takes exact runs on problems that are not novel. Let it run on, or raise "
            "audit_rate"
        )
    axes = panels(axes, 2, 2.1, sharex=True, height_ratios=(1.6, 1))
    bound, error = log["error_bound"][rows], np.maximum(log["true_error"][rows], _FLOOR)
    _scatter(axes[0], bound, error, coverage.audited(log)[rows])
    axes[0].set_title(f"bounds held: {coverage.coverage(log)}")
    _by_bound(axes[1], log, rows, bound)
    axes[1].axhline(confidence, color="black", ls="--", lw=0.8, label=f"claimed: {100 * confidence:g} %")
    axes[1].legend(loc="lower right")
    return axes


def _scatter(ax: Axes, bound: np.ndarray, error: np.ndarray, audited: np.ndarray) -> None:
    ends = np.array([min(bound.min(), error.min()) / 1.5, max(bound.max(), error.max()) * 1.5])
    ax.fill_between(ends, ends, ends[1], color=ORANGE, alpha=0.12, lw=0)
    ax.plot(ends, ends, color="black", lw=0.8)
    ax.plot(bound[~audited], error[~audited], "o", color=BLUE, alpha=0.7, mew=0, label="computed: bound too large")
    ax.plot(bound[audited], error[audited], "D", color=GREEN, alpha=0.8, mew=0, label="accepted, audited")
    ax.fill_between([], [], [], color=ORANGE, alpha=0.12, lw=0, label="bound exceeded")
    ax.set(xscale="log", yscale="log", xlim=ends, ylim=ends, ylabel=r"true error $\max_τ|ΔG(τ)|$")
    ax.legend(loc="upper left")


def _by_bound(ax: Axes, log: Mapping[str, np.ndarray], rows: np.ndarray, bound: np.ndarray) -> None:
    bins = np.array_split(rows[np.argsort(bound)], np.clip(len(rows) // _BIN, 1, _MOST_BINS))
    for mine in bins:
        found = coverage.binomial(len(mine), int(np.sum(coverage.held(log)[mine])))
        centre = np.exp(np.mean(np.log(log["error_bound"][mine])))
        around = [[found.share - found.low], [found.high - found.share]]
        ax.errorbar(centre, found.share, yerr=around, fmt="o", color=BLUE, capsize=2, lw=1)
    ax.set(xlabel=r"bound on $\max_τ|ΔG(τ)|$", ylabel="share held", ylim=(0, 1.05))
