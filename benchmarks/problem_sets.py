# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Seeded sets A, B, C, E of single-orbital Anderson models, in units of the half bandwidth D (Σ V² = 1/4).

    A  D in [0.5, 5] eV, U in [1, 10] eV, level in [−1, 1] eV, beta in {1, 2, 5, 10, 20, 50}/eV, 4 bath sites
    B  as A at particle-hole symmetry, bath symmetric in pairs
    C  beta = 20, U in [0.1, 6], level in [−1, 1] (in D), 4 bath sites
    E  beta = 1/eV, U in [1, 8] eV, level in [−1, 1] eV, D in [2, 8] eV, 3 bath sites

The level is measured from particle-hole symmetry: μ = U/2 − level. Training seeds are 0, 1, 2; the test set has seed
20000.
"""

from __future__ import annotations

import numpy as np

from triqs_mlsolver import Problem

CHEAP = (
    "ipt",
    "hubbard_i",
    "ed1",
    "nca",
)  # the model's default has a cluster with two sites, too near to references of four


def draw(name: str, n: int, seed: int) -> list[Problem]:
    """`n` problems of a set; the first m of n are the m problems drawn alone."""
    if name not in ("A", "B", "C", "E"):
        raise ValueError(f"no set {name!r}: choose A, B, C or E")
    return [_one(name, np.random.default_rng([ord(name), seed, i])) for i in range(n)]


def _one(name: str, rng: np.random.Generator) -> Problem:
    if name in ("A", "B"):
        D = rng.uniform(0.5, 5.0)
        U, level = rng.uniform(1, 10) / D, rng.uniform(-1, 1) / D
        beta = float(rng.choice([1, 2, 5, 10, 20, 50])) * D
    elif name == "C":
        U, level, beta = rng.uniform(0.1, 6.0), rng.uniform(-1, 1), 20.0
    else:
        D = rng.uniform(2.0, 8.0)
        U, level, beta = rng.uniform(1, 8) / D, rng.uniform(-1, 1) / D, D
    n_bath = 3 if name == "E" else 4
    if name == "B":
        level = 0.0
        half, v = rng.uniform(0, 1, 2), np.abs(rng.normal(size=2))
        eps, V = np.array([-half[0], half[0], -half[1], half[1]]), np.repeat(v, 2)
    else:
        eps, V = np.sort(rng.uniform(-1, 1, n_bath)), np.abs(rng.normal(size=n_bath))
    return Problem.siam(beta, U, U / 2 - level, eps, 0.5 * V / np.linalg.norm(V))


def tau_nodes(beta: float) -> np.ndarray:
    """The 66 points of [0, β] at which errors are taken: 64 Gauss-Legendre nodes and both ends."""
    x = np.concatenate([[-1.0], np.polynomial.legendre.leggauss(64)[0], [1.0]])
    return 0.5 * beta * (x + 1)
