# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
import importlib.util
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from triqs_mlsolver import DiscreteBath, Problem
from triqs_mlsolver.approximations import HubbardI
from triqs_mlsolver.exact.ed import ED
from triqs_mlsolver.numerics import dlr, legendre
from triqs_mlsolver.problem.solution import static_moments


@pytest.fixture(scope="module")
def problem():
    return Problem.siam(12.0, 2.0, 0.6, [-0.4, 0.7], [0.3, 0.45], field=0.25)


@pytest.fixture(scope="module")
def solution(problem):
    """The exact answer, with error bars and F = Σ G added."""
    s = ED().solve(problem)
    noise = tuple(np.abs(np.random.default_rng(1).normal(size=g.shape)) * 1e-3 for g in s.G_l)
    F_l = tuple(_legendre_of_F(problem, s, i) for i in range(2))
    return replace(s, G_l_error=noise, F_l=F_l, F_l_error=noise, nn_error=np.array([[1e-3, 2e-3], [2e-3, 3e-3]]))


def _legendre_of_F(problem, s, i):
    """F = Σ G = G0⁻¹ G − 1, taken in iω and brought back to l."""
    grid = dlr.grid(problem.beta * problem.largest_energy)
    iw = 1j * grid.omega / problem.beta
    G = grid.iw_of_legendre(s.G_l[i][:, 0, 0])
    F = (iw - problem.levels[i] - grid.iw_of_legendre(problem.delta_l(i))) * G - 1
    return grid.to_legendre(problem.beta, grid.to_tau(problem.beta, F), problem.n_l)[:, None, None]


FIELDS = ("G_l", "G_l_error", "F_l", "F_l_error", "Sigma_infty", "Sigma_1")


def assert_same(a, b, atol=1e-11):
    assert a.gf_struct == b.gf_struct and a.beta == pytest.approx(b.beta, rel=1e-12)
    for name in FIELDS:
        for x, y in zip(getattr(a, name), getattr(b, name)):
            assert np.allclose(x, y, atol=atol), name
    assert np.allclose(a.nn, b.nn, atol=atol) and np.allclose(a.nn_error, b.nn_error, atol=atol)
    assert a.h_int == pytest.approx(b.h_int, abs=atol)


@given(st.floats(0.01, 100), st.booleans(), st.sampled_from([("up", "down"), ("down", "up"), ("ud_0", "ud_1")]))
def test_canonical_and_back(problem, solution, factor, swapped, names):
    order = (1, 0) if swapped else (0, 1)
    p = replace(problem.scaled(factor).permuted(order), gf_struct=tuple((n, 1) for n in names))
    s = replace(solution.scaled(factor).permuted(order), gf_struct=p.gf_struct)
    canonical = s.canonical(p)
    back = canonical.in_units_of(p)
    assert_same(back, s, 1e-10 * max(1, factor**2, 1 / factor))
    reference = solution.canonical(problem)
    for name in FIELDS:
        for x, y in zip(getattr(canonical, name), getattr(reference, name)):
            assert np.allclose(x, y, atol=1e-9), name
    assert np.allclose(canonical.nn, reference.nn) and np.allclose(canonical.nn_error, reference.nn_error)


def test_scaled_solution_solves_the_scaled_problem(problem, solution):
    f = 3.7
    exact, scaled = ED().solve(problem.scaled(f)), solution.scaled(f)
    for name in ("G_l", "Sigma_infty", "Sigma_1"):
        for x, y in zip(getattr(exact, name), getattr(scaled, name)):
            assert np.allclose(x, y, atol=1e-9), name
    assert scaled.h_int == pytest.approx(exact.h_int, abs=1e-10)
    tau = np.linspace(0, problem.beta, 11)
    for a, b in zip(solution.G_tau(tau), scaled.G_tau(tau / f)):
        assert np.allclose(a, b, atol=1e-10), "G(τ) has no dimension"
    for a, b in zip(solution.G_tau_error(tau), scaled.G_tau_error(tau / f)):
        assert np.allclose(a, b, atol=1e-10)


