# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
r"""Operators on the impurity's own Fock space, and the self-energy moments that follow from its density matrix.

With q_a = [c_a, H_int],

.. math::
    \Sigma^\infty_{ab} = \langle\{q_a, c^\dagger_b\}\rangle, \qquad
    \Sigma^1_{ab} = \langle\{q_a, q^\dagger_b\}\rangle - (\Sigma^\infty \Sigma^\infty)_{ab},

for any interaction; for density-density ones on diagonal problems this is `solution.static_moments`.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from scipy.sparse import csr_array, diags

from ...problem import Problem
from .fock import String, applied, occupations


class ImpurityOperators:
    """Sparse matrices (2^N, 2^N) over the Fock states of the impurity of `problem`."""

    def __init__(self, problem: Problem):
        self.problem = problem

    def product(self, string: String) -> csr_array:
        """A product of ladder operators."""
        N = self.problem.n_flavours
        source, target, value = applied(string, N)
        return csr_array((value, (target, source)), shape=(2**N, 2**N))

    @cached_property
    def annihilators(self) -> list[csr_array]:
        return [self.product(((False, a),)) for a in range(self.problem.n_flavours)]

    @cached_property
    def terms(self) -> csr_array:
        """Σ coefficient c†_i c†_j c_k c_l."""
        N = self.problem.n_flavours
        out = csr_array((2**N, 2**N))
        for value, (i, j, k, l) in self.problem.terms:
            out = out + value * self.product(((True, i), (True, j), (False, k), (False, l)))
        return out

    @cached_property
    def h_int(self) -> csr_array:
        """½ Σ U_ij n_i n_j + terms."""
        return csr_array(diags(interaction_energy(self.problem)) + self.terms)

    @cached_property
    def commutators(self) -> list[csr_array]:
        """q_a = [c_a, H_int]."""
        return [csr_array(c @ self.h_int - self.h_int @ c) for c in self.annihilators]

    def expectation(self, operator, density_matrix: np.ndarray) -> float:
        return float((operator.multiply(density_matrix.T)).sum())

    def moments(self, density_matrix: np.ndarray) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
        """Σ∞ and Σ₁ per block (energy, energy²)."""
        static, first = [], []
        for o, (_, size) in zip(self.problem.offsets, self.problem.gf_struct):
            inside = range(o, o + size)
            mean = lambda A, B: self.expectation(A @ B.T + B.T @ A, density_matrix)
            Sigma = _symmetric([[mean(self.commutators[a], self.annihilators[b]) for b in inside] for a in inside])
            second = _symmetric([[mean(self.commutators[a], self.commutators[b]) for b in inside] for a in inside])
            static.append(Sigma)
            first.append(second - Sigma @ Sigma)
        return tuple(static), tuple(first)


def interaction_energy(problem: Problem) -> np.ndarray:
    """½ Σ_ij U_ij n_i n_j of each Fock state of the impurity, (2^N,)."""
    n = occupations(np.arange(2**problem.n_flavours), problem.n_flavours)
    return 0.5 * np.einsum("si,si->s", n @ problem.U, n)


def pair_correlators(problem: Problem, populations: np.ndarray) -> np.ndarray:
    """⟨n_i n_j⟩ (N, N) from the probabilities of the Fock states (2^N,)."""
    n = occupations(np.arange(len(populations)), problem.n_flavours)
    return n.T @ (populations[:, None] * n)


def why_not_hermitian(problem: Problem) -> str | None:
    """None where the interaction terms are Hermitian, else the reason why not."""
    table = {indices: value for value, indices in problem.terms}
    scale = max((abs(value) for value in table.values()), default=0.0)
    for (i, j, k, l), value in table.items():
        partner = table.get((l, k, j, i), 0.0)
        if abs(value - partner) > 1e-10 * scale:
            return (
                f"the interaction terms are not Hermitian: c†_{i} c†_{j} c_{k} c_{l} has the coefficient {value:g}, "
                f"its conjugate {partner:g}; give both"
            )
    return None


def _symmetric(rows) -> np.ndarray:
    m = np.array(rows)
    return 0.5 * (m + m.T)
