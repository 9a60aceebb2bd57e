# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Self-energy of a cluster with one to three fitted bath sites: non-perturbative, blind to the finer bath."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..exact.ed import ED
from ..problem import Problem
from ..solution import Solution
from .local import LocalGrid, pair_occupancy


@dataclass(frozen=True)
class FewSiteED:
    """Σ from exact diagonalisation with `n_bath` fitted sites, G = 1/(iω − h − Δ − Σ) with the full Δ.

    Exact for U = 0 and for Δ = 0. Putting Σ into the full bath halves the error of the cluster's own G.

    Parameters
    ----------
    n_bath : int, default 1
        Bath sites per spin, 1 to 3.
    """

    n_bath: int = 1

    def __post_init__(self):
        if self.n_bath not in (1, 2, 3):
            raise ValueError(f"n_bath = {self.n_bath}: the few-site approximation takes 1, 2 or 3 bath sites")

    @property
    def name(self) -> str:
        return f"ed{self.n_bath}"

    def solve(self, problem: Problem) -> Solution:
        """The answer with the cluster's self-energy; ValueError where that is no single orbital."""
        if [size for _, size in problem.gf_struct] != [1, 1] or problem.terms:
            raise ValueError(
                f"the few-site approximation solves one orbital with interaction U in two spin blocks of size 1, not "
                f"gf_struct = {list(problem.gf_struct)} with {len(problem.terms)} further interaction terms"
            )
        bath, _ = ED(n_bath=self.n_bath).bath_of(replace(problem, bath=None))
        cluster = Problem.from_bath(problem.beta, problem.gf_struct, problem.h_loc0, bath, problem.U)
        small = ED().solve(cluster)
        local = LocalGrid(problem)
        G_cluster = np.stack([local.grid.iw_of_legendre(g[:, 0, 0]) for g in small.G_l], axis=1)
        Delta_cluster = sum_of_poles(local.iw, bath)
        Sigma = local.iw - local.levels - Delta_cluster - 1 / G_cluster
        G = 1 / (local.iw - local.levels - local.Delta - Sigma)
        static = np.array([s[0, 0] for s in small.Sigma_infty])
        pair = pair_occupancy(local, G, Sigma, static)
        n = local.density(G)
        return local.solution(G, np.array([[n[0], pair], [pair, n[1]]]), self.name)


def sum_of_poles(iw: np.ndarray, bath) -> np.ndarray:
    """Δ(iω) of one-orbital baths at frequencies `iw` (n, 1); shape (n, number of blocks)."""
    return np.concatenate([np.sum(b.V[:, 0] ** 2 / (iw - b.eps), axis=1, keepdims=True) for b in bath], axis=1)
