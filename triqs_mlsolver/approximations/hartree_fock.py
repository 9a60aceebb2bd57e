# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
r"""Hartree–Fock with the second-order self-energy, for any blocks and interaction.

With the antisymmetric vertex V of `block_grid` and the Hartree–Fock propagator g = 1/(iω − h − Δ − Σ^HF),

.. math::
    \Sigma_{ab}(\tau) = \tfrac12 \sum V_{ajkl} V_{bj'k'l'}\, g_{ll'}(\tau)\, g_{kk'}(\tau)\, g_{j'j}(\beta - \tau)

is added to Σ^HF. At half filling of one orbital with a symmetric bath this is IPT.

⟨n_i n_j⟩ follows from the same diagram with n_j c_i as its left vertex, and for a density-density interaction ⟨H_int⟩
from that; otherwise ⟨H_int⟩ = ½ T Σ_n tr Σ(iω_n) G(iω_n).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.optimize import brentq

from ..exact.ed.spectrum import Spectrum
from ..numerics import legendre
from ..problem import Problem, Solution
from ..problem.solution import static_moments
from .block_grid import BlockGrid, bounded, wick_pairs
from .hubbard_i import atomic_G, dressed, dressed_atom
from .local import LocalGrid


@dataclass(frozen=True)
class HartreeFock:
    """Hartree–Fock and second order in U: any gf_struct, off-diagonal hybridisation, spin-flip and pair-hopping.

    Exact for U = 0; Σ is right to second order, ⟨n_i n_j⟩ to first. Flavours that are alike stay alike: no symmetry is
    broken. Away from half filling neither a causal Σ nor a good answer at strong coupling is guaranteed.

    Examples
    --------
    >>> p = Problem.siam(beta=10.0, U=2.0, mu=1.0, eps=[-0.5, 0.5], V=[0.35, 0.35])
    >>> round(float(HartreeFock().solve(p).density[0]), 9)
    0.5
    """

    name: ClassVar[str] = "hartree_fock"

    def solve(self, problem: Problem) -> Solution:
        """The answer to second order."""
        local = BlockGrid(problem)
        static = local.static(self._density_matrix(local))
        g_tau = local.grid.to_tau(problem.beta, local.averaged(local.G(static)))
        second_tau = second_order(local, g_tau)
        second = local.grid.to_iw(problem.beta, second_tau)
        G = local.averaged(local.G(static + second))
        rho = local.occupation(G)
        pairs = local.averaged_pairs(_connected(local, g_tau, G) + wick_pairs(rho))
        nn = bounded(pairs, np.diag(rho))
        if problem.is_density_density and problem.is_diagonal:
            h_int = 0.5 * float(np.sum(problem.U * nn))
            Sigma_1 = local.of_blocks(static_moments(problem, nn)[1])
        else:
            h_int = 0.5 * float(np.trace(local.static(rho) @ rho + local.occupation(second @ G)))
            Sigma_l = local.grid.to_legendre(problem.beta, second_tau, problem.n_l)
            Sigma_1 = -sum(legendre.at_ends(problem.beta, Sigma_l))
        return local.solution(G, nn, Sigma_1, h_int, self.name)

    def _density_matrix(self, local: BlockGrid) -> np.ndarray:
        """⟨c†_a c_b⟩ of the Hartree–Fock propagator, (N, N).

        One step from that of Hubbard-I, at each of which the number of electrons is self-consistent. Full consistency
        would let flavours polarise spontaneously, and the answer jump where a field or a crystal field changes sign.
        """
        rho = charge_consistent(local, local.averaged(_of_hubbard_i(local)))
        return charge_consistent(local, local.averaged(local.occupation(local.G(local.static(rho)))))


def _of_hubbard_i(local: BlockGrid) -> np.ndarray:
    """Density matrix of Hubbard-I, (N, N); without a diagonalisation where nothing mixes the atom's states."""
    if local.problem.is_diagonal and local.problem.is_density_density:
        plain = LocalGrid(local.problem)
        return np.diag(plain.density(dressed_atom(plain)[0]))
    return local.occupation(dressed(local, atomic_G(local, Spectrum(local.problem))))


def charge_consistent(local: BlockGrid, rho: np.ndarray) -> np.ndarray:
    """ρ + δ with the δ for which the Hartree–Fock propagator of that density matrix holds as many electrons, (N, N).

    Unique for a repulsive interaction, where more electrons lift the levels.
    """
    one, N = np.eye(len(rho)), len(rho)
    excess = lambda x: np.trace(local.occupation(local.G(local.static(rho + x * one))) - rho) - x * N
    empty = -np.trace(rho) / N
    return rho + brentq(excess, empty - 1e-9, empty + 1 + 1e-9, xtol=1e-15, rtol=1e-14) * one


def second_order(local: BlockGrid, g_tau: np.ndarray) -> np.ndarray:
    """Σ_ab(τ) at the grid's times, (r, N, N), from g there; within blocks."""
    V = local.vertex
    right = _right_vertex(local, g_tau)
    Sigma = 0.5 * np.einsum("ajkl,tbjkl->tab", V, right, optimize=True)
    return np.where(local.inside, 0.5 * (Sigma + Sigma.transpose(0, 2, 1)), 0.0)


def _right_vertex(local: BlockGrid, g_tau: np.ndarray) -> np.ndarray:
    """Σ_{j'k'l'} V_bj'k'l' g_ll'(τ) g_kk'(τ) g_j'j(β − τ), indices (τ, b, j, k, l)."""
    back = local.grid.reflect(g_tau)
    out = np.einsum("bpqr,tlr->tbpql", local.vertex, g_tau, optimize=True)
    out = np.einsum("tbpql,tkq->tbpkl", out, g_tau, optimize=True)
    return np.einsum("tbpkl,tpj->tbjkl", out, back, optimize=True)


def _connected(local: BlockGrid, g_tau: np.ndarray, G_iw: np.ndarray) -> np.ndarray:
    """What the second order adds to ⟨n_i n_j⟩ of Wick's theorem, (N, N): T Σ_n Σ_b P_ij,b(iω_n) G_bi(iω_n).

    P is the self-energy diagram whose left vertex is n_j c_i.
    """
    pair = np.einsum("tbjji->tijb", _right_vertex(local, g_tau))
    pair_iw = local.grid.to_iw(local.problem.beta, pair)
    connected = local.occupation(np.einsum("wijb,wbi->wij", pair_iw, G_iw, optimize=True))
    return 0.5 * (connected + connected.T)
