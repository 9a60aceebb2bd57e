# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""The decision loop: predict; bound within tolerance? else compute exactly, add, relearn.

Rank 0 reads the database, predicts and decides; an exact solve runs on all ranks; rank 0 alone writes.
"""

from __future__ import annotations

import os
import time
import warnings
from dataclasses import asdict, dataclass, replace

import numpy as np
from threadpoolctl import ThreadpoolController

from . import mpi
from .database import Database, DecisionLog
from .exact import registry
from .exact.quality import objections
from .messages import report
from .model import Prediction, Predictor
from .numerics import legendre
from .problem import Problem
from .slowing import CriticalSlowing
from .solution import Solution

DEFAULT_TOLERANCE = 0.002
DEFAULT_SIGMA_TOLERANCE = 0.02
_TARGET_SHARE = 0.2  # error bar of an exact run, as a share of the tolerance


class Uncertified(RuntimeError):
    """The model cannot certify an answer and no exact solver can compute it."""


@dataclass(frozen=True)
class Decision:
    """How one solve was answered. `str()` gives the report line.

    Attributes
    ----------
    source : {"model", "exact", "uncertified"}
    solver : str
        "model", or the name of the exact solver.
    reason : str
        Why this source was taken.
    error_bound, sigma_bound : float
        Bounds of the prediction on max abs(ΔG(τ)) and on the relative error of Σ(iω₀) (inf without a prediction).
    tolerance, sigma_tolerance : float
        What the user accepts.
    nearest : float
        Distance to the nearest stored point in the kernel's feature space.
    seconds : float
        Wall time of the whole solve.
    problem_id : str
    point : int or None
        Number of the point added to the database.
    note : str
        What became of an exact answer, or the outcome of an audit.
    audit : bool
        An accepted prediction was checked by an exact run.
    true_error, true_sigma_error : float or None
        Errors of the prediction against the exact answer, where both are known.
    miss : bool
        The true error exceeded the bound by more than the exact answer's own error bars allow.
    """

    source: str
    solver: str
    reason: str
    error_bound: float
    sigma_bound: float
    tolerance: float
    sigma_tolerance: float
    nearest: float
    seconds: float
    problem_id: str
    point: int | None = None
    note: str = ""
    audit: bool = False
    true_error: float | None = None
    true_sigma_error: float | None = None
    miss: bool = False

    def __str__(self) -> str:
        duration = f"{1e3 * self.seconds:.0f} ms" if self.seconds < 1 else f"{self.seconds:.1f} s"
        if self.source == "model":
            parts = ["model", self.reason, f"nearest point {self.nearest:.2g}", duration]
        elif self.source == "uncertified":
            parts = ["NOT CERTIFIED model answer", self.reason, duration]
        else:
            parts = [f"exact ({self.solver})", self.reason, duration]
        return "mlsolver: " + " | ".join([*parts, *([self.note] if self.note else [])])


@dataclass(frozen=True)
class _Plan:
    """What rank 0 has decided."""

    accept: bool
    audit: bool
    reason: str
    prediction: Prediction


class LearnedSolver:
    """Answers from the database where the bound allows, and computes and learns everything else.

    Parameters
    ----------
    database : str, Database or None
        Path (created at the first point), an open database, or None for memory only.
    exact : {"auto", "segment", "cthyb", "ed"} or object with solve(problem)
        The exact solver.
    tolerance : float
        Largest accepted bound on max over τ of abs(ΔG(τ)); 0 means always exact (the points are still learned).
    sigma_tolerance : float, optional
        Largest accepted bound on abs(ΔΣ(iω₀)) / (ω₀ − Im Σ(iω₀)), a bound on that of Z, for Z ≥ ½;
        default 0.02. Below, it grows like 1/(2Z) up to five times, so that it is Z itself that is protected.
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
        audit_rate: float = 0.01,
        learn: bool = True,
        allow_uncertified: bool = False,
        random_seed: int = 34788,
        n_threads: int = 1,
        comm: mpi.Comm | None = None,
    ):
        self.exact = exact
        self.tolerance = _number("tolerance", tolerance, "0 means always exact; the default is 0.002")
        self.sigma_tolerance = _number(
            "sigma_tolerance",
            DEFAULT_SIGMA_TOLERANCE if sigma_tolerance is None else sigma_tolerance,
            "the default is 0.02",
        )
        self.audit_rate = _number("audit_rate", audit_rate, "a share between 0 and 1")
        if self.audit_rate > 1:
            raise ValueError(f"audit_rate = {audit_rate} is not a share: give a number between 0 and 1")
        registry.check(exact)
        self.learn = learn
        self.allow_uncertified = allow_uncertified
        self.random_seed = random_seed
        self.n_threads = n_threads
        self.comm = mpi.world() if comm is None else comm
        self.last_decision: Decision | None = None
        self.predictor: Predictor | None = None
        self._random = np.random.default_rng(random_seed)
        self._slowing = CriticalSlowing()
        self._last_noise = 0.0  # statistical error of the last answer
        self._n_exact = 0
        self._blas: ThreadpoolController | None = None
        self.database: Database | None = None  # on rank 0 only
        mpi.on_root(self.comm, self._open, database)

    def _open(self, database) -> None:
        self.database = database if isinstance(database, Database) else Database(database, read_only=not self.learn)
        if self.learn and self.database.read_only:
            raise ValueError(f"{self.database!r} was opened read only: pass learn=False, or open it for writing")
        path = self.database.path
        self.log = DecisionLog(f"{path}.log" if path and self.learn else None)
        if path:
            report(f"database {path}: {len(self.database)} points" + ("" if self.learn else ", read only"))

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
        """
        with self._one_blas_thread():
            return self._solve(problem, exact_parameters or {}, force_exact)

    def _solve(self, problem: Problem, exact_parameters: dict, force_exact: str | None) -> Solution:
        start = time.perf_counter()
        plan = mpi.on_root(self.comm, self._plan, problem, force_exact)
        if plan.accept and not plan.audit:
            solution, decision = plan.prediction.solution, self._decision(problem, plan, "model", "model")
        else:
            solution, decision = self._compute(problem, plan, exact_parameters)
        self._last_noise = solution.provenance.get("G_tau_noise", 0.0)
        decision = replace(decision, seconds=time.perf_counter() - start)
        mpi.on_root(self.comm, self._record, decision)
        self.last_decision = decision
        return solution

    def _one_blas_thread(self):
        """The matrices are small and the ranks share the machine: more threads only wait for each other."""
        if self._blas is None:
            self._blas = ThreadpoolController()
        return self._blas.limit(limits=1, user_api="blas")

    def _plan(self, problem: Problem, force_exact: str | None) -> _Plan:
        """Rank 0: predict and decide."""
        predictor = self._up_to_date()
        prediction = predictor.predict(problem)
        self._slowing.see(problem, self._last_noise)
        if force_exact:
            return _Plan(False, False, force_exact, prediction)
        if self.tolerance == 0:
            return _Plan(False, False, "tolerance 0", prediction)
        if prediction.novel:
            return _Plan(False, False, f"novel: {prediction.novel}", prediction)
        share = self._slowing.share
        why = "" if share == 1 else f" (tolerance / {1 / share:.1f}: the loop creeps)"
        tolerance = share * self.tolerance
        sigma_tolerance = self.sigma_tolerance * _allowance(problem, prediction.solution)
        if not prediction.error_bound <= tolerance:
            return _Plan(False, False, f"bound {prediction.error_bound:.2g} > {tolerance:.2g}{why}", prediction)
        if not prediction.sigma_bound <= sigma_tolerance:
            reason = f"bound on Sigma(iw0) {prediction.sigma_bound:.2g} > {sigma_tolerance:.2g}"
            return _Plan(False, False, reason, prediction)
        audit = bool(self._random.random() < self.audit_rate)
        return _Plan(True, audit, f"bound {prediction.error_bound:.2g} <= {tolerance:.2g}{why}", prediction)

    def _up_to_date(self) -> Predictor:
        """The predictor, with everything learned that has come into the database."""
        fresh = self.database.refresh()
        if self.predictor is None:
            self.predictor = Predictor(random_state=self.random_seed % 2**32).fit(self.database)
        else:
            for point in fresh:
                self.predictor.add(point.problem, point.solution)
        return self.predictor

    def _compute(self, problem: Problem, plan: _Plan, parameters: dict) -> tuple[Solution, Decision]:
        """All ranks: run the exact solver and learn from it."""
        try:
            solver = self._exact_solver(problem, parameters)
        except registry.NoExactSolver as error:
            if plan.accept:  # the audit falls away, the certified answer stays
                return plan.prediction.solution, self._decision(problem, plan, "model", "model")
            if self.allow_uncertified and plan.prediction.solution is not None:
                return plan.prediction.solution, self._decision(problem, plan, "uncertified", "model")
            raise Uncertified(f"{plan.reason}, and {error}") from error
        self._n_exact += 1
        with mpi.shared_errors(self.comm, f"the exact solve ({solver.name})"):
            solution = solver.solve(problem)
        outcome = mpi.on_root(self.comm, self._learn, problem, solution, plan)
        return solution, replace(self._decision(problem, plan, "exact", solver.name), **outcome)

    def _exact_solver(self, problem: Problem, parameters: dict):
        if problem.is_isolated and problem.is_density_density and problem.is_diagonal:
            return AtomicLimit()
        options = {
            "target_error": _TARGET_SHARE * self.tolerance or None,
            "comm": self.comm,
            "n_threads": self.n_threads,
        }
        options |= parameters
        options.setdefault("random_seed", self.random_seed + 7919 * self._n_exact)
        return registry.choose(self.exact, problem, **options)

    def _learn(self, problem: Problem, solution: Solution, plan: _Plan) -> dict:
        """Rank 0: compare with the prediction, store the point, relearn. Returns fields of the decision."""
        wrong = objections(problem, solution)
        outcome = {"audit": plan.audit, "note": ""} if wrong else self._comparison(problem, solution, plan)
        if solution.provenance.get("solver") == AtomicLimit.name:
            return {**outcome, "note": "isolated atom, nothing to learn"}
        if not self.learn:
            return {**outcome, "note": outcome["note"] + "not added: learn=False"}
        if wrong:
            file = self.database.save_replay(problem, "; ".join(wrong))
            where = f"; inputs saved as {file}" if file else ""
            warnings.warn(f"exact answer not stored: {'; '.join(wrong)}{where}", RuntimeWarning, stacklevel=2)
            return {**outcome, "note": "not added: " + wrong[0]}
        known = len(self.database)
        fidelity = solution.provenance.get("fidelity", "exact")
        point = self.database.add(problem, solution, fidelity=fidelity)
        if len(self.database) == known:
            return {**outcome, "note": f"{outcome['note']}already there as point {point.index}"}
        for new in self.database[known:]:  # the stored one, and what others have added meanwhile
            self.predictor.add(new.problem, new.solution)
        return {**outcome, "point": point.index, "note": f"{outcome['note']}added as point {point.index}"}

    def _comparison(self, problem: Problem, exact: Solution, plan: _Plan) -> dict:
        """True errors of the prediction, and whether they exceed the bound by more than the exact answer's noise."""
        fields = {"audit": plan.audit, "note": "", "true_error": None, "true_sigma_error": None, "miss": False}
        model = plan.prediction.solution
        if model is None:
            return fields
        tau, _ = legendre.quadrature(problem.beta, 64)
        tau = np.concatenate([[0.0], tau, [problem.beta]])
        difference = [np.abs(a - b) for a, b in zip(model.G_tau(tau), exact.G_tau(tau))]
        fields["true_error"] = max(float(np.max(e)) for e in difference)
        fields["true_sigma_error"] = sigma_distance(problem, model, exact)
        if plan.prediction.novel is None:
            noise, sigma_noise = label_noise(problem, exact)
            off = fields["true_error"] > plan.prediction.error_bound + 2 * noise
            sigma_off = fields["true_sigma_error"] > plan.prediction.sigma_bound + 2 * sigma_noise
            fields["miss"] = bool(off or sigma_off)
        if plan.audit:
            verdict = "MISSED" if fields["miss"] else "held"
            true = f"true error {fields['true_error']:.2g}, of Sigma(iw0) {fields['true_sigma_error']:.2g}"
            fields["note"] = f"audit: bounds {verdict}, {true}; "
        return fields

    # -- reporting -------------------------------------------------------------------------------------------------

    def _decision(self, problem: Problem, plan: _Plan, source: str, solver: str) -> Decision:
        p = plan.prediction
        bounds = (p.error_bound, p.sigma_bound, self.tolerance, self.sigma_tolerance)
        return Decision(source, solver, plan.reason, *bounds, p.nearest, 0.0, problem.id)

    def _record(self, decision: Decision) -> None:
        report(str(decision))
        self.log.append(
            **{name: value for name, value in asdict(decision).items() if value is not None and _finite(value)}
        )


