# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
r"""From a problem to dimensionless features, one row per independent flavour.

A row describes the problem as seen from one flavour: its own quantities first, then how the other flavour differs. So a
spin-symmetric problem has one row, the exchange of spins is built in, and no answer can break a symmetry the problem has.

Every feature is even or odd under the particle-hole map P (x → −x, f(τ) → f(β − τ)): `Row.parity` holds the signs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..approximations import IPT, FewSiteED, HubbardI
from ..numerics import legendre
from ..problem import Problem
from ..solution import Solution

N_L = 20  # Legendre coefficients of each function that enter the features
N_OUT = 60  # Legendre coefficients that are corrected; higher ones are the baseline's
GROUPS = ("beta", "U", "level", "Delta", "baseline", "baseline - hubbard_i", "baseline - ed1")

_BASELINE, _ATOMIC, _CLUSTER = IPT(), HubbardI(), FewSiteED(1)
_SAME = 1e-9  # flavours closer than this, in dimensionless features, share one row


@dataclass(frozen=True, eq=False)
class Row:
    """The problem as seen from one flavour.

    Attributes
    ----------
    flavours : tuple of int
        The flavours this row stands for.
    features : (n_features,) array
        Dimensionless features, the groups one after the other.
    amplitude : float
        Expected size of the correction to the baseline, from the spread of the cheap solvers (dimensionless).
    summary : (n_summary,) array
        A few particle-hole even numbers that say how hard the problem is.
    """

    flavours: tuple[int, ...]
    features: np.ndarray
    amplitude: float
    summary: np.ndarray


@dataclass(frozen=True, eq=False)
class Description:
    """All rows of one canonical problem and the baseline's solution, which the model corrects."""

    problem: Problem
    rows: tuple[Row, ...]
    baseline: Solution

    @property
    def spread(self) -> float:
        """Largest disagreement of the cheap solvers, max over τ and flavours of abs(ΔG)."""
        return float(max(np.exp(row.summary[-1]) for row in self.rows))


def supports(problem: Problem) -> str | None:
    """None where the model can describe `problem`, else the reason why not."""
    if [size for _, size in problem.gf_struct] != [1, 1] or problem.terms or not problem.is_diagonal:
        return "the model describes a single orbital with interaction U and diagonal hybridisation"
    if problem.is_isolated:
        return "the hybridisation vanishes: the atom is solved exactly"
    return None


def layout() -> tuple[np.ndarray, np.ndarray]:
    """Group index and P-parity of every feature, (n_features,) each."""
    alternating = (-1.0) ** np.arange(N_L)
    parity = [np.ones(1), np.ones(1), -np.ones(2), *[np.concatenate([alternating, alternating])] * 4]
    group = np.concatenate([np.full(len(p), g) for g, p in enumerate(parity)])
    return group, np.concatenate(parity)


def describe(canonical: Problem) -> Description:
    """Rows of a canonical problem (see `Problem.canonical`)."""
    baseline = _BASELINE.solve(canonical)
    beta = canonical.beta
    functions = {
        "Delta": [canonical.delta_l(i) for i in range(2)],
        "baseline": _diagonal(baseline),
        "atomic": _diagonal(_ATOMIC.solve(canonical)),
        "cluster": _diagonal(_CLUSTER.solve(canonical)),
    }
    f = {name: np.stack([legendre.resized(v, N_OUT) for v in values]) / beta for name, values in functions.items()}
    levels = canonical.x
    same = abs(levels[0] - levels[1]) < _SAME and all(np.max(np.abs(v[0] - v[1])) < _SAME for v in f.values())
    rows = []
    for own in (0,) if same else (0, 1):
        other = 1 - own
        seen = lambda a: np.concatenate([a[own, :N_L], (a[other] - a[own])[:N_L]])
        to_atomic, to_cluster = f["baseline"] - f["atomic"], f["baseline"] - f["cluster"]
        features = np.concatenate(
            [
                [np.log(beta)],
                [canonical.U[0, 1]],
                [levels[own], levels[other] - levels[own]],
                seen(f["Delta"]),
                seen(f["baseline"]),
                seen(to_atomic),
                seen(to_cluster),
            ]
        )
        spread = np.array([max_norm(to_atomic[own]), max_norm(to_cluster[own])])
        amplitude = np.sqrt(np.sqrt(spread.prod()) + 1e-3)
        shape = np.abs(np.concatenate([f["Delta"][own, :8], f["baseline"][own, :6]]))
        summary = np.concatenate([[np.log(beta), canonical.U[0, 1], abs(levels[own])], shape, np.log(spread + 1e-6)])
        rows.append(Row((0, 1) if same else (own,), features, float(amplitude), summary))
    return Description(canonical, tuple(rows), baseline)


def _diagonal(solution: Solution) -> list[np.ndarray]:
    return [g[:, 0, 0] for g in solution.G_l]


@lru_cache(maxsize=4)
def tau_matrix(n_l: int) -> np.ndarray:
    """Legendre coefficients of G(τ)·β-free functions to values at 66 nodes, (n_l, 66): errors are taken there."""
    x = np.concatenate([[-1.0], np.polynomial.legendre.leggauss(64)[0], [1.0]])
    return legendre.vandermonde(x, n_l).T


def max_norm(coefficients: np.ndarray) -> float:
    """max over τ of a function given by coefficients divided by β, (n_l,)."""
    return float(np.max(np.abs(coefficients @ tau_matrix(len(coefficients)))))
