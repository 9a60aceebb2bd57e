# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
import errno
import os
import re
import warnings
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from triqs_mlsolver import Database, DiscreteBath, LearnedSolver, Problem
from triqs_mlsolver.approximations import HubbardI
from triqs_mlsolver.database import store
from triqs_mlsolver.decision.acceptance import CriticalSlowing
from triqs_mlsolver.decision.learned_solver import Uncertified
from triqs_mlsolver.decision.log import DecisionLog
from triqs_mlsolver.exact import registry
from triqs_mlsolver.exact.ed import ED
from triqs_mlsolver.problem.comparison import compare, label_noise, sigma_distance
from triqs_mlsolver.problem.solution import static_moments

N_STORED = 12


class Exact:
    """An exact solver under the test's control: counts its calls, and may change the answer on its way out."""

    name = "ed"

    def __init__(self, change=lambda problem, solution: solution):
        self.change, self.asked = change, []

    def solve(self, problem):
        self.asked.append(problem)
        return self.change(problem, ED().solve(problem))


@pytest.fixture(scope="module")
def points(family):
    return [(p, ED().solve(p)) for p in (family(U) for U in np.linspace(0.5, 3.0, N_STORED))]


@pytest.fixture
def stocked(points):
    """stocked(path=None) -> a database of twelve points along U."""

    def make(path=None):
        database = Database(path)
        for point in points:
            database.add(*point)
        return database

    return make


@pytest.fixture
def known(family):
    """A problem between the stored ones, which the model certifies."""
    return family(1.3)


def with_noise(problem, solution):
    return replace(solution, G_l_error=tuple(np.full(g.shape, 1e-9) for g in solution.G_l))


# -- the two ways of answering
# -------------------------------------------------------------------------------------------


def test_accepts_what_is_within_the_tolerance(stocked, known, report_lines):
    exact = Exact()
    solver = LearnedSolver(stocked(), exact=exact, audit_rate=0)
    solution = solver.solve(known)
    decision = solver.last_decision
    assert not exact.asked and decision.source == "model" and decision.solver == "model"
    assert decision.error_bound <= decision.tolerance == 0.002 and decision.sigma_bound <= decision.sigma_tolerance
    assert decision.problem_id == known.id and decision.point is None and not decision.audit and not decision.miss
    assert decision.true_error is None and 0 < decision.nearest < 1 and decision.seconds > 0
    truth = ED().solve(known)
    tau = np.linspace(0, known.beta, 50)
    assert np.max(np.abs(solution.G_tau(tau)[0] - truth.G_tau(tau)[0])) <= decision.error_bound
    assert sigma_distance(known, solution, truth) <= decision.sigma_bound
    assert len(solver.database) == N_STORED
    assert re.fullmatch(
        r"mlsolver: model \| bound [\d.e-]+ <= 0\.002 \| nearest point [\d.e-]+ \| [\d.]+ m?s", report_lines[-1]
    )


def test_computes_and_learns_what_it_does_not_know(known, report_lines):
    exact = Exact()
    solver = LearnedSolver(None, exact=exact)
    solution = solver.solve(known)
    assert (
        solver.last_decision.source == "exact"
        and solver.last_decision.solver == "ed"
        and solver.last_decision.point == 0
    )
    assert len(exact.asked) == 1 and exact.asked[0] is known and len(solver.database) == 1
    assert np.allclose(solution.G_l[0], ED().solve(known).G_l[0], atol=1e-12)
    line = r"mlsolver: exact \(ed\) \| novel: 0 stored points are too few \| [\d.]+ m?s \| added as point 0"
    assert re.fullmatch(line, report_lines[-1])


def test_bound_beyond_the_tolerance(stocked, known, report_lines):
    solver = LearnedSolver(stocked(), exact=Exact(), tolerance=1e-7)
    solver.solve(known)
    assert re.search(r"exact \(ed\) \| bound [\d.e-]+ > 1e-07 \| .* \| added as point 12$", report_lines[-1])
    decision = solver.last_decision
    assert decision.point == N_STORED and decision.true_error is not None and decision.true_sigma_error is not None
    assert not decision.miss and not decision.audit


def test_bound_on_sigma_beyond_its_tolerance(stocked, known, report_lines):
    solver = LearnedSolver(stocked(), exact=Exact(), tolerance=0.1, sigma_tolerance=1e-7)
    solver.solve(known)
    assert re.search(r"exact \(ed\) \| bound on Sigma\(iw0\) [\d.e-]+ > [\d.]+e-07 \| ", report_lines[-1])


