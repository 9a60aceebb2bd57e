# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Problems that might be worth computing: recombinations of stored ones, and how uncertain the model is about them."""

from __future__ import annotations

import numpy as np

from ..model import Predictor
from ..model.features.descriptor import Descriptor, Kind, Row
from ..model.regression.kernel_ridge import SymmetricKernelRidge
from ..numerics import legendre
from ..problem import DiscreteBath, Problem
from ..problem.symmetry import why_not_learnable

_JITTER = 0.1  # relative change of β and U, and change of the level in units of D
_SAME_BETA = 1e-3
_NEAREST = 2000  # stored rows that the covariance of candidates rests on
_SMALL = 1e-9  # variance, in units of the prior one, that counts as none


def recombined(stored: list[Problem], random: np.random.Generator, n: int) -> list[Problem]:
    """`n` problems distributed like the stored ones, within their ranges.

    With discrete baths of the same size: β, U and level of one stored problem, slightly changed, and each bath site
    from one of two others. Otherwise what lies between two problems of the same β: U, level and Δ mixed in equal
    shares. Problems of more than one orbital are left out.
    """
    known = [p for p in (problem.canonical() for problem in stored) if _single_orbital(p)]
    if not known:
        return []
    box = _Box(known)
    return [_child(known, random, box) for _ in range(n)]


def _single_orbital(problem: Problem) -> bool:
    return Kind.of(problem) == Kind(2, False) and why_not_learnable(problem) is None


class _Box:
    """Ranges of the stored parameters."""

    def __init__(self, problems: list[Problem]):
        values = np.array([(p.beta, p.U[0, 1], np.max(np.abs(p.x))) for p in problems])
        self.low, self.high = values.min(axis=0), values.max(axis=0)

    def inside(self, beta: float, U: float, x: np.ndarray) -> tuple[float, float, np.ndarray]:
        beta, U = np.clip((beta, U), self.low[:2], self.high[:2])
        return float(beta), float(U), np.clip(x, -self.high[2], self.high[2])


def _child(known: list[Problem], random: np.random.Generator, box: _Box) -> Problem:
    a, b, c = (known[i] for i in random.integers(len(known), size=3))
    sizes = {len(p.bath[0].eps) if p.bath else 0 for p in (a, b, c)}
    if len(sizes) == 1 and sizes != {0}:
        return _new_bath(a, b, c, random, box)
    partners = [p for p in known if abs(p.beta / a.beta - 1) < _SAME_BETA]
    return _mixture(a, partners[random.integers(len(partners))], random, box)


def _new_bath(a: Problem, b: Problem, c: Problem, random: np.random.Generator, box: _Box) -> Problem:
    change = _JITTER * random.normal(size=3)
    symmetric = a.is_particle_hole_symmetric()
    x = a.x if symmetric else a.x + change[2]
    beta, U, x = box.inside(a.beta * np.exp(change[0]), a.U[0, 1] * np.exp(change[1]), x)
    from_b = np.full(len(b.bath[0].eps), True) if symmetric else random.random(len(b.bath[0].eps)) < 0.5
    eps = [np.where(from_b, one.eps, two.eps) for one, two in zip(b.bath, c.bath)]
    V = [np.where(from_b[:, None], one.V, two.V) for one, two in zip(b.bath, c.bath)]
    D = 2 * np.sqrt(sum(np.sum(v**2) for v in V) / len(V))  # the new problem is to have D = 1, as the old ones have
    bath = tuple(DiscreteBath(e, v / D) for e, v in zip(eps, V))
    levels = tuple(np.array([[level]]) for level in x - U / 2)
    return Problem.from_bath(beta, a.gf_struct, levels, bath, [[0, U], [U, 0]])


