# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""What the bins of a segment run say: consistent G and F with error bars, static correlators, diagnostics."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..numerics import legendre
from ..problem import Problem
from ..solution import Solution, static_moments
from .segment_estimators import ConsistentPair, EquationOfMotion, significant_length
from .segment_symmetry import Symmetries
from .statistics import drift, jackknife_error, leave_one_out

_LONGEST_MEASURED = 80  # Legendre coefficients; beyond, all is noise at any affordable run length
_N_TAU = 201
_N_IW = 8


def measured_length(problem: Problem) -> int:
    """Number of Legendre coefficients measured."""
    return min(problem.n_l, _LONGEST_MEASURED)


@dataclass
class Analysis:
    """Results by flavour; arrays with a leading sample axis hold the mean and then the leave-one-out samples.

    G_l (s, N, n_l), F_l (s, N, n_F), nn (s, N, N); G_error, F_error (N, n_l); raw: the bins behind them, signs divided out.
    """

    G_l: np.ndarray
    F_l: np.ndarray
    nn: np.ndarray
    G_l_error: np.ndarray
    F_l_error: np.ndarray
    tau: np.ndarray
    G_tau: np.ndarray
    G_tau_error: np.ndarray
    average_sign: float
    drift: float
    symmetry_deviation: float
    raw: dict

    @property
    def worst_error(self) -> float:
        """Largest error bar of G(τ) over τ and flavours."""
        return float(np.max(self.G_tau_error))


def analyse(problem: Problem, symmetries: Symmetries, bins) -> Analysis:
    """Everything that follows from the bins (`segment_chain.RawBins`) of all ranks.

    Raises
    ------
    RuntimeError
        If the average sign vanishes or a flavour never hybridised.
    """
    U, N = problem.U, problem.n_flavours
    average_sign = float(np.mean(bins.sign))
    if not abs(average_sign) > 1e-3:
        raise RuntimeError(f"the average sign is {average_sign:.1e}: Delta is not causal and nothing can be measured")
    samples = bins.map(leave_one_out)
    over = lambda a: a / samples.sign.reshape((-1,) + (1,) * (a.ndim - 1))
    G_hat, F_hat, nn, cells = over(samples.G_l), over(samples.F_l), over(samples.nn), over(samples.G_cells)
    silent = [f for f in range(N) if not np.any(G_hat[0, f])]
    if silent:
        raise RuntimeError(
            f"flavours {silent} never hybridised in this run, so that their G was not measured: run longer, or use exact "
            f"diagonalisation where Delta is this weak"
        )
    asymmetry = _symmetry_deviation(G_hat, symmetries.orbits())
    G_hat, F_hat = symmetries.average_G(G_hat), symmetries.average_F(F_hat, G_hat, U)
    nn, cells = symmetries.average_nn(nn), symmetries.average_flavours(cells)

    G_raw_error, F_raw_error = _smooth(jackknife_error(G_hat)), _smooth(jackknife_error(F_hat))
    n = np.diagonal(nn, axis1=1, axis2=2)
    y = np.einsum("fg,sfg->sf", U, nn)
    Sigma_infty = n @ U
    Sigma_1 = np.einsum("fg,fh,sgh->sf", U, U, nn - n[:, :, None] * n[:, None, :])
    second = Sigma_1 + Sigma_infty * (problem.levels + Sigma_infty)

    n_l, m = problem.n_l, G_hat.shape[2]
    interacting = np.any(U != 0, axis=1)
    n_F = max([significant_length(F_hat[0, f], F_raw_error[f]) for f in range(N) if interacting[f]], default=1)
    G, F = np.zeros((len(nn), N, n_l)), np.zeros((len(nn), N, n_F))
    beyond = np.zeros((N, n_l))  # what the coefficients of F left out may contribute to G
    motions: dict = {}
    for f in range(N):
        key = (symmetries.delta_class[f], problem.levels[f])
        if key not in motions:
            motions[key] = EquationOfMotion(problem.beta, problem.levels[f], symmetries.Deltas[key[0]], n_l)
        motion = motions[key]
        if not interacting[f]:
            G[:, f] = motion.G0
            continue
        pair_of = ConsistentPair(problem.beta, motion, G_raw_error[f], F_raw_error[f], n_F)
        G[:, f], F[:, f] = pair_of(G_hat[:, f], F_hat[:, f], n[:, f], y[:, f], Sigma_infty[:, f], second[:, f])
        beyond[f] = np.sqrt(motion.K[:, n_F:m] ** 2 @ F_raw_error[f, n_F:] ** 2)
    rounding = 1e-9 * problem.beta
    G_error = np.hypot(jackknife_error(G), 0.5 * beyond + rounding)
    F_error = np.concatenate([jackknife_error(F), F_raw_error[:, n_F:], np.zeros((N, n_l - m))], axis=1)
    F_error[~interacting] = 0

    tau = np.linspace(0, problem.beta, _N_TAU)
    to_tau = legendre.vandermonde(2 * tau / problem.beta - 1, n_l).T / problem.beta
    G_tau = G @ to_tau
    return Analysis(
        G, F, nn, G_error, F_error, tau, G_tau[0], jackknife_error(G_tau), average_sign,
        float(np.max(np.abs(drift(bins.nn.reshape(len(bins), -1))))), asymmetry,
        {"G_l": G_hat, "F_l": F_hat, "G_cells": cells},
    )  # fmt: skip


