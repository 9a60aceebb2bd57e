# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
r"""G and F of a flavour without hybridisation, compiled with numba.

Such a flavour is empty or occupied all the time, and no operator of it ever enters a configuration. Its G is what an
electron that is put in at s and taken out at s + τ would weigh beside the empty and the full line,

.. math::
    G(\tau) = -\Big\langle \frac{e^{-a(s, \tau)}}{1 + e^{-a(0, \beta)}} \Big\rangle, \qquad
    a(s, \tau) = \varepsilon \tau + \sum_g U_{fg} \int_s^{s+\tau} n_g(t)\,dt,

whichever of the two the line is now; F has beside it the interaction energy at both ends, as in `kernel`. s is random,
τ is drawn evenly over the mesh of cells.
"""

from __future__ import annotations

import numpy as np

from .moves import cost_of_filling
from .sweeps import called, random, steps_before

N_DRAWN = 32  # values of τ per measurement; each costs as much as a move


@called
def interaction_energy(model, chain, f, t):
    """Σ_g U_fg n_g(t)."""
    energy = 0.0
    for g in range(len(chain.slot)):
        if g != f and model.U[f, g] != 0.0:
            q = chain.slot[g]
            energy += model.U[f, g] * (chain.n0[q] + steps_before(chain.S[q], chain.E[q], t, chain.n_pairs[q]))
    return energy


@called
def measure_local_green(model, chain, sums, f, weight):
    """Add to the cells of flavour f, as the elements of an inverse matrix would be."""
    beta, cells = model.beta, sums.cells[f]
    n_cells = cells.shape[0]
    half = n_cells // 2
    whole = cost_of_filling(model, chain, f, 0.0, beta)
    norm = max(-whole, 0.0) + np.log1p(np.exp(-abs(whole)))  # ln(1 + exp(−whole))
    for k in range(N_DRAWN):
        place = (k + random(chain.rng)) * n_cells / N_DRAWN
        cell = min(np.int64(place), n_cells - 1)
        mirrored = cell >= half
        y = (place - half if mirrored else place) / half
        tau = 0.5 * beta * y * y
        tau = beta - tau if mirrored else tau
        s = random(chain.rng) * beta
        end = s + tau
        end = end - beta if end >= beta else end
        action = cost_of_filling(model, chain, f, s, tau)
        value = weight * beta * beta * y * (n_cells / (half * N_DRAWN)) * np.exp(-action - norm)
        weighted = value * 0.5 * (interaction_energy(model, chain, f, s) + interaction_energy(model, chain, f, end))
        u = 2.0 * (place - cell) - 1.0
        power = 1.0
        for m in range(cells.shape[1] // 2):
            cells[cell, m] += value * power
            cells[cell, m + cells.shape[1] // 2] += weighted * power
            power *= u
