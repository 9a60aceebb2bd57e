# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
r"""Monte Carlo moves of the matrix CT-HYB solver, compiled with numba.

A configuration holds creation operators at times S and annihilation operators at times E of all flavours; flavours that
Δ connects form a component, which has a determinant of its own. The weight (Werner and Millis, PRB 74, 155107) is

.. math::
    w = \pm \prod_c \det F(E_i - S_j)\; \mathrm{Tr}\, [e^{-\beta H_{loc}}\, T \prod c\, c^\dagger],
    \qquad F_{ab}(x) = -\Delta_{ab}(\beta - x),\quad F(x - \beta) = -F(x),

with a the flavour of S_j and b that of E_i. S and E are kept unsorted, in the order of the columns and rows of the
matrices; M[j, i] is the inverse, j counting S and i counting E. Adding or taking away the pair (s, e) changes the
sign of the operators' order by (−1)^m, m being the number of operators between the two in time, times −1 where e < s.

Where Δ connects flavours, determinants pass through zero, and G, which is measured from minors, gets much from
configurations that are hardly ever visited: its variance diverges like a logarithm. There |det F| is sampled times
1 + λ Σ|M_ji|, which is the size of the minors where the determinant vanishes, and the factor divided out of all
measurements: that is exact for any λ, and no element of the inverse times its weight exceeds 1/λ. Likewise the trace
may nearly cancel where that with [c, H_loc] in place of c does not: what is sampled is |Tr|^(1−μ) Tr'^μ, the second
trace being that of the moduli of all matrix elements, with which the variance is finite for any μ > 0.
"""

from __future__ import annotations

from collections import namedtuple

import numpy as np

from ..segment.sweeps import called, compiled, inlined, random
from .tree import N_LEADING, begin, follow, keep, largest_trace, leaf_of, put_in, take_out, touch, trace

#: What does not change during a run. energy, start, link, ladder: see `LocalBasis`; least (n_sectors,): the lowest
#: energy of each sector; norm (2 N, n_sectors): ln of that of the moduli of a ladder operator. component (N,): of each
#: flavour; members (n_components, N), n_members: their flavours. function (N, N): number of the table of F_ab, −1 where
#: it vanishes; table (n_functions, n_mesh + 1, N_POWERS). perms (n_perms, N): permutations of flavours to be tried.
#: spread (n_components,): λ of each, and mix: μ, see above.
Model = namedtuple(
    "Model", "beta energy least norm start link ladder component members n_members function table perms spread mix"
)

#: By component c: S, E (n_components, n_max) and their flavours SF, EF; M (n_components, n_max, n_max); n_pairs; size
#: (n_components,): Σ|M_ji| where λ is not zero. phase (1,): of the weight without the trace. trace (1,): of the
#: operators; bulk (1,): uncancelled. rng (4,) uint64. counts: see the constants. full (1,): a leaf has no more room.
#: deviation (1,). saved: a chain of the same size for proposals. Scratch: row, column, v, w, order (n_max,), matrix,
#: inverse (n_max, n_max).
Chain = namedtuple(
    "Chain",
    "S E SF EF M n_pairs size phase trace bulk rng counts full deviation row column v w matrix inverse order saved",
)

INSERT, REMOVE, FAR_INSERT, FAR_REMOVE, SHIFT, DOUBLE_INSERT, DOUBLE_REMOVE, PERMUTE = range(8)  # rows of `counts`
NATURAL = 0.9  # of the insertions begin with an operator of the kind that comes next


@inlined
def F(model, a, b, x):
    """F_ab(x) for −β < x < β."""
    k = model.function[a, b]
    if k < 0:
        return model.table[0, 0, 0] * 0.0
    table = model.table[k]
    wrapped = x < 0.0
    y = (x + model.beta if wrapped else x) * ((table.shape[0] - 1) / model.beta)
    i = np.int64(y)
    y -= i
    c, y2 = table[i], y * y
    value = c[0] + y * c[1] + y2 * (c[2] + y * c[3] + y2 * (c[4] + y * c[5]))
    return -value if wrapped else value