def _mixture(a: Problem, b: Problem, random: np.random.Generator, box: _Box) -> Problem:
    share = random.random()
    mix = lambda f, g: share * f + (1 - share) * g
    change = _JITTER / 3 * random.normal(size=2)
    x = mix(a.x, b.x)
    if np.any(x):
        x = x + change[1]
    beta, U, x = box.inside(a.beta, mix(a.U[0, 1], b.U[0, 1]) * np.exp(change[0]), x)
    n_l = max(len(d) for p in (a, b) for d in p.Delta_l)
    Delta = tuple(mix(legendre.resized(d, n_l), legendre.resized(e, n_l)) for d, e in zip(a.Delta_l, b.Delta_l))
    levels = tuple(np.array([[level]]) for level in x - U / 2)
    return Problem(beta, a.gf_struct, levels, Delta, [[0, U], [U, 0]])


_DEFAULT = Descriptor()


class Candidates:
    """Problems with their descriptors, so that a growing model can be asked about them again and again."""

    def __init__(self, problems: list[Problem], descriptor: Descriptor = _DEFAULT):
        self.problems: list[Problem] = []
        self._descriptor = descriptor
        self._rows: list[tuple[Row, ...]] = []
        self.extend(problems)

    def __len__(self) -> int:
        return len(self.problems)

    def extend(self, problems: list[Problem]) -> None:
        self.problems += problems
        self._rows += [self._descriptor.describe(problem.canonical()).rows for problem in problems]

    def pop(self, positions: list[int]) -> list[Problem]:
        """Take the problems at these positions out."""
        taken = [self.problems[i] for i in positions]
        kept = [i for i in range(len(self)) if i not in set(positions)]
        self.problems = [self.problems[i] for i in kept]
        self._rows = [self._rows[i] for i in kept]
        return taken

    def bounds(self, predictor: Predictor) -> np.ndarray:
        """Bound on the error of G(τ) that the model would give, (n,); what makes an answer physical is not in it."""
        bound = predictor.row_bounds([row for found in self._rows for row in found])["G"]
        ends = np.cumsum([len(found) for found in self._rows])
        return np.array([part.max() for part in np.split(bound, ends[:-1])])

    def covariance(self, predictor: Predictor) -> dict[int, np.ndarray]:
        """Of the Gaussian process at the first row of each problem, given what is stored: (n, n) for either parity.

        Where a great many rows are stored, only those that are nearest to the candidates count.
        """
        data, reduced = predictor.training_, predictor.reduction_.transform
        kernel = SymmetricKernelRidge(predictor.kernel_)
        X, stored = reduced(np.stack([rows[0].features for rows in self._rows])), data.source == 0
        if stored.sum() > _NEAREST:
            parts = np.array_split(np.flatnonzero(stored), len(stored) // _NEAREST)
            likeness = np.concatenate([kernel.kernels(reduced(data.X[part]), X)[1].max(axis=1) for part in parts])
            stored = np.flatnonzero(stored)[np.argsort(-likeness)[:_NEAREST]]
        noise = data.relative_noise()[stored]
        kernel.fit(reduced(data.X[stored]), data.y[stored], output_parity=data.output_parity, noise=noise)
        return kernel.covariance(X)


def most_uncertain(candidates: Candidates, predictor: Predictor, n: int) -> list[int]:
    """Positions of the `n` candidates with the largest bounds, each bound given that those before it are known.

    A problem's bound shrinks with the standard deviation of the Gaussian process, whose covariance says what each
    choice tells about the others: so they lie apart.
    """
    bound, covariance = candidates.bounds(predictor), candidates.covariance(predictor)
    variance = lambda: np.maximum(sum(np.diag(c) for c in covariance.values()), _SMALL)
    per_std, chosen = bound / np.sqrt(variance()), []
    for _ in range(min(n, len(candidates))):
        value = per_std * np.sqrt(variance())
        value[chosen] = -np.inf
        best = int(np.argmax(value))
        chosen.append(best)
        covariance = {s: c - np.outer(c[best], c[best]) / (c[best, best] + _SMALL) for s, c in covariance.items()}
    return chosen
