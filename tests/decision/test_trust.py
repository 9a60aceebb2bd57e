# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""What keeps an answer from being silently wrong: certificates, misses, alarms, doubtful exact runs."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom

from triqs_mlsolver import Database, LearnedSolver, Predictor, Problem
from triqs_mlsolver.decision.acceptance import Gate
from triqs_mlsolver.decision.certificate import AcceptedAnswers
from triqs_mlsolver.decision.coverage import binomial, coverage
from triqs_mlsolver.decision.log import DecisionLog
from triqs_mlsolver.decision.watch import Alarms, Widening
from triqs_mlsolver.exact.ed import ED
from triqs_mlsolver.exact.registry import NoExactSolver
from triqs_mlsolver.model import Novelty
from triqs_mlsolver.numerics import legendre
from triqs_mlsolver.numerics.significance import TWO_SIDED
from triqs_mlsolver.problem.comparison import Comparison, compare, label_noise
from triqs_mlsolver.tools.mpi import on_threads


class Scripted:
    """ED whose answers number `wrong` are off by `size` in G(τ), in a way that no sum rule shows."""

    name = "ed"

    def __init__(self, wrong=(), size=0.05):
        self.wrong, self.size, self.calls = set(wrong), size, 0

    def solve(self, problem):
        self.calls += 1
        solution = ED().solve(problem)
        return shifted(solution, self.size * (1 + 0.1 * self.calls)) if self.calls in self.wrong else solution


def shifted(solution, size):
    """G(τ) + size · 4τ(β−τ)/β², which keeps the sum rule, the densities and the spin symmetry."""
    tau, _ = legendre.quadrature(solution.beta, len(solution.G_l[0]) + 24)
    bump = size * 4 * tau * (solution.beta - tau) / solution.beta**2
    change = legendre.project(solution.beta, bump, len(solution.G_l[0]))[:, None, None]
    return replace(solution, G_l=tuple(g + change for g in solution.G_l))


@pytest.fixture(scope="module")
def points(family):
    return [(p, ED().solve(p)) for p in (family(U) for U in np.linspace(0.5, 3.0, 12))]


@pytest.fixture
def stocked(points):
    def make():
        database = Database(None)
        for point in points:
            database.add(*point)
        return database

    return make


# -- comparisons


def test_comparison_takes_off_what_error_bars_explain():
    found = Comparison(error=0.010, sigma_error=0.05, noise=0.002, sigma_noise=0.03)
    assert np.allclose(found.over(0.003, 0.01), [(0.010 - TWO_SIDED * 0.002) / 0.003, 0.0])
    assert found.agrees and not replace(found, noise=0.0019).agrees


def test_shift_is_seen_as_large_as_it_is(points):
    problem, solution = points[4]
    assert compare(problem, shifted(solution, 0.05), solution).error == pytest.approx(0.05, rel=1e-3)
    assert label_noise(problem, solution) == (0.0, 0.0)


# -- certificates


def test_certificate_of_an_answer_of_the_model(stocked, family, report_lines):
    exact = Scripted()
    solver = LearnedSolver(stocked(), exact=exact, audit_rate=0)
    answer = solver.solve(family(1.3))
    bound = solver.last_decision.error_bound
    found = solver.certify()
    truth = ED().solve(family(1.3))
    assert exact.calls == 1 and len(solver.database) == 13 and found.passed and found.held and not found.in_doubt
    assert found.error_bound == bound and 0 < found.true_error <= bound
    assert found.observables["Z"].exact == pytest.approx(truth.Z(family(1.3))[0], abs=1e-9)
    assert found.observables["Z"].answer == pytest.approx(answer.Z(family(1.3))[0], abs=1e-9)
    assert found.observables["double occupancy"].answer == answer.double_occupancy
    assert set(found.observables) == {"Z", "density", "double occupancy"}
    assert report_lines[-1].startswith("certificate: PASSED") and "double occupancy" in report_lines[-1]
    log = solver.log.read()
    assert log["cause"][-1] == "certificate" and log["audit"][-1] and log["true_error"][-1] == found.true_error


