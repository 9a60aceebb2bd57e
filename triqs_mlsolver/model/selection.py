# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Grid search over a predictor's settings by cross-validation, on the error of the final, physical answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import GroupKFold, KFold, ParameterGrid

from ..problem.comparison import G_distance, sigma_distance
from .features.training_set import teaches

SCHEMES = ("kfold", "scan")


@dataclass(frozen=True)
class Score:
    """Cross-validated figures of one choice of settings.

    Attributes
    ----------
    settings : dict
    mean, quantile : float
        Mean and 95 % quantile of max over τ of abs(ΔG) (dimensionless).
    sigma : float
        Median of abs(ΔΣ(iω₀)) / (ω₀ − Im Σ(iω₀)).
    coverage : float
        Share of errors of G below their bound.
    milliseconds : float
        Median time of one prediction, cheap solvers included.
    errors : (n,) array
        Errors of G of all left-out problems.
    """

    settings: dict
    mean: float
    quantile: float
    sigma: float
    coverage: float
    milliseconds: float
    errors: np.ndarray = field(repr=False, compare=False)

    @property
    def name(self) -> str:
        """The settings as they are written on the command line."""
        return " ".join(f"{name}={_text(value)}" for name, value in self.settings.items()) or "defaults"


def _text(value) -> str:
    if value is None:
        return "default"
    return str(value) if isinstance(value, str) or not np.iterable(value) else "+".join(map(str, value)) or "none"


@dataclass(frozen=True)
class SearchResult:
    """Scores of all settings; printed as a table.

    Attributes
    ----------
    scores : tuple of Score
        Best first, by the mean error of G.
    scheme : {"kfold", "scan"}
        How points were left out.
    """

    scores: tuple[Score, ...]
    scheme: str

    @property
    def best_settings(self) -> dict:
        """Keyword arguments for `Predictor`."""
        return self.scores[0].settings

    def __str__(self) -> str:
        head = f"{'mean':>9} {'95 %':>9} {'Sigma':>8} {'covered':>8} {'ms':>6}  settings"
        lines = [
            f"{s.mean:9.5f} {s.quantile:9.5f} {s.sigma:8.4f} {s.coverage:8.3f} {s.milliseconds:6.1f}  {s.name}"
            for s in self.scores
        ]
        return "\n".join([head, *lines])


def search(
    predictor,
    points: Iterable,
    grid: dict,
    *,
    scheme: str = "kfold",
    n_folds: int = 5,
    progress: Callable[[int, int], None] | None = None,
) -> SearchResult:
    """Cross-validate `predictor` with every combination of settings.

    Parameters
    ----------
    predictor : Predictor
        What the grid leaves open.
    points : iterable
        (problem, solution) pairs, or objects with those attributes; cheap and short answers are passed over.
    grid : dict of str to list
        Values to try for each constructor parameter, as for scikit-learn's ParameterGrid.
    scheme : {"kfold", "scan"}
        Plain k-fold, or folds that leave out whole values of (β, U) at a time, as a scan that reaches new ones does.
    n_folds : int
    progress : callable, optional
        Called with the number of fits done and their total.

    Raises
    ------
    ValueError
        For an unknown scheme, an unknown setting, or fewer points than folds.
    """
    points = [p if isinstance(p, tuple) else (p.problem, p.solution) for p in points if teaches(p)]
    folds = _folds(points, scheme, n_folds)
    unknown = set(grid) - set(predictor.get_params())
    if unknown:
        raise ValueError(f"{sorted(unknown)} are no settings: choose among {sorted(predictor.get_params())}")
    every = list(ParameterGrid(grid))
    scores = []
    for k, settings in enumerate(every):
        model = clone(predictor).set_params(**settings)
        figures = []
        for done, (kept, left) in enumerate(folds):
            model.fit([points[i] for i in kept])
            figures += [_errors(model, *points[i]) for i in left]
            if progress:
                progress(k * len(folds) + done + 1, len(every) * len(folds))
        G, bound, sigma, seconds = np.array(figures).T
        known = np.isfinite(G)
        if not known.any():
            raise ValueError(f"with {settings} no left-out point could be predicted: use more points or fewer folds")
        scores.append(
            Score(
                settings,
                float(G[known].mean()),
                float(np.quantile(G[known], 0.95)),
                float(np.median(sigma[known])),
                float(np.mean(G[known] <= bound[known])),
                float(1e3 * np.median(seconds)),
                G[known],
            )
        )
    return SearchResult(tuple(sorted(scores, key=lambda s: s.mean)), scheme)


def _folds(points: list, scheme: str, n_folds: int) -> list[tuple[np.ndarray, np.ndarray]]:
    if scheme not in SCHEMES:
        raise ValueError(f"scheme = {scheme!r} is not known: choose {' or '.join(map(repr, SCHEMES))}")
    if scheme == "kfold":
        # repeated answers to one problem stay on one side
        names, which = np.unique([problem.id for problem, _ in points], return_inverse=True)
        if len(names) < n_folds:
            raise ValueError(f"{len(names)} problems cannot be cut into {n_folds} folds: use fewer folds")
        cut = KFold(n_folds, shuffle=True, random_state=0).split(names)
        return [tuple(np.flatnonzero(np.isin(which, part)) for part in both) for both in cut]
    canonical = [problem.canonical() for problem, _ in points]
    labels = np.unique([f"{p.beta:.3g}/{p.U.max():.3g}" for p in canonical], return_inverse=True)[1]
    if labels.max(initial=0) + 1 < n_folds:
        raise ValueError(
            f"the points have {labels.max(initial=0) + 1} values of (beta, U), too few to leave some out in {n_folds} "
            "folds: use scheme='kfold' or fewer folds"
        )
    return list(GroupKFold(n_folds).split(points, groups=labels))


def _errors(model, problem, exact) -> tuple[float, float, float, float]:
    """Error of G, its bound, error of Σ(iω₀), seconds; NaN errors where the model says nothing."""
    start = time.perf_counter()
    prediction = model.predict(problem)
    seconds = time.perf_counter() - start
    if prediction.solution is None:
        return np.nan, np.inf, np.nan, seconds
    error = G_distance(problem, prediction.solution, exact)
    return error, prediction.error_bound, sigma_distance(problem, prediction.solution, exact), seconds
