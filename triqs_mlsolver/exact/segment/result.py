# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""What the bins of a segment run say: consistent G and F with error bars, static correlators, diagnostics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...numerics import legendre
from ...problem import Problem, Solution
from ...problem.solution import static_moments
from ..analysis import N_IW, N_TAU, Estimates, label_noise, smooth, symmetry_deviation, unseen
from ..statistics import curved, dominance, drift, jackknife_error, leave_one_out
from .estimators import ConsistentPair, EquationOfMotion, cell_edges, spectral_prior
from .symmetries import Symmetries, mirrored_cells

_LONGEST_PRIOR = 128  # independent functions with a spectrum; 40 at βE = 250
_LEAST_ERROR = 1e-3  # relative to the largest: below, squares of them are lost in rounding beside each other


@dataclass
class Analysis(Estimates):
    """Results by flavour; arrays with a leading sample axis hold the mean and then the leave-one-out samples.

    G_l and F_l (s, N, n_l), nn (s, N, N); G_unresolved, F_unresolved (r, N, n_l): see
    `estimators.ConsistentPair`; raw: the samples of the estimates behind them; average_weight: of a
    measurement, see `reweight`.
    """

    G_l: np.ndarray
    F_l: np.ndarray
    nn: np.ndarray
    G_unresolved: np.ndarray
    F_unresolved: np.ndarray
    tau: np.ndarray
    G_tau: np.ndarray
    G_tau_error: np.ndarray
    average_sign: float
    average_weight: float
    drift: float
    symmetry_deviation: float
    dominance: float
    raw: dict


class Workspace:
    """What the analysis of any bins of one problem needs, computed once: equations of motion, priors, meshes."""

    def __init__(self, problem: Problem, symmetries: Symmetries, n_cells: int):
        self.problem, self.symmetries = problem, symmetries
        beta, n_l = problem.beta, problem.n_l
        self.edges = cell_edges(beta, n_cells)
        self.middle = 0.5 * (self.edges[1:] + self.edges[:-1])
        self.integrals = legendre.integrals(beta, self.edges, n_l)
        self.tau = np.linspace(0, beta, N_TAU)
        self.to_tau = legendre.vandermonde(2 * self.tau / beta - 1, n_l).T / beta
        self._prior = spectral_prior(beta, problem.largest_energy, 1.0, n_l)
        self._motions: dict = {}

    def motion(self, f: int) -> EquationOfMotion:
        """Equation of motion of flavour f."""
        p, Delta = self.problem, self.symmetries.delta_class[f]
        key = (Delta, p.levels[f])
        if key not in self._motions:
            self._motions[key] = EquationOfMotion(p.beta, p.levels[f], self.symmetries.Deltas[Delta], p.n_l)
        return self._motions[key]

    def prior(self, f: int) -> np.ndarray:
        """Prior of F of flavour f, see `spectral_prior`."""
        return self._prior * np.sum(np.abs(self.problem.U[f]))


