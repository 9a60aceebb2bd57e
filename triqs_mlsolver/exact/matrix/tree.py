# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
r"""The local trace of all operators in time order, as a tree of partial products, compiled with numba.

[0, β) is halved again and again; a leaf holds the operators of its stretch of time in order, a node the product of its
two halves. A node is, for each sector at its beginning, the sector at its end (−1: the product vanishes; few are left
where there are many operators), a bound of the product, and a matrix, which is computed when it is first asked for. An
update touches the nodes above one or two leaves; only sectors that survive the whole circle are ever multiplied, and
none where the bound decides (in the spirit of the lazy trace of Sémon, Yee, Haule, Tremblay, PRB 90, 075149). Each node
has two pages: the present one, and one for the update being tried, which is kept or forgotten.

Products stand in the order of time, the earliest first, acting on row vectors.
"""

from __future__ import annotations

from collections import namedtuple

import numpy as np

from ..segment.sweeps import called, compiled, inlined

#: Nodes are counted from the root 1; node k has the halves 2k and 2k + 1, the last n_leaves are the leaves.
#: time, op (n_leaves, room): operators of each leaf; n_ops (n_leaves,). page (n_nodes,): the present page. touched
#: (n_nodes,): number of the trial that touched the node last. By page, node and sector at the beginning: target; alive
#: and n_alive, the sectors that lead somewhere where there are operators; bound, the logarithm of what a product does
#: not exceed; product and bulk (2, n_nodes, n_states, largest sector), of the elements and of their moduli; known, the
#: version at which they were computed. version and empty (2, n_nodes). state (4,): number of the trial, leaves
#: touched, operators in all, survivors of large bound. Scratch: leaves (n_leaves + 8,), stack (64, 2), rows and full
#: (2, largest, largest), survivors (n_sectors + 1,).
Tree = namedtuple(
    "Tree",
    "time op n_ops page touched target alive n_alive bound product bulk known version empty state leaves stack rows "
    "full survivors",
)

TRIAL, N_TOUCHED, N_OPS, N_LEADING = range(4)
NEGLIGIBLE, LEADING = 32.0, 5.0  # logarithm of how much smaller the bound of a sector is that need not be added to the
# trace, or that is only added where those before do not decide


@inlined
def leaf_of(tree, beta, t):
    n = tree.n_ops.shape[0]
    return min(np.int64(t / beta * n), n - 1)


@inlined
def touch(tree, leaf):
    """Note that a leaf changes in this trial."""
    n = tree.n_ops.shape[0]
    if tree.touched[n + leaf] != tree.state[TRIAL]:
        tree.touched[n + leaf] = tree.state[TRIAL]
        tree.leaves[tree.state[N_TOUCHED]] = leaf
        tree.state[N_TOUCHED] += 1


@inlined
def put_in(tree, beta, t, o):
    """Put an operator at its place in time."""
    leaf = leaf_of(tree, beta, t)
    touch(tree, leaf)
    times, ops = tree.time[leaf], tree.op[leaf]
    i = tree.n_ops[leaf]
    while i > 0 and times[i - 1] > t:
        times[i], ops[i] = times[i - 1], ops[i - 1]
        i -= 1
    times[i], ops[i] = t, o
    tree.n_ops[leaf] += 1
    tree.state[N_OPS] += 1


@inlined
def take_out(tree, beta, t):
    """Take out the operator at time t; returns which one it was."""
    leaf = leaf_of(tree, beta, t)
    touch(tree, leaf)
    times, ops = tree.time[leaf], tree.op[leaf]
    i = 0
    while times[i] != t:
        i += 1
    o = ops[i]
    tree.n_ops[leaf] -= 1
    tree.state[N_OPS] -= 1
    for j in range(i, tree.n_ops[leaf]):
        times[j], ops[j] = times[j + 1], ops[j + 1]
    return o


@inlined
def begin(tree):
    tree.state[TRIAL] += 1
    tree.state[N_TOUCHED] = 0


