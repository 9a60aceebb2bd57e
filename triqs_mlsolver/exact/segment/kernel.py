# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
r"""The sampling loop and the measurements of the segment-picture CT-HYB solver, compiled with numba.

G and F = Σ G (improved estimator, Hafermann, Patton, Werner, PRB 85, 205106) are measured from all elements of the
inverse matrices,

.. math::
    G_f(\tau) = -\frac1\beta \Big\langle \sum_{ij} M_{ji}\,\delta(\tau, E_i - S_j)\Big\rangle, \qquad
    F_f(\tau) = -\frac1\beta \Big\langle \sum_{ij} M_{ji}\,\delta(\tau, E_i - S_j)\,
    \tfrac12\sum_g U_{fg}\,[n_g(E_i) + n_g(S_j)] \Big\rangle,

where taking n_g at both operators, equal on average, lowers the noise. The elements are collected as moments 1, u, u²,
u³ in the cells of a mesh that is uniform in y = sqrt(τ/β) on [0, β/2] and mirrored beyond. There P_l oscillates evenly,
so that a cubic per cell carries all Legendre polynomials measured to 3e-6, and no recursion runs inside the loop.
"""

from __future__ import annotations

import sys
from collections import namedtuple

import numpy as np

from .bare import learn, pair_of_bare
from .global_moves import permute, recast, refresh
from .moves import flip, insert, remove, shift
from .reweight import reweight
from .sweeps import called, compiled, random, steps_before
from .vectors import sweep

N_MOMENTS = 4
_COMPILED = ("kernel", "bare", "global_moves", "moves", "reweight", "sweeps", "vectors")
SOURCES = tuple(sys.modules[f"{__package__}.{name}"] for name in _COMPILED)  # of the compiled code

#: Sums over one bin. cells: (N, n_cells, 8) moments of G, then of F. nn: (N, N). histogram: (n_blocks + 1, n_histogram)
#: perturbation orders of each block and of all together; block: (N,) of which flavour. weight: (2,) and its magnitude.
#: blocks: (2 + N, n_levels, 4): logarithmic binning (`collect`) of total order, the interaction energy times β, and the
#: length of each flavour. interaction: (2, n_max) scratch.
Sums = namedtuple("Sums", "cells nn histogram block weight blocks interaction")

PAIR = 0.35  # of the updates are insertions, as many removals
PERMUTE_EVERY, REFRESH_EVERY = 32, 10000  # updates


@sweep("store", 4)
def place(E, s, per_beta, scale, half, elements, weight, at_start, at_end):
    """Of the elements of one row: coordinate −1 … 1 within a cell, value, value times energy, and which cell."""
    x = (E - s) * per_beta
    wrapped = x < 0.0
    x = wrapped.where(x + 1.0, x)
    value = elements * wrapped.where(-1.0 * weight, weight)
    mirrored = x <= 0.5
    y = mirrored.where(x, 1.0 - x).sqrt() * scale
    cell = y.whole().real()
    cell = (cell < half).where(cell, half - 1.0)
    number = mirrored.where(cell, cell + half)
    return (y - cell) * 2.0 - 1.0, value, value * (at_start + at_end), number.whole()


@called
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
                at_start[i] += u * (n0 + steps_before(Sg, Eg, S[i], m))
                at_end[i] += u * (n0 + steps_before(Sg, Eg, E[i], m))
    cells = sums.cells[f]
    half = cells.shape[0] // 2
    scale, per_beta = half * np.sqrt(2.0), 1.0 / beta
    position, values, weights, index = chain.work[0], chain.work[1], chain.work[2], chain.index
    for j in range(n):
        Mj, s, us = M[j], S[j], at_start[j]
        place(position, values, weights, index, E, s, per_beta, scale, half, Mj, weight, us, at_end, n)
        for i in range(n):
            cell, u, value, weighted = cells[index[i]], position[i], values[i], weights[i]
            u2 = u * u
            cell[0] += value
            cell[1] += value * u
            cell[2] += value * u2
            cell[3] += value * u * u2
            cell[4] += weighted
            cell[5] += weighted * u
            cell[6] += weighted * u2
            cell[7] += weighted * u * u2


