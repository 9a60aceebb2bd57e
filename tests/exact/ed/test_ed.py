# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triqs_mlsolver import Database, DiscreteBath, Problem
from triqs_mlsolver.exact.ed import ED
from triqs_mlsolver.exact.quality import objections
from triqs_mlsolver.lattice.bethe import bethe_problem, semicircle
from triqs_mlsolver.numerics import legendre
from triqs_mlsolver.numerics.significance import TWO_SIDED
from triqs_mlsolver.problem.comparison import compare, label_noise

SPINS = (("up", 1), ("down", 1))


def anderson(beta, U, levels, up, down=None):
    """A single orbital from levels of both spins and baths (eps, V)."""
    baths = [DiscreteBath(*bath) for bath in (up, up if down is None else down)]
    return Problem.from_bath(beta, SPINS, ([[levels[0]]], [[levels[1]]]), baths, [[0, U], [U, 0]])


def assert_equal_to_fock_space(problem, exact, solution, tol=1e-9):
    n = np.array([0, 1, 2, 7, 40])
    z = 1j * np.pi * (2 * n + 1) / problem.beta
    for G, g in zip(exact.G(z), solution.G_l):
        found = (legendre.transfer_matrix(n, len(g)) @ g[:, 0, 0])[:, None, None]
        assert np.max(np.abs(found - G)) < tol * problem.beta
    tau = problem.beta * np.array([0.0, 1e-3, 0.21, 0.5, 0.93, 1.0])
    found = np.concatenate([g[:, :, 0] for g in solution.G_tau(tau)], axis=1)
    assert np.max(np.abs(found - exact.G_tau(tau))) < tol
    assert np.max(np.abs(solution.nn - exact.nn)) < 1e-11
    assert solution.h_int == pytest.approx(problem.U[0, 1] * exact.nn[0, 1], abs=1e-10)


CASES = {
    "metal": anderson(20.0, 2.0, (-1.0, -1.0), ([-0.5, 0.0, 0.5], [0.3, 0.25, 0.3])),
    "one site, cold": anderson(200.0, 4.0, (-2.0, -2.0), ([0.0], [0.3])),
    "hot": anderson(0.1, 3.0, (0.4, 0.4), ([-0.5, 0.7], [0.3, 0.6])),
    "doped": anderson(15.0, 3.0, (-0.3, -0.3), ([-0.8, 0.1, 0.4], [0.2, 0.25, 0.4])),
    "field": anderson(30.0, 2.0, (-1.3, -0.7), ([-0.5, 0.0, 0.5], [0.3, 0.25, 0.3])),
    "polarised bath": anderson(10.0, 2.5, (-1.0, -1.0), ([-0.9, 0.2], [0.5, 0.1]), ([0.3, 0.8, -0.1], [0.2, 0.4, 0.3])),
    "both": anderson(25.0, 1.5, (-0.2, -1.1), ([0.4], [0.5]), ([-0.6, 0.5], [0.3, 0.3])),
    "attractive": anderson(8.0, -2.0, (1.0, 1.0), ([-0.5, 0.5], [0.4, 0.4])),
    "nearly empty": anderson(10.0, 4.0, (3.0, 3.2), ([-0.5, 0.5], [0.4, 0.4])),
    "nearly full": anderson(10.0, 4.0, (-8.0, -8.2), ([-0.5, 0.5], [0.4, 0.4])),
    "degenerate levels": anderson(12.0, 2.0, (-1.0, -1.0), ([0.0, 0.0], [0.3, 0.3])),
}


@pytest.mark.parametrize("name", CASES)
def test_against_the_full_fock_space(name, fock_space):
    problem = CASES[name]
    solution = ED().solve(problem)
    assert_equal_to_fock_space(problem, fock_space(problem), solution)
    assert solution.provenance["fidelity"] == "exact" and solution.provenance["bath_residual"] == 0.0
    assert objections(problem, solution) == []


@settings(max_examples=15)
@given(st.integers(0, 10**6))
def test_random_problems_against_the_full_fock_space(draw, fock_space, seed):
    rng = np.random.default_rng(seed)
    problem = draw(rng, int(rng.integers(1, 3)))
    assert_equal_to_fock_space(problem, fock_space(problem), ED().solve(problem))


