# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""The embedded segment CT-HYB against exact diagonalisation, and its statistics against known processes."""

from __future__ import annotations

import logging
import re
from dataclasses import replace

import numpy as np
import pytest
from support import reference_ed
from support.segment_cases import ONE, as_problem, whitened_chi2

from triqs_mlsolver.exact import kernel_cache
from triqs_mlsolver.exact.ed import ED
from triqs_mlsolver.exact.quality import objections
from triqs_mlsolver.exact.run import first_bins
from triqs_mlsolver.exact.segment import SegmentSolver
from triqs_mlsolver.exact.segment.estimators import EquationOfMotion
from triqs_mlsolver.exact.segment.solver import causal_hybridisation
from triqs_mlsolver.exact.segment.symmetries import Symmetries
from triqs_mlsolver.exact.statistics import (
    autocorrelation_time,
    curved,
    dominance,
    few_samples,
    jackknife_error,
    leave_one_out,
)
from triqs_mlsolver.numerics import legendre
from triqs_mlsolver.numerics.causality import project_delta
from triqs_mlsolver.problem import DiscreteBath, Problem
from triqs_mlsolver.problem.permutations import elements, generators
from triqs_mlsolver.problem.symmetry import alike
from triqs_mlsolver.tools.mpi import on_threads

# (name, β, levels, baths, U): filling, field, attraction, weak and strong coupling, more than one orbital
BATH_3 = (np.array([-0.8, 0.1, 0.7]), np.array([0.3, 0.25, 0.3]))
BATH_1 = (np.array([0.3]), np.array([0.5]))
BATH_2 = (np.array([-0.4, 0.5]), np.array([0.4, 0.3]))
CASES = {
    "metal in a field": (8.0, [-0.9, -0.6], [BATH_3] * 2, ONE(2.0)),
    "cold and doped": (40.0, [-0.5, -0.5], [BATH_3] * 2, ONE(2.5)),
    "attractive": (10.0, [0.75, 0.75], [BATH_2] * 2, ONE(-1.5)),
    "spin-dependent baths": (15.0, [-1.0, -0.8], [BATH_1, BATH_2], ONE(2.0)),
    "published: TRIQS/benchmarks SIAM_Discrete_Bath": (
        5.0,
        [-2.2, -1.8],
        [(np.array([0.0, 4.0]), np.array([2.0, 5.0]))] * 2,
        ONE(5.0),
    ),
    "two orbitals": (
        10.0,
        [-1.6, -1.5, -1.9, -1.8],
        [BATH_1, BATH_1, BATH_2, BATH_2],
        reference_ed.kanamori(1.5, 0.25),
    ),
}


@pytest.fixture(scope="module", params=CASES)
def case(request):
    args = CASES[request.param]
    problem = as_problem(*args)
    n = 25000 if len(args[1]) == 2 else 40000
    solution = SegmentSolver(n_cycles=n, random_seed=11).solve(problem)
    return problem, reference_ed.solve(*args, n_l=max(60, problem.n_l)), solution


def test_raw_measurements_agree_with_ed(case):
    problem, exact, solution = case
    samples = solution.statistics["samples"]
    for name, reference in (("G_l_raw", exact.G_l), ("F_l_raw", exact.F_l)):
        chi2, worst = whitened_chi2(samples[name][:, :, :20], reference[:, :20])
        assert 0.2 < chi2 < 2.5
        assert worst < 5


def test_answer_agrees_with_ed(case):
    problem, exact, solution = case
    s = solution.statistics
    z = (s["G_tau"] - exact.G_tau(s["tau"])) / (s["G_tau_error"] + 1e-9)
    assert np.max(np.abs(z)) < 5
    difference, error = s["Sigma_iw"][:, :4] - exact.Sigma_iw[:, :4], s["Sigma_iw_error"][:, :4]
    assert np.max(np.abs(difference.real) / error.real) < 5
    assert np.max(np.abs(difference.imag) / error.imag) < 5
    assert np.max(np.abs(solution.nn - exact.nn) / (solution.nn_error + 1e-9)) < 4.5
    assert solution.nn_error.max() < 0.01