def test_novel_problem(stocked, family, report_lines):
    solver = LearnedSolver(stocked(), exact=Exact(), tolerance=10.0, sigma_tolerance=10.0)
    solver.solve(family(1.3, beta=30.0))
    assert "exact (ed) | novel: beta lies outside the stored range" in report_lines[-1]
    assert solver.last_decision.miss is False


def test_tolerance_zero_is_always_exact_and_still_learns(stocked, known, report_lines):
    exact = Exact()
    solver = LearnedSolver(stocked(), exact=exact, tolerance=0)
    solver.solve(known)
    assert len(exact.asked) == 1 and "| tolerance 0 |" in report_lines[-1] and len(solver.database) == N_STORED + 1


def test_forced_exact_gives_its_reason(stocked, known, report_lines):
    exact = Exact()
    solver = LearnedSolver(stocked(), exact=exact)
    solver.solve(known, force_exact="measure_G2_iw_ph needs Monte Carlo")
    assert len(exact.asked) == 1 and "exact (ed) | measure_G2_iw_ph needs Monte Carlo |" in report_lines[-1]


def test_knows_more_after_an_exact_run(stocked, family):
    """A question nearby is answered by the model."""
    exact = Exact()
    solver = LearnedSolver(stocked(), exact=exact, audit_rate=0)
    first = solver.solve(family(1.3, eps=0.3), force_exact="test")
    nearby = solver.solve(family(1.3, eps=0.300001))
    assert len(exact.asked) == 1 and solver.last_decision.source == "model" and solver.last_decision.nearest < 1e-3
    assert np.max(np.abs(first.G_l[0] - nearby.G_l[0])) < 2e-3 * first.beta


def test_a_stored_exact_answer_is_the_answer_to_the_same_problem(stocked, points, report_lines):
    """In any units and any order of the blocks, however few points there are; nothing is run, predicted or added."""
    exact = Exact()
    solver = LearnedSolver(stocked(), exact=exact, audit_rate=1.0)
    problem, solution = points[3]
    asked = problem.scaled(3.0).permuted([1, 0])
    found, decision = solver.solve(asked), solver.last_decision
    assert not exact.asked and decision.source == "stored" and decision.solver == "ed" and decision.is_certified
    assert "stored (ed)" in report_lines[-1] and "point 3" in report_lines[-1] and len(solver.database) == N_STORED
    assert compare(asked, found, solution.scaled(3.0).permuted([1, 0])).error < 1e-12
    alone = Database(None)
    alone.add(problem, solution)
    assert LearnedSolver(alone, exact=exact).solve(problem) is not None and not exact.asked


def test_a_stored_answer_whose_error_bars_exceed_the_tolerance_is_not_served(stocked, family):
    database, problem = stocked(), family(1.31)
    truth = ED().solve(problem)
    told = {"seed": 1, "G_tau_noise": 0.0011, "G_iw0_noise": 1e-6}
    noise = dict(G_l_error=tuple(np.full(g.shape, 1e-4) for g in truth.G_l), provenance={**truth.provenance, **told})
    database.add(problem, replace(truth, **noise))
    served = LearnedSolver(database, exact=Exact(), tolerance=0.0022)
    assert served.solve(problem).told_error("G_tau") == 0.0011 and served.last_decision.source == "stored"
    assert served.last_decision.error_bound == pytest.approx(1.96 * 0.0011, rel=1e-3)
    strict = LearnedSolver(database, exact=Exact(), tolerance=0.0021, audit_rate=0)
    strict.solve(problem)
    assert strict.last_decision.source != "stored"
    always = LearnedSolver(database, exact=Exact(), tolerance=0)
    always.solve(problem)
    assert always.last_decision.source == "exact"


def test_a_stored_fitted_bath_is_no_answer_for_those_who_can_do_better(stocked):
    from triqs_mlsolver.lattice.bethe import bethe_problem, semicircle

    problem = bethe_problem(10.0, 2.0, 1.0, semicircle(10.0))
    database = stocked()
    database.add(problem, ED(n_bath=4).solve(problem))
    for exact in ("ed", "segment"):
        solver = LearnedSolver(database, exact=exact, tolerance=0.01, sigma_tolerance=0.1)
        solver.solve(problem, exact_parameters={"n_cycles": 3000} if exact == "segment" else None)
        assert (solver.last_decision.source == "stored") == (exact == "ed")


def test_a_loop_that_starts_again_runs_nothing(tmp_path, family):
    """What the first run computed, the second one finds, all of it."""
    path, exact = tmp_path / "loop.h5", Exact()
    answers = []
    for _ in range(2):
        solver = LearnedSolver(path, exact=exact, audit_rate=0)
        eps, run = 0.5, []
        for _ in range(3):
            solution = solver.solve(family(1.5, eps=eps))
            eps, run = 0.5 + 0.1 * solution.double_occupancy, [*run, solution.G_l[0]]
        answers.append(run)
    assert len(exact.asked) == 3 and solver.last_decision.source == "stored"
    np.testing.assert_allclose(answers[0], answers[1], atol=1e-12)


