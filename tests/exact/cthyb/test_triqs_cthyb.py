# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""The adapter to triqs_cthyb: its linear algebra everywhere, its answers against ED where TRIQS is installed."""

from __future__ import annotations

from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.signal import lfilter

from triqs_mlsolver import DiscreteBath, Problem
from triqs_mlsolver.exact.cthyb.smooth_estimate import SmoothEstimate, largest_weights, smoothed
from triqs_mlsolver.exact.cthyb.solver import CthybSolver, MeanOfRuns, _dominance, _of_bins, conserved_numbers
from triqs_mlsolver.exact.cthyb.thermalisation import objection
from triqs_mlsolver.exact.ed import ED
from triqs_mlsolver.exact.quality import objections
from triqs_mlsolver.interface.operators import parse_interaction, parse_quadratic
from triqs_mlsolver.numerics import legendre
from triqs_mlsolver.problem.comparison import compare

needs_cthyb = pytest.mark.skipif(find_spec("triqs_cthyb") is None, reason="triqs_cthyb is not installed")
SIAM = Problem.siam(beta=20.0, U=2.0, mu=1.2, eps=[-0.5, 0.1, 0.6], V=[0.3, 0.2, 0.3], field=0.1)


@pytest.fixture(scope="module")
def exact():
    return ED().solve(SIAM)


def moments(solution, b):
    static = SIAM.h_loc0[b] + solution.Sigma_infty[b]
    return np.array([np.eye(1), static, static @ static + SIAM.m1[b] + solution.Sigma_1[b]])


def test_orbitals_without_hybridisation_are_left_to_others(monkeypatch):
    """cthyb measures G by operators of Δ: of such an orbital it would say nothing, which looks like an answer."""
    monkeypatch.setattr("triqs_mlsolver.exact.cthyb.solver.find_spec", lambda name: True)
    bath = DiscreteBath([-0.4], [[0.4, 0.0]])
    one = Problem.from_bath(
        5.0, [("up", 2), ("down", 2)], [np.diag([-1.0, -0.7])] * 2, [bath] * 2, 2.0 * (1 - np.eye(4))
    )
    assert "without hybridisation (1 of block 'up')" in CthybSolver.supports(one)
    assert CthybSolver.supports(SIAM) is None


def test_estimate_leaves_exact_data_alone(exact):
    estimate = SmoothEstimate(SIAM, np.full(exact.G_l[0].shape, 1e-6), moments(exact, 0))
    out = estimate(exact.G_l[0], exact.density[:1, None])
    k = len(exact.G_l[0])
    np.testing.assert_allclose(legendre.resized(out, k), exact.G_l[0], atol=2e-5)


def test_estimate_fixes_moments_and_occupation_of_noisy_data(exact):
    rng = np.random.default_rng(0)
    size = 1e-2
    noisy = exact.G_l[0] + size * rng.normal(size=exact.G_l[0].shape)
    estimate = SmoothEstimate(SIAM, np.full(noisy.shape, size), moments(exact, 0))
    out = estimate(noisy, exact.density[:1, None])
    start, end = legendre.at_ends(SIAM.beta, out)
    assert abs(start[0, 0] + end[0, 0] + 1) < 1e-8 and abs(end[0, 0] + exact.density[0]) < 1e-8
    k = len(noisy)
    error = lambda g: float(np.sqrt(np.sum((legendre.resized(g, k) - exact.G_l[0]) ** 2)))
    assert error(out) < 0.7 * error(noisy)
    Sigma = SIAM.G0_inverse_iw(2000)[0][-1] - np.linalg.inv(legendre.to_matsubara(out, 2000)[-1])
    assert abs(Sigma[0, 0] - exact.Sigma_infty[0][0, 0]) < 1e-2


