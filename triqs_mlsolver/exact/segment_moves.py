# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
r"""Monte Carlo moves of the segment-picture CT-HYB solver, compiled with numba.

A configuration holds, for each flavour, the times S of its creation operators (a segment starts) and E of its
annihilation operators (a segment ends). Its weight (Werner et al., PRL 97, 076405) is

.. math::
    w = \prod_f |\det F_f(E_i - S_j)|\; e^{-\varepsilon_f L_f} \prod_{f<g} e^{-U_{fg} O_{fg}},
    \qquad F(x) = -\Delta(\beta - x),\quad F(x - \beta) = -F(x),

with L_f the occupied length and O_fg the length occupied by both flavours. S and E are kept *unsorted*, in the order of the
columns and rows of the matrix: no bookkeeping moves when segments come and go, and every neighbour or overlap is a
short branchless sweep. M[j, i] is the inverse matrix, j counting S and i counting E.

Times live in [0, β) and are never paired. For a pair (s, e) that is added or taken away, segment or antisegment, wrapped
or not, the sign of the weight changes by sign(p) sign(e − s), p being the ratio of determinants.
"""

from __future__ import annotations

from collections import namedtuple

import numba
import numpy as np

# Reassociation lets the compiler vectorise sums; NaN and infinity keep their meaning.
FAST = {"reassoc", "contract", "nsz", "arcp"}

#: What does not change during a run: β, levels (N,), U (N, N), class of Δ of each flavour (N,), cubic table of F per class
#: (n_classes, n_mesh, 4), permutations (n_perms, N) of flavours of equal Δ, closed under inversion.
Model = namedtuple("Model", "beta level U delta_class table perms")

#: The Markov chain. By slot q = slot[f]: S, E (N, n_max), M (N, n_max, n_max), n_pairs, n0 (occupation at τ = 0), length
#: (N,), overlap (N, N). rng: (4,) uint64. counts: see the COUNT_ constants. sign: (1,). deviation: (1,). work: (5, n_max).
#: shift: (N,) overlaps of the pair being tried. spare_*: the proposal of a global move. matrix: (n_max, n_max) scratch.
Chain = namedtuple(
    "Chain",
    "slot S E M n_pairs n0 length overlap rng counts sign deviation work shift "
    "spare_S spare_E spare_M spare_n spare_n0 spare_overlap matrix",
)

INSERT, REMOVE, SHIFT, FLIP, PERMUTE, RECAST = range(6)  # rows of `counts`: tried, accepted


def compiled(function):
    """`numba.njit`, cached on disk where some directory can be written."""
    # Nothing is allocated in compiled code, so reference counting, a fifth of the run time, is switched off.
    try:
        return numba.njit(cache=True, nogil=True, fastmath=FAST, _nrt=False)(function)
    except RuntimeError:  # numba found no directory for its cache: compile anew in each process
        return numba.njit(nogil=True, fastmath=FAST, _nrt=False)(function)


