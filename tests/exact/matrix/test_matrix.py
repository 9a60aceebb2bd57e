# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""The CT-HYB of the local eigenbasis against exact diagonalisation, the segment solver, and brute force."""

import numpy as np
import pytest
from support.orbitals import FOUR, TWO, kanamori
from support.segment_cases import ONE, as_problem, whitened_chi2

from triqs_mlsolver import DiscreteBath, Problem
from triqs_mlsolver.compat import operators_coulomb, operators_hamiltonians
from triqs_mlsolver.exact.ed import ED
from triqs_mlsolver.exact.matrix import MatrixSolver
from triqs_mlsolver.exact.matrix.chain import MarkovChain, components
from triqs_mlsolver.exact.matrix.estimators import EquationOfMotion
from triqs_mlsolver.exact.matrix.local import LocalBasis, local_matrix
from triqs_mlsolver.exact.quality import objections
from triqs_mlsolver.exact.segment import SegmentSolver
from triqs_mlsolver.interface.operators import parse_interaction
from triqs_mlsolver.numerics import legendre
from triqs_mlsolver.problem.symmetry import legendre_over_flavours
from triqs_mlsolver.tools.mpi import on_threads

SITES = (DiscreteBath([-0.4, 0.5], [0.4, 0.3]), DiscreteBath([-0.3, 0.6], [0.35, 0.45]))


def two_orbitals(beta, shift, U=2.0, J=0.4):
    """Kanamori orbitals with baths and levels of their own."""
    matrix, terms = kanamori(U, J)
    level = -0.5 * matrix.sum(axis=1) + shift + np.array([0.1, -0.1, 0.1, -0.1])
    return Problem.from_bath(beta, FOUR, [[[e]] for e in level], SITES * 2, matrix, terms)


def mixed_orbitals(beta):
    """Kanamori orbitals whose bath and levels mix them."""
    matrix, terms = kanamori(2.0, 0.4)
    bath = DiscreteBath([-0.5, 0.1, 0.4], [[0.4, 0.15], [0.2, -0.3], [0.3, 0.4]])
    h = np.array([[-2.0, 0.15], [0.15, -2.2]])
    return Problem.from_bath(beta, TWO, [h, h], [bath, bath], matrix, terms)


def three_orbitals():
    matrix, terms = kanamori(2.0, 0.3, n_orb=3)
    level = -0.5 * matrix.sum(axis=1) - 0.7
    sites = [DiscreteBath([e], [0.4]) for e in (0.3, -0.2, 0.1)]
    names = [(f"{s}_{a}", 1) for s in ("up", "down") for a in range(3)]
    return Problem.from_bath(8.0, names, [[[e]] for e in level], sites * 2, matrix, terms)


CASES = {
    "warm": lambda: two_orbitals(1.0, 0.3),
    "half filled": lambda: two_orbitals(10.0, 0.0),
    "doped": lambda: two_orbitals(10.0, -0.6),
    "cold": lambda: two_orbitals(40.0, 0.2),
    "off-diagonal": lambda: mixed_orbitals(6.0),
    "three orbitals": three_orbitals,
}


@pytest.fixture(scope="module", params=CASES)
def case(request):
    problem = CASES[request.param]()
    solution = MatrixSolver(n_cycles=6000, random_seed=5).solve(problem)
    return problem, ED(improved_estimator=True).solve(problem), solution


def blocks_of(problem):
    return [slice(o, o + size) for o, (_, size) in zip(problem.offsets, problem.gf_struct)]


def test_raw_measurements_agree_with_ed(case):
    problem, exact, solution = case
    raw = solution.statistics["samples"]["G_l_raw"]
    for f, block in enumerate(np.repeat(np.arange(len(problem.gf_struct)), [n for _, n in problem.gf_struct])):
        a = f - problem.offsets[block]
        chi2, worst = whitened_chi2(raw[:, f, f, :20], exact.G_l[block][:20, a, a])
        assert 0.15 < chi2 < 2.7
        assert worst < 5


