# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Fill a database with solved problems. Ranks share the work; what is stored already is never computed again."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from threadpoolctl import threadpool_limits

from ..approximations import IPT, FewSiteED, HubbardI
from ..database import Database, open_database
from ..exact import registry
from ..exact.quality import objections
from ..lattice.bethe import solve_bethe
from ..numerics import legendre
from ..problem import Problem, Solution
from ..problem.fidelity import as_good_as
from ..tools import mpi, seeds
from ..tools.validation import check_name, whole
from . import sampling
from .sampling import Bounds, Sequence

SAMPLINGS = (*sampling.NAMES, "dmft")
#: Cheap solvers whose answers may be stored, under their own name as fidelity.
CHEAP = {"hubbard_i": HubbardI(), "ipt": IPT(), "ed1": FewSiteED(1), "ed2": FewSiteED(2), "ed3": FewSiteED(3)}

_HARVESTED = (1, 2, 3, 4, 6, 8, 11, 15)  # iterations of a DMFT loop: early ones differ most
_ROUND = 500  # problems per rank between two looks at what is left
_PATIENCE = 5.0  # seconds a failed rank waits for the others, which may be deep in an exact run


@dataclass(frozen=True)
class Generated:
    """Points of the sampling there are now, how many of them this call has computed, and runs it has refused."""

    points: int
    computed: int
    refused: int


class TooManyRefused(RuntimeError):
    """Most exact runs are refused; the message says why and what to do."""


def generate(
    database: str | os.PathLike | Database,
    n: int,
    *,
    draw: str | Sequence = "lecture",
    exact: str | registry.ExactSolver = "auto",
    fidelity: str | None = None,
    seed: int = 0,
    bounds: dict | None = None,
    options: dict | None = None,
    comm: mpi.Comm | None = None,
    watch: Callable[[int, int], None] | None = None,
) -> Generated:
    """Solve the first `n` problems of a sampling and store them.

    Problems that are stored already are not computed again, so that a call that was killed can simply be repeated.
    Problems whose answer is refused (see `exact.quality`) are left for replay beside the database, and later ones of
    the sequence take their place.

    Parameters
    ----------
    database : path or Database
        Under MPI a path: each rank stores its own points.
    n : int
        Points of this sampling there shall be.
    draw : {"lecture", "uniform", "sobol", "furthest", "walk", "dmft"} or Sequence
        See `sampling.draw`; "dmft" takes problems out of loops on the Bethe lattice that IPT drives.
    exact : str or object with solve(problem)
        An exact solver (see `exact.registry`), or a cheap one: "hubbard_i", "ipt", "ed1", "ed2", "ed3".
    fidelity : str, optional
        Under which name the answers are stored; by default what the solver says, "exact" for an exact one.
    seed : int
        Of the sampling, and of Monte Carlo runs.
    bounds : dict, optional
        Ranges of the sampling, see `sampling.Bounds`.
    options : dict, optional
        Run parameters of the exact solver, such as `target_error` or `n_cycles`.
    comm : mpi.Comm, optional
        The ranks that share the work; by default all of the launch.
    watch : callable, optional
        Called on rank 0 with the number of points there are and `n`, whenever rank 0 has solved a problem.

    Returns
    -------
    Generated
        The same on every rank.

    Raises
    ------
    ValueError, TypeError
        For what is not possible, before anything is computed.
    TooManyRefused
        If more runs were refused than accepted, ten at least.

    Examples
    --------
    >>> from triqs_mlsolver import Database
    >>> database = Database(None)
    >>> generate(database, 3, exact="ed").computed, generate(database, 4, exact="ed").computed, len(database)
    (3, 1, 4)
    """
    comm = mpi.world() if comm is None else comm
    with mpi.shared_errors(comm, "the preparation"):
        work = _Work(database, n, draw, exact, fidelity, seed, bounds or {}, options or {}, comm)
    while True:
        tasks = mpi.on_root(comm, work.next_tasks)
        if not tasks:
            computed, refused = (comm.allreduce(number) for number in (work.computed, len(work.refused)))
            return Generated(work.n, computed, refused)
        with mpi.shared_errors(comm, "solving the problems", _PATIENCE), threadpool_limits(1, user_api="blas"):
            for index, problem in dealt(tasks, comm):
                work.solve(index, problem)
                if watch and mpi.is_root(comm):
                    watch(*work.progress())


def dealt(tasks: list, comm: mpi.Comm) -> list:
    """This rank's part of tasks that come in the order of their cost: to and fro, rank 0, which also plans, last."""
    turn = [*range(comm.size - 1, -1, -1), *range(comm.size)]
    return [task for k, task in enumerate(tasks) if turn[k % len(turn)] == comm.rank]


def sequence(draw: str | Sequence, seed: int = 0, **bounds) -> Sequence:
    """The sequence of any sampling, "dmft" included.

    Raises
    ------
    ValueError, TypeError
    """
    if isinstance(draw, Sequence):
        return draw
    check_name("sampling", draw, SAMPLINGS, quoted=False)
    if draw == "dmft":
        sampling.check_bounds(bounds)
        return Sequence(draw, seed, _harvest(Bounds(**bounds), seed))
    return sampling.draw(draw, seed, **bounds)


def cheap_or_exact(exact: str | registry.ExactSolver, problem: Problem, **options):
    """The solver for `problem`: one of `CHEAP`, or an exact one with its run parameters."""
    if isinstance(exact, str) and exact in CHEAP:
        return CHEAP[exact]
    return registry.choose(exact, problem, **options)