@inlined
def page_of(tree, node):
    """The page to read: that of the trial where it touched the node."""
    return 1 - tree.page[node] if tree.touched[node] == tree.state[TRIAL] else tree.page[node]


@inlined
def keep(tree):
    """Make the trial the present."""
    n = tree.n_ops.shape[0]
    for k in range(tree.state[N_TOUCHED]):
        node = n + tree.leaves[k]
        while node > 0 and tree.touched[node] == tree.state[TRIAL]:
            tree.touched[node] = 0
            tree.page[node] = 1 - tree.page[node]
            node >>= 1


@inlined
def renew(tree, node):
    """Clear the trial's page of a node; returns which one it is."""
    page = 1 - tree.page[node]
    tree.version[page, node] += 1
    target = tree.target[page, node]
    if tree.empty[page, node]:
        for s in range(len(target)):
            target[s] = -1
    else:
        for k in range(tree.n_alive[page, node]):
            target[tree.alive[page, node, k]] = -1
    return page


@inlined
def fill_empty(local, tree, node, page, width):
    """Without operators every sector leads to itself; `width` is the stretch of time."""
    tree.empty[page, node] = True
    target = tree.target[page, node]
    for s in range(len(target)):
        target[s] = s
        tree.bound[page, node, s] = -local.least[s] * width


@inlined
def follow_leaf(local, beta, tree, leaf):
    """Where each sector leads to in the trial's page of a leaf, and how large the product can be."""
    node = tree.n_ops.shape[0] + leaf
    page = renew(tree, node)
    count = tree.n_ops[leaf]
    width = beta / tree.n_ops.shape[0]
    if count == 0:
        fill_empty(local, tree, node, page, width)
        return
    tree.empty[page, node] = False
    target, alive, bound, found = tree.target[page, node], tree.alive[page, node], tree.bound[page, node], 0
    times, ops, now = tree.time[leaf], tree.op[leaf], leaf * width
    for s in range(len(target)):
        end = local.link[ops[0], s]
        i = 1
        while i < count and end >= 0:
            end = local.link[ops[i], end]
            i += 1
        if end >= 0:
            target[s] = end
            alive[found] = s
            found += 1
            least = local.least[s] * (times[0] - now) + local.least[end] * (now + width - times[count - 1])
            middle, norm = s, local.norm[ops[0], s]
            for i in range(1, count):
                middle = local.link[ops[i - 1], middle]
                least += local.least[middle] * (times[i] - times[i - 1])
                norm += local.norm[ops[i], middle]
            bound[s] = norm - least
    tree.n_alive[page, node] = found


@inlined
def follow_node(local, tree, node, width):
    """The same for a node, from its two halves: only what the first leaves alive need be looked at."""
    page = renew(tree, node)
    p, q = page_of(tree, 2 * node), page_of(tree, 2 * node + 1)
    no_first, no_second = tree.empty[p, 2 * node], tree.empty[q, 2 * node + 1]
    if no_first and no_second:
        fill_empty(local, tree, node, page, width)
        return
    tree.empty[page, node] = False
    target, alive, bound, found = tree.target[page, node], tree.alive[page, node], tree.bound[page, node], 0
    before, after = tree.bound[p, 2 * node], tree.bound[q, 2 * node + 1]
    first, second = tree.target[p, 2 * node], tree.target[q, 2 * node + 1]
    if no_first:
        for k in range(tree.n_alive[q, 2 * node + 1]):
            s = tree.alive[q, 2 * node + 1, k]
            target[s] = second[s]
            bound[s] = before[s] + after[s]
            alive[found] = s
            found += 1
    else:
        for k in range(tree.n_alive[p, 2 * node]):
            s = tree.alive[p, 2 * node, k]
            end = second[first[s]]
            if end >= 0:
                target[s] = end
                bound[s] = before[s] + after[first[s]]
                alive[found] = s
                found += 1
    tree.n_alive[page, node] = found


