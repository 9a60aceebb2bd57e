# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""How long exact runs are: as the user says, else until the tolerance is served."""

from dataclasses import replace

import pytest

from triqs_mlsolver import LearnedSolver, Problem
from triqs_mlsolver.exact.ed import ED


@pytest.fixture
def problem():
    return Problem.siam(beta=8.0, U=2.0, mu=0.7, eps=[-0.5, 0.2], V=[0.3, 0.3])


def solved(problem, tolerance, **parameters):
    solver = LearnedSolver(None, exact="segment", tolerance=tolerance)
    p = solver.solve(problem, exact_parameters=parameters).provenance
    return p["n_cycles"], p["n_cycles"] * p["length_cycle"], p["G_tau_error"], solver


def test_without_a_run_length_the_tolerance_decides(problem):
    _, _, error, solver = solved(problem, 0.005)
    assert error <= 0.2 * 0.005
    assert "can use" not in str(solver.last_decision)


def test_run_length_of_the_user_is_exceeded_by_no_more_than_the_segment_solver_is_faster(problem):
    _, updates, error, _ = solved(problem, 1e-4, n_cycles=2000)
    assert error > 0.2 * 1e-4 and 2000 * 50 < updates <= 5 * 2000 * 50
    _, updates, _, _ = solved(problem, 1e-4, n_cycles=2000, length_cycle=20)
    assert 2000 * 20 < updates <= 5 * 2000 * 20


def test_run_length_of_the_user_is_the_least(problem):
    n_cycles, _, _, _ = solved(problem, 0.5, n_cycles=2000)
    assert 2000 <= n_cycles < 2100


def test_target_of_the_user_is_pursued_however_long(problem):
    _, updates, error, _ = solved(problem, 0.5, n_cycles=100, target_error=1e-3)
    assert error <= 1e-3 and updates > 5 * 100 * 50


def test_tolerance_zero_leaves_the_run_length_as_it_is(problem):
    n_cycles, _, _, _ = solved(problem, 0, n_cycles=2000)
    assert 2000 <= n_cycles < 2100


def test_noise_beyond_what_the_tolerance_can_use_is_said_once(problem):
    _, _, _, solver = solved(problem, 1e-3, n_cycles=400, length_cycle=10, n_warmup_cycles=1000)
    first = solver.last_decision.note
    assert "more than a tolerance of 0.001 can use: n_cycles = " in first and "or tolerance = " in first
    solver.solve(problem, exact_parameters={"n_cycles": 400, "length_cycle": 10, "n_warmup_cycles": 1000})
    assert "can use" not in solver.last_decision.note


def test_run_length_that_is_advised_serves_the_tolerance(problem):
    tolerance = 0.01
    _, _, error, solver = solved(problem, tolerance, n_cycles=4000, length_cycle=1)
    asked = float(solver.last_decision.note.split("n_cycles = ")[1].split()[0])
    assert asked > 8000 and error > 0.2 * tolerance
    assert solved(problem, tolerance, n_cycles=int(asked), length_cycle=1)[2] <= 1.3 * 0.2 * tolerance  # noise of noise


class Silent:
    """A solver of the user's that does not say how many cycles it made."""

    name = "mine"

    def solve(self, problem):
        exact = ED().solve(problem)
        return replace(exact, provenance={**exact.provenance, "G_tau_noise": 0.01})


def test_a_solver_that_counts_no_cycles_is_remarked_on_all_the_same(problem):
    solver = LearnedSolver(None, exact=Silent(), tolerance=1e-3)
    solver.solve(problem, exact_parameters={"n_cycles": 1000})
    assert "n_cycles = " in solver.last_decision.note
