# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Many-body operators and their translation into matrices, against explicit matrices on the Fock space."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.orbitals import kanamori_operator

from triqs_mlsolver import compat
from triqs_mlsolver.compat import operators as embedded
from triqs_mlsolver.interface.operators import parse_interaction, parse_quadratic

ONE_ORBITAL = [("up", 1), ("down", 1)]
TWO_ORBITALS = [("up", 2), ("down", 2)]
LABELS = [("down", 0), ("down", 1), ("up", 0), (3, "x")]


def annihilator(mode: int, n_modes: int) -> np.ndarray:
    """c_mode on the Fock space of `n_modes` (Jordan-Wigner)."""
    lower, sign, one = np.array([[0.0, 1], [0, 0]]), np.diag([1.0, -1]), np.eye(2)
    out = np.eye(1)
    for k in range(n_modes):
        out = np.kron(out, sign if k < mode else lower if k == mode else one)
    return out


def as_matrix(op, labels=LABELS) -> np.ndarray:
    """The operator on the Fock space of `labels`."""
    out = np.zeros((2 ** len(labels),) * 2, complex)
    for monomial, value in op:
        term = value * np.eye(len(out))
        for dag, indices in monomial:
            a = annihilator([list(l) for l in labels].index(indices), len(labels))
            term = term @ (a.T if dag else a)
        out += term
    return out


factor = st.tuples(st.booleans(), st.sampled_from(LABELS))
product = st.lists(factor, max_size=5)
polynomial = st.lists(st.tuples(st.integers(-3, 3), product), max_size=3)


def build(polynomial):
    """The same polynomial as operator and as matrix."""
    op, matrix = embedded.Operator(), np.zeros((16, 16), complex)
    for value, factors in polynomial:
        term, m = embedded.Operator(value), value * np.eye(16)
        for dag, label in factors:
            a = annihilator(LABELS.index(label), 4)
            term, m = term * (embedded.c_dag if dag else embedded.c)(*label), m @ (a.T if dag else a)
        op, matrix = op + term, matrix + m
    return op, matrix


@given(polynomial, polynomial)
@settings(max_examples=60, deadline=None)
def test_algebra_is_that_of_matrices(p, q):
    (a, A), (b, B) = build(p), build(q)
    np.testing.assert_allclose(as_matrix(a), A, atol=1e-12)
    np.testing.assert_allclose(as_matrix(a * b), A @ B, atol=1e-12)
    np.testing.assert_allclose(as_matrix(a - 2 * b + 1), A - 2 * B + np.eye(16), atol=1e-12)
    np.testing.assert_allclose(as_matrix(embedded.dagger(a)), A.conj().T, atol=1e-12)
    assert (a == b) == np.allclose(A, B)


@given(polynomial)
@settings(max_examples=40, deadline=None)
def test_monomials_are_in_normal_order(p):
    op, _ = build(p)
    monomials = [tuple((d, tuple(i)) for d, i in m) for m, _ in op]
    assert len(set(monomials)) == len(monomials)
    for m in monomials:
        daggers = [d for d, _ in m]
        assert daggers == sorted(daggers, reverse=True)
        assert len(set(m)) == len(m)


def test_notation_is_that_of_triqs():
    n, c, c_dag = embedded.n, embedded.c, embedded.c_dag
    assert str(2 * n("up", 0) * n("down", 0)) == "2*c_dag('down',0)*c_dag('up',0)*c('up',0)*c('down',0)"
    assert str(0.5 + 1j * c_dag("a", 1) * c("b", 0)) == "0.5 + (0+1j)*c_dag('a',1)*c('b',0)"
    assert str(n("up", 0) - n("up", 0)) == "0"
    [(monomial, value)] = list(n("up", 0) * n("down", 0))
    assert (
        monomial == [(True, ["down", 0]), (True, ["up", 0]), (False, ["up", 0]), (False, ["down", 0])] and value == 1.0
    )


def test_numpy_scalars_multiply_from_the_left():
    assert np.float64(2.0) * embedded.n("up", 0) == 2 * embedded.n("up", 0)
    assert (embedded.n("up", 0) / 4).real == 0.25 * embedded.n("up", 0)


def test_hermiticity():
    hop = embedded.c_dag("a", 0) * embedded.c("b", 0)
    current = 1j * (hop - embedded.dagger(hop))
    assert not (hop - embedded.dagger(hop)).is_zero() and (current - embedded.dagger(current)).is_zero()