def test_improved_estimator_and_dyson_agree_in_any_unit(problem, solution):
    for f in (1.0, 5.0):
        p, s = problem.scaled(f), solution.scaled(f)
        for a, b in zip(s.Sigma_iw(p, 20), replace(s, F_l=None).Sigma_iw(p, 20)):
            assert np.allclose(a, b, atol=1e-7 * f)


def test_permuted_solution_solves_the_permuted_problem(problem, solution):
    exact, permuted = ED().solve(problem.permuted([1, 0])), solution.permuted([1, 0])
    assert permuted.gf_struct == (("down", 1), ("up", 1))
    for x, y in zip(exact.G_l, permuted.G_l):
        assert np.allclose(x, y, atol=1e-11)
    assert np.allclose(exact.nn, permuted.nn, atol=1e-12)
    assert np.array_equal(permuted.nn_error, solution.nn_error[::-1, ::-1])
    for name in FIELDS:
        assert all(np.array_equal(x, y) for x, y in zip(getattr(permuted, name), getattr(solution, name)[::-1])), name


def test_three_blocks_come_back_in_their_own_order():
    """Two blocks are their own inverse permutation, three need not be."""
    U = np.array([[0, 2, 1], [2, 0, 0.5], [1, 0.5, 0]])
    for levels in ([0.3, -1.0, -0.2], [-0.2, 0.3, -1.0], [-1.0, -0.2, 0.3]):
        bath = [DiscreteBath([0.1 * i], [0.3 + 0.1 * i]) for i in range(3)]
        p = Problem.from_bath(5.0, (("a", 1), ("b", 1), ("c", 1)), [[[e]] for e in levels], bath, U)
        s = HubbardI().solve(p)
        back = s.canonical(p).in_units_of(p)
        assert back.gf_struct == p.gf_struct and np.allclose(back.nn, s.nn)
        assert all(np.allclose(x, y, atol=1e-11) for x, y in zip(back.G_l, s.G_l))
        assert all(
            np.allclose(x, y) for x, y in zip(HubbardI().solve(p.canonical()).Sigma_infty, s.canonical(p).Sigma_infty)
        )


def test_particle_hole_map_of_the_answer(problem, solution, mirrored):
    """G(τ) → G(β − τ), n → 1 − n, ⟨n↑n↓⟩ → 1 − n↑ − n↓ + ⟨n↑n↓⟩, Σ∞ → U − Σ∞, Σ₁ → Σ₁."""
    other = ED().solve(mirrored(problem))
    for a, b in zip(solution.G_l, other.G_l):
        assert np.allclose(legendre.particle_hole(a), b, atol=1e-11)
    assert np.allclose(other.density, 1 - solution.density, atol=1e-12)
    assert other.double_occupancy == pytest.approx(1 - solution.density.sum() + solution.double_occupancy, abs=1e-12)
    for a, b in zip(solution.Sigma_infty, other.Sigma_infty):
        assert np.allclose(b, 2.0 - a, atol=1e-12)
    for a, b in zip(solution.Sigma_1, other.Sigma_1):
        assert np.allclose(a, b, atol=1e-12)


def test_error_of_g_tau_is_the_propagated_one(problem, solution):
    """Against the scatter of G(τ) of randomly drawn coefficients."""
    rng = np.random.default_rng(3)
    tau = np.array([0.0, 1.0, 5.9, problem.beta])
    error = solution.G_l_error[0]
    drawn = rng.normal(size=(1500,) + error.shape) * error
    scatter = np.std([legendre.evaluate(problem.beta, d, tau)[:, 0, 0] for d in drawn], axis=0)
    assert np.allclose(solution.G_tau_error(tau)[0][:, 0, 0], scatter, rtol=0.08)
    exact = replace(solution, G_l_error=None).G_tau_error(tau)
    assert all(e.shape == (4, 1, 1) and not np.any(e) for e in exact)