class Seeded:
    """ED that says with which seed it was run, and is off where the seed is one of `wrong`."""

    name = "seeded"

    def __init__(self, wrong=()):
        self.wrong, self.seeds = wrong, []

    def of(self, seed):
        def solve(problem):
            self.seeds.append(seed)
            exact, off = ED().solve(problem), 0.05 * problem.beta * (seed in self.wrong)
            told = {"seed": seed, "solver": self.name, "G_tau_noise": 1e-4 if off else 2e-4, "G_iw0_noise": 1e-5}
            G = tuple(g + off * (np.arange(len(g)) == 2)[:, None, None] for g in exact.G_l)
            G = tuple(g - off * (np.arange(len(g)) == 0)[:, None, None] * np.sqrt(5) for g in G)  # keeps the ends
            errors = tuple(np.full(g.shape, 1e-5 * problem.beta) for g in G)
            return replace(exact, G_l=G, G_l_error=errors, provenance={**exact.provenance, **told})

        return SimpleNamespace(name=self.name, solve=solve)


@pytest.fixture
def seeded(monkeypatch):
    def make(wrong=()):
        exact = Seeded(wrong)
        choose = lambda asked, problem, **options: exact.of(options["random_seed"])
        monkeypatch.setattr("triqs_mlsolver.exact.registry.choose", choose)
        return exact

    return make


def test_a_certificate_never_repeats_the_run_that_made_the_answer(tmp_path, family, seeded):
    """Also where that run was another process's, with the same first seed."""
    exact = seeded()
    LearnedSolver(tmp_path / "a.h5", exact="ed").solve(family(1.3))
    again = LearnedSolver(tmp_path / "a.h5", exact="ed")
    again.solve(family(1.3))
    assert again.last_decision.source == "stored" and len(exact.seeds) == 1
    assert again.certify().passed
    assert len(exact.seeds) == len(set(exact.seeds)) == 2


def test_stored_answers_that_disagree_are_not_served(tmp_path, family, seeded):
    """A wrong one with smaller error bars, found out by a certificate, is never handed out again."""
    seeded(wrong={34788})
    solver = LearnedSolver(tmp_path / "a.h5", exact="ed")
    wrong = solver.solve(family(1.3))
    assert len(solver.database) == 1
    with pytest.warns(RuntimeWarning, match="wrong by"):
        assert not solver.certify().passed
    truth = ED().solve(family(1.3))
    assert compare(family(1.3), wrong, truth).error > 0.02
    for fresh in (solver, LearnedSolver(tmp_path / "a.h5", exact="ed")):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            found = fresh.solve(family(1.3))
        assert fresh.last_decision.source == "exact" and compare(family(1.3), found, truth).error < 1e-3


def test_a_stored_answer_can_be_certified(stocked, points):
    exact = Exact()
    solver = LearnedSolver(stocked(), exact=exact)
    solver.solve(points[3][0])
    found = solver.certify()
    assert len(exact.asked) == 1 and found.passed and found.answered_by == "ed" and found.error_bound == 0


def test_same_seed_same_decisions(stocked, family):
    problems = [family(U) for U in np.linspace(0.6, 2.9, 15)]
    runs = []
    for _ in range(2):
        solver = LearnedSolver(stocked(), exact=Exact(), audit_rate=0.3, random_seed=5)
        runs.append([(solver.solve(p).G_l[0].tobytes(), solver.last_decision.audit) for p in problems])
    assert runs[0] == runs[1] and 0 < sum(audit for _, audit in runs[0]) < 15


def test_answer_is_in_the_units_and_order_of_the_question(stocked, known):
    solver = LearnedSolver(stocked(), exact=Exact(), audit_rate=0)
    asked = replace(known.scaled(27.2).permuted([1, 0]), gf_struct=(("b", 1), ("a", 1)))
    solution = solver.solve(asked)
    assert (
        solver.last_decision.source == "model" and solution.gf_struct == asked.gf_struct and solution.beta == asked.beta
    )
    exact = ED().solve(asked)
    assert np.allclose(solution.Sigma_iw(asked, 5)[0], exact.Sigma_iw(asked, 5)[0], atol=0.02 * 27.2)


# -- audits
# --------------------------------------------------------------------------------------------------------------