@pytest.mark.parametrize("mu", [-0.5, 0.7, 1.5, 3.0])
@pytest.mark.parametrize("beta", [2.0, 60.0])
def test_isolated_atom(mu, beta):
    """G = (1−n/2)/(iω+μ) + (n/2)/(iω+μ−U)."""
    U = 3.0
    problem = Problem.siam(beta, U, mu, [0.0], [0.0])
    weight = np.exp(beta * (np.array([0, mu, mu, 2 * mu - U]) - max(0, mu, 2 * mu - U)))
    half_n = (weight[1] + weight[3]) / weight.sum()
    solution = ED().solve(problem)
    iw = 1j * problem.omega(60)
    G = (1 - half_n) / (iw + mu) + half_n / (iw + mu - U)
    assert np.max(np.abs(solution.G_iw(60)[0][:, 0, 0] - G)) < 1e-10 * beta
    assert np.allclose(solution.density, half_n, atol=1e-12)
    assert solution.double_occupancy == pytest.approx(weight[3] / weight.sum(), abs=1e-12)


def test_free_electrons():
    """U = 0: Dyson with Σ = 0, densities and ⟨n↑n↓⟩ = ⟨n↑⟩⟨n↓⟩."""
    problem = anderson(25.0, 0.0, (-0.3, 0.2), ([-0.6, 0.1, 0.9], [0.4, 0.2, 0.3]), ([0.2, 0.5], [0.3, 0.1]))
    solution = ED().solve(problem)
    for i, (bath, level) in enumerate(zip(problem.bath, problem.levels)):
        G, inverse = solution.G_iw(50)[i], problem.G0_inverse_iw(50)[i]
        assert np.max(np.abs(G * inverse - 1)) < 1e-9
        one_body = np.diag([level, *bath.eps])
        one_body[0, 1:] = one_body[1:, 0] = bath.V[:, 0]
        E, v = np.linalg.eigh(one_body)
        assert v[0] ** 2 @ (1 / (np.exp(25.0 * E) + 1)) == pytest.approx(solution.density[i], abs=1e-11)
    assert solution.double_occupancy == pytest.approx(np.prod(solution.density), abs=1e-12)


@pytest.mark.parametrize("name", ["metal", "doped", "field", "polarised bath"])
def test_tails_are_the_asymptotics_of_dyson(name, fock_space):
    problem = CASES[name]
    solution = ED().solve(problem)
    z = np.array([100j])
    for G, bath, level, static, first in zip(
        fock_space(problem).G(z), problem.bath, problem.levels, solution.Sigma_infty, solution.Sigma_1
    ):
        Sigma = z[0] - level - np.sum(bath.V[:, 0] ** 2 / (z[0] - bath.eps)) - 1 / G[0, 0, 0]
        assert Sigma.real == pytest.approx(static[0, 0], abs=1e-3)
        assert (z[0] * (Sigma - static[0, 0])).real == pytest.approx(first[0, 0], abs=2e-3)


def test_ends_of_g():
    """G(0⁺) = −(1 − n), G(β⁻) = −n."""
    problem = CASES["both"]
    solution = ED().solve(problem)
    for g, n in zip(solution.G_l, solution.density):
        start, end = legendre.at_ends(problem.beta, g)
        assert np.allclose([start[0, 0], end[0, 0]], [n - 1, -n], atol=1e-10)


def test_spins_that_are_alike_stay_exactly_alike():
    solution = ED().solve(CASES["metal"])
    assert np.array_equal(solution.G_l[0], solution.G_l[1]) and solution.nn[0, 0] == pytest.approx(
        solution.nn[1, 1], abs=1e-14
    )
    assert np.max(np.abs(solution.G_l[0][1::2])) < 1e-9


def test_uncoupled_site_changes_nothing(draw):
    plain = draw(np.random.default_rng(4), 4, polarised=False, field=0.0)
    bath = plain.bath[0]
    longer = DiscreteBath(np.append(bath.eps, 0.3), np.append(bath.V[:, 0], 0.0))
    again = Problem.from_bath(plain.beta, SPINS, plain.h_loc0, (longer, longer), plain.U)
    a, b = ED().solve(plain), ED().solve(again)
    tau = np.linspace(0, plain.beta, 20)
    assert np.allclose(a.G_tau(tau)[0], b.G_tau(tau)[0], atol=1e-10) and np.allclose(a.nn, b.nn, atol=1e-12)


# -- fitted baths
# -------------------------------------------------------------------------------------------------------


def test_fits_the_bath_it_is_not_told(draw):
    problem = draw(np.random.default_rng(9), 2, beta=20.0, polarised=True)
    told = ED().solve(problem)
    untold = Problem(problem.beta, problem.gf_struct, problem.h_loc0, problem.Delta_l, problem.U)
    found = ED(n_bath=2).solve(untold)
    tau = np.linspace(0, problem.beta, 20)
    assert found.provenance["fidelity"] == "exact" and found.provenance["bath_residual"] < 1e-6
    for a, b in zip(told.G_tau(tau), found.G_tau(tau)):
        assert np.max(np.abs(a - b)) < 1e-5


