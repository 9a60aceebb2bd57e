# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""
Your own exact solver
=====================

Anything with a name and ``solve(problem) -> Solution`` can be what the model falls back on and learns from::

    python examples/own_exact_solver.py [--quick]

Here it is a diagonalisation of the impurity and its bath sites in the whole Fock space, in a few lines of numpy. It
answers the scan of U at first, and the model does as soon as it knows enough.
"""

import argparse
from functools import reduce

import numpy as np

from triqs_mlsolver import LearnedSolver, Problem, Solution
from triqs_mlsolver.numerics import legendre
from triqs_mlsolver.problem.solution import static_moments

parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
parser.add_argument("--quick", action="store_true", help="seconds: one bath site")
options = parser.parse_args()


def annihilators(modes: int) -> list[np.ndarray]:
    """Jordan and Wigner's matrices for fermions."""
    sign, lower = np.diag([1.0, -1.0]), np.array([[0.0, 1.0], [0.0, 0.0]])
    return [reduce(np.kron, [sign] * i + [lower] + [np.eye(2)] * (modes - i - 1)) for i in range(modes)]


class FockSpace:
    """Exact for a single orbital with a discrete bath; 2^(2 + 2 bath sites) states."""

    name = "fock_space"

    def solve(self, problem: Problem) -> Solution:
        beta, (eps, V) = problem.beta, (problem.bath[0].eps, problem.bath[0].V)
        sites = 1 + len(eps)
        c = annihilators(2 * sites)  # spin up first: impurity, bath; then spin down
        n = [a.T @ a for a in c]
        H = problem.U[0, 1] * n[0] @ n[sites]
        for spin in range(2):
            H += problem.levels[spin] * n[spin * sites]
            for k in range(1, sites):
                hop = c[spin * sites].T @ c[spin * sites + k]
                H += eps[k - 1] * n[spin * sites + k] + V[k - 1] * (hop + hop.T)
        E, v = np.linalg.eigh(H)
        E -= E[0]
        Boltzmann = np.exp(-beta * E) / np.sum(np.exp(-beta * E))
        n_l = 48
        tau, _ = legendre.quadrature(beta, 2 * n_l)
        weight = np.exp(-np.outer(beta - tau, E)), np.exp(-np.outer(tau, E))
        G_l = []
        for spin in range(2):
            square = (v.T @ c[spin * sites] @ v) ** 2  # |<m|c|n>|^2
            G_tau = -np.einsum("tm,mn,tn->t", weight[0], square, weight[1]) / np.sum(np.exp(-beta * E))
            G_l.append(legendre.project(beta, G_tau[:, None, None], n_l))
        mean = lambda A: float(np.einsum("an,an,n->", v, A @ v, Boltzmann))
        impurity = (n[0], n[sites])
        nn = np.array([[mean(a @ b) for b in impurity] for a in impurity])
        provenance = {"solver": self.name, "version": "1.0"}
        return Solution(beta, problem.gf_struct, tuple(G_l), nn, *static_moments(problem, nn), provenance=provenance)


solver = LearnedSolver("own_points.h5", exact=FockSpace(), tolerance=0.002)
levels = [0.0] if options.quick else [-0.5, 0.5]
for U in [0.5, 3.0, 1.5, 1.0, 2.0, 2.5, 0.75, 1.25, 1.75, 2.25, 2.75]:
    problem = Problem.siam(beta=10.0, U=U, mu=U / 2, eps=levels, V=[0.5 / np.sqrt(len(levels))] * len(levels))
    answer = solver.solve(problem)
    print(f"U = {U:.2f}  <n_up n_down> = {answer.double_occupancy:.5f}  {solver.last_decision.source}")
