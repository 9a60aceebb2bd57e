# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""The decision loop: predict; bound within tolerance? else compute exactly, add, relearn.

Rank 0 reads the database, predicts and decides; an exact solve runs on all ranks; rank 0 alone writes.
"""

from __future__ import annotations

import os
import time
import warnings
from dataclasses import dataclass, replace

import numpy as np
from threadpoolctl import ThreadpoolController

from ..database import Database, open_database
from ..database.point import kind
from ..exact import registry
from ..model import Prediction, Predictor
from ..numerics.significance import TWO_SIDED
from ..problem import Problem, Solution
from ..problem.fingerprint import meet_over
from ..problem.solution import key_figures
from ..tools import meeting, mpi, seeds
from ..tools.constants import DEFAULT_TOLERANCE, LOG_REMEMBERED, UNCERTAIN
from ..tools.messages import report
from ..tools.validation import number
from .acceptance import Gate
from .certificate import AcceptedAnswers, Certificate, certificate
from .decision import Answer, Decision
from .exact_runs import ExactRuns
from .knowledge import Knowledge
from .log import DecisionLog


class Uncertified(RuntimeError):
    """The model cannot certify an answer and no exact solver can compute it."""


@dataclass(frozen=True)
class _Plan:
    """What rank 0 has decided.

    Attributes
    ----------
    cause, reason : str
        Why, see `Decision`.
    prediction : Prediction or None
    accept : bool
        The prediction may be the answer.
    stored : Solution or None
        An exact answer that is there; then it is the answer.
    check : {"", "audit", "certificate"}
        Why an exact run is made although the model has answered, or may.
    alarm : str
    """

    cause: str
    reason: str
    prediction: Prediction | None
    accept: bool = False
    check: str = ""
    alarm: str = ""
    stored: Solution | None = None


class LearnedSolver:
    """Answers from the database where the bound allows, and computes and learns everything else.

    Parameters
    ----------
    database : str, Database or None
        Path (created at the first point), an open database, None for memory only, or "starter": the database that comes
        with the package, read only, with your own points in `mlsolver.h5` beside it.
    exact : {"auto", "segment", "matrix", "cthyb", "ed"} or object with solve(problem)
        The exact solver.
    tolerance : float
        Largest accepted bound on max over τ of abs(ΔG(τ)); 0 means always exact (the points are still learned).
    sigma_tolerance : float, optional
        Largest accepted bound on abs(ΔΣ(iω₀)) / (ω₀ − Im Σ(iω₀)), a bound on that of Z, for Z ≥ ½;
        default: ten times `tolerance`. Below, it grows like 1/(2Z) up to five times, so that it is Z itself that is
        protected.
    density_tolerance, docc_tolerance : float, optional
        Largest accepted bounds on the errors of ⟨n⟩ per flavour and of ⟨n↑n↓⟩, each calibrated on its own; None, the
        default, accepts any.
    audit_rate : float
        Share of accepted answers that are checked by an exact run.
    learn : bool
        False: the database is read only and nothing is added.
    allow_uncertified : bool
        Where neither model nor exact solver can answer within the tolerance: return the prediction, loudly marked,
        instead of raising `Uncertified`.
    random_seed : int
        Seed of the choice of audits and of exact runs.
    n_threads : int
        Chains the embedded CTQMC samples at the same time in this process, where it is the only rank.
    comm : mpi.Comm, optional
        Communicator; all its ranks call `solve` together. Default: all ranks of the launch.

    Examples
    --------
    >>> solver = LearnedSolver(None, exact="ed", tolerance=0.002)
    >>> problem = Problem.siam(beta=10.0, U=2.0, mu=1.0, eps=[-0.5, 0.5], V=[0.35, 0.35])
    >>> solution = solver.solve(problem)
    >>> solver.last_decision.source, len(solver.database)
    ('exact', 1)
    """

    def __init__(
        self,
        database: str | os.PathLike | Database | None = None,
        *,
        exact: str | registry.ExactSolver = "auto",
        tolerance: float = DEFAULT_TOLERANCE,
        sigma_tolerance: float | None = None,
        density_tolerance: float | None = None,
        docc_tolerance: float | None = None,
        audit_rate: float = 0.01,
        learn: bool = True,
        allow_uncertified: bool = False,
        random_seed: int = seeds.DEFAULT,
        n_threads: int = 1,
        comm: mpi.Comm | None = None,
    ):
        self.exact = exact
        self._gate = Gate(tolerance, sigma_tolerance, density_tolerance, docc_tolerance)
        self.tolerance, self.sigma_tolerance = self._gate.tolerance, self._gate.sigma_tolerance
        self.audit_rate = number("audit_rate", audit_rate, "a share between 0 and 1")
        if self.audit_rate > 1:
            raise ValueError(f"audit_rate = {audit_rate} is not a share: give a number between 0 and 1")
        registry.check(exact)
        self.learn = learn
        self.allow_uncertified = allow_uncertified
        self.random_seed = random_seed
        self.comm = mpi.world() if comm is None else comm
        self._runs = ExactRuns(tolerance=self.tolerance, random_seed=random_seed, n_threads=n_threads, comm=self.comm)
        self.last: Answer | None = None
        self._random = np.random.default_rng(random_seed)
        self._last_noise = 0.0  # statistical error of the last answer
        self._accepted = AcceptedAnswers()
        self._n_solves = 0
        self._blas: ThreadpoolController | None = None
        self._knowledge: Knowledge | None = None  # on rank 0 only
        meeting.meet(self.comm, "LearnedSolver()")
        mpi.on_root(self.comm, self._open, database)

    def _open(self, database) -> None:
        known = isinstance(database, Database)
        database = database if known else open_database(database, read_only=not self.learn)
        if self.learn and database.read_only:
            raise ValueError(f"{database!r} was opened read only: pass learn=False, or open it for writing")
        path = database.path
        self.log = DecisionLog(f"{path}.log" if path and self.learn else None)
        log = self.log.read(last=LOG_REMEMBERED)
        self._knowledge = Knowledge(database, log, learn=self.learn, random_state=self.random_seed % 2**32)
        if path:
            on_top = f" with those of {database.base}" if database.base else ""
            report(f"database {path}: {len(database)} points{on_top}" + ("" if self.learn else ", read only"))
            if self.learn and (obstacle := database.obstacle):
                report(f"database {path}: what is computed CANNOT BE STORED, {obstacle}; it will be kept elsewhere")

    @property
    def database(self) -> Database | None:
        """The database; on rank 0 only."""
        return None if self._knowledge is None else self._knowledge.database

    @property
    def last_decision(self) -> Decision | None:
        """How the last `solve` was answered; None before. What certificates find later does not change it."""
        return None if self.last is None else self.last.decision

    @property
    def predictor(self) -> Predictor | None:
        """The model that was asked last, of one kind of problem; on rank 0 only, from the first solve on."""
        return None if self._knowledge is None else self._knowledge.predictor

    # -- solving ---------------------------------------------------------------------------------------------------

    def solve(
        self, problem: Problem, *, exact_parameters: dict | None = None, force_exact: str | None = None
    ) -> Solution:
        """Answer `problem` within the tolerance.

        Parameters
        ----------
        problem : Problem
        exact_parameters : dict, optional
            Run parameters for the exact solver, should it be needed.
        force_exact : str, optional
            A reason to run the exact solver whatever the model says.

        Returns
        -------
        Solution
            In the units and block order of the problem.

        Raises
        ------
        Uncertified
            If the model cannot certify an answer and no exact solver takes the problem.
        TimeoutError, ValueError
            If not all ranks call it, or not all with the same problem; see `tools.meeting`.
        """
        meet_over(self.comm, "solve", problem)
        with self._one_blas_thread():
            return self._solve(problem, exact_parameters or {}, force_exact)

    def _solve(self, problem: Problem, exact_parameters: dict, force_exact: str | None) -> Solution:
        start = time.perf_counter()
        self._n_solves += 1
        plan = mpi.on_root(self.comm, self._plan, problem, force_exact)
        if plan.stored is not None:
            by = plan.stored.provenance.get("solver", "")
            solution, decision = plan.stored, self._decision(problem, plan, "stored", by)
        elif plan.accept and not plan.check:
            solution, decision = plan.prediction.solution, self._decision(problem, plan, "model", "model")
        else:
            solution, decision = self._compute(problem, plan, exact_parameters)
        self._last_noise = solution.provenance.get("G_tau_noise", 0.0)
        decision = replace(decision, seconds=time.perf_counter() - start)
        mpi.on_root(self.comm, self._record, decision, problem, solution)
        self.last = Answer(problem, solution, decision, None if plan.stored else plan.prediction)
        if decision.source == "model":
            self._accepted.add(decision.number, problem, plan.prediction)
        return solution

    def certify(self, answer: Answer | None = None, *, exact_parameters: dict | None = None) -> Certificate:
        """Solve the last problem exactly and hold the answer that was given against it; to be called after convergence.

        The exact answer is learned; the answer that was given, and `last_decision`, stay what they are. Where a bound
        did not hold, the model is calibrated anew and the certificate names the earlier answers of this run that it
        puts in doubt. An answer that was exact already is checked by a second run with another seed.

        Parameters
        ----------
        answer : Answer, optional
            An earlier `last`, to be certified in its place.
        exact_parameters : dict, optional
            Run parameters for the exact solver; the run gets a seed of its own.

        Returns
        -------
        Certificate
            Claimed bounds, true errors, and whether Z, density and double occupancy agree. `str()` gives the report.

        Raises
        ------
        RuntimeError
            If nothing has been solved yet.
        NoExactSolver
            If no exact solver takes the problem.
        """
        answer = answer or self.last
        if answer is None:
            raise RuntimeError("nothing to certify yet: call solve first")
        meet_over(self.comm, "certify", answer.problem)
        with self._one_blas_thread():
            parameters = {k: v for k, v in (exact_parameters or {}).items() if k != "random_seed"}
            return self._certify(answer, parameters)

    def _certify(self, answer: Answer, exact_parameters: dict) -> Certificate:
        start = time.perf_counter()
        by_model = not answer.decision.has_error_bars
        check = "certificate" if by_model else ""
        prediction = answer.prediction or mpi.on_root(self.comm, self._predict, answer.problem)
        plan = _Plan("certificate", "certificate", prediction, check=check)
        exact, decision = self._compute(answer.problem, plan, exact_parameters, may_fall_back=False)
        decision = replace(decision, seconds=time.perf_counter() - start)
        mpi.on_root(self.comm, self._record, decision, answer.problem, exact)
        p = prediction
        claimed = (p.error_bound, p.sigma_bound, p.density_bound, p.docc_bound)
        bounds = claimed if by_model else (0.0, 0.0, 0.0, 0.0)
        solver = answer.decision.solver
        made = mpi.on_root(
            self.comm, certificate, answer.problem, solver, bounds, answer.solution, exact, decision.in_doubt
        )
        mpi.on_root(self.comm, report, str(made))
        return made

    def _one_blas_thread(self):
        """The matrices are small and the ranks share the machine: more threads only wait for each other."""
        if self._blas is None:
            self._blas = ThreadpoolController()
        return self._blas.limit(limits=1, user_api="blas")

    def _seeds_of(self, problem: Problem) -> set[int]:
        return self._knowledge.seeds_of(problem)

    def _predict(self, problem: Problem) -> Prediction:
        return self._knowledge.predict(problem)

    def _plan(self, problem: Problem, force_exact: str | None) -> _Plan:
        """Rank 0: predict and decide."""
        self._knowledge.refresh()
        self._gate.see(problem, self._last_noise)
        if not force_exact and (
            found := self._knowledge.stored_answer(problem, registry.name_of(self.exact), self._gate)
        ):
            point, solution, noise = found
            error_bar, sigma_bar = TWO_SIDED * np.array(noise)
            reason = f"error bar {error_bar:.2g} <= {self.tolerance:.2g}, of Sigma(iw0) {sigma_bar:.2g}"
            reason += f" | point {point.index}"
            claimed = Prediction(None, float(error_bar), float(sigma_bar), None, nearest=0.0)
            return _Plan("stored", reason, claimed, stored=solution)
        prediction = self._knowledge.predict(problem)
        if force_exact:
            return _Plan("asked for", force_exact, prediction)
        if refusal := self._gate.refusal(problem, prediction):
            return _Plan(refusal.cause, refusal.reason, prediction)
        check = "audit" if self._random.random() < self.audit_rate else ""
        reason = f"bound {prediction.error_bound:.2g} <= {self._gate.affordable:.2g}{self._gate.creeping}"
        alarm = self._knowledge.alarms_of(problem).of_bound(problem.id, prediction.error_bound)
        return _Plan("within tolerance", reason, prediction, True, check, alarm)

    def _compute(
        self, problem: Problem, plan: _Plan, parameters: dict, may_fall_back: bool = True
    ) -> tuple[Solution, Decision]:
        """All ranks: run the exact solver and learn from it."""
        self._runs.avoid(mpi.on_root(self.comm, self._seeds_of, problem))
        try:
            solver = self._runs.solver(self.exact, problem, parameters)
        except registry.NoExactSolver as error:
            if not may_fall_back:
                raise
            return self._without_exact_solver(problem, plan, error)
        solution = self._runs.run(solver, problem)
        alarm, sound = plan.alarm, True
        why, stored = mpi.on_root(self.comm, self._doubt, problem, solution, plan.prediction)
        if why:
            settled = self._runs.settle(self.exact, problem, solution, parameters, stored)
            solution, sound, alarm = settled.solution, settled.sound, _joined(alarm, settled.alarm)
            why = _joined(why, "" if settled.alarm else "a second run confirms it") + "; "
        outcome = mpi.on_root(self.comm, self._learn, problem, solution, plan, sound)
        remark = self._runs.remark(solution, parameters)
        outcome = {**outcome, "note": why + outcome["note"] + remark, "alarm": _joined(alarm, outcome["alarm"])}
        if outcome.get("objection"):
            solution = replace(solution, provenance={**solution.provenance, "refused": outcome["objection"]})
        return solution, replace(self._decision(problem, plan, "exact", solver.name), **outcome)

    def _without_exact_solver(self, problem: Problem, plan: _Plan, error: Exception) -> tuple[Solution, Decision]:
        if plan.accept:  # the audit falls away, the certified answer stays
            return plan.prediction.solution, self._decision(problem, plan, "model", "model")
        if self.allow_uncertified and plan.prediction.solution is not None:
            solution = plan.prediction.solution
            marked = replace(solution, provenance={**solution.provenance, "uncertified": plan.reason})
            return marked, self._decision(problem, plan, "uncertified", "model")
        raise Uncertified(f"{plan.reason}, and {error}") from error

    def _doubt(self, problem: Problem, exact: Solution, prediction: Prediction) -> tuple[str, Solution | None]:
        """Rank 0: see `Knowledge.doubt`."""
        return self._knowledge.doubt(problem, exact, prediction, self.tolerance)

    def _learn(self, problem: Problem, exact: Solution, plan: _Plan, sound: bool) -> dict:
        """Rank 0: learn from an exact answer. Returns fields of the decision."""
        outcome = self._knowledge.learn_from(problem, exact, plan.prediction, sound=sound, check=plan.check)
        if plan.check and outcome.get("miss"):
            outcome["in_doubt"] = self._accepted.in_doubt(self._knowledge.predict, self._gate)
        return outcome

    # -- reporting -------------------------------------------------------------------------------------------------

    def _decision(self, problem: Problem, plan: _Plan, source: str, solver: str) -> Decision:
        p = plan.prediction
        bounds = (p.error_bound, p.sigma_bound, self.tolerance, self.sigma_tolerance)
        more = {"kind": kind(problem), "number": self._n_solves, "novel": p.novel is not None, "alarm": plan.alarm}
        more |= {"density_bound": p.density_bound, "docc_bound": p.docc_bound}
        return Decision(source, solver, plan.cause, plan.reason, *bounds, p.nearest, 0.0, problem.id, **more)

    def _record(self, decision: Decision, problem: Problem, solution: Solution) -> None:
        """Rank 0: report and log how a solve was answered; warn where it must not be overlooked."""
        report(str(decision))
        kept = problem if _worth_refreshing(decision) else None
        try:
            self.log.append(problem=kept, **decision.row(), **key_figures(problem, solution))
        except OSError as error:  # the answer is worth more than its row
            warnings.warn(
                f"solve {decision.number} is missing in the log {self.log.path}: {error}", RuntimeWarning, stacklevel=2
            )
        if decision.alarm:
            warnings.warn(f"solve {decision.number}: {decision.alarm}", RuntimeWarning, stacklevel=2)


def _worth_refreshing(decision: Decision) -> bool:
    """A model's answer so uncertain that `refresh` may want to compute the problem: then the log keeps it."""
    large = decision.error_bound > UNCERTAIN * decision.tolerance
    return decision.source in ("model", "uncertified") and (
        large or decision.sigma_bound > UNCERTAIN * decision.sigma_tolerance
    )


def _joined(*texts: str) -> str:
    return "; ".join(t for t in texts if t)
