# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Several orbitals: what the model learns from exact diagonalisation, and what it must tell apart."""

from dataclasses import replace

import numpy as np
import pytest

from triqs_mlsolver import DiscreteBath, LearnedSolver, Predictor, Problem, approximations
from triqs_mlsolver.exact.ed import ED
from triqs_mlsolver.model.features.descriptor import Descriptor, Kind
from triqs_mlsolver.numerics import legendre
from triqs_mlsolver.problem.comparison import G_distance
from triqs_mlsolver.problem.symmetry import why_not_learnable

BLOCKS = (("up", 2), ("down", 2))  # flavours: up 0, up 1, down 0, down 1


def kanamori(M, U, J, *, spin_flip=None, pair_hopping=None):
    """U_ij and terms of M orbitals, flavours spin by spin; rotationally invariant by default."""
    spin_flip, pair_hopping = (J if c is None else c for c in (spin_flip, pair_hopping))
    same, other = np.full((M, M), U - 3 * J), np.full((M, M), U - 2 * J)
    np.fill_diagonal(same, 0.0)
    np.fill_diagonal(other, U)
    terms = []
    for a in range(M):
        for b in range(M):
            if a != b:
                terms.append((-spin_flip, (a, M + b, M + a, b)))
                terms.append((pair_hopping, (a, M + a, M + b, b)))
    return np.block([[same, other], [other, same]]), tuple(t for t in terms if t[0])


def two_orbitals(seed, *, terms, J=0.25, split=None, x=None):
    """A random problem of two orbitals with one bath site each."""
    rng = np.random.default_rng([81, seed])
    U = rng.uniform(0.5, 2.5)
    x = rng.uniform(-0.5, 0.5) if x is None else x
    split = rng.uniform(0, 0.4) if split is None else split
    matrix, further = kanamori(2, U, J * U)
    bath = DiscreteBath(rng.uniform(-0.6, 0.6, 2), np.diag(0.5 + 0.1 * rng.uniform(-1, 1, 2)))
    h = np.diag(x + np.array([-split, split]) - 0.5 * matrix.sum(axis=1)[:2])
    return Problem.from_bath(6.0, BLOCKS, (h, h), (bath, bath), matrix, further if terms else ())


def permuted_orbitals(problem, order):
    """The same problem with flavours renamed within each block."""
    M = len(order)
    full = np.concatenate([order, M + np.asarray(order)])
    new = np.argsort(full)
    pick = lambda a: a[..., order, :][..., order]
    return replace(
        problem,
        h_loc0=tuple(map(pick, problem.h_loc0)),
        Delta_l=tuple(map(pick, problem.Delta_l)),
        U=problem.U[np.ix_(full, full)],
        terms=tuple((c, tuple(int(new[i]) for i in flavours)) for c, flavours in problem.terms),
        bath=tuple(DiscreteBath(b.eps, b.V[:, order]) for b in problem.bath),
    )


@pytest.fixture(scope="module", params=[False, True], ids=["density-density", "Kanamori"])
def learned(request):
    """What terms there are, a predictor of 48 problems, and 16 more with their solutions."""
    problems = [two_orbitals(k, terms=request.param) for k in range(64)]
    points = [(p, ED().solve(p)) for p in problems]
    cheap = ("hartree_fock", "hubbard_i")  # the clusters used by default are exact for baths of one site
    return request.param, Predictor(approximations=cheap).fit(points[:48]), points[48:]


def test_learns_and_knows_how_well(learned):
    _, predictor, fresh = learned
    errors, bounds, cheap = [], [], []
    for problem, exact in fresh:
        found, description = predictor.predict(problem), predictor.descriptor_.describe(problem.canonical())
        errors.append(G_distance(problem, found.solution, exact))
        bounds.append(found.error_bound)
        cheap.append(G_distance(problem, description.baseline.in_units_of(problem), exact))
        assert found.solution.h_int == pytest.approx(exact.h_int, abs=0.1)
        assert np.max(np.abs(found.solution.density - exact.density)) <= found.density_bound
    assert np.mean(errors) < 0.5 * np.mean(cheap)
    assert np.sum(np.array(errors) <= bounds) >= 13  # 95 % of 16: fewer in one of 250 cases


def test_what_the_baseline_knows_is_not_learned():
    """Labels that are the baseline's own answers leave nothing to correct, in the energy of the terms and in Σ₁
    either.
    """
    cheap = approximations.named("hartree_fock")
    problems = [two_orbitals(k, terms=True) for k in range(9)]
    predictor = Predictor(approximations=("hartree_fock", "hubbard_i")).fit([(p, cheap.solve(p)) for p in problems[:8]])
    new, canonical = problems[8], problems[8].canonical()
    found, expected = predictor.predict(new).solution, cheap.solve(canonical).in_units_of(new)
    assert found.h_int == pytest.approx(expected.h_int, abs=1e-8)
    for a, b in zip(found.Sigma_1, expected.Sigma_1):
        np.testing.assert_allclose(a, b, atol=1e-8)


