# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""The self-energy of an impurity with a few bath sites, put into the full bath; any blocks and interaction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..exact.ed.solver import green_functions, local_quantities
from ..exact.ed.spectrum import Spectrum, bath_sites
from ..problem import DiscreteBath, Problem, Solution
from ..problem.solution import static_moments
from .block_grid import BlockGrid, bounded, wick_pairs


def answer_of_cluster(problem: Problem, bath: Sequence[DiscreteBath], name: str) -> Solution:
    """G = 1/(iω − h − Δ − Σ) with Σ of the problem that has `bath` in place of Δ.

    The densities are those of G, the connected pair correlators those of the cluster. Exact for U = 0 and where `bath`
    is the problem's own.

    Raises
    ------
    ValueError
        If the cluster is too large to be diagonalised.
    """
    local = BlockGrid(problem)
    spectrum = Spectrum(problem, bath)
    cluster = local_quantities(spectrum)
    G_cluster = local.of_legendre(green_functions(spectrum)[0])
    eps, V = bath_sites(problem, bath)
    Delta_cluster = np.einsum("wk,ka,kb->wab", 1 / (local.iw[:, :, 0] - eps), V, V)
    Sigma = local.iw * np.eye(len(local.h)) - local.h - Delta_cluster - np.linalg.inv(G_cluster)
    G = local.averaged(local.G(Sigma))
    occupation = local.occupation(G)
    connected = cluster["nn"] - wick_pairs(local.occupation(G_cluster))
    nn = local.averaged_pairs(bounded(wick_pairs(occupation) + connected, np.diag(occupation)))
    pairs = lambda nn: 0.5 * float(np.sum(problem.U * nn))
    h_int = pairs(nn) + cluster["h_int"] - pairs(cluster["nn"])
    plain = problem.is_density_density and problem.is_diagonal
    Sigma_1 = local.of_blocks(static_moments(problem, nn)[1] if plain else cluster["Sigma_1"])
    return local.solution(G, nn, Sigma_1, h_int, name)