def _allowance(problem: Problem, solution: Solution) -> float:
    """Factor for the tolerance on the relative error of Σ(iω₀): 1 for Z ≥ ½, growing like 1/(2Z) up to 5."""
    Z = float(np.max(solution.Z(problem)))
    return float(np.clip(0.5 / max(Z, 1e-9), 1.0, 5.0))


class AtomicLimit:
    """The isolated atom, solved in closed form (Hubbard-I is exact there)."""

    name = "atom"

    def solve(self, problem: Problem) -> Solution:
        """G of the atom; the hybridisation is taken as zero."""
        from .approximations import HubbardI

        solution = HubbardI().solve(problem)
        return replace(solution, provenance={**solution.provenance, "solver": self.name})


def sigma_distance(problem: Problem, a: Solution, b: Solution) -> float:
    """abs(ΔΣ(iω₀)) / (ω₀ − Im Σ(iω₀)) between two solutions, largest over flavours; `b` is the reference."""
    distance = 0.0
    for Sa, Sb in zip(a.Sigma_iw(problem, 1), b.Sigma_iw(problem, 1)):
        reference = np.abs(np.pi / problem.beta - np.diagonal(Sb[0]).imag)
        distance = max(distance, float(np.max(np.abs(np.diagonal(Sa[0] - Sb[0])) / reference)))
    return distance