@inlined
def odd_between(tree, beta, s, e):
    """Whether an odd number of operators lies between two times."""
    first, last = min(s, e), max(s, e)
    leaf, end = leaf_of(tree, beta, first), leaf_of(tree, beta, last)
    count = 0
    for k in range(leaf + 1, end):
        count += tree.n_ops[k]
    times = tree.time[leaf]
    for i in range(tree.n_ops[leaf]):
        if times[i] > first and times[i] < last:
            count += 1
    if end != leaf:
        times = tree.time[end]
        for i in range(tree.n_ops[end]):
            if times[i] < last:
                count += 1
    return count % 2 != 0


@inlined
def order_sign(tree, beta, s, e):
    """(−1)^(operators between s and e), times −1 where e < s; s and e are not in the tree."""
    return -1.0 if odd_between(tree, beta, s, e) != (e < s) else 1.0


@inlined
def has_room(tree, chain, beta, t, more):
    """Whether the leaf at t takes so many operators more."""
    if tree.n_ops[leaf_of(tree, beta, t)] + more > tree.time.shape[1]:
        chain.full[0] = 1
        return False
    return True


@inlined
def determinant_with(model, chain, c, a, s, b, e):
    """Ratio of determinants on adding the pair (s of flavour a, e of flavour b) to component c.

    Leaves the new row and column in `chain.row` and `chain.column`, M column in `chain.v`.
    """
    n, M = chain.n_pairs[c], chain.M[c]
    row, column, v = chain.row, chain.column, chain.v
    S, E, SF, EF = chain.S[c], chain.E[c], chain.SF[c], chain.EF[c]
    for j in range(n):
        row[j] = F(model, SF[j], b, e - S[j])
    for i in range(n):
        column[i] = F(model, a, EF[i], E[i] - s)
    p = F(model, a, b, e - s)
    for j in range(n):
        x = p * 0.0
        for i in range(n):
            x += M[j, i] * column[i]
        v[j] = x
        p -= row[j] * x
    return p


@inlined
def row_times_inverse(row, M, n, w):
    """w = row M."""
    for i in range(n):
        w[i] = M[0, 0] * 0.0
    for j in range(n):
        x = row[j]
        for i in range(n):
            w[i] += x * M[j, i]


@inlined
def gain(model, chain, c, size):
    """Ratio of 1 + λ Σ|M| with a new sum."""
    spread = model.spread[c]
    return (1.0 + spread * size) / (1.0 + spread * chain.size[c])


@inlined
def size_with(model, chain, c, p):
    """Σ|M| with the pair that `determinant_with` found the ratio p for; 0 where it is not needed."""
    if model.spread[c] == 0.0:
        return 0.0
    n, M, v, w = chain.n_pairs[c], chain.M[c], chain.v, chain.w
    row_times_inverse(chain.row, M, n, w)
    inverse = 1.0 / p
    total = abs(inverse)
    for i in range(n):
        total += abs(w[i] * inverse)
    for j in range(n):
        x = v[j] * inverse
        total += abs(x)
        for i in range(n):
            total += abs(M[j, i] + x * w[i])
    return total


@inlined
def size_without(model, chain, c, j, i):
    """Σ|M| without creation operator j and annihilation operator i; 0 where it is not needed."""
    if model.spread[c] == 0.0:
        return 0.0
    n, M = chain.n_pairs[c], chain.M[c]
    inverse, total = 1.0 / M[j, i], 0.0
    for k in range(n):
        if k != j:
            x = M[k, i] * inverse
            for m in range(n):
                if m != i:
                    total += abs(M[k, m] - x * M[j, m])
    return total


@inlined
def add_pair(chain, c, a, s, b, e, p):
    """Enlarge the inverse after `determinant_with` found the ratio p."""
    n, M = chain.n_pairs[c], chain.M[c]
    v, w = chain.v, chain.w
    row_times_inverse(chain.row, M, n, w)
    inverse = 1.0 / p
    for j in range(n):
        x = v[j] * inverse
        for i in range(n):
            M[j, i] += x * w[i]
        M[j, n] = -x
    for i in range(n):
        M[n, i] = -inverse * w[i]
    M[n, n] = inverse
    chain.S[c, n], chain.E[c, n], chain.SF[c, n], chain.EF[c, n] = s, e, a, b
    chain.n_pairs[c] = n + 1