def test_answer_agrees_with_ed(case):
    problem, exact, solution = case
    s = solution.statistics
    for block, G, Sigma in zip(blocks_of(problem), exact.G_tau(s["tau"]), exact.Sigma_iw(problem, 4)):
        z = (np.moveaxis(s["G_tau"][block, block], -1, 0) - G) / (
            np.moveaxis(s["G_tau_error"][block, block], -1, 0) + 1e-9
        )
        assert np.max(np.abs(z)) < 5
        off = np.moveaxis(s["Sigma_iw"][block, block, :4], -1, 0) - Sigma
        error = np.moveaxis(s["Sigma_iw_error"][block, block, :4], -1, 0)
        assert np.max(np.abs(off.real) / error.real) < 5 and np.max(np.abs(off.imag) / error.imag) < 5
    assert np.max(np.abs(solution.nn - exact.nn) / (solution.nn_error + 1e-9)) < 4.5
    assert abs(solution.h_int - exact.h_int) < 4.5 * s["h_int_error"]
    assert s["h_int_error"] < 0.03
    off = np.abs(s["density_matrix"] - exact.statistics["density_matrix"])
    assert np.max(off / (s["density_matrix_error"] + 1e-4)) < 5 and np.max(off) < 0.1
    assert np.trace(s["density_matrix"]) == pytest.approx(1, abs=1e-12)


def test_answer_is_consistent_with_exact_tails(case):
    problem, _, solution = case
    for b, block in enumerate(blocks_of(problem)):
        G, F = solution.G_l[b], solution.F_l[b]
        start, end = legendre.at_ends(problem.beta, G)
        assert np.allclose(start + end, -np.eye(len(start)), atol=1e-8)
        assert np.allclose(-np.diag(end), solution.density[block], atol=1e-8)
        assert np.allclose(-sum(legendre.at_ends(problem.beta, F)), solution.Sigma_infty[b], atol=1e-8)
        for g, g0_inverse, sigma in zip(
            solution.G_iw(6)[b], problem.G0_inverse_iw(6)[b], solution.Sigma_iw(problem, 6)[b]
        ):
            assert np.allclose(np.linalg.inv(g0_inverse - sigma), g, atol=0.05 * np.max(np.abs(g)))


def test_run_is_described_and_may_be_stored(case):
    problem, _, solution = case
    p = solution.provenance
    assert p["solver"] == "matrix" and p["largest_inverse_deviation"] < 1e-8
    assert 0.2 < p["average_sign"] <= 1.0 and 0 < p["auto_corr_time"] < p["n_cycles"] / 64
    assert objections(problem, solution) == []
    orders = solution.statistics["perturbation_order_total"]
    assert orders.sum() == p["n_cycles"]


def test_a_full_slater_interaction_agrees_with_ed():
    """Three p orbitals as spherical harmonics: terms c†_1 c†_-1 c_0 c_0 leave little of Kanamori's sectors."""
    names = [("up", 3), ("down", 3)]
    coulomb = operators_coulomb.U_matrix_slater(1, U_int=2.0, J_hund=0.5)
    found = parse_interaction(operators_hamiltonians.h_int_slater(["up", "down"], 3, coulomb, off_diag=True), names)
    U, terms = found.U, found.terms
    bath = DiscreteBath([0.2, -0.3, 0.1], 0.4 * np.eye(3))
    levels = -0.5 * U.sum(axis=1).mean() - 0.5 + np.diag([0.0, 0.1, 0.05])
    problem = Problem.from_bath(4.0, names, [np.diag(np.diag(levels))] * 2, [bath] * 2, U, terms)
    assert len(problem.terms) > 6
    found, exact = MatrixSolver(n_cycles=4000, random_seed=8).solve(problem), ED().solve(problem)
    s = found.statistics
    for block, G in zip(blocks_of(problem), exact.G_tau(s["tau"])):
        z = (np.moveaxis(s["G_tau"][block, block], -1, 0) - G)[:, range(3), range(3)]
        assert np.max(np.abs(z) / np.moveaxis(s["G_tau_error"][block, block], -1, 0)[:, range(3), range(3)]) < 5
    assert np.max(np.abs(found.nn - exact.nn) / found.nn_error) < 4.5
    assert abs(found.h_int - exact.h_int) < 4.5 * s["h_int_error"] < 0.2