@inlined
def follow(local, beta, tree):
    """Where sectors lead to in all nodes above the leaves touched; returns how many `survive` the circle."""
    n, trial = tree.n_ops.shape[0], tree.state[TRIAL]
    for k in range(tree.state[N_TOUCHED]):
        follow_leaf(local, beta, tree, tree.leaves[k])
    level = 1
    while n >> level > 0:
        for k in range(tree.state[N_TOUCHED]):
            node = (n + tree.leaves[k]) >> level
            if tree.touched[node] != trial:
                tree.touched[node] = trial
                follow_node(local, tree, node, beta * 2**level / n)
        level += 1
    return survive(tree)


@inlined
def survive(tree):
    """Find the sectors that the circle leads back to, those with the largest bounds first; returns how many they are.

    Those too small to count beside others are left out. How many have large bounds is left in `state`.
    """
    page = page_of(tree, 1)
    target, bound, count = tree.target[page, 1], tree.bound[page, 1], 0
    largest = -np.inf
    for s in range(len(target)):
        if target[s] == s:
            tree.survivors[count] = s
            count += 1
            largest = max(largest, bound[s])
    kept, leading = 0, 0
    for k in range(count):
        s = tree.survivors[k]
        if bound[s] > largest - NEGLIGIBLE:
            tree.survivors[kept] = s
            if bound[s] > largest - LEADING:
                tree.survivors[kept] = tree.survivors[leading]
                tree.survivors[leading] = s
                leading += 1
            kept += 1
    tree.state[N_LEADING] = leading
    return kept


@inlined
def largest_trace(local, tree, first, last):
    """What the trace over some survivors cannot exceed: dimensions times the slowest decay on the way."""
    bound, total = tree.bound[page_of(tree, 1), 1], 0.0
    for k in range(first, last):
        s = tree.survivors[k]
        total += (local.start[s + 1] - local.start[s]) * np.exp(bound[s])
    return total


@inlined
def multiply_leaf(local, beta, tree, leaf, page, s):
    """The product of one leaf from sector s."""
    n = tree.n_ops.shape[0]
    out = tree.product[page, n + leaf]
    width = beta / n
    now = leaf * width
    first, size = local.start[s], local.start[s + 1] - local.start[s]
    count = tree.n_ops[leaf]
    bulk = tree.bulk[page, n + leaf]
    if count == 0:
        for a in range(size):
            for b in range(size):
                out[first + a, b] = 0.0
                bulk[first + a, b] = 0.0
            out[first + a, a] = bulk[first + a, a] = np.exp(-local.energy[first + a] * width)
        return
    # before the first operator
    sector, here = s, size
    rows, spare = tree.rows[0], tree.rows[1]
    full, empty = tree.full[0], tree.full[1]
    o, t = tree.op[leaf, 0], tree.time[leaf, 0]
    sector = local.link[o, s]
    begin_out = local.start[sector]
    here = local.start[sector + 1] - begin_out
    for a in range(size):
        x = np.exp(-local.energy[first + a] * (t - now))
        for b in range(here):
            rows[a, b] = x * local.ladder[o, first + a, b]
            full[a, b] = x * abs(local.ladder[o, first + a, b])
    now = t
    for i in range(1, count):
        o, t = tree.op[leaf, i], tree.time[leaf, i]
        target = local.link[o, sector]
        there = local.start[target + 1] - local.start[target]
        for b in range(here):
            x = np.exp(-local.energy[begin_out + b] * (t - now))
            for a in range(size):
                rows[a, b] *= x
                full[a, b] *= x
        for a in range(size):
            for c in range(there):
                spare[a, c] = 0.0
                empty[a, c] = 0.0
            for b in range(here):
                x, y = rows[a, b], full[a, b]
                for c in range(there):
                    spare[a, c] += x * local.ladder[o, begin_out + b, c]
                    empty[a, c] += y * abs(local.ladder[o, begin_out + b, c])
        rows, spare = spare, rows
        full, empty = empty, full
        sector, here, now = target, there, t
        begin_out = local.start[sector]
    end = (leaf + 1) * width
    for b in range(here):
        x = np.exp(-local.energy[begin_out + b] * (end - now))
        for a in range(size):
            out[first + a, b] = rows[a, b] * x
            bulk[first + a, b] = full[a, b] * x


