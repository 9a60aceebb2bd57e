# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Groups of permutations by their generators, against all permutations one by one."""

from itertools import permutations as every
from math import factorial, prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.orbitals import kanamori

from triqs_mlsolver import DiscreteBath, Problem
from triqs_mlsolver.exact.ed import ED
from triqs_mlsolver.exact.ed.fock import FockSpace
from triqs_mlsolver.exact.ed.spectrum import Spectrum
from triqs_mlsolver.exact.quality import objections
from triqs_mlsolver.exact.segment.symmetries import Symmetries
from triqs_mlsolver.model.features.descriptor import Descriptor
from triqs_mlsolver.problem.interaction import interaction_table
from triqs_mlsolver.problem.permutations import elements, generators, mapping, orbit_labels
from triqs_mlsolver.problem.symmetry import generating_permutations, pair_mean, pair_orbits, pairs_alike

SEEDS = st.integers(0, 2**32 - 1)


def flavours(U, terms=(), levels=None, baths=None):
    N = len(U)
    levels = [-1.0] * N if levels is None else levels
    baths = [DiscreteBath([0.2], [[0.5]])] * N if baths is None else baths
    return Problem.from_bath(5.0, [(f"f{k}", 1) for k in range(N)], [[[x]] for x in levels], baths, U, terms)


def equal(N):
    return flavours(2.0 * (np.ones((N, N)) - np.eye(N)))


def order(found, n):
    """Size of the group: of each flavour's orbit with those before it in place, multiplied."""
    orbit = lambda k: orbit_labels([p for p in found if p[:k] == tuple(range(k))], np.arange(n))
    return prod(int(np.sum(orbit(k) == k)) for k in range(n))


def keep(terms, p):
    moved = [(value, tuple(p[i] for i in indices)) for value, indices in terms]
    return interaction_table(moved) == interaction_table(terms)


# -- the group
# ----------------------------------------------------------------------------------------------------------


@given(st.integers(2, 6), SEEDS)
def test_generators_generate_all_that_keeps_pairs_colours_and_terms(n, seed):
    rng = np.random.default_rng(seed)
    colour = rng.integers(0, 1 + rng.integers(0, 2), n).tolist()
    upper = np.triu(rng.integers(0, 1 + rng.integers(0, 2), (n, n)), 1)
    pairs = upper + upper.T
    draw = lambda: tuple(int(i) for i in rng.permutation(n)[:4])
    quartets = [draw() for _ in range(rng.integers(0, 4))] if n > 3 else []
    table = interaction_table([(rng.choice([-1.0, 1.0]), q) for q in quartets])
    terms = [(value, indices) for indices, value in table.items() if value]
    unchanged = {
        p for p in every(range(n))
        if all(colour[p[f]] == colour[f] for f in range(n))
        and np.array_equal(pairs[np.ix_(p, p)], pairs) and keep(terms, p)
    }  # fmt: skip
    found = generators(colour, pairs, terms)
    assert len(found) < n and set(elements(found, n, 1000)) == unchanged and order(found, n) == len(unchanged)


@pytest.mark.parametrize("n", [2, 7, 10, 14])
def test_equal_flavours_have_all_permutations(n):
    found = generators([0] * n, np.zeros((n, n), int))
    assert len(found) == n - 1 and order(found, n) == factorial(n)


def test_a_condition_that_only_a_product_meets():
    """Of two exchanges neither is allowed, both together are."""
    pairs = np.zeros((4, 4), int)
    both = (1, 0, 3, 2)
    assert generators([0, 0, 1, 1], pairs) == ((0, 1, 3, 2), (1, 0, 2, 3))
    assert generators([0, 0, 1, 1], pairs, accept=lambda p: p in ((0, 1, 2, 3), both)) == (both,)


def test_a_mapping_exists_only_between_equal_colours():
    pairs = np.zeros((3, 3), int)
    assert mapping([0, 1, 1], [1, 0, 1], pairs) == (1, 0, 2)
    assert mapping([0, 0, 0], [1, 1, 1], pairs) is None and mapping([0, 0, 1], [0, 1, 1], pairs) is None


