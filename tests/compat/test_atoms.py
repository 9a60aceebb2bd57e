# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Diagonalised atoms under either provider, against closed forms."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from triqs_mlsolver import compat
from triqs_mlsolver.compat import (
    AtomDiag,
    N_op,
    Operator,
    S2_op,
    S_op,
    U_matrix_kanamori,
    act,
    atomic_density_matrix,
    atomic_g_iw,
    atomic_g_l,
    atomic_g_tau,
    atomic_g_w,
    c,
    c_dag,
    h_int_kanamori,
    n,
    partition_function,
    quantum_number_eigenvalues,
    quantum_number_eigenvalues_checked,
    trace_rho_op,
)  # fmt: skip
from triqs_mlsolver.numerics import legendre

BETA, U, MU, FIELD = 5.0, 2.0, 1.2, 0.3
FOPS = [("up", 0), ("down", 0)]
H = U * n("up", 0) * n("down", 0) - (MU + FIELD) * n("up", 0) - (MU - FIELD) * n("down", 0)
STRUCT = [("up", 1), ("down", 1)]
SPINS = ("up", "down")
embedded_only = pytest.mark.skipif(compat.HAS_TRIQS, reason="TRIQS has messages of its own")


@pytest.fixture(scope="module")
def atom():
    return AtomDiag(H, FOPS)


@pytest.fixture(scope="module")
def shell():
    """Three Kanamori orbitals with a level and a complex hop."""
    same, opposite = U_matrix_kanamori(3, 3.0, 0.4)
    hop = 0.3j * c_dag("up", 0) * c("up", 1) + 0.3j * c_dag("down", 0) * c("down", 1)
    h = h_int_kanamori(SPINS, 3, same, opposite, 0.4, off_diag=True) - 2.0 * N_op(SPINS, 3, off_diag=True)
    return AtomDiag(h + hop + compat.dagger(hop), [(s, a) for s in SPINS for a in range(3)])


def test_levels_of_one_orbital(atom):
    energies = np.array([-(MU + FIELD), -(MU - FIELD), U - 2 * MU, 0.0])
    assert atom.gs_energy == pytest.approx(-(MU + FIELD), rel=1e-14)
    np.testing.assert_allclose(np.ravel(atom.energies), np.sort(energies) - energies.min(), atol=1e-14)
    assert atom.n_subspaces == atom.full_hilbert_space_dim == 4 and list(atom.get_subspace_dims()) == [1, 1, 1, 1]
    assert [list(map(int, states)) for states in atom.fock_states] == [[1], [2], [3], [0]]
    assert atom.vacuum_subspace_index == 3 and atom.get_eigenvalue(1, 0) == pytest.approx(2 * FIELD)
    assert atom.c_connection(0, 0) == 3 and atom.c_connection(0, 3) == -1 and atom.cdag_connection(1, 0) == 2
    assert abs(atom.c_matrix(0, 0)) == pytest.approx(1.0)


def test_averages_of_one_orbital(atom):
    weights = np.exp(-BETA * np.array([0.0, 2 * FIELD, U - MU + FIELD, MU + FIELD]))
    assert partition_function(atom, BETA) == pytest.approx(weights.sum(), rel=1e-13)
    rho = atomic_density_matrix(atom, BETA)
    np.testing.assert_allclose(np.ravel(rho), weights / weights.sum(), rtol=1e-12)
    assert trace_rho_op(rho, n("up", 0), atom) == pytest.approx((weights[0] + weights[2]) / weights.sum(), rel=1e-12)
    assert trace_rho_op(rho, n("up", 0) * n("down", 0), atom) == pytest.approx(weights[2] / weights.sum(), rel=1e-12)
    assert trace_rho_op(rho, c_dag("up", 0) * c("down", 0), atom) == 0
    assert np.ravel(quantum_number_eigenvalues(N_op(SPINS, 1, off_diag=True), atom)).tolist() == [1, 1, 2, 0]


def test_greens_function_of_one_orbital(atom):
    """(1 − ⟨n↓⟩)/(iω − ε) + ⟨n↓⟩/(iω − ε − U)."""
    down = trace_rho_op(atomic_density_matrix(atom, BETA), n("down", 0), atom)
    poles, weights = np.array([-(MU + FIELD), U - MU - FIELD]), np.array([1 - down, down])
    z = 1j * np.pi / BETA * (2 * np.arange(-20, 20) + 1)
    exact = lambda z: (1 / (z[:, None] - poles)) @ weights
    np.testing.assert_allclose(atomic_g_iw(atom, BETA, STRUCT, 20)["up"].data[:, 0, 0], exact(z), atol=1e-12)
    tau = legendre.fermi_kernel(BETA, np.linspace(0, BETA, 41), poles) @ weights
    np.testing.assert_allclose(atomic_g_tau(atom, BETA, STRUCT, 41)["up"].data[:, 0, 0], tau, atol=1e-12)
    coefficients = legendre.from_poles(BETA, poles, weights, 12)
    np.testing.assert_allclose(atomic_g_l(atom, BETA, STRUCT, 12)["up"].data[:, 0, 0], coefficients, atol=1e-8)
    w = np.linspace(-4, 4, 101) + 0.1j
    found = atomic_g_w(atom, BETA, STRUCT, (-4, 4), 101, 0.1)["up"].data[:, 0, 0]
    np.testing.assert_allclose(found, exact(w), atol=1e-12)


