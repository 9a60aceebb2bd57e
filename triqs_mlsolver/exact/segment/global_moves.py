# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Global moves and the from-scratch check of the segment-picture CT-HYB solver, compiled with numba.

Permuting the flavours lets a polarised or orbitally ordered configuration turn around; exchanging occupied and empty
stretches joins the empty and the doubly occupied states that an attractive interaction keeps apart.
"""

from __future__ import annotations

import numpy as np

from .moves import PERMUTE, RECAST
from .sweeps import NEVER, called, compiled, copy, hybridisation, inlined, random, stretches_before, stretches_between


@called
def invert(matrix, inverse, n):
    """Gauss-Jordan inversion with partial pivoting, destroying `matrix`; returns log|det| and its sign."""
    log_det, sign = 0.0, 1
    for i in range(n):
        for j in range(n):
            inverse[i, j] = 1.0 if i == j else 0.0
    for c in range(n):
        pivot = c
        for i in range(c + 1, n):
            if abs(matrix[i, c]) > abs(matrix[pivot, c]):
                pivot = i
        value = matrix[pivot, c]
        if value == 0.0:
            return -np.inf, 1
        if pivot != c:
            sign = -sign
            for j in range(n):
                matrix[c, j], matrix[pivot, j] = matrix[pivot, j], matrix[c, j]
                inverse[c, j], inverse[pivot, j] = inverse[pivot, j], inverse[c, j]
        if value < 0.0:
            sign = -sign
        log_det += np.log(abs(value))
        scale = 1.0 / value
        mc, ic = matrix[c], inverse[c]
        for j in range(n):
            mc[j] *= scale
            ic[j] *= scale
        for i in range(n):
            factor = matrix[i, c]
            if i != c and factor != 0.0:
                mi, ii = matrix[i], inverse[i]
                for j in range(n):
                    mi[j] -= factor * mc[j]
                    ii[j] -= factor * ic[j]
    return log_det, sign


@called
def inverse_from_scratch(model, delta_class, S, E, n, n0, matrix, inverse):
    """Inverse of F(E_i − S_j); returns log|det| and the sign of the flavour's weight."""
    table = model.table[delta_class]
    for i in range(n):
        for j in range(n):
            matrix[i, j] = hybridisation(table, model.beta, E[i] - S[j])
    log_det, sign = invert(matrix, inverse, n)
    # bring rows and columns into time order, then the segment through τ = 0 costs n − 1 exchanges and one sign
    for i in range(n):
        for j in range(i):
            if (S[j] > S[i]) != (E[j] > E[i]):
                sign = -sign
    if n0 == 1 and n % 2 == 1:
        sign = -sign
    return log_det, sign


@called
def measure_overlaps(model, S, E, n_pairs, n0, length, overlap):
    """Occupied lengths and mutual overlaps of all slots, from their operators."""
    for q in range(len(n_pairs)):
        length[q] = n0[q] * model.beta + stretches_before(S[q], E[q], model.beta, n_pairs[q])
    for q in range(len(n_pairs)):
        overlap[q, q] = length[q]
        for r in range(q):
            total = n0[q] * length[r]
            for i in range(n_pairs[q]):
                s, e = S[q, i], E[q, i]
                total += n0[r] * (e - s) + stretches_between(S[r], E[r], s, e, n_pairs[r])
            overlap[q, r] = total
            overlap[r, q] = total


@inlined
def local_action(model, slot, length, overlap):
    """Σ ε_f L_f + Σ_{f<g} U_fg O_fg."""
    action = 0.0
    for f in range(len(slot)):
        action += model.level[f] * length[slot[f]]
        for g in range(f):
            action += model.U[f, g] * overlap[slot[f], slot[g]]
    return action


@compiled
def refresh(model, chain):
    """Recompute inverses, determinants, overlaps and signs; remember the largest relative deviation of the inverses."""
    for f in range(len(chain.slot)):
        q = chain.slot[f]
        n = chain.n_pairs[q]
        chain.log_det[q], chain.sign[q] = inverse_from_scratch(
            model, model.delta_class[f], chain.S[q], chain.E[q], n, chain.n0[q], chain.matrix, chain.spare_M[0]
        )
        largest, deviation = 0.0, 0.0
        for j in range(n):
            for i in range(n):
                largest = max(largest, abs(chain.spare_M[0, j, i]))
                deviation = max(deviation, abs(chain.spare_M[0, j, i] - chain.M[q, j, i]))
                chain.M[q, j, i] = chain.spare_M[0, j, i]
        if n > 0:
            chain.deviation[0] = max(chain.deviation[0], deviation / largest)
    measure_overlaps(model, chain.S, chain.E, chain.n_pairs, chain.n0, chain.length, chain.overlap)


