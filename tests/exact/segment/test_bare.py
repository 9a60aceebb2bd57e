# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Flavours without hybridisation, against ED and the closed formula of the Falicov-Kimball impurity."""

from __future__ import annotations

import numpy as np
import pytest
from support import reference_ed
from support.segment_cases import ONE, as_problem, whitened_chi2

from triqs_mlsolver.exact.quality import objections
from triqs_mlsolver.exact.segment import SegmentSolver, bare
from triqs_mlsolver.exact.segment.result import analyse
from triqs_mlsolver.exact.segment.run import Run
from triqs_mlsolver.exact.segment.solver import causal_hybridisation
from triqs_mlsolver.exact.segment.symmetries import Symmetries

NONE = (np.zeros(0), np.zeros(0))
SITE = (np.array([0.3]), np.array([0.5]))
BATH = (np.array([-0.2, 0.7]), np.array([0.4, 0.35]))
HALF = (np.array([-0.4, 0.4]), np.array([0.4, 0.4]))
KANAMORI = reference_ed.kanamori(4.0, 0.6)
CENTRE = -0.5 * KANAMORI[0].sum()
CASES = {
    "Falicov-Kimball": (20.0, [-3.9, -4.0], [SITE, NONE], ONE(8.0)),
    "half filled": (10.0, [-2.0, -2.0], [HALF, NONE], ONE(4.0)),
    "weak coupling": (20.0, [-1.2, -0.85], [BATH, NONE], ONE(2.0)),
    "almost always empty": (20.0, [-1.0, 3.0], [BATH, NONE], ONE(2.0)),
    "an orbital": (10.0, [CENTRE, CENTRE, CENTRE - 0.3, CENTRE - 0.3], [BATH, BATH, NONE, NONE], KANAMORI),
    "an orbital in a field": (10.0, CENTRE + np.array([0.1, -0.1, 0.05, -0.05]), [BATH, BATH, NONE, NONE], KANAMORI),
}


def started(args, seed=1) -> Run:
    """A run after its warm-up."""
    problem = as_problem(*args)
    run = Run(SegmentSolver(n_cycles=1000, random_seed=seed), problem, causal_hybridisation(problem)[0], 0.0)
    run.warm_up()
    return run


@pytest.mark.parametrize("name", CASES)
def test_all_flavours_agree_with_ed(name):
    args = CASES[name]
    problem, exact = as_problem(*args), reference_ed.solve(*args, n_l=120)
    solution = SegmentSolver(n_cycles=20000, random_seed=4).solve(problem)
    s = solution.statistics
    assert objections(problem, solution) == [] and solution.provenance["average_sign"] > 0.999
    z = (s["G_tau"] - exact.G_tau(s["tau"])) / (s["G_tau_error"] + 1e-9)
    assert np.max(np.abs(z)) < 4.5 and np.max(np.mean(z**2, axis=1)) < 4
    assert np.max(s["G_tau_error"]) < 0.02
    assert np.max(np.abs(solution.nn - exact.nn) / (solution.nn_error + 1e-12)) < 4.5
    difference, error = s["Sigma_iw"][:, :4] - exact.Sigma_iw[:, :4], s["Sigma_iw_error"][:, :4]
    assert np.max(np.abs(difference.real) / (error.real + 1e-9)) < 4.5
    assert np.max(np.abs(difference.imag) / (error.imag + 1e-9)) < 4.5


def test_raw_estimates_scatter_as_their_error_bars_say():
    args = CASES["weak coupling"]
    exact = reference_ed.solve(*args, n_l=120)
    chi2 = []
    for seed in range(6):
        s = SegmentSolver(n_cycles=10000, random_seed=seed).solve(as_problem(*args)).statistics
        for f in range(2):
            chi2.append(whitened_chi2(s["samples"]["G_l_raw"][:, f, :8], exact.G_l[f, :8], n_dof=8)[0])
    assert 0.6 < np.mean(chi2) < 1.6  # 96 numbers, and axes from 64 bins


def test_itinerant_spin_is_a_mean_over_the_static_one():
    """Falicov-Kimball: two quadratic problems, weighted with their partition functions."""
    beta, (level, static), ((eps, V), _), U = CASES["Falicov-Kimball"]
    iw = 1j * np.pi / beta * (2 * np.arange(4) + 1)
    Z, G = [], []
    for n in (0, 1):
        h = np.diag([level + U[0, 1] * n, *eps])
        h[0, 1:] = h[1:, 0] = V
        Z.append(np.exp(-beta * static * n) * np.prod(1 + np.exp(-beta * np.linalg.eigvalsh(h))))
        G.append(1 / (iw - h[0, 0] - np.sum(V**2 / (iw[:, None] - eps), axis=1)))
    density = Z[1] / sum(Z)
    s = SegmentSolver(n_cycles=20000, random_seed=9).solve(as_problem(*CASES["Falicov-Kimball"]))
    found, error = s.statistics["G_iw"][0, :4], s.statistics["G_iw_error"][0, :4]
    difference = found - (1 - density) * G[0] - density * G[1]
    assert 0.2 < density < 0.8
    assert np.max(np.abs(difference.real) / error.real) < 4 and np.max(np.abs(difference.imag) / error.imag) < 4
    assert abs(s.density[1] - density) < 4 * s.nn_error[1, 1] < 0.5


