# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
r"""What approximations for any blocks and interactions share: matrices over all flavours on a compact grid.

The interaction is written with an antisymmetric vertex,
:math:`H_{int} = \tfrac14 \sum V_{ijkl} c^\dagger_i c^\dagger_j c_k c_l`, so that

.. math::
    \Sigma^\infty_{ab} = \sum_{jk} V_{ajkb} \langle c^\dagger_j c_k \rangle .
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from ..numerics import dlr
from ..problem import Problem, Solution
from ..problem.interaction import interaction_table
from ..problem.symmetry import generating_permutations, local_hamiltonian, pair_mean, pair_orbits
from ..version import version


class BlockGrid:
    """A problem on the grid of its largest energy; matrices (…, N, N) are block-diagonal over all flavours.

    Attributes
    ----------
    grid : dlr.Grid
    iw : (2 r', 1, 1) array
        Matsubara frequencies i ω_n of the grid (energy).
    h : (N, N) array
        h_loc0 (energy).
    inside : (N, N) bool array
        Pairs of flavours that share a block.
    """

    def __init__(self, problem: Problem):
        self.problem = problem
        self.grid = dlr.grid(problem.beta * problem.largest_energy)
        self.iw = 1j * self.grid.omega[:, None, None] / problem.beta
        self.h = local_hamiltonian(problem)
        block = np.repeat(np.arange(len(problem.gf_struct)), [size for _, size in problem.gf_struct])
        self.inside = block[:, None] == block[None, :]

    @cached_property
    def Delta(self) -> np.ndarray:
        """Δ(iω_n), (2 r', N, N) (energy)."""
        return self.of_legendre(self.problem.Delta_l)

    def of_legendre(self, coefficients: tuple[np.ndarray, ...]) -> np.ndarray:
        """Values on the grid, (2 r', N, N), of functions given by Legendre coefficients (n_l, n, n) per block."""
        out = np.zeros((len(self.iw), *self.h.shape), complex)
        for o, f in zip(self.problem.offsets, coefficients):
            out[:, o : o + f.shape[1], o : o + f.shape[1]] = self.grid.iw_of_legendre(f)
        return out

    def of_blocks(self, matrices: tuple[np.ndarray, ...]) -> np.ndarray:
        """One matrix over all flavours, (N, N), from one (n, n) per block."""
        out = np.zeros_like(self.h)
        for o, m in zip(self.problem.offsets, matrices):
            out[o : o + len(m), o : o + len(m)] = m
        return out

    @cached_property
    def vertex(self) -> np.ndarray:
        """V_ijkl, antisymmetric in (i, j) and in (k, l), (N, N, N, N) (energy)."""
        N = self.problem.n_flavours
        pairs = [(self.problem.U[i, j], (i, j, j, i)) for i in range(N) for j in range(i)]
        V = np.zeros((N,) * 4)
        for (i, j, k, l), value in interaction_table([*pairs, *self.problem.terms]).items():
            V[i, j, k, l] += value
        V = V - V.transpose(1, 0, 2, 3)
        return V - V.transpose(0, 1, 3, 2)

    @cached_property
    def orbits(self) -> np.ndarray:
        """Label of each pair of flavours, (N, N): the first pair alike by a symmetry of the problem."""
        functions = np.concatenate([self.Delta.real, self.Delta.imag])
        return pair_orbits(generating_permutations(self.problem, functions), self.problem.n_flavours)

    def averaged(self, values: np.ndarray) -> np.ndarray:
        """Matrices (…, N, N) averaged over pairs of flavours that are alike, zero between blocks."""
        return np.where(self.inside, self.averaged_pairs(values), 0.0)

    def averaged_pairs(self, values: np.ndarray) -> np.ndarray:
        """The same without regard to blocks, for correlators of densities."""
        return pair_mean(values, self.orbits)

    def G(self, Sigma: np.ndarray) -> np.ndarray:
        """(iω − h − Δ − Σ)⁻¹ for Σ of shape (N, N) or (2 r', N, N)."""
        return np.linalg.inv(self.iw * np.eye(len(self.h)) - self.h - self.Delta - Sigma)

    def occupation(self, G_iw: np.ndarray) -> np.ndarray:
        """T Σ_n e^{iω0⁺} F(iω_n), (N, N): ⟨c†_b c_a⟩ for F = G."""
        ends = np.real(np.tensordot(self.grid.end_from_iw, G_iw, axes=(0, 0)))
        return -ends / self.problem.beta

    def static(self, rho: np.ndarray) -> np.ndarray:
        """Σ∞ (N, N) of a density matrix ⟨c†_a c_b⟩, (N, N); within blocks."""
        return np.where(self.inside, np.einsum("ajkb,jk->ab", self.vertex, rho), 0.0)

    def solution(self, G_iw: np.ndarray, nn: np.ndarray, Sigma_1: np.ndarray, h_int: float, name: str) -> Solution:
        """The Solution with G(iω) on the grid and first moment `Sigma_1`, both over all flavours."""
        p = self.problem
        G_iw = self.averaged(G_iw)
        G_l = self.grid.to_legendre(p.beta, self.grid.to_tau(p.beta, G_iw), p.n_l)
        cut = lambda a: tuple(
            np.ascontiguousarray(a[..., o : o + size, o : o + size]) for o, (_, size) in zip(p.offsets, p.gf_struct)
        )
        Sigma_infty = self.averaged(self.static(self.occupation(G_iw)))
        provenance = {"solver": name, "version": version}
        return Solution(
            p.beta, p.gf_struct, cut(G_l), nn, cut(Sigma_infty), cut(Sigma_1), h_int=h_int, provenance=provenance
        )


def bounded(nn: np.ndarray, n: np.ndarray) -> np.ndarray:
    """⟨n_i n_j⟩ with densities `n` on the diagonal, and within what probabilities allow elsewhere."""
    nn = np.clip(nn, np.maximum(0.0, np.add.outer(n, n) - 1), np.minimum.outer(n, n))
    nn[np.diag_indices_from(nn)] = n
    return nn


def wick_pairs(rho: np.ndarray) -> np.ndarray:
    """⟨n_i⟩⟨n_j⟩ − ⟨c†_i c_j⟩⟨c†_j c_i⟩, (N, N): the pair correlators of free electrons off the diagonal."""
    n = np.diag(rho)
    return np.outer(n, n) - rho * rho.T