@inlined
def permute(model, chain):
    """Try to hand the lines round among flavours of equal Δ: only the local action changes."""
    chain.counts[PERMUTE, 0] += 1
    n_flavours = len(chain.slot)
    perm = model.perms[min(np.int64(random(chain.rng) * len(model.perms)), len(model.perms) - 1)]
    new_slot = chain.spare_n0  # spare space of the right size and type
    for f in range(n_flavours):
        new_slot[f] = chain.slot[perm[f]]
    exponent = local_action(model, chain.slot, chain.length, chain.overlap)
    exponent -= local_action(model, new_slot, chain.length, chain.overlap)
    if not random(chain.rng) < np.exp(min(exponent, 0.0)):
        return
    chain.counts[PERMUTE, 1] += 1
    for f in range(n_flavours):
        chain.slot[f] = new_slot[f]


@inlined
def clear(chain, q):
    """Take all operators off slot q."""
    n = chain.n_pairs[q]
    for j in range(n):
        chain.S[q, j] = NEVER
        chain.E[q, j] = NEVER
        for i in range(n):
            chain.M[q, j, i] = 0.0


@called
def recast(model, chain):
    """Try a move that changes determinants: exchange two lines, or occupied and empty stretches of one, two or all."""
    chain.counts[RECAST, 0] += 1
    n_flavours = len(chain.slot)
    one = min(np.int64(random(chain.rng) * n_flavours), n_flavours - 1)
    two = min(np.int64(random(chain.rng) * n_flavours), n_flavours - 1)
    kind = random(chain.rng)
    exchange, everything = kind < 0.4 and one != two, kind > 0.7
    exponent, n_bare = local_action(model, chain.slot, chain.length, chain.overlap), 0
    for f in range(n_flavours):
        source = f
        if exchange and f == one:
            source = two
        elif exchange and f == two:
            source = one
        flip = not exchange and (everything or f == one or f == two)
        q = chain.slot[source]
        n, n0 = chain.n_pairs[q], chain.n0[q]
        chain.spare_n[f] = n
        n_bare += n * model.bare[f]
        chain.spare_n0[f] = 1 - n0 if flip else n0
        copy(chain.spare_S[f], chain.E[q] if flip else chain.S[q], n)
        copy(chain.spare_E[f], chain.S[q] if flip else chain.E[q], n)
        if not flip and source == f:
            chain.spare_log_det[f], chain.spare_sign[f] = chain.log_det[q], chain.sign[q]
            for j in range(n):
                for i in range(n):
                    chain.spare_M[f, j, i] = chain.M[q, j, i]
            continue
        chain.spare_log_det[f], chain.spare_sign[f] = inverse_from_scratch(
            model, model.delta_class[f], chain.spare_S[f], chain.spare_E[f], n, chain.spare_n0[f], chain.matrix,
            chain.spare_M[f],
        )  # fmt: skip
        exponent += chain.spare_log_det[f] - chain.log_det[chain.slot[f]]
    length, overlap = chain.work[0], chain.spare_overlap
    measure_overlaps(model, chain.spare_S, chain.spare_E, chain.spare_n, chain.spare_n0, length, overlap)
    for f in range(n_flavours):
        exponent -= model.level[f] * length[f]
        for g in range(f):
            exponent -= model.U[f, g] * overlap[f, g]
    if not random(chain.rng) < np.exp(min(exponent, 0.0)) or n_bare > 1:
        return
    chain.counts[RECAST, 1] += 1
    for f in range(n_flavours):
        clear(chain, f)
        n = chain.spare_n[f]
        chain.slot[f] = f
        chain.n_pairs[f] = n
        chain.n0[f] = chain.spare_n0[f]
        chain.length[f] = length[f]
        chain.log_det[f] = chain.spare_log_det[f]
        chain.sign[f] = chain.spare_sign[f]
        for g in range(n_flavours):
            chain.overlap[f, g] = overlap[f, g]
        for j in range(n):
            chain.S[f, j] = chain.spare_S[f, j]
            chain.E[f, j] = chain.spare_E[f, j]
            for i in range(n):
                chain.M[f, j, i] = chain.spare_M[f, j, i]
