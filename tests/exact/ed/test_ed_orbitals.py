# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Exact diagonalisation of several orbitals, off-diagonal hybridisation and interactions beyond density-density."""

import numpy as np
import pytest
from scipy.sparse import csr_array
from support.orbitals import FOUR, TWO, kanamori, random_problem, random_symmetric

from triqs_mlsolver import DiscreteBath, Problem
from triqs_mlsolver.exact.ed import ED
from triqs_mlsolver.exact.ed.impurity_operators import ImpurityOperators
from triqs_mlsolver.exact.quality import objections
from triqs_mlsolver.numerics import legendre


def assert_equal_to_fock_space(problem, exact, solution, tol=1e-9):
    n = np.array([0, 1, 2, 7, 40])
    for G, g in zip(exact.G(1j * np.pi * (2 * n + 1) / problem.beta), solution.G_l):
        found = np.tensordot(legendre.transfer_matrix(n, len(g)), g, axes=(1, 0))
        assert np.max(np.abs(found - G)) < tol * problem.beta
    assert np.max(np.abs(solution.nn - exact.nn)) < 1e-11
    assert objections(problem, solution) == []


@pytest.mark.parametrize("gf_struct, n_bath", [(TWO, 2), (FOUR, 1), ((("all", 4),), 3)])
@pytest.mark.parametrize("seed", range(4))
def test_random_kanamori_problems_against_the_full_fock_space(gf_struct, n_bath, seed, fock_space):
    problem = random_problem(seed, gf_struct, n_bath, beta=[0.5, 4.0, 20.0, 60.0][seed])
    assert_equal_to_fock_space(problem, fock_space(problem), ED().solve(problem))


@pytest.mark.parametrize("with_terms", [True, False])
def test_three_degenerate_orbitals(with_terms, fock_space):
    """t2g with a bath site that all three share: G_ab has two independent elements, exactly."""
    matrix, terms = kanamori(2.0, 0.3, n_orb=3)
    bath = [DiscreteBath([0.2], [[0.3, 0.3, 0.3]])] * 2
    h = [-2.5 * np.eye(3) - 0.1 * (np.ones((3, 3)) - np.eye(3))] * 2
    problem = Problem.from_bath(12.0, (("up", 3), ("down", 3)), h, bath, matrix, terms if with_terms else ())
    solution = ED().solve(problem)
    assert_equal_to_fock_space(problem, fock_space(problem), solution)
    for g in solution.G_l:
        same, other = g[:, 0, 0], g[:, 0, 1]
        model = same[:, None, None] * np.eye(3) + other[:, None, None] * (1 - np.eye(3))
        assert np.array_equal(g, model) and np.max(np.abs(other)) > 1e-2


@pytest.mark.parametrize("terms", [True, False])
def test_self_energy_moments_are_the_asymptotics_of_dyson(terms, fock_space):
    """Also off-diagonal ones, which a density-density interaction has too when Δ mixes orbitals."""
    problem = random_problem(13, n_bath=2, terms=terms)
    solution = ED().solve(problem)
    z = 1j * np.array([150.0, 300.0])
    for G, h, bath, static, first in zip(
        fock_space(problem).G(z), problem.h_loc0, problem.bath, solution.Sigma_infty, solution.Sigma_1
    ):
        Delta = np.einsum("zk,ka,kb->zab", 1 / (z[:, None] - bath.eps), bath.V, bath.V)
        Sigma = z[:, None, None] * np.eye(2) - h - Delta - np.linalg.inv(G)
        rest = z[:, None, None] * (Sigma - static)
        assert abs(static[0, 1]) > 5e-3 and abs(first[0, 1]) > 5e-3
        assert np.max(np.abs(Sigma.real - static)) < 1e-3
        assert np.max(np.abs(rest.real - first)[1]) < 2e-3


@pytest.mark.parametrize("terms", [True, False])
def test_improved_estimator_is_sigma_times_g(terms):
    problem = random_problem(11, n_bath=2, terms=terms)
    plain, improved = ED().solve(problem), ED(improved_estimator=True).solve(problem)
    assert plain.F_l is None
    for a, b in zip(plain.Sigma_iw(problem, 30), improved.Sigma_iw(problem, 30)):
        assert np.max(np.abs(a - b)) < 1e-6
    far = improved.Sigma_iw(problem, 400)
    for Sigma, static, first in zip(far, improved.Sigma_infty, improved.Sigma_1):
        tail = static + first / (1j * problem.omega(400)[-1])
        assert np.max(np.abs(Sigma[-1] - tail)) < 1e-5


def test_energy_of_the_interaction(fock_space):
    """⟨H_int⟩ = ½ T Σ tr Σ G, the Galitskii–Migdal formula, here from F(τ = 0⁻)."""
    problem = random_problem(3, n_bath=2)
    solution = ED(improved_estimator=True).solve(problem)
    ends = sum(np.trace(legendre.at_ends(problem.beta, f)[1]) for f in solution.F_l)
    assert solution.h_int == pytest.approx(-0.5 * ends, abs=1e-9)


