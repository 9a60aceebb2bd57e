# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""From predicted corrections to a physical solution: Σ with non-negative poles and exact moments, G from Dyson."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..numerics import dlr, legendre
from ..numerics.physical import nearest_self_energy
from ..problem import Problem, Solution
from ..problem.solution import static_moments
from ..version import version
from .features.descriptor import Description, diagonals
from .features.labelled_rows import connected, excess_of


@dataclass(frozen=True, eq=False)
class Correction:
    """What regression predicts, per row of a description (dimensionless).

    Attributes
    ----------
    G_l : (n_rows, N_LEGENDRE) array
        Correction to G_l/β of the baseline.
    pairs : (n_rows, n_shells) array
        Correction to the averages of the connected correlators over the other flavours.
    excess : (n_rows, 0 or 2) array
        Correction to Σ₁ and ⟨H_int⟩ per flavour beyond their density-density values.
    """

    G_l: np.ndarray
    pairs: np.ndarray
    excess: np.ndarray


@dataclass(frozen=True, eq=False)
class Answer:
    """The physical solution (canonical), and how far G(τ) and, relative, Σ(iω₀) had to move."""

    solution: Solution
    moved: float
    sigma_moved: float


def physical_answer(description: Description, correction: Correction, points: int) -> Answer:
    """The physical solution nearest to baseline + correction, from a model of that many points."""
    problem = description.problem
    grid = dlr.grid(problem.beta * problem.largest_energy)
    positive = grid.n >= 0
    iw = 1j * grid.omega[positive] / problem.beta
    raw = _raw(description, correction)
    symmetric = problem.is_particle_hole_symmetric()
    density = np.clip([-legendre.at_ends(problem.beta, g)[1] for g in raw], 1e-9, 1 - 1e-9)
    if symmetric:
        density[:] = 0.5
    nn = _correlators(density, _connected_correlators(description, correction.pairs))
    Sigma_infty, Sigma_1, h_int = _moments(description, correction.excess, nn)
    N = problem.n_flavours
    G_iw, F_iw, sigma_moved = np.zeros((N, len(iw)), complex), np.zeros((N, len(iw)), complex), 0.0
    for row in description.rows:
        i = row.flavours[0]
        inverse = iw - problem.levels[i] - grid.iw_of_legendre(problem.delta_l(i))[positive]
        G_raw = grid.iw_of_legendre(raw[i])[positive]
        Sigma = nearest_self_energy(
            iw,
            G_raw,
            inverse,
            Sigma_infty[i],
            Sigma_1[i],
            beta=problem.beta,
            reach=problem.largest_energy,
            symmetric=symmetric,
        )(iw)
        reference = abs(iw[0].imag - Sigma[0].imag)
        sigma_moved = max(sigma_moved, float(abs(1 / G_raw[0] - inverse[0] + Sigma[0]) / reference))
        for j in row.flavours:
            G_iw[j] = 1 / (inverse - Sigma)
            F_iw[j] = Sigma * G_iw[j]
    G_tau, F_tau = (grid.to_tau(problem.beta, np.concatenate([f[:, ::-1].conj(), f], axis=1).T) for f in (G_iw, F_iw))
    before = np.stack([grid.tau_of_legendre(problem.beta, g) for g in raw], axis=1)
    solution = Solution(
        problem.beta,
        problem.gf_struct,
        _blocks(problem, _normalised(problem.beta, grid.to_legendre(problem.beta, G_tau, problem.n_l))),
        nn,
        _blocks(problem, Sigma_infty),
        _blocks(problem, Sigma_1),
        F_l=_blocks(problem, grid.to_legendre(problem.beta, F_tau, problem.n_l)),
        h_int=h_int,
        provenance={"solver": "model", "version": version, "points": points},
    )
    return Answer(solution, float(np.max(np.abs(G_tau - before))), sigma_moved)


def _normalised(beta: float, G_l: np.ndarray) -> np.ndarray:
    """`G_l` (n_l, N) with G(0⁺) + G(β⁻) = −1, which cutting off higher coefficients violates by about 1e-10.

    Among all changes that do it, the smallest (Boehnke et al., PRB 84, 075145, give one coefficient a tail in this
    way).
    """
    slope = np.sum(legendre.at_ends(beta, np.eye(len(G_l))), axis=0)
    return G_l - np.outer(slope, (slope @ G_l + 1) / (slope @ slope))


def _raw(description: Description, correction: Correction) -> list[np.ndarray]:
    """G_l of every flavour before it is made physical."""
    problem = description.problem
    if description.baseline is None:
        raw = np.zeros((problem.n_flavours, problem.n_l))
    else:
        raw = np.array(diagonals(description.baseline.G_l))
    n = min(raw.shape[1], correction.G_l.shape[1])
    for row, c in zip(description.rows, correction.G_l):
        raw[list(row.flavours), :n] += problem.beta * c[:n]
    return list(raw)


def _connected_correlators(description: Description, averages: np.ndarray) -> np.ndarray:
    """The smallest symmetric change of the baseline's connected correlators that has the predicted averages, added to
    it.
    """
    problem = description.problem
    N = problem.n_flavours
    weights = description.shells
    per_flavour = np.zeros((N, averages.shape[1]))
    for row, a in zip(description.rows, averages):
        per_flavour[list(row.flavours)] = a
    first, second = np.triu_indices(N, 1)
    A = np.zeros((N, averages.shape[1], len(first)))
    pair = np.arange(len(first))
    A[first, :, pair] = weights[first, :, second]
    A[second, :, pair] = weights[second, :, first]
    change = np.linalg.lstsq(A.reshape(-1, len(first)), per_flavour.ravel(), rcond=1e-6)[0]
    out = np.zeros((N, N)) if description.baseline is None else connected(description.baseline.nn)
    out[first, second] += change
    out[second, first] = out[first, second]
    return out


def _correlators(density: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """⟨n_i n_j⟩ from densities and connected correlators, kept within the bounds of probabilities."""
    nn = pairs + np.outer(density, density)
    nn = np.clip(nn, np.maximum(0.0, np.add.outer(density, density) - 1), np.minimum.outer(density, density))
    np.fill_diagonal(nn, density)
    return nn


def _moments(description: Description, excess: np.ndarray, nn: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Σ∞ and Σ₁ per flavour, (N,) each, and ⟨H_int⟩."""
    problem = description.problem
    static, first = (np.concatenate([np.diag(s) for s in moment]) for moment in static_moments(problem, nn))
    h_int = 0.5 * float(np.sum(problem.U * nn))
    if excess.shape[1]:
        baseline = excess_of(problem, description.baseline)
        for row, correction in zip(description.rows, excess):
            first_excess, energy = baseline[row.flavours[0]] + correction
            first[list(row.flavours)] += first_excess
            h_int += len(row.flavours) * energy
    return static, np.maximum(first, 0.0), h_int


def _blocks(problem: Problem, values: np.ndarray) -> tuple[np.ndarray, ...]:
    """Diagonal matrices per block of `values` (..., N)."""
    cut = [values[..., o : o + size] for o, (_, size) in zip(problem.offsets, problem.gf_struct)]
    return tuple(v[..., None] * np.eye(v.shape[-1]) for v in cut)
