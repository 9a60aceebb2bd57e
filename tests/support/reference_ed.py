# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Dense exact diagonalisation of density-density impurities with a discrete bath per flavour: a reference for tests.

Written independently of the package. Each flavour conserves its own particle number, so the Hamiltonian is a sum of
Kronecker products of one-flavour matrices within sectors (n_1, …, n_N), and fermionic signs of other flavours drop out
of G_ff.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from itertools import combinations, product

import numpy as np
from numpy.polynomial.legendre import leggauss, legvander
from scipy.special import spherical_jn


@dataclass
class Reference:
    """Exact results: tau (n_tau,), G_tau (N, n_tau), G_l and F_l (N, n_l), G_iw and Sigma_iw (N, n_iw), nn (N, N)."""

    beta: float
    G_l: np.ndarray
    F_l: np.ndarray
    G_iw: np.ndarray
    Sigma_iw: np.ndarray
    nn: np.ndarray

    def G_tau(self, tau):
        v = legvander(2 * np.asarray(tau) / self.beta - 1, self.G_l.shape[1] - 1)
        return (self.G_l * np.sqrt(2 * np.arange(self.G_l.shape[1]) + 1)) @ v.T / self.beta


class _Flavour:
    """One-flavour many-body matrices by particle number: H, impurity density, and d from n to n − 1."""

    def __init__(self, level, eps, V):
        size = 1 + len(eps)
        h = np.diag([level, *eps]).astype(float)
        h[0, 1:] = h[1:, 0] = V
        basis = [[sum(1 << m for m in occ) for occ in combinations(range(size), n)] for n in range(size + 1)]
        index = [{s: i for i, s in enumerate(states)} for states in basis]
        self.H, self.n_imp, self.d = [], [], []
        for n, states in enumerate(basis):
            H = np.zeros((len(states),) * 2)
            d = np.zeros((len(basis[n - 1]) if n else 0, len(states)))
            for i, s in enumerate(states):
                for b in range(size):
                    if not s >> b & 1:
                        continue
                    for a in range(size):
                        t = s ^ (1 << b)
                        if t >> a & 1:
                            continue
                        sign = (-1) ** (bin(s & ((1 << b) - 1)).count("1") + bin(t & ((1 << a) - 1)).count("1"))
                        H[index[n][t | 1 << a], i] += sign * h[a, b]
                if s & 1:
                    d[index[n - 1][s ^ 1], i] = 1.0
            self.H.append(H)
            self.n_imp.append(np.array([float(s & 1) for s in states]))
            self.d.append(d)


