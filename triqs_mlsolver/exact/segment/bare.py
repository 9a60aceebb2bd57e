# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
r"""Flavours without hybridisation: at most one pair of operators, which a weak bath of their own lets in.

Such a flavour is empty or full all the time, and nothing of its G is to be seen. So the chain samples it with a weak
bath φ_f(τ) > 0 in place of F(τ), to first order only: all flavours without hybridisation together have no pair or one.
Configurations without one have the weights of the problem itself, and everything is measured in them but the G of these
flavours, for which there are those with one,

.. math::
    G_f(\tau) = -\frac{1}{\beta}\,
        \frac{\langle \delta(\tau, E - S) / \varphi_f(\tau) \rangle'}{\langle \text{no pair} \rangle'},

φ being the only element of the matrix there. This is exact for any φ, and the other flavours follow the line as it is
filled, which they could not if it were filled in thought only. φ(τ) ∝ 1/|G(τ)| makes all τ equally frequent: lines grow
from empty to full and back, however unlikely the lengths in between. It is found in the warm-up (Wang and Landau, PRL
86, 2050): each visit to a τ lowers φ there, each one to a configuration without a pair raises it everywhere.
"""

from __future__ import annotations

import numpy as np

from .sweeps import compiled, hybridisation, inlined

N_NODES = 65  # of ln φ, linear between them
_LARGEST = 300.0  # of |ln φ|: products with Boltzmann weights must not overflow


@inlined
def pair_of_bare(model, chain):
    """Which flavour without hybridisation has a pair; −1 where none has."""
    found = -1
    for f in range(len(chain.slot)):
        if model.bare[f] and chain.n_pairs[chain.slot[f]] > 0:
            found = f
    return found


@compiled
def tabulate(table, log_weight):
    """φ as F is tabulated (`chain.hybridisation_table`), linear in each interval: positive everywhere."""
    n_mesh, n_intervals = table.shape[0] - 1, len(log_weight) - 1
    for i in range(n_mesh + 1):
        y = i * n_intervals / n_mesh
        k = min(np.int64(y), n_intervals - 1)
        y -= k
        table[i, 0] = np.exp((1.0 - y) * log_weight[k] + y * log_weight[k + 1])
        if i > 0:
            table[i - 1, 1] = table[i, 0] - table[i - 1, 0]


@inlined
def learn(model, chain, log_weights, visits, step):
    """One visit changes `log_weights` and `visits` (n_classes, N_NODES); `step` is what it changes ln φ at one τ by."""
    opened, beta, n = pair_of_bare(model, chain), model.beta, log_weights.shape[1] - 1
    x = 0.0
    if opened >= 0:
        q, c = chain.slot[opened], model.delta_class[opened]
        x = chain.E[q, 0] - chain.S[q, 0]
        y = (x + beta if x < 0.0 else x) * n / beta
        k = min(np.int64(y), n - 1)
        for node, share in ((k, 1.0 - (y - k)), (k + 1, y - k)):
            visits[c, node] += share
            log_weights[c, node] = max(log_weights[c, node] - step * share, -_LARGEST)
    for f in range(len(chain.slot)):
        if model.bare[f]:
            log_weight = log_weights[model.delta_class[f]]
            if opened < 0:
                raised = step / (n * np.sum(model.bare))  # as often as all τ of all flavours together
                for k in range(n + 1):
                    log_weight[k] = min(log_weight[k] + (0.5 * raised if k % n == 0 else raised), _LARGEST)
            tabulate(model.table[model.delta_class[f]], log_weight)
    if opened >= 0:
        q = chain.slot[opened]
        value = hybridisation(model.table[model.delta_class[opened]], beta, x)
        chain.M[q, 0, 0] = 1.0 / value
        chain.log_det[q] = np.log(abs(value))


def first(beta: float, n_bare: int) -> float:
    """ln φ that suits |G| = 1, the largest there is."""
    return -np.log(max(n_bare, 1) * beta**2)


def at(x: np.ndarray, log_weight: np.ndarray) -> np.ndarray:
    """φ at τ = βx."""
    return np.exp(np.interp(x, np.linspace(0, 1, N_NODES), log_weight))


def favour_the_likely(log_weight: np.ndarray) -> np.ndarray:
    """ln φ that spends half of the time with a pair where |G| is large: this half tells most of G(iω)."""
    G = np.exp(-log_weight)
    return np.log(0.5 / G + 0.5 / np.mean(0.5 * (G[1:] + G[:-1])))
