# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
r"""The sampling loop and the measurements of the matrix CT-HYB solver, compiled with numba.

G and K, the correlator of [c, H_loc] in place of c, follow from all elements of the inverse matrices,

.. math::
    G_{ab}(\tau) = -\frac1\beta \Big\langle \sum_{ij} M_{ji}\,\delta(\tau, E_i - S_j)\Big\rangle, \qquad
    K_{ab}(\tau) = -\frac1\beta \Big\langle \sum_{ij} k_i\, M_{ji}\,\delta(\tau, E_i - S_j)\Big\rangle,

k_i being the ratio of the local trace with [c, H_loc] at E_i to that sampled (Hafermann, Patton, Werner, PRB 85,
205106, for any interaction). The same is measured with [H_loc, c†] at S_j, equal on average to the Hermitian
conjugate. The reduced density matrix is the average over all times of the circle, integrated between operators exactly.
"""

from __future__ import annotations

import sys
from collections import namedtuple
from importlib.util import resolve_name

import numpy as np

from ..segment.kernel import N_MOMENTS, collect
from ..segment.sweeps import called, compiled, inlined, random
from .moves import (
    double_insert,
    double_remove,
    far_insert,
    far_remove,
    insert,
    inverse_from_scratch,
    permute,
    refresh,
    remove,
    sampled_trace,
    shift,
)
from .tree import N_OPS, begin, survive

_COMPILED = (".kernel", ".moves", ".tree", "..segment.kernel", "..segment.sweeps")
SOURCES = tuple(sys.modules[resolve_name(name, __package__)] for name in _COMPILED)  # of the compiled code

#: Sums over one bin. cells (n_entries, n_cells, 2 N_MOMENTS): moments of G, then of K. entry (N, N): where G_ab is.
#: rho (n_states, largest). weight (2,): and its magnitude. histogram (n_blocks + 1, n_histogram): perturbation orders
#: of each block and of all together; block (N,): of which flavour. blocks (2, n_levels, 4): logarithmic binning
#: (`collect`) of order and local energy times β.
Sums = namedtuple("Sums", "cells entry rho weight histogram block blocks")

#: model: `moves.Model` with the problem's own hybridisation. added (n_components,): whether another one is sampled.
Target = namedtuple("Target", "model added")

#: Operators in time order: time, op, ratio (k of each), sector before each; right (room + 1, largest, largest):
#: products up to each gap. Scratch: left, spare (largest, largest), kL and kR (room,).
Sweep = namedtuple("Sweep", "time op ratio sector right left spare kL kR")


@inlined
def gap_integral(Em, El, width):
    """∫₀^w exp(−Em x − El (w − x)) dx."""
    d = (Em - El) * width
    if abs(d) < 1e-6:
        return width * np.exp(-0.5 * (Em + El) * width)
    return (np.exp(-El * width) - np.exp(-Em * width)) / (Em - El)