def test_density_density_problems_agree_with_the_segment_solver():
    problem = as_problem(15.0, [-1.0, -0.8], [([0.3], [0.5]), ([-0.4, 0.5], [0.4, 0.3])], ONE(2.0))
    found = MatrixSolver(n_cycles=20000, random_seed=3).solve(problem)
    other = SegmentSolver(n_cycles=40000, random_seed=3).solve(problem)
    a, b = found.statistics, other.statistics
    for f in range(2):
        z = (a["G_tau"][f, f] - b["G_tau"][f]) / np.hypot(a["G_tau_error"][f, f], b["G_tau_error"][f])
        assert np.max(np.abs(z)) < 5
    assert np.max(np.abs(found.nn - other.nn) / np.hypot(found.nn_error, other.nn_error)) < 4.5


def test_a_gapped_bath_is_sampled_with_a_weak_one_added():
    """Two sites far from the Fermi level: Δ(β/2) is e^{-20} of its ends, and no line of Δ reaches there."""
    bath = DiscreteBath([-2.0, 2.0], [0.5, 0.5])
    matrix, terms = kanamori(2.0, 0.3)
    problem = Problem.from_bath(20.0, FOUR, [[[e]] for e in -0.5 * matrix.sum(axis=1)], [bath] * 4, matrix, terms)
    found, exact = MatrixSolver(n_cycles=8000, random_seed=2).solve(problem), ED().solve(problem)
    assert found.provenance["average_weight"] < 0.95
    s = found.statistics
    for f in range(4):
        z = (s["G_tau"][f, f] - exact.G_tau(s["tau"])[f][:, 0, 0]) / (s["G_tau_error"][f, f] + 1e-9)
        assert np.max(np.abs(z)) < 5
    assert s["G_tau_error"].max() < 0.02


def test_same_seed_same_numbers():
    problem = two_orbitals(5.0, 0.2)
    once, again, other = (MatrixSolver(n_cycles=500, random_seed=seed).solve(problem) for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(once.G_l, again.G_l))
    assert not np.array_equal(once.G_l[0], other.G_l[0])


def test_ranks_share_a_run():
    problem = two_orbitals(5.0, 0.2)
    one = MatrixSolver(n_cycles=1000, n_threads=2, random_seed=4).solve(problem)
    ranks = on_threads(2, lambda comm: MatrixSolver(n_cycles=1000, comm=comm, random_seed=4).solve(problem))
    assert one.provenance["ranks"] == 2 and np.array_equal(one.G_l[0], ranks.G_l[0])


def test_a_target_ends_the_run():
    found = MatrixSolver(target_error=6e-3, random_seed=1).solve(two_orbitals(5.0, 0.2))
    assert found.provenance["target_reached"] == "yes" and found.provenance["G_tau_error"] <= 6e-3


def test_what_cannot_be_sampled_is_refused_with_the_way_out():
    names = [(f"f{k}", 1) for k in range(14)]
    large = Problem.from_bath(5.0, names, [[[0.0]]] * 14, [DiscreteBath([0.1], [0.3])] * 14, np.zeros((14, 14)))
    assert "14 flavours have 16384 local states" in MatrixSolver.supports(large)
    h = [[-1.0, 0.3], [0.3, -1.2]]
    hidden = Problem.from_bath(
        5.0, (("ud", 2),), [h], [DiscreteBath([0.1, 0.2], np.diag([0.3, 0.4]))], [[0, 1.0], [1.0, 0]]
    )
    assert "levels mix flavours 0 and 1 but Delta does not" in MatrixSolver.supports(hidden)
    with pytest.raises(ValueError, match="the matrix solver cannot solve this problem: the levels mix"):
        MatrixSolver().solve(hidden)


# -- the local problem -------------------------------------------------------------------------------------------------


def dense_ladder(basis):
    """All ladder operators over all eigenstates, (operator, in, out)."""
    dense = np.zeros((len(basis.link), *(len(basis.energies),) * 2))
    for o in range(len(dense)):
        for s, target in enumerate(basis.link[o]):
            if target >= 0:
                dense[o, basis.sectors[s], basis.sectors[target]] = basis.ladder_from(o, s)
    return dense


def test_sectors_of_kanamori_orbitals_follow_from_the_hamiltonian():
    """Electrons of each spin and singly occupied orbitals: 14 sectors of at most 2 states, 44 of at most 3."""
    two, three = LocalBasis.of(two_orbitals(1.0, 0.0)), LocalBasis.of(three_orbitals())
    assert (len(two.states), two.largest) == (14, 2)
    assert (len(three.states), three.largest) == (44, 3)