def test_answer_is_consistent_with_exact_tails(case):
    problem, _, solution = case
    n, Sigma_infty = solution.density, np.concatenate([np.diag(s) for s in solution.Sigma_infty])
    Sigma_1 = np.concatenate([np.diag(s) for s in solution.Sigma_1])
    for f in range(problem.n_flavours):
        G, F = solution.G_l[f][:, 0, 0], solution.F_l[f][:, 0, 0]
        start, end = legendre.at_ends(problem.beta, G)
        assert start + end == pytest.approx(-1, abs=1e-9)
        assert end == pytest.approx(-n[f], abs=1e-9)
        assert -sum(legendre.at_ends(problem.beta, F)) == pytest.approx(Sigma_infty[f], abs=1e-9)
    iw, last = 1j * problem.omega(400)[-1], [s[-1, 0, 0] for s in solution.Sigma_iw(problem, 400)]
    expected = Sigma_infty + Sigma_1 / iw
    assert np.max(np.abs(np.array(last) - expected)) < 0.02 * max(1, np.max(np.abs(expected)))
    G = solution.G_iw(20)
    for g, g0_inverse, sigma in zip(G, problem.G0_inverse_iw(20), solution.Sigma_iw(problem, 20)):
        assert np.allclose(np.linalg.inv(g0_inverse - sigma), g, rtol=1e-7)


def test_run_is_described(case):
    problem, _, solution = case
    p = solution.provenance
    assert p["solver"] == "segment" and p["average_sign"] == 1.0 and p["largest_inverse_deviation"] < 1e-8
    assert 0 < p["auto_corr_time"] < p["n_cycles"] / 64
    assert solution.h_int == pytest.approx(0.5 * np.sum(problem.U * solution.nn))
    s = solution.statistics
    widths = np.diff(s["tau_edges"])
    assert np.sum(s["G_tau_binned"] * widths, axis=1) == pytest.approx(s["samples"]["G_l_raw"][0, :, 0], abs=0.05)


def test_perturbation_orders_are_counted_by_block_and_in_all():
    """Their mean is −Σ_n Δ(iω_n) G(iω_n), in both block structures."""
    problem = Problem.siam(beta=5.0, U=2.0, mu=1.0, eps=[-0.5, 0.5], V=[0.35, 0.35])
    in_one = replace(
        problem, gf_struct=(("both", 2),), bath=None,
        h_loc0=(np.diag(problem.levels),), Delta_l=(problem.Delta_l[0] * np.eye(2),),
    )  # fmt: skip
    mean = lambda counts: counts @ np.arange(len(counts)) / counts.sum()
    G, Delta = ED().solve(problem).G_iw(4000), problem.Delta_iw(4000)
    expected = -2 * sum(np.sum(g * d).real for g, d in zip(G, Delta))
    for p in (problem, in_one):
        solution = SegmentSolver(n_cycles=20000).solve(p)
        of_blocks, total = (solution.statistics[f"perturbation_order{s}"] for s in ("", "_total"))
        assert len(of_blocks) == len(p.gf_struct)
        assert total.sum() == pytest.approx(solution.provenance["n_cycles"], abs=len(total))
        assert mean(total) == pytest.approx(expected, rel=0.03)
        assert sum(map(mean, of_blocks)) == pytest.approx(mean(total), abs=1e-2)
        assert solution.provenance["average_order"] == pytest.approx(mean(total), abs=1e-2)
    np.testing.assert_allclose(of_blocks[0], total)


def test_orbital_exchange_averages_equivalent_flavours():
    problem = Problem.siam(beta=5.0, U=2.0, mu=0.7, eps=[-0.5, 0.5], V=[0.35, 0.35])
    solution = SegmentSolver(n_cycles=2000).solve(problem)
    assert np.array_equal(solution.G_l[0], solution.G_l[1])
    assert solution.provenance["symmetry_deviation"] < 5


def test_particle_hole_symmetry_is_exact_where_the_problem_has_it():
    problem = Problem.siam(beta=5.0, U=2.0, mu=1.0, eps=[-0.5, 0.5], V=[0.35, 0.35], field=0.3)
    solution = SegmentSolver(n_cycles=4000).solve(problem)
    up, down = (g[:, 0, 0] for g in solution.G_l)
    assert np.allclose(up, legendre.particle_hole(down), atol=1e-9)
    assert solution.density.sum() == pytest.approx(1, abs=1e-12) and solution.density[0] > 0.55


def test_same_seed_same_numbers():
    problem = Problem.siam(beta=5.0, U=2.0, mu=0.7, eps=[-0.5, 0.5], V=[0.35, 0.35])
    a, b, c = (SegmentSolver(n_cycles=500, random_seed=s).solve(problem).G_l[0] for s in (3, 3, 4))
    assert np.array_equal(a, b) and not np.array_equal(a, c)