def test_estimate_has_no_bias_beside_its_noise(exact):
    rng = np.random.default_rng(1)
    tau = SIAM.beta * (0.5 - 0.5 * np.cos(np.linspace(0, np.pi, 61)))[1:-1]
    for size in (1e-2, 5e-2):
        estimate = SmoothEstimate(SIAM, np.full(exact.G_l[0].shape, size), moments(exact, 0))
        G_tau = lambda noise, f=estimate: legendre.evaluate(
            SIAM.beta, f(exact.G_l[0] + noise, exact.density[:1, None]), tau
        )
        scatter = np.std([G_tau(size * rng.normal(size=exact.G_l[0].shape)) for _ in range(50)], axis=0)
        assert np.max(np.abs(G_tau(0.0) - exact.G_tau(tau)[0]) / scatter) < 0.4
        measured = size * np.sqrt(np.sum(legendre.vandermonde(2 * tau / SIAM.beta - 1, 64) ** 2, axis=1)) / SIAM.beta
        assert np.mean(scatter[:, 0, 0] / measured) < 0.6


def test_no_weight_of_a_spectrum_is_larger_than_the_prior_allows():
    rng = np.random.default_rng(2)
    poles = np.sort(rng.uniform(-4, 4, 9))
    for _ in range(50):
        vectors = np.linalg.qr(rng.normal(size=(9, 9)))[0][:, :2] * rng.choice([1.0, 1e-3], size=(9, 1))
        vectors = np.linalg.qr(vectors)[0]  # two orthonormal orbitals over nine levels
        weights = np.einsum("ka,kb->kab", vectors, vectors)
        moments = np.array([np.einsum("k,kab->ab", poles**p, weights) for p in range(3)])
        assert np.all(np.abs(weights) <= largest_weights(poles, moments) + 1e-9)


def test_coefficients_of_a_binned_function(exact):
    """Averages over bins of triqs_cthyb's mesh, half ones at the ends, hold all that is measured."""
    n_tau, beta = 10001, SIAM.beta
    edges = np.concatenate([[0], (np.arange(n_tau - 1) + 0.5) * beta / (n_tau - 1), [beta]])
    G_l = exact.G_l[0][:, 0, 0]
    bins = legendre.integrals(beta, edges, len(G_l)) @ G_l / np.diff(edges)
    np.testing.assert_allclose(_of_bins(beta, n_tau, len(G_l)).T @ bins, G_l, atol=1e-5 * beta)


def test_mean_of_runs():
    class Run:
        def __init__(self, k):
            self.average_sign, self.pair, self.by_block = 1.0 * k, [np.ones(2) * k], {"up": 2.0 * k}
            self.G2, self.text = None, "AABB"

    mean = MeanOfRuns([Run(1), Run(3)])
    assert mean.average_sign == 2.0 and mean.by_block == {"up": 4.0} and mean.G2 is None and mean.text == "AABB"
    np.testing.assert_array_equal(mean.pair[0], [2.0, 2.0])
    with pytest.raises(AttributeError):
        mean.missing  # noqa: B018


def test_a_run_that_stands_out_is_seen():
    rng = np.random.default_rng(3)
    bins = rng.normal(size=(8, 40, 1, 1)) * np.linspace(1, 0.1, 40)[None, :, None, None]
    assert _dominance([bins, bins[::-1]])["dominance"] < 0.15
    bins[5] += 20  # one measurement at one time shows in all coefficients
    assert _dominance([bins])["dominance"] > 0.3
    assert _dominance([bins[3:7]])["dominance"] > 0.3 and _dominance([bins[:4]])["dominance"] < 0.15
    assert _dominance([bins[:3]]) == {}


def test_a_run_that_measures_nan_is_repeated(monkeypatch, caplog):
    seeds = []

    class Block:
        def __init__(self, value):
            self.data = np.full((4, 1, 1), value)

    class Native:
        def __init__(self, seed):
            seeds.append(seed)
            value = np.nan if len(seeds) < 3 else 1.0
            self.density_matrix, self.G_tau = [np.ones((1, 1))], [("up", Block(value))]

    monkeypatch.setattr(CthybSolver, "_started", lambda self, problem, k, max_time: Native(k))
    CthybSolver()._run(SIAM, 1)
    assert len(set(seeds)) == 3 and "is repeated" in caplog.text
    monkeypatch.setattr(np, "isfinite", lambda a: np.zeros(1, bool))
    with pytest.raises(RuntimeError, match="measured NaN"):
        CthybSolver()._run(SIAM, 1)


