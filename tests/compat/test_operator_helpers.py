# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Interactions and their parts, under either provider, against closed forms and symmetries."""

from __future__ import annotations

import numpy as np
import pytest

from triqs_mlsolver import compat
from triqs_mlsolver.compat import (
    L2_op,
    L_op,
    LS_op,
    N_op,
    Operator,
    S2_op,
    S_op,
    U_J_to_radial_integrals,
    U_matrix_kanamori,
    U_matrix_slater,
    block_matrix_from_op,
    c,
    c_dag,
    cubic_names,
    dagger,
    diagonal_part,
    dict_to_matrix,
    eg_submatrix,
    extract_h_dict,
    extract_U_dict2,
    extract_U_dict4,
    get_mkind,
    h_int_density,
    h_int_kanamori,
    h_int_slater,
    is_operator_real,
    make_operator_real,
    n,
    op_from_block_matrix,
    quadratic_terms,
    quartic_terms,
    radial_integrals_to_U_J,
    reduce_4index_to_2index,
    set_operator_structure,
    spherical_to_cubic,
    t2g_submatrix,
    three_j_symbol,
    transform_U_matrix,
)  # fmt: skip

SPINS = ("up", "down")
F0, F2, F4 = 4.0, 3.0, 2.0
embedded_only = pytest.mark.skipif(compat.HAS_TRIQS, reason="TRIQS has messages of its own")


def largest(op) -> float:
    """Largest coefficient of an operator."""
    return max((abs(value) for _, value in op), default=0.0)


def commutator(a, b):
    return a * b - b * a


# -- Coulomb tensors ---------------------------------------------------------------------------------------------------


def test_three_j_symbols_of_the_tables():
    assert three_j_symbol((1, 0), (1, 0), (2, 0)) == pytest.approx(np.sqrt(2 / 15), rel=1e-14)
    assert three_j_symbol((2, 0), (2, 0), (2, 0)) == pytest.approx(-np.sqrt(2 / 35), rel=1e-14)
    assert three_j_symbol((1, 1), (1, -1), (1, 0)) == pytest.approx(1 / np.sqrt(6), rel=1e-14)
    assert three_j_symbol((1, 1), (1, 1), (2, 0)) == 0


def test_averages_of_a_d_shell_are_U_and_J():
    """U = F0 and J = (F2 + F4)/14 are the averages over pairs of orbitals."""
    same, opposite = reduce_4index_to_2index(U_matrix_slater(2, radial_integrals=[F0, F2, F4], basis="cubic"))
    assert opposite.mean() == pytest.approx(F0, rel=1e-13)
    assert same.sum() / 20 == pytest.approx(F0 - (F2 + F4) / 14, rel=1e-13)


@pytest.mark.parametrize(("part", "J"), [(t2g_submatrix, 3 / 49 * F2 + 20 / 441 * F4),
                                         (eg_submatrix, 4 / 49 * F2 + 15 / 441 * F4)])  # fmt: skip
@pytest.mark.parametrize("convention", ["triqs", "wien2k", "wannier90"])
def test_cubic_orbitals_of_a_d_shell_have_a_kanamori_interaction(part, J, convention):
    """With U = F0 + 4 F2/49 + 36 F4/441, Racah's A + 4B + 3C."""
    spherical = U_matrix_slater(2, radial_integrals=[F0, F2, F4])
    U = part(transform_U_matrix(spherical, spherical_to_cubic(2, convention)), convention).real
    kanamori = U_matrix_kanamori(len(U), F0 + 4 / 49 * F2 + 36 / 441 * F4, J, full_Uijkl=True)
    if convention == "wien2k" and part is t2g_submatrix:  # complex orbitals: the phase of pairs is another
        U, kanamori = reduce_4index_to_2index(U), reduce_4index_to_2index(kanamori)
    np.testing.assert_allclose(U, kanamori, atol=1e-13)


@pytest.mark.parametrize("l", [1, 2, 3])
def test_radial_integrals_and_back(l):
    assert radial_integrals_to_U_J(l, U_J_to_radial_integrals(l, 4.0, 0.7)) == pytest.approx((4.0, 0.7), rel=1e-14)


def test_radial_integrals_of_a_d_shell():
    F = U_J_to_radial_integrals(2, 4.0, 0.7)
    assert F[0] == 4.0 and F[1] + F[2] == pytest.approx(14 * 0.7) and F[2] / F[1] == pytest.approx(0.63)


@pytest.mark.parametrize("l", [1, 2, 3])
def test_cubic_harmonics_are_orthonormal_and_make_the_tensor_real(l):
    T = spherical_to_cubic(l)
    np.testing.assert_allclose(T @ T.conj().T, np.eye(2 * l + 1), atol=1e-14)
    U = U_matrix_slater(l, U_int=4.0, J_hund=0.7, basis="cubic")
    assert len(cubic_names(l)) == 2 * l + 1 and np.abs(np.imag(U)).max() < 1e-13
    np.testing.assert_allclose(U, U.transpose(1, 0, 3, 2), atol=1e-13)


