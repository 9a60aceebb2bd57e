# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Spend a budget of exact runs where they help a database most."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from threadpoolctl import threadpool_limits

from ..database import Database, DatabaseError, Point, open_database
from ..database.point import kind
from ..database.table import best_of_each_problem
from ..decision.log import DecisionLog
from ..decision.models import fitted_model
from ..exact import registry
from ..problem import Problem
from ..problem.fidelity import as_good_as
from ..tools import mpi, seeds
from ..tools.constants import MIN_POINTS, TARGET_SHARE
from ..tools.validation import check_number, whole
from .candidates import Candidates, most_uncertain, recombined
from .generate import answer

_SHARES = (0.25, 0.25, 0.5, 1.0)  # of what is left of a round
_ROUND = 10  # exact runs, or one per rank, between two looks at the model
_POOL, _PROBES = 600, 100  # candidates to choose from; problems on which the bound is watched
_STORED = 2000  # points that candidates are made of
_NOISY = 0.25  # share of the tolerance above which a label's noise limits the model
_BETTER = 0.7  # a new label replaces a noisy one if its error bar is at most this share of the old one
_PATIENCE = 5.0


@dataclass(frozen=True)
class State:
    """How good a model is: median and 95 % quantile of leave-out errors of G(τ), and of bounds on new problems."""

    points: int
    error: tuple[float, float]
    bound: tuple[float, float]


@dataclass(frozen=True)
class Refreshed:
    """What `refresh` has done: exact runs by reason, runs refused, seconds, and the model before and after."""

    runs: dict[str, int]
    refused: int
    seconds: float
    before: State
    after: State


@dataclass(frozen=True)
class _Task:
    reason: str
    problem: Problem
    replaces: str | None = None  # id of the noisy point


def refresh(
    database: str | os.PathLike | Database,
    *,
    budget: int | None = None,
    minutes: float | None = None,
    exact: str | registry.ExactSolver = "auto",
    tolerance: float = 0.002,
    share: bool = False,
    seed: int = 0,
    options: dict | None = None,
    comm: mpi.Comm | None = None,
    watch: Callable[[int, int], None] | None = None,
) -> Refreshed:
    """Improve a database by exact runs, until the budget is spent.

    In every round, in this order: problems whose bound failed in an audit are computed again with another seed; labels
    whose error bars limit the model are computed again, and replaced if that made them better; problems that runs found
    most uncertain (decision log) are added; the rest of the round goes to the problems with the largest error bounds
    among recombinations of what is stored (see `candidates`).

    Parameters
    ----------
    database : path or Database
        Under MPI a path.
    budget : int, optional
        Exact runs to spend.
    minutes : float, optional
        No run is started after this time. Give either, or both.
    exact : str or object with solve(problem)
        See `exact.registry`.
    tolerance : float
        Error bound that the model is to reach; labels noisier than a quarter of it are computed again, and Monte Carlo
        runs aim at a fifth.
    share : bool
        Under MPI: all ranks share each run. Otherwise each rank takes runs of its own.
    seed : int
        Of the choice of candidates, and of Monte Carlo runs.
    options : dict, optional
        Run parameters of the exact solver.
    comm : mpi.Comm, optional
    watch : callable, optional
        Called on rank 0 with the number of runs done and the budget, after each round.

    Raises
    ------
    ValueError
        Without budget and minutes.
    DatabaseError
        For a database with fewer than five points.
    """
    comm = mpi.world() if comm is None else comm
    start = time.perf_counter()
    with mpi.shared_errors(comm, "the preparation"):
        _check(budget, minutes)
        whole("seed", seed, 0)
        registry.check(exact)
        registry.check_options(options or {})
        check_number("tolerance", tolerance, "a positive error bound on G(tau), for example 0.002", positive=True)
        work = _Work(database, exact, tolerance, seed, options or {}, comm, share)
        planner = _Planner(work, budget, minutes, start) if mpi.is_root(comm) else None
    before = mpi.on_root(comm, lambda: planner.state())
    while tasks := mpi.on_root(comm, lambda: planner.next_round()):
        with mpi.shared_errors(comm, "the exact runs", _PATIENCE), threadpool_limits(1, user_api="blas"):
            for number in range(len(tasks)) if share else range(comm.rank, len(tasks), comm.size):
                if not mpi.on_root(comm, lambda: planner.has_time()) if share else not _has_time(start, minutes):
                    break
                work.run(tasks[number])
        done = comm.allgather(work.done)
        if watch and mpi.is_root(comm):
            watch(sum(len(d) for d in done), budget or 0)
    done, refused = comm.allgather(work.done), comm.allreduce(work.refused)
    runs = Counter(reason for d in (done[:1] if share else done) for reason in d)
    after = mpi.on_root(comm, lambda: planner.state(anew=True))
    return Refreshed(dict(runs), refused, time.perf_counter() - start, before, after)


