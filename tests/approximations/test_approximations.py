# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import CubicSpline
from scipy.optimize import brentq

from triqs_mlsolver import DiscreteBath, Problem
from triqs_mlsolver.approximations import IPT, NCA, FewSiteED, HubbardI
from triqs_mlsolver.exact.ed import ED
from triqs_mlsolver.exact.quality import objections
from triqs_mlsolver.lattice.bethe import bethe_problem, semicircle
from triqs_mlsolver.model.features.descriptor import Descriptor
from triqs_mlsolver.numerics import legendre

SPINS = (("up", 1), ("down", 1))
WITH_A_SELF_ENERGY = [HubbardI(), IPT(), FewSiteED(1), FewSiteED(2), FewSiteED(3)]
SINGLE_ORBITAL = [*WITH_A_SELF_ENERGY, NCA()]
by_name = {"argvalues": SINGLE_ORBITAL, "ids": lambda s: s.name}


def G_iw(problem, solution, n_iw=40):
    return np.concatenate([g[:, :, 0] for g in solution.G_iw(n_iw)], axis=1)


def assert_same_answer(problem, a, b, tol=1e-8):
    assert np.max(np.abs(G_iw(problem, a) - G_iw(problem, b))) < tol * problem.beta
    tau = np.linspace(0, problem.beta, 15)
    for x, y in zip(a.G_tau(tau), b.G_tau(tau)):
        assert np.max(np.abs(x - y)) < tol
    assert np.max(np.abs(a.nn - b.nn)) < tol


def interacting_atom(n_flavours, beta, seed):
    rng = np.random.default_rng(seed)
    U = np.triu(rng.uniform(0, 3, (n_flavours, n_flavours)), 1)
    U = U + U.T
    levels = -0.5 * U.sum(axis=1) + rng.uniform(-1, 1, n_flavours)
    names = tuple((f"f{i}", 1) for i in range(n_flavours))
    none = tuple(DiscreteBath([0.0], [0.0]) for _ in range(n_flavours))
    return Problem.from_bath(beta, names, tuple([[e]] for e in levels), none, U)


def free(beta, seed, n_flavours=2):
    rng = np.random.default_rng(seed)
    baths = [DiscreteBath(rng.uniform(-1, 1, 3), rng.uniform(0.1, 0.5, 3)) for _ in range(n_flavours)]
    names = tuple((f"f{i}", 1) for i in range(n_flavours))
    return Problem.from_bath(
        beta, names, tuple([[e]] for e in rng.uniform(-1, 1, n_flavours)), baths, np.zeros((n_flavours, n_flavours))
    )


# -- what all have in common
# ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", WITH_A_SELF_ENERGY, ids=lambda s: s.name)
@pytest.mark.parametrize("beta", [0.5, 40.0])
def test_exact_without_interaction(solver, beta):
    problem = free(beta, 3)
    assert_same_answer(problem, solver.solve(problem), ED().solve(problem))


@pytest.mark.parametrize("solver", **by_name)
@pytest.mark.parametrize("beta", [0.5, 10.0, 60.0])
@pytest.mark.parametrize("level, field", [(-1.5, 0.0), (-1.5, 0.2), (-0.4, 0.0), (-2.0, 0.5), (0.5, 0.1), (-4.0, 0.0)])
def test_exact_in_the_atomic_limit(solver, beta, level, field):
    problem = Problem.siam(beta, 3.0, -level, [0.0], [0.0], field)
    assert_same_answer(problem, solver.solve(problem), ED().solve(problem), 3e-6)


@settings(max_examples=25)
@given(st.integers(0, 10**6))
@pytest.mark.parametrize("solver", **by_name)
def test_any_answer_is_an_answer(solver, draw, seed):
    """Finite, causal, with the sum rule, densities equal to −G(β⁻) and ⟨n↑n↓⟩ within its bounds, at any filling
    and field.
    """
    problem = draw(np.random.default_rng(seed), 3)
    solution = solver.solve(problem)
    assert objections(problem, solution) == []
    for g in G_iw(problem, solution, 200).T:
        assert np.all(g.imag < 0)
    assert max(0, solution.density.sum() - 1) - 1e-9 <= solution.double_occupancy <= solution.density.min() + 1e-9