def test_audit_that_holds(stocked, known, report_lines):
    exact = Exact()
    solver = LearnedSolver(stocked(), exact=exact, audit_rate=1.0)
    solution = solver.solve(known)
    decision = solver.last_decision
    assert len(exact.asked) == 1 and decision.source == "exact" and decision.audit and not decision.miss
    assert decision.true_error <= decision.error_bound and decision.point == N_STORED
    assert np.allclose(solution.G_l[0], ED().solve(known).G_l[0], atol=1e-12), (
        "an audit's exact answer is the one returned"
    )
    pattern = r"exact \(ed\) \| bound .* <= 0.002 \| .* \| audit: bounds held, true error .*; added as point 12$"
    assert re.search(pattern, report_lines[-1])


def test_audit_that_is_missed(stocked, known, family, report_lines):
    """An exact solver that disagrees by more than the bound."""

    def lie(problem, solution):
        other = ED().solve(family(2.6))
        Sigma_infty, Sigma_1 = static_moments(problem, other.nn)
        return replace(other, Sigma_infty=Sigma_infty, Sigma_1=Sigma_1)

    liar = Exact(lie)
    solver = LearnedSolver(stocked(), exact=liar, audit_rate=1.0)
    solver.solve(known)
    assert solver.last_decision.miss and solver.last_decision.true_error > 10 * solver.last_decision.error_bound
    assert "audit: bounds MISSED, true error" in report_lines[-1]


@pytest.mark.parametrize("learn", [True, False])
def test_outcome_of_an_audit_is_reported_whatever_becomes_of_the_answer(stocked, known, learn, report_lines):
    solver = LearnedSolver(stocked(), exact=Exact(), audit_rate=1.0, learn=learn)
    solver.solve(known)
    became = f"added as point {N_STORED}" if learn else "not added: learn=False"
    assert re.search(rf"audit: bounds held, true error .*; {became}$", report_lines[-1])


def test_disagreement_within_the_noise_is_no_miss(stocked, known, family):
    """Error bars of the exact answer that explain the difference."""

    def noisy(problem, solution):
        other = ED().solve(family(1.5))
        return replace(other, G_l_error=tuple(np.full(g.shape, 0.05 * problem.beta) for g in other.G_l))

    solver = LearnedSolver(stocked(), exact=Exact(noisy), audit_rate=1.0)
    solver.solve(known)
    assert solver.last_decision.true_error > solver.last_decision.error_bound and not solver.last_decision.miss


def test_audit_rate_is_a_share(stocked, family):
    exact = Exact()
    solver = LearnedSolver(stocked(), exact=exact, audit_rate=0.25, learn=False)
    problems = [family(U) for U in np.linspace(0.6, 2.9, 80)]
    for p in problems:
        solver.solve(p)
    assert 8 <= len(exact.asked) <= 34  # 20 ± 3.5 σ


def test_without_exact_solver_the_audit_falls_away(stocked, known, monkeypatch):
    def nobody(*args, **options):
        raise registry.NoExactSolver("no exact solver for this problem")

    monkeypatch.setattr(registry, "choose", nobody)
    solver = LearnedSolver(stocked(), exact="ed", audit_rate=1.0)
    assert solver.solve(known) is not None
    assert solver.last_decision.source == "model" and not solver.last_decision.audit


# -- no exact solver
# -----------------------------------------------------------------------------------------------------


def two_orbitals():
    names = tuple((name, 1) for name in ("a_up", "a_down", "b_up", "b_down"))
    U = np.array([[0, 2, 1, 0.5], [2, 0, 0.5, 1], [1, 0.5, 0, 2], [0.5, 1, 2, 0]])
    return Problem.from_bath(5.0, names, [[[-1.75]]] * 4, [DiscreteBath([0.1], [0.4])] * 4, U)


def test_uncertified_is_raised_where_nobody_can_answer():
    p = two_orbitals()
    exchange = replace(p, terms=((0.3, (0, 3, 1, 2)), (0.3, (2, 1, 3, 0))))
    with pytest.raises(Uncertified, match="0 stored points are too few.*'segment' cannot solve this problem"):
        LearnedSolver(None, exact="segment").solve(exchange)


def test_uncertified_on_demand(stocked, family, monkeypatch, report_lines):
    def nobody(*args, **options):
        raise registry.NoExactSolver("no exact solver for this problem")

    monkeypatch.setattr(registry, "choose", nobody)
    far = family(6.0)
    with pytest.raises(Uncertified, match="novel: U lies outside the stored range.*no exact solver"):
        LearnedSolver(stocked(), exact="ed").solve(far)
    solver = LearnedSolver(stocked(), exact="ed", allow_uncertified=True)
    solution = solver.solve(far)
    assert np.all(np.isfinite(solution.G_l[0])) and solver.last_decision.source == "uncertified"
    assert report_lines[-1].startswith(
        "mlsolver: NOT CERTIFIED model answer | novel: U lies outside the stored range | "
    )
    with pytest.raises(Uncertified):  # nothing to offer at all
        LearnedSolver(None, exact="ed", allow_uncertified=True).solve(far)