@inlined
def drop_pair(chain, c, j, i):
    """Take creation operator j and annihilation operator i out of component c; p is M[j, i]."""
    n, M = chain.n_pairs[c], chain.M[c]
    last = n - 1
    inverse = 1.0 / M[j, i]
    for k in range(n):
        if k != j:
            x = M[k, i] * inverse
            for m in range(n):
                if m != i:
                    M[k, m] -= x * M[j, m]
    if i != last:
        for k in range(n):
            M[k, i] = M[k, last]
        chain.E[c, i], chain.EF[c, i] = chain.E[c, last], chain.EF[c, last]
    if j != last:
        for m in range(n):
            M[j, m] = M[last, m]
        chain.S[c, j], chain.SF[c, j] = chain.S[c, last], chain.SF[c, last]
    chain.n_pairs[c] = last


@inlined
def sampled_trace(model, modulus, bulk):
    """|Tr|^(1−μ) Tr'^μ."""
    return modulus if model.mix == 0.0 else modulus * (bulk / max(modulus, 1e-300)) ** model.mix


@inlined
def accepted(model, chain, tree, ratio):
    """Decide on a trial whose operators are in the tree; `ratio` is all but the ratio of traces, its phase included.

    On acceptance phase, traces and pages are those of the trial.
    """
    survivors = follow(model, model.beta, tree)
    if survivors == 0:
        return False
    # what the new weight must exceed
    least = random(chain.rng) * sampled_trace(model, abs(chain.trace[0]), chain.bulk[0])
    leading = tree.state[N_LEADING]
    rest = largest_trace(model, tree, leading, survivors)
    size = abs(ratio)
    if not size * (largest_trace(model, tree, 0, leading) + rest) > least:
        return False
    new, bulk = trace(model, model.beta, tree, 0, leading)
    if not size * sampled_trace(model, abs(new) + rest, bulk + rest) > least:
        return False
    more, more_bulk = trace(model, model.beta, tree, leading, survivors)
    new, bulk = new + more, bulk + more_bulk
    if not size * sampled_trace(model, abs(new), bulk) > least:
        return False
    chain.phase[0] *= ratio / size
    chain.trace[0], chain.bulk[0] = new, bulk
    keep(tree)
    return True


@inlined
def neighbours(model, chain, c, f, t):
    """Distance from t to the next operator of flavour f on the circle, whether it creates, and its number."""
    beta, n = model.beta, chain.n_pairs[c]
    gap, creates, number = beta, -1, -1
    for j in range(n):
        if chain.SF[c, j] == f:
            d = chain.S[c, j] - t
            if d <= 0.0:
                d += beta
            if d < gap:
                gap, creates, number = d, 1, j
    for i in range(n):
        if chain.EF[c, i] == f:
            d = chain.E[c, i] - t
            if d <= 0.0:
                d += beta
            if d < gap:
                gap, creates, number = d, 0, i
    return gap, creates, number


@inlined
def gap_before(model, chain, c, f, t):
    """Distance from the last operator of flavour f to t on the circle."""
    beta, n = model.beta, chain.n_pairs[c]
    gap = beta
    for j in range(n):
        if chain.SF[c, j] == f:
            d = t - chain.S[c, j]
            if d <= 0.0:
                d += beta
            gap = min(gap, d)
    for i in range(n):
        if chain.EF[c, i] == f:
            d = t - chain.E[c, i]
            if d <= 0.0:
                d += beta
            gap = min(gap, d)
    return gap


@inlined
def count_of(chain, c, f):
    """Number of operators of flavour f."""
    count = 0
    for k in range(chain.n_pairs[c]):
        count += (chain.SF[c, k] == f) + (chain.EF[c, k] == f)
    return count


@inlined
def try_to_add(model, chain, tree, c, a, s, b, e, chance, kind):
    """Try to add a pair to component c; `chance` is the ratio of the probabilities to propose it back and forth."""
    beta = model.beta
    if s == e or not (has_room(tree, chain, beta, s, 2) and has_room(tree, chain, beta, e, 2)):
        return
    p = determinant_with(model, chain, c, a, s, b, e)
    size = size_with(model, chain, c, p)
    ratio = p * order_sign(tree, beta, s, e) * chance * gain(model, chain, c, size)
    begin(tree)
    put_in(tree, beta, s, 2 * a + 1)
    put_in(tree, beta, e, 2 * b)
    if accepted(model, chain, tree, ratio):
        add_pair(chain, c, a, s, b, e, p)
        chain.size[c] = size
        chain.counts[kind, 1] += 1
    else:
        take_out(tree, beta, s)
        take_out(tree, beta, e)