@pytest.mark.parametrize("solver", **by_name)
def test_spins_that_are_alike_stay_exactly_alike(solver, draw):
    for seed in range(5):
        problem = draw(np.random.default_rng([31, seed]), 4, polarised=False, field=0.0)
        solution = solver.solve(problem)
        assert np.max(np.abs(solution.G_l[0] - solution.G_l[1])) < 1e-9 * problem.beta
        assert abs(solution.nn[0, 0] - solution.nn[1, 1]) < 1e-9


@pytest.mark.parametrize("solver", **by_name)
def test_covariant_under_the_particle_hole_map(solver, draw, mirrored):
    """solve(P x) = P solve(x): what the symmetrised kernel relies on."""
    for seed in range(12):
        problem = draw(np.random.default_rng([32, seed]), 4)
        here, there = solver.solve(problem), solver.solve(mirrored(problem))
        for a, b in zip(here.G_l, there.G_l):
            assert np.max(np.abs(legendre.particle_hole(a) - b)) < 1e-6 * problem.beta, seed
        assert np.max(np.abs(1 - here.density - there.density)) < 1e-6
        assert there.double_occupancy == pytest.approx(1 - here.density.sum() + here.double_occupancy, abs=1e-6)


@pytest.mark.parametrize("solver", **by_name)
def test_free_of_units_and_of_block_order(solver, draw):
    problem = draw(np.random.default_rng(33), 4)
    here = solver.solve(problem)
    there = solver.solve(problem.scaled(5.0).permuted([1, 0])).permuted([1, 0]).scaled(0.2)
    assert_same_answer(problem, here, there, 1e-7)


@pytest.mark.parametrize("solver", [IPT()], ids=lambda s: s.name)
def test_takes_the_interaction_written_as_a_term(solver):
    p = Problem.siam(5.0, 2.0, 1.0, [0.0], [0.3])
    term = Problem(p.beta, p.gf_struct, p.h_loc0, p.Delta_l, np.zeros((2, 2)), terms=((2.0, (0, 1, 1, 0)),))
    assert_same_answer(p, solver.solve(p), solver.solve(term))


@pytest.mark.parametrize("solver", [IPT()], ids=lambda s: s.name)
def test_refuses_off_diagonal_hybridisation(solver):
    bath = (DiscreteBath([0.0], [[0.3, 0.2]]),)
    p = Problem.from_bath(5.0, (("ud", 2),), ([[-1, 0], [0, -1]],), bath, [[0, 2], [2, 0]])
    with pytest.raises(ValueError, match="diagonal|size 1"):
        solver.solve(p)


# -- Hubbard-I
# -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_flavours", [1, 2, 3, 4, 6])
def test_hubbard_i_is_exact_for_atoms_of_many_flavours(n_flavours, fock_space):
    problem = interacting_atom(n_flavours, 3.0, n_flavours)
    solution = HubbardI().solve(problem)
    bare = Problem.from_bath(  # no bath modes at all in the reference
        problem.beta,
        problem.gf_struct,
        problem.h_loc0,
        [DiscreteBath(np.zeros(0), np.zeros((0, 1)))] * n_flavours,
        problem.U,
    )
    exact = fock_space(bare)
    z = 1j * problem.omega(20)
    found = G_iw(problem, solution, 20)
    for i, G in enumerate(exact.G(z)):
        assert np.max(np.abs(found[:, i] - G[:, 0, 0])) < 1e-9
    assert np.max(np.abs(solution.nn - exact.nn)) < 1e-10
    assert solution.h_int == pytest.approx(0.5 * np.sum(problem.U * exact.nn), abs=1e-9)


def test_hubbard_i_is_exact_for_free_flavours(fock_space):
    problem = free(4.0, 7, n_flavours=4)
    small = Problem.from_bath(
        4.0, problem.gf_struct, problem.h_loc0, [DiscreteBath(b.eps[:1], b.V[:1]) for b in problem.bath], problem.U
    )
    exact, found = fock_space(small), HubbardI().solve(small)
    for i, G in enumerate(exact.G(1j * small.omega(20))):
        assert np.max(np.abs(G_iw(small, found, 20)[:, i] - G[:, 0, 0])) < 1e-9
    assert np.max(np.abs(found.density - np.diag(exact.nn))) < 1e-9


