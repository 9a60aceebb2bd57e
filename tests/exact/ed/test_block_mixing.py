# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Interactions that connect blocks which gf_struct keeps apart, against G from the whole Fock space."""

from __future__ import annotations

import numpy as np
import pytest
from support.orbitals import kanamori_operator

from triqs_mlsolver import DiscreteBath, Problem, Solver
from triqs_mlsolver.compat import Operator, c, c_dag, dagger, inverse, iOmega_n, n
from triqs_mlsolver.exact.ed.block_mixing import mixed_blocks
from triqs_mlsolver.interface.operators import parse_interaction
from triqs_mlsolver.problem.symmetry import ParitySpan

SINGLE = [(f"{spin}{a}", 1) for spin in ("up", "down") for a in (0, 1)]
PAIRED = [("up", 2), ("down", 2)]


def problem(gf_struct, h_int, levels=(-1.0, -0.7)):
    parsed = parse_interaction(h_int, gf_struct)
    h = [np.diag(levels if size == 2 else [levels[int(name[-1])]]) for name, size in gf_struct]
    bath = [DiscreteBath([-0.3] * size, 0.4 * np.eye(size)) for _, size in gf_struct]
    return Problem.from_bath(5.0, gf_struct, h, bath, parsed.U, parsed.terms)


def renamed(operator, name):
    """The same operator on other labels."""
    out = Operator()
    for monomial, value in operator:
        term = value
        for dagger_, (block, a) in monomial:
            term = term * (c_dag if dagger_ else c)(*name(str(block), a))
        out += term
    return out


KANAMORI = renamed(kanamori_operator(2.0, 0.3), lambda spin, a: (f"{spin}{a}", 0))


def correlated_hopping(t=0.2):
    hop = n("down0", 0) * c_dag("up0", 0) * c("up1", 0)
    return KANAMORI + t * (hop + dagger(hop))


def test_usual_interactions_mix_nothing():
    assert mixed_blocks(problem(SINGLE, KANAMORI)) is None
    assert mixed_blocks(problem(PAIRED, kanamori_operator(2.0, 0.3))) is None


def test_hopping_that_depends_on_another_flavour_mixes(fock_space):
    p = problem(SINGLE, correlated_hopping())
    assert mixed_blocks(p) == ("up0", "up1")
    reference = fock_space(p)
    up0, up1 = reference.operators[:2]
    assert abs(reference.probabilities @ np.einsum("an,an->n", up0, up1)) > 1e-3
    together = problem(PAIRED, renamed(correlated_hopping(), lambda name, a: (name[:-1], int(name[-1]))))
    assert mixed_blocks(together) is None


def test_a_sharp_level_beside_does_not_hide_the_mixing():
    """A block without a share in it, at the Fermi level and nearly isolated: its G is by far the largest."""
    p = problem(SINGLE, correlated_hopping())
    wide = [*SINGLE, ("s", 1)]
    parsed = parse_interaction(correlated_hopping(), wide)
    bath = [DiscreteBath([-0.3], [[v]]) for v in (0.4, 0.4, 0.4, 0.4, 1e-3)]
    beside = Problem.from_bath(50.0, wide, [*p.h_loc0, [[0.0]]], bath, parsed.U, parsed.terms)
    assert mixed_blocks(beside) == ("up0", "up1")


def test_crystal_symmetry_forbids_what_signs_allow():
    """Hopping assisted by two flavours whose shares cancel where both are alike."""

    def assisted(levels):
        t = 0.2
        hop = (n("down0", 0) - n("down1", 0)) * (c_dag("up0", 0) * c("up1", 0))
        U = 1.5 * sum(n(*a) * n(*b) for i, a in enumerate(LABELS) for b in LABELS[:i])
        return problem(SINGLE, U + t * (hop + dagger(hop)), levels)

    LABELS = [(name, 0) for name, _ in SINGLE]
    # exchanging the orbitals and the sign of up1 maps the hopping onto itself and forbids ⟨c_up0 c†_up1⟩
    assert mixed_blocks(assisted((-1.0, -1.0))) is None
    assert mixed_blocks(assisted((-1.0, -1.002))) is None, "noise of the levels must not end a calculation"
    assert mixed_blocks(assisted((-1.0, -0.7))) == ("up0", "up1")


def test_parities():
    span = ParitySpan([(0, 1, 2, 3), (0, 2, 2, 1)])
    assert span.allows(0, 1) and span.allows(2, 3) and not span.allows(0, 2)
    assert not ParitySpan([(0, 1, 2, 3)]).allows(0, 1)


def test_the_solver_refuses_and_stores_nothing(tmp_path):
    S = Solver(5.0, SINGLE, n_iw=100, n_tau=401, database=tmp_path / "points.h5", exact="ed")
    for _, g0 in S.G0_iw:
        g0 << inverse(iOmega_n + 1.0 - 0.1 * inverse(iOmega_n - 0.3))
    with pytest.raises(ValueError, match="mixes the blocks 'up0' and 'up1'.*one block of gf_struct"):
        S.solve(h_int=correlated_hopping())
    assert S.last_decision is None and not list(tmp_path.iterdir())