def test_any_problem_an_exact_object_solves_is_served(report_lines):
    """Two orbitals, and an object that says nothing of itself: computed, stored, and nothing breaks."""

    class Anything:
        name = "any"

        def solve(self, problem):
            s = HubbardI().solve(problem)
            return replace(s, provenance={**s.provenance, "seed": len(seen), "solver": "any"})

    seen = []
    solver = LearnedSolver(None, exact=Anything())
    for _ in range(2):
        seen.append(solver.solve(two_orbitals(), force_exact="test"))
    assert "exact (any)" in report_lines[-1] and len(solver.database) == 2


def test_isolated_atom_is_exact(stocked, report_lines):
    """G = (1−n/2)/(iω+μ) + (n/2)/(iω+μ−U), no exact solver, nothing stored."""
    exact = Exact()
    solver = LearnedSolver(stocked(), exact=exact)
    atom = Problem.siam(10.0, 2.0, 0.8, [0.0], [0.0])
    solution = solver.solve(atom)
    half = 0.5 * float(solution.density.sum())
    w = np.exp(10 * np.array([0, 0.8, 0.8, -0.4]))
    assert half == pytest.approx((w[1] + w[3]) / w.sum(), abs=1e-9)
    iw = 1j * atom.omega(20)
    assert np.allclose(solution.G_iw(20)[0][:, 0, 0], (1 - half) / (iw + 0.8) + half / (iw - 1.2), atol=1e-8)
    assert not exact.asked and len(solver.database) == N_STORED and solver.last_decision.solver == "atom"
    assert "exact (atom)" in report_lines[-1] and "nothing to learn" in report_lines[-1]


# -- answers that must not be stored
# --------------------------------------------------------------------------------------


def broken(kind):
    def change(problem, solution):
        G = [g.copy() for g in solution.G_l]
        if kind == "NaN":
            G[0][3] = np.nan
        elif kind == "sum rule":
            G = [1.05 * g for g in G]
        elif kind == "zero":
            G = [0 * g for g in G]
        elif kind == "sign":
            return replace(solution, provenance={**solution.provenance, "average_sign": 0.01})
        elif kind == "spins":
            G[0] = G[0] + 0.02 * problem.beta * (np.arange(len(G[0])) == 2)[:, None, None]
        return replace(solution, G_l=tuple(G))

    return change


REFUSED = [
    ("NaN", "NaN"),
    ("zero", "sum rule"),
    ("sum rule", "sum rule"),
    ("sign", "average sign 0.01"),
    ("spins", "does not tell apart"),
]


@pytest.mark.parametrize("kind, reason", REFUSED)
@pytest.mark.parametrize("many", [False, True])
def test_bad_answers_are_returned_with_a_warning_but_not_stored(
    kind, reason, many, stocked, known, report_lines, tmp_path
):
    path = str(tmp_path / "db.h5")
    if many:
        stocked(path)
    solver = LearnedSolver(path, exact=Exact(broken(kind)))
    with pytest.warns(RuntimeWarning, match=f"not stored: .*{reason}.*inputs saved as"):
        solution = solver.solve(known, force_exact="test")
    assert solution is not None and len(solver.database) == N_STORED * many and solver.last_decision.point is None
    decision = solver.last_decision
    assert decision.source == "refused" and not decision.is_certified and reason in decision.objection
    assert "NOT CERTIFIED exact answer (ed)" in report_lines[-1] and reason in report_lines[-1]
    assert reason in solution.provenance["refused"] and solver.log.read()["source"][-1] == "refused"
    (file,) = os.listdir(path + ".replay")
    problem, why = store.read_replay(os.path.join(path + ".replay", file))
    assert problem == known and reason in why["why"]
    solver.exact = Exact()
    solver.solve(known, force_exact="test")
    assert len(solver.database) == N_STORED * many + 1, "the next run is stored as usual"


def test_exact_solver_that_raises_leaves_everything_as_it_was(stocked, known):
    def fail(problem, solution):
        raise RuntimeError("walker lost")

    solver = LearnedSolver(stocked(), exact=Exact(fail))
    with pytest.raises(RuntimeError, match="walker lost"):
        solver.solve(known, force_exact="test")
    assert len(solver.database) == N_STORED and solver.last_decision is None
    solver.exact = Exact()
    assert solver.solve(known) is not None


# -- the database
# --------------------------------------------------------------------------------------------------------


