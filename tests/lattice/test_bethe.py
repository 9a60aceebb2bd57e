# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
import numpy as np
import pytest

from triqs_mlsolver import LearnedSolver
from triqs_mlsolver.approximations import IPT
from triqs_mlsolver.exact.ed import ED
from triqs_mlsolver.lattice.bethe import (
    bethe_problem,
    distance_to_fixed_point,
    paramagnetic,
    scan_bethe,
    semicircle,
    solve_bethe,
)
from triqs_mlsolver.numerics import legendre

# Converged segment CT-HYB, averaged over many iterations (U/D, μ − U/2, βD, n, ⟨n↑n↓⟩, Z); ED differs by its bath fit.
REFERENCES = [
    (1.0, 0.0, 50.0, 1.0, 0.16603, 0.7248),
    (2.0, 0.0, 50.0, 1.0, 0.08111, 0.2575),
    (2.0, 0.0, 20.0, 1.0, 0.06568, 0.2288),
    (2.0, -0.5, 50.0, 0.84168, 0.04233, 0.3835),
    (3.0, -1.0, 50.0, 0.81335, 0.01673, 0.2680),
    (3.0, 0.0, 50.0, 1.0, 0.01543, 0.00285),
]


class Counting:
    """ED that counts its calls."""

    name = "ed"

    def __init__(self, n_bath):
        self.solver, self.calls = ED(n_bath=n_bath), 0

    def solve(self, problem):
        self.calls += 1
        return self.solver.solve(problem)


def analytic(beta, n_iw, D=1.0, mu=0.0):
    """G(z) = 2/D² (z − i sqrt(D² − z²)) in the upper half plane: the semicircular density of states."""
    z = 1j * np.pi * (2 * np.arange(n_iw) + 1) / beta + mu
    return 2 / D**2 * (z - 1j * np.sqrt(D**2 - z**2))


@pytest.mark.parametrize("beta, D", [(1.0, 1.0), (20.0, 1.0), (100.0, 1.0), (5.0, 4.0)])
def test_semicircle(beta, D):
    assert np.max(np.abs(legendre.to_matsubara(semicircle(beta, D), 200) - analytic(beta, 200, D))) < 1e-8 * beta
    assert np.allclose(np.abs(semicircle(beta, D)[1::2]), 0, atol=1e-10 * beta)


def test_problem_of_the_lattice():
    """Δ = (D/2)² G, so that the scale of the problem is D."""
    p = bethe_problem(10.0, 2.0, 0.7, semicircle(10.0, 3.0), 3.0)
    assert p.scale == pytest.approx(3.0, rel=1e-9) and np.allclose(p.levels, -0.7)
    assert np.allclose(p.Delta_iw(20)[0][:, 0, 0], 2.25 * analytic(10.0, 20, 3.0), atol=1e-7)


@pytest.mark.parametrize("mu, D", [(0.0, 1.0), (0.4, 1.0), (-1.0, 2.5)])
def test_free_electrons(mu, D):
    """U = 0: the self-consistent G is the lattice's own, at any filling and bandwidth; Z = 1, ⟨n↑n↓⟩ = n²/4."""
    beta = 15.0
    found = solve_bethe(IPT(), beta, 0.0, mu, half_bandwidth=D, tolerance=1e-8)
    assert found.converged
    assert np.max(np.abs(found.solution.G_iw(50)[0][:, 0, 0] - analytic(beta, 50, D, mu))) < 1e-6 * beta
    assert found.Z == pytest.approx(1.0, abs=1e-6)
    assert found.double_occupancy == pytest.approx(found.density**2 / 4, abs=1e-9)


@pytest.mark.parametrize("U, shift, beta, n, pair, Z", REFERENCES)
def test_against_monte_carlo(U, shift, beta, n, pair, Z):
    found = solve_bethe(ED(n_bath=5 if shift < -0.5 else 4), beta, U, U / 2 + shift, tolerance=1e-4)
    assert found.converged
    assert found.density == pytest.approx(n, abs=1e-3)
    assert found.double_occupancy == pytest.approx(pair, rel=0.02, abs=2e-4)
    assert found.Z == pytest.approx(Z, rel=0.015, abs=1e-3)


def test_insulator_at_strong_coupling():
    """t²/U expansion at T = 0: ⟨n↑n↓⟩ = 1/(2U²) + 3/(2U⁴) + 95/(8U⁶), t = 1; at βD = 20 the spins are free and
    nothing moves.
    """
    u = 2 * 4.0
    found = solve_bethe(ED(n_bath=4), 20.0, 4.0, tolerance=1e-5)
    assert found.double_occupancy == pytest.approx(1 / (2 * u**2) + 3 / (2 * u**4) + 95 / (8 * u**6), rel=0.02)
    assert found.Z < 0.02