@called
def sweep_operators(model, chain, tree, sweep, rho, weight):
    """k of each operator, and the density matrix times `weight` and β added to `rho`; returns the energy times β."""
    beta, n = model.beta, 0
    for leaf in range(tree.n_ops.shape[0]):
        for i in range(tree.n_ops[leaf]):
            sweep.time[n], sweep.op[n] = tree.time[leaf, i], tree.op[leaf, i]
            sweep.ratio[n] = chain.trace[0] * 0.0
            n += 1
    begin(tree)
    start, E, ladder = model.start, model.energy, model.ladder
    total = chain.trace[0] * 0.0 + sampled_trace(model, abs(chain.trace[0]), chain.bulk[0])
    energy = 0.0
    for k in range(survive(tree)):
        s0 = tree.survivors[k]
        size = start[s0 + 1] - start[s0]
        sector = s0
        sweep.sector[0] = s0
        right = sweep.right[0]
        for a in range(size):
            for m in range(size):
                right[a, m] = 1.0 if a == m else 0.0
        for i in range(n):
            o = sweep.op[i]
            width = sweep.time[i] - (sweep.time[i - 1] if i > 0 else 0.0)
            after = model.link[o, sector]
            first, here, there = start[sector], start[sector + 1] - start[sector], start[after + 1] - start[after]
            right, new = sweep.right[i], sweep.right[i + 1]
            for a in range(size):
                for l in range(there):
                    new[a, l] = total * 0.0
            for m in range(here):
                x = np.exp(-E[first + m] * width)
                for a in range(size):
                    y = right[a, m] * x
                    for l in range(there):
                        new[a, l] += y * ladder[o, first + m, l]
            sector = after
            sweep.sector[i + 1] = sector
        # now backwards: left (states of the gap, states of s0) begins with the operator that ends the gap
        left, spare = sweep.left, sweep.spare
        for l in range(size):
            for a in range(size):
                left[l, a] = 1.0 if a == l else 0.0
        for i in range(n, -1, -1):
            sector = sweep.sector[i]
            first, here = start[sector], start[sector + 1] - start[sector]
            width = (sweep.time[i] if i < n else beta) - (sweep.time[i - 1] if i > 0 else 0.0)
            right = sweep.right[i]
            for m in range(here):
                for l in range(here):
                    y = total * 0.0
                    for a in range(size):
                        y += left[l, a] * right[a, m]
                    y *= gap_integral(E[first + m], E[first + l], width) / total
                    rho[first + m, l] += weight * y
                    if m == l:
                        energy += abs(y) * E[first + m]
            if i == 0:
                break
            # through the gap, then the operator i − 1
            for l in range(here):
                x = np.exp(-E[first + l] * width)
                for a in range(size):
                    left[l, a] *= x
            o, earlier = sweep.op[i - 1], sweep.sector[i - 1]
            before, there = start[earlier], start[earlier + 1] - start[earlier]
            width = sweep.time[i - 1] - (sweep.time[i - 2] if i > 1 else 0.0)
            right = sweep.right[i - 1]
            direction = 1.0 if o % 2 == 0 else -1.0
            ratio = total * 0.0
            for m in range(there):
                for a in range(size):
                    spare[m, a] = total * 0.0
                for l in range(here):
                    x = ladder[o, before + m, l]
                    for a in range(size):
                        spare[m, a] += x * left[l, a]
                x = np.exp(-E[before + m] * width)
                for l in range(here):
                    y = total * 0.0
                    for a in range(size):
                        y += left[l, a] * right[a, m]
                    ratio += y * x * ladder[o, before + m, l] * (E[before + m] - E[first + l])
            sweep.ratio[i - 1] += direction * ratio / total
            left, spare = spare, left
    return energy


@inlined
def place_of(times, n, t):
    """Number of the operator at time t."""
    low, high = 0, n
    while high - low > 1:
        middle = (low + high) // 2
        if times[middle] <= t:
            low = middle
        else:
            high = middle
    return low


@inlined
def add_moments(cell, offset, u, value):
    cell[offset] += value
    cell[offset + 1] += value * u
    u2 = u * u
    cell[offset + 2] += value * u2
    cell[offset + 3] += value * u * u2


@called
def measure_green(model, chain, tree, sums, sweep, c, M, weight, traced):
    """Add the elements of the inverse matrix M of component c to the cells; `traced` is the weight with the trace."""
    beta, n, n_ops = model.beta, chain.n_pairs[c], tree.state[N_OPS]
    half = sums.cells.shape[1] // 2
    scale = half * np.sqrt(2.0)
    S, E = chain.S[c], chain.E[c]
    for i in range(n):
        sweep.kL[i] = sweep.ratio[place_of(sweep.time, n_ops, E[i])]
        sweep.kR[i] = sweep.ratio[place_of(sweep.time, n_ops, S[i])]
    for j in range(n):
        b = chain.SF[c, j]
        for i in range(n):
            a = chain.EF[c, i]
            x = (E[i] - S[j]) / beta
            value, whole = M[j, i] * traced, M[j, i] * weight
            if x < 0.0:
                x += 1.0
                value, whole = -value, -whole
            mirrored = x > 0.5
            y = np.sqrt(1.0 - x if mirrored else x) * scale
            k = min(np.int64(y), half - 1)
            u = (y - k) * 2.0 - 1.0
            if mirrored:
                k += half
            cell = sums.cells[sums.entry[a, b], k]
            add_moments(cell, 0, u, value)
            if a == b:
                add_moments(cell, N_MOMENTS, u, 0.5 * (whole * sweep.kL[i] + np.conj(whole * sweep.kR[j])))
            else:
                add_moments(cell, N_MOMENTS, u, 0.5 * whole * sweep.kL[i])
                other = sums.cells[sums.entry[b, a], k]
                add_moments(other, N_MOMENTS, u, 0.5 * np.conj(whole * sweep.kR[j]))