def test_target_error_is_reached_and_halved_by_four_times_the_run():
    problem = Problem.siam(beta=8.0, U=2.0, mu=0.7, eps=[-0.5, 0.2, 0.6], V=[0.3, 0.3, 0.25])
    coarse = SegmentSolver(target_error=8e-3).solve(problem)
    assert coarse.provenance["target_reached"] == "yes"
    assert coarse.provenance["G_tau_error"] <= 8e-3
    error = [SegmentSolver(n_cycles=n).solve(problem).provenance["G_tau_error"] for n in (6400, 25600)]
    assert 1.4 < error[0] / error[1] < 2.9


def test_unreachable_target_is_said(caplog):
    problem = Problem.siam(beta=8.0, U=2.0, mu=0.7, eps=[-0.5, 0.2], V=[0.3, 0.3])
    with caplog.at_level(logging.WARNING, "triqs_mlsolver"):
        solution = SegmentSolver(target_error=1e-6, max_time=1.5).solve(problem)
    assert solution.provenance["target_reached"] == "no" and solution.provenance["G_tau_error"] > 1e-6
    assert "above the target" in caplog.text


@pytest.fixture
def siam():
    return Problem.siam(beta=8.0, U=2.0, mu=0.7, eps=[-0.5, 0.2], V=[0.3, 0.3])


def test_asked_cycles_are_the_least(siam):
    solution = SegmentSolver(target_error=0.5, n_cycles=6400).solve(siam)
    assert solution.provenance["target_reached"] == "yes" and solution.provenance["n_cycles"] == 6400


@pytest.mark.parametrize("n_cycles", [1, 10, 100, 1000, 5000])
def test_asked_cycles_are_the_run_length(siam, n_cycles):
    solution = SegmentSolver(n_cycles=n_cycles, n_warmup_cycles=100).solve(siam)
    assert max(n_cycles, 8) <= solution.provenance["n_cycles"] <= 1.05 * max(n_cycles, 8) + 1
    assert solution.provenance["solve_status"] == 0 and np.all(np.isfinite(solution.G_l_error[0]))


def test_few_cycles_are_too_few_to_be_stored(siam):
    assert any("independent samples" in o for o in objections(siam, SegmentSolver(n_cycles=10).solve(siam)))


def test_number_of_bins_hardly_depends_on_the_run_length():
    for n_cycles in [*range(1, 3000), 10**5, 10**9 + 1]:
        n_bins, length = first_bins(n_cycles)
        doubled = n_bins * length * 2 ** np.arange(40)
        total = doubled[np.argmax(doubled >= n_cycles)]
        assert n_bins % 2 == 0 and min(n_cycles, 32) <= n_bins <= 64
        assert n_cycles <= total <= max(1.05 * n_cycles + 8, 8) and length <= 64


def test_time_limit_ends_the_run_with_error_bars_from_what_there_is(siam, caplog):
    with caplog.at_level(logging.WARNING, "triqs_mlsolver"):
        p = SegmentSolver(n_cycles=10**9, max_time=1.0).solve(siam).provenance
    assert p["solve_status"] == 1 and 8 <= p["n_bins"] <= 64 and 0 < p["G_tau_error"] < 0.01
    assert p["seconds"] < 10  # a sixty-fourth of the cycles would take minutes
    assert "max_time is used up after" in caplog.text and "of 1000000000 cycles" in caplog.text


def test_time_limit_of_all_ranks_is_one(siam):
    out = []
    options = {"n_cycles": 10**9, "max_time": 1.0}
    on_threads(3, lambda comm: out.append(SegmentSolver(**options, comm=comm).solve(siam)))
    assert all(np.array_equal(s.G_l[0], out[0].G_l[0]) and s.provenance["solve_status"] == 1 for s in out)


def test_few_cycles_become_many_bins_where_a_target_is_pursued(siam):
    p = SegmentSolver(n_cycles=1, target_error=5e-3).solve(siam).provenance
    assert p["target_reached"] == "yes" and p["n_bins"] >= 64


def test_time_limit_that_is_not_reached_changes_nothing(siam):
    free, timed = (SegmentSolver(n_cycles=5000, max_time=t).solve(siam) for t in (-1, 1000.0))
    assert np.array_equal(free.G_l[0], timed.G_l[0]) and timed.provenance["solve_status"] == 0