def test_elements_stop_at_the_limit():
    found = elements(((1, 0, 2, 3), (1, 2, 3, 0)), 4, 7)
    assert len(found) == len(set(found)) == 7 and found[:2] == [(0, 1, 2, 3), (1, 0, 2, 3)]
    assert elements((), 3, 7) == [(0, 1, 2)]


# -- what it connects
# ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("N", [6, 7, 8, 10])
def test_equal_flavours_are_one_and_their_pairs_two(N):
    """i = j and i ≠ j; the symmetries of the segment solver, too."""
    p = equal(N)
    found = generating_permutations(p)
    assert np.array_equal(orbit_labels(found, np.arange(N)), np.zeros(N))
    for labels in (pair_orbits(found, N), pair_orbits(found, N, ordered=True), pairs_alike(p)):
        assert np.array_equal(labels, np.where(np.eye(N, dtype=bool), 0, 1))
    symmetries = Symmetries.of(p, [p.delta_l(f) for f in range(N)])
    assert not np.any(symmetries.orbits())
    nn = np.random.default_rng(N).uniform(size=(2, N, N))
    off = ~np.eye(N, dtype=bool)
    mean = symmetries.average_nn(nn)
    assert all(np.ptp(m[off]) == np.ptp(np.diag(m)) == 0 for m in mean)
    assert np.allclose(mean[:, 0, 1], nn[:, off].mean(axis=1)) and np.allclose(mean[:, 0, 0], nn[:, ~off].mean(axis=1))


@pytest.mark.parametrize("terms", [False, True], ids=["density-density", "Kanamori"])
def test_five_orbitals_in_a_cubic_field(terms):
    """Pairs of t2g and eg: same flavour, same orbital, same or other spin of another orbital, within and between."""
    U, all_terms = kanamori(2.0, 0.3, 5)
    level = [-1.0, -1.0, -1.0, -0.4, -0.4]
    p = flavours(U, all_terms if terms else (), 2 * level)
    names = [("t" if orbital < 3 else "e", orbital, spin) for spin in range(2) for orbital in range(5)]

    def kind(i, j):
        (shell, orbital, spin), (other_shell, other_orbital, other_spin) = names[i], names[j]
        return frozenset([shell, other_shell]), orbital == other_orbital, spin == other_spin

    expected = {}
    for i, j in np.ndindex(10, 10):
        expected.setdefault(kind(i, j), set()).add((i, j))
    labels = pairs_alike(p)
    found = {label: {(int(i), int(j)) for i, j in zip(*np.nonzero(labels == label))} for label in np.unique(labels)}
    assert sorted(map(sorted, found.values())) == sorted(map(sorted, expected.values())) and len(found) == 10
    assert order(generating_permutations(p), 10) == 2 * factorial(3) * factorial(2)


@given(SEEDS)
def test_averages_are_those_over_all_permutations(seed):
    rng = np.random.default_rng(seed)
    U, terms = kanamori(2.0, 0.3, 3)
    p = flavours(U, terms, 2 * [-1.0, -1.0, rng.choice([-1.0, -0.5])])
    group = [q for q in elements(generating_permutations(p), 6, 1000)]
    values = rng.normal(size=(3, 6, 6))
    values += values.transpose(0, 2, 1)
    mean = np.mean([values[:, q][:, :, q] for q in map(list, group)], axis=0)
    assert np.allclose(pair_mean(values, pairs_alike(p)), mean, atol=1e-14)


def test_terms_can_be_all_that_tells_flavours_apart():
    """Six equal flavours with equal U_ij, of which terms act on four; signs count."""
    U = 2.0 * (np.ones((6, 6)) - np.eye(6))
    terms = [(0.3, (0, 1, 3, 2)), (0.3, (2, 3, 1, 0))]
    found = generating_permutations(flavours(U, terms))
    assert order(found, 6) == 2 * 2 * 2  # 0,1 with 2,3; 0 with 1 and 2 with 3 together; 4 with 5
    assert (1, 0, 2, 3, 4, 5) not in elements(found, 6, 100)
    assert set(orbit_labels(found, np.arange(6)).tolist()) == {0, 4}


