# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Self-consistency for several orbitals and for magnetic order."""

import numpy as np
import pytest
from scipy.optimize import brentq
from support.orbitals import FOUR, TWO, kanamori

from triqs_mlsolver import Problem
from triqs_mlsolver.approximations import HartreeFock
from triqs_mlsolver.approximations.local import LocalGrid
from triqs_mlsolver.exact.ed import ED
from triqs_mlsolver.lattice.bethe import semicircle, solve_bethe, solve_bethe_orbitals
from triqs_mlsolver.numerics import legendre

SPINS = (("up", 1), ("down", 1))
STAGGERED = {"up": "down", "down": "up"}


def local_problem(beta, gf_struct, levels, U, terms=()):
    """A problem whose Δ does not matter."""
    none = [np.zeros((1, size, size)) for _, size in gf_struct]
    return Problem(beta, gf_struct, levels, none, U, terms)


def single(beta, U, field=0.0):
    return local_problem(beta, SPINS, [[[-U / 2 - field]], [[-U / 2 + field]]], [[0, U], [U, 0]])


class Hartree:
    """Σ = U n of the other spin, self-consistent through the DMFT loop: the last densities of this object."""

    name = "hartree"

    def __init__(self, density):
        self.density = np.array(density, float)

    def solve(self, problem):
        local = LocalGrid(problem)
        G = 1 / (local.iw - local.Delta - problem.levels - problem.U @ self.density)
        self.density = local.density(G)
        return local.solution(G, np.diag(self.density), self.name)


def test_free_orbitals_of_different_width():
    """U = 0: each orbital's G is that of its own semicircle, about its own level."""
    beta, D, level = 15.0, np.array([1.0, 2.0, 1.0, 2.0]), np.array([0.2, -0.3])
    found = solve_bethe_orbitals(
        HartreeFock(),
        local_problem(beta, TWO, [np.diag(level)] * 2, np.zeros((4, 4))),
        half_bandwidth=D,
        tolerance=1e-9,
    )
    assert found.converged
    for g in found.solution.G_l:
        for a in range(2):
            exact = legendre.resized(semicircle(beta, D[a], level=level[a]), len(g))
            assert np.max(np.abs(g[:, a, a] - exact)) < 1e-6 * beta
    assert np.allclose(found.Z, 1.0, atol=1e-6)


def test_orbitals_without_coupling_are_single_orbitals():
    beta, U = 10.0, 2.0
    matrix = np.zeros((4, 4))
    matrix[[0, 1, 2, 3], [2, 3, 0, 1]] = U  # flavours (spin, orbital)
    options = {"tolerance": 1e-5, "max_iterations": 60}
    one = solve_bethe(ED(n_bath=2), beta, U, U / 2 - 0.3, **options)
    both = solve_bethe_orbitals(ED(n_bath=2), local_problem(beta, FOUR, [[[0.3 - U / 2]]] * 4, matrix), **options)
    assert both.Z == pytest.approx(one.Z, abs=1e-4) and both.solution.density == pytest.approx(
        one.density / 2, abs=1e-5
    )
    assert both.solution.nn[0, 2] == pytest.approx(one.double_occupancy, abs=1e-5)
    assert both.solution.nn[0, 1] == pytest.approx(one.density**2 / 4, abs=1e-5)


@pytest.mark.parametrize("terms", [True, False])
def test_two_orbitals_with_hunds_coupling(terms):
    """Half filling: degenerate to 1e-12, particle-hole symmetric, electrons localised and their spins aligned."""
    beta, U, J = 20.0, 2.0, 0.5
    matrix, exchange = kanamori(U, J)
    level = -0.5 * matrix[0].sum()
    local = local_problem(beta, FOUR, [[[level]]] * 4, matrix, exchange if terms else ())
    found = solve_bethe_orbitals(ED(), local, tolerance=1e-3)
    assert found.converged and np.ptp(found.Z) < 1e-9
    for g in found.solution.G_l:
        assert np.max(np.abs(g - found.solution.G_l[0])) < 1e-12
        assert np.max(np.abs(g[1::2])) < 1e-8 * beta
    assert found.solution.density == pytest.approx(0.5, abs=1e-9)
    assert found.Z[0] < 0.2
    nn = found.solution.nn
    assert nn[0, 1] > 0.3 > nn[0, 3] > nn[0, 2], (
        "parallel spins in different orbitals, then antiparallel, then one orbital"
    )


def gap_equation(beta, U):
    """m of the Hartree approximation: h = U m/2, m = h ∫ ρ(ε) tanh(β E/2)/E, E² = ε² + h², D = 1."""
    theta = (np.arange(4000) + 0.5) * np.pi / 4000
    eps, weight = np.cos(theta), 2 / 4000 * np.sin(theta) ** 2
    E = lambda h: np.sqrt(eps**2 + h**2)
    excess = lambda h: 0.5 * U * np.sum(weight * np.tanh(0.5 * beta * E(h)) / E(h)) - 1
    return 2 / U * brentq(excess, 1e-6, U)


@pytest.mark.parametrize("beta, U", [(20.0, 1.0), (50.0, 2.0)])
def test_antiferromagnet_obeys_the_gap_equation(beta, U):
    found = solve_bethe_orbitals(
        Hartree([0.7, 0.3]), single(beta, U), bath_of=STAGGERED, tolerance=1e-9, max_iterations=500
    )
    n_up, n_down = found.solution.density
    assert found.converged and n_up + n_down == pytest.approx(1.0, abs=1e-6)
    assert n_up - n_down == pytest.approx(gap_equation(beta, U), abs=1e-5)