@compiled
def collect(blocks, observable, value):
    """Add one value to the logarithmic binning analysis (Flyvbjerg and Petersen, J. Chem. Phys. 91, 461).

    blocks[observable, level] = number of blocks, sum of block means, sum of their squares, pending block mean. A
    pending value is there where the number of blocks is odd.
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


@called
def measure(model, target, chain, sums):
    """All measurements of one configuration."""
    weight = reweight(target, model, chain)
    for f in range(len(chain.slot)):
        weight *= chain.sign[f]
    bare = pair_of_bare(model, chain)
    if bare >= 0:  # a measurement of its G alone
        measure_green(model, chain, sums, bare, chain.M[chain.slot[bare]], weight)
        weight = 0.0
    sums.weight[0] += weight
    sums.weight[1] += abs(weight)
    n_flavours, top = len(chain.slot), sums.histogram.shape[1] - 1
    order, in_block, energy = 0, 0, 0.0
    for f in range(n_flavours):
        q = chain.slot[f]
        order += chain.n_pairs[q]
        in_block += chain.n_pairs[q]
        if f + 1 == n_flavours or sums.block[f + 1] != sums.block[f]:
            sums.histogram[sums.block[f], min(in_block, top)] += weight
            in_block = 0
        sums.nn[f, f] += weight * chain.length[q]
        collect(sums.blocks, 2 + f, chain.length[q])
        for g in range(f):
            overlap = chain.overlap[q, chain.slot[g]]
            energy += model.U[f, g] * overlap
            sums.nn[f, g] += weight * overlap
            sums.nn[g, f] = sums.nn[f, g]
        if bare >= 0:
            continue
        M = chain.spare_M[f] if target.added[model.delta_class[f]] else chain.M[q]
        measure_green(model, chain, sums, f, M, weight)
    sums.histogram[-1, min(order, top)] += weight
    collect(sums.blocks, 0, order)
    collect(sums.blocks, 1, energy)


@compiled
def run(model, target, chain, sums, position, n_cycles, length_cycle, recast_every, measuring):
    """Run `n_cycles` cycles of `length_cycle` updates, each followed by a measurement if `measuring`.

    The moves that change whole determinants are tried every `recast_every` updates.

    Returns False where a flavour fills its arrays: enlarge them and call again. `position` (3,) says where to go on:
    cycle, update within it, updates done so far in this chain.
    """
    n_flavours, n_max = len(chain.slot), chain.S.shape[1]
    done = position[2]
    for cycle in range(position[0], n_cycles):
        for update in range(position[1], length_cycle):
            kind = random(chain.rng) * n_flavours
            f = min(np.int64(kind), n_flavours - 1)
            kind -= f
            n_pairs = chain.n_pairs[chain.slot[f]]
            if n_pairs == n_max:
                position[0], position[1], position[2] = cycle, update, done
                return False
            # what is left of a random number after a choice serves for the next one
            if kind < PAIR and not (model.bare[f] and pair_of_bare(model, chain) >= 0):
                insert(model, chain, f, kind / PAIR)
            elif n_pairs == 0:
                flip(model, chain, f)
            elif kind < PAIR:  # no second pair may come in
                shift(model, chain, f, kind / PAIR)
            elif kind < 2.0 * PAIR:
                remove(model, chain, f, (kind - PAIR) / PAIR)
            else:
                shift(model, chain, f, (kind - 2.0 * PAIR) / (1.0 - 2.0 * PAIR))
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


@compiled
def flatten(model, target, chain, sums, position, log_weights, visits, step, n_steps, length, recast_every):
    """Learn weights of pairs of flavours without hybridisation, each step after `length` updates, see `bare`.

    Returns the number of steps that are left where a flavour fills its arrays, as `run`; else 0.
    """
    for done in range(n_steps):
        if not run(model, target, chain, sums, position, 1, length, recast_every, False):
            return n_steps - done
        learn(model, chain, log_weights, visits, step)
    return 0
