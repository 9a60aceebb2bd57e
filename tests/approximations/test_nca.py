# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
import numpy as np
import pytest

from triqs_mlsolver import DiscreteBath, Problem
from triqs_mlsolver.approximations import NCA
from triqs_mlsolver.lattice.bethe import bethe_problem, semicircle
from triqs_mlsolver.numerics import dlr, legendre
from triqs_mlsolver.numerics.convolution import convolution_matrices


def many_flavours(n_flavours, beta, V, seed=0):
    """Different levels, interactions and two-site baths for all flavours."""
    rng = np.random.default_rng([5, n_flavours, seed])
    U = np.triu(rng.uniform(0.5, 2, (n_flavours, n_flavours)), 1)
    U = U + U.T
    levels = -0.5 * U.sum(axis=1) + rng.uniform(-0.5, 0.5, n_flavours)
    baths = [DiscreteBath(rng.uniform(-1, 1, 2), V * rng.uniform(0.5, 1, 2)) for _ in range(n_flavours)]
    names = tuple((f"f{i}", 1) for i in range(n_flavours))
    return Problem.from_bath(beta, names, tuple([[e]] for e in levels), baths, U)


# -- a second implementation
# -------------------------------------------------------------------------------------------------


def stepped(problem, n):
    """G_i(τ) at n + 1 equidistant times, (n + 1, N), and probabilities of the states by bit pattern.

    The trapezoidal rule, one step in τ after the other; states are tuples, Δ comes from the bath sites.
    """
    N, beta = problem.n_flavours, problem.beta
    states = list(np.ndindex(*(2,) * N))
    h = beta / n
    tau = h * np.arange(n + 1)
    site = lambda eps, V: -(V**2) * np.exp(-tau * eps) / (1 + np.exp(-beta * eps))
    Delta = [sum(site(*levels) for levels in zip(b.eps, b.V[:, 0])) for b in problem.bath]
    energy = {
        s: sum(problem.levels[i] for i in range(N) if s[i])
        + sum(problem.U[i, j] for i in range(N) for j in range(i) if s[i] and s[j])
        for s in states
    }
    lowest = min(energy.values())
    flipped = lambda s, i: s[:i] + (1 - s[i],) + s[i + 1 :]
    R = {s: np.zeros(n + 1) for s in states}
    S = {s: np.zeros(n + 1) for s in states}
    for s in states:
        R[s][0] = 1.0

    def self_energy(s, k):
        return -sum((Delta[i][k] if s[i] else Delta[i][n - k]) * R[flipped(s, i)][k] for i in range(N))

    def slope(s, k):
        products = S[s][k::-1] * R[s][: k + 1]
        integral = h * (products.sum() - 0.5 * (products[0] + products[-1])) if k else 0.0
        return (lowest - energy[s]) * R[s][k] + integral

    for s in states:
        S[s][0] = self_energy(s, 0)
    for k in range(1, n + 1):
        before = {s: slope(s, k - 1) for s in states}
        for s in states:
            R[s][k] = R[s][k - 1] + h * before[s]
        for _ in range(8):
            for s in states:
                S[s][k] = self_energy(s, k)
            for s in states:
                R[s][k] = R[s][k - 1] + 0.5 * h * (before[s] + slope(s, k))
    Z = sum(R[s][n] for s in states)
    G = np.stack([-sum(R[flipped(s, i)] * R[s][::-1] for s in states if not s[i]) / Z for i in range(N)], axis=1)
    return G, np.array([R[s][n] / Z for s in states]), np.array(states)


def extrapolated(problem, n):
    """`stepped` with the errors in h² and h⁴ removed: G at n + 1 times and ⟨n_i n_j⟩."""
    runs = [stepped(problem, m * n) for m in (1, 2, 4)]
    G, p = [g[::m] for (g, _, _), m in zip(runs, (1, 2, 4))], [r[1] for r in runs]
    remove = lambda a, b, c: (64 * c - 20 * b + a) / 45
    states = runs[0][2]
    return remove(*G), np.einsum("s,si,sj->ij", remove(*p), states, states)


@pytest.mark.parametrize(
    "problem",
    [
        Problem.siam(4.0, 2.0, 0.6, [-0.5, 0.1, 0.8], [0.3, 0.35, 0.2], 0.15),
        Problem.siam(8.0, 1.0, 0.5, [-0.3, 0.3], [0.4, 0.3]),
        many_flavours(1, 4.0, 0.4),
        many_flavours(3, 3.0, 0.3),
    ],
    ids=["field", "no field", "one flavour", "three flavours"],
)
def test_agrees_with_a_second_implementation(problem):
    n = 100
    G, nn = extrapolated(problem, n)
    solution = NCA().solve(problem)
    found = np.concatenate([g[:, :, 0] for g in solution.G_tau(np.linspace(0, problem.beta, n + 1))], axis=1)
    assert np.max(np.abs(found - G)) < 1e-6
    assert np.max(np.abs(solution.nn - nn)) < 1e-6


# -- limits
# ------------------------------------------------------------------------------------------------------------------


def test_one_flavour_is_right_to_first_order_in_delta(fock_space):
    """There, lines begin to cross at second order in Δ: the error of G falls like V⁴."""
    tau, errors = np.linspace(0, 6.0, 21), []
    for V in (0.2, 0.1):
        problem = many_flavours(1, 6.0, V)
        errors.append(np.max(np.abs(NCA().solve(problem).G_tau(tau)[0][:, 0] - fock_space(problem).G_tau(tau))))
    assert errors[0] < 5e-3
    assert errors[0] / errors[1] == pytest.approx(16, rel=0.15)


