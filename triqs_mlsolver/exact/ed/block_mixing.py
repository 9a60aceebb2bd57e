# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Which elements of G an interaction allows, and whether it connects blocks that gf_struct keeps apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...problem import Problem
from ...problem.symmetry import ParitySpan
from .spectrum import Spectrum

_SMALL = 1e-2  # of G(iω₀) between blocks beside its diagonal: what noise of Δ may leave of a crystal symmetry


def mixed_blocks(problem: Problem) -> tuple[str, str] | None:
    """Two blocks between which the interaction makes G as large as 1 % of its diagonal elements there; None where there
    are none.

    Then G and Σ are no matrices within blocks, and Dyson's equation block by block is wrong. Signs of flavours rule
    that out for the usual interactions. Where they do not (full Slater interactions, whose crystal symmetry may), the
    isolated impurity decides, each level shifted by the imaginary part of its hybridisation at the first frequency, so
    that orbitals of different baths are told apart.
    """
    block = np.repeat(np.arange(len(problem.gf_struct)), [size for _, size in problem.gf_struct])
    terms = [flavours for _, flavours in problem.terms]
    within = [(a, b) for a, b in zip(*np.nonzero(np.triu(block[:, None] == block, 1)))]
    span = ParitySpan([*terms, *within])
    pairs = [(a, b) for b in range(len(block)) for a in range(b) if block[a] != block[b] and span.allows(a, b)]
    if not pairs:
        return None
    shift = [-d[0].imag for d in problem.Delta_iw(1)]
    atom = replace(problem, h_loc0=tuple(h + 0.5 * (s + s.T) for h, s in zip(problem.h_loc0, shift)), bath=None)
    spectrum = Spectrum(atom)
    same = [(a, a) for a in range(len(block))]
    energy, weight = spectrum.poles({a: spectrum.space.creation(a) for a in range(len(block))}, [*same, *pairs])
    lowest = 1 / (1j * np.pi / problem.beta - energy)
    G = {pair: abs(w @ lowest) for pair, w in weight.items()}
    share = {(a, b): G[a, b] / max(np.sqrt(G[a, a] * G[b, b]), 1e-300) for a, b in pairs}
    a, b = max(share, key=share.get)
    if share[a, b] <= _SMALL:
        return None
    return problem.gf_struct[block[a]][0], problem.gf_struct[block[b]][0]
