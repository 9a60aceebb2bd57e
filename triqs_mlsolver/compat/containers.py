# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Between numpy arrays and TRIQS containers and operators."""

from __future__ import annotations

import numpy as np

from ..problem import Problem
from ..tools.validation import did_you_mean
from . import BlockGf, Gf, Histogram, MeshImTime, Operator, c, c_dag, n

_MOST_ORDERS = 1000  # as cthyb's histograms of perturbation orders have


def checked_gf_struct(gf_struct) -> list[tuple[str, int]]:
    """Pairs of block name and size; dicts and lists of orbital names are accepted as older scripts have them.

    Raises
    ------
    ValueError
        If there is no block, a size is not positive, or names repeat.
    """
    pairs = list(gf_struct.items()) if isinstance(gf_struct, dict) else list(gf_struct)
    try:
        pairs = [(bl, len(size) if isinstance(size, (list, tuple, range)) else size) for bl, size in pairs]
    except (TypeError, ValueError):
        raise ValueError(
            f"gf_struct = {gf_struct!r} must be pairs of block name and size, e.g. [('up', 1), ('down', 1)]"
        ) from None
    good = lambda bl, size: isinstance(bl, str) and isinstance(size, (int, np.integer)) and size > 0
    if not pairs or not all(good(bl, size) for bl, size in pairs):
        raise ValueError(
            f"gf_struct = {gf_struct!r} must be pairs of block name and positive size, e.g. [('up', 1), ('down', 1)]"
        )
    names = [bl for bl, _ in pairs]
    if len(set(names)) != len(names):
        raise ValueError(f"gf_struct = {gf_struct!r} names a block twice")
    return [(bl, int(size)) for bl, size in pairs]


def block_gf(mesh, gf_struct, arrays=None):
    """A BlockGf on `mesh`, zero or filled with one array per block."""
    G = BlockGf(mesh=mesh, gf_struct=list(gf_struct))
    if arrays is not None:
        fill(G, arrays)
    return G


def fill(G, arrays) -> None:
    """Write one array per block into `G`."""
    for (_, g), a in zip(G, arrays, strict=True):
        g.data[...] = a


def both_signs(positive: np.ndarray) -> np.ndarray:
    """A function of iω on the whole mesh from its values at positive frequencies, by F(−iω) = F(iω)†."""
    return np.concatenate([positive[::-1].conj().transpose(0, 2, 1), positive])


def block_arrays(G, gf_struct, mesh, what: str) -> list[np.ndarray]:
    """Data of each block of `gf_struct`, after checking names, sizes and mesh.

    Raises
    ------
    ValueError, TypeError
        If the blocks, their sizes or the mesh are not those the solver was built with.
    """
    if not hasattr(G, "indices"):
        raise TypeError(
            f"{what} must be a BlockGf, {type(G).__name__} given: assign into it with <<, e.g. "
            f"S.{what}['{gf_struct[0][0]}'] << ..."
        )
    given = list(G.indices)
    expected = [bl for bl, _ in gf_struct]
    if sorted(given) != sorted(expected):
        unknown = [bl for bl in given if bl not in expected]
        hint = did_you_mean(unknown[0], expected) if unknown else ""
        raise ValueError(f"{what} has the blocks {given}, gf_struct has {expected}{hint}")
    arrays = []
    for bl, size in gf_struct:
        data = G[bl].data
        if data.shape[1:] != (size, size):
            raise ValueError(f"block {bl!r} of {what} has size {data.shape[1:]}, gf_struct says ({size}, {size})")
        if len(data) != len(mesh) or abs(G[bl].mesh.beta - mesh.beta) > 1e-12 * mesh.beta:
            raise ValueError(
                f"block {bl!r} of {what} has {len(data)} mesh points at beta = {G[bl].mesh.beta}, the solver was "
                f"built for {len(mesh)} at beta = {mesh.beta}"
            )
        arrays.append(data)
    return arrays


def histogram(counts) -> Histogram:
    """The histogram, from 0 to 1000 as cthyb's, of `counts` of 0, 1, 2, ... (whole numbers).

    One of TRIQS takes single values only: it is doubled and filled bit by bit.
    """
    counts = np.asarray(counts, dtype=int)
    found = Histogram(0, _MOST_ORDERS)
    for bit in reversed(range(int(np.max(counts, initial=0)).bit_length())):
        found = found + found
        for value in np.flatnonzero(counts >> bit & 1):
            found << float(value)
    return found


def quadratic_operator(gf_struct, matrices):
    """Σ h_ab c†_a c_b as an operator."""
    op = Operator()
    for (bl, size), h in zip(gf_struct, matrices):
        for a in range(size):
            for b in range(size):
                if h[a, b] != 0:
                    op += float(h[a, b]) * c_dag(bl, a) * c(bl, b)
    return op


def interaction_operator(problem: Problem):
    """½ Σ_ij U_ij n_i n_j + Σ coefficient c†_i c†_j c_k c_l of a problem as an operator."""
    labels = [(bl, a) for bl, size in problem.gf_struct for a in range(size)]
    op = Operator()
    for i, j in zip(*np.nonzero(np.triu(problem.U))):
        op += float(problem.U[i, j]) * n(*labels[i]) * n(*labels[j])
    for value, (i, j, k, l) in problem.terms:
        op += value * c_dag(*labels[i]) * c_dag(*labels[j]) * c(*labels[k]) * c(*labels[l])
    return op


def on_times(G, n_tau: int):
    """A function of imaginary time, in blocks or not, on `n_tau` points: as if it had been measured there.

    To fewer points: means over what lies nearest to each, as Monte Carlo bins it. To more: linear interpolation.
    """
    if isinstance(G, BlockGf):
        names, blocks = zip(*((name, on_times(g, n_tau)) for name, g in G))
        return BlockGf(name_list=list(names), block_list=list(blocks), name=G.name)
    if len(G.mesh) == n_tau:
        return G
    return Gf(mesh=MeshImTime(G.mesh.beta, G.mesh.statistic, n_tau), data=_rebinned(G.data, n_tau))


def _rebinned(data: np.ndarray, n: int) -> np.ndarray:
    """Values at `n` equidistant points, the first and the last the same, from those at len(data)."""
    position = np.linspace(0, n - 1, len(data))  # of the given points among the new ones
    flat = data.reshape(len(data), -1)
    if n >= len(data):
        columns = [np.interp(np.arange(n), position, column) for column in flat.T]
        return np.stack(columns, axis=-1).reshape(n, *data.shape[1:])
    weight = np.ones(len(data))
    weight[[0, -1]] = 0.5  # they stand for half an interval
    nearest = np.rint(position).astype(int)
    total = np.zeros((n, flat.shape[1]), dtype=data.dtype)
    np.add.at(total, nearest, weight[:, None] * flat)
    return (total / np.bincount(nearest, weight)[:, None]).reshape(n, *data.shape[1:])


def can_be_stored(value) -> bool:
    """Whether an archive can take it: numbers, arrays, containers, operators, and lists and dicts of them."""
    if isinstance(value, dict):
        return all(isinstance(key, str) and can_be_stored(v) for key, v in value.items())
    if isinstance(value, (list, tuple)):
        return all(map(can_be_stored, value))
    return (
        isinstance(value, (bool, int, float, complex, str, np.generic, np.ndarray))
        or hasattr(value, "__write_hdf5__")
        or hasattr(value, "__reduce_to_dict__")
    )
