# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Sequences of single-orbital problems to fill a database with.

A point of the unit cube becomes a problem (`Bounds.problem`); a sampling is a sequence of such points. Problem i of a
sequence is the same however many are asked for, so that work can be split over ranks, stopped and resumed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

import numpy as np
from scipy.special import ndtri
from scipy.stats import qmc

from ..numerics import legendre
from ..problem import Problem
from ..tools.validation import check_keywords, check_name, whole

NAMES = ("lecture", "uniform", "sobol", "furthest", "walk")

_LECTURE_BETA = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0)
_STEP = 0.08  # of the random walk, in edges of the cube
_CANDIDATES = 32  # among which the one furthest from all problems before is taken


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """Ranges (low, high) of random single-orbital problems, in any unit of energy.

    Parameters
    ----------
    beta : pair of floats or None
        Inverse temperature (1/energy), its logarithm being uniform; None for one of 1, 2, 5, 10, 20, 50.
    U : pair of floats
        Interaction (energy).
    level : pair of floats
        Impurity level, measured from half filling of a symmetric bath: μ = U/2 − level (energy).
    bandwidth : pair of floats
        W = 2 D (energy).
    n_bath : int
        Bath sites per spin.
    eps : pair of floats
        Bath levels, in units of D.
    V : pair of floats or None
        Couplings to each bath site (energy). None: absolute values of normal numbers, scaled so that Σ V² = D²/4, as on
        the Bethe lattice.

    Raises
    ------
    ValueError
        For a range that is empty or holds no problem.
    """

    beta: tuple[float, float] | None = (1.0, 100.0)
    U: tuple[float, float] = (0.0, 6.0)
    level: tuple[float, float] = (-1.0, 1.0)
    bandwidth: tuple[float, float] = (2.0, 2.0)
    n_bath: int = 4
    eps: tuple[float, float] = (-1.0, 1.0)
    V: tuple[float, float] | None = None

    def __post_init__(self):
        for name in ("beta", "U", "level", "bandwidth", "eps", "V"):
            pair = getattr(self, name)
            if pair is None and name in ("beta", "V"):
                continue
            if np.shape(pair) != (2,) or not np.all(np.isfinite(pair)) or pair[0] > pair[1]:
                raise ValueError(f"{name} = {pair} is no range: give two numbers, the lower one first")
            if name in ("beta", "bandwidth") and pair[0] <= 0:
                raise ValueError(f"{name} = {pair} reaches zero: give two positive numbers")
        if self.V is not None and not self.V[1] > 0:
            raise ValueError(f"V = {self.V}: without hybridisation there is nothing to learn; give a positive maximum")
        whole("n_bath", self.n_bath, 1, "1 to 6 bath sites, as many as exact diagonalisation takes", largest=6)

    @property
    def dimension(self) -> int:
        """Of the unit cube: bandwidth, U, level, β, then levels and couplings of the bath."""
        return 4 + 2 * self.n_bath

    def problem(self, cube: np.ndarray) -> Problem:
        """The problem at a point (dimension,) of the unit cube."""
        beta, U, level, eps, V = self.parameters(cube)
        return Problem.siam(beta, U, U / 2 - level, eps, V)

    def parameters(self, cube: np.ndarray) -> tuple[float, float, float, np.ndarray, np.ndarray]:
        """β, U, level, and levels and couplings of the bath, (n_bath,) each, at a point of the unit cube."""
        D = 0.5 * _between(self.bandwidth, cube[0])
        U, level = _between(self.U, cube[1]), _between(self.level, cube[2])
        if self.beta is None:
            beta = _LECTURE_BETA[min(int(cube[3] * len(_LECTURE_BETA)), len(_LECTURE_BETA) - 1)]
        else:
            beta = float(np.exp(_between(np.log(self.beta), cube[3])))
        eps = np.sort(D * _between(self.eps, cube[4 : 4 + self.n_bath]))
        share = cube[4 + self.n_bath :]
        if self.V is None:
            V = ndtri(0.5 + 0.5 * np.clip(share, 1e-6, 1 - 1e-12))
            V *= 0.5 * D / np.linalg.norm(V)
        else:
            V = _between(self.V, share)
        return beta, U, level, eps, V