@inlined
def try_to_drop(model, chain, tree, c, j, i, chance, kind):
    """Try to take creation operator j and annihilation operator i out of component c."""
    beta = model.beta
    s, e, a, b = chain.S[c, j], chain.E[c, i], chain.SF[c, j], chain.EF[c, i]
    if not (has_room(tree, chain, beta, s, 2) and has_room(tree, chain, beta, e, 2)):
        return
    begin(tree)
    take_out(tree, beta, s)
    take_out(tree, beta, e)
    size = size_without(model, chain, c, j, i)
    ratio = chain.M[c, j, i] * order_sign(tree, beta, s, e) * chance * gain(model, chain, c, size)
    if accepted(model, chain, tree, ratio):
        drop_pair(chain, c, j, i)
        chain.size[c] = size
        chain.counts[kind, 1] += 1
    else:
        put_in(tree, beta, s, 2 * a + 1)
        put_in(tree, beta, e, 2 * b)


@called
def insert(model, chain, tree, f):
    """Try to put two operators of flavour f between two that follow each other."""
    beta, c = model.beta, model.component[f]
    chain.counts[INSERT, 0] += 1
    t = random(chain.rng) * beta
    gap, creates, _ = neighbours(model, chain, c, f, t)
    u = random(chain.rng)
    later = t + gap * u * u
    if later >= beta:
        later -= beta
    if creates < 0:
        first_creates, chance = random(chain.rng) < 0.5, 0.5
    else:
        natural = random(chain.rng) < NATURAL
        first_creates = (creates == 1) == natural
        chance = NATURAL if natural else 1.0 - NATURAL
    s = t if first_creates else later
    e = later if first_creates else t
    # the density of the distance is 1 / (2 gap u)
    back_and_forth = beta * 2.0 * gap * u / chance / (count_of(chain, c, f) + 2)
    try_to_add(model, chain, tree, c, f, s, f, e, back_and_forth, INSERT)


@called
def remove(model, chain, tree, f):
    """Try to take out two operators of flavour f that follow each other."""
    beta, c = model.beta, model.component[f]
    chain.counts[REMOVE, 0] += 1
    count = count_of(chain, c, f)
    if count < 2:
        return
    pick = min(np.int64(random(chain.rng) * count), count - 1)
    t, first_creates, first = -1.0, False, -1
    for k in range(chain.n_pairs[c]):
        if chain.SF[c, k] == f:
            if pick == 0:
                t, first_creates, first = chain.S[c, k], True, k
            pick -= 1
        if chain.EF[c, k] == f:
            if pick == 0:
                t, first_creates, first = chain.E[c, k], False, k
            pick -= 1
    length, creates, second = neighbours(model, chain, c, f, t)
    if creates < 0 or (creates == 1) == first_creates:
        return
    if count == 2:
        gap, chance = beta, 0.5
    else:
        more, creates, _ = neighbours(model, chain, c, f, chain.S[c, second] if creates == 1 else chain.E[c, second])
        gap = length + more
        chance = NATURAL if (creates == 1) == first_creates else 1.0 - NATURAL
    j, i = (first, second) if first_creates else (second, first)
    back_and_forth = count * chance / (beta * 2.0 * np.sqrt(gap * length))
    try_to_drop(model, chain, tree, c, j, i, back_and_forth, REMOVE)


@inlined
def pick_member(model, chain, c):
    n = model.n_members[c]
    return model.members[c, min(np.int64(random(chain.rng) * n), n - 1)]


@called
def far_insert(model, chain, tree, c):
    """Try to add a pair of any two flavours of a component, anywhere."""
    beta = model.beta
    chain.counts[FAR_INSERT, 0] += 1
    a, b = pick_member(model, chain, c), pick_member(model, chain, c)
    s, e = random(chain.rng) * beta, random(chain.rng) * beta
    each = beta * model.n_members[c] / (chain.n_pairs[c] + 1)
    try_to_add(model, chain, tree, c, a, s, b, e, each * each, FAR_INSERT)


@called
def far_remove(model, chain, tree, c):
    """Try to take out any creation and any annihilation operator of a component."""
    n = chain.n_pairs[c]
    chain.counts[FAR_REMOVE, 0] += 1
    if n == 0:
        return
    j, i = min(np.int64(random(chain.rng) * n), n - 1), min(np.int64(random(chain.rng) * n), n - 1)
    each = n / (model.beta * model.n_members[c])
    try_to_drop(model, chain, tree, c, j, i, each * each, FAR_REMOVE)