def test_learn_false_reads_only(stocked, family, tmp_path, report_lines):
    path = str(tmp_path / "db.h5")
    stocked(path)
    before = sorted(os.listdir(tmp_path)), Database(path).digest
    solver = LearnedSolver(path, exact=Exact(), learn=False)
    solver.solve(family(6.0))
    assert "not added: learn=False" in report_lines[-1]
    assert any(line.endswith(f"{N_STORED} points, read only") for line in report_lines)
    solver.solve(family(1.3))
    assert (sorted(os.listdir(tmp_path)), Database(path).digest) == before


def test_names_its_database_first(stocked, tmp_path, report_lines):
    path = str(tmp_path / "db.h5")
    stocked(path)
    LearnedSolver(path, exact="ed")
    assert f"database {path}: 12 points" in report_lines[0]


def test_two_solvers_on_one_path_learn_from_each_other(family, tmp_path):
    path = str(tmp_path / "shared.h5")
    a, b = (LearnedSolver(path, exact=Exact(), audit_rate=0) for _ in range(2))
    for i, U in enumerate(np.linspace(0.5, 3.0, 12)):
        (a, b)[i % 2].solve(family(U), force_exact="both fill it")
    for solver in (a, b):
        solver.solve(family(1.3))
        assert solver.last_decision.source == "model"
        assert len(solver.database) == solver.predictor.n_points_ == 12
    assert len(Database(path)) == 12
    log = DecisionLog(path + ".log").read()
    assert len(log["source"]) == 14 and list(log["source"]).count("exact") == 12


def test_learns_what_others_store_during_a_long_run(family, tmp_path):
    path = str(tmp_path / "shared.h5")

    def meanwhile(problem, solution):
        other = family(2.0)
        Database(path).add(other, ED().solve(other))
        return solution

    solver = LearnedSolver(path, exact=Exact(meanwhile))
    solver.solve(family(1.0))
    solver.exact = Exact()
    solver.solve(family(1.5))
    assert len(solver.database) == solver.predictor.n_points_ == 3


def test_the_same_exact_answer_is_stored_once(stocked, points, report_lines):
    solver = LearnedSolver(stocked(), exact=Exact())
    solver.solve(points[3][0], force_exact="test")
    assert len(solver.database) == N_STORED and solver.predictor.n_points_ == N_STORED
    assert solver.last_decision.point is None and "already there as point 3" in report_lines[-1]


def test_every_solve_is_a_row_of_the_log(stocked, family, tmp_path):
    path = str(tmp_path / "db.h5")
    stocked(path)
    solver = LearnedSolver(path, exact=Exact(), audit_rate=0)
    asked = [family(1.3), family(6.0), family(2.2)]
    for p in asked:
        solver.solve(p)
    log = DecisionLog(path + ".log").read()
    assert list(log["source"]) == ["model", "exact", "model"] and list(log["problem_id"]) == [p.id for p in asked]
    assert list(log["solver"]) == ["model", "ed", "model"] and log["point"][1] == N_STORED and np.isnan(log["point"][0])
    assert np.all(log["tolerance"] == 0.002) and np.all(log["error_bound"] > 0) and np.all(log["seconds"] > 0)
    assert log["reason"][1].startswith("novel") and not np.any(log["miss"])
    assert np.all(np.diff(log["time"]) >= 0)


def test_fresh_and_grown_solvers_agree(stocked, family, tmp_path):
    """What is learned on the fly is what a new process learns from the file."""
    path = str(tmp_path / "db.h5")
    stocked(path)
    grown = LearnedSolver(path, exact=Exact(), audit_rate=0)
    for U in (0.7, 1.9, 2.7):
        grown.solve(family(U), force_exact="test")
    fresh = LearnedSolver(path, exact=Exact(), audit_rate=0)
    a, b = grown.solve(family(1.3)), fresh.solve(family(1.3))
    assert np.allclose(a.G_l[0], b.G_l[0], atol=1e-6)
    assert grown.last_decision.error_bound == pytest.approx(fresh.last_decision.error_bound, rel=0.05)


# -- options
# -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options, message",
    [
        ({"tolerance": -0.1}, "tolerance = -0.1 .*0 means always exact"),
        ({"tolerance": np.nan}, "tolerance = nan"),
        ({"sigma_tolerance": -1}, "sigma_tolerance = -1.0 .*default is ten times"),
        ({"audit_rate": 1.5}, "audit_rate = 1.5 is not a share.*between 0 and 1"),
        ({"audit_rate": -0.1}, "audit_rate = -0.1 .*share"),
        ({"exact": "ctqmc"}, "exact = 'ctqmc' is not an exact solver: choose one of .*'segment'"),
        ({"exact": "segmnt"}, "did you mean 'segment'"),
    ],
)
def test_refuses_options(options, message):
    with pytest.raises(ValueError, match=message):
        LearnedSolver(None, **options)


