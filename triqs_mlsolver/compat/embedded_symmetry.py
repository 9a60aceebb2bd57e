# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""G(−iω) = G(iω)† and reality in imaginary time, for machines without TRIQS: tests of both, means with both."""

from __future__ import annotations

import numpy as np
from dcorelib.triqs_compat.gf import BlockGf as _Blocks


def make_hermitian(g):
    """The mean of g and what it would be if it were Hermitian: ½ (g(iω) + g(−iω)†), or ½ (g(τ) + g(τ)†)."""
    return _mean(g, _adjoint)


def make_real_in_tau(g):
    """The mean ½ (g(iω) + g(−iω)*), whose G(τ) is real."""
    return _mean(g, _conjugate)


def is_gf_hermitian(g, tolerance: float = 1e-12) -> bool:
    """Whether g(−iω) = g(iω)†, or g(τ) = g(τ)†, everywhere within `tolerance` (in the units of g)."""
    return _holds(g, _adjoint, tolerance)


def is_gf_real_in_tau(g, tolerance: float = 1e-12) -> bool:
    """Whether g(−iω) = g(iω)* everywhere within `tolerance` (in the units of g)."""
    return _holds(g, _conjugate, tolerance)


def _mean(g, partner):
    if isinstance(g, _Blocks):
        return g.__class__(name_list=list(g.indices), block_list=[_mean(block, partner) for _, block in g], name=g.name)
    return g._like(0.5 * (g.data + partner(g)))


def _holds(g, partner, tolerance: float) -> bool:
    if isinstance(g, _Blocks):
        return all(_holds(block, partner, tolerance) for _, block in g)
    return bool(np.abs(partner(g) - g.data).max(initial=0.0) <= tolerance)


def _conjugate(g) -> np.ndarray:
    if not hasattr(g.mesh, "first_index"):
        raise TypeError(f"this is a question for Matsubara frequencies (MeshImFreq), not for a {type(g.mesh).__name__}")
    return g.data[::-1].conj()


def _adjoint(g) -> np.ndarray:
    rank = g.data.ndim - 1
    if rank not in (0, 2, 4):
        raise TypeError(f"the adjoint needs a target space of rank 0, 2 or 4: given is rank {rank}")
    on_frequencies = hasattr(g.mesh, "first_index")
    if not on_frequencies and type(g.mesh).__name__ != "MeshImTime":
        raise TypeError(f"the adjoint is known on MeshImFreq and MeshImTime, not on a {type(g.mesh).__name__}")
    half = rank // 2
    axes = (0, *range(1 + half, 1 + rank), *range(1, 1 + half))
    return (g.data[::-1] if on_frequencies else g.data).transpose(axes).conj()
