# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Kanamori interactions, as matrices and as operators, and random problems of several orbitals."""

import numpy as np

from triqs_mlsolver import DiscreteBath, Problem, compat

FOUR = (("up_0", 1), ("up_1", 1), ("down_0", 1), ("down_1", 1))


TWO = (("up", 2), ("down", 2))


def kanamori(U, J, n_orb=2, other=None):
    """Density matrix and terms of the Kanamori interaction, flavours (spin, orbital), U' = U − 2J by default."""
    other = U - 2 * J if other is None else other
    matrix = np.zeros((2 * n_orb, 2 * n_orb))
    terms = []
    up, down = range(n_orb), range(n_orb, 2 * n_orb)
    for a in range(n_orb):
        for b in range(n_orb):
            matrix[up[a], down[b]] = matrix[down[b], up[a]] = U if a == b else other
            if a != b:
                matrix[up[a], up[b]] = matrix[down[a], down[b]] = other - J
                terms.append((J, (up[a], down[b], down[a], up[b])))  # spin flip
                terms.append((J, (up[a], down[a], down[b], up[b])))  # pair hopping
    return matrix, tuple(terms)


def random_symmetric(rng, n, size):
    m = rng.uniform(-size, size, (n, n))
    return 0.5 * (m + m.T)


def random_problem(seed, gf_struct=TWO, n_bath=1, beta=8.0, terms=True):
    """Random U, J, levels with mixing, and a matrix-valued bath of `n_bath` sites per block."""
    rng = np.random.default_rng(seed)
    U, J = rng.uniform(0.5, 3), rng.uniform(0, 0.5)
    matrix, kanamori_terms = kanamori(U, J)
    h = [random_symmetric(rng, size, 0.4) - (1.5 * U - 2.5 * J) * np.eye(size) for _, size in gf_struct]
    bath = [DiscreteBath(rng.uniform(-1, 1, n_bath), rng.uniform(-0.5, 0.5, (n_bath, size))) for _, size in gf_struct]
    return Problem.from_bath(beta, gf_struct, h, bath, matrix, kanamori_terms if terms else ())


def kanamori_operator(U: float, J: float):
    """Rotationally invariant interaction of two orbitals."""
    n, c, c_dag = compat.n, compat.c, compat.c_dag
    H = sum((U * n("up", a) * n("down", a) for a in range(2)), compat.Operator())
    for a, b in ((0, 1), (1, 0)):
        H += (U - 2 * J) * n("up", a) * n("down", b)
        H -= J * c_dag("up", a) * c("down", a) * c_dag("down", b) * c("up", b)
        H += J * c_dag("up", a) * c_dag("down", a) * c("down", b) * c("up", b)
    return H + sum(((U - 3 * J) * n(s, 0) * n(s, 1) for s in ("up", "down")), compat.Operator())


def rewritten(rng, U, terms, all_in_terms=False):
    """U and terms of the same interaction, as the arguments of a Problem: listed in another order, with c†_i c†_j as
    −c†_j c†_i, coefficients in parts, terms that vanish, and n_i n_j as c†_i c†_j c_j c_i. Exact for coefficients with
    few binary digits.
    """
    N, listed = len(U), []
    U = np.array(U)
    for i in range(N):
        for j in range(i):
            if all_in_terms or rng.random() < 0.3:
                part = U[i, j] if all_in_terms else U[i, j] * rng.integers(0, 5) / 4
                listed.append((part, (i, j, j, i)))
                U[[i, j], [j, i]] -= part
    for value, indices in terms:
        parts = [value * 0.5, value * 0.5] if rng.random() < 0.3 else [value]
        listed += [(part, indices) for part in parts]
    out = []
    for value, (i, j, k, l) in listed:
        if rng.random() < 0.5:
            i, j, value = j, i, -value
        if rng.random() < 0.5:
            k, l, value = l, k, -value
        out.append((value, (i, j, k, l)))
    any_four = lambda: [int(i) for i in rng.integers(0, N, 4)]
    i, j, k, l = any_four()
    out += [(0.0, tuple(any_four())), (1.5, (i, i, k, l)), (1.5, (i, j, k, k))]
    out += [(0.5, (i, j, k, l)), (-0.5, (i, j, k, l))]
    return {"U": U, "terms": [out[n] for n in rng.permutation(len(out))]}