def solve(beta, levels, baths, U, n_l=120, n_iw=10) -> Reference:
    """Solve Σ_f level_f n_f + ½ Σ U_fg n_f n_g coupled to baths[f] = (eps, V) of each flavour f."""
    N, U = len(levels), np.asarray(U, float)
    flavours = [_Flavour(levels[f], *baths[f]) for f in range(N)]
    sectors = {}
    for numbers in product(*[range(len(fl.H)) for fl in flavours]):
        sizes = [len(fl.n_imp[n]) for fl, n in zip(flavours, numbers)]
        kron = lambda f, a: reduce(np.kron, [a if g == f else np.eye(sizes[g]) for g in range(N)])
        density = [kron(f, np.diag(fl.n_imp[n])).diagonal() for f, (fl, n) in enumerate(zip(flavours, numbers))]
        H = sum(kron(f, fl.H[n]) for f, (fl, n) in enumerate(zip(flavours, numbers)))
        H = H + np.diag(0.5 * sum(U[f, g] * density[f] * density[g] for f in range(N) for g in range(N)))
        sectors[numbers] = (*np.linalg.eigh(H), density, sizes)
    ground = min(E[0] for E, *_ in sectors.values())
    Z = sum(np.exp(-beta * (E - ground)).sum() for E, *_ in sectors.values())

    nn = np.zeros((N, N))
    for E, V, density, _ in sectors.values():
        p = (V**2) @ np.exp(-beta * (E - ground)) / Z
        nn += np.array([[np.sum(p * density[f] * density[g]) for g in range(N)] for f in range(N)])

    x, w = leggauss(3 * n_l)
    tau = 0.5 * beta * (x + 1)
    G, F = np.zeros((N, len(tau))), np.zeros((N, len(tau)))
    for numbers, (E_b, V_b, density_b, sizes) in sectors.items():
        for f in range(N):
            lower = (*numbers[:f], numbers[f] - 1, *numbers[f + 1 :])
            if numbers[f] == 0:
                continue
            E_a, V_a, *_ = sectors[lower]
            d = reduce(np.kron, [flavours[f].d[numbers[f]] if g == f else np.eye(sizes[g]) for g in range(N)])
            Y = sum(U[f, g] * density_b[g] for g in range(N) if g != f)
            D = V_a.T @ d @ V_b
            DY = V_a.T @ (d * Y) @ V_b
            left = np.exp(-np.outer(beta - tau, E_a - ground))
            right = np.exp(-np.outer(tau, E_b - ground))
            G[f] -= np.sum((left @ D**2) * right, axis=1) / Z
            F[f] -= np.sum((left @ (D * DY)) * right, axis=1) / Z
    project = lambda g: (g * w * beta / 2) @ legvander(x, n_l - 1) * np.sqrt(2 * np.arange(n_l) + 1)
    G_l, F_l = project(G), project(F)
    l, n = np.arange(n_l), np.arange(n_iw)[:, None]
    T = (-1.0) ** n * 1j ** (l + 1) * np.sqrt(2 * l + 1) * spherical_jn(l[None, :], (2 * n + 1) * np.pi / 2)
    G_iw, F_iw = G_l @ T.T, F_l @ T.T
    return Reference(beta, G_l, F_l, G_iw, F_iw / G_iw, nn)


def random_single_orbital(rng):
    """levels, baths, U, β of a random single orbital: 1–5 sites, βD 1–100, any filling, half of them in a field."""
    n_bath = int(rng.integers(1, 6))
    eps, V = rng.uniform(-1, 1, n_bath), np.abs(rng.normal(size=n_bath))
    V *= 0.5 / np.linalg.norm(V)
    beta, U = float(np.exp(rng.uniform(0, np.log(100)))), rng.uniform(0, 4)
    level = -U / 2 + rng.uniform(-1.5, 1.5) * rng.integers(0, 2)
    field = rng.uniform(-0.3, 0.3) * rng.integers(0, 2)
    return beta, [level - field, level + field], [(eps, V), (eps, V)], np.array([[0, U], [U, 0]])


def kanamori(U, J):
    """Density-density part of the two-orbital Kanamori interaction, flavours (1↑, 1↓, 2↑, 2↓)."""
    other, same = U - 2 * J, U - 3 * J
    return np.array([[0, U, same, other], [U, 0, other, same], [same, other, 0, U], [other, same, U, 0]])


def random_two_orbitals(rng):
    """A random two-orbital density-density problem with one or two bath sites per orbital."""
    baths = []
    for _ in range(2):
        n_bath = int(rng.integers(1, 3))
        V = np.abs(rng.normal(size=n_bath))
        baths.append((rng.uniform(-1, 1, n_bath), 0.5 * V / np.linalg.norm(V)))
    beta, U = float(np.exp(rng.uniform(0, np.log(50)))), rng.uniform(0, 3)
    matrix = kanamori(U, rng.uniform(0, U / 4))
    crystal, mu = rng.uniform(-0.3, 0.3), rng.uniform(-1, 1)
    field = rng.uniform(-0.2, 0.2) * rng.integers(0, 2)
    centre = -0.5 * matrix[0].sum() + mu
    levels = [centre + crystal - field, centre + crystal + field, centre - crystal - field, centre - crystal + field]
    return beta, levels, [baths[0], baths[0], baths[1], baths[1]], matrix