def test_density_matrix():
    """Trace one, and the same densities, coherences and ⟨H_int⟩ as from G."""
    problem = random_problem(5, n_bath=2)
    solution = ED().solve(problem)
    rho = solution.statistics["density_matrix"]
    assert rho.shape == (16, 16) and np.trace(rho) == pytest.approx(1.0, abs=1e-12)
    assert np.allclose(rho, rho.T, atol=1e-14) and np.linalg.eigvalsh(rho).min() > -1e-14
    operators = ImpurityOperators(problem)
    for offset, g in zip(problem.offsets, solution.G_l):
        occupation = -legendre.at_ends(problem.beta, g)[1]
        for a in range(2):
            for b in range(2):
                hop = operators.product(((True, offset + a), (False, offset + b)))
                assert operators.expectation(csr_array(hop), rho) == pytest.approx(occupation[b, a], abs=1e-9)


@pytest.mark.parametrize("gf_struct", [TWO, FOUR])
@pytest.mark.parametrize("J", [0.0, 0.5])
def test_atoms(gf_struct, J, fock_space):
    """Kanamori's multiplets: U − 3J (spin triplet), U − J, U + J at two electrons."""
    U, beta = 2.0, 30.0
    matrix, terms = kanamori(U, J)
    mu = 1.2
    h = [-mu * np.eye(size) for _, size in gf_struct]
    bath = [DiscreteBath(np.zeros(0), np.zeros((0, size))) for _, size in gf_struct]
    problem = Problem.from_bath(beta, gf_struct, h, bath, matrix, terms)
    solution = ED().solve(problem)
    three = U + 2 * (U - 2 * J) - J
    levels = [(0.0, 1, 0), (-mu, 4, 1), (U - 3 * J - 2 * mu, 3, 2), (U - J - 2 * mu, 2, 2), (U + J - 2 * mu, 1, 2)]
    levels += [(three - 3 * mu, 4, 3), (2 * three - 4 * mu, 1, 4)]
    E, degeneracy, electrons = map(np.array, zip(*levels))
    weight = degeneracy * np.exp(-beta * (E - E.min()))
    assert solution.density.sum() == pytest.approx(weight @ electrons / weight.sum(), abs=1e-11)
    assert_equal_to_fock_space(problem, fock_space(problem), solution)


def test_without_interaction_g_is_that_of_dyson():
    rng = np.random.default_rng(2)
    bath = [DiscreteBath(rng.uniform(-1, 1, 4), rng.uniform(-0.5, 0.5, (4, 2))) for _ in TWO]
    problem = Problem.from_bath(15.0, TWO, [random_symmetric(rng, 2, 0.5) for _ in TWO], bath, np.zeros((4, 4)))
    for G, inverse in zip(ED().solve(problem).G_iw(40), problem.G0_inverse_iw(40)):
        assert np.max(np.abs(G @ inverse - np.eye(2))) < 1e-8


@pytest.mark.parametrize("with_terms", [True, False])
@pytest.mark.parametrize("signs", [1.0, -1.0])
def test_degenerate_orbitals_stay_degenerate(with_terms, signs):
    """To 1e-12, also where one orbital's couplings have the other sign and Δ agrees to rounding only."""
    matrix, terms = kanamori(2.0, 0.4)
    V = np.array([0.3, 0.4])
    bath = [DiscreteBath([-0.4, 0.6], (1.0 if k % 2 else signs) * (1 + 1e-15 * k) * V) for k in range(4)]
    problem = Problem.from_bath(20.0, FOUR, [[[-1.7]]] * 4, bath, matrix, terms if with_terms else ())
    solution = ED().solve(problem)
    for g in solution.G_l:
        assert np.max(np.abs(g - solution.G_l[0])) < 1e-12
    assert np.ptp(solution.density) < 1e-12
    assert np.ptp([solution.nn[0, 2], solution.nn[1, 3]]) < 1e-12


def test_one_block_of_all_flavours_is_the_same_problem():
    small = random_problem(9, TWO, 2)
    h, V = np.zeros((4, 4)), np.zeros((4, 4))
    h[:2, :2], h[2:, 2:] = small.h_loc0
    V[:2, :2], V[2:, 2:] = (b.V for b in small.bath)
    bath = DiscreteBath(np.concatenate([b.eps for b in small.bath]), V)
    large = Problem.from_bath(small.beta, (("all", 4),), [h], [bath], small.U, small.terms)
    a, b = ED().solve(small), ED().solve(large)
    assert np.max(np.abs(b.G_l[0][:, :2, :2] - a.G_l[0])) < 1e-9 and np.max(np.abs(b.G_l[0][:, :2, 2:])) < 1e-12
    assert np.allclose(a.nn, b.nn, atol=1e-12) and a.h_int == pytest.approx(b.h_int, abs=1e-11)


