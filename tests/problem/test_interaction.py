# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""One interaction has one form, however its terms are listed."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.orbitals import FOUR, kanamori, rewritten

from triqs_mlsolver import DiscreteBath, Problem
from triqs_mlsolver.exact.ed import ED
from triqs_mlsolver.exact.segment import SegmentSolver
from triqs_mlsolver.problem.interaction import normal_form
from triqs_mlsolver.problem.symmetry import why_not_learnable

NONE = np.zeros((4, 4))


def problem(U=NONE, terms=()):
    bath = [DiscreteBath([0.1 * k], [[0.3 + 0.1 * k]]) for k in range(4)]
    return Problem.from_bath(5.0, FOUR, [[[-1.0 + 0.2 * k]] for k in range(4)], bath, U, terms)


@pytest.mark.parametrize("terms, expected", [
    ([(0.5, (0, 1, 3, 2))], [(0.5, (0, 1, 3, 2))]),
    ([(0.5, (1, 0, 3, 2))], [(-0.5, (0, 1, 3, 2))]),
    ([(0.5, (1, 0, 2, 3))], [(0.5, (0, 1, 3, 2))]),
    ([(0.5, (0, 1, 3, 2)), (0.25, (0, 1, 2, 3))], [(0.25, (0, 1, 3, 2))]),
    ([(0.5, (0, 1, 3, 2)), (-0.5, (0, 1, 3, 2))], []),
    ([(0.1, (0, 1, 3, 2)), (0.2, (0, 1, 3, 2)), (-0.3, (0, 1, 3, 2))], []),  # but for rounding
    ([(0.0, (0, 1, 3, 2))], []),
    ([(0.5, (0, 0, 3, 2)), (0.5, (0, 1, 2, 2))], []),
    ([(0.5, (3, 2, 1, 0)), (0.5, (0, 1, 2, 3))], [(-0.5, (0, 1, 3, 2)), (-0.5, (2, 3, 1, 0))]),
    ([(0.5, (0, 2, 2, 1))], [(0.5, (0, 2, 2, 1))]),  # density-assisted hopping is no density-density term
])  # fmt: skip
def test_terms_stand_once_in_normal_order(terms, expected):
    U, found = normal_form(NONE, tuple(terms))
    assert list(found) == expected and not np.any(U)


@pytest.mark.parametrize("indices, sign", [((0, 2, 2, 0), 1), ((2, 0, 0, 2), 1), ((0, 2, 0, 2), -1)])
def test_products_of_two_densities_belong_to_U(indices, sign):
    p = problem(terms=[(0.5, indices)])
    assert p.is_density_density and p.U[0, 2] == p.U[2, 0] == 0.5 * sign and np.sum(np.abs(p.U)) == 1.0
    assert SegmentSolver.supports(p) is None


def test_terms_that_vanish_leave_a_density_density_problem():
    U, _ = kanamori(2.0, 0.0)
    p = problem(U, [(0.0, (0, 1, 3, 2)), (0.7, (1, 1, 3, 2))])
    assert p.is_density_density and p.id == problem(U).id and why_not_learnable(p) is None


@given(st.integers(0, 2**32))
def test_rewriting_the_terms_changes_nothing(seed):
    rng = np.random.default_rng(seed)
    p = problem(*kanamori(2.0, 0.25))
    q = replace(p, **rewritten(rng, p.U, p.terms))
    assert q.terms == p.terms and np.array_equal(q.U, p.U) and q.id == p.id


def test_the_answer_is_that_of_the_terms_as_they_were_listed(fock_space):
    """An independent diagonalisation of U = 0 and all of the interaction in terms, in any order and with any sign."""
    rng = np.random.default_rng(1)
    p = problem(*kanamori(2.0, 0.25))
    listed = rewritten(rng, p.U, p.terms, all_in_terms=True)
    assert not np.any(listed["U"])
    q = replace(p, **listed)
    raw = replace(p)
    object.__setattr__(raw, "U", listed["U"])
    object.__setattr__(raw, "terms", tuple(listed["terms"]))
    expected, found = fock_space(raw), ED().solve(q)
    assert np.allclose(found.nn, expected.nn, atol=1e-10) and np.allclose(found.nn, ED().solve(p).nn, atol=1e-12)