@compiled
def relative_weight(model, target, chain):
    """Leave the inverses of the problem's own matrices in `chain.saved.M`; returns their weight over the sampled one.

    Only those of components whose hybridisation was added to, see `segment.reweight`. The weight is what is left of it
    without what is sampled for the sake of the minors, see `moves`.
    """
    log_ratio, phase = 0.0, chain.phase[0] * 0.0 + 1.0
    for c in range(len(chain.n_pairs)):
        if target.added[c]:
            S, E, SF, EF, n = chain.S[c], chain.E[c], chain.SF[c], chain.EF[c], chain.n_pairs[c]
            sampled, sampled_phase = inverse_from_scratch(
                model, S, E, SF, EF, n, chain.matrix, chain.inverse, chain.order
            )
            log_det, own_phase = inverse_from_scratch(
                target.model, S, E, SF, EF, n, chain.matrix, chain.saved.M[c], chain.order
            )
            log_ratio += log_det - sampled
            phase *= own_phase / sampled_phase
        log_ratio -= np.log(1.0 + model.spread[c] * chain.size[c])
    return phase * np.exp(log_ratio)


@called
def measure(model, target, chain, tree, sums, sweep):
    """All measurements of one configuration."""
    weight = chain.phase[0] * relative_weight(model, target, chain)
    traced = weight * (chain.trace[0] / sampled_trace(model, abs(chain.trace[0]), chain.bulk[0]))
    sums.weight[0] += traced.real
    sums.weight[1] += abs(traced)
    energy = sweep_operators(model, chain, tree, sweep, sums.rho, weight)
    order, top = 0, sums.histogram.shape[1] - 1
    for c in range(len(chain.n_pairs)):
        order += chain.n_pairs[c]
        M = chain.saved.M[c] if target.added[c] else chain.M[c]
        measure_green(model, chain, tree, sums, sweep, c, M, weight, traced)
    for b in range(sums.histogram.shape[0] - 1):
        in_block = 0
        for c in range(len(chain.n_pairs)):
            if sums.block[model.members[c, 0]] == b:
                in_block += chain.n_pairs[c]
        sums.histogram[b, min(in_block, top)] += traced.real
    sums.histogram[-1, min(order, top)] += traced.real
    collect(sums.blocks, 0, float(order))
    collect(sums.blocks, 1, energy)


@compiled
def run(model, target, chain, tree, sums, sweep, position, n_cycles, length_cycle, shares, measuring):
    """Run `n_cycles` cycles of `length_cycle` updates, each followed by a measurement if `measuring`.

    `shares` (3,): cumulative shares of far moves, double moves and shifts among the updates; the rest are insertions
    and removals between neighbours. Returns False where arrays are full: enlarge them and call again.
    """
    n_flavours, n_components = len(model.component), len(chain.n_pairs)
    n_max, room = chain.S.shape[1], sweep.time.shape[0]
    done = position[2]
    for cycle in range(position[0], n_cycles):
        for update in range(position[1], length_cycle):
            largest = 0
            for c in range(n_components):
                largest = max(largest, chain.n_pairs[c])
            if largest + 2 > n_max or tree.state[N_OPS] + 4 > room or chain.full[0] != 0:
                position[0], position[1], position[2] = cycle, update, done
                return False
            kind = random(chain.rng)
            c = min(np.int64(random(chain.rng) * n_components), n_components - 1)
            adding = random(chain.rng) < 0.5
            if kind < shares[0]:
                if adding:
                    far_insert(model, chain, tree, c)
                else:
                    far_remove(model, chain, tree, c)
            elif kind < shares[1]:
                d = min(np.int64(random(chain.rng) * (n_components - 1)), n_components - 2)
                d += d >= c
                if adding:
                    double_insert(model, chain, tree, c, d)
                else:
                    double_remove(model, chain, tree, c, d)
            elif kind < shares[2]:
                shift(model, chain, tree, c)
            else:
                f = min(np.int64(random(chain.rng) * n_flavours), n_flavours - 1)
                if adding:
                    insert(model, chain, tree, f)
                else:
                    remove(model, chain, tree, f)
            done += 1
            if done % 200 == 0 and len(model.perms) > 0:
                permute(model, chain, tree)
            if done % 10000 == 0:
                refresh(model, chain)
        position[1] = 0
        if measuring:
            measure(model, target, chain, tree, sums, sweep)
    position[0], position[1], position[2] = 0, 0, done
    return True