# G(iω₀) of both spins as (G_11, G_12, G_22); TRIQS/benchmarks, results of atomdiag (both) and pyed (the second)
DIMERS = {
    (0.0, 0.0): (-0.38364896 - 0.3861122j, 0.36366544 + 0.20219392j, -0.39337222 - 0.36894558j),
    (0.2, 0.2): (-0.39399308 - 0.45434775j, 0.38030325 + 0.27000429j, -0.40526173 - 0.43923033j),
}


@pytest.mark.parametrize("hop, J", DIMERS)
@pytest.mark.parametrize("told", [True, False])
def test_dimers_of_the_triqs_benchmarks(hop, J, told):
    """Dimer_nn and Dimer: off-diagonal Δ of two bath sites, given or to be found."""
    matrix, terms = kanamori(1.0, J)
    h = np.array([[0.0, -hop], [-hop, 0.1]])
    bath = DiscreteBath([0.27, -0.4], np.ones((2, 2)))
    problem = Problem.from_bath(5.0, TWO, [h, h], [bath, bath], matrix, terms)
    solution = ED().solve(problem if told else untold(problem))
    for g in solution.G_iw(1):
        assert np.max(np.abs(g[0][[0, 0, 1], [0, 1, 1]] - DIMERS[hop, J])) < 1e-8
    assert solution.provenance["fidelity"] == "exact"


# -- fitted baths ----------------------------------------------------------------------------------------------------


def untold(problem):
    return Problem(problem.beta, problem.gf_struct, problem.h_loc0, problem.Delta_l, problem.U, problem.terms)


def test_fits_two_sites_per_flavour_of_two_orbitals():
    matrix, terms = kanamori(2.0, 0.4)
    baths = [DiscreteBath([-0.4, 0.6], [0.3, 0.4]), DiscreteBath([-0.2, 0.5], [0.4, 0.2])] * 2
    problem = Problem.from_bath(15.0, FOUR, [[[-1.7]]] * 4, baths, matrix, terms)
    told, found = ED().solve(problem), ED().solve(untold(problem))
    assert found.provenance["settings"] == "n_bath=2" and found.provenance["fidelity"] == "exact"
    for a, b in zip(told.G_l, found.G_l):
        assert np.max(np.abs(legendre.resized(a, len(b)) - b)) < 1e-4


def test_fits_off_diagonal_hybridisation_that_one_rotation_diagonalises():
    """As in a dimer, whose bonding and antibonding orbitals have a bath each."""
    matrix, _ = kanamori(2.0, 0.3)
    V = 0.3 * np.array([[1.0, 1.0], [1.0, -1.0]])
    problem = Problem.from_bath(10.0, TWO, [-1.0 * np.eye(2)] * 2, [DiscreteBath([-0.5, 0.4], V)] * 2, matrix)
    told, found = ED().solve(problem), ED(n_bath=1).solve(untold(problem))
    assert found.provenance["bath_residual"] < 1e-6
    for a, b in zip(told.G_l, found.G_l):
        assert np.max(np.abs(a[:40] - b[:40])) < 1e-4


def test_tells_how_badly_a_general_matrix_is_fitted():
    rng = np.random.default_rng(1)
    bath = DiscreteBath(rng.uniform(-1, 1, 6), rng.uniform(-0.5, 0.5, (6, 2)))
    problem = untold(Problem.from_bath(10.0, TWO, [-np.eye(2)] * 2, [bath] * 2, kanamori(2.0, 0.3)[0]))
    solution = ED().solve(problem)
    assert solution.provenance["fidelity"] == "bath-fit" and 1e-3 < solution.provenance["bath_residual"] < 0.5


# -- refusals --------------------------------------------------------------------------------------------------------


def test_refuses_terms_that_are_not_hermitian():
    matrix, terms = kanamori(2.0, 0.4)
    p = random_problem(1)
    bad = Problem.from_bath(p.beta, p.gf_struct, p.h_loc0, p.bath, matrix, terms[:1])
    with pytest.raises(ValueError, match="not Hermitian: .*0.4"):
        ED().solve(bad)


def test_refuses_what_is_too_large():
    names = tuple((f"f{k}", 1) for k in range(8))
    bath = [DiscreteBath([-0.5, 0.5], [0.3, 0.3])] * 8
    problem = Problem.from_bath(5.0, names, [[[0.0]]] * 8, bath, np.zeros((8, 8)))
    with pytest.raises(ValueError, match="24 spin-orbitals.*at most 16"):
        ED().solve(problem)
    with pytest.raises(ValueError, match="8 flavours with a bath are too many.*at most 6"):
        ED().solve(untold(problem))
