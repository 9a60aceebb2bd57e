# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""One decision: what was asked, what the model answered, and how far that can be trusted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from ..model import Prediction
from ..numerics import legendre
from ..problem import Problem, Solution
from .style import BLUE, COLOURS, ORANGE, panels, styled

_N_TAU, _N_POINTS, _N_IW = 201, 21, 20
_VISIBLE = 1e-5  # difference of flavours, relative to the largest value, that would be seen


@styled
def plot_decision(
    problem: Problem, prediction: Prediction, exact: Solution | None = None, axes: Sequence[Axes] | None = None
) -> np.ndarray:
    """Δ(τ), G(τ), its error and Im Σ(iω) of one problem: the prediction with its bounds, and the exact answer.

    The band is the bound on max over τ of abs(ΔG); below G(τ) it is drawn on its own scale. The bound on Σ is one on
    Σ(iω₀) alone, relative to ω₀ − Im Σ(iω₀), and is drawn as an error bar there.

    Parameters
    ----------
    problem : Problem
    prediction : Prediction
        Of the same problem, in its units.
    exact : Solution, optional
        Drawn as points with one standard error.
    axes : four Axes, optional

    Returns
    -------
    (4,) array of Axes

    Raises
    ------
    ValueError
        If the prediction has no solution to draw.
    """
    if prediction.solution is None:
        raise ValueError(f"there is no prediction to draw: {prediction.novel}")
    axes = panels(axes, 4, 1.45)
    tau = np.linspace(0, problem.beta, _N_TAU)
    Delta = [legendre.evaluate(problem.beta, d, tau) for d in problem.Delta_l]
    for flavour, values in _flavours(Delta):
        axes[0].plot(tau / problem.beta, values, color=COLOURS[flavour % len(COLOURS)], label=_name(problem, flavour))
    axes[0].set(ylabel="$Δ(τ)$ [energy]")
    _draw_G(axes[1], problem, prediction, exact, tau)
    _draw_error(axes[2], problem, prediction, exact)
    _draw_Sigma(axes[3], problem, prediction, exact)
    if len(axes[0].lines) > 1:
        axes[0].legend()
    trust = f"novel: {prediction.novel}" if prediction.novel else f"bound {prediction.error_bound:.2g}"
    U = np.max(problem.U, initial=0.0)
    axes[0].set_title(f"$β$ = {problem.beta:.3g}, $U$ = {U:.3g}, $x$ = {np.mean(problem.x):.3g}; {trust}")
    return axes


def _draw_G(ax: Axes, problem: Problem, prediction: Prediction, exact: Solution | None, tau: np.ndarray) -> None:
    x, bound = tau / problem.beta, prediction.error_bound
    for flavour, values in _flavours(prediction.solution.G_tau(tau)):
        ax.plot(x, values, color=BLUE, label="model" if flavour == 0 else None)
        if np.isfinite(bound):
            ax.fill_between(x, values - bound, values + bound, color=BLUE, alpha=0.25, lw=0)
    if exact is not None:
        few = np.linspace(0, problem.beta, _N_POINTS)
        errors = dict(enumerate(_diagonals(exact.G_tau_error(few))))
        for flavour, values in _flavours(exact.G_tau(few)):
            label = "exact" if flavour == 0 else None
            ax.errorbar(few / problem.beta, values, errors[flavour], fmt=".", color=ORANGE, ms=4, lw=0.8, label=label)
    ax.set(ylabel="$G(τ)$")
    ax.legend()


def _draw_error(ax: Axes, problem: Problem, prediction: Prediction, exact: Solution | None) -> None:
    """Exact minus model on the scale of the bound."""
    if np.isfinite(prediction.error_bound):
        ax.axhspan(-prediction.error_bound, prediction.error_bound, color=BLUE, alpha=0.25, lw=0, label="bound")
    if exact is not None:
        tau = np.linspace(0, problem.beta, _N_TAU)
        few = np.linspace(0, problem.beta, _N_POINTS)
        difference = [a - b for a, b in zip(exact.G_tau(tau), prediction.solution.G_tau(tau))]
        errors = dict(enumerate(_diagonals(exact.G_tau_error(few))))
        for flavour, values in _flavours(difference):
            ax.plot(tau / problem.beta, values, color=ORANGE, lw=0.8)
            at_few = np.interp(few, tau, values)
            ax.errorbar(few / problem.beta, at_few, errors[flavour], fmt=".", color=ORANGE, ms=4, lw=0.8)
    ax.ticklabel_format(axis="y", scilimits=(-2, 2))
    ax.set(xlabel="$τ/β$", ylabel="exact − model")
    ax.legend()


def _draw_Sigma(ax: Axes, problem: Problem, prediction: Prediction, exact: Solution | None) -> None:
    omega = problem.omega(_N_IW)
    for flavour, values in _flavours(prediction.solution.Sigma_iw(problem, _N_IW)):
        ax.plot(omega, values.imag, color=BLUE, label="model" if flavour == 0 else None)
        if np.isfinite(prediction.sigma_bound):
            half = prediction.sigma_bound * (omega[0] - values[0].imag)
            ax.errorbar(omega[0], values[0].imag, half, color=BLUE, capsize=3, lw=1.5, alpha=0.6)
    if exact is not None:
        for flavour, values in _flavours(exact.Sigma_iw(problem, _N_IW)):
            ax.plot(omega, values.imag, ".", color=ORANGE, ms=4, label="exact" if flavour == 0 else None)
    ax.set(xlabel=r"$ω_n$ [energy]", ylabel=r"Im $Σ(iω_n)$ [energy]", xlim=(0, None))
    ax.legend()


def _flavours(blocks) -> list[tuple[int, np.ndarray]]:
    """Number and diagonal element of each flavour; only the first where the blocks are all the same."""
    diagonals = _diagonals(blocks)
    visible = _VISIBLE * np.max(np.abs(diagonals))
    same = all(np.max(np.abs(d - diagonals[0])) <= visible for d in diagonals[1:])
    return list(enumerate(diagonals[:1] if same else diagonals))


def _diagonals(blocks) -> list[np.ndarray]:
    return [block[:, a, a] for block in blocks for a in range(block.shape[1])]


def _name(problem: Problem, flavour: int) -> str:
    names = [f"{block} {a}" if size > 1 else block for block, size in problem.gf_struct for a in range(size)]
    return names[flavour]