def test_a_certificate_changes_nothing_of_the_answer_that_was_given(stocked, family):
    solver = LearnedSolver(stocked(), exact=Scripted(), audit_rate=0)
    solver.solve(family(1.3))
    answer, decision = solver.last, solver.last_decision
    assert solver.certify().answered_by == "model"
    assert solver.last is answer and solver.last_decision is decision and decision.source == "model"
    solver.solve(family(1.3))
    assert solver.last is not answer and answer.decision is decision


def test_an_earlier_answer_can_be_certified(stocked, family):
    solver = LearnedSolver(stocked(), exact=Scripted(), audit_rate=0)
    solver.solve(family(1.3))
    first = solver.last
    solver.solve(family(1.62))
    found = solver.certify(first)
    assert found.problem_id == family(1.3).id and found.error_bound == first.decision.error_bound and found.passed


def test_failed_certificate_names_what_it_puts_in_doubt(stocked, family, monkeypatch):
    """A model that is off by 4e-6, with bounds a thousand times too small."""
    solver = LearnedSolver(stocked(), exact=Scripted(), audit_rate=0, tolerance=0.01, sigma_tolerance=0.1)
    for U in (1.1, 1.3, 1.62, 2.2):
        solver.solve(family(U))
        assert solver.last_decision.source == "model"
    predict = solver.predictor.predict
    confident = lambda p: replace(
        q := predict(p),
        solution=shifted(q.solution, 4e-6),
        error_bound=1e-3 * q.error_bound,
        sigma_bound=1e-3 * q.sigma_bound,
    )
    with monkeypatch.context() as patched:
        patched.setattr(solver.predictor, "predict", confident)
        for U in (1.05, 1.35):
            solver.solve(family(U))
    found = solver.certify()
    assert not found.held and not found.passed and "FAILED" in str(found)
    # the last two came with bounds that are too small; the first four bounds cover whatever changes
    assert found.in_doubt == "5-6"
    assert np.all(solver._knowledge.alarms_of(family(1.05)).widening.factor > 1)


def test_every_bound_counts_when_answers_are_doubted(points, family):
    """A miss of Sigma(iw0) alone, too, puts earlier answers in doubt."""
    predictor, answers = Predictor().fit(points), AcceptedAnswers()
    for number, U in enumerate((1.1, 1.3, 1.62), 1):
        answers.add(number, family(U), predictor.predict(family(U)))
    for change, doubtful in (
        ({}, ""),
        ({"sigma_bound": 0.5}, "1-3"),
        ({"error_bound": 0.5}, "1-3"),
        ({"novelty": Novelty("bath", "outside")}, "1-3"),
        ({"solution": None}, "1-3"),
    ):
        assert answers.in_doubt(lambda p, c=change: replace(predictor.predict(p), **c), Gate()) == doubtful


def test_certificate_of_an_exact_answer_is_a_second_run(family):
    exact = Scripted(wrong=[2])
    solver = LearnedSolver(None, exact=exact)
    solver.solve(family(1.0))
    with pytest.warns(RuntimeWarning, match="an exact run was wrong by"):
        found = solver.certify()
    assert found.answered_by == "ed" and found.passed and exact.calls == 3
    found = solver.certify()
    assert found.passed and found.true_error == 0 and len(solver.database) == 1


def test_certificate_of_a_wrong_exact_answer(family):
    solver = LearnedSolver(None, exact=Scripted(wrong=[1]))
    solver.solve(family(1.0))
    with pytest.warns(RuntimeWarning, match="the stored point was wrong by 0.05.*: two others agree"):
        found = solver.certify()
    assert not found.passed and found.true_error == pytest.approx(0.055, rel=0.1)