def test_hubbard_i_self_energy_is_that_of_the_atom(draw):
    problem = draw(np.random.default_rng(2), 4, beta=15.0, polarised=False, field=0.0)
    atom = Problem.siam(problem.beta, problem.U[0, 1], -problem.levels[0], [0.0], [0.0])
    inside = HubbardI().solve(problem).Sigma_iw(problem, 20)[0]
    alone = ED().solve(atom).Sigma_iw(atom, 20)[0]
    assert np.max(np.abs(inside - alone)) < 1e-5


# -- iterated perturbation theory
# ----------------------------------------------------------------------------------------


def poles_of_g(level, bath):
    """Energies and weights of 1/(iω − level − Δ) for a discrete bath."""
    h = np.diag([level, *bath.eps])
    h[0, 1:] = h[1:, 0] = bath.V[:, 0]
    E, v = np.linalg.eigh(h)
    return E, v[0] ** 2


def second_order(U, beta, own, other, iw):
    """Σ₂(iω) of U² g(τ) ḡ(τ) ḡ(β−τ), summed analytically over all triples of poles of g (own) and ḡ (other spin)."""
    (Ea, wa), (Eb, wb), (Ec, wc) = own, other, other
    E = Ea[:, None, None] + Eb[None, :, None] - Ec[None, None, :]
    fa, fb, fc = (1 / (np.exp(beta * e) + 1) for e in (Ea, Eb, Ec))
    a, b, c = np.ix_(range(len(Ea)), range(len(Eb)), range(len(Ec)))
    w = wa[a] * wb[b] * wc[c] * ((1 - fa[a]) * (1 - fb[b]) * fc[c] + fa[a] * fb[b] * (1 - fc[c]))
    return U**2 * np.array([np.sum(w / (z - E)) for z in iw])


def density_of(G, beta, iw, second_moment):
    """½ + T Σ Re of what is left of G after its 1/(iω) and c/(iω)² tails, whose sums are ½ and −cβ/4."""
    rest = G - 1 / iw - second_moment / iw**2
    return 0.5 - second_moment * beta / 4 + 2 / beta * np.sum(rest.real)


@pytest.mark.parametrize("U, beta", [(0.5, 5.0), (2.0, 20.0), (3.5, 60.0)])
def test_plain_ipt_is_the_sum_over_triples_of_poles(U, beta):
    bath = DiscreteBath([-0.7, -0.2, 0.2, 0.7], [0.3, 0.2, 0.2, 0.3])
    problem = Problem.from_bath(beta, SPINS, ([[-U / 2]], [[-U / 2]]), (bath, bath), [[0, U], [U, 0]])
    iw = 1j * problem.omega(60)
    g = poles_of_g(0.0, bath)
    Sigma = U / 2 + second_order(U, beta, g, g, iw)
    found = IPT().solve(problem)
    G = 1 / (iw + U / 2 - np.sum(bath.V[:, 0] ** 2 / (iw[:, None] - bath.eps), axis=1) - Sigma)
    assert np.max(np.abs(G_iw(problem, found, 60) - G[:, None])) < 1e-8 * beta
    assert np.max(np.abs(found.Sigma_iw(problem, 8)[0][:, 0, 0] - Sigma[:8])) < 1e-5


