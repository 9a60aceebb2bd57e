# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
r"""The physical answer nearest to a predicted G: a self-energy with non-negative poles, and G from Dyson's equation.

A causal G alone does not make Σ causal. Here Σ(iω) = Σ∞ + Σ_k a_k / (iω − ε_k) with a_k ≥ 0 on a fixed grid and
Σ_k a_k = Σ₁ exact, so that G(0⁺) + G(β⁻) = −1 and Im Σ ≤ 0 hold at every Matsubara frequency.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .bath import log_grid
from .nonnegative import nonnegative_least_squares

_N_POLES = 81
_SUM_RULE_WEIGHT = 1e3
_ITERATIONS = 2


@dataclass(frozen=True)
class PoleSelfEnergy:
    """Σ(iω) = static + Σ_k weight_k / (iω − energy_k) of one flavour (energies as in the problem)."""

    static: float
    energy: np.ndarray
    weight: np.ndarray

    def __call__(self, iw: np.ndarray) -> np.ndarray:
        """Σ at frequencies `iw` (n,)."""
        return self.static + np.sum(self.weight / (iw[:, None] - self.energy), axis=1)


def nearest_self_energy(
    iw: np.ndarray,
    G: np.ndarray,
    G0_inverse: np.ndarray,
    static: float,
    first: float,
    *,
    beta: float,
    reach: float,
    symmetric: bool = False,
) -> PoleSelfEnergy:
    """The pole self-energy whose G is nearest to a predicted one, in the mean square over τ.

    Parameters
    ----------
    iw : (n,) complex array
        Positive Matsubara frequencies, ascending; they need not be consecutive.
    G, G0_inverse : (n,) complex arrays
        Predicted G(iω) and 1/G0(iω) of one flavour.
    static, first : float
        Σ∞ and Σ₁ (energy, energy²).
    beta, reach : float
        Inverse temperature and the largest pole energy.
    symmetric : bool
        Make the poles symmetric about zero, for a particle-hole symmetric problem.

    Returns
    -------
    PoleSelfEnergy
    """
    first = max(first, 0.0)
    energy = log_grid(0.3 / beta, reach, _N_POLES)
    if first == 0.0:
        return PoleSelfEnergy(static, energy[:1], np.zeros(1))
    columns = first / (iw[:, None] - energy)  # weights in units of Σ₁
    index = 0.5 * (iw.imag * beta / np.pi - 1)
    row_weight = np.sqrt(np.gradient(index) / beta)
    current, smallest = G, np.inf
    best = (np.arange(len(energy)) == len(energy) // 2).astype(
        float
    )  # one pole at zero, until something better is found
    for _ in range(_ITERATIONS):
        # G[Σ] ≈ current + current² (Σ − Σ[current]) is linear in the weights
        slope = row_weight * current**2
        Sigma = G0_inverse - 1 / current
        target = row_weight * (G - current) + slope * (Sigma - static)
        A = slope[:, None] * columns
        sum_rule = _SUM_RULE_WEIGHT * np.max(np.abs(A))
        rows = np.concatenate([A.real, A.imag, np.full((1, len(energy)), sum_rule)])
        rhs = np.concatenate([target.real, target.imag, [sum_rule]])
        weight = nonnegative_least_squares(rows, rhs)
        if not weight.sum() > 0:
            break
        weight *= 1 / weight.sum()
        if symmetric:
            weight = 0.5 * (weight + weight[::-1])
        current = 1 / (G0_inverse - static - columns @ weight)
        distance = np.sum(np.abs(row_weight * (current - G)) ** 2)
        if distance < smallest:
            best, smallest = weight, distance
    return PoleSelfEnergy(static, energy[best > 0], first * best[best > 0])