def test_nothing_to_certify(stocked, family, monkeypatch):
    solver = LearnedSolver(stocked(), exact=Scripted(), audit_rate=0)
    with pytest.raises(RuntimeError, match="call solve first"):
        solver.certify()
    solver.solve(family(1.3))
    solver.exact = "cthyb"
    monkeypatch.setattr("triqs_mlsolver.exact.registry.choose", nobody)
    with pytest.raises(NoExactSolver):
        solver.certify()


def nobody(*args, **options):
    raise NoExactSolver("no exact solver for this problem")


# -- misses


def test_a_miss_widens_at_once_and_checks_that_hold_undo_it():
    widening = Widening()
    widening.see(np.array([2.5, 0.1]))
    assert widening.factor.tolist() == [2.5, 1.0]
    widening.see(np.array([1.2, 0.1]))
    assert widening.factor.tolist() == [3.0, 1.0]
    for _ in range(100):
        widening.see(np.array([np.inf, 0.5]))
    assert widening.factor.tolist() == [10.0, 1.0]
    factors = []
    for _ in range(30):
        widening.see(np.array([0.9, 0.9]))
        factors.append(widening.factor[0])
    assert np.all(np.diff(factors) <= 0) and factors[0] < 10 and factors[-1] == 1


def test_bounds_after_a_missed_audit_are_wider(stocked, family):
    solver = LearnedSolver(stocked(), exact=Scripted(size=4e-4, wrong=range(100)), audit_rate=1.0, learn=False)
    solver.solve(family(1.3))
    before = solver.last_decision
    assert before.miss and before.true_error > before.error_bound
    solver.solve(family(1.3))
    ratio = solver.last_decision.error_bound / before.error_bound
    assert 1 < ratio < 10 and ratio == pytest.approx(before.true_error / before.error_bound, rel=1e-6)


# -- coverage of a log


def table(errors, bounds, **columns):
    log = DecisionLog(None)
    for i, (e, b) in enumerate(zip(errors, bounds)):
        row = {"true_error": e, "error_bound": b, "reason": "bound", "audit": False}
        log.append(**row | {k: v[i] for k, v in columns.items()})
    return log.read()


def test_coverage_counts_checks_with_their_interval():
    audit = [True, True, False, False]
    log = table([1.0, 2.0, 3.0, None], [1.5] * 4, noise=[0.0, 0.3, 0.3, 0.0], audit=audit)
    found = coverage(log)
    assert (found.checks, found.held) == (3, 2) and found.share == pytest.approx(2 / 3)
    assert (found.low, found.high) == pytest.approx((0.0943, 0.9916), abs=1e-4)  # Clopper and Pearson's tables
    assert coverage(log, accepted=True).checks == 2
    assert coverage(log, "Sigma").checks == 0 and np.isnan(coverage(log, "Sigma").share)
    assert coverage({}).checks == 0
    with pytest.raises(ValueError, match="'G' or 'Sigma'"):
        coverage(log, "n")


def test_novel_problems_are_no_checks():
    log = table([9.0, 1.0], [1.5, 1.5])
    log["novel"] = np.array([True, False])
    assert coverage(log).checks == 1


def test_novel_problems_are_no_checks_whatever_the_reason_says(stocked, family):
    """With tolerance 0 every reason is the same: a field of the row says what is a check."""
    solver = LearnedSolver(stocked(), exact=Scripted(), tolerance=0, learn=False)
    for U in (5.0, 6.0, 7.0, 1.1, 1.3, 1.62, 2.2):  # the first three lie outside the stored range
        solver.solve(family(U))
    log = solver.log.read()
    assert set(log["cause"]) == {"tolerance 0"} and log["novel"].tolist() == [True] * 3 + [False] * 4
    assert coverage(log).checks == coverage(log).held == 4


def test_misses_of_novel_problems_ring_no_alarm_after_a_restart():
    log = {**table([9.0] * 20, [1.5] * 20), "novel": np.ones(20, bool), "reason": np.array(["tolerance 0"] * 20)}
    assert Alarms(log).of_check(np.array([0.5, 0.5])) == ""
    assert Alarms({**log, "novel": np.zeros(20, bool)}).of_check(np.array([0.5, 0.5])) != ""