#: The random baths of the lecture: energies in eV, W and U from 1 to 10, levels from −1 to 1, four bath sites.
LECTURE = Bounds(beta=None, U=(1.0, 10.0), bandwidth=(1.0, 10.0))


class Sequence:
    """Problems that are drawn as far as they are asked for.

    Parameters
    ----------
    name : str
        Kept with every point, together with the seed and the number of the problem.
    seed : int
    problems : iterator of Problem
        Endless, and the same for the same seed.
    """

    def __init__(self, name: str, seed: int, problems: Iterator[Problem]):
        self.name, self.seed = name, seed
        self._problems, self._drawn = problems, []

    def __getitem__(self, i: int) -> Problem:
        """Problem number i ≥ 0."""
        while len(self._drawn) <= i:
            self._drawn.append(next(self._problems))
        return self._drawn[i]


def check_bounds(bounds: dict) -> None:
    """Refuse names that are no fields of `Bounds`; TypeError."""
    check_keywords("a sampling", bounds, [field.name for field in fields(Bounds)])


def draw(name: str, seed: int = 0, **bounds) -> Sequence:
    """The sequence of a sampling.

    Parameters
    ----------
    name : {"lecture", "uniform", "sobol", "furthest", "walk"}
        Independent draws from the lecture's bounds; independent draws; a scrambled Sobol sequence; of some random
        candidates the one furthest from all problems before; a random walk with reflecting walls.
    seed : int
    **bounds
        Fields of `Bounds` that differ from the default.

    Raises
    ------
    ValueError, TypeError
        For a name or bounds that are not there.

    Examples
    --------
    >>> problems = draw("sobol", seed=1, beta=(5, 50), U=(0, 4))
    >>> 5 <= problems[0].beta <= 50, problems[0] == draw("sobol", seed=1, beta=(5, 50), U=(0, 4))[0]
    (True, True)
    """
    check_name("sampling", name, NAMES, quoted=False)
    check_bounds(bounds)
    within = replace(LECTURE if name == "lecture" else Bounds(), **bounds)
    points = {"lecture": _uniform, "uniform": _uniform, "sobol": _sobol, "furthest": _furthest, "walk": _walk}[name]
    return Sequence(name, seed, map(within.problem, points(within, seed)))


def _between(pair, share):
    return pair[0] + (pair[1] - pair[0]) * share


def _uniform(bounds: Bounds, seed: int) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(seed)
    while True:
        yield rng.random(bounds.dimension)


def _sobol(bounds: Bounds, seed: int) -> Iterator[np.ndarray]:
    engine = qmc.Sobol(bounds.dimension, scramble=True, seed=np.random.default_rng(seed))
    while True:
        yield from engine.random(128)


def _walk(bounds: Bounds, seed: int) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(seed)
    place = rng.random(bounds.dimension)
    while True:
        yield place
        place = np.abs(place + _STEP * rng.normal(size=bounds.dimension)) % 2.0
        place = np.minimum(place, 2.0 - place)  # walls reflect


def _furthest(bounds: Bounds, seed: int) -> Iterator[np.ndarray]:
    """Mitchell's best candidate."""
    points = _uniform(bounds, seed)
    first = next(points)
    taken = position(*bounds.parameters(first))[None]
    yield first
    while True:
        candidates = [next(points) for _ in range(_CANDIDATES)]
        places = np.stack([position(*bounds.parameters(c)) for c in candidates])
        best = int(np.argmax(_distance_to_nearest(places, taken)))
        taken = np.concatenate([taken, places[best : best + 1]])
        yield candidates[best]


def _distance_to_nearest(places: np.ndarray, taken: np.ndarray) -> np.ndarray:
    squares = (places**2).sum(axis=1)[:, None] - 2 * places @ taken.T + (taken**2).sum(axis=1)
    return squares.min(axis=1)


def position(beta: float, U: float, level: float, eps: np.ndarray, V: np.ndarray) -> np.ndarray:
    """Where a problem lies among others, (13,): log βD, U/D, level/D and coefficients of Δ/(β D), in balanced units.

    D = 2 sqrt(Σ V²) is the problem's own scale.
    """
    D = 2 * np.linalg.norm(V)
    Delta = legendre.from_poles(beta * D, eps / D, (V / D) ** 2, 10) / (beta * D)
    return np.concatenate([[0.5 * np.log(beta * D), U / D / 3, level / D], 4 * Delta])