def test_every_ladder_operator_leads_from_one_subspace_to_one(shell):
    place = {int(s): k for k, states in enumerate(shell.fock_states) for s in states}
    assert sorted(place) == list(range(64))
    for mode, states in product(range(6), shell.fock_states):
        targets = {place[int(s) ^ 1 << mode] for s in states if int(s) >> mode & 1}
        assert len(targets) <= 1


def test_matrices_of_ladder_operators_anticommute(shell):
    starts = np.cumsum([0, *shell.get_subspace_dims()])
    ladder = np.zeros((6, 64, 64), complex)
    for mode, k in product(range(6), range(shell.n_subspaces)):
        to = shell.c_connection(mode, k)
        if to >= 0:
            ladder[mode, starts[to] : starts[to + 1], starts[k] : starts[k + 1]] = shell.c_matrix(mode, k)
    for a, b in product(range(6), repeat=2):
        anti = ladder[a] @ ladder[b].conj().T + ladder[b].conj().T @ ladder[a]
        np.testing.assert_allclose(anti, (a == b) * np.eye(64), atol=1e-12)


def test_averages_of_a_shell(shell):
    rho = atomic_density_matrix(shell, BETA)
    energies = np.concatenate([np.ravel(e) for e in shell.energies])
    weights = np.exp(-BETA * energies)
    mean = weights @ energies / weights.sum() + shell.gs_energy
    assert np.real(trace_rho_op(rho, shell.h_atomic, shell)) == pytest.approx(mean, rel=1e-12)
    up, down = (np.real(trace_rho_op(rho, n(s, 2), shell)) for s in SPINS)
    assert up == pytest.approx(down, rel=1e-11)


def test_quantum_numbers_of_a_shell(shell):
    total = np.concatenate(quantum_number_eigenvalues(N_op(SPINS, 3, off_diag=True), shell))
    counts = [sum(np.isclose(total, k)) for k in range(7)]
    assert counts == [1, 6, 15, 20, 15, 6, 1]
    checked = np.concatenate(quantum_number_eigenvalues_checked(S_op("z", SPINS, 3, off_diag=True), shell))
    assert np.abs(2 * checked - np.round(2 * checked)).max() < 1e-10 and checked.max() == pytest.approx(1.5)
    with pytest.raises(RuntimeError):
        quantum_number_eigenvalues(n("up", 0), shell)
    assert np.real(trace_rho_op(atomic_density_matrix(shell, 200.0), S2_op(SPINS, 3, off_diag=True), shell)) >= 0


def test_truncation_and_quantum_numbers_as_partition():
    small = AtomDiag(H, FOPS, 1, 1)
    assert sorted(int(s) for states in small.fock_states for s in states) == [1, 2]
    by_number = AtomDiag(H, FOPS, [N_op(SPINS, 1, off_diag=True)])
    assert by_number.n_subspaces == 3 and sorted(np.ravel(by_number.quantum_numbers)) == [0, 1, 2]


def test_states_of_fock_space(atom):
    vacuum = atom.vacuum_state
    one = act(c_dag("up", 0), vacuum, atom)
    assert np.linalg.norm(one) == pytest.approx(1.0) and np.linalg.norm(act(c("up", 0), vacuum, atom)) == 0
    np.testing.assert_allclose(np.abs(act(c("up", 0), one, atom)), np.abs(vacuum), atol=1e-14)


@embedded_only
def test_mistakes_are_explained(atom):
    with pytest.raises(TypeError, match="must be an Operator"):
        AtomDiag(3.0, FOPS)
    with pytest.raises(ValueError, match="lacks"):
        AtomDiag(H, [("up", 0)])
    with pytest.raises(NotImplementedError, match="conda install"):
        AtomDiag(Operator(1.0), [("up", a) for a in range(20)])
    with pytest.raises(ValueError, match="blocks of sizes"):
        trace_rho_op([np.eye(4)], H, atom)
    with pytest.raises(ValueError, match="the atom has"):
        trace_rho_op(atomic_density_matrix(atom, BETA), n("left", 0), atom)
