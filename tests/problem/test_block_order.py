# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""A problem is the same whatever the order of its blocks, also where only the interaction tells blocks apart."""

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.orbitals import kanamori, rewritten

from triqs_mlsolver import DiscreteBath, Problem
from triqs_mlsolver.exact.ed import ED
from triqs_mlsolver.problem import block_order as module
from triqs_mlsolver.problem.block_order import block_order

SEEDS = st.integers(0, 2**32 - 1)


def degenerate(U, terms=(), sizes=None):
    """Blocks that agree in all but what the interaction says, with one bath site per orbital."""
    sizes = [1] * len(U) if sizes is None else sizes
    bath = lambda n: DiscreteBath([0.125] * n, 0.5 * np.eye(n))
    names = [(f"b{k}", n) for k, n in enumerate(sizes)]
    return Problem.from_bath(5.0, names, [-np.eye(n) for n in sizes], [bath(n) for n in sizes], U, terms)


def graph(n, edges):
    """n blocks with a weaker U_ij along the edges."""
    U = 2.0 * (np.ones((n, n)) - np.eye(n))
    for a, b in edges:
        U[a, b] = U[b, a] = 1.5
    return degenerate(U)


def ring(*members):
    return list(zip(members, members[1:] + members[:1]))


def crystal_field(n_orb):
    """Degenerate spins, one orbital apart from the others."""
    p = degenerate(*kanamori(2.0, 0.25, n_orb))
    levels = [h - 0.25 if b % n_orb == 0 else h for b, h in enumerate(p.h_loc0)]
    return replace(p, h_loc0=tuple(levels))


def frustrated(n_orb):
    """Kanamori terms whose signs no choice of phases makes equal."""
    rng, signs = np.random.default_rng(n_orb), {}
    p = degenerate(*kanamori(2.0, 0.25, n_orb))
    sign = lambda i, j, k, l: signs.setdefault(frozenset([(i, j, k, l), (l, k, j, i)]), rng.choice([-1.0, 1.0]))
    return replace(p, terms=tuple((value * sign(*indices), indices) for value, indices in p.terms))


def flips_in_pairs():
    """Four equal blocks with equal U_ij: only the terms say which two flip with which."""
    terms = [(0.5, (0, 3, 2, 1)), (0.5, (1, 2, 3, 0)), (0.25, (0, 1, 3, 2)), (0.25, (2, 3, 1, 0))]
    return degenerate(np.ones((4, 4)) - np.eye(4), terms)


def hopping_between_densities():
    """A chain of density-assisted hoppings, with a direction."""
    terms = [(0.5, (0, 2, 2, 1)), (0.5, (1, 2, 2, 0)), (0.25, (1, 3, 3, 2)), (0.25, (2, 3, 3, 1))]
    return degenerate(np.ones((4, 4)) - np.eye(4), terms)


def matrix_blocks():
    """Blocks of two orbitals, of which U between specific orbitals says more than rows sorted."""
    U, terms = kanamori(2.0, 0.25, 2)
    four = np.kron(np.eye(2), U) + np.kron([[0, 1], [1, 0]], np.arange(16).reshape(4, 4) / 16)
    shift = lambda s: [(c, tuple(i + s for i in indices)) for c, indices in terms]
    return degenerate(0.5 * (four + four.T), [*shift(0), *shift(4)], [2] * 4)


PROBLEMS = {
    "one orbital": lambda: degenerate(*kanamori(2.0, 0.25, 1)),
    "two orbitals": lambda: degenerate(*kanamori(2.0, 0.25, 2)),
    "two orbitals, densities": lambda: degenerate(kanamori(2.0, 0.25, 2)[0]),
    "three orbitals": lambda: degenerate(*kanamori(2.0, 0.25, 3)),
    "five orbitals": lambda: degenerate(*kanamori(2.0, 0.25, 5)),
    "crystal field": lambda: crystal_field(3),
    "frustrated": lambda: frustrated(3),
    "flips in pairs": flips_in_pairs,
    "assisted hopping": hopping_between_densities,
    "matrix blocks": matrix_blocks,
    "ring": lambda: graph(6, ring(0, 1, 2, 3, 4, 5)),
    "two rings": lambda: graph(6, ring(0, 1, 2) + ring(3, 4, 5)),
    "ten equal": lambda: graph(10, []),
}
problem_of = lru_cache(lambda name: PROBLEMS[name]())