def test_Z_of_free_electrons_and_of_a_known_self_energy(problem):
    free = Problem.siam(12.0, 0.0, 0.2, [-0.4, 0.7], [0.3, 0.45])
    assert np.allclose(ED().solve(free).Z(free), 1, atol=1e-9)
    atom = Problem.siam(10.0, 2.0, 1.0, [0.0], [0.0])
    # Σ − U/2 = U²/(4 iω): 1/Z = 1 + U²/(4 ω₀²)
    assert np.allclose(ED().solve(atom).Z(atom), 1 / (1 + (10 / np.pi) ** 2), atol=1e-8)


def test_double_occupancy_is_for_one_orbital(problem, solution):
    four = replace(solution, nn=np.eye(4))
    with pytest.raises(ValueError, match="4 flavours: read nn"):
        _ = four.double_occupancy


def test_static_moments_of_the_atom():
    """Σ∞ = U n/2 and Σ₁ = U² (n/2)(1 − n/2) for any filling."""
    for mu in (-1.0, 0.3, 1.0, 2.5):
        p = Problem.siam(5.0, 2.0, mu, [0.0], [0.0])
        w = np.exp(5.0 * np.array([0, mu, mu, 2 * mu - 2.0]))
        n, pair = (w[1] + w[3]) / w.sum(), w[3] / w.sum()
        Sigma_infty, Sigma_1 = static_moments(p, np.array([[n, pair], [pair, n]]))
        assert np.allclose(Sigma_infty, 2 * n) and np.allclose(Sigma_1, 4 * n * (1 - n))


def test_static_moments_of_two_orbitals(fock_space):
    """Against the numerical asymptotics of Dyson's equation with the exact G of four flavours."""
    U = np.array([[0, 2, 1.2, 0.9], [2, 0, 0.9, 1.2], [1.2, 0.9, 0, 2.4], [0.9, 1.2, 2.4, 0]])
    names = tuple((name, 1) for name in "abcd")
    baths = [DiscreteBath([e], [v]) for e, v in ((0.2, 0.4), (-0.3, 0.5), (0.1, 0.3), (0.0, 0.6))]
    levels = [[[-1.9]], [[-2.1]], [[-2.3]], [[-1.8]]]
    p = Problem.from_bath(4.0, names, levels, baths, U)
    exact = fock_space(p)
    Sigma_infty, Sigma_1 = static_moments(p, exact.nn)
    z = np.array([300j])
    for i, G in enumerate(exact.G(z)):
        Sigma = z[0] - p.levels[i] - np.sum(baths[i].V[:, 0] ** 2 / (z[0] - baths[i].eps)) - 1 / G[0, 0, 0]
        assert Sigma.real == pytest.approx(Sigma_infty[i][0, 0], abs=2e-4)
        assert (z[0] * (Sigma - Sigma_infty[i][0, 0])).real == pytest.approx(Sigma_1[i][0, 0], abs=2e-3)


def test_plot_protocol(family):
    """One curve of G(tau) per orbital, as TRIQS' oplot asks for them; drawn by it where TRIQS is installed."""
    solution = ED().solve(family(1.5))
    options = {"name": "G_imp"}
    curves = solution._plot_(options)
    assert options == {} and [c["label"] for c in curves] == ["G_imp up 0", "G_imp down 0"]
    for curve, G in zip(curves, solution.G_l):
        assert curve["xdata"][[0, -1]].tolist() == [0.0, solution.beta]
        assert curve["ydata"] == pytest.approx(legendre.evaluate(solution.beta, G, curve["xdata"])[:, 0, 0])
    if importlib.util.find_spec("triqs") is not None:
        import matplotlib

        matplotlib.use("Agg")
        from triqs.plot.mpl_interface import oplot, plt

        oplot(solution, name="G")
        assert len(plt.gca().lines) == 2
