# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Sampling with a little more hybridisation than the problem has, against ED and plain determinants."""

from __future__ import annotations

import numpy as np
import pytest
from support import reference_ed
from support.segment_cases import ONE, as_problem, whitened_chi2

from triqs_mlsolver.exact.segment import SegmentSolver
from triqs_mlsolver.exact.segment import reweight as reweighting
from triqs_mlsolver.exact.segment.chain import MarkovChain
from triqs_mlsolver.exact.segment.symmetries import Symmetries
from triqs_mlsolver.numerics import legendre

# all bath levels lie above the chemical potential: Δ falls to 3e-10 towards β, where G is largest
GAPPED = (35.0, [-0.77, -0.77], [(np.array([0.68, 0.53]), np.array([0.47, 0.18]))] * 2, ONE(3.9))
# half filling in a gapped bath: Δ(β/2) is 1e-6 of its largest value, G(β/2) is not small
CLEAN_GAP = (40.0, [-0.5, -0.3], [(np.array([-0.7, 0.7]), np.array([0.3, 0.3]))] * 2, ONE(0.8))


def chain_of(args) -> MarkovChain:
    problem = as_problem(*args)
    Deltas = [problem.delta_l(f) for f in range(problem.n_flavours)]
    return MarkovChain(problem, Symmetries.of(problem, Deltas), 20, seed=3)


@pytest.mark.parametrize("args", [GAPPED, CLEAN_GAP], ids=["one-sided gap", "gap in the middle"])
def test_gapped_baths_agree_with_ed(args):
    problem, exact = as_problem(*args), reference_ed.solve(*args, n_l=130)
    solution = SegmentSolver(n_cycles=40000, random_seed=2).solve(problem)
    s = solution.statistics
    chi2, worst = whitened_chi2(s["samples"]["G_l_raw"][:, :, :12], exact.G_l[:, :12])
    assert 0.2 < chi2 < 2.5 and worst < 5
    z = (s["G_tau"] - exact.G_tau(s["tau"])) / s["G_tau_error"]
    assert np.max(np.abs(z)) < 4
    difference, error = s["Sigma_iw"][:, :4] - exact.Sigma_iw[:, :4], s["Sigma_iw_error"][:, :4]
    assert np.max(np.abs(difference.real) / error.real) < 4
    assert np.max(np.abs(difference.imag) / error.imag) < 4
    assert np.max(np.abs(solution.nn - exact.nn) / solution.nn_error) < 4
    assert 0.3 < solution.provenance["average_weight"] < 0.7 and solution.provenance["average_sign"] == 1.0


def test_without_it_the_error_bars_are_silently_wrong(monkeypatch):
    monkeypatch.setattr(reweighting, "_SMALL", 0.0)
    solution = SegmentSolver(n_cycles=6400, random_seed=2).solve(as_problem(*GAPPED))
    exact = reference_ed.solve(*GAPPED, n_l=130)
    assert solution.provenance["average_weight"] == 1.0
    assert whitened_chi2(solution.statistics["samples"]["G_l_raw"][:, :, :12], exact.G_l[:, :12])[0] > 100


def test_error_bar_of_a_flavour_that_is_hardly_ever_there():
    """n = 6e-6: a run of this length sees a visit or none, and G(β⁻) = −n may not claim more than that."""
    bath = (np.array([0.68, 0.88]), np.array([0.32, 0.39]))
    args = (45.0, [-1.67, -1.0], [bath] * 2, ONE(1.9))
    problem, exact = as_problem(*args), reference_ed.solve(*args, n_l=130)
    assert exact.nn[1, 1] < 1e-3 < exact.nn[0, 0]
    for seed in range(4):
        solution = SegmentSolver(n_cycles=3200, random_seed=seed).solve(problem)
        s = solution.statistics
        assert np.max(np.abs(s["G_tau"] - exact.G_tau(s["tau"])) / (s["G_tau_error"] + 1e-9)) < 4.5
        assert np.max(np.abs(solution.nn - exact.nn) / solution.nn_error) < 4.5


def test_weight_is_the_ratio_of_determinants():
    chain = chain_of(GAPPED)
    chain.advance(1, 20000, False)
    weights = []
    for _ in range(50):
        chain.advance(1, 50, False)
        expected = 1.0
        for f, q in enumerate(chain.chain.slot):
            n = chain.chain.n_pairs[q]
            x = chain.chain.E[q, :n, None] - chain.chain.S[q, :n]
            F = lambda Delta_l, x=x: (
                -np.where(x < 0, -1, 1)
                * legendre.evaluate(
                    chain.beta, Delta_l, (chain.beta - np.where(x < 0, x + chain.beta, x)).ravel()
                ).reshape(x.shape)
            )
            own, sampled = (F(d[chain.model.delta_class[f]]) for d in (chain._Deltas, chain.sampled))
            expected *= np.linalg.det(own) / np.linalg.det(sampled)
            weight = chain.weight
            np.testing.assert_allclose(chain.chain.spare_M[f, :n, :n] @ own, np.eye(n), atol=1e-3)
        assert weight == pytest.approx(expected, rel=1e-4, abs=1e-8)
        weights.append(weight)
    assert min(weights) < 0.1 and max(weights) > 0.5


def test_only_small_hybridisation_is_added_to():
    beta = 20.0
    metal = legendre.from_poles(beta, np.linspace(-1, 1, 101), np.full(101, 0.25 / 101))
    gapped = legendre.from_poles(beta, [-1.0, 1.0], [0.125, 0.125])
    for c in (1.0, 4.0):
        same, more = reweighting.sampled_hybridisation(beta, (metal, gapped), 4, 1.0, c)
        assert same is metal
        added = legendre.resized(gapped, len(more)) - more
        assert added[0] == pytest.approx(2 * c / (4 * beta))  # ∫ η dτ
        eta = legendre.evaluate(beta, added, np.linspace(0, beta, 200))
        assert np.min(eta) > 0 and np.allclose(eta, eta[::-1])


def test_strength_aims_at_one_half():
    assert reweighting.strength(0.5, 1.0) == 1.0
    assert reweighting.strength(np.sqrt(0.5), 1.0) == pytest.approx(2.0)
    assert reweighting.strength(0.1, 1.0) == reweighting.LEAST  # never less than it began with
    assert reweighting.strength(1.0, 1.0) == reweighting.MOST