def test_same_text_and_order_as_real_triqs():
    real = pytest.importorskip("triqs.operators")

    def example(make):
        n, c, c_dag = make.n, make.c, make.c_dag
        return 2.5 * n("up", 0) * n("down", 0) - 0.3 * n("up", 1) + 7 + c_dag("a", 1) * c("b", 0) * 1j

    assert str(example(embedded)) == str(example(real))
    listed = [[(monomial, complex(value)) for monomial, value in example(make)] for make in (embedded, real)]
    assert listed[0] == listed[1]


# -- h_int and h_loc0 as matrices -------------------------------------------------------------------


def test_single_orbital():
    found = parse_interaction(2.5 * compat.n("up", 0) * compat.n("down", 0) - 0.3 * compat.n("up", 0) + 7, ONE_ORBITAL)
    np.testing.assert_array_equal(found.U, [[0, 2.5], [2.5, 0]])
    assert found.terms == ()
    np.testing.assert_array_equal(np.concatenate(found.quadratic), [[-0.3], [0.0]])
    assert found.constant == 7 and found.between_blocks is None


def test_parsed_interaction_is_the_operator():
    H = kanamori_operator(4.0, 0.5) + 0.2 * (
        compat.c_dag("up", 0) * compat.c("up", 1) + compat.c_dag("up", 1) * compat.c("up", 0)
    )
    found = parse_interaction(H, TWO_ORBITALS)
    labels = [("up", 0), ("up", 1), ("down", 0), ("down", 1)]
    c = [annihilator(k, 4) for k in range(4)]
    rebuilt = sum(0.5 * found.U[i, j] * c[i].T @ c[i] @ c[j].T @ c[j] for i, j in itertools.product(range(4), repeat=2))
    rebuilt = rebuilt + sum(v * c[i].T @ c[j].T @ c[k] @ c[l] for v, (i, j, k, l) in found.terms)
    rebuilt = rebuilt + sum(found.quadratic[0][a, b] * c[a].T @ c[b] for a, b in itertools.product(range(2), repeat=2))
    np.testing.assert_allclose(rebuilt, as_matrix(H, labels), atol=1e-12)
    assert len(found.terms) == 4


n, c, c_dag = compat.n, compat.c, compat.c_dag
hop = c_dag("up", 0) * c("down", 0)
BAD = {
    "unknown block": (n("foo", 0) * n("up", 0), ValueError, "'foo'.*not in gf_struct.*'up'"),
    "unknown orbital": (n("up", 1) * n("down", 0), ValueError, r"'up', 1"),
    "not Hermitian": (hop, ValueError, r"not Hermitian.*c_dag\('up',0\)\*c\('down',0\)"),
    "complex": (1j * n("up", 0) * n("down", 0), ValueError, "complex coefficient"),
    "anomalous": (c_dag("up", 0) * c_dag("down", 0) + c("down", 0) * c("up", 0), ValueError, "particle number"),
    "not finite": (float("nan") * n("up", 0), ValueError, "finite"),
    "no operator": (3.0, TypeError, "must be a many-body operator"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_interactions_are_refused(case):
    op, error, message = BAD[case]
    with pytest.raises(error, match=message):
        parse_interaction(op, ONE_ORBITAL)


def test_one_body_terms_between_blocks_are_named():
    """They fit no matrix per block: h_int may have them where triqs_cthyb takes it, h_loc0 may not."""
    linked = hop + compat.dagger(hop) - n("up", 0)
    found = parse_interaction(linked, ONE_ORBITAL)
    assert found.between_blocks == ("up", "down") and float(found.quadratic[0][0, 0]) == -1.0
    assert parse_interaction(1e-16 * (hop + compat.dagger(hop)) - n("up", 0), ONE_ORBITAL).between_blocks is None
    with pytest.raises(ValueError, match="h_loc0.*between different blocks"):
        parse_quadratic(linked, ONE_ORBITAL)


def test_three_body_terms_are_refused():
    with pytest.raises(ValueError, match="3-body"):
        parse_interaction(n("up", 0) * n("up", 1) * n("down", 0), TWO_ORBITALS)


def test_quadratic_hamiltonian():
    h = parse_quadratic(-n("up", 0) + 0.5 * n("down", 0), ONE_ORBITAL)
    assert [float(m[0, 0]) for m in h] == [-1.0, 0.5]
    with pytest.raises(ValueError, match="two-body"):
        parse_quadratic(n("up", 0) * n("down", 0), ONE_ORBITAL)
