# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
import hashlib
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from triqs_mlsolver import DiscreteBath, Problem
from triqs_mlsolver.exact.ed import ED
from triqs_mlsolver.numerics import legendre

SPINS = (("up", 1), ("down", 1))


def siam(**changes):
    return Problem.siam(
        **{"beta": 10.0, "U": 2.0, "mu": 0.7, "eps": [-0.4, 0.6], "V": [0.3, 0.35], "field": 0.1, **changes}
    )


def arguments(**changes):
    Delta = legendre.from_poles(10.0, [-0.5, 0.5], np.array([0.1, 0.1]))[:, None, None]
    plain = {
        "beta": 10.0,
        "gf_struct": SPINS,
        "h_loc0": ([[-1.0]], [[-1.0]]),
        "Delta_l": (Delta, Delta),
        "U": [[0, 2], [2, 0]],
    }
    return plain | changes


@lru_cache
def two_orbitals():
    """Two spinful orbitals in blocks of size 2, all different."""
    baths = [DiscreteBath([-0.3, 0.4], [[0.3, 0.1], [0.0, 0.2]]), DiscreteBath([0.1], [[0.25, 0.15]])]
    h = [np.array([[-1.0, 0.1], [0.1, -1.2]]), np.array([[-0.9, 0.0], [0.0, -1.1]])]
    U = np.array([[0, 2, 1, 0.8], [2, 0, 0.8, 1], [1, 0.8, 0, 2.5], [0.8, 1, 2.5, 0]])
    terms = ((0.3, (0, 1, 3, 2)), (0.2, (2, 0, 1, 3)))
    return Problem.from_bath(8.0, (("xz", 2), ("yz", 2)), h, baths, U, terms)


# -- refusals: what was given, what is allowed, what to do
# --------------------------------------------------------------

REFUSALS = [
    ({"beta": 0.0}, r"beta = 0.0 .*beta > 0"),
    ({"beta": -3}, r"beta = -3 .*beta > 0"),
    ({"beta": np.nan}, r"beta = nan .*finite"),
    ({"beta": np.inf}, r"beta = inf .*finite"),
    ({"gf_struct": ()}, "gf_struct = .*at least one block"),
    ({"gf_struct": (("up", 1), ("up", 1))}, "gf_struct = .*distinct names"),
    ({"gf_struct": (("up", 1), ("down", 0))}, "gf_struct = .*sizes of 1 or more"),
    ({"h_loc0": ([[-1.0]],)}, "h_loc0 has 1 blocks, gf_struct has 2.*one array per block"),
    ({"h_loc0": ([[-1.0, 0]], [[-1.0]])}, r"h_loc0 of block 'up' has shape \(1, 2\).*\(1, 1\)"),
    ({"h_loc0": ([[-1.0]], [[np.nan]])}, "h_loc0 of block 'down' contains NaN"),
    ({"h_loc0": ([[-1.0 + 0.1j]], [[-1.0]])}, "h_loc0 of block 'up' is complex.*0.1.*only real"),
    ({"Delta_l": (np.zeros((5, 1, 1)),)}, "Delta_l has 1 blocks, gf_struct has 2"),
    (
        {"Delta_l": (np.zeros((5, 2, 2)), np.zeros((5, 1, 1)))},
        r"Delta_l of block 'up' has shape \(5, 2, 2\), expected \(n_l, 1, 1\)",
    ),
    ({"Delta_l": (np.full((5, 1, 1), np.inf), np.zeros((5, 1, 1)))}, "Delta_l of block 'up' contains NaN or infinity"),
    ({"Delta_l": (np.full((5, 1, 1), 1j), np.zeros((5, 1, 1)))}, "Delta_l of block 'up' is complex.*only real"),
    ({"U": 2.0}, r"U has shape \(\).*\(2, 2\) matrix.*flavour"),
    ({"U": np.zeros((3, 3))}, r"U has shape \(3, 3\).*\(2, 2\)"),
    ({"U": [[0, np.nan], [np.nan, 0]]}, "U contains NaN"),
    ({"U": [[0, 2], [1, 0]]}, "U is not symmetric .deviation 1"),
    ({"U": [[1, 2], [2, 0]]}, r"U has the diagonal \[1.0, 0.0\].*zeros"),
    ({"terms": ((1.0, (0, 1, 2, 0)),)}, r"interaction term \(1.0, \(0, 1, 2, 0\)\).*four flavours.*0 … 1"),
    ({"terms": ((1.0, (0, 1)),)}, "four flavours"),
    ({"bath": (DiscreteBath([0.0], [0.5]),)}, "bath has 1 blocks, gf_struct has 2"),
    (
        {"bath": (DiscreteBath([0.0], [0.5]), DiscreteBath([0.0], [[0.5, 0.1]]))},
        "bath of block 'down' couples to 2 orbitals",
    ),
]