# -- who uses it
# --------------------------------------------------------------------------------------------------------


def counted_diagonalisations(monkeypatch, problem, bath):
    calls, original = [], FockSpace.hamiltonian
    monkeypatch.setattr(FockSpace, "hamiltonian", lambda self, *args: calls.append(args) or original(self, *args))
    spectrum = Spectrum(problem, bath)
    monkeypatch.undo()
    return spectrum, len(calls)


@pytest.mark.parametrize("N", [6, 8])
def test_equal_flavours_are_diagonalised_once_per_electron_number(monkeypatch, N):
    spectrum, n = counted_diagonalisations(monkeypatch, equal(N), None)
    assert len(spectrum.space.sectors) == 2**N and n == N + 1


def test_a_symmetry_that_needs_two_exchanges_at_once(monkeypatch, fock_space):
    """Neither exchanging spins nor exchanging orbitals fits the bath; both together do."""
    bath = [DiscreteBath([0.2], [[0.5, 0.25]]), DiscreteBath([0.2], [[-0.25, -0.5]])]
    U, terms = kanamori(2.0, 0.3)
    p = Problem.from_bath(5.0, [("up", 2), ("down", 2)], [-np.eye(2)] * 2, bath, U, terms)
    spectrum, n = counted_diagonalisations(monkeypatch, p, p.bath)
    assert spectrum.flavour_permutations == ((3, 2, 1, 0),) and n < len(spectrum.space.sectors)
    assert np.allclose(ED().solve(p).nn, fock_space(p).nn, atol=1e-10)


@given(SEEDS)
def test_bath_sites_at_one_level_that_mix_orbitals(seed):
    """Sites may be matched with any sign and in any order; V†V alone does not say whether they can be."""
    rng = np.random.default_rng(seed)
    V = rng.choice([-0.5, 0.25, 0.5], (2, 2))
    signs = rng.choice([-1.0, 1.0], 2)
    bath = [DiscreteBath([0.25, 0.25], V), DiscreteBath([0.25, 0.25], (V * signs[:, None])[::-1])]
    U, terms = kanamori(2.0, 0.25)
    p = Problem.from_bath(4.0, [("up", 2), ("down", 2)], [-np.eye(2)] * 2, bath, U, terms)
    site = lambda V: sorted(tuple(s * row) for row in V.tolist() for s in [np.sign(row[0])] for row in [np.array(row)])
    exchangeable = site(V) == site(V[:, ::-1])
    assert order(Spectrum(p, bath).flavour_permutations, 4) == (4 if exchangeable else 2)


def test_ten_equal_flavours_share_one_row():
    p = equal(10)
    (row,) = Descriptor(("hartree_fock", "hubbard_i")).describe(p.canonical()).rows
    assert row.flavours == tuple(range(10))


def test_ten_equal_flavours_of_unequal_answers_are_not_stored():
    """The gate compares each flavour with the mean of all ten."""
    p = equal(10)
    answer = Descriptor(("hartree_fock",)).describe(p.canonical()).baseline
    assert not any("tell apart" in reason for reason in objections(p.canonical(), answer))
    answer.G_l[9][0] += 1e-3 * p.canonical().beta
    assert any("tell apart" in reason for reason in objections(p.canonical(), answer))


def test_moves_of_the_segment_solver_are_symmetries_with_their_inverses():
    U, _ = kanamori(2.0, 0.3, 5)
    p = flavours(U)
    symmetries = Symmetries.of(p, [p.delta_l(f) for f in range(10)])
    moves = {tuple(m) for m in symmetries.moves().tolist()}
    assert set(symmetries.permutations) <= moves
    assert all(tuple(np.argsort(m).tolist()) in moves for m in moves)
