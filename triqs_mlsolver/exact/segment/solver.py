# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""The embedded CTQMC: hybridisation expansion in the segment picture (Werner et al., PRL 97, 076405).

For density-density interactions and diagonal hybridisation, any number of flavours, some of which may have none. The
compiled kernel is loaded when the first problem is solved.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

import numpy as np

from ...numerics.causality import project_delta
from ...problem import Problem, Solution
from ..ctqmc import EmbeddedCTQMC
from .result import as_solution

log = logging.getLogger("triqs_mlsolver")

_NOT_CAUSAL = 0.05  # relative distance from the closest causal Δ beyond which a problem is refused
_POSITIVE = 1e-9  # Δ(τ) above this, relative to its largest magnitude, is projected


@dataclass(frozen=True, kw_only=True)
class SegmentSolver(EmbeddedCTQMC):
    """Segment-picture CT-HYB with improved estimators; run parameters of `exact.ctqmc.EmbeddedCTQMC`.

    Examples
    --------
    >>> from triqs_mlsolver import Problem
    >>> problem = Problem.siam(beta=10.0, U=2.0, mu=1.0, eps=[-0.5, 0.5], V=[0.35, 0.35])
    >>> solution = SegmentSolver(n_cycles=20000, random_seed=1).solve(problem)
    >>> bool(abs(solution.density.sum() - 1) < 0.05)
    True
    """

    name = "segment"

    @staticmethod
    def supports(problem: Problem) -> str | None:
        """None if the segment picture covers `problem`, else the reason why not."""
        if not problem.is_density_density:
            return (
                f"the interaction has {len(problem.terms)} terms beyond density-density; the segment picture has none"
            )
        if not problem.is_diagonal:
            return "Delta or h_loc0 has off-diagonal elements, which the segment picture cannot sample"
        if np.all(np.concatenate(problem.unreached)):
            return "there is no hybridisation: an isolated atom is diagonalised"
        return None

    def sample(self, problem: Problem) -> Solution:
        """The solution of a problem for the segment picture.

        Raises
        ------
        ValueError
            If Δ is not causal.
        """
        from .run import Run  # with it the compiled kernel

        started = time.perf_counter()
        Deltas, distance = causal_hybridisation(problem)
        run = Run(self, problem, Deltas, started)
        run.warm_up()
        run.sample()
        provenance = run.provenance() | {"delta_projection_distance": distance}
        return as_solution(problem, run.analysis, provenance, run.statistics())


def causal_hybridisation(problem: Problem) -> tuple[list[np.ndarray], float]:
    """Δ_l of each flavour, projected where Δ(τ) > 0, and the largest relative distance moved (0 where nothing was).

    Raises
    ------
    ValueError
        If Δ is too far from any function of non-negative spectral weight to be noise.
    """
    from ...numerics import legendre

    tau = problem.beta * 0.5 * (1 - np.cos(np.linspace(0, np.pi, 513)))
    Deltas, largest = [], 0.0
    unreached = np.concatenate(problem.unreached)
    for f in range(problem.n_flavours):
        Delta_l = np.zeros(problem.n_l) if unreached[f] else problem.delta_l(f)
        twin = next((g for g in range(f) if np.array_equal(problem.delta_l(g), problem.delta_l(f))), None)
        if twin is not None:
            Deltas.append(Deltas[twin])
            continue
        values = legendre.evaluate(problem.beta, Delta_l, tau)
        if np.max(values) > _POSITIVE * np.max(np.abs(values)):
            projection = project_delta(problem.beta, Delta_l, 2 * problem.largest_energy)
            if projection.distance > _NOT_CAUSAL:
                raise ValueError(
                    f"Delta of flavour {f} is not causal: Delta(tau) rises to {np.max(values):.3g} (largest magnitude "
                    f"{np.max(np.abs(values)):.3g}) and its distance from any non-negative spectral weight is "
                    f"{projection.distance:.2g} of its magnitude, more than noise ({_NOT_CAUSAL:g}). In TRIQS's sign "
                    f"Delta(tau) <= 0 between 0 and beta: check the sign and the source of Delta"
                )
            largest = max(largest, projection.distance)
            Delta_l = projection.Delta_l
        Deltas.append(Delta_l)
    if largest > 0:
        log.warning(
            "segment: Delta(tau) > 0 somewhere; projected onto non-negative spectral weight, moved by at most %.1e of "
            "its largest magnitude",
            largest,
        )
    return Deltas, largest
