# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Hubbard-I, second order around Hartree–Fock and few-site ED for several orbitals and any real interaction."""

from dataclasses import replace

import numpy as np
import pytest
from support.orbitals import FOUR, TWO, kanamori, random_problem, random_symmetric

from triqs_mlsolver import DiscreteBath, Problem
from triqs_mlsolver.approximations import IPT, FewSiteED, HartreeFock, HubbardI
from triqs_mlsolver.exact.ed import ED
from triqs_mlsolver.exact.quality import objections
from triqs_mlsolver.numerics import legendre

BOTH = {"argvalues": [HubbardI(), HartreeFock()], "ids": lambda s: s.name}
ALL = {"argvalues": [HubbardI(), HartreeFock(), FewSiteED(1)], "ids": lambda s: s.name}


def largest_difference(a, b):
    return max(np.max(np.abs(x - y)) for x, y in zip(a, b, strict=True))


def assert_same_answer(problem, a, b, tol=1e-8):
    assert largest_difference(a.G_iw(30), b.G_iw(30)) < tol * problem.beta
    assert np.max(np.abs(a.nn - b.nn)) < tol
    assert a.h_int == pytest.approx(b.h_int, abs=tol * problem.unit * problem.beta)
    assert largest_difference(a.Sigma_infty, b.Sigma_infty) < tol * problem.beta


def split_orbitals(crystal, U=2.5, J=0.5, mu_shift=0.8, field=0.0, beta=30.0, terms=True):
    """Two orbitals with ±`crystal` and a Zeeman `field`, metallic bath."""
    matrix, exchange = kanamori(U, J)
    shift = crystal * np.array([1, -1, 1, -1]) + field * np.array([-1, -1, 1, 1])
    levels = -0.5 * matrix[0].sum() - mu_shift + shift
    bath = [DiscreteBath([-0.6, 0.0, 0.6], [0.3, 0.25, 0.3])] * 4
    return Problem.from_bath(beta, FOUR, [[[e]] for e in levels], bath, matrix, exchange if terms else ())


# -- what both have in common -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", **ALL)
def test_exact_without_interaction(solver):
    rng = np.random.default_rng(2)
    bath = [DiscreteBath(rng.uniform(-1, 1, 3), rng.uniform(-0.5, 0.5, (3, 2))) for _ in TWO]
    problem = Problem.from_bath(15.0, TWO, [random_symmetric(rng, 2, 0.5) for _ in TWO], bath, np.zeros((4, 4)))
    assert_same_answer(problem, solver.solve(problem), ED().solve(problem))


@pytest.mark.parametrize("solver", **ALL)
@pytest.mark.parametrize("terms", [True, False])
def test_covariant_under_the_particle_hole_map(solver, terms, mirrored):
    for seed in range(4):
        problem = random_problem(seed, n_bath=2, terms=terms)
        image = replace(mirrored(problem), terms=problem.terms)
        here, there = solver.solve(problem), solver.solve(image)
        for a, b in zip(here.G_l, there.G_l):
            assert np.max(np.abs(legendre.particle_hole(a) - b)) < 1e-6 * problem.beta, seed
        assert np.max(np.abs(1 - here.density - there.density)) < 1e-6


@pytest.mark.parametrize("solver", **ALL)
def test_free_of_units_and_of_block_order(solver):
    problem = random_problem(4, n_bath=2)
    there = solver.solve(problem.scaled(5.0).permuted([1, 0])).permuted([1, 0]).scaled(0.2)
    assert_same_answer(problem, solver.solve(problem), there, 1e-7)


@pytest.mark.parametrize("solver", **ALL)
@pytest.mark.parametrize("terms", [True, False])
def test_degenerate_orbitals_stay_degenerate(solver, terms):
    problem = split_orbitals(0.0, terms=terms)
    solution = solver.solve(problem)
    assert largest_difference([solution.G_l[0]] * 4, solution.G_l) < 1e-12
    assert np.ptp(solution.density) < 1e-12 and abs(solution.nn[0, 2] - solution.nn[1, 3]) < 1e-12
    assert objections(problem, solution) == []


@pytest.mark.parametrize("solver", **BOTH)
@pytest.mark.parametrize("what", ["crystal", "field"])
def test_smooth_in_the_splitting(solver, what):
    """Steps shrink with the mesh, also where a self-consistent mean field jumps to a polarised solution."""

    def largest_step(n):
        along = [
            solver.solve(split_orbitals(**{"crystal": 0.0, "field": 0.0, what: x}, J=0.0, terms=False))
            for x in np.linspace(-0.05, 0.05, n)
        ]
        return np.max(np.abs(np.diff([s.density for s in along], axis=0)))

    assert largest_step(41) < 0.65 * largest_step(21)


# -- Hubbard-I --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gf_struct", [FOUR, TWO, (("all", 4),)])
@pytest.mark.parametrize("beta", [1.0, 40.0])
def test_hubbard_i_is_exact_for_atoms(gf_struct, beta):
    """Kanamori interaction, and levels that mix orbitals where the blocks allow it."""
    rng = np.random.default_rng(3)
    matrix, terms = kanamori(2.0, 0.4)
    h = [random_symmetric(rng, size, 0.3) - 1.2 * np.eye(size) for _, size in gf_struct]
    bath = [DiscreteBath(np.zeros(0), np.zeros((0, size))) for _, size in gf_struct]
    problem = Problem.from_bath(beta, gf_struct, h, bath, matrix, terms)
    found, exact = HubbardI().solve(problem), ED().solve(problem)
    assert_same_answer(problem, found, exact)
    assert largest_difference(found.Sigma_1, exact.Sigma_1) < 1e-9