def test_one_run_is_refused():
    with pytest.raises(ValueError, match="n_runs = 1"):
        CthybSolver(n_runs=1)


@pytest.mark.parametrize("n_cycles, n_warmup, n_runs", [
    (None, None, 8), (10**6, 10**4, 8), (10_000, 5000, 4), (100_000, 5000, 6), (10_000, None, 4), (1, 5000, 4),
    (500, 0, 8),
])  # fmt: skip
def test_warm_ups_add_a_quarter_to_the_time_where_four_runs_allow(n_cycles, n_warmup, n_runs):
    solver = CthybSolver(n_cycles=n_cycles, n_warmup_cycles=n_warmup)
    assert solver.n_runs == n_runs
    cycles = solver._parameters_of_run(SIAM, 0)["n_cycles"]
    assert n_cycles is None or n_cycles <= cycles * n_runs < n_cycles + n_runs


class Watch:
    """A native solver that spends the time it is given: warming up first, then measuring."""

    def __init__(self, clock, max_time, warmup):
        clock.now += max_time
        measured = 100 * max(max_time - warmup, 0)
        self.perturbation_order_total = SimpleNamespace(data=np.array([measured]))
        self.density_matrix, self.G_tau = [np.ones((1, 1))], []


@pytest.mark.parametrize("max_time, warmup, n_runs", [(80, 1, 8), (40, 6, 2), (17, 3, 2), (1, 0, 2), (3, 0, 3)])
def test_time_limit_is_shared_by_the_runs(monkeypatch, max_time, warmup, n_runs):
    """Where a share is not even a warm-up, the rest of the time is divided in two."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr("triqs_mlsolver.exact.cthyb.solver.time.perf_counter", lambda: clock.now)
    monkeypatch.setattr(CthybSolver, "_started", lambda self, problem, k, max_time: Watch(clock, max_time, warmup))
    solver = CthybSolver(n_cycles=10**9, max_time=max_time)
    assert len(solver._timed_runs(SIAM, 0.0)) == n_runs and clock.now <= max(max_time, 2)


def test_time_limit_shorter_than_two_warm_ups_is_an_error(monkeypatch):
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr("triqs_mlsolver.exact.cthyb.solver.time.perf_counter", lambda: clock.now)
    monkeypatch.setattr(CthybSolver, "_started", lambda self, problem, k, max_time: Watch(clock, max_time, 9))
    with pytest.raises(RuntimeError, match="max_time = 16 s ran out during the warm-up.*or lower n_warmup"):
        CthybSolver(n_cycles=10**9, max_time=16)._timed_runs(SIAM, 0.0)


def empty_start(tau: float, n_warmup: int, n_cycles: int, n_chains: int, rng) -> np.ndarray:
    """Means over runs of an order that relaxes from 0 to 64 ± 8 with autocorrelation time `tau`."""
    decay = np.exp(-1 / tau)
    noise = rng.normal(size=(n_warmup + n_cycles, n_chains)) * 8 * np.sqrt(1 - decay**2)
    order = lfilter([1.0], [1.0, -decay], noise, axis=0)
    order += 64 * (1 - decay ** np.arange(1, len(order) + 1))[:, None]
    return order[n_warmup:].mean(axis=0)


@pytest.mark.parametrize("tau, n_warmup, n_cycles", [(20, 0, 4000), (20, 40, 4000), (20, 100, 4000), (3, 30, 2000)])
def test_runs_are_refused_where_their_mean_is_off_by_the_empty_start(tau, n_warmup, n_cycles):
    rng = np.random.default_rng(1)
    many = np.array([empty_start(tau, n_warmup, n_cycles, 8, rng).mean() for _ in range(200)])
    bias = (64 - many.mean()) / many.std(ddof=1)
    refused = objection(64.0, tau, n_cycles, n_warmup, 8)
    assert bool(refused) == (bias > 0.3)
    assert not refused or "raise n_warmup_cycles" in refused


def test_runs_too_short_for_their_own_autocorrelation_time_are_refused():
    """Two patches of the Hubbard model, doped: order 64 and an occupation of 0.58 ± 0.02 instead of 78 and 0.49."""
    assert "hold 8 independent samples each" in objection(62.0, 31.0, 500, 500, 8)
    assert "too few to tell" in objection(76.0, 119.0, 3200, 3000, 5)  # saturated: in longer runs it is 208 and more
    assert objection(76.0, 119.0, 10**5, 3000, 5) == ""
    assert "independent samples" in objection(2.0, float("nan"), 1000, 1000, 8)


@pytest.mark.parametrize("option, value, error, allowed", [
    ("n_runs", "8", TypeError, "a whole number of at least 2: a single run gives no error bars"),
    ("n_cycles", 0, ValueError, "a whole number of at least 1"),
    ("n_cycles", "many", TypeError, "a whole number of at least 1"),
    ("random_seed", 1.5, ValueError, "a whole number of at least 0"),
    ("target_error", 0, ValueError, "a positive error of"),
    ("max_time", -2, ValueError, "a positive number of seconds, or -1"),
    ("max_time", float("inf"), ValueError, "a positive number of seconds, or -1"),
])  # fmt: skip
def test_impossible_options_are_refused_before_anything_runs(option, value, error, allowed):
    with pytest.raises(error, match=f"{option} = {value!r} is not .*: give {allowed}"):
        CthybSolver(**{option: value})


def test_cycles_written_as_floats_are_whole():
    solver = CthybSolver(n_cycles=1e5, n_runs=np.int64(4), random_seed=3.0, max_time=-1)
    assert solver.parameters == {"n_cycles": 100_000, "random_seed": 3, "max_time": -1}
    assert type(solver.n_cycles) is type(solver.n_runs) is int


def test_parameters_are_passed_through():
    solver = CthybSolver(n_cycles=800, move_double=False, target_error=1e-3)
    params = solver._parameters_of_run(SIAM, 2)
    assert params["n_cycles"] == 200 and params["move_double"] is False and params["measure_density_matrix"]
    assert "target_error" not in params and "n_runs" not in params and "det_init_size" not in params
    first, second = (solver._parameters_of_run(SIAM, k)["random_seed"] for k in (0, 1))
    assert first != second
    assert parse_interaction(params["h_int"], SIAM.gf_struct).U[0, 1] == 2.0
    np.testing.assert_allclose(np.ravel(parse_quadratic(params["h_loc0"], SIAM.gf_struct)), SIAM.levels)


def test_without_cthyb_the_way_out_is_named():
    if find_spec("triqs_cthyb") is None:
        with pytest.raises(ValueError, match="conda install"):
            CthybSolver().solve(SIAM)


@needs_cthyb
def test_single_orbital_within_error_bars(exact):
    found = CthybSolver(n_cycles=40000, length_cycle=40, n_warmup_cycles=1000, random_seed=5).solve(SIAM)
    assert objections(SIAM, found) == []
    chi2 = []
    for g, e, ref in zip(found.G_l, found.G_l_error, exact.G_l):
        z = (g[:20] - ref[:20])[:, 0, 0] / e[:20, 0, 0]
        chi2.append(np.mean(z**2))
    assert 0.2 < np.mean(chi2) < 3.0  # 8 runs: Student's distribution with 7 degrees of freedom
    z = (found.nn - exact.nn) / found.nn_error
    assert np.max(np.abs(z)) < 6.0
    assert found.provenance["average_sign"] == 1.0 and found.provenance["n_cycles"] == 40000


def two_orbitals(V, h_off_diagonal: float, spin_flips: bool) -> Problem:
    """Two orbitals per spin with bath sites at −0.6 and 0.4 of couplings V[site]; Kanamori, or its density part."""
    from support.orbitals import kanamori_operator

    gf_struct = [("up", 2), ("down", 2)]
    parsed = parse_interaction(kanamori_operator(2.0, 0.3), gf_struct)
    h = np.array([[-2.4, h_off_diagonal], [h_off_diagonal, -2.1]])
    bath = DiscreteBath([-0.6, 0.4], V)
    terms = parsed.terms if spin_flips else ()
    return Problem.from_bath(5.0, gf_struct, (h, h), (bath, bath), parsed.U, terms)


DIAGONAL, MIXED = [[0.6, 0.0], [0.0, 0.5]], [[0.6, 0.2], [0.1, 0.5]]
TWO_ORBITALS = {
    "Kanamori": two_orbitals(DIAGONAL, 0.0, True),
    "Kanamori, orbitals mixed by the bath alone": two_orbitals(MIXED, 0.0, True),
    "Kanamori, orbitals mixed by bath and levels": two_orbitals(MIXED, 0.1, True),
    "density-density, orbitals mixed by the bath alone": two_orbitals(MIXED, 0.0, False),
}


def test_sectors_hold_the_elements_that_the_bath_mixes():
    mixed = TWO_ORBITALS["Kanamori, orbitals mixed by the bath alone"]
    params = CthybSolver()._parameters_of_run(mixed, 0)
    assert params["partition_method"] == "quantum_numbers"
    assert [parse_quadratic(n, mixed.gf_struct)[0][0, 0] for n in params["quantum_numbers"]] == [1.0, 0.0]
    per_orbital = Problem(
        5.0, [("1", 2), ("2", 2)], mixed.h_loc0, mixed.Delta_l, mixed.U, [(c, (0, 1, 2, 3)) for c, _ in mixed.terms[:1]]
    )
    assert len(conserved_numbers(per_orbital)) == 1  # pairs hop between the blocks
    assert "partition_method" not in CthybSolver()._parameters_of_run(TWO_ORBITALS["Kanamori"], 0)
    assert CthybSolver(partition_method="none")._parameters_of_run(mixed, 0)["partition_method"] == "none"


def test_error_bars_leave_out_what_vanishes_by_symmetry():
    error = np.full((40, 1, 1), 2.0)
    error[1::2] = 1e-12
    smooth = smoothed(error)
    np.testing.assert_allclose(smooth[::2], 2.0)
    assert np.all(smooth[1::2] == 0)
    np.testing.assert_allclose(smoothed(np.ones((40, 1, 1))), 1.0)


@needs_cthyb
def test_flavours_that_are_alike_are_averaged(fock_space):
    """Half-filled degenerate Kanamori orbitals: flavours and times mirrored about β/2 are one and the same."""
    U, J, gf_struct = 2.0, 0.4, [("up", 2), ("down", 2)]
    from support.orbitals import kanamori_operator

    parsed = parse_interaction(kanamori_operator(U, J), gf_struct)
    h = -0.5 * parsed.U[0].sum() * np.eye(2)
    bath = DiscreteBath([-0.5, 0.5, -0.5, 0.5], [[0.4, 0], [0.4, 0], [0, 0.4], [0, 0.4]])
    problem = Problem.from_bath(5.0, gf_struct, (h, h), (bath, bath), parsed.U, parsed.terms)
    found = CthybSolver(n_cycles=16000, length_cycle=30, n_warmup_cycles=300, random_seed=3).solve(problem)
    assert objections(problem, found) == [] and found.provenance["symmetry_deviation"] < 5
    G = np.stack([g[:, a, a] for g in found.G_l for a in (0, 1)])
    assert np.max(np.abs(G - G[0])) < 1e-12 and np.max(np.abs(G[:, 1::2])) < 1e-10
    np.testing.assert_allclose(found.density, 0.5, atol=1e-12)
    reference = ED().solve(problem)
    off = compare(problem, found, reference)
    assert off.noise == found.provenance["G_tau_noise"] < 0.007
    assert off.error < 4 * off.noise and off.sigma_error < 4 * off.sigma_noise
    assert np.max(np.abs(found.nn - reference.nn)) < 5 * np.max(found.nn_error) < 0.01
    assert abs(found.h_int - reference.h_int) < 5 * U * np.max(found.nn_error)
    for a, b in zip(found.Sigma_infty, reference.Sigma_infty):
        np.testing.assert_allclose(a, b, atol=1e-10)


@needs_cthyb
@pytest.mark.parametrize("name", TWO_ORBITALS)
def test_two_orbitals_within_error_bars(fock_space, name):
    """Against the diagonalisation of the whole Fock space: G, correlators, ⟨H_int⟩, and the tails of Σ."""
    problem = TWO_ORBITALS[name]
    found = CthybSolver(n_cycles=24000, length_cycle=30, n_warmup_cycles=500, n_runs=16, random_seed=3).solve(problem)
    reference = fock_space(problem)
    assert objections(problem, found) == [] and found.provenance["average_sign"] > 0.85
    assert found.provenance["n_runs"] == 16 and found.provenance["n_cycles"] == 24000

    z = np.abs(found.nn - reference.nn) / found.nn_error
    assert np.max(z) < 5 and np.max(found.nn_error) < 0.01
    c, p = reference.operators, reference.probabilities
    terms = sum(v * p @ np.einsum("an,an->n", c[j] @ c[i], c[k] @ c[l]) for v, (i, j, k, l) in problem.terms)
    h_int = 0.5 * np.sum(problem.U * reference.nn) + terms
    assert (terms == 0) == problem.is_density_density
    assert abs(found.h_int - h_int) < 5 * np.sum(problem.U * found.nn_error)

    iw, high = 1j * problem.omega(4), 1j * problem.omega(400)[-1:]
    for b, (G, G_l_error, exact, tail) in enumerate(
        zip(found.G_iw(4), found.G_l_error, reference.G(iw), reference.G(high))
    ):
        T = legendre.transfer_matrix(np.arange(4), len(G_l_error))
        error = np.sqrt(np.tensordot(np.abs(T) ** 2, G_l_error**2, axes=(1, 0)))
        assert np.max(np.abs(G - exact) / (error + 1e-9)) < 5 and np.max(error) < 0.05
        Sigma = problem.G0_inverse_iw(400)[b][-1] - np.linalg.inv(tail[0])
        assert np.max(np.abs(found.Sigma_infty[b] - Sigma.real)) < 0.02
        assert np.max(np.abs(found.Sigma_1[b] + Sigma.imag * high[0].imag)) < 0.05


@needs_cthyb
def test_solver_hands_out_what_only_cthyb_measures(tmp_path):
    from triqs_mlsolver import Solver
    from triqs_mlsolver.compat import inverse, iOmega_n, n

    S = Solver(10.0, [("up", 1), ("down", 1)], n_iw=200, n_tau=1001, database=None, exact="cthyb")
    S.G0_iw << inverse(iOmega_n + 1.0 - 0.25 * inverse(iOmega_n - 0.3))
    S.solve(
        h_int=2 * n("up", 0) * n("down", 0),
        n_cycles=1600,
        length_cycle=20,
        n_warmup_cycles=100,
        measure_pert_order=True,
    )
    assert S.last_decision.source == "exact" and S.last_decision.solver == "cthyb"
    assert np.sum(S.perturbation_order_total.data) == 1600 and S.average_sign == 1.0
    from triqs.atom_diag import trace_rho_op

    density = trace_rho_op(S.density_matrix, n("up", 0) + n("down", 0), S.h_loc_diagonalization)
    up, down = (S.orbital_occupations[spin][0, 0] for spin in ("up", "down"))
    assert up == down and abs(density - up - down) < 1e-10
