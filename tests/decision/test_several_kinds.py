# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""One database, several kinds of problem: each is learned as if the others were not there."""

import numpy as np
import pytest
from support.orbitals import kanamori_operator

from triqs_mlsolver import Database, DiscreteBath, LearnedSolver, Problem
from triqs_mlsolver.exact.ed import ED
from triqs_mlsolver.interface.operators import parse_interaction

SPINS = [("up", 2), ("down", 2)]


def single(U: float) -> Problem:
    return Problem.siam(beta=10.0, U=U, mu=U / 2, eps=[-0.5, 0.5], V=[0.35, 0.35])


def shell(U: float, J: float) -> Problem:
    """Two orbitals with one bath site each."""
    parsed = parse_interaction(kanamori_operator(U, J), SPINS)
    h = -0.5 * np.diag(parsed.U[:2].sum(axis=1)) + 0.1 * np.eye(2)
    bath = DiscreteBath([0.1, -0.1], [[0.5, 0.0], [0.0, 0.5]])
    return Problem.from_bath(5.0, SPINS, (h, h), (bath, bath), parsed.U, parsed.terms)


SINGLES = [single(U) for U in np.linspace(0.5, 3.0, 12)]
SHELLS = [shell(U, U / 5) for U in np.linspace(1.0, 2.0, 8)]


@pytest.fixture(scope="module")
def solved():
    return {p.id: (p, ED().solve(p)) for p in [*SINGLES, *SHELLS]}


def stored(solved, problems, path=None) -> Database:
    database = Database(path)
    for problem in problems:
        database.add(*solved[problem.id])
    return database


def bounds(prediction):
    return prediction.error_bound, prediction.sigma_bound, prediction.density_bound, prediction.docc_bound


def test_each_kind_is_learned_as_if_it_were_alone(solved):
    mixed = [p for pair in zip(SINGLES, SHELLS) for p in pair] + SINGLES[len(SHELLS) :]
    together = LearnedSolver(stored(solved, mixed), exact="ed", audit_rate=0)
    for problems, asked in ((SINGLES, single(1.3)), (SHELLS, shell(1.55, 0.31))):
        alone = LearnedSolver(stored(solved, problems), exact="ed", audit_rate=0)
        for solver in (alone, together):
            solver.solve(asked)
        assert bounds(alone.last.prediction) == bounds(together.last.prediction)
        assert together.predictor.n_points_ == len(problems) + (together.last_decision.source == "exact")


def test_two_solvers_share_a_file_and_start_again(solved, tmp_path):
    path = tmp_path / "material.h5"
    one, two = (LearnedSolver(path, exact="ed", audit_rate=0) for _ in range(2))
    for p, q in zip(SINGLES, SHELLS):
        one.solve(p)
        two.solve(q)
    for p in SINGLES[len(SHELLS) :]:
        one.solve(p)
    assert Database(path).kinds == {"1+1 density-density": len(one.database.select(kind="1+1 density-density")),
                                    "2+2 general": len(two.database.select(kind="2+2 general"))}  # fmt: skip
    again = LearnedSolver(path, exact="ed", audit_rate=0)
    again.solve(single(1.2))
    assert again.last_decision.source == "model" and again.last_decision.kind == "1+1 density-density"
    again.solve(SHELLS[0])
    assert again.last_decision.source == "stored" and again.last_decision.kind == "2+2 general"


def test_scan_of_Hunds_coupling_goes_on_from_none(solved):
    """At J = 0 the interaction is density-density, beyond it is not: the two-band tutorial scans both."""
    solver = LearnedSolver(None, exact="ed", audit_rate=0)
    for J in (0.0, 0.1, 0.2):
        solver.solve(shell(1.5, J))
    assert solver.database.kinds == {"2+2 density-density": 1, "2+2 general": 2}


def test_misses_of_one_kind_leave_the_bounds_of_another_alone(solved):
    solver = LearnedSolver(stored(solved, [*SINGLES, *SHELLS]), exact="ed", audit_rate=0)
    knowledge = solver._knowledge
    before = bounds(knowledge.predict(single(1.3)))
    knowledge.alarms_of(SHELLS[0]).of_check(np.array([3.0, 3.0]))
    assert bounds(knowledge.predict(single(1.3))) == before
    assert knowledge.alarms_of(SHELLS[0]).widening.factor.tolist() == [3.0, 3.0]


def test_checks_of_earlier_runs_count_for_their_kind(solved, tmp_path):
    path = tmp_path / "material.h5"
    solver = LearnedSolver(path, exact="ed", audit_rate=0)
    row = {"reason": "", "true_error": 1.0, "error_bound": 0.1, "noise": 0.0, "novel": False}
    for kind in ("2+2 general", ""):
        solver.log.append(kind=kind, **row)
    knowledge = LearnedSolver(path, exact="ed")._knowledge
    counts = [knowledge.alarms_of(p)._counts["G"] for p in (SINGLES[0], SHELLS[0])]
    assert counts == [[1, 0], [2, 0]]  # a row that does not say its kind counts for all


@pytest.mark.slow
def test_same_shell_with_another_interaction_has_a_model_of_its_own():
    """Six flavours: which terms there are is part of the kind."""
    from triqs_mlsolver.decision.models import Models

    spins, site = [("up", 3), ("down", 3)], [[0.4, 0, 0], [0, 0.4, 0], [0, 0, 0.4]]
    bath = DiscreteBath([0.1, 0.0, -0.1], site)
    flip = ((0.2, (0, 4, 3, 1)), (0.2, (1, 3, 4, 0)))
    pair = ((0.2, (0, 3, 4, 1)), (0.2, (1, 4, 3, 0)))
    problems = [
        Problem.from_bath(2.0, spins, [-1.5 * np.eye(3)] * 2, [bath] * 2, 1.0 - np.eye(6), terms)
        for terms in (flip, pair)
    ]
    models = Models(Database(None))
    assert models.of(problems[0]) is not models.of(problems[1])
    assert models.of(problems[0]) is models.of(problems[0])