class Nameless:
    def solve(self, problem):
        return ED().solve(problem)


@pytest.mark.parametrize("exact", [object(), 3, None, Nameless()])
def test_refuses_an_object_that_is_no_solver(exact):
    with pytest.raises(TypeError, match=r"is no exact solver: .*solve\(problem\) and a string `name`"):
        LearnedSolver(None, exact=exact)


def test_refuses_to_learn_into_a_read_only_database(stocked, tmp_path):
    """At once, not after the first long run."""
    path = str(tmp_path / "db.h5")
    stocked(path)
    with pytest.raises(ValueError, match="read only: pass learn=False"):
        LearnedSolver(Database(path, read_only=True), exact="ed")
    LearnedSolver(Database(path, read_only=True), exact="ed", learn=False)


def test_options_are_keywords_and_typos_are_errors():
    with pytest.raises(TypeError):
        LearnedSolver(None, "ed")
    with pytest.raises(TypeError, match="tolerence"):
        LearnedSolver(None, tolerence=0.1)


def test_exact_parameters_reach_the_exact_solver(known):
    untold = Problem(known.beta, known.gf_struct, known.h_loc0, known.Delta_l, known.U)
    solver = LearnedSolver(None, exact="ed")
    solver.solve(untold, exact_parameters={"n_bath": 3})
    assert solver.database[0].attributes["settings"] == "n_bath=3"


def test_fitted_baths_are_marked_in_the_database():
    """A label from ED with a fitted bath carries the fit's error: it says so."""
    from triqs_mlsolver.lattice.bethe import bethe_problem, semicircle

    solver = LearnedSolver(None, exact="ed")
    solver.solve(bethe_problem(10.0, 2.0, 1.0, semicircle(10.0)), exact_parameters={"n_bath": 2})
    assert solver.database[0].fidelity == "bath-fit" and solver.database[0].attributes["bath_residual"] > 1e-4


def test_without_learning_an_answer_that_is_wrong_is_marked_as_well(stocked, known):
    solver = LearnedSolver(stocked(), exact=Exact(broken("sum rule")), learn=False)
    with pytest.warns(RuntimeWarning, match="not stored: sum rule"):
        solver.solve(known, force_exact="test")
    assert solver.last_decision.source == "refused" and not solver.last_decision.is_certified


def test_a_bath_fitted_too_badly_is_no_exact_answer(report_lines):
    """Two sites for a cold metal."""
    from triqs_mlsolver.lattice.bethe import bethe_problem, semicircle

    cold = bethe_problem(100.0, 1.0, 0.5, semicircle(100.0))
    solver = LearnedSolver(None, exact="ed")
    with pytest.warns(RuntimeWarning, match="fitted bath misses the hybridisation"):
        solution = solver.solve(cold, exact_parameters={"n_bath": 2})
    assert solver.last_decision.source == "refused" and "fitted bath" in report_lines[-1]
    truth = ED(n_bath=6).solve(cold)
    found, told = compare(cold, solution, truth), label_noise(cold, solution)
    assert found.error < 3 * told[0] and found.sigma_error < 3 * told[1]


# -- places that cannot be written


class Full:
    """A disk without space: whatever is added to this database fails, as long as `is_full`."""

    def __init__(self, monkeypatch, database):
        self.is_full, add = True, database.journal.add

        def adding(record):
            if self.is_full:
                raise OSError(errno.ENOSPC, "No space left on device")
            return add(record)

        monkeypatch.setattr(database.journal, "add", adding)


def test_an_answer_that_cannot_be_stored_is_handed_out_kept_and_saved_elsewhere(
    stocked, family, tmp_path, monkeypatch, report_lines
):
    monkeypatch.chdir(tmp_path)
    database = stocked(str(tmp_path / "full.h5"))
    disk, exact = Full(monkeypatch, database), Exact()
    solver = LearnedSolver(database, exact=exact, audit_rate=0)
    far = family(1.3, eps=0.3)
    with pytest.warns(RuntimeWarning, match="NOT STORED.*No space left.*mlsolver merge"):
        solution = solver.solve(far)
    assert solver.last_decision.source == "exact" and solver.last_decision.point is None
    assert "NOT STORED (No space left on device)" in report_lines[-1]
    assert compare(far, solution, ED().solve(far)).error < 1e-12
    (file,) = tmp_path.glob("full-rescued-*.h5")
    assert Database(file).find(far) and not Database(tmp_path / "full.h5").find(far)
    solver.solve(far)
    assert len(exact.asked) == 1 and solver.last_decision.source == "stored", "it is known for the rest of the run"
    disk.is_full = False
    solver.solve(family(1.4, eps=0.35), force_exact="test")
    assert Database(tmp_path / "full.h5").find(far), "it is stored as soon as there is space"