def analyse(work: Workspace, bins, n_independent: float, sampled: np.ndarray) -> Analysis:
    """Everything that follows from the bins (`chain.RawBins`) of all ranks, in the order of time.

    `n_independent` is the number of independent measurements in them, `sampled` the size of the hybridisation of
    each flavour in the chain, |Δ(β − τ)| in the middle of all cells.

    Raises
    ------
    RuntimeError
        If the average sign vanishes, a flavour never hybridised, or one without hybridisation hardly ever had no pair.
    """
    problem, symmetries, edges, to_tau = work.problem, work.symmetries, work.edges, work.to_tau
    U, N = problem.U, problem.n_flavours
    if np.count_nonzero(bins.magnitude) < 2:
        raise RuntimeError("flavours without hybridisation had a pair (see `segment.bare`) all the time: run longer")
    average_weight = float(np.mean(bins.magnitude))
    average_sign = float(np.mean(bins.weight)) / average_weight
    if not abs(average_sign) > 1e-3:
        raise RuntimeError(f"the average sign is {average_sign:.1e}: Delta is not causal and nothing can be measured")
    samples = bins.map(leave_one_out)
    over = lambda a: a / samples.weight.reshape((-1,) + (1,) * (a.ndim - 1))
    G_hat, F_hat, nn, G_cells, F_cells = (
        over(a) for a in (samples.G_l, samples.F_l, samples.nn, samples.G_cells, samples.F_cells)
    )
    silent = [f for f in range(N) if not np.any(G_hat[0, f])]
    if silent:
        raise RuntimeError(
            f"flavours {silent} never hybridised in this run, so that their G was not measured: run longer, or use "
            f"exact diagonalisation where Delta is this weak"
        )
    asymmetry = symmetry_deviation(G_hat, symmetries.orbits())
    G_hat, F_hat = symmetries.average_G(G_hat), symmetries.average_F(F_hat, G_hat, U)
    nn = symmetries.average_nn(nn)
    F_cells = symmetries.average_F(F_cells, G_cells, U, mirrored_cells)
    G_cells = symmetries.average_G(G_cells, mirrored_cells)

    G_error, F_error = smooth(jackknife_error(G_cells)), smooth(jackknife_error(F_cells))
    n = np.diagonal(nn, axis1=1, axis2=2)
    y = np.einsum("fg,sfg->sf", U, nn)
    Sigma_infty = n @ U
    Sigma_1 = np.einsum("fg,fh,sgh->sf", U, U, nn - n[:, :, None] * n[:, None, :])
    second = Sigma_1 + Sigma_infty * (problem.levels + Sigma_infty)

    n_l = problem.n_l
    interacting = np.any(U != 0, axis=1)
    G, F = np.zeros((2, len(nn), N, n_l))
    dG, dF = np.zeros((2, _LONGEST_PRIOR, N, n_l))  # deviations that the data do not decide
    # one visit more to a state never visited lasts for about the inverse of its energy, without hybridisation for all τ
    n_independent = n_independent * average_weight
    bare = symmetries.bare
    briefly = max(1.0, problem.beta * float(np.max(np.abs(U), initial=0.0)))
    nn_unseen = 1 / (n_independent * np.where(bare | bare[:, None], 1.0, briefly))
    not_seen = np.array(
        [unseen(problem.beta, sampled[f], edges, n_independent, G_cells[0, f], G_error[f], n[0, f]) for f in range(N)]
    )
    for f in range(N):
        motion = work.motion(f)
        if not interacting[f]:
            G[:, f] = motion.G0
            continue
        G_sigma, F_sigma = np.hypot(G_error[f], not_seen[f]), np.hypot(F_error[f], not_seen[f] * np.sum(np.abs(U[f])))
        if bare[f]:
            G_sigma, F_sigma = (np.maximum(e, _LEAST_ERROR * np.max(e)) for e in (G_sigma, F_sigma))
        pair = ConsistentPair(problem.beta, motion, work.prior(f), work.integrals, G_sigma, F_sigma)
        estimates, correlators = (G_cells[:, f], F_cells[:, f]), (y[:, f], Sigma_infty[:, f], second[:, f])
        G[:, f], F[:, f] = pair(*estimates, n[:, f], *correlators)
        r = len(pair.G_unresolved)
        dG[:r, f], dF[:r, f] = pair.G_unresolved, pair.F_unresolved
        # the density that G(β⁻) is fixed to has seen no more than its own visits
        moved = pair(*(a[:1] for a in estimates), n[:1, f] + nn_unseen[f, f], *(a[:1] for a in correlators))
        dG[r, f], dF[r, f] = moved[0][0] - G[0, f], moved[1][0] - F[0, f]
    if symmetries.particle_hole is not None:  # the weights of F do not share this symmetry
        G, F = symmetries.average_G(G), symmetries.average_F(F, G, U)
        dG, dF = symmetries.average_G(dG), symmetries.average_F(dF, dG, U)

    analysis = Analysis(
        G, F, nn, dG, dF, work.tau, (G @ to_tau)[0], np.empty(0), average_sign, average_weight,
        float(np.max(np.abs(drift(bins.nn.reshape(len(bins), -1))))), asymmetry,
        dominance(np.concatenate([G_hat, F_hat], axis=1)),
        {"G_l": G_hat, "F_l": F_hat, "G_cells": G_cells, "unseen": not_seen, "nn_unseen": nn_unseen},
    )  # fmt: skip
    analysis.G_tau_error = analysis.error(lambda G, F: G @ to_tau)
    return analysis