@inlined
def multiply(local, tree, node, page, s):
    """The product of the two halves of a node from sector s."""
    p, q = page_of(tree, 2 * node), page_of(tree, 2 * node + 1)
    first, size = local.start[s], local.start[s + 1] - local.start[s]
    middle = tree.target[p, 2 * node, s]
    begin_middle = local.start[middle]
    inner = local.start[middle + 1] - begin_middle
    end = tree.target[q, 2 * node + 1, middle]
    outer = local.start[end + 1] - local.start[end]
    left, right, out = tree.product[p, 2 * node], tree.product[q, 2 * node + 1], tree.product[page, node]
    before, after, bulk = tree.bulk[p, 2 * node], tree.bulk[q, 2 * node + 1], tree.bulk[page, node]
    if tree.empty[p, 2 * node]:
        for a in range(size):
            x = left[first + a, a]
            for c in range(outer):
                out[first + a, c] = x * right[begin_middle + a, c]
                bulk[first + a, c] = abs(x) * after[begin_middle + a, c]
    elif tree.empty[q, 2 * node + 1]:
        for c in range(outer):
            x = right[begin_middle + c, c]
            for a in range(size):
                out[first + a, c] = left[first + a, c] * x
                bulk[first + a, c] = before[first + a, c] * abs(x)
    else:
        for a in range(size):
            for c in range(outer):
                out[first + a, c] = 0.0
                bulk[first + a, c] = 0.0
            for b in range(inner):
                x, y = left[first + a, b], before[first + a, b]
                for c in range(outer):
                    out[first + a, c] += x * right[begin_middle + b, c]
                    bulk[first + a, c] += y * after[begin_middle + b, c]


@called
def trace(local, beta, tree, first, last):
    """The trace over some of the survivors, and that of the moduli of all matrix elements, which cannot cancel."""
    n = tree.n_ops.shape[0]
    total, uncancelled = tree.product[0, 0, 0, 0] * 0.0, 0.0
    for k in range(first, last):
        s0 = tree.survivors[k]
        depth = 1
        tree.stack[0, 0], tree.stack[0, 1] = 1, s0
        while depth > 0:
            node, s = tree.stack[depth - 1, 0], tree.stack[depth - 1, 1]
            page = page_of(tree, node)
            if tree.known[page, node, s] == tree.version[page, node]:
                depth -= 1
            elif node >= n:
                multiply_leaf(local, beta, tree, node - n, page, s)
                tree.known[page, node, s] = tree.version[page, node]
                depth -= 1
            else:
                p = page_of(tree, 2 * node)
                if tree.known[p, 2 * node, s] != tree.version[p, 2 * node]:
                    tree.stack[depth, 0], tree.stack[depth, 1] = 2 * node, s
                    depth += 1
                    continue
                middle = tree.target[p, 2 * node, s]
                q = page_of(tree, 2 * node + 1)
                if tree.known[q, 2 * node + 1, middle] != tree.version[q, 2 * node + 1]:
                    tree.stack[depth, 0], tree.stack[depth, 1] = 2 * node + 1, middle
                    depth += 1
                    continue
                multiply(local, tree, node, page, s)
                tree.known[page, node, s] = tree.version[page, node]
                depth -= 1
        product, bulk = tree.product[page_of(tree, 1), 1], tree.bulk[page_of(tree, 1), 1]
        for a in range(local.start[s0 + 1] - local.start[s0]):
            total += product[local.start[s0] + a, a]
            uncancelled += bulk[local.start[s0] + a, a]
    return total, uncancelled


@compiled
def rebuild(local, beta, tree):
    """All nodes from the operators in the leaves; returns what `trace` returns."""
    begin(tree)
    n = tree.n_ops.shape[0]
    for leaf in range(n):
        tree.leaves[0] = leaf
        tree.state[N_TOUCHED] = 1
        tree.touched[n + leaf] = tree.state[TRIAL]
        count = follow(local, beta, tree)
        keep(tree)
        begin(tree)
    return trace(local, beta, tree, 0, count)