@called
def double_insert(model, chain, tree, c, d):
    """Try to add a pair to component c and one to another component d at once, anywhere."""
    beta = model.beta
    chain.counts[DOUBLE_INSERT, 0] += 1
    a, b = pick_member(model, chain, c), pick_member(model, chain, c)
    g, h = pick_member(model, chain, d), pick_member(model, chain, d)
    s, e = random(chain.rng) * beta, random(chain.rng) * beta
    r, x = random(chain.rng) * beta, random(chain.rng) * beta
    for t in (s, e, r, x):
        if not has_room(tree, chain, beta, t, 4):
            return
    q = determinant_with(model, chain, d, g, r, h, x)
    second = size_with(model, chain, d, q)
    p = determinant_with(model, chain, c, a, s, b, e)
    first = size_with(model, chain, c, p)
    each = beta * model.n_members[c] / (chain.n_pairs[c] + 1) * (beta * model.n_members[d] / (chain.n_pairs[d] + 1))
    ratio = p * q * order_sign(tree, beta, s, e) * (each * each)
    ratio *= gain(model, chain, c, first) * gain(model, chain, d, second)
    begin(tree)
    put_in(tree, beta, s, 2 * a + 1)
    put_in(tree, beta, e, 2 * b)
    ratio *= order_sign(tree, beta, r, x)
    put_in(tree, beta, r, 2 * g + 1)
    put_in(tree, beta, x, 2 * h)
    if accepted(model, chain, tree, ratio):
        add_pair(chain, c, a, s, b, e, p)
        q = determinant_with(model, chain, d, g, r, h, x)
        add_pair(chain, d, g, r, h, x, q)
        chain.size[c], chain.size[d] = first, second
        chain.counts[DOUBLE_INSERT, 1] += 1
    else:
        for t in (s, e, r, x):
            take_out(tree, beta, t)


@called
def double_remove(model, chain, tree, c, d):
    """Try to take a pair out of each of two components at once."""
    beta, n, m = model.beta, chain.n_pairs[c], chain.n_pairs[d]
    chain.counts[DOUBLE_REMOVE, 0] += 1
    if n == 0 or m == 0:
        return
    j, i = min(np.int64(random(chain.rng) * n), n - 1), min(np.int64(random(chain.rng) * n), n - 1)
    k, l = min(np.int64(random(chain.rng) * m), m - 1), min(np.int64(random(chain.rng) * m), m - 1)
    s, e, a, b = chain.S[c, j], chain.E[c, i], chain.SF[c, j], chain.EF[c, i]
    r, x, g, h = chain.S[d, k], chain.E[d, l], chain.SF[d, k], chain.EF[d, l]
    for t in (s, e, r, x):
        if not has_room(tree, chain, beta, t, 4):
            return
    begin(tree)
    take_out(tree, beta, r)
    take_out(tree, beta, x)
    sign = order_sign(tree, beta, r, x)
    take_out(tree, beta, s)
    take_out(tree, beta, e)
    each = n / (beta * model.n_members[c]) * (m / (beta * model.n_members[d]))
    first, second = size_without(model, chain, c, j, i), size_without(model, chain, d, k, l)
    ratio = chain.M[c, j, i] * chain.M[d, k, l] * sign * order_sign(tree, beta, s, e) * (each * each)
    ratio *= gain(model, chain, c, first) * gain(model, chain, d, second)
    if accepted(model, chain, tree, ratio):
        drop_pair(chain, c, j, i)
        drop_pair(chain, d, k, l)
        chain.size[c], chain.size[d] = first, second
        chain.counts[DOUBLE_REMOVE, 1] += 1
    else:
        put_in(tree, beta, s, 2 * a + 1)
        put_in(tree, beta, e, 2 * b)
        put_in(tree, beta, r, 2 * g + 1)
        put_in(tree, beta, x, 2 * h)


@inlined
def shift_terms(chain, M, n, k, creates, inverse):
    """v and w of M + v wᵀ, the inverse after the row of operator k has become `chain.row`."""
    fresh, column, row = chain.row, chain.v, chain.w
    if creates:
        for j in range(n):
            x = M[0, 0] * 0.0
            for i in range(n):
                x += M[j, i] * fresh[i]
            column[j] = -x * inverse
        column[k] += inverse
        for i in range(n):
            row[i] = M[k, i]
    else:
        row_times_inverse(fresh, M, n, row)
        for j in range(n):
            column[j] = -M[j, k] * inverse
        row[k] -= 1.0