def _check(budget: int | None, minutes: float | None) -> None:
    if budget is None and minutes is None:
        raise ValueError("nothing to spend: give a budget of exact runs, minutes, or both")
    if budget is not None:
        whole("budget", budget, 1, "a whole number of exact runs, at least 1")
    if minutes is not None:
        check_number("minutes", minutes, "a positive time", positive=True)


def _has_time(start: float, minutes: float | None) -> bool:
    return minutes is None or time.perf_counter() - start < 60 * minutes


@dataclass
class _Work:
    """What every rank does: runs."""

    database: str | os.PathLike | Database
    exact: str | registry.ExactSolver
    tolerance: float
    seed: int
    options: dict
    comm: mpi.Comm
    share: bool
    done: list[str] = field(default_factory=list)
    refused: int = 0

    def __post_init__(self):
        if not isinstance(self.database, Database):
            self.database = open_database(self.database)
        elif self.comm.size > 1 and self.database.path is None:
            raise ValueError("a database in memory cannot be shared by several ranks: give a path")

    def run(self, task: _Task) -> None:
        """Solve one problem exactly and store the answer."""
        options = {"target_error": TARGET_SHARE * self.tolerance, "random_seed": self._seed()}
        if self.share:
            options["comm"] = self.comm
        solver = registry.choose(self.exact, task.problem, **options | self.options)
        solution, reason = answer(solver, task.problem)
        self.done.append(task.reason)
        if self.share and not mpi.is_root(self.comm):
            return
        if reason:
            self.refused += 1
            self.database.save_replay(task.problem, reason, solver=solver.name)
            return
        point = self.database.add(task.problem, solution, refreshed=task.reason)
        if task.replaces and _noise(point) < _BETTER * _noise(self.database[task.replaces]):
            self.database.remove(task.replaces, f"computed again with smaller error bars as {point.id}")

    def _seed(self) -> int:
        """Of the next run, different on all ranks where they run on their own."""
        number = len(self.done) * (1 if self.share else self.comm.size) + (0 if self.share else self.comm.rank)
        return seeds.mixed(self.seed, len(self.database), number)