def test_plain_ipt_on_the_bethe_lattice_on_a_fine_mesh():
    """Σ₂(τ) = U² G₀(τ)² G₀(β−τ) on 20001 times, with the trapezoid Fourier integral and its exact end correction."""
    beta, U = 20.0, 2.0
    theta = (np.arange(3000) + 0.5) * np.pi / 3000
    e, w = np.cos(theta), 2 / 3000 * np.sin(theta) ** 2
    problem = bethe_problem(beta, U, U / 2, semicircle(beta))
    n = np.arange(30)
    iw = 1j * np.pi * (2 * n + 1) / beta
    dense = 1j * np.pi * (2 * np.arange(-6000, 6000) + 1) / beta
    Delta = lambda z: 0.25 * np.array([np.sum(w / (zk - e)) for zk in z])
    half = 1 / (dense[6000:] - Delta(dense[6000:]))
    G0_iw = np.concatenate([half[::-1].conj(), half])
    tau = np.linspace(0, beta, 20001)
    # G0 − 1/(iω) decays like 1/ω³: its Fourier sum converges fast, and 1/(iω) is −1/2 in τ
    coarse = slice(None, None, 25)
    values = np.real(np.exp(-np.outer(tau[coarse], dense)) @ (G0_iw - 1 / dense)) / beta - 0.5
    G0 = CubicSpline(tau[coarse], values)(tau)
    assert abs(G0[0] + 0.5) < 1e-6 and np.all(G0 < 0)
    Sigma_tau = U**2 * G0**2 * G0[::-1]
    h = tau[1]
    weights = np.full(len(tau), h)
    weights[[0, -1]] = h / 2
    # Euler–Maclaurin: the integral of e^{iωτ} f is the trapezoid minus h²/12 of the jump of its derivative
    derivative = np.gradient(Sigma_tau[:5], h, edge_order=2)[0], np.gradient(Sigma_tau[-5:], h, edge_order=2)[-1]
    Sigma = []
    for z in iw:
        jump = -(z * Sigma_tau[-1] + derivative[1]) - (z * Sigma_tau[0] + derivative[0])
        Sigma.append(np.sum(weights * np.exp(z * tau) * Sigma_tau) - h**2 / 12 * jump)
    found = IPT().solve(problem).Sigma_iw(problem, 30)[0][:, 0, 0] - U / 2
    assert np.max(np.abs(found - Sigma)) < 2e-5


@pytest.mark.parametrize("case", ["doped", "field", "polarised"])
def test_interpolation_against_an_independent_solution(case):
    """Kajueter and Kotliar's interpolation with the densities of a small cluster, by poles and plain Matsubara sums."""
    beta, U = 12.0, 2.4
    up = DiscreteBath([-0.6, 0.1, 0.8], [0.3, 0.2, 0.3])
    down = DiscreteBath([-0.3, 0.5], [0.4, 0.2]) if case == "polarised" else up
    levels = np.array({"doped": [-0.5, -0.5], "field": [-1.5, -0.9], "polarised": [-0.8, -1.0]}[case])
    problem = Problem.from_bath(beta, SPINS, ([[levels[0]]], [[levels[1]]]), (up, down), [[0, U], [U, 0]])
    iw = 1j * problem.omega(1500)
    Delta = [np.sum(b.V[:, 0] ** 2 / (iw[:, None] - b.eps), axis=1) for b in (up, down)]

    def interpolated(bare):
        g = [poles_of_g(e0, b) for e0, b in zip(bare, (up, down))]
        n = np.array([w @ (1 / (np.exp(beta * E) + 1)) for E, w in g])
        G = []
        for s in range(2):
            o = 1 - s
            second = second_order(U, beta, g[s], g[o], iw)
            B = (levels[s] + U * (1 - n[o]) - bare[s]) / (U**2 * n[o] * (1 - n[o]))
            G.append(1 / (iw - levels[s] - Delta[s] - U * n[o] - second / (1 - B * second)))
        return G, n

    wanted = FewSiteED(1).solve(problem).density
    free = lambda e0, s: float((lambda E, w: w @ (1 / (np.exp(beta * E) + 1)))(*poles_of_g(e0, (up, down)[s])))
    bare = [brentq(lambda e0, s=s: free(e0, s) - wanted[s], -9, 9, xtol=1e-12) for s in range(2)]
    G, n = interpolated(bare)
    assert np.max(np.abs(n - wanted)) < 1e-9
    solution = IPT().solve(problem)
    assert np.max(np.abs(G_iw(problem, solution, 40) - np.stack(G, axis=1)[:40])) < 1e-4