@pytest.mark.parametrize("changes, message", REFUSALS)
def test_refuses(changes, message):
    with pytest.raises(ValueError, match=message):
        Problem(**arguments(**changes))


def test_refuses_levels_that_are_not_hermitian():
    with pytest.raises(ValueError, match="h_loc0 of block 'a' is not Hermitian .deviation 0.5"):
        Problem(10.0, (("a", 2),), ([[0, 1], [0.5, 0]],), (np.zeros((4, 2, 2)),), np.zeros((2, 2)))


def test_refuses_a_hybridisation_of_the_wrong_sign():
    """Δ(τ) > 0 has a negative total strength; taken for an isolated atom it would be answered wrongly without a
    word.
    """
    wrong = tuple(-d for d in arguments()["Delta_l"])
    with pytest.raises(ValueError, match="Delta_l of block 'up'.*must not be negative"):
        Problem(**arguments(Delta_l=wrong))


@pytest.mark.parametrize(
    "eps, V, message",
    [([0.0, 1.0], [0.5], "couplings of shape .*2 bath levels"), ([np.nan], [0.5], "NaN"), ([0.0], [np.inf], "NaN")],
)
def test_refuses_an_impossible_bath(eps, V, message):
    with pytest.raises(ValueError, match=message):
        DiscreteBath(eps, V)


def test_does_not_change_when_the_inputs_are_reused():
    U, eps, V = np.array([[0.0, 2.0], [2.0, 0.0]]), np.array([0.1]), np.array([0.5])
    bath = DiscreteBath(eps, V)
    p = Problem.from_bath(10.0, SPINS, ([[-1.0]], [[-1.0]]), (bath, bath), U)
    U[:], eps[:], V[:] = 7.0, 7.0, 7.0
    assert p.U[0, 1] == 2.0 and p.bath[0].eps[0] == 0.1 and p.bath[0].V[0, 0] == 0.5


# -- derived quantities
# -------------------------------------------------------------------------------------------------


def test_scale_is_the_half_bandwidth():
    """D = 2 sqrt(Σ V²) per orbital."""
    p = siam(eps=[-0.4, 0.6], V=[0.3, 0.4])
    assert p.scale == pytest.approx(1.0, abs=1e-10)
    assert np.allclose(p.m1[0], [[0.25]], atol=1e-10)
    q = two_orbitals()
    total = sum(np.trace(b.V.T @ b.V) for b in q.bath)
    assert q.scale == pytest.approx(2 * np.sqrt(total / 4), rel=1e-9)
    assert np.allclose(q.m1[0], q.bath[0].V.T @ q.bath[0].V, atol=1e-9)


def test_delta_and_bare_propagator():
    p = two_orbitals()
    iw = 1j * p.omega(30)
    assert np.allclose(p.omega(2), [np.pi / 8, 3 * np.pi / 8])
    for b, (bath, h) in enumerate(zip(p.bath, p.h_loc0)):
        exact = np.einsum("ka,kb,nk->nab", bath.V, bath.V, 1 / (iw[:, None] - bath.eps))
        assert np.allclose(p.Delta_iw(30)[b], exact, atol=1e-10)
        assert np.allclose(p.G0_inverse_iw(30)[b], iw[:, None, None] * np.eye(2) - h - exact, atol=1e-10)


def test_flavour_views():
    p = two_orbitals()
    assert p.n_flavours == 4 and p.offsets == (0, 2)
    assert np.allclose(p.levels, [-1.0, -1.2, -0.9, -1.1])
    assert np.allclose(p.x, p.levels + 0.5 * np.array([3.8, 3.8, 4.3, 4.3]))
    assert np.array_equal(p.delta_l(3), p.Delta_l[1][:, 1, 1])
    assert not p.is_diagonal and not p.is_density_density
    assert siam().is_diagonal and siam().is_density_density