def test_answers_are_physical_and_as_symmetric_as_the_problem(learned):
    _, predictor, fresh = learned
    for problem, _ in fresh[:4]:
        found = predictor.predict(problem).solution
        up, down = found.G_l
        assert np.max(np.abs(up - down)) <= 1e-12 * problem.beta
        for g, Sigma in zip(found.G_l, found.Sigma_iw(problem, 500)):
            start, end = legendre.at_ends(problem.beta, g)
            assert np.max(np.abs(start + end + np.eye(2))) < 1e-10
            assert np.all(np.diagonal(Sigma, axis1=1, axis2=2).imag <= 1e-6)


@pytest.mark.parametrize("split", [0.0, 0.2])
def test_degenerate_orbitals_stay_degenerate(learned, split):
    terms, predictor, _ = learned
    problem = two_orbitals(3, terms=terms, split=split)
    one = DiscreteBath([0.3, 0.3], np.diag([0.5, 0.5]))
    same = Problem.from_bath(6.0, BLOCKS, problem.h_loc0, (one, one), problem.U, problem.terms)
    G = predictor.predict(same).solution.G_l[0]
    difference = np.max(np.abs(G[:, 0, 0] - G[:, 1, 1])) / same.beta
    assert difference <= 1e-12 if split == 0 else difference > 1e-3


def test_permuting_blocks_or_orbitals_permutes_the_answer(learned):
    _, predictor, fresh = learned
    for problem, _ in fresh[:4]:
        found = predictor.predict(problem)
        blocks, orbitals = (
            predictor.predict(problem.permuted([1, 0])),
            predictor.predict(permuted_orbitals(problem, [1, 0])),
        )
        for a, b, c in zip(found.solution.G_l, blocks.solution.G_l[::-1], orbitals.solution.G_l):
            assert np.max(np.abs(a - b)) <= 1e-12 * problem.beta
            assert np.max(np.abs(a - c[:, ::-1, ::-1])) <= 1e-9 * problem.beta
        assert found.error_bound == pytest.approx(blocks.error_bound, rel=1e-9)
        assert found.error_bound == pytest.approx(orbitals.error_bound, rel=1e-4)


# -- what must not look alike
# ------------------------------------------------------------------------------------------------------------


def with_interaction(problem, U, terms):
    """Another interaction at the same x."""
    shift = 0.5 * (problem.U - U).sum(axis=1)
    h = tuple(h + np.diag(shift[o : o + len(h)]) for o, h in zip(problem.offsets, problem.h_loc0))
    return replace(problem, h_loc0=h, U=U, terms=terms)


def features(problem, names):
    """The groups of features of those names, all rows."""
    descriptor, canonical = Descriptor(()), problem.canonical()
    layout = descriptor.layout(Kind.of(canonical))
    columns = np.concatenate([layout.columns(name) for name in names])
    return np.stack([row.features for row in descriptor.describe(canonical).rows])[:, columns]


@pytest.mark.parametrize("make", [
    lambda: kanamori(2, 2.0, 0.4, spin_flip=0.8, pair_hopping=0.0),
    lambda: kanamori(2, 2.0, 0.4, spin_flip=0.0, pair_hopping=0.8),
    lambda: kanamori(2, 2.0, 0.4, spin_flip=0.2),
])  # fmt: skip
def test_interactions_of_the_same_total_strength_have_different_features(make):
    problem = two_orbitals(1, terms=True, x=0.0, split=0.0)
    here, there = (features(with_interaction(problem, *i), ["U"]) for i in (kanamori(2, 2.0, 0.4), make()))
    assert np.max(np.abs(here - there)) > 0.1


def test_interaction_of_the_other_orbital_is_novel(learned):
    """The row of one orbital is as before but for what it sees of the other one."""
    terms, predictor, fresh = learned
    problem = fresh[0][0]
    U = problem.U.copy()
    U[1, 3] = U[3, 1] = 1.1 * U[1, 3]
    assert predictor.predict(problem).novel is None
    assert "U lies outside" in predictor.predict(with_interaction(problem, U, problem.terms)).novel


def test_signs_of_terms_are_phases_up_to_two_orbitals():
    problem = two_orbitals(1, terms=True)
    J = 0.25 * problem.U.max()
    U, flipped = kanamori(2, problem.U.max(), J, spin_flip=-J)
    other = replace(problem, terms=flipped)
    assert np.allclose(problem.U, U) and G_distance(problem, ED().solve(problem), ED().solve(other)) < 1e-10
    assert np.allclose(features(problem, ["U"]), features(other, ["U"]), atol=1e-12)