def test_interval_covers():
    """The interval contains the true share at least 95 times out of 100."""
    rng = np.random.default_rng(0)
    inside = [binomial(40, k).low <= 0.9 <= binomial(40, k).high for k in rng.binomial(40, 0.9, 500)]
    assert np.mean(inside) > 0.94


@pytest.mark.parametrize("share, rings", [(0.95, False), (0.7, True)])
def test_alarm_for_a_bound_that_breaks_more_often_than_it_claims(share, rings):
    rng = np.random.default_rng(1)
    alarms = Alarms({})
    texts = [alarms.of_check(np.array([0.5 if rng.random() < share else 1.5, 0.5])) for _ in range(100)]
    rang = [t for t in texts if t]
    assert (0 < len(rang) < 5) == rings, "an alarm is given when it begins, not at every check"
    assert all("the bound on G held in" in t for t in rang)
    assert binom.sf(14, 100, 0.05) < 1e-3 < binom.sf(11, 100, 0.05)


def test_earlier_runs_count_for_the_alarm():
    log = table([2.0] * 12 + [0.5] * 60, [1.0] * 72)
    assert "held in 60 of 73 checks" in Alarms(log).of_check(np.array([2.0, 0.0]))


def test_alarm_for_bounds_that_do_not_vary():
    alarms = Alarms({})
    texts = [alarms.of_bound(str(i), 0.001) for i in range(40)]
    assert [bool(t) for t in texts] == [i == 29 for i in range(40)]
    alarms = Alarms({})
    assert not any(alarms.of_bound(str(i), 0.001 * (1 + 0.01 * (i % 7))) for i in range(40))
    assert not any(Alarms({}).of_bound("the same problem", 0.001) for _ in range(40))


def test_a_bound_of_zero_is_not_accepted(stocked, family, monkeypatch):
    solver = LearnedSolver(stocked(), exact=Scripted(), audit_rate=0)
    solver.solve(family(1.3))
    predict = solver.predictor.predict
    monkeypatch.setattr(solver.predictor, "predict", lambda p: replace(predict(p), error_bound=0.0))
    solver.solve(family(1.35))
    assert solver.last_decision.source == "exact" and solver.last_decision.cause == "no bound"


# -- exact answers that contradict


def test_wrong_exact_answer_is_found_and_not_stored(stocked, family):
    exact = Scripted(wrong=[1])
    solver = LearnedSolver(stocked(), exact=exact, audit_rate=1.0)
    with pytest.warns(RuntimeWarning, match="an exact run was wrong by 0.05"):
        solution = solver.solve(family(1.3))
    decision = solver.last_decision
    truth = ED().solve(family(1.3))
    assert exact.calls == 3 and "contradicts the prediction" in decision.note and "wrong by" in decision.alarm
    assert compare(family(1.3), solution, truth).error < 1e-9
    assert compare(family(1.3), solver.database[-1].solution, truth).error < 1e-9 and not decision.miss


def test_wrong_exact_answer_that_breaks_a_sum_rule_is_replaced_too(stocked, family):
    """The gate would keep it out of the database; the user must not get it either."""
    exact = Scripted()
    honest = exact.solve
    exact.solve = lambda p: replace(s := honest(p), G_l=tuple(1.1 * g for g in s.G_l) if exact.calls == 1 else s.G_l)
    solver = LearnedSolver(stocked(), exact=exact, audit_rate=1.0)
    with pytest.warns(RuntimeWarning, match="an exact run was wrong by"):
        solution = solver.solve(family(1.3))
    assert compare(family(1.3), solution, ED().solve(family(1.3))).error < 1e-9 and len(solver.database) == 13


def test_surprising_answer_that_a_second_run_confirms_is_a_miss(stocked, family):
    exact = Scripted()
    exact.solve = lambda problem: shifted(ED().solve(problem), 0.05)  # reproducible
    solver = LearnedSolver(stocked(), exact=exact, audit_rate=1.0)
    solver.solve(family(1.3))
    decision = solver.last_decision
    assert decision.miss and not decision.alarm and "a second run confirms it" in decision.note
    assert decision.point == 12