@called
def shift(model, chain, tree, c):
    """Try to move one operator of component c anywhere between its neighbours of the same flavour."""
    beta, n = model.beta, chain.n_pairs[c]
    chain.counts[SHIFT, 0] += 1
    if n == 0:
        return
    pick = min(np.int64(random(chain.rng) * (2 * n)), 2 * n - 1)
    creates = pick < n
    k = pick if creates else pick - n
    t = chain.S[c, k] if creates else chain.E[c, k]
    f = chain.SF[c, k] if creates else chain.EF[c, k]
    after, _, _ = neighbours(model, chain, c, f, t)
    ahead = gap_before(model, chain, c, f, t)
    new = t + random(chain.rng) * (after + ahead) - ahead
    if new >= beta:
        new -= beta
    elif new < 0.0:
        new += beta
    if new == t or not (has_room(tree, chain, beta, t, 2) and has_room(tree, chain, beta, new, 2)):
        return
    M, fresh = chain.M[c], chain.row
    p = chain.phase[0] * 0.0
    if creates:
        for i in range(n):
            fresh[i] = F(model, f, chain.EF[c, i], chain.E[c, i] - new)
            p += M[k, i] * fresh[i]
    else:
        for j in range(n):
            fresh[j] = F(model, chain.SF[c, j], f, new - chain.S[c, j])
            p += fresh[j] * M[j, k]
    size = 0.0
    if model.spread[c] != 0.0:
        shift_terms(chain, M, n, k, creates, 1.0 / p)
        for j in range(n):
            for i in range(n):
                size += abs(M[j, i] + chain.v[j] * chain.w[i])
    begin(tree)
    o = take_out(tree, beta, t)
    odd = odd_between(tree, beta, t, new)
    put_in(tree, beta, new, o)
    if not accepted(model, chain, tree, (-p if odd else p) * gain(model, chain, c, size)):
        take_out(tree, beta, new)
        put_in(tree, beta, t, o)
        return
    chain.counts[SHIFT, 1] += 1
    chain.size[c] = size
    shift_terms(chain, M, n, k, creates, 1.0 / p)
    for j in range(n):
        x = chain.v[j]
        for i in range(n):
            M[j, i] += x * chain.w[i]
    if creates:
        chain.S[c, k] = new
    else:
        chain.E[c, k] = new


@called
def invert(matrix, inverse, order, n):
    """Gauss-Jordan inversion with complete pivoting, destroying `matrix`; returns ln|det| and the phase of det.

    Of a singular matrix the determinant times the inverse, which are the minors, is right: a pivot lost in rounding is
    taken as just that small. `order` (n,) is scratch.
    """
    log_det, phase = 0.0, matrix[0, 0] * 0.0 + 1.0
    least = 0.0
    for i in range(n):
        order[i] = i
        for j in range(n):
            inverse[i, j] = 1.0 if i == j else 0.0
    for c in range(n):
        row, column, largest = c, c, 0.0
        for i in range(c, n):
            for j in range(c, n):
                if abs(matrix[i, j]) > largest:
                    row, column, largest = i, j, abs(matrix[i, j])
        if c == 0:
            least = max(largest * 1e-17, 1e-300)
        if row != c:
            phase = -phase
            for j in range(n):
                matrix[c, j], matrix[row, j] = matrix[row, j], matrix[c, j]
                inverse[c, j], inverse[row, j] = inverse[row, j], inverse[c, j]
        if column != c:
            phase = -phase
            order[c], order[column] = order[column], order[c]
            for i in range(n):
                matrix[i, c], matrix[i, column] = matrix[i, column], matrix[i, c]
        value = matrix[c, c]
        if largest < least:
            value = value * 0.0 + least
        size = abs(value)
        phase *= value / size
        log_det += np.log(size)
        scale = 1.0 / value
        for j in range(n):
            matrix[c, j] *= scale
            inverse[c, j] *= scale
        for i in range(n):
            factor = matrix[i, c]
            if i != c:
                for j in range(n):
                    matrix[i, j] -= factor * matrix[c, j]
                    inverse[i, j] -= factor * inverse[c, j]
    for i in range(n):  # rows back to where their columns came from
        for j in range(n):
            matrix[order[i], j] = inverse[i, j]
    for i in range(n):
        for j in range(n):
            inverse[i, j] = matrix[i, j]
    return log_det, phase