def test_kanamori_matrices():
    U, Uprime = U_matrix_kanamori(2, 4.0, 0.7)
    np.testing.assert_allclose(U, [[0, 1.9], [1.9, 0]], atol=1e-14)
    np.testing.assert_allclose(Uprime, [[4.0, 2.6], [2.6, 4.0]], atol=1e-14)
    np.testing.assert_allclose(U_matrix_kanamori(2, 4.0, 0.7, Up_int=1.0)[0], [[0, 0.3], [0.3, 0]], atol=1e-14)
    full = U_matrix_kanamori(2, 4.0, 0.7, full_Uijkl=True, Jc_hund=0.2)
    assert [full[0, 0, 0, 0], full[0, 1, 0, 1], full[0, 1, 1, 0], full[0, 0, 1, 1]] == [4.0, 4.0 - 1.4, 0.7, 0.2]
    with pytest.raises(ValueError, match="Jc_hund"):
        U_matrix_kanamori(2, 4.0, 0.7, Jc_hund=0.2)


# -- operators ---------------------------------------------------------------------------------------------------------


def test_blocks_with_and_without_mixing():
    assert [tuple(b) for b in set_operator_structure(SPINS, 2, True)] == [("up", 2), ("down", 2)]
    assert [tuple(b) for b in set_operator_structure(SPINS, 2, False)] == [
        ("up_0", 1), ("up_1", 1), ("down_0", 1), ("down_1", 1),
    ]  # fmt: skip
    assert get_mkind(False, None)("up", 1) == ("up_1", 0) and get_mkind(True, None)("up", 1) == ("up", 1)
    with pytest.raises(ValueError, match="off_diag"):
        get_mkind(None, None)


def test_density_interaction_of_two_orbitals():
    U, Uprime = U_matrix_kanamori(2, 4.0, 0.7)
    h = h_int_density(SPINS, 2, U, Uprime, off_diag=False)
    u = [n(f"up_{a}", 0) for a in (0, 1)]
    d = [n(f"down_{a}", 0) for a in (0, 1)]
    expected = 4.0 * (u[0] * d[0] + u[1] * d[1]) + 2.6 * (u[0] * d[1] + u[1] * d[0]) + 1.9 * (u[0] * u[1] + d[0] * d[1])
    assert largest(h - expected) < 1e-14
    assert largest(diagonal_part(h_int_kanamori(SPINS, 2, U, Uprime, 0.7, off_diag=False)) - expected) < 1e-14


def test_spin_flips_and_pair_hopping_of_two_orbitals():
    U, Uprime = U_matrix_kanamori(2, 4.0, 0.7)
    h = h_int_kanamori(SPINS, 2, U, Uprime, 0.7, off_diag=True)
    flip = c_dag("up", 0) * c("down", 0) * c_dag("down", 1) * c("up", 1)
    hop = c_dag("up", 0) * c_dag("down", 0) * c("down", 1) * c("up", 1)
    rest = 0.7 * (hop + dagger(hop) - flip - dagger(flip))
    assert largest(h - diagonal_part(h) - rest) < 1e-14


def test_kanamori_interaction_of_three_orbitals_is_that_of_its_tensor_and_rotates():
    U, Uprime = U_matrix_kanamori(3, 4.0, 0.7)
    h = h_int_kanamori(SPINS, 3, U, Uprime, 0.7, off_diag=True)
    tensor = U_matrix_kanamori(3, 4.0, 0.7, full_Uijkl=True)
    assert largest(h - h_int_slater(SPINS, 3, tensor, off_diag=True)) < 1e-13
    for invariant in (S2_op(SPINS, 3, off_diag=True), L_op("x", SPINS, 3, off_diag=True, basis="cubic")):
        assert largest(commutator(h, invariant)) < 1e-13


def test_slater_interaction_of_a_p_shell_rotates():
    h = h_int_slater(SPINS, 3, U_matrix_slater(1, U_int=4.0, J_hund=0.7), off_diag=True)
    for component in "xyz+-":
        assert largest(commutator(h, L_op(component, SPINS, 3, off_diag=True))) < 1e-13
        assert largest(commutator(h, S_op(component, SPINS, 3, off_diag=True))) < 1e-13
    assert largest(commutator(h, N_op(SPINS, 3, off_diag=True))) < 1e-13


def test_spin_orbit_coupling_conserves_the_total_angular_momentum_alone():
    LS, L, S = (f(*k, SPINS, 3, off_diag=True) for f, k in ((LS_op, ""), (L_op, "z"), (S_op, "z")))
    assert largest(commutator(LS, L + S)) < 1e-13 and largest(commutator(LS, S)) > 0.1


