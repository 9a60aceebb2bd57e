# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""References and costly objects that several test files share."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import settings

from triqs_mlsolver import Predictor, Problem
from triqs_mlsolver.exact.ed import ED
from triqs_mlsolver.numerics import legendre
from triqs_mlsolver.problem import DiscreteBath

settings.register_profile("reproducible", derandomize=True, deadline=None, max_examples=40, database=None)
settings.load_profile("reproducible")


# -- a reference that shares nothing with the package
# ------------------------------------------------------------------


@dataclass
class FockSpace:
    """Full diagonalisation of a problem with discrete baths by Jordan–Wigner matrices in the whole Fock space.

    No quantum numbers, no sectors, no symmetry: 2^modes states, and the Lehmann sum in iω over all pairs of them.
    """

    beta: float
    energies: np.ndarray
    operators: list[np.ndarray]  # annihilators of the impurity flavours in the eigenbasis
    nn: np.ndarray
    blocks: list[slice]

    @property
    def probabilities(self):
        p = np.exp(-self.beta * (self.energies - self.energies.min()))
        return p / p.sum()

    def G(self, z):
        """G at complex energies `z` (n,), a list of (n, size, size) per block."""
        p = self.probabilities
        gap = self.energies[None, :] - self.energies[:, None]  # E_n − E_m for ⟨m|c|n⟩
        weight = p[None, :] + p[:, None]
        out = []
        for block in self.blocks:
            c = self.operators[block]
            g = np.zeros((len(z), len(c), len(c)), complex)
            for a, ca in enumerate(c):
                for b, cb in enumerate(c):
                    products = ca * cb * weight
                    used = np.nonzero(np.abs(products) > 1e-18)
                    for k, zk in enumerate(z):
                        g[k, a, b] = np.sum(products[used] / (zk - gap[used]))
            out.append(g)
        return out

    def G_tau(self, tau):
        """Diagonal of G at times `tau`, (n_tau, N)."""
        E = self.energies - self.energies.min()
        Z = np.exp(-self.beta * E).sum()
        right, left = np.exp(-np.outer(tau, E)), np.exp(-np.outer(self.beta - np.asarray(tau), E))
        return -np.stack([np.sum((left @ c**2) * right, axis=1) for c in self.operators], axis=1) / Z


def jordan_wigner(n_modes):
    """Annihilation operators of `n_modes` fermions as dense matrices."""
    one, sign, lower = np.eye(2), np.diag([1.0, -1.0]), np.array([[0.0, 1.0], [0.0, 0.0]])
    out = []
    for mode in range(n_modes):
        c = np.eye(1)
        for other in range(n_modes):
            c = np.kron(c, sign if other < mode else lower if other == mode else one)
        out.append(c)
    return out


def solve_in_fock_space(problem: Problem) -> FockSpace:
    N = problem.n_flavours
    one_body = [np.zeros((N, N))]
    blocks = [slice(o, o + size) for o, (_, size) in zip(problem.offsets, problem.gf_struct)]
    for block, h in zip(blocks, problem.h_loc0):
        one_body[0][block, block] = h
    columns, levels = [], []
    for block, bath in zip(blocks, problem.bath):
        for eps, V in zip(bath.eps, bath.V):
            column = np.zeros(N)
            column[block] = V
            columns.append(column)
            levels.append(eps)
    M = N + len(levels)
    t = np.diag(np.concatenate([np.zeros(N), levels]))
    t[:N, :N] = one_body[0]
    if columns:
        t[:N, N:] = np.stack(columns, axis=1)
        t[N:, :N] = t[:N, N:].T
    c = jordan_wigner(M)
    n = [a.T @ a for a in c]
    H = sum(t[i, j] * c[i].T @ c[j] for i in range(M) for j in range(M) if t[i, j] != 0)
    H = H + sum(0.5 * problem.U[i, j] * n[i] @ n[j] for i in range(N) for j in range(N))
    H = H + sum(value * c[i].T @ c[j].T @ c[k] @ c[l] for value, (i, j, k, l) in problem.terms)
    E, v = np.linalg.eigh(H)
    p = np.exp(-problem.beta * (E - E.min()))
    p /= p.sum()
    diagonal = lambda A: np.einsum("an,an->n", v, A @ v)
    nn = np.array([[p @ diagonal(n[i] @ n[j]) for j in range(N)] for i in range(N)])
    return FockSpace(problem.beta, E, [v.T @ a @ v for a in c[:N]], nn, blocks)