def test_target_is_pursued_for_so_many_updates_only(siam, caplog):
    with caplog.at_level(logging.WARNING, "triqs_mlsolver"):
        p = SegmentSolver(n_cycles=1000, target_error=1e-5, max_updates=300_000).solve(siam).provenance
    assert p["target_reached"] == "no" and caplog.text == ""
    assert 150_000 < p["n_cycles"] * p["length_cycle"] <= 300_000


def test_threads_are_ranks(siam):
    one, two = (SegmentSolver(n_cycles=6400, n_threads=n).solve(siam) for n in (1, 2))
    assert two.provenance["ranks"] == 2 and two.provenance["n_bins"] == 2 * one.provenance["n_bins"]
    again = SegmentSolver(n_cycles=6400, n_threads=2).solve(siam)
    assert np.array_equal(two.G_l[0], again.G_l[0])


def test_ranks_share_one_answer_with_smaller_errors():
    problem = Problem.siam(beta=8.0, U=2.0, mu=0.7, eps=[-0.5, 0.2, 0.6], V=[0.3, 0.3, 0.25])

    def solve_on(size):
        out = []
        on_threads(size, lambda comm: out.append(SegmentSolver(n_cycles=6400, comm=comm).solve(problem)))
        return out

    one, four = solve_on(1), solve_on(4)
    assert all(np.array_equal(s.G_l[0], four[0].G_l[0]) for s in four)
    assert four[0].provenance["ranks"] == 4 and four[0].provenance["n_bins"] == 4 * 64
    ratio = one[0].provenance["G_tau_error"] / four[0].provenance["G_tau_error"]
    assert 1.4 < ratio < 2.9


def test_missing_warm_up_is_seen_in_the_bins_of_many_ranks():
    problem, out = Problem.siam(beta=100.0, U=2.0, mu=1.8, eps=[-0.5, 0.2], V=[0.5, 0.3]), []
    options = {"n_cycles": 256, "length_cycle": 20, "n_warmup_cycles": 0, "random_seed": 2}
    on_threads(4, lambda comm: out.append(SegmentSolver(**options, comm=comm).solve(problem)))
    assert out[0].provenance["drift"] > 5
    assert any("the first quarter of the run and the rest differ" in o for o in objections(problem, out[0]))


@pytest.mark.parametrize(
    "options",
    [
        {"n_cycles": 0},
        {"n_cycles": 100.5},
        {"length_cycle": 0},
        {"n_warmup_cycles": -1},
        {"target_error": 0.0},
        {"max_time": 0},
        {"max_time": -2},
        {"max_time": float("nan")},
        {"random_seed": -1},
        {"n_cycles": float("nan")},
        {"n_cycles": float("inf")},
        {"target_error": float("inf")},
    ],
)
def test_impossible_options_are_refused(options):
    ((option, value),) = options.items()
    with pytest.raises(ValueError, match=re.escape(f"{option} = {value!r} is not possible: give a ")):
        SegmentSolver(**options)


@pytest.mark.parametrize("option, value, allowed", [
    ("max_time", "1h", "positive number of seconds, or -1"),
    ("max_time", None, "positive number of seconds, or -1"),
    ("n_cycles", "many", "whole number of at least 1"),
    ("random_seed", "abc", "whole number of at least 0"),
    ("random_seed", None, "whole number of at least 0"),
    ("n_threads", True, "whole number of at least 1"),
    ("target_error", "small", "positive error"),
])  # fmt: skip
def test_options_of_another_type_are_refused(option, value, allowed):
    with pytest.raises(TypeError, match=f"{option} = {value!r} is not a number: give a {allowed}"):
        SegmentSolver(**{option: value})


def test_whole_floats_and_numpy_numbers_are_accepted():
    solver = SegmentSolver(n_cycles=1e5, random_seed=np.int64(7), max_time=np.float64(3), target_error=np.float32(0.1))
    assert (solver.n_cycles, solver.random_seed) == (100_000, 7) and isinstance(solver.n_cycles, int)


@pytest.mark.parametrize("seed", [1, 2])
def test_strong_attraction_does_not_stick(seed):
    """Empty and doubly occupied, 0.04 apart, are joined by the exchange of occupied and empty stretches alone."""
    args = (30.0, [2.98, 2.98], [(np.array([-0.6, 0.3]), np.array([0.3, 0.21]))] * 2, ONE(-6.0))
    problem, exact = as_problem(*args), reference_ed.solve(*args)
    solution = SegmentSolver(n_cycles=6400, random_seed=seed).solve(problem)
    assert 0.3 < exact.nn[0, 0] < 0.7
    assert solution.statistics["acceptance"]["recast"] > 0.3  # 0.2 are exchanges of the two spins, always accepted
    assert np.max(np.abs(solution.nn - exact.nn) / solution.nn_error) < 4 and np.max(solution.nn_error) < 0.08
    assert objections(problem, solution) == []