def test_an_answer_is_not_lost_where_nothing_can_be_written(stocked, family, tmp_path, monkeypatch, report_lines):
    monkeypatch.setattr("triqs_mlsolver.decision.knowledge.rescue", lambda *_: "")
    database = stocked(str(tmp_path / "full.h5"))
    Full(monkeypatch, database)
    solver = LearnedSolver(database, exact=Exact(), audit_rate=0)
    refuse = lambda **_: (_ for _ in ()).throw(OSError(errno.EDQUOT, "Disk quota exceeded"))
    monkeypatch.setattr(solver.log, "append", refuse)
    with pytest.warns(RuntimeWarning) as caught:
        solver.solve(family(1.3, eps=0.3))
    texts = [str(w.message) for w in caught]
    assert any("kept in memory" in t for t in texts) and any("missing in the log" in t for t in texts)
    assert solver.last_decision.source == "exact"


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_place_without_permission_is_named_at_the_start(stocked, tmp_path, report_lines):
    stocked(str(tmp_path / "theirs.h5"))
    os.chmod(tmp_path / "theirs.h5.journal", 0o555)
    LearnedSolver(tmp_path / "theirs.h5", exact=Exact())
    assert "CANNOT BE STORED, you may not write in" in report_lines[-1]


def test_an_obstacle_is_what_permissions_tell(stocked, tmp_path, monkeypatch, report_lines):
    database = stocked(str(tmp_path / "theirs.h5"))
    assert database.obstacle == ""
    monkeypatch.setattr(os, "access", lambda *_: False)
    LearnedSolver(database, exact=Exact())
    assert "CANNOT BE STORED, you may not write in" in report_lines[-1]


# -- loops that creep
# ----------------------------------------------------------------------------------------------------


def creeping(family, ratio, n=8):
    return [family(1.5, eps=0.5 + 0.05 * ratio**k) for k in range(n)]


@pytest.mark.parametrize("ratio, share", [(0.2, 1.0), (0.5, 1.0), (0.65, 0.7), (0.75, 0.5), (0.99, 0.5)])
def test_share_of_the_tolerance(family, ratio, share):
    """An error is amplified to 1/(1 − r): the tolerance shrinks by 2 (1 − r), to one half at most."""
    slowing = CriticalSlowing()
    for problem in creeping(family, ratio):
        slowing.see(problem, 0.0)
    assert slowing.share == pytest.approx(share, abs=0.03)


def test_another_problem_begins_another_loop(family):
    slowing = CriticalSlowing()
    for problem in creeping(family, 0.95):
        slowing.see(problem, 0.0)
    assert slowing.share == 0.5
    slowing.see(family(1.6), 0.0)
    assert slowing.share == 1.0


def test_two_healthy_loops_in_turn_do_not_creep(family):
    """Two inequivalent sites of a crystal, asked one after the other in every iteration."""
    slowing = CriticalSlowing()
    shares = []
    for k in range(8):
        for site in (0.5, 0.9):
            slowing.see(family(1.5, eps=site + 0.05 * 0.3**k), 0.0)
            shares.append(slowing.share)
    assert shares == [1.0] * 16


def test_of_two_loops_in_turn_the_one_that_creeps_is_held_to_more(family):
    slowing = CriticalSlowing()
    shares = {0.3: [], 0.98: []}
    for k in range(8):
        for ratio, site in ((0.3, 0.5), (0.98, 0.9)):
            slowing.see(family(1.5, eps=site + 0.05 * ratio**k), 0.0)
            shares[ratio].append(slowing.share)
    assert shares[0.3] == [1.0] * 8 and shares[0.98][4:] == [0.5] * 4


def test_steps_within_the_error_tell_nothing(family):
    slowing = CriticalSlowing()
    for problem in creeping(family, 0.95):
        slowing.see(problem, 0.5)
    assert slowing.share == 1.0


def test_a_creeping_loop_is_held_to_more(stocked, family, report_lines):
    solver = LearnedSolver(stocked(), exact=Exact(), audit_rate=0, tolerance=0.1, sigma_tolerance=1.0)
    for problem in [family(1.5, eps=0.6 - 0.1 * 0.98**k) for k in range(4)]:
        solver.solve(problem)
    assert "<= 0.05 (tolerance / 2.0: the loop creeps)" in report_lines[-1]
