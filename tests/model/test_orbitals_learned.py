# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Degenerate orbitals: how large their description is, what their answers share, and how close the baseline comes."""

import numpy as np
import pytest

from triqs_mlsolver import DiscreteBath, Predictor, Problem
from triqs_mlsolver.approximations import NCA, FewSiteED, HartreeFock
from triqs_mlsolver.exact.ed import ED
from triqs_mlsolver.exact.segment import SegmentSolver
from triqs_mlsolver.lattice.bethe import semicircle
from triqs_mlsolver.model.features.descriptor import Descriptor, Kind
from triqs_mlsolver.problem.comparison import G_distance, label_noise, sigma_distance


def hund(n_orbitals, U, J, *, beta=20.0, x=0.0, baths=None, levels=None):
    """Density-density interaction, flavours (orbital, spin), at `x` from half filling; a semicircular bath by
    default.
    """
    N = 2 * n_orbitals
    orbital, spin = np.arange(N) // 2, np.arange(N) % 2
    same_orbital, same_spin = (a[:, None] == a[None, :] for a in (orbital, spin))
    matrix = np.where(same_orbital, U, np.where(same_spin, U - 3 * J, U - 2 * J)) * (1 - np.eye(N))
    blocks = [(f"{o}{'ud'[s]}", 1) for o, s in zip(orbital, spin)]
    levels = np.zeros(N) if levels is None else np.asarray(levels)
    h = [[[x + e - 0.5 * row.sum()]] for e, row in zip(levels, matrix)]
    if baths is not None:
        return Problem.from_bath(beta, blocks, h, baths, matrix)
    Delta = 0.25 * semicircle(beta)[:, None, None]
    return Problem(beta, blocks, h, [Delta] * N, matrix)


@pytest.mark.parametrize("n_orbitals", [1, 2, 3])
def test_a_description_has_a_row_per_independent_flavour(n_orbitals):
    descriptor = Descriptor()
    alike = hund(n_orbitals, 2.0, 0.3)
    assert len(descriptor.describe(alike.canonical()).rows) == 1
    split = hund(n_orbitals, 2.0, 0.3, levels=np.repeat(0.1 * np.arange(n_orbitals), 2))
    assert len(descriptor.describe(split.canonical()).rows) == n_orbitals
    different = hund(n_orbitals, 2.0, 0.3, levels=0.05 * np.arange(2 * n_orbitals))
    assert len(descriptor.describe(different.canonical()).rows) == 2 * n_orbitals


def test_features_do_not_grow_with_the_number_of_orbitals():
    """With the same cheap solvers; shells of three orbitals are those of two."""
    descriptor = Descriptor(("hartree_fock", "hubbard_i"))
    size = {n: len(descriptor.layout(Kind.of(hund(n, 2.0, 0.3))).group) for n in (2, 3, 4)}
    assert size[2] == size[3] == size[4]


def test_three_degenerate_orbitals_are_learned_and_stay_degenerate():
    """Baths of one site, which second order does not solve exactly."""
    rng = np.random.default_rng(7)

    def problem():
        bath = DiscreteBath([rng.uniform(-0.4, 0.4)], [[rng.uniform(0.45, 0.55)]])
        return hund(3, rng.uniform(0.5, 1.5), 0.1, beta=6.0, x=rng.uniform(-0.3, 0.3), baths=[bath] * 6)

    points = [(p, ED().solve(p)) for p in (problem() for _ in range(20))]
    predictor = Predictor(approximations=("hartree_fock", "hubbard_i")).fit(points[:16])
    assert predictor.n_rows_ == 16
    errors, cheap = [], []
    for p, exact in points[16:]:
        found = predictor.predict(p)
        G = found.solution.G_l
        assert max(np.max(np.abs(g - G[0])) for g in G) <= 1e-12 * p.beta
        errors.append(G_distance(p, found.solution, exact))
        cheap.append(G_distance(p, HartreeFock().solve(p), exact))
    assert np.mean(errors) < 0.5 * np.mean(cheap)


@pytest.mark.parametrize("U, J, x", [(1.0, 0.25, 0.0), (1.5, 0.3, -0.9)])
def test_two_bath_sites_come_closest_to_monte_carlo(U, J, x):
    """Why this is the baseline of two orbitals: its error is a few error bars, that of the others many."""
    problem = hund(2, U, J, x=x)
    exact = SegmentSolver(target_error=1e-3, random_seed=3).solve(problem)
    noise, sigma_noise = label_noise(problem, exact)
    error = {s.name: G_distance(problem, s.solve(problem), exact) for s in (FewSiteED(2), HartreeFock(), NCA())}
    assert error["ed2"] < 0.001 + 4 * noise
    assert sigma_distance(problem, FewSiteED(2).solve(problem), exact) < 0.01 + 4 * sigma_noise
    assert error["nca"] > 10 * error["ed2"]