def test_chain_that_hardly_moves_is_said_and_refused(caplog):
    problem = Problem.siam(beta=30.0, U=-2.5, mu=-1.23, eps=[-0.6, 0.3], V=[0.3, 0.21])
    with caplog.at_level(logging.WARNING, "triqs_mlsolver"):
        solution = SegmentSolver(n_cycles=640, length_cycle=1, random_seed=1).solve(problem)
    assert "the chain hardly moves" in caplog.text
    assert any("independent samples: raise n_cycles or length_cycle" in o for o in objections(problem, solution))


def test_warm_up_longer_than_max_time_is_an_error():
    problem = Problem.siam(beta=8.0, U=2.0, mu=0.7, eps=[-0.5, 0.2], V=[0.3, 0.3])
    with pytest.raises(RuntimeError, match="ran out during the warm-up.*raise max_time or lower n_warmup_cycles"):
        SegmentSolver(n_cycles=64, n_warmup_cycles=10**8, max_time=0.3).solve(problem)


def test_problems_outside_the_segment_picture_are_refused():
    V = np.array([[0.3, 0.2]])
    bath = DiscreteBath([0.1], V)
    off_diagonal = Problem.from_bath(5.0, [("a", 2)], [np.zeros((2, 2))], [bath], [[0, 1], [1, 0]])
    assert "off-diagonal" in SegmentSolver.supports(off_diagonal)
    atom = Problem.siam(beta=5.0, U=2.0, mu=1.0, eps=[0.1], V=[0.0])
    assert "no hybridisation" in SegmentSolver.supports(atom)
    exchange = Problem.siam(beta=5.0, U=2.0, mu=1.0, eps=[0.1], V=[0.3])
    object.__setattr__(exchange, "terms", ((0.1, (0, 1, 0, 1)),))
    assert "density-density" in SegmentSolver.supports(exchange)
    with pytest.raises(ValueError, match="off-diagonal"):
        SegmentSolver(n_cycles=64).solve(off_diagonal)


def test_negative_spectral_weight_is_refused():
    negative_weight = legendre.from_poles(10.0, [0.0, 1.0], [0.2, -0.15])
    wrong = Problem(10.0, [("up", 1), ("down", 1)], [[[-1.0]]] * 2, [negative_weight] * 2, ONE(2.0))
    with pytest.raises(ValueError, match="not causal"):
        SegmentSolver(n_cycles=64).solve(wrong)


def test_noise_above_zero_is_projected_and_said(caplog):
    beta, noise = 40.0, 2e-3
    clean = legendre.from_poles(beta, [-1.0, 1.2], [0.12, 0.13])
    noisy = clean.copy()
    noisy[:20] += noise * beta * np.random.default_rng(0).normal(size=20) / np.sqrt(2 * np.arange(20) + 1) * 0.3
    p = Problem(beta, [("up", 1), ("down", 1)], [[[-1.0]]] * 2, [noisy] * 2, ONE(2.0))
    tau = np.linspace(0, beta, 300)
    assert np.max(legendre.evaluate(beta, noisy, tau)) > 0
    with caplog.at_level(logging.WARNING, "triqs_mlsolver"):
        solution = SegmentSolver(n_cycles=6400).solve(p)
    assert 1e-4 < solution.provenance["delta_projection_distance"] < 0.05
    assert "projected" in caplog.text
    assert solution.provenance["average_sign"] == 1.0
    projected = causal_hybridisation(p)[0][0]
    assert np.max(legendre.evaluate(beta, projected, tau)) < 1e-8
    assert np.max(np.abs(legendre.evaluate(beta, projected - legendre.resized(clean, len(projected)), tau))) < 3 * noise


def test_projection_leaves_causal_functions_alone():
    Delta = legendre.from_poles(20.0, np.linspace(-1, 1, 40), np.full(40, 0.01))
    assert project_delta(20.0, Delta, 4.0).distance < 2e-6