@pytest.mark.parametrize("x", [0.0, 0.4])
@pytest.mark.parametrize("beta, field", [(10.0, 0.2), (50.0, 0.1), (50.0, 0.4)])
def test_polarised_by_a_field(beta, field, x):
    """The unpolarised solution would be off by 0.2 to 0.4."""
    problem = Problem.siam(beta, 4.0, 2.0 - x, [-0.7, -0.1, 0.15, 0.8], np.full(4, 0.25), field)
    exact, found = ED().solve(problem), IPT().solve(problem)
    assert np.max(np.abs(exact.density - found.density)) < 0.12
    tau = np.linspace(0, beta, 40)
    assert max(np.max(np.abs(a - b)) for a, b in zip(exact.G_tau(tau), found.G_tau(tau))) < 0.12


def test_one_answer_along_a_line_in_a_doped_insulator():
    """No jumps: the largest step is of the size of the steps beside it."""
    steps, before = [], None
    for x in np.linspace(0.2, 1.6, 57):
        problem = Problem.siam(100.0, 4.0, 2.0 - x, [-0.7, -0.1, 0.15, 0.8], np.full(4, 0.25))
        G = IPT().solve(problem).G_tau(np.linspace(0, 100.0, 60))[0][:, 0, 0]
        steps.append(0.0 if before is None else np.max(np.abs(G - before)))
        before = G
    assert np.max(steps) < 0.08


def test_ipt_at_half_filling_is_right_to_third_order():
    """Odd orders vanish there, so that the error of Σ falls like U⁴."""
    errors = []
    for U in (0.4, 0.2):
        problem = Problem.siam(15.0, U, U / 2, [-0.6, 0.0, 0.6], [0.3, 0.25, 0.3])
        exact, found = ED().solve(problem), IPT().solve(problem)
        errors.append(np.max(np.abs(exact.Sigma_iw(problem, 5)[0] - found.Sigma_iw(problem, 5)[0])))
    assert errors[0] < 1e-3 * 0.4**2 * 15
    assert 11 < errors[0] / errors[1] < 22


def test_ipt_pair_occupancy_is_right_to_second_order():
    """⟨n↑n↓⟩ = ¼ − O(U): the error of IPT is O(U³) at half filling."""
    errors = []
    for U in (0.4, 0.2):
        problem = Problem.siam(15.0, U, U / 2, [-0.6, 0.0, 0.6], [0.3, 0.25, 0.3])
        errors.append(abs(ED().solve(problem).double_occupancy - IPT().solve(problem).double_occupancy))
    assert errors[0] / errors[1] == pytest.approx(8, rel=0.3)


@pytest.mark.parametrize("x", [-12.0, 12.0, 40.0])
def test_empty_and_full_orbitals(x):
    """Where nothing fluctuates, all solvers agree with the exact answer and stay finite."""
    for field, beta in itertools.product((0.0, 0.3), (5.0, 50.0)):
        problem = Problem.siam(beta, 2.0, 1.0 - x, [-0.5, 0.5], [0.35, 0.35], field)
        exact = ED().solve(problem)
        for solver in SINGLE_ORBITAL:
            found = solver.solve(problem)
            assert objections(problem, found) == []
            assert np.max(np.abs(G_iw(problem, found) - G_iw(problem, exact))) < 2e-4 * beta


# -- few-site ED
# ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_bath", [1, 2, 3])
def test_few_site_ed_is_exact_for_baths_of_that_size(n_bath, draw):
    for seed in range(3):
        problem = draw(np.random.default_rng([34, n_bath, seed]), n_bath, beta=12.0)
        assert_same_answer(problem, FewSiteED(n_bath).solve(problem), ED().solve(problem), 1e-8)


def test_few_site_ed_keeps_the_full_bath():
    """Its G differs from the cluster's own: −Δ's strength, the second moment of G, is that of the problem."""
    problem = bethe_problem(20.0, 3.0, 1.5, semicircle(20.0))
    solution = FewSiteED(1).solve(problem)
    Sigma = solution.Sigma_iw(problem, 3)[0][:, 0, 0]
    exact = ED(n_bath=5).solve(problem).Sigma_iw(problem, 3)[0][:, 0, 0]
    assert np.max(np.abs(Sigma - exact)) < 0.5 * np.max(np.abs(exact - 1.5))
    assert objections(problem, solution) == []