def test_particle_hole_symmetry():
    symmetric = {"mu": 1.0, "eps": [-0.5, 0.5], "V": [0.3, 0.3], "field": 0.0}
    assert siam(**symmetric).is_particle_hole_symmetric()
    assert not siam(**symmetric | {"mu": 1.001}).is_particle_hole_symmetric()
    assert not siam(**symmetric | {"field": 0.001}).is_particle_hole_symmetric()
    assert not siam(**symmetric | {"eps": [-0.5, 0.501]}).is_particle_hole_symmetric()
    assert not siam(**symmetric | {"V": [0.3, 0.301]}).is_particle_hole_symmetric()


def test_particle_hole_symmetry_of_terms_and_mixed_orbitals():
    def problem(terms=(), mixing=0.0):
        h = np.array([[-1.5, mixing], [mixing, -1.5]])
        bath = DiscreteBath([-0.5, 0.5], [[0.4, 0], [0.4, 0]])
        U = np.ones((4, 4)) - np.eye(4)
        return Problem.from_bath(5.0, [("up", 2), ("down", 2)], (h, h), (bath, bath), U, terms)

    flip = ((0.4, (0, 3, 2, 1)), (0.4, (1, 2, 3, 0)))
    correlated_hopping = ((0.4, (0, 2, 2, 1)), (0.4, (1, 2, 2, 0)))
    assert problem().is_particle_hole_symmetric() and problem(flip).is_particle_hole_symmetric()
    assert not problem(correlated_hopping).is_particle_hole_symmetric()
    assert not problem(mixing=0.1).is_particle_hole_symmetric()


@pytest.mark.parametrize("V, isolated", [(0.0, True), (1e-10, True), (1e-3, False)])
def test_isolated_atom(V, isolated):
    p = siam(V=[V, V])
    assert p.is_isolated is isolated
    assert p.unit == (1 / p.beta if isolated else p.scale)
    assert p.canonical().beta == pytest.approx(1.0 if isolated else p.beta * p.scale)
    assert p.id == p.scaled(3.0).id


def test_internal_length_resolves_g():
    """Coefficients at the end of the internal expansion of an exact G are negligible."""
    for beta, U in ((1.0, 1.0), (20.0, 4.0), (100.0, 6.0), (40.0, 30.0)):
        G_l = ED().solve(siam(beta=beta, U=U, mu=U / 2, field=0.3)).G_l[0][:, 0, 0]
        assert np.max(np.abs(G_l[-2:])) / beta < 1e-9


# -- canonical form
# -----------------------------------------------------------------------------------------------------


@given(
    st.floats(1e-3, 1e3),
    st.booleans(),
    st.tuples(st.text(min_size=1), st.text(min_size=1)).filter(lambda n: n[0] != n[1]),
)
def test_id_is_free_of_unit_order_and_names(factor, swapped, names):
    order = (1, 0) if swapped else (0, 1)
    p = two_orbitals()
    q = replace(p, gf_struct=tuple((name, 2) for name in names)).permuted(order).scaled(factor)
    assert q.id == p.id
    assert np.isclose(q.scale, factor * p.scale, rtol=1e-9)
    assert (q == p) is (abs(factor - 1) < 1e-9)
    assert p == q.scaled(1 / factor) and hash(p) == hash(q)
    a, b = p.canonical(), q.canonical()
    assert np.isclose(a.scale, 1.0, rtol=1e-9) and np.isclose(a.beta, b.beta, rtol=1e-9)
    assert np.allclose(a.U, b.U, atol=1e-8) and all(np.allclose(x, y, atol=1e-8) for x, y in zip(a.Delta_l, b.Delta_l))
    assert [t[1] for t in a.terms] == [t[1] for t in b.terms]
    assert b.canonical().id == p.id


@given(st.floats(0.05, 5), st.floats(-2, 2), st.floats(0, 6), st.floats(-1, 1), st.integers(0, 1000))
def test_id_of_random_atoms_in_a_field(beta, mu, U, field, seed):
    rng = np.random.default_rng(seed)
    p = siam(beta=beta, mu=mu, U=U, field=field, eps=rng.uniform(-1, 1, 3), V=rng.uniform(0.1, 1, 3))
    assert p.permuted([1, 0]).scaled(8.0).id == p.id
    assert p.permuted([1, 0]).permuted([1, 0]) == p


