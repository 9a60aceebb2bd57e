# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
r"""Monte Carlo moves of the segment-picture CT-HYB solver, compiled with numba.

A configuration holds, for each flavour, the times S of its creation operators (a segment starts) and E of its
annihilation operators (a segment ends). Its weight (Werner et al., PRL 97, 076405) is

.. math::
    w = \prod_f |\det F_f(E_i - S_j)|\; e^{-\varepsilon_f L_f} \prod_{f<g} e^{-U_{fg} O_{fg}},
    \qquad F(x) = -\Delta(\beta - x),\quad F(x - \beta) = -F(x),

with L_f the occupied length and O_fg the length occupied by both flavours. S and E are kept *unsorted*, in the order of
the columns and rows of the matrix: no bookkeeping moves when segments come and go, and every neighbour or overlap is a
short branchless sweep. M[j, i] is the inverse matrix, j counting S and i counting E.

Times live in [0, β) and are never paired. For a pair (s, e) that is added or taken away, segment or antisegment,
wrapped or not, the sign of the weight changes by sign(p) sign(e − s), p being the ratio of determinants.
"""

from __future__ import annotations

from collections import namedtuple

import numpy as np

from .sweeps import (
    NEVER,
    add_rank_one,
    copy,
    dot,
    hybridisation,
    hybridisations,
    inlined,
    nearest_after,
    nearest_before,
    position_of,
    random,
    scaled,
    steps_before,
    stretches_between,
)
from .vectors import row_times_matrix

#: What does not change during a run: β, levels (N,), U (N, N), class of Δ of each flavour (N,), table of F per class
#: (n_classes, n_mesh, N_POWERS), permutations (n_perms, N) of flavours of equal Δ, closed under inversion, and which
#: flavours have no hybridisation (N,), see `bare`.
Model = namedtuple("Model", "beta level U delta_class table perms bare")

#: The Markov chain. By slot q = slot[f]: S, E (N, n_max), M (N, n_max, n_max), n_pairs, n0 (occupation at τ = 0),
#: length, log_det and sign of the weight (N,), overlap (N, N). rng: (4,) uint64. counts: see the constants below.
#: deviation: (1,). number: 0, 1, 2, … (n_max,). shift: (N,) overlaps of the pair being tried. spare_*: the proposal of
#: a global move. Scratch: work (4, n_max), index (n_max,), matrix (n_max, n_max).
Chain = namedtuple(
    "Chain",
    "slot S E M n_pairs n0 length overlap log_det sign rng counts deviation work index number shift "
    "spare_S spare_E spare_M spare_n spare_n0 spare_log_det spare_sign spare_overlap matrix",
)

INSERT, REMOVE, SHIFT, FLIP, PERMUTE, RECAST = range(6)  # rows of `counts`: tried, accepted


@inlined
def cost_of_filling(model, chain, f, t, length):
    """Local action of occupying flavour f in [t, t + length]; leaves overlaps with the other slots in `chain.shift`."""
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
        overlap = n0 * (end - t) + stretches_between(S, E, t, end, n)
        if wraps:
            overlap += chain.length[q]
        chain.shift[q] = overlap
        action += u * overlap
    return action


@inlined
def record_filling(chain, q, length, sign):
    """Add (sign = 1) or take away (−1) the occupied stretch whose overlaps are in `chain.shift`."""
    chain.length[q] += sign * length
    for r in range(len(chain.slot)):
        if r != q:
            chain.overlap[q, r] += sign * chain.shift[r]
            chain.overlap[r, q] = chain.overlap[q, r]


@inlined
def insert(model, chain, f, where):
    """Try to insert a segment where flavour f is empty, an antisegment where it is occupied.

    `where` is random in [0, 1).
    """
    beta, q = model.beta, chain.slot[f]
    n, S, E, M = chain.n_pairs[q], chain.S[q], chain.E[q], chain.M[q]
    t = where * beta
    occupied = chain.n0[q] + np.int64(steps_before(S, E, t, n))
    gap = min(beta, nearest_after(S, t, beta, n), nearest_after(E, t, beta, n))
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
    row, column, v, w = chain.work[0], chain.work[1], chain.work[2], chain.work[3]
    hybridisations(table, beta, 1.0, e, S, n, row, v, chain.index)
    hybridisations(table, beta, -1.0, s, E, n, column, v, chain.index)
    row_times_matrix(w, row, M, n, n + 1)
    p = hybridisation(table, beta, e - s) - dot(w, column, n)
    # the density of `length` is 1 / (2 gap sqrt(length/gap)): short pairs are likelier to be accepted
    ratio = abs(p) * np.exp(-action) * beta * (2.0 * gap * root) / (2.0 * (n + 1))
    chain.counts[INSERT, 0] += 1
    if not random(chain.rng) < ratio:
        return
    chain.counts[INSERT, 1] += 1
    chain.log_det[q] += np.log(abs(p))
    if (p < 0.0) != (e < s):
        chain.sign[q] = -chain.sign[q]
    # the new row and column come along as the entries −1 of w and v
    inverse = 1.0 / p
    for j in range(n):
        v[j] = dot(M[j], column, n) * inverse
    v[n] = -inverse
    w[n] = -1.0
    add_rank_one(M, n + 1, v, w)
    S[n] = s
    E[n] = e
    chain.n_pairs[q] = n + 1
    if wraps:
        chain.n0[q] = 1 - chain.n0[q]
    record_filling(chain, q, length, fill)


