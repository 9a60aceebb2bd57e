# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
r"""The local trace of all operators in time order, as a tree of partial products, compiled with numba.

[0, β) is halved again and again; a leaf holds the operators of its stretch of time in order, a node the product of its
two halves. A node is a map from the sector at its beginning to that at its end (−1: the product vanishes) and, for each
sector at its beginning, a matrix that is computed when it is first asked for. An update touches the nodes above one or
two leaves, and only sectors that survive the whole circle are ever multiplied (in the spirit of the lazy trace of
Sémon, Yee, Haule, Tremblay, PRB 90, 075149). Each node has two pages: the present one, and one for the update being
tried, which is kept or forgotten.

Products stand in the order of time, the earliest first, acting on row vectors.
"""

from __future__ import annotations

from collections import namedtuple

import numpy as np

from ..segment.sweeps import called, compiled, inlined

#: Nodes are counted from the root 1; node k has the halves 2k and 2k + 1, the last n_leaves are the leaves.
#: time, op (n_leaves, room): operators of each leaf; n_ops (n_leaves,). page (n_nodes,): the present page. touched
#: (n_nodes,): number of the trial that touched the node last. target (2, n_nodes, n_sectors); product (2, n_nodes,
#: n_states, largest sector); known (2, n_nodes, n_sectors): version at which it was computed; version, empty (2,
#: n_nodes). state (3,): number of the trial, leaves touched, operators in all. Scratch: leaves (8,), stack (64, 2),
#: rows (2, largest, largest), survivors (n_sectors + 1,).
Tree = namedtuple(
    "Tree",
    "time op n_ops page touched target product known version empty state leaves stack rows survivors",
)

TRIAL, N_TOUCHED, N_OPS = range(3)


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
def follow(local, tree):
    """Sector maps of all nodes above the leaves touched; returns the number of sectors that survive the circle."""
    n, trial = tree.n_ops.shape[0], tree.state[TRIAL]
    n_sectors = local.link.shape[1]
    for k in range(tree.state[N_TOUCHED]):
        leaf = tree.leaves[k]
        node = n + leaf
        page = 1 - tree.page[node]
        tree.version[page, node] += 1
        tree.empty[page, node] = tree.n_ops[leaf] == 0
        target = tree.target[page, node]
        for s in range(n_sectors):
            target[s] = s
        for i in range(tree.n_ops[leaf]):
            link = local.link[tree.op[leaf, i]]
            for s in range(n_sectors):
                if target[s] >= 0:
                    target[s] = link[target[s]]
    level = 1
    while n >> level > 0:
        for k in range(tree.state[N_TOUCHED]):
            node = (n + tree.leaves[k]) >> level
            if tree.touched[node] == trial:
                continue
            tree.touched[node] = trial
            page = 1 - tree.page[node]
            tree.version[page, node] += 1
            first, second = page_of(tree, 2 * node), page_of(tree, 2 * node + 1)
            tree.empty[page, node] = tree.empty[first, 2 * node] and tree.empty[second, 2 * node + 1]
            target, a, b = tree.target[page, node], tree.target[first, 2 * node], tree.target[second, 2 * node + 1]
            for s in range(n_sectors):
                middle = a[s]
                target[s] = b[middle] if middle >= 0 else -1
        level += 1
    target = tree.target[page_of(tree, 1), 1]
    count = 0
    for s in range(n_sectors):
        if target[s] == s:
            tree.survivors[count] = s
            count += 1
    return count


@inlined
def multiply_leaf(local, beta, tree, leaf, page, s):
    """The product of one leaf from sector s."""
    n = tree.n_ops.shape[0]
    out = tree.product[page, n + leaf]
    width = beta / n
    now = leaf * width
    first, size = local.start[s], local.start[s + 1] - local.start[s]
    count = tree.n_ops[leaf]
    if count == 0:
        for a in range(size):
            for b in range(size):
                out[first + a, b] = 0.0
            out[first + a, a] = np.exp(-local.energy[first + a] * width)
        return
    # before the first operator
    sector, here = s, size
    rows, spare = tree.rows[0], tree.rows[1]
    o, t = tree.op[leaf, 0], tree.time[leaf, 0]
    sector = local.link[o, s]
    begin_out = local.start[sector]
    here = local.start[sector + 1] - begin_out
    for a in range(size):
        x = np.exp(-local.energy[first + a] * (t - now))
        for b in range(here):
            rows[a, b] = x * local.ladder[o, first + a, b]
    now = t
    for i in range(1, count):
        o, t = tree.op[leaf, i], tree.time[leaf, i]
        target = local.link[o, sector]
        there = local.start[target + 1] - local.start[target]
        for b in range(here):
            x = np.exp(-local.energy[begin_out + b] * (t - now))
            for a in range(size):
                rows[a, b] *= x
        for a in range(size):
            for c in range(there):
                spare[a, c] = 0.0
            for b in range(here):
                x = rows[a, b]
                for c in range(there):
                    spare[a, c] += x * local.ladder[o, begin_out + b, c]
        rows, spare = spare, rows
        sector, here, now = target, there, t
        begin_out = local.start[sector]
    end = (leaf + 1) * width
    for b in range(here):
        x = np.exp(-local.energy[begin_out + b] * (end - now))
        for a in range(size):
            out[first + a, b] = rows[a, b] * x


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
    if tree.empty[p, 2 * node]:
        for a in range(size):
            x = left[first + a, a]
            for c in range(outer):
                out[first + a, c] = x * right[begin_middle + a, c]
    elif tree.empty[q, 2 * node + 1]:
        for c in range(outer):
            x = right[begin_middle + c, c]
            for a in range(size):
                out[first + a, c] = left[first + a, c] * x
    else:
        for a in range(size):
            for c in range(outer):
                out[first + a, c] = 0.0
            for b in range(inner):
                x = left[first + a, b]
                for c in range(outer):
                    out[first + a, c] += x * right[begin_middle + b, c]


@called
def trace(local, beta, tree, n_survivors):
    """The trace over the first `n_survivors` of the survivors."""
    n = tree.n_ops.shape[0]
    total = tree.product[0, 0, 0, 0] * 0.0
    for k in range(n_survivors):
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
        product = tree.product[page_of(tree, 1), 1]
        first = local.start[s0]
        for a in range(local.start[s0 + 1] - first):
            total += product[first + a, a]
    return total


@compiled
def rebuild(local, beta, tree):
    """All nodes from the operators in the leaves; returns the trace."""
    begin(tree)
    n = tree.n_ops.shape[0]
    for leaf in range(n):
        tree.leaves[0] = leaf
        tree.state[N_TOUCHED] = 1
        tree.touched[n + leaf] = tree.state[TRIAL]
        count = follow(local, tree)
        keep(tree)
        begin(tree)
    return trace(local, beta, tree, count)