def three_orbitals(J_terms, levels=(0.0, 0.0, 0.0)):
    matrix, terms = kanamori(3, 2.0, 0.3, spin_flip=J_terms, pair_hopping=J_terms)
    bath = DiscreteBath([0.2] * 3, 0.5 * np.eye(3))
    h = np.diag(np.asarray(levels) - 0.5 * matrix.sum(axis=1)[:3])
    return Problem.from_bath(5.0, (("up", 3), ("down", 3)), (h, h), (bath, bath), matrix, terms)


def test_signs_of_terms_are_told_apart_in_three_orbitals():
    """Around a loop of three orbitals the signs cannot be absorbed: the atoms have different levels."""
    plus, minus = three_orbitals(0.3), three_orbitals(-0.3)
    assert Kind.of(plus) == Kind.of(three_orbitals(0.2)) != Kind.of(minus)
    from triqs_mlsolver.approximations import HubbardI

    assert G_distance(plus, HubbardI().solve(plus), HubbardI().solve(minus)) > 0.005


def test_flavours_of_a_shell_that_differ_are_seen():
    """The first orbital sees the same average of the others' levels: their spread tells."""
    equal, split = three_orbitals(0.3), three_orbitals(0.3, (0.0, 0.2, -0.2))
    layout = Descriptor(()).layout(Kind.of(equal))
    rows = lambda p: {i: r.features for r in Descriptor(()).describe(p).rows for i in r.flavours}
    change = rows(equal.scaled(1 / equal.unit))[0] - rows(split.scaled(1 / split.unit))[0]
    assert set(np.flatnonzero(np.abs(change) > 1e-9)) <= set(layout.columns("level spread"))
    assert np.max(np.abs(change)) > 0.1


def test_terms_that_mix_orbitals_are_left_to_the_exact_solver():
    """Density-assisted hopping between the orbitals."""
    problem = two_orbitals(1, terms=True)
    terms = (*problem.terms, (0.1, (0, 2, 2, 1)), (0.1, (1, 2, 2, 0)))
    assert why_not_learnable(problem) is None
    assert "four different flavours" in why_not_learnable(replace(problem, terms=terms))


def test_a_density_density_term_in_disguise_is_learned():
    problem = two_orbitals(1, terms=True)
    disguised = replace(problem, terms=(*problem.terms, (0.1, (0, 2, 2, 0))))
    assert why_not_learnable(disguised) is None
    assert disguised.U[0, 2] == disguised.U[2, 0] == problem.U[0, 2] + 0.1


def test_terms_that_together_mix_orbitals_are_left_to_the_exact_solver():
    """Two terms that share three flavours: their product moves an electron from one orbital to another."""
    problem = three_orbitals(0.3)
    terms = ((0.1, (0, 3, 4, 1)), (0.1, (1, 4, 3, 0)), (0.1, (0, 3, 4, 2)), (0.1, (2, 4, 3, 0)))
    assert why_not_learnable(replace(problem, terms=terms[:2])) is None
    assert "keep G diagonal" in why_not_learnable(replace(problem, terms=terms))


# -- one bound for all flavours
# ------------------------------------------------------------------------------------------------------------


def test_a_problem_is_left_out_with_all_its_rows(learned):
    """Orbitals of different levels are different rows: none of them may stay when another is left out."""
    _, predictor, _ = learned
    data = predictor.training_
    groups = data.groups()
    assert len(data) == 2 * predictor.n_points_ and len(np.unique(groups)) > 20
    assert all(len(np.unique(groups[data.problem == p])) == 1 for p in np.unique(data.problem))
    largest = {p: predictor.leave_out_error_["G"][data.problem == p].max() for p in np.unique(data.problem)}
    bounds = predictor.bound_.predict(data.summary, predictor.regression_.leave_out(groups)[1] * data.amplitude)[:, 0]
    held = [largest[p] <= bounds[data.problem == p].max() for p in largest]
    assert np.mean(held) >= 0.9


# -- the decision loop
# ------------------------------------------------------------------------------------------------------------


def test_solver_answers_two_orbitals_from_what_it_has_learned():
    """A scan over U with spin-flip and pair-hopping: computed, then answered; each accepted answer within its bound."""
    scan = two_orbitals(5, terms=True, x=0.1, split=0.1)
    problems = [with_interaction(scan, *kanamori(2, U, 0.2 * U)) for U in (1.0, 2.0, 1.5, 1.25, 1.75, 1.4, 1.6, 1.45)]
    solver = LearnedSolver(None, exact="ed", tolerance=0.02, sigma_tolerance=0.5, audit_rate=0)
    sources = []
    for problem in problems:
        answer = solver.solve(problem)
        sources.append(solver.last_decision.source)
        error = G_distance(problem, answer, ED().solve(problem))
        assert error <= (solver.last_decision.error_bound if sources[-1] == "model" else 1e-9)
    assert sources[:5] == ["exact"] * 5 and "model" in sources[5:]
    assert solver.certify().passed