def test_exact_solver_that_never_agrees_with_itself(stocked, family):
    solver = LearnedSolver(stocked(), exact=Scripted(wrong=range(10)), audit_rate=1.0)
    with pytest.warns(RuntimeWarning) as caught:
        solver.solve(family(1.3))
    texts = [str(w.message) for w in caught]
    assert any("three exact answers disagree beyond their error bars" in t for t in texts)
    assert any("exact answer not stored: exact runs disagree" in t for t in texts)
    assert len(solver.database) == 12 and solver.last_decision.point is None


def test_another_answer_to_a_stored_problem_must_agree(stocked, points):
    solver = LearnedSolver(stocked(), exact=Scripted(wrong=[1]), tolerance=0)
    with pytest.warns(RuntimeWarning, match="an exact run was wrong"):
        solver.solve(points[3][0])
    assert "it differs from stored point 3 by 0.05" in solver.last_decision.note and len(solver.database) == 12


def test_honest_solver_with_noise_raises_no_alarm(stocked, family):
    """Error bars that are right: doubtful answers are rare, alarms absent."""
    rng = np.random.default_rng(3)

    class Noisy:
        name = "noisy"

        def solve(self, problem: Problem):
            solution, sigma = ED().solve(problem), 2e-4 * problem.beta / np.sqrt(2 * problem.n_l)
            even = (np.arange(len(solution.G_l[0])) % 2 == 0)[:, None, None]
            kick = sigma * rng.normal(size=solution.G_l[0].shape) * even
            kick[0] -= np.sum(kick * np.sqrt(2 * np.arange(len(kick)) + 1)[:, None, None])  # the sum rule stays
            error = np.full(kick.shape, sigma) * even
            return replace(
                solution,
                G_l=tuple(g + kick for g in solution.G_l),
                G_l_error=(error, error),
                provenance={"solver": "noisy", "seed": int(rng.integers(1 << 30)), "G_tau_noise": 2e-3},
            )

    solver = LearnedSolver(stocked(), exact=Noisy(), audit_rate=1.0, tolerance=0.01)
    for U in np.linspace(0.6, 2.9, 25):
        solver.solve(family(U))
        assert not solver.last_decision.alarm, solver.last_decision


# -- optional tolerances


@pytest.mark.parametrize("name, what", [("density_tolerance", "density"), ("docc_tolerance", "double occupancy")])
def test_tolerances_on_density_and_double_occupancy(name, what, stocked, family):
    exact = Scripted()
    generous = LearnedSolver(stocked(), exact=exact, audit_rate=0, **{name: 1.0})
    generous.solve(family(1.3, x=0.0))
    assert exact.calls == 0 and np.isfinite(generous.last_decision.docc_bound)
    strict = LearnedSolver(stocked(), exact=exact, audit_rate=0, **{name: 1e-9})
    strict.solve(family(1.3))
    assert exact.calls == 1 and f"bound on the {what}" in strict.last_decision.reason
    with pytest.raises(ValueError, match=f"{name} = -1.0 is negative"):
        LearnedSolver(None, exact=exact, **{name: -1.0})


# -- several ranks


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_ranks_repeat_and_certify_together(stocked, family):
    """Two ranks, the first exact answer wrong on both: all ranks return the same, settled, answers."""

    def run(comm):
        comm.side = comm  # failures are told on the same channel
        solver = LearnedSolver(stocked(), exact=Scripted(wrong=[1]), audit_rate=1.0, comm=comm)
        solution = solver.solve(family(1.3))
        found = solver.certify()
        return solution.G_l[0].tobytes(), solver.last_decision.note, found.passed, solver.exact.calls

    ranks = []
    on_threads(2, lambda comm: ranks.append(run(comm)))
    assert len(ranks) == 2 and ranks[0] == ranks[1] and ranks[0][2] and ranks[0][3] == 4
