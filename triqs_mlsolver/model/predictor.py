# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Predictor: fit over solved problems, predict new ones with a bound on the error."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import replace
from typing import Protocol

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin, clone

from .. import approximations
from ..problem import Problem, Solution
from ..problem.fidelity import is_exact
from ..problem.symmetry import why_not_learnable
from ..tools.constants import (
    CLUSTER_LENGTH_SCALE,
    LENGTH_SCALE,
    MANY_GROUPS,
    MIN_POINTS,
    REFIT_GROWTH,
    SMOOTHEST,
    SMOOTHNESS_CHOICE,
    TUNE_FROM,
    TUNE_GROWTH,
)
from .calibration import Calibration, in_units
from .error_bound import ErrorBound
from .features.descriptor import Description, Descriptor, Indescribable, Kind, Row, first_frequency
from .features.labelled_rows import as_numbers, from_numbers
from .features.reduction import GroupedPCA
from .features.representation import N_LEGENDRE
from .features.training_set import RowCache, TrainingSet, teaches
from .physical_answer import Correction, physical_answer
from .prediction import Prediction
from .regression import regressors
from .regression.kernel import SMOOTHNESS, KernelSettings
from .regression.samples import Samples
from .regression.transform import TargetTransform
from .regression.tuning import likely_difference, tune
from .selection import SearchResult, search
from .territory import Novelty, Territory