def test_antiferromagnet_with_ed():
    """Below the Néel temperature the start's order stays; from a paramagnetic start none appears."""
    beta, U = 20.0, 2.0
    ordered = solve_bethe_orbitals(ED(n_bath=3), single(beta, U), bath_of=STAGGERED, tolerance=2e-3)
    n_up, n_down = ordered.solution.density
    assert ordered.converged and 0.75 < n_up - n_down < 0.95 and n_up + n_down == pytest.approx(1.0, abs=1e-3)
    plain = [semicircle(beta)[:, None, None]] * 2
    disordered = solve_bethe_orbitals(ED(n_bath=3), single(beta, U), plain, bath_of=STAGGERED, tolerance=2e-3)
    assert np.array_equal(disordered.solution.G_l[0], disordered.solution.G_l[1])
    same = solve_bethe(ED(n_bath=3), beta, U, tolerance=2e-3)
    assert disordered.Z == pytest.approx(same.Z, abs=1e-9)


def test_field_polarises_a_paramagnet():
    found = solve_bethe_orbitals(ED(n_bath=2), single(10.0, 1.0, field=0.05), tolerance=1e-3)
    up, down = found.solution.density
    assert 0.05 < up - down < 0.3 and up + down == pytest.approx(1.0, abs=1e-2)
    g_up, g_down = found.solution.G_l
    assert np.max(np.abs(legendre.particle_hole(g_up) - g_down)) < 0.02 * 10.0


def semicircle_density(beta, D, mu):
    """⟨n⟩ of one flavour of free electrons at half bandwidth D."""
    theta = (np.arange(2000) + 0.5) * np.pi / 2000
    return np.sum(2 / 2000 * np.sin(theta) ** 2 / (1 + np.exp(beta * (D * np.cos(theta) - mu))))


def test_density_of_free_orbitals_is_kept():
    beta, D, density = 15.0, np.array([1.0, 2.0, 1.0, 2.0]), 1.3
    free = local_problem(beta, FOUR, [[[0.2]]] * 4, np.zeros((4, 4)))
    found = solve_bethe_orbitals(HartreeFock(), free, half_bandwidth=D, density=density, tolerance=1e-8)
    total = lambda mu: sum(semicircle_density(beta, d, mu) for d in D)
    assert found.solution.density.sum() == pytest.approx(density, abs=1e-6)
    assert -found.problem.levels[0] == pytest.approx(brentq(lambda mu: total(mu) - density, -2, 2), abs=1e-6)


def test_density_is_kept_by_the_right_chemical_potential():
    """One electron in two orbitals: the μ that was found gives the same answer when it is held fixed."""
    matrix, _ = kanamori(2.0, 0.5)
    local = lambda mu: local_problem(20.0, FOUR, [[[-mu]]] * 4, matrix)
    options = {"tolerance": 1e-4, "max_iterations": 40}
    found = solve_bethe_orbitals(ED(n_bath=1), local(0.5), density=1.0, **options)
    assert found.converged and found.n_iterations < 15
    assert found.solution.density.sum() == pytest.approx(1.0, abs=1e-3)
    again = solve_bethe_orbitals(ED(n_bath=1), local(-found.problem.levels[0]), **options)
    assert again.solution.density.sum() == pytest.approx(1.0, abs=1e-3)
    assert again.Z == pytest.approx(found.Z, abs=1e-3)


def test_converged_means_at_the_density_that_was_asked_for():
    for density in (0.8, 0.1):
        found = solve_bethe_orbitals(
            ED(n_bath=2), single(20.0, 2.0), density=density, tolerance=1e-3, max_iterations=60
        )
        assert found.converged and abs(found.solution.density.sum() - density) < 1e-3
    with pytest.raises(ValueError, match="min_iterations = 9 exceeds max_iterations = 5"):
        solve_bethe_orbitals(HartreeFock(), single(10.0, 1.0), min_iterations=9, max_iterations=5)


@pytest.mark.parametrize("density", [0.0, 2.0, -1.0])
def test_refuses_densities_that_do_not_fit(density):
    with pytest.raises(ValueError, match="electrons per site, between 0 and 2"):
        solve_bethe_orbitals(HartreeFock(), single(10.0, 1.0), density=density)


def test_iterates_as_often_as_is_asked():
    found = solve_bethe_orbitals(HartreeFock(), single(10.0, 1.0), min_iterations=12, tolerance=0.1)
    assert found.n_iterations == 12 and found.converged


def test_watch_sees_every_iteration():
    seen = []
    found = solve_bethe_orbitals(HartreeFock(), single(10.0, 1.0), watch=lambda i, s: seen.append(i))
    assert seen == list(range(1, found.n_iterations + 1)) and len(found.exact) == found.n_iterations


@pytest.mark.parametrize("bath_of, text", [({"left": "up"}, "left.*not in gf_struct"), ({"up": "pair"}, "size")])
def test_refuses_baths_of_blocks_that_do_not_fit(bath_of, text):
    local = local_problem(5.0, (("up", 1), ("pair", 2)), [[[0]], np.zeros((2, 2))], np.zeros((3, 3)))
    with pytest.raises(ValueError, match=text):
        solve_bethe_orbitals(HartreeFock(), local, bath_of=bath_of)
