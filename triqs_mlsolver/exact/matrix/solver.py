# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""The embedded CTQMC for every interaction: hybridisation expansion in the local eigenbasis.

Werner and Millis, PRB 74, 155107; sectors as in Parragh et al., PRB 86, 155158. The compiled kernel is loaded when the
first problem is solved.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from ...problem import Problem, Solution
from ...problem.symmetry import legendre_over_flavours, local_hamiltonian
from ..ctqmc import EmbeddedCTQMC
from ..ed.impurity_operators import why_not_hermitian
from .result import as_solution

_MOST_FLAVOURS = 10


@dataclass(frozen=True, kw_only=True)
class MatrixSolver(EmbeddedCTQMC):
    """CT-HYB in the local eigenbasis, for any Hermitian interaction and any Δ; run parameters of `EmbeddedCTQMC`.

    Examples
    --------
    >>> from triqs_mlsolver import Problem
    >>> problem = Problem.siam(beta=10.0, U=2.0, mu=1.0, eps=[-0.5, 0.5], V=[0.35, 0.35])
    >>> solution = MatrixSolver(n_cycles=5000, random_seed=1).solve(problem)
    >>> bool(abs(solution.density.sum() - 1) < 0.05)
    True
    """

    name = "matrix"

    @staticmethod
    def supports(problem: Problem) -> str | None:
        """None if `problem` can be sampled, else the reason why not."""
        if problem.n_flavours > _MOST_FLAVOURS:
            return (
                f"{problem.n_flavours} flavours have {2**problem.n_flavours} local states, too many to multiply "
                f"(at most {_MOST_FLAVOURS} flavours)"
            )
        if problem.terms and (reason := why_not_hermitian(problem)):
            return reason
        unreached = np.flatnonzero(np.concatenate(problem.unreached))
        if len(unreached):
            f = unreached[0]
            return f"flavour {f} has no hybridisation, so that its G cannot be measured: use exact diagonalisation"
        Delta = np.max(np.abs(legendre_over_flavours(problem, problem.Delta_l)), axis=0)
        hidden = (np.abs(local_hamiltonian(problem)) > 1e-10 * problem.scale) & (Delta <= 1e-10 * np.max(Delta))
        if np.any(hidden):
            a, b = np.argwhere(hidden)[0]
            return (
                f"the levels mix flavours {a} and {b} but Delta does not, so that their G cannot be measured: rotate "
                f"to orbitals in which h_loc0 is diagonal"
            )
        return None

    def sample(self, problem: Problem) -> Solution:
        """The solution of a problem that can be sampled."""
        from .run import Run  # with it the compiled kernel

        run = Run(self, problem, legendre_over_flavours(problem, problem.Delta_l), time.perf_counter())
        run.warm_up()
        run.sample()
        return as_solution(problem, run.work, run.analysis, run.provenance(), run.statistics())
