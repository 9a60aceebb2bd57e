# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Running the exact solver: which one, to which error bar, with which seed; and again where its answer is doubtful.

A doubtful answer is computed with other seeds until two answers agree: only such an answer counts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from ..approximations.atomic_limit import AtomicLimit
from ..exact import registry
from ..exact.cthyb.parameters import DEFAULTS
from ..numerics.significance import TWO_SIDED
from ..problem import Problem, Solution
from ..problem.comparison import compare
from ..tools import mpi, seeds
from ..tools.constants import GIVEN_BACK, MOST_ANSWERS, TARGET_SHARE
from ..tools.validation import whole


@dataclass(frozen=True)
class Settled:
    """What came of repeating a doubtful run.

    Attributes
    ----------
    solution : Solution
        An answer that another run confirms; the last one where none agree.
    sound : bool
        Two runs agree.
    alarm : str
        What is wrong with the exact solver; empty where the first answer was confirmed.
    """

    solution: Solution
    sound: bool
    alarm: str


class ExactRuns:
    """Runs exact solvers, each run with a seed of its own. All ranks call every method together.

    Parameters
    ----------
    tolerance : float
        Of the answers that are wanted: Monte Carlo samples until its error bar is a fifth of it (0: its own default).
        Where the user gives `n_cycles`, that is the run length; a faster solver than triqs_cthyb goes on towards the
        same error bar for no longer than triqs_cthyb would have taken.
    random_seed : int
        Seed of the first run.
    n_threads : int
        Chains a Monte Carlo solver samples at the same time where this process is the only rank.
    comm : mpi.Comm
    """

    def __init__(self, *, tolerance: float, random_seed: int, n_threads: int, comm: mpi.Comm):
        self.tolerance, self.random_seed, self.n_threads, self.comm = tolerance, random_seed, n_threads, comm
        self.n_runs = 0
        self._taken: set[int] = set()
        self._is_noise_said = False

    def avoid(self, taken: set[int]) -> None:
        """Seeds that the next runs do not take: those of answers that they are to be compared with."""
        self._taken = set(taken)

    def solver(self, exact: str | registry.ExactSolver, problem: Problem, parameters: dict) -> registry.ExactSolver:
        """The solver for the next run.

        Raises
        ------
        NoExactSolver
            If nothing that is installed takes the problem.
        """
        if problem.is_isolated and problem.is_density_density and problem.is_diagonal:
            return AtomicLimit()
        options = {
            "target_error": TARGET_SHARE * self.tolerance or None,
            "comm": self.comm,
            "n_threads": self.n_threads,
        }
        options |= parameters
        number = self.n_runs
        while seeds.of_run(self.random_seed, number) in self._taken:
            number += 1
        seed = options.setdefault("random_seed", seeds.of_run(self.random_seed, number))
        self._taken.add(seed)
        solver = registry.choose(exact, problem, **options)
        n_cycles = parameters.get("n_cycles")
        if solver.name in GIVEN_BACK and isinstance(exact, str) and n_cycles and parameters.get("target_error") is None:
            length = parameters.get("length_cycle") or DEFAULTS["length_cycle"]
            updates = whole("n_cycles", n_cycles, 1) * whole("length_cycle", length, 1)
            solver = replace(solver, max_updates=GIVEN_BACK[solver.name] * updates)
        return solver

    def run(self, solver: registry.ExactSolver, problem: Problem) -> Solution:
        """The answer of `solver`; what fails on one rank fails on all."""
        self.n_runs += 1
        with mpi.shared_errors(self.comm, f"the exact solve ({solver.name})"):
            return solver.solve(problem)

    def remark(self, solution: Solution, parameters: dict) -> str:
        """Said once: that the run length the user gave leaves more noise than the tolerance can use."""
        n_cycles, noise = parameters.get("n_cycles"), solution.provenance.get("G_tau_noise", 0.0)
        if self._is_noise_said or n_cycles is None or not 0 < self.tolerance < TWO_SIDED * noise < np.inf:
            return ""
        self._is_noise_said = True
        done = min(n_cycles, solution.provenance.get("n_cycles", n_cycles))
        longer = done * (noise / (TARGET_SHARE * self.tolerance)) ** 2
        return (
            f"; its error bar, {TWO_SIDED * noise:.2g}, is more than a tolerance of {self.tolerance:.2g} can use: "
            f"n_cycles = {longer:.0e} would do, or tolerance = {noise / TARGET_SHARE:.1g}"
        )

    def settle(
        self,
        exact: str | registry.ExactSolver,
        problem: Problem,
        first: Solution,
        parameters: dict,
        stored: Solution | None = None,
    ) -> Settled:
        """Repeat a run until two answers agree within error bars, three answers at most.

        Parameters
        ----------
        exact, problem, parameters
            As for `solver`; a `random_seed` among the parameters was that of the first run.
        first : Solution
            The doubtful answer.
        stored : Solution, optional
            An earlier answer that it contradicts; it has one of the three votes.
        """
        parameters = {name: value for name, value in parameters.items() if name != "random_seed"}
        answers, pair = [first] if stored is None else [first, stored], None
        while pair is None and len(answers) < MOST_ANSWERS:
            answers.append(self.run(self.solver(exact, problem, parameters), problem))
            pair = mpi.on_root(self.comm, _agreeing_pair, problem, answers)
        odd = [i for i in range(len(answers)) if i not in (pair or (2,))]
        if pair == (0, 1):
            return Settled(first, True, "")
        apart = mpi.on_root(self.comm, compare, problem, answers[odd[0]], answers[pair[0] if pair else 2]).error
        if pair is None:
            return Settled(answers[2], False, f"three exact answers disagree beyond their error bars, by {apart:.2g}")
        what = "the stored point" if stored is not None and odd == [1] else "an exact run"
        return Settled(answers[pair[0]], True, f"{what} was wrong by {apart:.2g}: two others agree")


def _agreeing_pair(problem: Problem, answers: list[Solution]) -> tuple[int, int] | None:
    pairs = combinations(range(len(answers)), 2)
    return next(((i, j) for i, j in pairs if compare(problem, answers[i], answers[j]).agrees), None)