def test_rare_times_are_measured_as_well_as_others():
    """G falls to 1e-8 in the middle; each visit there counts for as little."""
    args = (20.0, [CENTRE, CENTRE, CENTRE + 0.4, CENTRE + 0.4], [BATH, BATH, NONE, NONE], KANAMORI)
    exact = reference_ed.solve(*args, n_l=120)
    s = SegmentSolver(n_cycles=20000, random_seed=3).solve(as_problem(*args)).statistics
    edges, found, error = s["tau_edges"], s["G_tau_binned"][2], s["G_tau_binned_error"][2]
    tau = 0.5 * (edges[1:] + edges[:-1])
    middle = np.abs(tau - 8.0) < 2
    G = exact.G_tau(tau)[2]
    assert np.min(np.abs(G)) < 1e-7
    assert np.max(error[middle] / np.abs(G[middle])) < 0.6
    assert np.sum(found[middle]) == pytest.approx(np.sum(G[middle]), rel=0.3)


@pytest.mark.parametrize("name", ["Falicov-Kimball", "an orbital in a field"])
def test_one_pair_at_most(name):
    """Whose inverse matrix is 1/φ, whatever moves led there."""
    chain = started(CASES[name]).chain
    is_bare, visited = chain.model.bare, 0
    for _ in range(400):
        chain.advance(1, 50, False)
        c, pairs = chain.chain, chain.orders * is_bare
        assert pairs.sum() <= 1 and np.all(c.sign == 1)
        for f in np.flatnonzero(pairs):
            q = c.slot[f]
            x = (c.E[q, 0] - c.S[q, 0]) / chain.beta
            weight = bare.at(np.array([x % 1]), chain.log_pair_weights[chain.model.delta_class[f]])[0]
            assert c.M[q, 0, 0] * np.sign(x) == pytest.approx(1 / weight, rel=0.2)  # linear where ln φ is
            visited += 1
    assert 50 < visited < 350


def test_weights_of_pairs_make_all_times_equally_frequent():
    """Half of the visits are even over τ, half are shared out as |G|."""
    chain = started(CASES["half filled"]).chain
    x = []
    for _ in range(6000):
        chain.advance(1, 100, False)
        if chain.orders[1]:
            x.append((chain.chain.E[1, 0] - chain.chain.S[1, 0]) / chain.beta % 1)
    shares = np.histogram(x, 8, (0, 1))[0] / 6000
    assert 0.3 < np.sum(shares) < 0.7 and np.min(shares) > 0.25 / 16 and np.argmin(shares) in range(1, 7)


def test_flavours_share_weights_where_a_permutation_relates_them():
    def classes(name):
        problem = as_problem(*CASES[name])
        return Symmetries.of(problem, causal_hybridisation(problem)[0]).delta_class

    assert classes("an orbital") == (0, 0, 1, 1)
    assert classes("an orbital in a field") == (0, 0, 1, 2)


def test_threads_share_the_weights():
    problem = as_problem(*CASES["weak coupling"])
    one, two = (SegmentSolver(n_cycles=2000, n_threads=2, random_seed=1).solve(problem) for _ in range(2))
    assert one.provenance["ranks"] == 2 and np.array_equal(one.G_l[1], two.G_l[1])


@pytest.mark.parametrize("seed", range(3))
def test_occupations_never_visited_are_within_the_error_bars(seed):
    """Both spins of the orbital are there with probability 8e-5: a run of this length sees that once or never."""
    U = reference_ed.kanamori(4.0, 0.5)
    level = -0.5 * U[0].sum()
    bath = (np.array([-0.3, 0.5]), np.array([0.4, 0.3]))
    args = (10.0, [level + 0.2] * 2 + [level - 0.3] * 2, [bath, bath, NONE, NONE], U)
    exact = reference_ed.solve(*args, n_l=120)
    solution = SegmentSolver(n_cycles=4000, random_seed=seed).solve(as_problem(*args))
    assert exact.nn[2, 3] < 1e-4
    assert np.max(np.abs(solution.nn - exact.nn) / solution.nn_error) < 4


def test_a_run_that_hardly_closes_says_so():
    run = started(CASES["half filled"])
    bins = run.chain.measure_bins(8, 10, 10)
    bins.magnitude[1:] = 0.0
    with pytest.raises(RuntimeError, match="run longer"):
        analyse(run.work, bins, 1.0, run.chain.sampled_size(run.work.middle))