@pytest.mark.parametrize("split", [1e-3, 3e-8, 3e-9, 1e-12, 0.0])
def test_id_where_blocks_are_nearly_the_same(split):
    """Blocks that differ by little must not be told apart by the order they were given in."""
    for beta in (0.1, 10.0):
        p = siam(beta=beta, mu=0.123456789, field=split)
        assert p.permuted([1, 0]).id == p.id


def test_id_tells_problems_apart():
    base = siam()
    others = [
        siam(beta=10.01),
        siam(U=2.001),
        siam(mu=0.701),
        siam(field=0.101),
        siam(eps=[-0.4, 0.601]),
        siam(V=[0.3, 0.351]),
    ]
    assert len({p.id for p in [base, *others]}) == 7
    assert base != others[0] and base != "a string"


def test_field_up_is_field_down():
    """Names carry no meaning: a field along z or −z is one problem."""
    assert siam(field=0.2).id == siam(field=-0.2).id


def test_id_does_not_depend_on_padding_or_on_knowing_the_bath():
    p = siam()
    padded = tuple(legendre.resized(d, len(d) + 12) for d in p.Delta_l)
    assert Problem(p.beta, p.gf_struct, p.h_loc0, padded, p.U).id == p.id


def test_id_is_stable_between_runs():
    """A stored database is looked up by id: the hash of these numbers is part of the format."""
    p = Problem(
        2.0,
        SPINS,
        ([[-0.5]], [[-0.25]]),
        (np.array([-0.5, 0.0, -0.125]), np.array([-0.5, 0.0, -0.125])),
        [[0, 1], [1, 0]],
    )
    m1 = 2 * (0.5 + np.sqrt(5) * 0.125) / 2.0  # −Δ(0⁺) − Δ(β⁻)
    D = 2 * np.sqrt(m1)
    assert p.scale == pytest.approx(D, rel=1e-12)
    first = np.zeros(40)
    first[[0, 2]] = -0.5 / D / (2 * D), -0.125 / D / (2 * D)
    numbers = np.concatenate([[2 * D, 1, 1, 0, 1 / D, 1 / D, 0, -0.5 / D, -0.25 / D], first, first])
    assert p.id == hashlib.sha256((np.round(numbers, 9) + 0.0).astype("<f8").tobytes()).hexdigest()[:16]


def test_scaling_multiplies_every_energy():
    p, f = two_orbitals(), 3.0
    q = p.scaled(f)
    assert q.beta == p.beta / f and np.allclose(q.U, f * p.U) and np.allclose(q.h_loc0[0], f * p.h_loc0[0])
    assert q.terms[0] == (f * p.terms[0][0], p.terms[0][1])
    for a, b in zip(p.Delta_iw(10), q.Delta_iw(10)):
        assert np.allclose(b, f * a, atol=1e-10)
    for bath, d in zip(q.bath, q.Delta_l):
        assert np.allclose(legendre.from_poles(q.beta, bath.eps, bath.weights, len(d)), d, atol=1e-9)


def test_permutation_moves_flavours_and_terms_together():
    p = two_orbitals()
    q = p.permuted([1, 0])
    assert [n for n, _ in q.gf_struct] == ["yz", "xz"]
    assert np.array_equal(q.U, p.U[np.ix_([2, 3, 0, 1], [2, 3, 0, 1])])
    assert q.terms == ((0.2, (0, 2, 3, 1)), (0.3, (2, 3, 1, 0)))
    assert np.array_equal(q.Delta_l[0], p.Delta_l[1]) and np.array_equal(q.bath[1].eps, p.bath[0].eps)


def test_energies_of_another_order_of_magnitude():
    """Kelvin or Rydberg: nothing depends on the unit, flags included."""
    p = siam(mu=1.0, eps=[-0.5, 0.5], V=[0.3, 0.3], field=0.0)
    for unit in (1e-6, 1e6):
        q = p.scaled(unit)
        assert q.is_particle_hole_symmetric() and q.is_diagonal and not q.is_isolated and q.n_l == p.n_l