def test_angular_momenta_obey_their_algebra():
    L = {k: L_op(k, SPINS, 3, off_diag=True, basis="cubic") for k in "xyz"}
    assert largest(commutator(L["x"], L["y"]) - 1j * L["z"]) < 1e-14
    squares = L["x"] * L["x"] + L["y"] * L["y"] + L["z"] * L["z"]
    assert largest(squares - L2_op(SPINS, 3, off_diag=True, basis="cubic")) < 1e-13


def test_complex_tensors_are_refused_unless_wanted():
    T = np.diag([1, 1j]) @ np.array([[1, 1], [1, -1]]) / np.sqrt(2)
    tensor = transform_U_matrix(U_matrix_kanamori(2, 4.0, 0.7, full_Uijkl=True, Jc_hund=0.1), np.diag([1, 1j**0.5]) @ T)
    with pytest.raises((ValueError, RuntimeError), match="not real"):
        h_int_slater(SPINS, 2, tensor, off_diag=True)
    h = h_int_slater(SPINS, 2, tensor, off_diag=True, complex=True)
    assert largest(h - dagger(h)) < 1e-13 and not is_operator_real(h, 1e-12)


def test_terms_are_dumped(tmp_path):
    U, Uprime = U_matrix_kanamori(2, 4.0, 0.7)
    h_int_kanamori(SPINS, 2, U, Uprime, 0.7, off_diag=True, H_dump=str(tmp_path / "terms.txt"))
    assert (tmp_path / "terms.txt").read_text().startswith("Kanamori Hamiltonian:\n")


# -- parts -------------------------------------------------------------------------------------------------------------


def test_coefficients_of_quadratic_terms():
    h = 0.5 * n("up", 0) + 0.3 * c_dag("up", 0) * c("up", 1) + 2.0 * n("up", 0) * n("down", 0)
    expected = {(("up", 0), ("up", 0)): 0.5, (("up", 0), ("up", 1)): 0.3}
    assert extract_h_dict(h, True) == expected
    with pytest.raises(RuntimeError):
        extract_h_dict(h)
    matrix = dict_to_matrix(expected, [("up", 2), ("down", 1)])
    np.testing.assert_array_equal(matrix, [[0.5, 0.3, 0], [0, 0, 0], [0, 0, 0]])
    blocks = block_matrix_from_op(quadratic_terms(h), [("up", 2), ("down", 1)])
    np.testing.assert_array_equal(np.array(blocks[0].tolist(), complex), [[0.5, 0.3], [0, 0]])
    assert quartic_terms(h) == 2.0 * n("up", 0) * n("down", 0)


def test_coefficients_of_interactions():
    h = 2.0 * n("up", 0) * n("down", 0)
    a, b = ("up", 0), ("down", 0)
    assert extract_U_dict2(h) == {(a, b): 2.0, (b, a): 2.0}
    tensor = extract_U_dict4(h)
    assert tensor[a, b, a, b] == tensor[b, a, b, a] == 1.0 and tensor[a, b, b, a] == -1.0 and len(tensor) == 4
    with pytest.raises(RuntimeError):
        extract_U_dict2(c_dag("a", 0) * c_dag("a", 1) * c("a", 2) * c("a", 1))


@embedded_only
def test_operator_of_block_matrices():
    matrices = [np.array([[0.0, 0.3], [0.3, 1.0]]), np.array([[2.0]])]
    h = op_from_block_matrix(matrices, [("up", 2), ("down", 1)])
    assert h == 0.3 * (c_dag("up", 0) * c("up", 1) + c_dag("up", 1) * c("up", 0)) + n("up", 1) + 2.0 * n("down", 0)


def test_real_parts():
    h = (1 + 1e-14j) * n("up", 0)
    assert not is_operator_real(h) and is_operator_real(h, 1e-12) and is_operator_real(Operator())
    assert make_operator_real(h, 1e-12) == n("up", 0)
    with pytest.raises(RuntimeError, match="imaginary part"):
        make_operator_real(h)


@embedded_only
def test_mistakes_are_explained():
    with pytest.raises(ValueError, match="both U_int and J_hund"):
        U_matrix_slater(2, U_int=1.0)
    with pytest.raises(ValueError, match="needs T"):
        U_matrix_slater(2, U_int=1.0, J_hund=0.1, basis="other")
    with pytest.raises(ValueError, match="l is one of"):
        spherical_to_cubic(3, "wien2k")
    with pytest.raises(ValueError, match="did you mean 'cubic'"):
        U_matrix_slater(2, U_int=1.0, J_hund=0.1, basis="Cubic")
    with pytest.raises(RuntimeError, match="not of the form"):
        extract_h_dict(n("up", 0) * n("down", 0))
    with pytest.raises(RuntimeError, match="not in gf_struct"):
        dict_to_matrix({(("left", 0), ("left", 0)): 1.0}, [("up", 1)])
    with pytest.warns(UserWarning, match="how many"):
        assert set_operator_structure(SPINS, ["a", "b"], True) == [["up", 2], ["down", 2]]
