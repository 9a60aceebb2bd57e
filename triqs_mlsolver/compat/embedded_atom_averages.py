# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Averages and Green's functions of small atoms, for machines without TRIQS."""

from __future__ import annotations

import numpy as np

from ..numerics import legendre
from .embedded_atom import AtomDiag
from .embedded_blocks import BlockGf
from .embedded_gf import Gf
from .embedded_meshes import MeshImFreq, MeshImTime, MeshLegendre
from .embedded_refreq import MeshReFreq
from .operators import Operator


def partition_function(atom: AtomDiag, beta: float) -> float:
    """Σ exp(−β E), energies from the ground state."""
    return float(sum(np.exp(-beta * energies).sum() for energies in atom.energies))


def atomic_density_matrix(atom: AtomDiag, beta: float) -> list[np.ndarray]:
    """exp(−β H)/Z, one diagonal matrix per subspace."""
    Z = partition_function(atom, beta)
    return [np.diag(np.exp(-beta * energies) / Z) for energies in atom.energies]


def trace_rho_op(density_matrix, op: Operator, atom: AtomDiag):
    """Tr(ρ op): a float for a real Hamiltonian, else a complex number."""
    dims = [len(rho) for rho in density_matrix]
    if dims != atom.get_subspace_dims():
        raise ValueError(f"density_matrix has blocks of sizes {dims}, the atom of {atom.get_subspace_dims()}")
    total = sum(np.trace(atom.matrix_element(op, k, k) @ rho) for k, rho in enumerate(density_matrix))
    return float(np.real(total)) if atom.is_real else complex(total)


def act(op: Operator, st: np.ndarray, atom: AtomDiag) -> np.ndarray:
    """op |st⟩, states being vectors over all eigenstates, subspace by subspace."""
    starts, parts = atom._starts, range(atom.n_subspaces)
    part = lambda k: slice(starts[k], starts[k + 1])
    return np.concatenate([sum(atom.matrix_element(op, to, k) @ st[part(k)] for k in parts) for to in parts])


def quantum_number_eigenvalues(op: Operator, atom: AtomDiag) -> list[list[float]]:
    """Values of a conserved quantity in all eigenstates, one list per subspace.

    Raises
    ------
    RuntimeError
        If the operator does not commute with the Hamiltonian.
    """
    commutator = op * atom.h_atomic - atom.h_atomic * op
    if any(abs(value) > 1e-10 for _, value in commutator):
        raise RuntimeError("the operator is no quantum number: it does not commute with the Hamiltonian")
    return [np.real(np.diag(atom.matrix_element(op, k, k))).tolist() for k in range(atom.n_subspaces)]


def quantum_number_eigenvalues_checked(op: Operator, atom: AtomDiag) -> list[list[float]]:
    """As `quantum_number_eigenvalues`, after making sure that all eigenstates are eigenstates of the operator."""
    values = quantum_number_eigenvalues(op, atom)
    for to, k in np.ndindex(atom.n_subspaces, atom.n_subspaces):
        matrix = atom.matrix_element(op, to, k)
        rest = matrix - np.diag(np.diag(matrix)) if to == k else matrix
        if np.abs(rest).max(initial=0.0) > 1e-11:
            raise RuntimeError("the operator is not diagonal in the eigenstates of the atom")
    return values


# -- Green's functions -------------------------------------------------------------------------------------------------


def atomic_g_iw(atom, beta, gf_struct, n_iw, excluded_states=()) -> BlockGf:
    """G(iω) of the atom on `n_iw` positive frequencies."""
    mesh = MeshImFreq(beta, "Fermion", n_iw)
    return _green(atom, beta, gf_struct, excluded_states, mesh, lambda e: 1 / (mesh.values()[:, None] - e))


def atomic_g_tau(atom, beta, gf_struct, n_tau, excluded_states=()) -> BlockGf:
    """G(τ) of the atom at `n_tau` times."""
    mesh = MeshImTime(beta, "Fermion", n_tau)
    return _green(atom, beta, gf_struct, excluded_states, mesh, lambda e: legendre.fermi_kernel(beta, mesh.values(), e))


def atomic_g_l(atom, beta, gf_struct, n_l, excluded_states=()) -> BlockGf:
    """Legendre coefficients of the atom's G."""
    mesh = MeshLegendre(beta, "Fermion", n_l)
    return _green(
        atom, beta, gf_struct, excluded_states, mesh, lambda e: legendre.from_poles(beta, e, np.eye(len(e)), n_l)
    )


def atomic_g_w(atom, beta, gf_struct, energy_window, n_w, broadening=0.0, excluded_states=()) -> BlockGf:
    """G(ω + i `broadening`) of the atom on `n_w` frequencies."""
    mesh = MeshReFreq(*energy_window, n_w)
    kernel = lambda e: 1 / (mesh.values()[:, None] + 1j * broadening - e)
    return _green(atom, beta, gf_struct, excluded_states, mesh, kernel)


def _green(atom, beta, gf_struct, excluded_states, mesh, kernel) -> BlockGf:
    """Lehmann's sum: poles E_n − E_m with weights (p_m + p_n) ⟨m|c_a|n⟩⟨n|c†_b|m⟩."""
    if len(excluded_states):
        raise NotImplementedError("excluded_states need triqs.atom_diag: conda install -c conda-forge triqs")
    Z = partition_function(atom, beta)
    blocks = []
    for bl, size in gf_struct:
        modes = [atom._place[bl, a] for a in range(size)]
        g = Gf(mesh=mesh, target_shape=[size, size])
        for n in range(atom.n_subspaces):
            found = [(a, atom.c_connection(mode, n)) for a, mode in enumerate(modes)]
            for m in {to for _, to in found if to >= 0}:
                rows = [a for a, to in found if to == m]
                c = np.array([atom.c_matrix(modes[a], n) for a in rows])  # ⟨m|c_a|n⟩
                weight = (np.exp(-beta * atom.energies[m])[:, None] + np.exp(-beta * atom.energies[n])[None, :]) / Z
                poles = (atom.energies[n][None, :] - atom.energies[m][:, None]).ravel()
                products = np.einsum("amn,bmn,mn->mnab", c, c.conj(), weight).reshape(len(poles), len(rows), -1)
                g.data[np.ix_(range(len(g.data)), rows, rows)] += np.tensordot(kernel(poles), products, axes=(1, 0))
        blocks.append(g)
    return BlockGf(name_list=[bl for bl, _ in gf_struct], block_list=blocks)