@compiled
def random(rng):
    """Uniform in [0, 1): xoshiro256+ (Blackman and Vigna, ACM TOMS 47, 36), the upper 53 bits."""
    s0, s1, s2, s3 = rng[0], rng[1], rng[2], rng[3]
    result = s0 + s3
    s2 ^= s0
    s3 ^= s1
    rng[1] = s1 ^ s2
    rng[0] = s0 ^ s3
    rng[2] = s2 ^ (s1 << np.uint64(17))
    rng[3] = (s3 << np.uint64(45)) | (s3 >> np.uint64(19))
    return (result >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@compiled
def hybridisation(table, beta, scale, x):
    """F(x) for −β < x < β from piecewise cubics."""
    sign = 1.0
    if x < 0.0:
        x += beta
        sign = -1.0
    y = x * scale
    i = min(np.int64(y), table.shape[0] - 1)
    y -= i
    return sign * (table[i, 0] + y * (table[i, 1] + y * (table[i, 2] + y * table[i, 3])))


@compiled
def occupied_length(S, E, n, n0, t):
    """∫₀ᵗ n(τ) dτ of a flavour."""
    total = n0 * t
    for i in range(n):
        total += max(0.0, t - S[i]) - max(0.0, t - E[i])
    return total


@compiled
def occupation(S, E, n, n0, t):
    """n(t) of a flavour."""
    total = n0
    for i in range(n):
        total += (S[i] <= t) - (E[i] <= t)
    return total


@compiled
def cost_of_filling(model, chain, f, t, length):
    """Local action of occupying flavour f in [t, t + length]; leaves the overlaps with the other slots in `chain.shift`."""
    beta = model.beta
    end = t + length
    wraps = end >= beta
    if wraps:
        end -= beta
    action = model.level[f] * length
    for g in range(len(chain.slot)):
        u = model.U[f, g]
        q = chain.slot[g]
        if g == f:
            continue
        n, n0, S, E = chain.n_pairs[q], chain.n0[q], chain.S[q], chain.E[q]
        overlap = occupied_length(S, E, n, n0, end) - occupied_length(S, E, n, n0, t)
        if wraps:
            overlap += chain.length[q]
        chain.shift[q] = overlap
        action += u * overlap
    return action


@compiled
def record_filling(chain, q, length, sign):
    """Add (sign = 1) or take away (−1) the occupied stretch whose overlaps are in `chain.shift`."""
    chain.length[q] += sign * length
    for r in range(len(chain.slot)):
        if r != q:
            chain.overlap[q, r] += sign * chain.shift[r]
            chain.overlap[r, q] = chain.overlap[q, r]


@compiled
def insert(model, chain, f):
    """Try to insert a segment where flavour f is empty, an antisegment where it is occupied."""
    beta, q = model.beta, chain.slot[f]
    n, S, E, M = chain.n_pairs[q], chain.S[q], chain.E[q], chain.M[q]
    t = random(chain.rng) * beta
    gap = beta
    occupied = chain.n0[q]
    for i in range(n):
        d = S[i] - t
        occupied += d <= 0.0
        gap = min(gap, d + beta * (d <= 0.0))
        d = E[i] - t
        occupied -= d <= 0.0
        gap = min(gap, d + beta * (d <= 0.0))
    u = random(chain.rng)
    root = u
    length = gap * u * u
    end = t + length
    wraps = end >= beta
    if wraps:
        end -= beta
    fill = 1 - 2 * occupied
    s = end if occupied else t
    e = t if occupied else end
    action = fill * cost_of_filling(model, chain, f, t, length)

    table = model.table[model.delta_class[f]]
    scale = table.shape[0] / beta
    row, column, v = chain.work[0], chain.work[1], chain.work[2]
    for j in range(n):
        row[j] = hybridisation(table, beta, scale, e - S[j])
        column[j] = hybridisation(table, beta, scale, E[j] - s)
    p = hybridisation(table, beta, scale, e - s)
    for j in range(n):
        total = 0.0
        Mj = M[j]
        for i in range(n):
            total += Mj[i] * column[i]
        v[j] = total
        p -= row[j] * total
    # the density of `length` is 1 / (2 gap sqrt(length/gap)): short pairs are likelier to be accepted
    ratio = abs(p) * np.exp(-action) * beta * (2.0 * gap * root) / (2.0 * (n + 1))
    chain.counts[INSERT, 0] += 1
    if not random(chain.rng) < ratio:
        return
    chain.counts[INSERT, 1] += 1
    if (p < 0.0) != (e < s):
        chain.sign[0] = -chain.sign[0]
    w = chain.work[3]
    for i in range(n):
        w[i] = 0.0
    for j in range(n):
        Mj, rj = M[j], row[j]
        for i in range(n):
            w[i] += rj * Mj[i]
    inverse = 1.0 / p
    for j in range(n):
        Mj, a = M[j], v[j] * inverse
        for i in range(n):
            Mj[i] += a * w[i]
        Mj[n] = -a
    last = M[n]
    for i in range(n):
        last[i] = -w[i] * inverse
    last[n] = inverse
    S[n] = s
    E[n] = e
    chain.n_pairs[q] = n + 1
    if wraps:
        chain.n0[q] = 1 - chain.n0[q]
    record_filling(chain, q, length, fill)


@compiled
def remove(model, chain, f):
    """Try to remove an operator of flavour f and the next one in time, a segment or an antisegment; needs a pair."""
    beta, q = model.beta, chain.slot[f]
    n, S, E, M = chain.n_pairs[q], chain.S[q], chain.E[q], chain.M[q]
    chain.counts[REMOVE, 0] += 1
    pick = min(np.int64(random(chain.rng) * (2 * n)), 2 * n - 1)
    filled = pick < n  # the stretch between the two operators is occupied
    first, second, index = (S, E, pick) if filled else (E, S, pick - n)
    t = first[index]
    partner, length, gap = 0, 2 * beta, 2 * beta
    for i in range(n):
        d = second[i] - t
        d += beta * (d <= 0.0)
        if d < length:
            length, partner = d, i
        d = first[i] - t
        gap = min(gap, d + beta * (d <= 0.0))  # its own distance counts as β
    a, b = (index, partner) if filled else (partner, index)
    s, e = S[a], E[b]
    fill = -1 if filled else 1
    action = fill * cost_of_filling(model, chain, f, t, length)
    p = M[a, b]
    ratio = abs(p) * np.exp(-action) * (2.0 * n) / (beta * 2.0 * np.sqrt(gap * length))
    if not random(chain.rng) < ratio:
        return
    chain.counts[REMOVE, 1] += 1
    if (p < 0.0) != (e < s):
        chain.sign[0] = -chain.sign[0]
    inverse = 1.0 / p
    column, row = chain.work[0], chain.work[1]
    for j in range(n):
        column[j] = M[j, b] * inverse
        row[j] = M[a, j]
    last = n - 1
    for j in range(n):
        if j != a:
            Mj, c = M[j], column[j]
            for i in range(n):
                Mj[i] -= c * row[i]
            Mj[b] = Mj[last]
    if a != last:
        target, source = M[a], M[last]
        for i in range(last):
            target[i] = source[i]
        S[a] = S[last]
    E[b] = E[last]
    chain.n_pairs[q] = last
    if t + length >= beta:
        chain.n0[q] = 1 - chain.n0[q]
    record_filling(chain, q, length, fill)


@compiled
def shift(model, chain, f):
    """Try to move one operator of flavour f anywhere between its two neighbours in time; needs a pair."""
    beta, q = model.beta, chain.slot[f]
    n, S, E, M = chain.n_pairs[q], chain.S[q], chain.E[q], chain.M[q]
    chain.counts[SHIFT, 0] += 1
    pick = min(np.int64(random(chain.rng) * (2 * n)), 2 * n - 1)
    is_start = pick < n
    own, other, index = (S, E, pick) if is_start else (E, S, pick - n)
    t = own[index]
    after, before = 2 * beta, 2 * beta
    for i in range(n):
        d = other[i] - t
        d += beta * (d <= 0.0)
        after = min(after, d)
        before = min(before, beta - d)
    move = random(chain.rng) * (after + before) - before
    new = t + move
    crosses = new >= beta or new < 0.0
    if crosses:
        new = new - beta if move > 0.0 else new + beta
    # moving a start later, or an end earlier, empties the stretch in between
    fill = 1 if is_start != (move > 0.0) else -1
    length = abs(move)
    action = fill * cost_of_filling(model, chain, f, t if move > 0.0 else new, length)

    table = model.table[model.delta_class[f]]
    scale = table.shape[0] / beta
    fresh = chain.work[0]
    p = 0.0
    if is_start:
        Ma = M[index]
        for i in range(n):
            fresh[i] = hybridisation(table, beta, scale, E[i] - new)
            p += Ma[i] * fresh[i]
    else:
        for j in range(n):
            fresh[j] = hybridisation(table, beta, scale, new - S[j])
            p += fresh[j] * M[j, index]
    if not random(chain.rng) < abs(p) * np.exp(-action):
        return
    chain.counts[SHIFT, 1] += 1
    if (p < 0.0) != crosses:
        chain.sign[0] = -chain.sign[0]
    inverse = 1.0 / p
    column, row = chain.work[1], chain.work[2]
    if is_start:
        for j in range(n):
            total = 0.0
            Mj = M[j]
            for i in range(n):
                total += Mj[i] * fresh[i]
            column[j] = total * inverse
        column[index] -= inverse
        for i in range(n):
            row[i] = M[index, i]
    else:
        for i in range(n):
            row[i] = 0.0
        for j in range(n):
            Mj, rj = M[j], fresh[j]
            for i in range(n):
                row[i] += rj * Mj[i]
            column[j] = Mj[index] * inverse
        row[index] -= 1.0
    for j in range(n):
        Mj, c = M[j], column[j]
        for i in range(n):
            Mj[i] -= c * row[i]
    own[index] = new
    if crosses:
        chain.n0[q] = 1 - chain.n0[q]
    record_filling(chain, q, length, fill)


@compiled
def flip(model, chain, f):
    """Try to turn an empty line of flavour f into a full one or back; there must be no pair on it."""
    chain.counts[FLIP, 0] += 1
    q = chain.slot[f]
    fill = 1 - 2 * chain.n0[q]
    action = fill * model.level[f] * model.beta
    for g in range(len(chain.slot)):
        if g != f:
            r = chain.slot[g]
            chain.shift[r] = chain.length[r]
            action += fill * model.U[f, g] * chain.length[r]
    if not random(chain.rng) < np.exp(-action):
        return
    chain.counts[FLIP, 1] += 1
    chain.n0[q] = 1 - chain.n0[q]
    record_filling(chain, q, model.beta, fill)