@pytest.mark.parametrize("make", [lambda: two_orbitals(1.0, 0.1), lambda: mixed_orbitals(1.0), three_orbitals])
def test_ladder_operators_anticommute_and_energies_are_those_of_the_local_hamiltonian(make):
    problem = make()
    basis, N = LocalBasis.of(problem), problem.n_flavours
    dense = dense_ladder(basis)
    for f in range(N):
        assert np.allclose(dense[2 * f], dense[2 * f + 1].T)
        for g in range(N):
            anti = dense[2 * f] @ dense[2 * g + 1] + dense[2 * g + 1] @ dense[2 * f]
            assert np.allclose(anti, (f == g) * np.eye(2**N), atol=1e-12)
    energies = np.linalg.eigvalsh(local_matrix(problem).toarray())
    assert np.allclose(np.sort(basis.energies), energies - energies[0])


@pytest.mark.parametrize("make", [lambda: two_orbitals(8.0, 0.1), lambda: mixed_orbitals(8.0)])
def test_trace_and_inverse_of_a_chain_are_those_of_brute_force(make):
    problem = make()
    basis, Delta = LocalBasis.of(problem), legendre_over_flavours(problem, problem.Delta_l)
    chain = MarkovChain(problem, basis, Delta, 24, seed=3)
    chain.advance(300, 7, False)
    tree, c = chain.tree, chain.chain
    operators = sorted(
        (tree.time[leaf, i], tree.op[leaf, i]) for leaf in range(len(tree.n_ops)) for i in range(tree.n_ops[leaf])
    )
    assert len(operators) == tree.state[2] == 2 * c.n_pairs.sum() > 0
    dense = dense_ladder(basis)
    product, now = np.eye(2**problem.n_flavours), 0.0
    for t, o in operators:
        product, now = product * np.exp(-basis.energies * (t - now)) @ dense[o], t
    trace = np.trace(product * np.exp(-basis.energies * (problem.beta - now)))
    assert c.trace[0] == pytest.approx(trace, rel=1e-10)
    for k, n in enumerate(c.n_pairs):
        x = c.E[k, :n, None] - c.S[k, None, :n]
        late = np.where(x < 0, x + problem.beta, x)
        values = -legendre.evaluate(problem.beta, chain.sampled, (problem.beta - late).ravel())
        values = values.reshape(n, n, *Delta.shape[1:])
        F = np.where(x < 0, -1, 1) * values[np.arange(n)[:, None], np.arange(n), c.SF[k, None, :n], c.EF[k, :n, None]]
        assert np.allclose(c.M[k, :n, :n] @ F, np.eye(n), atol=1e-6)


def test_components_are_what_delta_connects():
    problem = mixed_orbitals(2.0)
    assert components(legendre_over_flavours(problem, problem.Delta_l)).tolist() == [0, 0, 1, 1]
    problem = two_orbitals(2.0, 0.0)
    assert components(legendre_over_flavours(problem, problem.Delta_l)).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("phase", [1.0, np.exp(0.7j)])
def test_equation_of_motion_of_mixed_orbitals(phase):
    """Without interaction F = 0 and G0 = (iω − h − Δ)⁻¹; K F is G0 F for any F."""
    beta, n_l = 7.0, 48
    h = np.array([[-0.3, 0.2 * phase], [0.2 * np.conj(phase), 0.4]])
    V = np.array([[0.4, 0.2 * phase], [0.1 * phase, 0.5]])
    eps, weights = np.array([-0.5, 0.3]), V[:, :, None] * V[:, None, :].conj()
    Delta = legendre.from_poles(beta, eps, weights)
    motion = EquationOfMotion(beta, h, Delta, n_l)
    iw = 1j * (2 * np.arange(6) + 1) * np.pi / beta
    D = np.einsum("kab,nk->nab", weights, 1 / (iw[:, None] - eps))
    G0 = np.linalg.inv(iw[:, None, None] * np.eye(2) - h - D)
    found = legendre.to_matsubara(np.moveaxis(motion.G0, 1, 0), 6)
    assert np.allclose(found, G0, atol=1e-8)
    F = legendre.from_poles(beta, np.array([0.2]), np.array([[[1.0, 0.3], [0.2, -0.5]]]), n_l)
    product = np.einsum("alcm,mcb->lab", motion.K, F)
    assert np.allclose(legendre.to_matsubara(product, 6), G0 @ legendre.to_matsubara(F, 6), atol=1e-8)