def label_noise(problem: Problem, exact: Solution) -> tuple[float, float]:
    """Statistical error of an exact answer: largest over τ of G(τ), and of Σ(iω₀) relative to ω₀ − Im Σ(iω₀).

    As the solver tells (`G_tau_noise`, `G_iw0_noise`), else from the error bars of G_l, taken as independent.
    """
    at_tau = max(float(np.max(e)) for e in exact.G_tau_error(np.linspace(0, problem.beta, 101)))
    tau_noise = float(exact.provenance.get("G_tau_noise", at_tau))
    iw_noise = problem.beta * float(exact.provenance.get("G_iw0_noise", tau_noise))
    worst = 0.0
    for G, Sigma in zip(exact.G_iw(1), exact.Sigma_iw(problem, 1)):
        reference = np.abs(np.diagonal(G[0])) ** 2 * np.abs(np.pi / problem.beta - np.diagonal(Sigma[0]).imag)
        worst = max(worst, float(np.max(iw_noise / reference)))
    return tau_noise, worst


def _number(name: str, value: float, allowed: str) -> float:
    if isinstance(value, (str, bytes)) or not np.isscalar(value):
        raise TypeError(f"{name} = {value!r} is not a number: {allowed}")
    value = float(value)
    if not (np.isfinite(value) and value >= 0):
        raise ValueError(f"{name} = {value} is negative or not a number: {allowed}")
    return value


def _finite(value) -> bool:
    return not isinstance(value, float) or np.isfinite(value)
