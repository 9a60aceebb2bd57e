# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import reference_ed

from triqs_mlsolver import DiscreteBath, Problem
from triqs_mlsolver.exact.ed import ED
from triqs_mlsolver.exact.quality import objections
from triqs_mlsolver.numerics import legendre

PROBLEM = Problem.siam(10.0, 2.0, 0.7, [-0.3, 0.4], [0.3, 0.3])
EXACT = ED().solve(PROBLEM)


def changed(**changes):
    return replace(EXACT, **changes)


def shifted(l, size, blocks=(0, 1)):
    """EXACT with its l-th coefficient moved by `size` β."""
    G = [
        g + size * PROBLEM.beta * (np.arange(len(g)) == l)[:, None, None] * (b in blocks)
        for b, g in enumerate(EXACT.G_l)
    ]
    return changed(G_l=tuple(G))


def test_exact_answers_pass():
    assert objections(PROBLEM, EXACT) == []


@settings(max_examples=30)
@given(st.integers(0, 10**6))
def test_every_exact_answer_passes(draw, seed):
    problem = draw(np.random.default_rng(seed), 2)
    assert objections(problem, ED().solve(problem)) == []


@pytest.mark.parametrize("field", ["G_l", "nn", "Sigma_infty", "Sigma_1", "G_l_error", "F_l"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_anywhere(field, value):
    if field == "nn":
        bad = EXACT.nn * value
    else:
        blocks = getattr(EXACT, field) or EXACT.G_l
        bad = (blocks[0] * 1, blocks[1] * value)
    assert objections(PROBLEM, changed(**{field: bad})) == ["the answer contains NaN or infinity"]


def test_sum_rule():
    (first, *_) = objections(PROBLEM, shifted(0, 0.01))
    assert first.startswith("sum rule of block 'up' violated by")


def test_sum_rule_within_error_bars():
    moved = shifted(0, 0.001)
    assert any("sum rule" in o for o in objections(PROBLEM, moved))
    bars = tuple(np.full(g.shape, 1e-3 * PROBLEM.beta) for g in EXACT.G_l)
    assert objections(PROBLEM, replace(moved, G_l_error=bars)) == []


def test_acausal():
    """G of the wrong sign."""
    G = tuple(-g for g in EXACT.G_l)
    assert any("block 'up' is not causal" in o for o in objections(PROBLEM, changed(G_l=G)))


def test_densities_belong_to_g():
    nn = EXACT.nn.copy()
    nn[0, 0] += 0.01
    assert any(o.startswith("densities differ from") and "0.01" in o for o in objections(PROBLEM, changed(nn=nn)))


@pytest.mark.parametrize("pair", [-0.05, 1.2])
def test_correlators_are_probabilities(pair):
    nn = EXACT.nn.copy()
    nn[0, 1] = nn[1, 0] = pair
    assert any("outside [0, 1]" in o for o in objections(PROBLEM, changed(nn=nn)))


def test_correlators_within_error_bars():
    nn = EXACT.nn.copy()
    nn[0, 1] = nn[1, 0] = -0.01
    assert objections(PROBLEM, changed(nn=nn, nn_error=np.full((2, 2), 0.005))) == []


@pytest.mark.parametrize("field, name", [("Sigma_infty", "Σ∞"), ("Sigma_1", "Σ₁")])
def test_moments_belong_to_correlators(field, name):
    wrong = changed(**{field: tuple(s + 0.01 for s in getattr(EXACT, field))})
    assert objections(PROBLEM, wrong) == [f"{name} is 0.01 off what ⟨n_i n_j⟩ gives"]
    assert objections(PROBLEM, replace(wrong, nn_error=np.full((2, 2), 0.002))) == []


def test_spins_that_the_problem_does_not_tell_apart():
    moved = shifted(1, 0.0, ())
    G = (EXACT.G_l[0] + 1e-3 * PROBLEM.beta * (np.arange(len(EXACT.G_l[0])) == 4)[:, None, None], EXACT.G_l[1])
    assert any("flavours that the problem does not tell apart" in o for o in objections(PROBLEM, replace(moved, G_l=G)))
    in_field = Problem.siam(10.0, 2.0, 0.7, [-0.3, 0.4], [0.3, 0.3], field=0.2)
    assert objections(in_field, ED().solve(in_field)) == []


def test_orbitals_that_the_problem_does_not_tell_apart():
    U, names = reference_ed.kanamori(2.0, 0.3), [(f"f{k}", 1) for k in range(4)]
    bath = DiscreteBath([-0.3], [[0.4]])
    problem = Problem.from_bath(5.0, names, [[[-1.0]]] * 4, [bath] * 4, U)
    solution = ED().solve(problem)
    assert objections(problem, solution) == []
    G = tuple(g + 1e-3 * 5.0 * (np.arange(len(g)) == 4)[:, None, None] * (k < 2) for k, g in enumerate(solution.G_l))
    assert any(
        "flavours that the problem does not tell apart" in o for o in objections(problem, replace(solution, G_l=G))
    )
    crystal_field = Problem.from_bath(5.0, names, [[[-1.0]]] * 2 + [[[-0.8]]] * 2, [bath] * 4, U)
    assert objections(crystal_field, ED().solve(crystal_field)) == []


@pytest.mark.parametrize(
    "provenance, objection",
    [
        ({"average_sign": 0.05}, "average sign 0.05 is below 0.1"),
        ({"average_sign": -0.05}, "average sign -0.05"),
        ({"independent_samples": 12.0}, "only 12 independent samples"),
        ({"independent_samples": float("nan")}, "only nan independent samples"),
        ({"drift": -7.4}, "the first quarter of the run and the rest differ by -7.4 standard errors"),
        ({"drift": float("nan")}, "the first quarter of the run and the rest differ by nan"),
        ({"symmetry_deviation": 6.0}, "flavours that should be equal differ by 6.0 standard errors"),
        ({"dominance": 0.8}, "one bin carries 80 % of the variance: rare events dominate, run longer"),
        ({"bath_residual": 0.2}, "the fitted bath misses the hybridisation by 0.2"),
        ({"average_sign": 0.99, "independent_samples": 5000.0}, None),
        ({"average_sign": None}, None),
    ],
)
def test_sampling(provenance, objection):
    found = objections(PROBLEM, changed(provenance={**EXACT.provenance, **provenance}))
    assert found == [] if objection is None else objection in found[0]


def test_noise_of_five_sigma_is_seen():
    """Gaussian noise of the size of the error bars passes; ten times larger noise does not."""
    rng = np.random.default_rng(0)
    refused = {1.0: 0, 10.0: 0}
    for factor in refused:
        for _ in range(20):
            bars = tuple(np.where(np.arange(len(g))[:, None, None] < 20, 2e-4 * PROBLEM.beta, 0.0) for g in EXACT.G_l)
            noisy = tuple(g + factor * rng.normal(size=g.shape) * e for g, e in zip(EXACT.G_l, bars))
            ends = [-legendre.at_ends(PROBLEM.beta, g)[1][0, 0] for g in noisy]
            nn = EXACT.nn.copy()
            nn[np.diag_indices(2)] = ends
            refused[factor] += bool(objections(PROBLEM, changed(G_l=noisy, G_l_error=bars, nn=nn)))
    assert refused[1.0] == 0 and refused[10.0] >= 12