@pytest.mark.parametrize("n_flavours", [2, 3])
def test_correlators_are_right_to_first_order_in_delta(n_flavours, fock_space):
    errors = []
    for V in (0.1, 0.05):
        problem = many_flavours(n_flavours, 4.0, V)
        errors.append(np.max(np.abs(NCA().solve(problem).nn - fock_space(problem).nn)))
    assert errors[0] < 3e-4
    assert errors[0] / errors[1] == pytest.approx(16, rel=0.15)


@pytest.mark.parametrize("n_flavours", [1, 3, 4, 6])
def test_exact_for_atoms_of_many_flavours(n_flavours, fock_space):
    problem = many_flavours(n_flavours, 5.0, 0.0)
    bare = Problem.from_bath(
        problem.beta,
        problem.gf_struct,
        problem.h_loc0,
        [DiscreteBath(np.zeros(0), np.zeros((0, 1)))] * n_flavours,
        problem.U,
    )
    tau, solution, exact = np.linspace(0, 5.0, 31), NCA().solve(problem), fock_space(bare)
    found = np.concatenate([g[:, :, 0] for g in solution.G_tau(tau)], axis=1)
    assert np.max(np.abs(found - exact.G_tau(tau))) < 1e-9
    assert np.max(np.abs(solution.nn - exact.nn)) < 1e-10


# -- symmetries and numerics
# -------------------------------------------------------------------------------------------------


def test_exact_symmetries(draw, mirrored):
    for seed in range(8):
        problem = draw(np.random.default_rng([41, seed]), 3)
        here, there = NCA().solve(problem), NCA().solve(mirrored(problem))
        exchanged = NCA().solve(problem.permuted([1, 0])).permuted([1, 0])
        for spin in range(2):
            assert np.max(np.abs(legendre.particle_hole(here.G_l[spin]) - there.G_l[spin])) < 1e-10 * problem.beta
            assert np.max(np.abs(here.G_l[spin] - exchanged.G_l[spin])) < 1e-10 * problem.beta
        assert np.max(np.abs(1 - here.density - there.density)) < 1e-10
        assert np.max(np.abs(here.nn - exchanged.nn)) < 1e-10


@pytest.mark.parametrize("beta", [0.01, 1.0, 100.0, 1000.0])
@pytest.mark.parametrize("U, x", [(0.0, 0.0), (2.0, 0.3), (2.0, -3.0), (20.0, 0.0)])
def test_converges_at_any_temperature(beta, U, x):
    """Negative throughout, sum rule, weights that sum to one."""
    problem = bethe_problem(beta, U, U / 2 - x, semicircle(beta))
    solution = NCA().solve(problem)
    G = solution.G_tau(np.linspace(0, beta, 1001))[0][:, 0, 0]
    assert np.all(G < 0)
    assert abs(G[0] + G[-1] + 1) < 1e-10 * max(1.0, beta * problem.largest_energy)
    assert np.max(np.abs(solution.density + G[-1])) < 1e-10 * max(1.0, beta * problem.largest_energy)


def test_smooth_in_the_problem():
    """Second differences along a line fall like the square of the step: no noise above 1e-10."""
    tau = np.linspace(0, 50.0, 41)
    solve = lambda U: NCA().solve(bethe_problem(50.0, U, U / 2 - 0.2, semicircle(50.0))).G_tau(tau)[0][:, 0, 0]
    values = np.stack([solve(2.0 + 1e-4 * k) for k in range(9)])
    assert np.max(np.abs(np.diff(values, 2, axis=0))) < 1e-8
    assert np.max(np.abs(np.diff(values, 4, axis=0))) < 1e-9


def test_says_when_it_does_not_converge():
    positive_inside = np.array([-1.0, 0.0, -30.0])
    wrong = Problem(10.0, (("up", 1), ("down", 1)), ([[-1]], [[-1]]), [positive_inside] * 2, [[0, 2], [2, 0]])
    with pytest.raises(RuntimeError, match="NCA did not converge.*Δ"):
        NCA().solve(wrong)
    with pytest.raises(RuntimeError, match="did not converge in 3 iterations"):
        NCA(max_iterations=3).solve(Problem.siam(10.0, 2.0, 1.0, [0.0], [0.5]))


def test_refuses_too_many_flavours():
    with pytest.raises(ValueError, match="up to 10 flavours, not 11"):
        NCA().solve(many_flavours(11, 1.0, 0.1))


@pytest.mark.parametrize("cutoff", [10, 100, 1000])
def test_convolution_of_exponentials(cutoff):
    """∫_0^τ e^{−a(τ−s)} e^{−bs} ds = (e^{−aτ} − e^{−bτ}) / (b − a)."""
    grid = dlr.grid(cutoff)
    energies = np.array([0.0, 0.7, 0.3 * cutoff, 0.9 * cutoff])
    f = np.exp(-np.outer(energies, grid.tau))
    C = convolution_matrices(grid, f)
    for a, matrix in zip(energies, C):
        for b, g in zip(energies, f):
            exact = grid.tau * g if a == b else (np.exp(-a * grid.tau) - g) / (b - a)
            assert np.max(np.abs(matrix @ g - exact)) < 1e-11