def test_particle_hole_symmetry_is_kept():
    found = solve_bethe(ED(n_bath=3), 20.0, 2.4, tolerance=1e-3)
    assert np.max(np.abs(found.solution.G_l[0][1::2])) < 1e-9 * 20
    assert found.density == pytest.approx(1.0, abs=1e-9)
    Sigma = found.solution.Sigma_iw(bethe_problem(20.0, 2.4, 1.2, found.solution.G_l[0][:, 0, 0]), 5)[0]
    assert np.all(Sigma.imag < 0)


def test_particle_hole_transform_of_a_doped_lattice():
    """n(μ − U/2) + n(U/2 − μ) = 2, with the same Z."""
    less, more = (solve_bethe(ED(n_bath=3), 15.0, 2.5, 1.25 + shift, tolerance=1e-4) for shift in (-0.6, 0.6))
    assert less.density + more.density == pytest.approx(2.0, abs=1e-4) and less.density < 0.95
    assert less.Z == pytest.approx(more.Z, abs=1e-4)


def test_unit_of_energy_does_not_matter():
    small, large = (solve_bethe(ED(n_bath=2), 20.0 / D, 2.0 * D, half_bandwidth=D) for D in (1.0, 7.0))
    assert small.n_iterations == large.n_iterations
    assert small.Z == pytest.approx(large.Z, rel=1e-6) and small.double_occupancy == pytest.approx(
        large.double_occupancy, rel=1e-6
    )


def test_mixing_reaches_the_same_fixed_point():
    plain, mixed = (solve_bethe(ED(n_bath=2), 10.0, 1.5, tolerance=1e-6, mixing=m) for m in (1.0, 0.5))
    assert plain.Z == pytest.approx(mixed.Z, abs=1e-4) and mixed.n_iterations > plain.n_iterations


def test_watch_sees_every_iteration():
    seen = []
    found = solve_bethe(IPT(), 10.0, 1.0, watch=lambda i, solution: seen.append((i, solution.density.sum())))
    assert [i for i, _ in seen] == list(range(1, found.n_iterations + 1))
    assert len(found.exact) == len(found.bounds) == found.n_iterations


def test_gives_up_honestly():
    found = solve_bethe(IPT(), 10.0, 1.0, tolerance=1e-14, max_iterations=3)
    assert not found.converged and found.n_iterations == 3


@pytest.mark.parametrize("ratio", [0.1, 0.5, 0.9])
def test_distance_to_the_fixed_point(ratio):
    """Exact for a geometric series, Σ_{k≥1} c r^k, but never taken as less than half of the last change."""
    changes = [0.1 * ratio**k for k in range(6)]
    assert distance_to_fixed_point(changes) == pytest.approx(changes[-1] * max(ratio / (1 - ratio), 0.5), rel=1e-9)


def test_one_small_step_proves_nothing():
    assert distance_to_fixed_point([1e-5]) == np.inf and distance_to_fixed_point([]) == np.inf
    assert distance_to_fixed_point([0.0]) == 0.0
    assert distance_to_fixed_point([1e-4, 1e-4, 1e-4]) > 1e-3, "a loop that creeps is not converged"


def test_paramagnetic_average():
    p = bethe_problem(10.0, 2.0, 0.8, semicircle(10.0))
    s = ED(n_bath=2).solve(p)
    assert np.allclose(paramagnetic(s), s.G_l[0][:, 0, 0])
    assert not np.any(paramagnetic(s, half_filled=True)[1::2])


# -- with the learned solver
# ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def branches():
    """Four values of U upwards and back above the critical end point, from an empty database; and all by ED."""
    U, beta, options = [1.0, 1.8, 2.5, 3.0], 20.0, {"tolerance": 2e-4}
    exact = Counting(4)
    solver = LearnedSolver(None, exact=exact)
    up = scan_bethe(solver, beta, U, **options)
    calls_up = exact.calls
    down = scan_bethe(solver, beta, U[::-1], start=paramagnetic(up[-1].solution, True), **options)[::-1]
    reference = scan_bethe(ED(n_bath=4), beta, U, **options)
    return up, down, reference, (calls_up, exact.calls)


def test_branches_coincide_above_the_critical_end_point(branches):
    up, down, _, _ = branches
    for a, b in zip(up, down):
        assert a.converged and b.converged
        assert abs(a.Z - b.Z) < 0.01 and abs(a.double_occupancy - b.double_occupancy) < 0.002


def test_learned_loop_agrees_with_the_exact_one(branches):
    up, down, reference, _ = branches
    for found, exact in zip([*up, *down], [*reference, *reference]):
        assert abs(found.Z - exact.Z) < 0.01 and abs(found.double_occupancy - exact.double_occupancy) < 0.002
        assert found.density == pytest.approx(1.0, abs=1e-9)


def test_way_back_is_cheaper(branches):
    up, down, _, (calls_up, calls) = branches
    solves_down = sum(c.n_iterations for c in down)
    assert calls - calls_up < 0.5 * solves_down
    assert sum(sum(c.exact) for c in [*up, *down]) == calls
    assert all(np.isinf(c.bounds[0]) for c in up[:1])