def test_continuous_bath_says_it_is_fitted():
    problem = bethe_problem(20.0, 2.0, 1.0, semicircle(20.0))
    assert problem.bath is None
    residuals = []
    for n_bath in (1, 3, 5):
        solution = ED(n_bath=n_bath).solve(problem)
        assert solution.provenance["fidelity"] == "bath-fit"
        assert solution.provenance["settings"] == f"n_bath={n_bath}"
        assert bool(objections(problem, solution)) == (n_bath == 1)  # one site is no answer to this problem
        residuals.append(solution.provenance["bath_residual"])
    assert residuals[0] > residuals[1] > residuals[2] > 1e-6


def test_the_fit_depends_on_the_problem_alone():
    """Not on what was solved before: hysteresis must come from physics."""
    problem = bethe_problem(20.0, 2.0, 1.0, semicircle(20.0))
    solver = ED(n_bath=3)
    first = solver.solve(problem)
    solver.solve(bethe_problem(20.0, 4.0, 2.0, semicircle(20.0, 0.3)))
    assert np.array_equal(first.G_l[0], solver.solve(problem).G_l[0])


# -- refusals
# -----------------------------------------------------------------------------------------------------------


def test_says_that_the_number_of_sites_asked_for_is_too_large():
    Delta = legendre.from_poles(5.0, np.linspace(-1, 1, 40), np.full(40, 0.01))
    two_orbitals = Problem(
        5.0, [(f"f{k}", 1) for k in range(4)], [[[-1.0]]] * 4, [Delta] * 4, np.ones((4, 4)) - np.eye(4)
    )
    with pytest.raises(ValueError, match="spin-orbitals.*too many to diagonalise.*lower n_bath = 4"):
        ED(n_bath=4).solve(two_orbitals)


@pytest.mark.parametrize("n_bath", [0, 7, -1])
def test_refuses_the_number_of_sites(n_bath):
    with pytest.raises(ValueError, match=f"n_bath = {n_bath}.*1 to 6"):
        ED(n_bath=n_bath)


def test_too_large_a_bath_is_fitted_anew():
    """Nine sites per spin are more than can be diagonalised; five fit them well at this temperature."""
    eps = np.linspace(-1, 1, 9)
    solution = ED().solve(Problem.siam(5.0, 2.0, 1.0, eps, np.full(9, 1 / 6)))
    assert solution.provenance["settings"] == "n_bath=5" and 0 < solution.provenance["bath_residual"] < 1e-3


@pytest.mark.parametrize("beta, U, x", [(10.0, 2.0, 0.0), (50.0, 1.0, 0.0), (50.0, 2.5, 0.0), (50.0, 3.0, -0.5)])
@pytest.mark.parametrize("n_bath", [2, 3, 4])
def test_true_errors_of_a_fitted_bath_lie_within_its_error_bars(beta, U, x, n_bath):
    """Against six sites, for a metal, an insulator and a doped one."""
    problem = bethe_problem(beta, U, U / 2 + x, semicircle(beta))
    found, truth = ED(n_bath=n_bath).solve(problem), ED(n_bath=6).solve(problem)
    told, error = label_noise(problem, found), compare(problem, found, truth)
    assert 0 < error.error < TWO_SIDED * told[0] and 0 < error.sigma_error < TWO_SIDED * told[1]
    assert np.max(np.abs(found.nn - truth.nn)) < TWO_SIDED * np.max(found.nn_error) + 1e-9
    assert found.fidelity == "bath-fit" and not found.is_noisy
    np.testing.assert_array_equal(ED(n_bath=n_bath).solve(problem).G_l[0], found.G_l[0])


def test_a_bath_that_is_found_exactly_has_no_error_bars():
    found = ED(n_bath=2).solve(replace(Problem.siam(10.0, 2.0, 1.0, [-0.5, 0.5], [0.35, 0.35]), bath=None))
    assert found.fidelity == "exact" and found.G_l_error is None and found.told_error("G_tau") is None


def test_stored_answers_are_as_exact_as_they_say(tmp_path):
    problem = bethe_problem(10.0, 2.0, 1.0, semicircle(10.0))
    assert Database(None).add(problem, ED(n_bath=2).solve(problem)).fidelity == "bath-fit"
