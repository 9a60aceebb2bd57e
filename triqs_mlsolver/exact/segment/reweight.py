# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
r"""A little more hybridisation while sampling, divided out while measuring: no τ is left without events.

G(τ) is measured from elements of the inverse matrix, of order 1/|Δ(τ)| and as rare as |Δ(τ)| is small. Where a bath has
a gap or is far from half filling, Δ is exponentially small at times where G is not: a run of any affordable length then
misses the configurations that carry G, and cannot know. So the chain samples an impurity with one more, weak and
metallic bath,

.. math::
    \Delta'(\tau) = \Delta(\tau) - \eta(\tau), \qquad \int_0^\beta \eta(\tau)\, d\tau = \frac{2c}{N\beta},

whose lines change ln Z by at most c for N flavours (|G(τ)| + |G(β − τ)| ≤ 1). Every measurement is weighted with the
ratio R = Π_f det F_f / det F'_f of the problem's own weight to the sampled one,

.. math::
    \langle A \rangle = \frac{\langle R A \rangle'}{\langle R \rangle'}, \qquad
    R \, (F^{-1})_{ji} = \pm \frac{\text{minor of } F}{\det F'},

and the last expression, which G and F are measured from, is of order 1/(|Δ| + η) however small Δ is. This is exact for
any η.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Sequence

import numpy as np

from ...numerics import legendre
from .global_moves import inverse_from_scratch
from .sweeps import compiled

#: model: `moves.Model` with the problem's own hybridisation. added: whether each class of Δ was added to.
Target = namedtuple("Target", "model added")

LEAST, MOST = 1.0, 16.0  # c
_SMALL = 3.0  # nothing is added where |Δ(τ)| never falls below this multiple of the least η(τ)
_WEIGHT = 0.5  # average R aimed at: half the measurements' weight for events where there would be none


def strength(average_weight: float, present: float) -> float:
    """c that brings the average of R to about one half, from its average at the `present` c, as ln R goes like −c."""
    return float(np.clip(present * np.log(_WEIGHT) / np.log(np.clip(average_weight, 1e-3, 0.999)), LEAST, MOST))


def sampled_hybridisation(
    beta: float, Deltas, n_flavours: int, width: float, c: float, needed: Sequence[bool] | None = None
) -> list[np.ndarray]:
    """Legendre coefficients of the Δ' to be sampled for each of `Deltas`: the same object where nothing need be added.

    Where something is `needed` although Δ is large everywhere, it is added, too.

    Flavours without hybridisation have a bath of another kind, see `bare`. The bath added has levels at ±`width`,
    ±`width`/2, ±`width`/4, … down to the temperature, of weight |ε|^½.
    """
    n_octaves = 1 + int(np.ceil(np.log2(max(1.0, beta * width))))
    levels = width * 0.5 ** np.arange(n_octaves)
    levels = np.concatenate([-levels, levels])
    eta = -legendre.from_poles(beta, levels, np.sqrt(np.abs(levels)))
    eta *= 2 * c / (n_flavours * beta) / eta[0]
    tau = 0.5 * beta * (1 - np.cos(np.pi * np.linspace(0, 1, 257)))
    least = legendre.evaluate(beta, eta, tau) * _SMALL * LEAST / c
    sampled = []
    for k, Delta in enumerate(Deltas):
        n = max(len(Delta), len(eta))
        small = np.any(Delta) and np.any(np.abs(legendre.evaluate(beta, Delta, tau)) < least)
        small = small or (needed is not None and needed[k])
        sampled.append(legendre.resized(Delta, n) - legendre.resized(eta, n) if small else Delta)
    return sampled


@compiled
def reweight(target, model, chain):
    """Leave the inverses of the problem's own matrices in `chain.spare_M`, by flavour; returns R.

    Only those of flavours whose hybridisation was added to.
    """
    log_ratio, sign = 0.0, 1
    for f in range(len(chain.slot)):
        c = model.delta_class[f]
        if target.added[c]:
            q = chain.slot[f]
            log_det, s = inverse_from_scratch(
                target.model, c, chain.S[q], chain.E[q], chain.n_pairs[q], chain.n0[q], chain.matrix, chain.spare_M[f]
            )
            log_ratio += log_det - chain.log_det[q]
            sign *= s * chain.sign[q]
    return sign * np.exp(log_ratio)