@inlined
def remove(model, chain, f, which):
    """Try to remove an operator of flavour f and the next one in time, a segment or an antisegment; needs a pair.

    `which` is random in [0, 1).
    """
    beta, q = model.beta, chain.slot[f]
    n, S, E, M = chain.n_pairs[q], chain.S[q], chain.E[q], chain.M[q]
    chain.counts[REMOVE, 0] += 1
    pick = min(np.int64(which * (2 * n)), 2 * n - 1)
    filled = pick < n  # the stretch between the two operators is occupied
    first, second, index = (S, E, pick) if filled else (E, S, pick - n)
    t = first[index]
    length = nearest_after(second, t, beta, n)
    gap = nearest_after(first, t, beta, n)
    partner = np.int64(position_of(second, chain.number, t, beta, length, n))
    a, b = (index, partner) if filled else (partner, index)
    s, e = S[a], E[b]
    fill = -1 if filled else 1
    action = fill * cost_of_filling(model, chain, f, t, length)
    p = M[a, b]
    ratio = abs(p) * np.exp(-action) * (2.0 * n) / (beta * 2.0 * np.sqrt(gap * length))
    if not random(chain.rng) < ratio:
        return
    chain.counts[REMOVE, 1] += 1
    chain.log_det[q] += np.log(abs(p))
    if (p < 0.0) != (e < s):
        chain.sign[q] = -chain.sign[q]
    inverse = 1.0 / p
    last = n - 1
    column, row = chain.work[0], chain.work[1]
    for j in range(n):
        column[j] = -M[j, b] * inverse
    copy(row, M[a], n)
    add_rank_one(M, n, column, row)
    # the last row and column take the place of those that went
    for j in range(n):
        M[j, b] = M[j, last]
        M[j, last] = 0.0
    copy(M[a], M[last], n)
    scaled(M[last], M[last], 0.0, n)
    S[a] = S[last]
    E[b] = E[last]
    S[last] = NEVER
    E[last] = NEVER
    chain.n_pairs[q] = last
    if t + length >= beta:
        chain.n0[q] = 1 - chain.n0[q]
    record_filling(chain, q, length, fill)


@inlined
def shift(model, chain, f, which):
    """Try to move one operator of flavour f anywhere between its two neighbours in time; needs a pair.

    Mostly not far where there is no hybridisation: only the interaction acts there, and steps beyond 1/U are refused.
    `which` is random in [0, 1).
    """
    beta, q = model.beta, chain.slot[f]
    n, S, E, M = chain.n_pairs[q], chain.S[q], chain.E[q], chain.M[q]
    chain.counts[SHIFT, 0] += 1
    pick = min(np.int64(which * (2 * n)), 2 * n - 1)
    is_start = pick < n
    own, other, index = (S, E, pick) if is_start else (E, S, pick - n)
    t = own[index]
    after = nearest_after(other, t, beta, n)
    before = nearest_before(other, t, beta, n)
    u = random(chain.rng)
    move = u * (after + before) - before
    if model.bare[f]:
        move = beta * (2.0 * u - 1.0) ** 3
        if not -before < move < after:
            return
    new = t + move
    crosses = new >= beta or new < 0.0
    if crosses:
        new = new - beta if move > 0.0 else new + beta
    # moving a start later, or an end earlier, empties the stretch in between
    fill = 1 if is_start != (move > 0.0) else -1
    length = abs(move)
    action = fill * cost_of_filling(model, chain, f, t if move > 0.0 else new, length)

    table = model.table[model.delta_class[f]]
    fresh = chain.work[0]
    hybridisations(table, beta, -1.0 if is_start else 1.0, new, other, n, fresh, chain.work[1], chain.index)
    p = 0.0
    if is_start:
        p = dot(M[index], fresh, n)
    else:
        for j in range(n):
            p += fresh[j] * M[j, index]
    if not random(chain.rng) < abs(p) * np.exp(-action):
        return
    chain.counts[SHIFT, 1] += 1
    chain.log_det[q] += np.log(abs(p))
    if (p < 0.0) != crosses:
        chain.sign[q] = -chain.sign[q]
    inverse = 1.0 / p
    column, row = chain.work[1], chain.work[2]
    if is_start:
        for j in range(n):
            column[j] = -dot(M[j], fresh, n) * inverse
        column[index] += inverse
        copy(row, M[index], n)
    else:
        row_times_matrix(row, fresh, M, n, n)
        for j in range(n):
            column[j] = -M[j, index] * inverse
        row[index] -= 1.0
    add_rank_one(M, n, column, row)
    if model.bare[f]:
        M[0, 0] = 1.0 / fresh[0]  # may be smaller than before by more than the precision of a difference
    own[index] = new
    if crosses:
        chain.n0[q] = 1 - chain.n0[q]
    record_filling(chain, q, length, fill)


@inlined
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
