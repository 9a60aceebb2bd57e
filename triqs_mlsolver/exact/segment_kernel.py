# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
r"""The sampling loop and the measurements of the segment-picture CT-HYB solver, compiled with numba.

G and F = Σ G (improved estimator, Hafermann, Patton, Werner, PRB 85, 205106) are measured from all elements of the inverse
matrices,

.. math::
    G_f(\tau) = -\frac1\beta \Big\langle \sum_{ij} M_{ji}\,\delta(\tau, E_i - S_j)\Big\rangle, \qquad
    F_f(\tau) = -\frac1\beta \Big\langle \sum_{ij} M_{ji}\,\delta(\tau, E_i - S_j)\,
    \tfrac12\sum_g U_{fg}\,[n_g(E_i) + n_g(S_j)] \Big\rangle,

where taking n_g at both operators, equal on average, lowers the noise. The elements are collected as moments 1, u, …, u⁷ in
the cells of a mesh that is uniform in y = sqrt(τ/β) on [0, β/2] and mirrored beyond. There P_l oscillates evenly, so that a
polynomial of degree 7 per cell carries every Legendre polynomial of interest to 1e-9 and no recursion runs inside the loop.
"""

from __future__ import annotations

from collections import namedtuple

import numpy as np

from .segment_global import permute, recast, refresh
from .segment_moves import compiled, flip, insert, occupation, random, remove, shift
from .segment_reweight import reweight

N_MOMENTS = 8

#: Sums over one bin. cells: (N, n_cells, 2, 8) moments of G and F. nn: (N, N). histogram: (N, n_histogram) perturbation orders.
#: weight: (2,) and its magnitude. blocks: (2 + N, n_levels, 4): logarithmic binning (see `collect`) of the total order, the interaction energy
#: times β, and the length of each flavour. interaction: (2, n_max) scratch.
Sums = namedtuple("Sums", "cells nn histogram weight blocks interaction")

PERMUTE_EVERY, REFRESH_EVERY = 8, 10000  # updates


@compiled
def measure_green(model, chain, sums, f, M, weight):
    """Add the elements of the inverse matrix M of flavour f to the cells."""
    beta, q = model.beta, chain.slot[f]
    n, S, E = chain.n_pairs[q], chain.S[q], chain.E[q]
    at_start, at_end = sums.interaction[0], sums.interaction[1]
    for i in range(n):
        at_start[i] = 0.0
        at_end[i] = 0.0
    for g in range(len(chain.slot)):
        u = 0.5 * model.U[f, g]
        if g != f and u != 0.0:
            r = chain.slot[g]
            m, n0, Sg, Eg = chain.n_pairs[r], chain.n0[r], chain.S[r], chain.E[r]
            for i in range(n):
                at_start[i] += u * occupation(Sg, Eg, m, n0, S[i])
                at_end[i] += u * occupation(Sg, Eg, m, n0, E[i])
    cells = sums.cells[f]
    half = cells.shape[0] // 2
    scale = half * np.sqrt(2.0)
    for j in range(n):
        Mj, s, us = M[j], S[j], at_start[j]
        for i in range(n):
            value = Mj[i] * weight
            x = (E[i] - s) / beta
            if x < 0.0:
                x += 1.0
                value = -value
            mirrored = x > 0.5
            y = np.sqrt(1.0 - x if mirrored else x) * scale
            c = min(np.int64(y), half - 1)
            u = 2.0 * (y - c) - 1.0
            cell = cells[c + half if mirrored else c]
            energy = us + at_end[i]
            power = value
            for m in range(N_MOMENTS):
                cell[0, m] += power
                cell[1, m] += power * energy
                power *= u


@compiled
def collect(blocks, observable, value):
    """Add one value to the logarithmic binning analysis (Flyvbjerg and Petersen, J. Chem. Phys. 91, 461).

    blocks[observable, level] = number of blocks, sum of block means, sum of their squares, pending block mean. A pending
    value is there where the number of blocks is odd.
    """
    for level in range(blocks.shape[1]):
        b = blocks[observable, level]
        b[0] += 1.0
        b[1] += value
        b[2] += value * value
        if b[0] % 2.0 == 1.0:
            b[3] = value
            return
        value = 0.5 * (value + b[3])


@compiled
def measure(model, target, chain, sums):
    """All measurements of one configuration."""
    weight = chain.sign[0] * reweight(target, model, chain)
    sums.weight[0] += weight
    sums.weight[1] += abs(weight)
    n_flavours, top = len(chain.slot), sums.histogram.shape[1] - 1
    order, energy = 0, 0.0
    for f in range(n_flavours):
        q = chain.slot[f]
        order += chain.n_pairs[q]
        sums.histogram[f, min(chain.n_pairs[q], top)] += weight
        sums.nn[f, f] += weight * chain.length[q]
        collect(sums.blocks, 2 + f, chain.length[q])
        for g in range(f):
            overlap = chain.overlap[q, chain.slot[g]]
            energy += model.U[f, g] * overlap
            sums.nn[f, g] += weight * overlap
            sums.nn[g, f] = sums.nn[f, g]
        M = chain.spare_M[f] if target.added[model.delta_class[f]] else chain.M[q]
        measure_green(model, chain, sums, f, M, weight)
    collect(sums.blocks, 0, order)
    collect(sums.blocks, 1, energy)


@compiled
def run(model, target, chain, sums, position, n_cycles, length_cycle, recast_every, measuring):
    """Run `n_cycles` cycles of `length_cycle` updates, each followed by a measurement if `measuring`.

    The moves that change whole determinants are tried every `recast_every` updates.

    Returns False where a flavour fills its arrays: enlarge them and call again. `position` (3,) says where to go on: cycle,
    update within it, updates done so far in this chain.
    """
    n_flavours, n_max = len(chain.slot), chain.S.shape[1]
    done = position[2]
    for cycle in range(position[0], n_cycles):
        for update in range(position[1], length_cycle):
            f = min(np.int64(random(chain.rng) * n_flavours), n_flavours - 1)
            n_pairs = chain.n_pairs[chain.slot[f]]
            if n_pairs == n_max:
                position[0], position[1], position[2] = cycle, update, done
                return False
            kind = random(chain.rng)
            if kind < 0.35:
                insert(model, chain, f)
            elif n_pairs == 0:
                flip(model, chain, f)
            elif kind < 0.7:
                remove(model, chain, f)
            else:
                shift(model, chain, f)
            done += 1
            if done % PERMUTE_EVERY == 0 and len(model.perms) > 0:
                permute(model, chain)
            if done % recast_every == 0:
                recast(model, chain)
            if done % REFRESH_EVERY == 0:
                refresh(model, chain)
        position[1] = 0
        if measuring:
            measure(model, target, chain, sums)
    position[0], position[1], position[2] = 0, 0, done
    return True
