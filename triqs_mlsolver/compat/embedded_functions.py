# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Functions of Green's functions for machines without TRIQS, with TRIQS' signatures."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np

from .embedded_blocks import BlockGf
from .embedded_gf import Fourier, Gf
from .embedded_lazy import LazyExpression, iOmega_n
from .embedded_meshes import MeshImFreq, MeshImTime
from .embedded_symmetry import is_gf_hermitian
from .embedded_tails import fit_hermitian_tail


def map_block(fun: Callable, G: BlockGf):
    """`fun` of every block: a BlockGf where it gives Green's functions, else a list."""
    if not isinstance(G, BlockGf):
        raise TypeError(f"map_block takes a BlockGf: {type(G).__name__} given")
    values = [fun(block) for _, block in G]
    return BlockGf(name_list=list(G.indices), block_list=values) if isinstance(values[0], Gf) else values


def conjugate(x):
    """Complex conjugate of a Green's function, of each block, or of an expression for one."""
    return _each(x, lambda g: g.conjugate(), np.conj)


def transpose(x):
    """Transpose in the target space, of each block, or of an expression for one."""
    return _each(x, lambda g: g.transpose(), lambda data: data.swapaxes(1, 2))


def density(g, *args, **kwargs):
    """Density matrix of a Green's function; of blocks a list."""
    return map_block(density, g) if isinstance(g, BlockGf) else g.density(*args, **kwargs)


def dyson(**kwargs):
    """The third of G0_iw, G_iw and Sigma_iw from two of them, by G⁻¹ = G0⁻¹ − Σ."""
    if len(kwargs) != 2 or not set(kwargs) <= {"G0_iw", "G_iw", "Sigma_iw"}:
        raise ValueError(f"dyson needs two of G0_iw, G_iw and Sigma_iw: given are {sorted(kwargs)}")
    if "G0_iw" not in kwargs:
        return (kwargs["Sigma_iw"] + kwargs["G_iw"].inverse()).inverse()
    if "G_iw" not in kwargs:
        return (kwargs["G0_iw"].inverse() - kwargs["Sigma_iw"]).inverse()
    return kwargs["G0_iw"].inverse() - kwargs["G_iw"].inverse()


def delta(g):
    """Hybridisation Δ(iω) = iω − G0⁻¹(iω) − levels, the levels being its limit at high frequency.

    Raises
    ------
    ValueError
        If G0(−iω) = G0(iω)† does not hold.
    """
    if isinstance(g, BlockGf):
        return map_block(delta, g)
    if not isinstance(g.mesh, MeshImFreq):
        raise TypeError(f"delta takes Matsubara frequencies (MeshImFreq), not a {type(g.mesh).__name__}")
    if not is_gf_hermitian(g):
        raise ValueError("delta needs G0 with G0(-iw) = G0(iw)^dagger: make_hermitian(G0) has it")
    Delta = g.copy()
    Delta << iOmega_n - g.inverse()
    tail, error = fit_hermitian_tail(Delta)
    if error > 1e-5:
        warnings.warn(
            f"the levels that delta subtracts are uncertain: its tail misses Delta by {error:.1g}", stacklevel=2
        )
    Delta.data[...] -= tail[0]
    return Delta


def make_gf_from_fourier(g_in, mesh=None, known_moments=None):
    """G(τ) of G(iω), or G(iω) of G(τ).

    Parameters
    ----------
    g_in : Gf or BlockGf
    mesh : MeshImTime, MeshImFreq or int, optional
        The new mesh or its number of points (of positive frequencies). By default, as in TRIQS, six times as many times
        as positive frequencies, and one more.
    known_moments : array, optional
        The transform finds moments itself; that of order 0 must vanish.
    """
    if isinstance(g_in, BlockGf):
        moments = [None] * len(g_in) if known_moments is None else known_moments
        parts = [make_gf_from_fourier(g, mesh, known) for (_, g), known in zip(g_in, moments, strict=True)]
        return BlockGf(name_list=list(g_in.indices), block_list=parts)
    if known_moments is not None and len(known_moments) and np.abs(known_moments[0]).max() > 1e-8:
        raise ValueError("a function with a constant at high frequency has no Fourier transform: subtract it first")
    domain = (g_in.mesh.beta, g_in.mesh.statistic)
    if isinstance(g_in.mesh, MeshImFreq):
        n_tau = 6 * g_in.mesh.n_iw + 1 if mesh is None else mesh
        new = MeshImTime(*domain, n_tau) if isinstance(n_tau, (int, np.integer)) else n_tau
    elif isinstance(g_in.mesh, MeshImTime):
        n_iw = max(1, (len(g_in.mesh) - 1) // 6) if mesh is None else mesh
        new = MeshImFreq(*domain, n_iw) if isinstance(n_iw, (int, np.integer)) else n_iw
    else:
        raise TypeError(f"make_gf_from_fourier takes MeshImFreq or MeshImTime, not a {type(g_in.mesh).__name__}")
    g_out = Gf(mesh=new, target_shape=g_in.target_shape)
    g_out << Fourier(g_in)
    return g_out


def set_from_fourier(g_out, g_in, *_known_moments) -> None:
    """``g_out << Fourier(g_in)``."""
    g_out << Fourier(g_in)


def fix_gf_struct_type(gf_struct) -> list[tuple[str, int]]:
    """Pairs of block name and size from any form of them, lists of orbital names included."""
    from .containers import checked_gf_struct

    return checked_gf_struct(gf_struct)


def _each(x, function: Callable, of_values: Callable):
    if isinstance(x, BlockGf):
        return map_block(function, x)
    return LazyExpression(lambda g: of_values(x.values(g))) if isinstance(x, LazyExpression) else function(x)