def test_interpolation_of_delta_is_accurate_to_1e_8():
    from triqs_mlsolver.exact.segment.chain import hybridisation_tables
    from triqs_mlsolver.exact.segment.sweeps import hybridisation

    beta = 100.0
    Delta = legendre.from_poles(beta, [-3.0, 0.02, 1.0], [0.1, 0.05, 0.1])
    table = hybridisation_tables(beta, [Delta])[0]
    x = np.random.default_rng(0).uniform(0, beta, 2000)
    exact = -legendre.evaluate(beta, Delta, beta - x)
    value = np.array([hybridisation.py_func(table, beta, t) for t in x])
    wrapped = np.array([hybridisation.py_func(table, beta, t - beta) for t in x])
    assert np.max(np.abs(value - exact)) < 1e-8 * np.max(np.abs(exact))
    assert np.allclose(wrapped, -value, atol=1e-9)


def test_equation_of_motion_of_the_exact_solution():
    args = CASES["metal in a field"]
    problem, exact = as_problem(*args), reference_ed.solve(*args)
    motion = EquationOfMotion(problem.beta, problem.levels[0], problem.delta_l(0), 50)
    assert np.allclose(motion.G0 + motion.K @ exact.F_l[0, :50], exact.G_l[0, :50], atol=1e-9)


def test_symmetries_of_two_orbitals():
    U = reference_ed.kanamori(2.0, 0.3)
    pairs = alike(U[None], 1e-12)
    assert len(elements(generators([0] * 4, pairs), 4, 100)) == 4  # spin flip, orbital exchange, both, none
    assert generators([0, 0, 1, 1], pairs) == ((1, 0, 3, 2),)
    p = as_problem(5.0, [-1.0, -1.2], [BATH_2] * 2, ONE(2.2))
    assert Symmetries.of(p, [p.delta_l(0), p.delta_l(1)]).particle_hole is None


def test_autocorrelation_time_of_a_known_process():
    from triqs_mlsolver.exact.segment.kernel import collect

    rho, rng = 0.9, np.random.default_rng(5)
    blocks, x = np.zeros((1, 40, 4)), 0.0
    for _ in range(200_000):
        x = rho * x + rng.normal()
        collect(blocks, 0, x)
    assert autocorrelation_time(blocks[0]) == pytest.approx(rho / (1 - rho), rel=0.25)
    assert autocorrelation_time(np.zeros((40, 4))) != autocorrelation_time(np.zeros((40, 4)))  # NaN without data


def test_a_ratio_is_as_uncertain_as_it_is_large_where_its_divisor_is_noise():
    first = np.array([0.01 + 0.02j, 0.01 + 0.02j])
    found = curved(first, np.array([2.0, 2.0j]), np.array([1.0, 1e-3]), np.array([1e-3, 1e-3]))
    assert found[0] == pytest.approx(first[0], rel=1e-6) and min(found[1].real, found[1].imag) >= 2.0


def test_jackknife_of_a_mean_is_the_standard_error():
    data = np.random.default_rng(1).normal(size=(50, 3))
    expected = few_samples(50) * data.std(axis=0, ddof=1) / np.sqrt(50)
    assert np.allclose(jackknife_error(leave_one_out(data)), expected) and 1.02 < few_samples(50) < 1.03


@pytest.mark.parametrize("n", [4, 8, 64])
def test_error_bars_of_few_samples_hold_for_95_percent(n):
    data = np.random.default_rng(2).normal(size=(n, 20_000))
    held = np.abs(data.mean(axis=0)) < 1.96 * jackknife_error(leave_one_out(data))
    assert np.mean(held) == pytest.approx(0.95, abs=0.006)


def test_dominance_tells_rare_events_from_noise():
    rng = np.random.default_rng(2)
    noise = rng.normal(size=(64, 30))
    assert dominance(leave_one_out(noise)) < 0.05
    rare = 0.1 * noise
    rare[17] += 20
    assert dominance(leave_one_out(rare)) > 0.9


def test_cached_code_of_other_sources_is_discarded(tmp_path):
    class Fake:
        class stats:
            cache_path = str(tmp_path / "cache")

    class Source:
        __file__ = str(tmp_path / "kernel.py")

    (tmp_path / "kernel.py").write_text("a = 1")
    assert not kernel_cache.discard_stale(Fake, (Source,))
    (tmp_path / "cache" / "kernel.run-1.py311.nbi").write_text("")
    assert kernel_cache.discard_stale(Fake, (Source,))
    (tmp_path / "kernel.py").write_text("a = 2")
    assert not kernel_cache.discard_stale(Fake, (Source,))
    assert not list((tmp_path / "cache").glob("*.nbi"))