@called
def inverse_from_scratch(model, S, E, SF, EF, n, matrix, inverse, order):
    """M of n pairs; returns ln|det F| and its phase."""
    for i in range(n):
        for j in range(n):
            matrix[i, j] = F(model, SF[j], EF[i], E[i] - S[j])
    return invert(matrix, inverse, order, n)


@inlined
def sum_of(M, n):
    """Σ|M_ji|."""
    total = 0.0
    for j in range(n):
        for i in range(n):
            total += abs(M[j, i])
    return total


@compiled
def refresh(model, chain):
    """Recompute all inverses; remember the largest relative deviation."""
    for c in range(len(chain.n_pairs)):
        n, fresh = chain.n_pairs[c], chain.inverse
        inverse_from_scratch(
            model, chain.S[c], chain.E[c], chain.SF[c], chain.EF[c], n, chain.matrix, fresh, chain.order
        )
        largest, deviation = 0.0, 0.0
        for j in range(n):
            for i in range(n):
                largest = max(largest, abs(fresh[j, i]))
                deviation = max(deviation, abs(fresh[j, i] - chain.M[c, j, i]))
                chain.M[c, j, i] = fresh[j, i]
        chain.size[c] = sum_of(chain.M[c], n)
        if n > 0:
            chain.deviation[0] = max(chain.deviation[0], deviation / largest)


@inlined
def rename(tree, perm):
    for leaf in range(tree.n_ops.shape[0]):
        for i in range(tree.n_ops[leaf]):
            o = tree.op[leaf, i]
            tree.op[leaf, i] = 2 * perm[o // 2] + o % 2


@called
def permute(model, chain, tree):
    """Try to hand all operators from flavour f to flavour perm[f]."""
    chain.counts[PERMUTE, 0] += 1
    k = 2 * min(np.int64(random(chain.rng) * (len(model.perms) // 2)), len(model.perms) // 2 - 1)
    if random(chain.rng) < 0.5:
        k += 1
    perm, back = model.perms[k], model.perms[k ^ 1]
    saved = chain.saved
    log_ratio, phase = 0.0, chain.phase[0] * 0.0 + 1.0
    for c in range(len(chain.n_pairs)):
        d, n = model.component[perm[model.members[c, 0]]], chain.n_pairs[c]
        saved.n_pairs[d] = n
        for q in range(n):
            saved.S[d, q], saved.E[d, q] = chain.S[c, q], chain.E[c, q]
            saved.SF[d, q], saved.EF[d, q] = perm[chain.SF[c, q]], perm[chain.EF[c, q]]
        old, old_phase = inverse_from_scratch(
            model, chain.S[c], chain.E[c], chain.SF[c], chain.EF[c], n, chain.matrix, chain.inverse, chain.order
        )
        new, new_phase = inverse_from_scratch(
            model, saved.S[d], saved.E[d], saved.SF[d], saved.EF[d], n, chain.matrix, saved.M[d], chain.order
        )
        log_ratio += new - old
        phase *= new_phase / old_phase
        saved.size[d] = sum_of(saved.M[d], n)
        log_ratio += np.log(1.0 + model.spread[d] * saved.size[d]) - np.log(1.0 + model.spread[c] * chain.size[c])
    if not log_ratio > -700.0:
        return
    begin(tree)
    rename(tree, perm)
    for leaf in range(tree.n_ops.shape[0]):
        touch(tree, leaf)
    if not accepted(model, chain, tree, phase * np.exp(min(log_ratio, 700.0))):
        rename(tree, back)
        return
    chain.counts[PERMUTE, 1] += 1
    for c in range(len(chain.n_pairs)):
        n = saved.n_pairs[c]
        chain.n_pairs[c], chain.size[c] = n, saved.size[c]
        for q in range(n):
            chain.S[c, q], chain.E[c, q] = saved.S[c, q], saved.E[c, q]
            chain.SF[c, q], chain.EF[c, q] = saved.SF[c, q], saved.EF[c, q]
            for r in range(n):
                chain.M[c, q, r] = saved.M[c, q, r]