def as_solution(problem: Problem, a: Analysis, provenance: dict, statistics: dict) -> Solution:
    """The `Solution` of an `Analysis`."""
    from .segment_chain import cell_edges, cells_in_order

    nn = a.nn[0]
    Sigma_infty, Sigma_1 = static_moments(problem, nn)
    n_l = a.G_l.shape[2]
    F = np.concatenate([a.F_l, np.zeros(a.F_l.shape[:2] + (n_l - a.F_l.shape[2],))], axis=2)
    T = legendre.transfer_matrix(np.arange(_N_IW), n_l).T
    G_iw, F_iw = a.G_l @ T, F @ T
    Sigma_iw = F_iw / G_iw
    complex_error = lambda s: jackknife_error(s.real) + 1j * jackknife_error(s.imag)
    edges = cell_edges(problem.beta, a.raw["G_cells"].shape[2])
    cells = cells_in_order(a.raw["G_cells"]) / np.diff(edges)
    more = {
        "tau": a.tau,
        "G_tau": a.G_tau,
        "G_tau_error": a.G_tau_error,
        "G_tau_binned": cells[0],
        "G_tau_binned_error": jackknife_error(cells),
        "tau_edges": edges,
        "G_iw": G_iw[0],
        "G_iw_error": complex_error(G_iw),
        "Sigma_iw": Sigma_iw[0],
        "Sigma_iw_error": complex_error(Sigma_iw),
        "Z_error": jackknife_error(1 / (1 - Sigma_iw[:, :, 0].imag * problem.beta / np.pi)),
        "samples": {"G_l": a.G_l, "F_l": F, "nn": a.nn, "Sigma_iw": Sigma_iw, "G_l_raw": a.raw["G_l"], "F_l_raw": a.raw["F_l"]},
    }
    return Solution(
        beta=problem.beta,
        gf_struct=problem.gf_struct,
        G_l=_as_blocks(problem, a.G_l[0]),
        G_l_error=_as_blocks(problem, a.G_l_error),
        F_l=_as_blocks(problem, F[0]),
        F_l_error=_as_blocks(problem, a.F_l_error),
        nn=nn,
        nn_error=jackknife_error(a.nn),
        Sigma_infty=Sigma_infty,
        Sigma_1=Sigma_1,
        h_int=float(0.5 * np.sum(problem.U * nn)),
        provenance=provenance,
        statistics=statistics | more,
    )


def _as_blocks(problem: Problem, by_flavour: np.ndarray) -> tuple[np.ndarray, ...]:
    """(N, n_l) → diagonal (n_l, n, n) per block."""
    blocks = []
    for offset, (_, size) in zip(problem.offsets, problem.gf_struct):
        blocks.append(by_flavour[offset : offset + size].T[:, :, None] * np.eye(size))
    return tuple(blocks)


def _symmetry_deviation(G_hat: np.ndarray, labels: np.ndarray) -> float:
    """Largest difference between equivalent flavours in standard errors, over the first ten coefficients."""
    worst = 0.0
    for f, label in enumerate(labels):
        if label != f:
            difference = G_hat[:, f, :10] - G_hat[:, label, :10]
            worst = max(worst, float(np.max(np.abs(difference[0]) / np.maximum(jackknife_error(difference), 1e-300))))
    return worst


def _smooth(error: np.ndarray, width: int = 5) -> np.ndarray:
    """Error bars (N, n_l) averaged over neighbouring coefficients: they vary slowly, their estimates do not."""
    padded = np.pad(error**2, ((0, 0), (width // 2,) * 2), mode="edge")
    mean = sum(padded[:, i : i + error.shape[1]] for i in range(width)) / width
    return np.sqrt(np.maximum(mean, (1e-9 * np.max(error, axis=1, keepdims=True, initial=0.0)) ** 2 + 1e-300))