def test_hubbard_i_has_one_answer_on_both_paths():
    problem = split_orbitals(0.1, field=0.05, terms=False)
    plain, matrix = HubbardI().solve(problem), HubbardI()._solve_matrix(problem)
    assert_same_answer(problem, plain, matrix, 1e-9)


def test_hubbard_i_self_energy_is_that_of_the_atom():
    problem = random_problem(6, n_bath=2)
    none = [DiscreteBath(np.zeros(0), np.zeros((0, 2)))] * 2
    atom = Problem.from_bath(problem.beta, TWO, problem.h_loc0, none, problem.U, problem.terms)
    inside, alone = HubbardI().solve(problem), ED().solve(atom)
    assert largest_difference(inside.Sigma_iw(problem, 20), alone.Sigma_iw(atom, 20)) < 1e-5


# -- second order around Hartree–Fock ---------------------------------------------------------------------------------


def test_hartree_fock_is_ipt_at_half_filling():
    problem = Problem.siam(20.0, 2.0, 1.0, [-0.7, -0.2, 0.2, 0.7], [0.3, 0.2, 0.2, 0.3])
    assert_same_answer(problem, HartreeFock().solve(problem), IPT().solve(problem), 1e-9)


@pytest.mark.parametrize("gf_struct", [TWO, FOUR, (("all", 4),)])
@pytest.mark.parametrize("terms", [True, False])
def test_hartree_fock_is_right_to_second_order(gf_struct, terms):
    """The error of Σ falls like U³, at any filling and with orbitals that mix."""
    errors = []
    for factor in (0.1, 0.05):
        full = random_problem(3, gf_struct, n_bath={1: 4, 2: 2, 4: 1}[len(gf_struct)], beta=5.0)
        rng = np.random.default_rng(8)
        problem = replace(
            full,
            U=factor * full.U,
            terms=tuple((factor * value, indices) for value, indices in full.terms) if terms else (),
            h_loc0=[random_symmetric(rng, size, 0.4) for _, size in gf_struct],
        )
        found, exact = HartreeFock().solve(problem), ED().solve(problem)
        errors.append(largest_difference(found.Sigma_iw(problem, 5), exact.Sigma_iw(problem, 5)))
        assert largest_difference(found.Sigma_iw(problem, 5), exact.Sigma_infty) > 8 * errors[-1]
    assert 6 < errors[0] / errors[1] < 10


def test_hartree_fock_correlators_are_right_to_first_order():
    """The error of ⟨n_i n_j⟩ falls like U²; Wick's theorem alone is wrong to first order."""
    errors = []
    for factor in (0.05, 0.025):
        full = random_problem(3, n_bath=2, beta=5.0)
        terms = tuple((factor * value, indices) for value, indices in full.terms)
        problem = replace(
            full, U=factor * full.U, terms=terms, h_loc0=[random_symmetric(np.random.default_rng(8), 2, 0.4)] * 2
        )
        found, exact = HartreeFock().solve(problem), ED().solve(problem)
        errors.append(np.max(np.abs(found.nn - exact.nn)))
    assert errors[0] / errors[1] > 3.4


# -- few-site ED ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gf_struct", [FOUR, TWO])
def test_few_site_ed_is_exact_for_baths_of_that_size(gf_struct):
    problem = random_problem(5, gf_struct, n_bath=1)
    assert_same_answer(problem, FewSiteED(1).solve(problem), ED().solve(problem), 1e-5)


@pytest.mark.parametrize("terms", [True, False])
def test_two_sites_are_exact_for_baths_of_two_sites(terms):
    full = split_orbitals(0.1, field=0.05, terms=terms)
    bath = [DiscreteBath([-0.5, 0.6], [0.3, 0.4])] * 4
    problem = Problem.from_bath(10.0, FOUR, full.h_loc0, bath, full.U, full.terms)
    assert_same_answer(problem, FewSiteED(2).solve(problem), ED().solve(problem), 1e-5)


def test_few_site_ed_is_the_best_of_the_cheap_ones():
    """Two orbitals with two sites each: the error is a third of those of Hubbard-I and of second order."""
    full = split_orbitals(0.1)
    bath = [DiscreteBath([-0.5, 0.6], [0.3, 0.4])] * 4
    problem = Problem.from_bath(10.0, FOUR, full.h_loc0, bath, full.U, full.terms)
    exact = ED().solve(problem)
    others = [HubbardI(), HartreeFock()]
    error = lambda s: largest_difference(s.G_tau(np.linspace(0, 10, 41)), exact.G_tau(np.linspace(0, 10, 41)))
    few = error(FewSiteED(1).solve(problem))
    assert few < 0.3 * min(error(s.solve(problem)) for s in others)


def test_few_site_ed_refuses_clusters_that_are_too_large():
    matrix, _ = kanamori(2.0, 0.5, n_orb=3)
    names = tuple((f"f{k}", 1) for k in range(6))
    bath = [DiscreteBath([-0.5, 0.0, 0.4], [0.3, 0.2, 0.3])] * 6
    problem = Problem.from_bath(5.0, names, [[[-2.0]]] * 6, bath, matrix)
    with pytest.raises(ValueError, match="24 spin-orbitals, bath included.*too many"):
        FewSiteED(3).solve(problem)