class Predictor(BaseEstimator):
    """Learns the correction to a cheap solver from solved problems.

    Parameters
    ----------
    confidence : float, default 0.95
        Probability with which an error stays below its bound.
    regressor : str or scikit-learn regressor, default "kernel_ridge"
        "kernel_ridge", "random_forest", "extra_trees", "gaussian_process", "mlp" or "average" (of the first and the
        third).
    approximations : str or sequence of str, optional
        Cheap solvers "ipt", "hubbard_i", "nca", "hartree_fock", "ed1", "ed2", "ed3": the first is the baseline, the
        others are features. Default: see `Descriptor`. Empty: G itself is learned.
    representation : {"legendre", "chebyshev", "tau_mesh", "ir"}
        Basis of functions of τ, for features and corrections.
    transform : {"identity", "scaled", "asinh", "tanh"}
        What is learned instead of the correction itself, channel by channel.
    pca : int, optional
        Principal components kept per group of features and parity; default: all features.
    nu : {0.5, 1.5, 2.5, 3.5}, optional
        Smoothness of the Matérn kernel; default: 1.5 to 3.5, whatever leave-out errors favour.
    random_state : int
        Seed of forests and of the subsets used to tune length scales.

    Attributes
    ----------
    training_ : TrainingSet or None
        None before the first point.
    regression_ : SymmetricKernelRidge, or another regressor with its interface
        From features, of which `pca` leaves some, to corrections, of which `transform` makes something.
    kernel_ : KernelSettings
        As tuned; `difference_` are the variances by which cheap labels differ, one per fidelity in `training_.cheap`.
    calibration_ : Calibration
        What residuals say of errors; its `bound_`, `label_noise_`, `leave_out_error_` and `floor_` are here too.
    territory_ : Territory
        Where bounds may be believed, up to standard deviations of `reach_`.
    n_points_ : int
        Exact answers.

    Examples
    --------
    >>> from triqs_mlsolver.exact.ed import ED
    >>> problem = lambda U: Problem.siam(beta=10.0, U=U, mu=U / 2, eps=[-0.5, 0.5], V=[0.35, 0.35])
    >>> predictor = Predictor().fit([(problem(U), ED().solve(problem(U))) for U in (1.0, 1.2, 1.4, 1.6, 2.0)])
    >>> new = problem(1.8)
    >>> prediction = predictor.predict(new)
    >>> error = abs(prediction.solution.G_l[0] - ED().solve(new).G_l[0]).max() / 10.0
    >>> bool(error < prediction.error_bound < 0.05), prediction.novel
    (True, None)
    """

    def __init__(
        self,
        confidence: float = 0.95,
        *,
        regressor: str | RegressorMixin = "kernel_ridge",
        approximations: str | Iterable[str] | None = None,
        representation: str = "legendre",
        transform: str = "identity",
        pca: int | None = None,
        nu: float | None = None,
        random_state: int = 0,
    ):
        self.confidence = confidence
        self.regressor = regressor
        self.approximations = approximations
        self.representation = representation
        self.transform = transform
        self.pca = pca
        self.nu = nu
        self.random_state = random_state

    def search(self, points: Iterable, grid: dict, **options) -> SearchResult:
        """The best settings out of `grid` by cross-validation; see `selection.search`."""
        return search(self, points, grid, **options)

    # -- learning --------------------------------------------------------------------------------------------------

    def fit(self, points: Iterable, *, cache: RowCache | None = None) -> Predictor:
        """Learn from `points`: (problem, solution) pairs, or objects with those attributes (a `Database`).

        Parameters
        ----------
        points : iterable
            Of one kind of problem: those of another kind than the first are passed over with a warning. Those whose
            `fidelity` is not that of an exact solver teach through what they differ by from exact answers; only the
            kernel ridge can learn that, other regressors pass them over.
        cache : RowCache, optional
            Keeps what the cheap solvers said of points with an `id`, so that a later fit need not ask them again.
        """
        self._clear()
        points = [point for point in points if teaches(point) or self._learns_from_cheap]
        known = {}
        if cache is not None and self._prepare(points):
            known = cache.get([p.id for p in points], self.training_.version)
        fresh, strangers = {}, 0
        for point in points:
            numbers = known.get(getattr(point, "id", None))
            if numbers is not None:
                rows = from_numbers(numbers, self.training_.row_type)
            else:
                rows = self._rows(*_pair(point))
                if rows is None and self.training_ is not None:
                    strangers += Kind.of(_pair(point)[0]) != self.training_.kind
                if rows is not None and cache is not None:
                    fresh[point.id] = as_numbers(rows)
            self._append(rows, getattr(point, "fidelity", "exact"))
        if strangers:
            warnings.warn(
                f"{strangers} of {len(points)} points are not learned: this model learns {self.training_.kind}. Fit "
                "each kind of problem on its own, for example Database.select(kind=...)",
                stacklevel=2,
            )
        if cache is not None:
            cache.put(fresh, self.training_.version if self.training_ else "")
        if self.n_points_:
            self._refit()
        return self

    def add(self, problem: Problem, solution: Solution, *, fidelity: str = "exact") -> Predictor:
        """Learn one more point; length scales and forest are renewed only when the data have grown enough."""
        if not hasattr(self, "n_points_"):
            self._clear()
        if not (is_exact(fidelity) or self._learns_from_cheap):
            return self
        before = self.n_rows_
        self._append(self._rows(problem, solution), fidelity)
        if self.n_rows_ == before or self.n_points_ == 0:
            return self
        is_due = self.n_rows_ >= max(TUNE_FROM, TUNE_GROWTH * self.n_tuned_) or before < MIN_POINTS
        if is_due or self.n_tuned_ == 0 or len(self.training_.cheap) > len(self.kernel_.difference):
            self._refit()
        elif not self.regression_.quick_leave_out and self.n_rows_ >= REFIT_GROWTH * self.n_fitted_:
            self._fit_regression()
        else:
            data, noise = self.training_, self.training_.relative_noise()
            for row in range(before, self.n_rows_):
                target = self.transform_.transform(data.y[row] / data.amplitude[row])
                x = self.reduction_.transform(data.X[row])
                self.regression_.append(x, target, noise[row], int(data.source[row]))
            if self.regression_.quick_leave_out:
                self._calibrate()
        return self

    def with_confidence(self, confidence: float) -> Predictor:
        """The same fitted model with bounds that hold with probability `confidence`.

        Both share what was learned, until a point is added to either.
        """
        other = copy(self)
        other.confidence, other.territory_ = confidence, copy(self.territory_)
        other.calibration_ = Calibration(confidence, random_state=self.random_state)
        other._calibrate()
        return other

    @property
    def n_rows_(self) -> int:
        """Rows of all points: one per flavour that is not like another."""
        return 0 if self.training_ is None else len(self.training_)

    @property
    def bound_(self) -> ErrorBound:
        """Forest, scales and quantiles of the bounds."""
        return self.calibration_.bound_

    @property
    def label_noise_(self) -> np.ndarray:
        """Standard errors of the labels, (n_rows,) of `calibration.LABEL_NOISE`."""
        return self.calibration_.label_noise_

    @property
    def leave_out_error_(self) -> np.ndarray:
        """Errors of rows with an exact label predicted without their group, (n,) of `calibration.ERRORS`."""
        return self.calibration_.leave_out_error_

    @property
    def floor_(self) -> float:
        """Share of the cheap solvers' disagreement that a bound is never below."""
        return self.calibration_.floor_

    @property
    def reach_(self) -> float:
        """Standard deviation that stored points, left out, hardly ever exceed."""
        return self.territory_.reach_

    @property
    def difference_(self) -> tuple[float, ...]:
        """Per cheap fidelity, variance of its difference from exact labels in units of their own."""
        return self.kernel_.difference

    @property
    def _learns_from_cheap(self) -> bool:
        return self.regressor == "kernel_ridge"

    def _clear(self):
        regressors.check(self.regressor)
        if not 0 < self.confidence < 1:
            raise ValueError(
                f"confidence = {self.confidence!r} is no probability: give one between 0 and 1, such as 0.95"
            )
        if self.nu is not None and self.nu not in SMOOTHNESS:
            raise ValueError(f"nu = {self.nu!r} is not known: choose one of {', '.join(map(str, SMOOTHNESS))}")
        if self.pca is not None and not self.pca >= 1:
            raise ValueError(f"pca = {self.pca!r}: keep at least one component, or None for all features")
        names = self.approximations
        if names is not None:
            names = (names,) if isinstance(names, str) else tuple(names)
            for name in names:
                approximations.named(name)
        self.descriptor_ = Descriptor(names, self.representation)
        self.training_: TrainingSet | None = None
        self.n_points_ = self.n_tuned_ = self.n_fitted_ = 0

    def _prepare(self, points: list) -> bool:
        """Whether the kind of problem is known, from the first point that can be described if need be."""
        if self.training_ is None:
            described = (p for p in points if why_not_learnable(_pair(p)[0]) is None)
            first = next(described, None)
            if first is not None:
                self.training_ = TrainingSet(self.descriptor_, Kind.of(_pair(first)[0]))
                self.territory_ = Territory(self.training_)
        return self.training_ is not None

    def _rows(self, problem: Problem, solution: Solution) -> np.ndarray | None:
        """What is kept of one point; None where this model has nothing to say of it."""
        if self._unsuited(problem) is not None or not self._prepare([(problem, solution)]):
            return None
        try:
            return self.training_.rows_of(problem, solution)
        except Indescribable:
            return None

    def _append(self, rows: np.ndarray | None, fidelity: str):
        if rows is None or fidelity in self.descriptor_.solvers(self.training_.kind):  # known as a feature
            return
        self.training_.append(rows, fidelity)
        self.n_points_ += is_exact(fidelity)

    def _unsuited(self, problem: Problem) -> Novelty | None:
        """Why `problem` cannot be described, or lies outside what this model is about."""
        reason = why_not_learnable(problem)
        if reason is None and self.training_ is not None and Kind.of(problem) != self.training_.kind:
            reason = f"the stored points have {self.training_.kind}, this problem has {Kind.of(problem)}"
        return None if reason is None else Novelty("unsuited", reason)

    def _refit(self):
        """Length scales and everything that depends on them."""
        data = self.training_
        self.reduction_ = GroupedPCA(self.pca).fit(data.X, group=data.layout.group, parity=data.layout.parity)
        length_scale = np.array([LENGTH_SCALE.get(name, CLUSTER_LENGTH_SCALE) for name in data.layout.names])
        self.kernel_ = KernelSettings(self.reduction_.group_, self.reduction_.parity_, length_scale)
        if self.nu is not None:
            self.kernel_ = replace(self.kernel_, nu=self.nu)
        self.n_tuned_ = self.n_rows_
        self._fit_regression(tuned=self.n_rows_ >= TUNE_FROM)

    def _fit_regression(self, tuned: bool = False):
        data, seed = self.training_, self.random_state
        scaled = data.y / data.amplitude[:, None]
        self.transform_ = TargetTransform(self.transform).fit(scaled)
        X, y = self.reduction_.transform(data.X), self.transform_.transform(scaled)
        samples = Samples(X, y, data.output_parity, data.relative_noise(), data.source)
        if data.cheap:
            self.kernel_ = replace(self.kernel_, difference=likely_difference(self.kernel_, samples, seed=seed))
        if tuned and self.regressor in regressors.TUNABLE:
            error = lambda residual, rows: data.max_error(in_units(data, self.transform_, residual, rows))
            choice = SMOOTHNESS_CHOICE + (SMOOTHEST,) * (data.n_scanned >= MANY_GROUPS)
            smoothness = choice if self.nu is None else None
            self.kernel_ = tune(
                self.kernel_, samples, labels=data.groups(), error=error, smoothness=smoothness, seed=seed
            )
            if data.cheap:
                self.kernel_ = replace(self.kernel_, difference=likely_difference(self.kernel_, samples, seed=seed))
        self.regression_ = samples.teach(regressors.build(self.regressor, len(samples), self.kernel_, seed=seed))
        self.calibration_ = Calibration(self.confidence, random_state=seed)
        self.n_fitted_ = self.n_rows_
        self._calibrate()

    def _calibrate(self):
        self.calibration_.fit(self.training_, self.regression_, self.transform_)
        self.territory_.fit(self.calibration_.leave_out_std_)

    # -- predicting ------------------------------------------------------------------------------------------------

    def predict(self, problem: Problem) -> Prediction:
        """The solution of `problem` as far as it is known, with bounds on its error."""
        if not hasattr(self, "n_points_"):
            self._clear()
        novelty = self._unsuited(problem)
        if novelty is None and self.n_points_ < MIN_POINTS:
            novelty = Novelty("few points", f"{self.n_points_} stored points are too few")
        if novelty is not None:
            return Prediction.of_nothing(novelty)
        try:
            return self.predict_described(problem, self.descriptor_.describe(problem.canonical()))
        except Indescribable as error:
            return Prediction.of_nothing(Novelty("indescribable", str(error)))

    def predict_described(self, problem: Problem, description: Description) -> Prediction:
        """The same for a problem whose description is at hand, by a predictor with five points or more."""
        X = self._features(description.rows)
        correction, std, bounds = self._ask(description.rows, X)
        answer = physical_answer(description, correction, self.n_points_)
        floor = self.floor_ * description.spread
        bound = {error: max(bounds[error].max(), floor) for error in bounds.dtype.names}
        return Prediction(
            answer.solution.in_units_of(problem),
            # the physical answer is the one nearest to the raw prediction, and the truth is physical: moving there
            # makes the error smaller, not larger, in the mean square over τ; in the maximum over τ it does on average
            error_bound=float(np.hypot(bound["G"], answer.moved)),
            sigma_bound=float(bound["Sigma"] + answer.sigma_moved),
            novelty=self.territory_.novelty(description, std),
            nearest=float(self.regression_.nearest(X).max()),
            moved=answer.moved,
            density_bound=float(bound["density"] + answer.moved),
            docc_bound=float(bound["docc"] + answer.moved),
        )

    def row_bounds(self, rows: Sequence[Row]) -> np.ndarray:
        """Bounds on the errors of rows of descriptions, (n_rows,) of `calibration.ERRORS`.

        What it takes to make an answer physical is not in them.
        """
        return self._ask(rows, self._features(rows))[2]

    def _ask(self, rows: Sequence[Row], X: np.ndarray) -> tuple[Correction, np.ndarray, np.ndarray]:
        """Of rows with features `X`: corrections, standard deviations (n_rows,), bounds (n_rows,) of `ERRORS`."""
        scaled, std = self.regression_.predict(X, return_std=True)
        correction = self._correction(scaled, np.array([row.amplitude for row in rows]))
        G0 = np.array([row.G0 for row in rows]) + correction.G_l @ first_frequency(N_LEGENDRE)
        return correction, std, self.calibration_.bounds(rows, X, G0, std)

    def _features(self, rows: Sequence[Row]) -> np.ndarray:
        return self.reduction_.transform(np.stack([row.features for row in rows]))

    def _correction(self, scaled: np.ndarray, amplitude: np.ndarray) -> Correction:
        values = self.transform_.inverse_transform(scaled) * amplitude[:, None]
        n_G = self.training_.n_G
        pairs = slice(n_G, n_G + len(self.training_.kind.shells))
        synthesis = self.descriptor_.representation.synthesis
        return Correction(values[:, :n_G] @ synthesis, values[:, pairs], values[:, pairs.stop :])


def _pair(point) -> tuple[Problem, Solution]:
    return point if isinstance(point, tuple) else (point.problem, point.solution)


class StoredPoint(Protocol):
    """What is needed of a point of a database."""

    problem: Problem
    solution: Solution
    problem_id: str


def predict_left_out(
    points: Sequence[StoredPoint], point: StoredPoint, predictor: Predictor | None = None
) -> Prediction:
    """What the model would say of a stored `point` if it were not: fitted on all `points` but answers to its problem.

    Near neighbours stay: for points of one DMFT loop the prediction flatters the model. `predictor`, which stays as it
    is, brings the settings; by default those of `Predictor()`.
    """
    kind = Kind.of(point.problem)
    others = [p for p in points if p.problem_id != point.problem_id and Kind.of(p.problem) == kind]
    return clone(predictor or Predictor()).fit(others).predict(point.problem)
