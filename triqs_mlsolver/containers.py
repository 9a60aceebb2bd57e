# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Between numpy arrays and TRIQS containers: the conversions `Solver` is made of."""

from __future__ import annotations

import numpy as np

from . import compat
from .cthyb_parameters import did_you_mean
from .numerics import hybridisation
from .problem import Problem


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
    G = compat.BlockGf(mesh=mesh, gf_struct=list(gf_struct))
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
        raise ValueError(
            f"{what} has the blocks {given}, gf_struct has {expected}{hint if 'did you mean' in hint else ''}"
        )
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


def problem_from_G0(
    G0_iw, gf_struct, mesh, interaction, off_diag_threshold: float = 0.0, imag_threshold: float = 0.0
) -> Problem:
    """The impurity problem of a Weiss field; blocks that are equal are analysed once.

    The thresholds are those of cthyb: off-diagonal levels and imaginary parts that are taken for zero (energy).
    """
    found: list[tuple[np.ndarray, tuple]] = []
    h, Delta_l = [], []
    for (bl, _), data in zip(gf_struct, block_arrays(G0_iw, gf_struct, mesh, "G0_iw")):
        known = next(
            (result for other, result in found if other.shape == data.shape and np.array_equal(other, data)), None
        )
        if known is None:
            known = hybridisation.from_G0(mesh.beta, data, bl, imag_threshold)
            found.append((data, known))
        level = known[0].copy()
        level[(np.abs(level) < off_diag_threshold) & ~np.eye(len(level), dtype=bool)] = 0.0
        h.append(level)
        Delta_l.append(known[1])
    return _problem(mesh.beta, gf_struct, h, Delta_l, interaction)


def problem_from_Delta(Delta_tau, h_loc0, gf_struct, mesh, interaction) -> Problem:
    """The impurity problem of Δ(τ) and a quadratic local Hamiltonian given as matrices per block.

    Raises
    ------
    ValueError, TypeError
        If Δ(τ) was never assigned (zero in all blocks), or is not on the blocks and mesh of the solver.
    """
    arrays = block_arrays(Delta_tau, gf_struct, mesh, "Delta_tau")
    if not any(np.any(d) for d in arrays):
        raise ValueError(
            f"Delta_tau is not set (all zero in {', '.join(repr(bl) for bl, _ in gf_struct)}): with "
            f"delta_interface=True fill it before solve(), e.g. S.Delta_tau[{gf_struct[0][0]!r}].data[:, 0, 0] = ..., "
            "with Delta(tau) <= 0. For an isolated atom use delta_interface=False and G0_iw << inverse(iOmega_n + mu)"
        )
    Delta_l = [hybridisation.from_Delta_tau(mesh.beta, d, bl) for (bl, _), d in zip(gf_struct, arrays)]
    return _problem(mesh.beta, gf_struct, h_loc0, Delta_l, interaction)


def _problem(beta, gf_struct, h_loc0, Delta_l, interaction) -> Problem:
    h = tuple(a + b for a, b in zip(h_loc0, interaction.quadratic))
    return Problem(beta, tuple(gf_struct), h, tuple(Delta_l), interaction.U, interaction.terms)


def quadratic_operator(gf_struct, matrices):
    """Σ h_ab c†_a c_b as an operator."""
    op = compat.Operator()
    for (bl, size), h in zip(gf_struct, matrices):
        for a in range(size):
            for b in range(size):
                if h[a, b] != 0:
                    op += float(h[a, b]) * compat.c_dag(bl, a) * compat.c(bl, b)
    return op


def fock_states_by_energy(levels: np.ndarray, U: float) -> list[int]:
    """Fock states 0, ↑, ↓, ↑↓ (bit k = flavour k) of one orbital by energy, the order of TRIQS' atom_diag."""
    energy = np.array([0.0, levels[0], levels[1], levels[0] + levels[1] + U])
    return [int(i) for i in np.argsort(np.round(energy, 12), kind="stable")]


def single_orbital_density_matrix(nn: np.ndarray, levels: np.ndarray, U: float) -> list[np.ndarray]:
    """Reduced density matrix, one (1, 1) block per Fock state, from ⟨n_i n_j⟩ of two flavours."""
    up, down, both = nn[0, 0], nn[1, 1], nn[0, 1]
    probability = [1 - up - down + both, up - both, down - both, both]
    return [np.array([[probability[s]]]) for s in fock_states_by_energy(levels, U)]


def interaction_operator(problem: Problem):
    """½ Σ_ij U_ij n_i n_j + Σ coefficient c†_i c†_j c_k c_l of a problem as an operator."""
    labels = [(bl, a) for bl, size in problem.gf_struct for a in range(size)]
    op = compat.Operator()
    for i, j in zip(*np.nonzero(np.triu(problem.U))):
        op += float(problem.U[i, j]) * compat.n(*labels[i]) * compat.n(*labels[j])
    for value, (i, j, k, l) in problem.terms:
        op += value * compat.c_dag(*labels[i]) * compat.c_dag(*labels[j]) * compat.c(*labels[k]) * compat.c(*labels[l])
    return op