@pytest.fixture(scope="session")
def fock_space():
    """The function `solve_in_fock_space(problem) -> FockSpace`; keep modes ≤ 8."""
    return solve_in_fock_space


# -- problems
# ----------------------------------------------------------------------------------------------------------


def _draw(rng, n_bath, *, beta=None, polarised=None, field=None, half_filling=False) -> Problem:
    """A random single orbital with Σ V² = 1/4: D = 1."""

    def bath():
        V = np.abs(rng.normal(size=n_bath)) + 0.05
        return DiscreteBath(rng.uniform(-1, 1, n_bath), 0.5 * V / np.linalg.norm(V))

    beta = float(np.exp(rng.uniform(np.log(2), np.log(40)))) if beta is None else beta
    U = rng.uniform(0.2, 4)
    mu = U / 2 + (0 if half_filling else rng.uniform(-1, 1))
    field = rng.uniform(-0.3, 0.3) if field is None else field
    up = bath()
    down = bath() if (rng.random() < 0.5 if polarised is None else polarised) else up
    return Problem.from_bath(
        beta, (("up", 1), ("down", 1)), ([[-mu - field]], [[-mu + field]]), (up, down), [[0, U], [U, 0]]
    )


@pytest.fixture(scope="session")
def draw():
    """draw(rng, n_bath, beta=, polarised=, field=, half_filling=) -> random single-orbital problem with D = 1."""
    return _draw


def _mirrored(problem: Problem) -> Problem:
    """The particle-hole transform: x → −x, Δ(τ) → Δ(β − τ)."""
    shift = problem.U.sum(axis=1)
    h = [-block - np.diag(shift[o : o + len(block)]) for o, block in zip(problem.offsets, problem.h_loc0)]
    bath = None if problem.bath is None else [DiscreteBath(-b.eps, b.V) for b in problem.bath]
    Delta_l = [legendre.particle_hole(d) for d in problem.Delta_l]
    return Problem(problem.beta, problem.gf_struct, h, Delta_l, problem.U, bath=bath)


@pytest.fixture(scope="session")
def mirrored():
    """mirrored(problem) -> its particle-hole transform."""
    return _mirrored


# -- costly
# ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def solved_set():
    """100 random problems with 3 bath sites and their exact solutions: at any filling, some in a field or a
    polarised bath.
    """
    problems = []
    for i in range(100):
        rng = np.random.default_rng([11, i])
        kind = i % 4
        problems.append(_draw(rng, 3, field=None if kind == 1 else 0.0, polarised=kind == 2, half_filling=kind == 3))
    return [(p, ED().solve(p)) for p in problems]


@pytest.fixture(scope="session")
def trained(solved_set):
    """A predictor fitted on `solved_set`; a cluster with two sites would leave it little to learn."""
    return Predictor(approximations=("ipt", "hubbard_i", "ed1", "nca")).fit(solved_set)


def _grid_problem(U, eps=0.6, beta=10.0, x=0.0, field=0.0, unit=1.0):
    """One of a one-parameter family that a predictor learns from a handful of points."""
    V = np.full(2, 0.5 / np.sqrt(2))
    return Problem.siam(beta, U, U / 2 - x, [-eps, eps], V, field).scaled(unit)


@pytest.fixture(scope="session")
def family():
    """family(U, eps=, beta=, x=, field=, unit=) -> a two-site problem; D = 1 before the change of unit."""
    return _grid_problem


@pytest.fixture
def report_lines():
    """The report lines of a test, as a list that grows."""
    lines = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    logger = logging.getLogger("triqs_mlsolver")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield lines
    logger.removeHandler(handler)
    logger.setLevel(level)
