# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
r"""Iterated perturbation theory for one orbital.

Second order in U around a bare Green function g with level e0, interpolated to the atomic limit and with the exact Σ₁
for its density (Kajueter, Kotliar, PRL 77, 131 (1996)):

.. math::
    \Sigma_\sigma = U n_{\bar\sigma} + \frac{A_\sigma \Sigma^{(2)}_\sigma}{1 - B_\sigma \Sigma^{(2)}_\sigma}, \qquad
    \Sigma^{(2)}_\sigma(\tau) = U^2 g_\sigma(\tau) g_{\bar\sigma}(\tau) g_{\bar\sigma}(\beta - \tau).

e0 is such that g has the density n of a cluster with one bath site, so that A = 1; B = (e + U(1 − n) − e0) / (U² n (1 −
n)). The usual condition n[g] = n[G] has up to three solutions in a doped insulator, and the answer would jump from one
to another where the problem changes a little; this one has one. At half filling of a symmetric bath e0 = 0, B = 0, and
this is plain IPT.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..problem import Problem, Solution
from .few_site_ed import FewSiteED
from .local import LocalGrid, pair_occupancy

_FLAT = 1e-6  # n(1 − n) below which a flavour counts as empty or full and has no second-order term


@dataclass(frozen=True)
class IPT:
    """Plain IPT at half filling, Kajueter–Kotliar interpolation with given densities away from it; spins may differ.

    Exact for U = 0, for Δ = 0, and at half filling of a symmetric bath to order U².

    Examples
    --------
    >>> p = Problem.siam(beta=10.0, U=2.0, mu=1.0, eps=[-0.5, 0.5], V=[0.35, 0.35])
    >>> round(float(IPT().solve(p).density[0]), 9)
    0.5
    """

    name: ClassVar[str] = "ipt"

    def solve(self, problem: Problem) -> Solution:
        """The interpolated answer.

        Raises
        ------
        ValueError
            If the problem is not a single orbital with density-density interaction.
        """
        if problem.n_flavours != 2:
            raise ValueError(f"IPT solves a single orbital with interaction U, not {problem.n_flavours} flavours")
        local = LocalGrid(problem)
        G, Sigma, static = self._interpolation(local, self._bare_levels(local))
        n = local.density(G)
        pair = pair_occupancy(local, G, Sigma, static)
        return local.solution(G, np.array([[n[0], pair], [pair, n[1]]]), self.name)

    def _interpolation(self, local: LocalGrid, bare_levels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """G(iω) and Σ(iω) on the grid, and Σ∞ (2,), for given levels e0 of g, (2,)."""
        U = local.problem.U[0, 1]
        g = 1 / (local.iw - bare_levels - local.Delta)
        n = np.clip(local.density(g), 0.0, 1.0)[::-1]  # of the other spin
        g_tau = local.to_tau(g)
        bubble = g_tau[:, ::-1] * local.grid.reflect(g_tau[:, ::-1])
        second = local.grid.to_iw(local.problem.beta, U**2 * g_tau * bubble)
        fluctuation = n * (1 - n)
        shift = local.levels + U * (1 - n) - bare_levels
        active = U**2 * fluctuation > _FLAT * local.problem.unit**2
        B = np.where(active, shift / np.where(active, U**2 * fluctuation, 1.0), 0.0)
        Sigma = U * n + np.where(active, second / (1 - B * second), 0.0)
        return 1 / (local.iw - local.levels - local.Delta - Sigma), Sigma, U * n

    def _bare_levels(self, local: LocalGrid) -> np.ndarray:
        """e0 per spin, (2,); zero where the particle-hole map leaves the problem unchanged."""
        if local.problem.is_particle_hole_symmetric():
            return np.zeros(2)
        return _levels_of(local, _DENSITIES.solve(local.problem).density)


_DENSITIES = FewSiteED(1)


def _levels_of(local: LocalGrid, density: np.ndarray) -> np.ndarray:
    """Levels e0 at which g has the given densities, (2,), by bisection."""
    high = np.full(2, 2 * local.problem.largest_energy)
    low = -high
    for _ in range(40):
        middle = 0.5 * (low + high)
        too_full = local.density(1 / (local.iw - middle - local.Delta)) > density
        low, high = np.where(too_full, middle, low), np.where(too_full, high, middle)
    return 0.5 * (low + high)