def as_solution(problem: Problem, a: Analysis, provenance: dict, statistics: dict) -> Solution:
    """The `Solution` of an `Analysis`."""
    nn = a.nn[0]
    rounding = 1e-10 * problem.beta  # of G_l; of F_l = (Σ G)_l times an energy
    Sigma_infty, Sigma_1 = static_moments(problem, nn)
    n_l = a.G_l.shape[2]
    T = legendre.transfer_matrix(np.arange(N_IW), n_l).T
    G_iw = lambda G, F: G @ T
    Sigma_iw = lambda G, F: (F @ T) / (G @ T)
    Z = lambda G, F: 1 / (1 - Sigma_iw(G, F)[:, :, 0].imag * problem.beta / np.pi)

    G_iw_error, at_mean = a.complex_error(G_iw), (a.G_l[:1], a.F_l[:1])
    G_mean, Sigma_mean = G_iw(*at_mean)[0], Sigma_iw(*at_mean)[0]
    Sigma_iw_error = curved(a.complex_error(Sigma_iw), Sigma_mean, G_mean, G_iw_error)

    edges = cell_edges(problem.beta, a.raw["G_cells"].shape[2])
    cells = a.raw["G_cells"] / np.diff(edges)
    more = {
        "tau": a.tau,
        "G_tau": a.G_tau,
        "G_tau_error": a.G_tau_error,
        "G_tau_binned": cells[0],
        "G_tau_binned_error": np.hypot(jackknife_error(cells), a.raw["unseen"] / np.diff(edges)),
        "tau_edges": edges,
        "G_tau_unseen": a.raw["unseen"] / np.diff(edges),
        "G_iw": G_mean,
        "G_iw_error": G_iw_error,
        "Sigma_iw": Sigma_mean,
        "Sigma_iw_error": Sigma_iw_error,
        "Z_error": a.error(Z),
        "samples": {"G_l": a.G_l, "F_l": a.F_l, "nn": a.nn, "G_l_raw": a.raw["G_l"], "F_l_raw": a.raw["F_l"]},
    }
    return Solution(
        beta=problem.beta,
        gf_struct=problem.gf_struct,
        G_l=_as_blocks(problem, a.G_l[0]),
        G_l_error=_as_blocks(problem, a.error(lambda G, F: G) + rounding),
        F_l=_as_blocks(problem, a.F_l[0]),
        F_l_error=_as_blocks(problem, a.error(lambda G, F: F) + rounding * problem.largest_energy),
        nn=nn,
        nn_error=np.hypot(jackknife_error(a.nn), a.raw["nn_unseen"]),
        Sigma_infty=Sigma_infty,
        Sigma_1=Sigma_1,
        h_int=float(0.5 * np.sum(problem.U * nn)),
        provenance=provenance | label_noise(problem.beta, a.G_l, a.G_unresolved),
        statistics=statistics | more,
    )


def _as_blocks(problem: Problem, by_flavour: np.ndarray) -> tuple[np.ndarray, ...]:
    """(N, n_l) → diagonal (n_l, n, n) per block."""
    blocks = []
    for offset, (_, size) in zip(problem.offsets, problem.gf_struct):
        blocks.append(by_flavour[offset : offset + size].T[:, :, None] * np.eye(size))
    return tuple(blocks)