def check_solver(exact: str | registry.ExactSolver) -> None:
    """Refuse what is neither a cheap nor an exact solver; ValueError or TypeError."""
    if not (isinstance(exact, str) and exact in CHEAP):
        registry.check(exact)


@dataclass
class _Work:
    """What one rank does; `next_tasks`, `progress` and `finish` on rank 0 alone."""

    database: str | os.PathLike | Database
    n: int
    draw: str | Sequence
    exact: str | registry.ExactSolver
    fidelity: str | None
    seed: int
    bounds: dict
    options: dict
    comm: mpi.Comm
    wanted: dict[str, tuple[int, Problem]] = field(default_factory=dict)  # by id of the problem
    n_drawn: int = 0
    computed: int = 0
    refused: set[str] = field(default_factory=set)

    def __post_init__(self):
        self.n = whole("n", self.n, 1, "the number of points, a whole number of at least 1")
        self.seed = whole("seed", self.seed, 0)
        check_solver(self.exact)
        registry.check_options(self.options)
        self.sequence = sequence(self.draw, self.seed, **self.bounds)
        if not isinstance(self.database, Database):
            self.database = open_database(self.database)
        elif self.comm.size > 1 and self.database.path is None:
            raise ValueError("a database in memory cannot be shared by several ranks: give a path")
        name = registry.name_of(self.exact)
        self.label = self.fidelity or (name if name in CHEAP else None)
        self.first_length, self.first_done = len(self.database), None

    # -- rank 0 ----------------------------------------------------------------------------------------------------

    def next_tasks(self) -> list[tuple[int, Problem]]:
        """What is left of the first n problems that were not refused; long runs first, so that ranks end together."""
        self.database.refresh()
        self.database.tidy()
        refused = {*self.database.refused(), *self.refused}
        if self.first_done is not None:
            self._give_up_if_hopeless(len(refused & self.wanted.keys()))
        self.wanted = {i: task for i, task in self.wanted.items() if i not in refused}
        while len(self.wanted) < self.n:
            problem = self.sequence[self.n_drawn]
            if problem.id not in refused:
                self.wanted.setdefault(problem.id, (self.n_drawn, problem))
            self.n_drawn += 1
        left = [task for task in self.wanted.values() if not self._is_done(task[1])]
        if self.first_done is None:
            self.first_done = self.n - len(left)
        left = left[: _ROUND * self.comm.size]
        return sorted(left, key=lambda task: -task[1].beta * task[1].largest_energy)

    def _is_done(self, problem: Problem) -> bool:
        if self.label:
            return any(point.fidelity == self.label for point in self.database.find(problem))
        return any(as_good_as(registry.name_of(self.exact), point.fidelity) for point in self.database.find(problem))

    def _give_up_if_hopeless(self, n_refused: int) -> None:
        n_new = len(self.database) - self.first_length
        if n_refused >= 10 and n_refused > n_new:
            raise TooManyRefused(
                f"{n_refused} runs were refused and {n_new} accepted, so that {self.n} points are out of reach. The "
                f"reasons are with the inputs in {self.database.path}.replay; most often the runs are too short"
            )

    def progress(self) -> tuple[int, int]:
        """Points there are now, and n."""
        self.database.refresh()
        return min(self.first_done + len(self.database) - self.first_length, self.n), self.n

    # -- every rank ------------------------------------------------------------------------------------------------

    def solve(self, index: int, problem: Problem) -> None:
        """Solve one problem; store the answer, or the inputs with the reason why not."""
        options = {"random_seed": seeds.of_run(seeds.DEFAULT + self.seed, index), **self.options}
        solver = cheap_or_exact(self.exact, problem, **options)
        solution, reason = answer(solver, problem)
        if reason:
            self.refused.add(problem.id)
            self.database.save_replay(problem, reason, solver=solver.name)
            return
        origin = {"sampling": self.sequence.name, "sampling_seed": self.sequence.seed, "sampling_index": index}
        self.database.add(problem, solution, fidelity=self.label, **origin)
        self.computed += 1


def answer(solver, problem: Problem) -> tuple[Solution | None, str]:
    """The solution, and why it must not be stored ("" where it may be)."""
    try:
        solution = solver.solve(problem)
    except registry.NoExactSolver:
        raise
    except (RuntimeError, FloatingPointError, np.linalg.LinAlgError) as error:  # this run failed, the next may not
        return None, f"{type(error).__name__}: {error}"
    wrong = [] if solver.name in CHEAP else objections(problem, solution)
    return solution, "; ".join(wrong)


def _harvest(bounds: Bounds, seed: int) -> Iterator[Problem]:
    """Problems out of DMFT loops on the Bethe lattice with IPT: half of them half filled, from metal or insulator."""
    rng = np.random.default_rng(seed)
    number = 0
    while True:
        beta = float(np.exp(rng.uniform(*np.log(bounds.beta or (1.0, 100.0)))))
        U, level, insulating = rng.uniform(*bounds.U), rng.uniform(*bounds.level), rng.random() < 0.5
        mu = U / 2 if number % 2 == 0 else U / 2 - level
        start = legendre.from_poles(beta, np.array([-U / 2, U / 2]), np.full(2, 0.5)) if insulating else None
        seen = _Recorder()
        solve_bethe(seen, beta, U, mu, start, max_iterations=_HARVESTED[-1], tolerance=0.0)
        yield from (seen.problems[i - 1] for i in _HARVESTED if i <= len(seen.problems))
        number += 1


class _Recorder:
    """IPT that remembers what it was asked."""

    def __init__(self):
        self.problems: list[Problem] = []

    def solve(self, problem: Problem) -> Solution:
        self.problems.append(problem)
        return CHEAP["ipt"].solve(problem)