@pytest.mark.parametrize("n_bath", [1, 2, 3])
def test_few_site_ed_is_continuous(n_bath):
    """From a band below to a band above the Fermi level at low temperature: the best single site jumps half way."""
    beta, eps, tau = 50.0, np.array([-0.7, -0.5, 0.5, 0.7]), np.linspace(0, 50.0, 41)

    def G(share):
        V = 0.35 * np.sqrt([1 - share, 1 - share, share, share])
        return FewSiteED(n_bath).solve(Problem.siam(beta, 2.0, 1.0, eps, V)).G_tau(tau)[0][:, 0, 0]

    def largest_step(shares):
        return np.max(np.abs(np.diff([G(share) for share in shares], axis=0)))

    coarse = largest_step(np.linspace(0.45, 0.55, 6))
    middle = largest_step(np.linspace(0.499, 0.501, 6))  # a jump would not shrink with the step
    assert middle < 0.05 * coarse


@pytest.mark.parametrize("n_bath", [0, 4])
def test_few_site_ed_refuses_other_numbers(n_bath):
    with pytest.raises(ValueError, match=f"n_bath = {n_bath}.*1, 2 or 3"):
        FewSiteED(n_bath)


def test_few_site_ed_answers_the_numbers_it_is_asked(draw):
    """A kept answer is found by its numbers: not by the object, which may change or be another one at the same
    place.
    """
    problem = draw(np.random.default_rng(5), 3)
    other = Problem(
        problem.beta, problem.gf_struct, problem.h_loc0, problem.Delta_l, 1.5 * problem.U, bath=problem.bath
    )
    wanted, before = FewSiteED(1).solve(other), FewSiteED(1).solve(problem)
    assert np.max(np.abs(before.nn - wanted.nn)) > 1e-3
    problem.U[:] *= 1.5
    assert np.max(np.abs(FewSiteED(1).solve(problem).nn - wanted.nn)) < 1e-9


def test_few_site_ed_keeps_names_apart():
    """Problems that are equal, as they are the same question, have answers in their own words."""
    solver, named = FewSiteED(2), Problem.siam(5.0, 2.0, 1.0, [0.1], [0.5])
    other = Problem(5.0, (("a", 1), ("b", 1)), named.h_loc0, named.Delta_l, named.U, bath=named.bath)
    assert other == named
    assert (solver.solve(named).gf_struct, solver.solve(other).gf_struct) == (named.gf_struct, other.gf_struct)


def test_what_is_done_to_an_answer_does_not_reach_the_next(draw):
    problem = draw(np.random.default_rng(7), 3)
    first = FewSiteED(1).solve(problem)
    nn, G = first.nn.copy(), first.G_l[0].copy()
    first.nn[:], first.G_l[0][:], first.provenance["solver"] = 7.0, 7.0, "me"
    again = FewSiteED(1).solve(problem)
    assert np.array_equal(again.nn, nn) and np.array_equal(again.G_l[0], G) and again.provenance["solver"] == "ed1"


def test_a_cluster_that_two_ask_for_is_diagonalised_once(draw, monkeypatch):
    solved, solve = [], FewSiteED._solve
    monkeypatch.setattr(FewSiteED, "_solve", lambda self, problem: solved.append(self.name) or solve(self, problem))
    Descriptor(approximations=("ipt", "ed1", "ed2")).describe(draw(np.random.default_rng(8), 3).canonical())
    assert sorted(solved) == ["ed1", "ed2"]


def test_nca_where_its_usual_steps_are_too_long():
    """βD = 250: switched on in the usual number of steps, the hybridisation drives Z below zero."""
    eps, V = [-0.30863488, -0.16172888, -0.10198788, 0.6788206], [0.36966959, 0.10028739, 0.31797408, 0.04668314]
    problem = Problem.siam(249.533, 0.25788, 0.25788 / 2 - 0.14501542, eps, V)
    solution = NCA().solve(problem)
    assert abs(sum(legendre.at_ends(problem.beta, solution.G_l[0][:, 0, 0])) + 1) < 1e-6