def listed_otherwise(p, rng):
    """The same problem, and the order its blocks have there."""
    order = rng.permutation(len(p.gf_struct)).tolist()
    q = p.permuted(order)
    return replace(q, **rewritten(rng, q.U, q.terms)), order


@pytest.mark.parametrize("name", PROBLEMS)
@given(SEEDS)
def test_no_listing_changes_the_id_or_the_canonical_form(name, seed):
    p = problem_of(name)
    q, _ = listed_otherwise(p, np.random.default_rng(seed))
    assert q.id == p.id
    a, b = p.canonical(), q.canonical()
    assert a.terms == b.terms and np.array_equal(a.U, b.U)
    assert all(np.array_equal(x, y) for f in ("h_loc0", "Delta_l") for x, y in zip(getattr(a, f), getattr(b, f)))
    assert a.id == p.id == b.canonical().id


def test_problems_whose_blocks_look_alike_one_by_one_are_told_apart():
    """Each of these has equal blocks with equal rows of U; only who is related to whom differs."""
    assert len({problem_of(name).id for name in PROBLEMS}) == len(PROBLEMS)
    assert graph(8, ring(*range(8))).id != graph(8, ring(0, 1, 2, 3) + ring(4, 5, 6, 7)).id


@given(st.integers(3, 6), SEEDS)
def test_random_interactions_between_equal_blocks(n, seed):
    """Few values, so that there are many ties: of U, and of terms on any flavours with any sign."""
    rng = np.random.default_rng(seed)
    U = np.triu(rng.integers(0, 2, (n, n)), 1) * 1.0
    quartets = [tuple(rng.permutation(n)[:4].tolist()) if n > 3 else (0, 1, 1, 2) for _ in range(rng.integers(0, 5))]
    terms = []
    for i, j, k, l in quartets:
        value = rng.choice([-0.5, 0.5])
        terms += [(value, (i, j, k, l)), (value, (l, k, j, i))]
    p = degenerate(U + U.T, terms)
    q, _ = listed_otherwise(p, rng)
    assert q.id == p.id


@pytest.mark.parametrize("name", ["two orbitals", "flips in pairs", "assisted hopping"])
@given(SEEDS)
def test_answers_find_their_blocks_through_the_canonical_form(name, seed):
    p, answer = solved(name)
    q, order = listed_otherwise(p, np.random.default_rng(seed))
    q = replace(q.scaled(4.0), gf_struct=tuple((f"other {name}", size) for name, size in q.gf_struct))
    expected = ED().solve(q)
    found = answer.canonical(p).in_units_of(q)
    permuted = answer.permuted(order).scaled(4.0)
    assert found.gf_struct == q.gf_struct
    for other in (found, permuted):
        for field in ("G_l", "Sigma_infty", "Sigma_1"):
            for x, y in zip(getattr(other, field), getattr(expected, field), strict=True):
                assert np.max(np.abs(x - y)) < 1e-9 * np.max(np.abs(y))
        assert np.max(np.abs(other.nn - expected.nn)) < 1e-10


@lru_cache
def solved(name):
    p = problem_of(name)
    return p, ED().solve(p)


def test_five_degenerate_orbitals_take_few_labellings(monkeypatch):
    """Ten blocks that tie have 3628800 orders; symmetries that are found spare nearly all of them."""
    looked_at = []
    compare = module._Labelling._compare
    monkeypatch.setattr(
        module._Labelling, "_compare", lambda self, *args: looked_at.append(args) or compare(self, *args)
    )
    for name in ("five orbitals", "ten equal", "frustrated"):
        assert replace(problem_of(name)).id and len(looked_at) <= 12, name
        looked_at.clear()


def test_where_too_many_orders_look_alike_one_is_taken(monkeypatch):
    monkeypatch.setattr(module, "_MOST_LABELLINGS", 1)
    p = problem_of("five orbitals")
    assert sorted(replace(p).canonical_order) == list(range(10)) and len(replace(p).id) == 16


def test_blocks_that_differ_come_by_their_content():
    assert block_order([(1, 0.5), (1, -0.5), (1, 0.0)], [1, 1, 1], np.zeros((3, 3)), ()) == (1, 2, 0)