class _Planner:
    """What rank 0 alone does: look at the model and choose."""

    def __init__(self, work: _Work, budget: int | None, minutes: float | None, start: float):
        self.work, self.minutes, self.start = work, minutes, start
        self.database = work.database
        self.left = np.inf if budget is None else int(budget)
        self.log = DecisionLog(f"{self.database.path}.log" if self.database.path else None)
        self.random = np.random.default_rng(work.seed)
        self.example = self._most_common()
        self.predictor = fitted_model(self.database, self.example)
        if self.predictor.n_points_ < MIN_POINTS:
            raise self._too_few()
        self.learned = set(self.database.ids)
        self.tried: set[str] = set()
        self.pool = Candidates([], self.predictor.descriptor_)
        self.noisy = self._noisy_labels()
        probes = recombined(self._some_stored(), np.random.default_rng(0), _PROBES)
        self.probes = Candidates(probes, self.predictor.descriptor_)

    def has_time(self) -> bool:
        return _has_time(self.start, self.minutes)

    def state(self, anew: bool = False) -> State:
        """Of the model now; `anew`: fitted to what is stored, without what was replaced."""
        if anew:
            self._learn()
            if self.learned - set(self.database.ids):
                self.predictor = fitted_model(self.database, self.example)
        quantiles = lambda values: tuple(np.quantile(values, [0.5, 0.95]).tolist())
        bound = quantiles(self.probes.bounds(self.predictor)) if len(self.probes) else (np.nan, np.nan)
        return State(len(self.database), quantiles(self.predictor.leave_out_error_["G"]), bound)

    def next_round(self) -> list[_Task]:
        """Problems to compute next; none when the budget is spent."""
        self._learn()
        size = int(min(self.left, max(_ROUND, self.work.comm.size)))
        if size <= 0 or not self.has_time():
            return []
        tasks: list[_Task] = []
        sources = (self._missed, self._noisy, self._uncertain, self._informative)
        for source, part in zip(sources, _SHARES):
            wanted = int(np.ceil(part * (size - len(tasks))))
            tasks += source(wanted)[:wanted]
            self.tried.update(task.problem.id for task in tasks)
        self.left -= len(tasks)
        return tasks

    def _learn(self) -> None:
        self.database.refresh()
        for i in self.database.ids:
            if i not in self.learned:
                point = self.database[i]
                self.predictor.add(point.problem, point.solution, fidelity=point.fidelity)
                self.learned.add(i)

    # -- what to compute, the most urgent first ----------------------------------------------------------------------

    def _missed(self, n: int) -> list[_Task]:
        """Audited problems whose bound did not hold and which have one exact answer only."""
        rows = self.log.read()
        if "miss" not in rows:
            return []
        missed = [i for i, miss in zip(rows["problem_id"], rows["miss"]) if miss == 1]
        answers = [self.database.find(str(i)) for i in dict.fromkeys(missed) if i not in self.tried]
        return [_Task("missed in an audit", a[0].problem) for a in answers if len(a) == 1][:n]

    def _noisy(self, n: int) -> list[_Task]:
        """Best answers whose error bars exceed their share of the tolerance; with a better solver also fitted baths."""
        wanted = [self.noisy.pop(0) for _ in range(min(n, len(self.noisy)))]
        return [task for task in wanted if task.problem.id not in self.tried]

    def _noisy_labels(self) -> list[_Task]:
        limit = _NOISY * self.work.tolerance
        columns = self.database.table(("problem_id", "fidelity", "error_bar"))
        found = []
        for i in best_of_each_problem(columns):
            cheap = not as_good_as(registry.name_of(self.work.exact), str(columns["fidelity"][i]))
            if not cheap and columns["error_bar"][i] < 0.1 * limit:  # a mean over τ: the largest is not ten times it
                continue
            point = self.database[int(i)]
            noise = np.inf if cheap else _noise(point)
            if noise > limit:
                found.append((noise, _Task("noisy label", point.problem, None if cheap else point.id)))
        return [task for _, task in sorted(found, key=lambda pair: -pair[0])]

    def _uncertain(self, n: int) -> list[_Task]:
        """Problems that the log has kept, the largest bounds in units of their tolerance first."""
        found = {}
        for row, problem in self.log.problems():
            if problem.id in self.tried or problem in self.database:
                continue
            bounds = ((row.get("error_bound"), row["tolerance"]), (row.get("sigma_bound"), row["sigma_tolerance"]))
            share = max(np.inf if b is None else b / max(t, 1e-12) for b, t in bounds)
            found[problem.id] = (share, _Task("uncertain in a run", problem))
        return [task for _, task in sorted(found.values(), key=lambda pair: -pair[0])][:n]

    def _informative(self, n: int) -> list[_Task]:
        """Recombinations of stored problems with the largest bounds, each given those before it."""
        if n < 1:
            return []
        self.pool.extend(recombined(self._some_stored(), self.random, _POOL - len(self.pool)))
        if not len(self.pool):
            return []
        chosen = most_uncertain(self.pool, self.predictor, n)
        return [_Task("informative", problem) for problem in self.pool.pop(chosen)]

    def _some_stored(self) -> list[Problem]:
        """Stored problems of the model's kind, a random part of them where there are many."""
        rows = np.flatnonzero(self.database.table(("kind",))["kind"] == kind(self.example))
        return [self.database[int(i)].problem for i in self.random.permutation(rows)[:_STORED]]

    def _most_common(self) -> Problem:
        """A problem of the kind that most points have: its model is looked at. Runs repair labels of any kind."""
        kinds = self.database.kinds
        if not kinds:
            raise self._too_few()
        most = max(kinds, key=kinds.get)
        return self.database.select(kind=most)[0].problem

    def _too_few(self) -> DatabaseError:
        return DatabaseError(
            f"{self.database!r} has too few exact answers to say what it lacks: fill it (mlsolver generate)"
        )


def _noise(point: Point) -> float:
    """Error bar of G(τ) that another run would lower: the largest over τ as the solver tells, else the root mean
    square.
    """
    if not point.solution.is_noisy:
        return 0.0
    rms = max(float(np.sqrt((e**2).sum(axis=0)).max()) for e in point.solution.G_l_error) / point.problem.beta
    return float(point.attributes.get("G_tau_noise") or rms)
