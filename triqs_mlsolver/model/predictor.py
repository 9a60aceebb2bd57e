# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Predictor: fit over solved problems, predict new ones with a bound on the error."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin, clone

from .. import approximations
from ..numerics import legendre
from ..problem import Problem, Solution
from ..problem.fidelity import is_exact
from ..problem.symmetry import why_not_learnable
from .constants import (
    CALIBRATION_ROWS,
    CLUSTER_LENGTH_SCALE,
    DIGITS,
    EDGE,
    LABEL_SIGMAS,
    LENGTH_SCALE,
    MANY_GROUPS,
    MIN_POINTS,
    REACH,
    REACH_QUANTILE,
    REFIT_GROWTH,
    ROUNDING,
    SMOOTHEST,
    SMOOTHNESS_CHOICE,
    SPREAD_FLOOR,
    TUNE_FROM,
    TUNE_GROWTH,
    VALUES_TO_EXTRAPOLATE,
)
from .error_bound import ErrorBound
from .features.descriptor import Description, Descriptor, Indescribable, Kind, Row, first_frequency, max_norm
from .features.labelled_rows import as_numbers, from_numbers
from .features.reduction import GroupedPCA
from .features.representation import N_LEGENDRE
from .features.training_set import (
    ByProblem,
    RowCache,
    TrainingSet,
    groups_of_one,
    some_problems,
    teaches,
)
from .physical_answer import Correction, physical_answer
from .regression import regressors
from .regression.kernel import SMOOTHNESS, KernelSettings
from .regression.samples import Samples
from .regression.transform import TargetTransform
from .regression.tuning import likely_difference, tune
from .selection import SearchResult, search


@dataclass(frozen=True, eq=False)
class Prediction:
    """A predicted solution and how far it can be trusted.

    Attributes
    ----------
    solution : Solution or None
        In the units and block order of the problem; None where the model has nothing to say.
    error_bound : float
        Bound on max over τ and flavours of abs(G_model − G_exact), at the predictor's confidence (dimensionless).
    sigma_bound : float
        Bound on abs(ΔΣ(iω₀)) / (ω₀ − Im Σ(iω₀)), which bounds the relative error of Z (dimensionless).
    novel : str or None
        Why the problem lies outside known territory, if it does; the bounds then say nothing.
    nearest : float
        Distance to the nearest stored point in the kernel's feature space (dimensionless; inf without points).
    moved : float
        Largest change of G(τ) by which the raw prediction was made physical; contained in the bounds.
    density_bound, docc_bound : float
        Bounds on the errors of ⟨n⟩ per flavour and of ⟨n_i n_j⟩, averaged over shells of flavours: for one orbital, of
        ⟨n↑n↓⟩ (dimensionless).
    """

    solution: Solution | None
    error_bound: float
    sigma_bound: float
    novel: str | None
    nearest: float
    moved: float = 0.0
    density_bound: float = np.inf
    docc_bound: float = np.inf


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
        Cheap solvers "ipt", "hubbard_i", "nca", "hartree_fock", "ed1", "ed2", "ed3": the first is the baseline, the others
        are features. Default: see `Descriptor`. Empty: G itself is learned.
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
    regression_ : SymmetricKernelRidge, or another regressor with its interface
    training_ : TrainingSet or None
        None before the first point.
    bound_ : ErrorBound
    label_noise_ : (n_rows, 2) array
        Standard error of each label's G(τ), typically its largest, and of Σ(iω₀), relative.
    leave_out_error_ : (n_rows, 2) array
        Errors of G(τ), the largest over τ, and of Σ(iω₀), relative, of each row with an exact label predicted without
        its group; where that has its price, of a random share of the rows only.
    kernel_ : KernelSettings
        As tuned, for the features that `pca` leaves.
    difference_ : tuple of float
        Per cheap fidelity (`training_.cheap`), variance of its difference from exact labels in units of their own.
    n_points_ : int
        Exact answers.

    Examples
    --------
    >>> from triqs_mlsolver.exact.ed import ED
    >>> problems = [Problem.siam(beta=10.0, U=U, mu=U / 2, eps=[-0.5, 0.5], V=[0.35, 0.35]) for U in (1.0, 1.2, 1.4, 1.6, 2.0)]
    >>> predictor = Predictor().fit([(p, ED().solve(p)) for p in problems])
    >>> new = Problem.siam(beta=10.0, U=1.8, mu=0.9, eps=[-0.5, 0.5], V=[0.35, 0.35])
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
            Those whose `fidelity` is not that of an exact solver teach through what they differ by from exact answers;
            only the kernel ridge can learn that, other regressors pass them over.
        cache : RowCache, optional
            Keeps what the cheap solvers said of points with an `id`, so that a later fit need not ask them again.
        """
        self._clear()
        points = [point for point in points if teaches(point) or self._learns_from_cheap]
        known = {}
        if cache is not None and self._prepare(points):
            known = cache.get([p.id for p in points], self.training_.version)
        fresh = {}
        for point in points:
            numbers = known.get(getattr(point, "id", None))
            if numbers is not None:
                rows = from_numbers(numbers, self.training_.row_type)
            else:
                rows = self._rows(*_pair(point))
                if rows is not None and cache is not None:
                    fresh[point.id] = as_numbers(rows)
            self._append(rows, getattr(point, "fidelity", "exact"))
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
        other.confidence = confidence
        other.bound_ = ErrorBound(confidence, random_state=self.random_state)
        other._calibrate()
        return other

    @property
    def n_rows_(self) -> int:
        """Rows of all points: one per flavour that is not like another."""
        return 0 if self.training_ is None else len(self.training_)

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
            raise ValueError(f"confidence = {self.confidence!r} is no probability: give one between 0 and 1, such as 0.95")
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
        self._reach_known: tuple[int, list] = (0, [])

    def _prepare(self, points: list) -> bool:
        """Whether the kind of problem is known, from the first point that can be described if need be."""
        if self.training_ is None:
            described = (p for p in points if why_not_learnable(_pair(p)[0]) is None)
            first = next(described, None)
            if first is not None:
                self.training_ = TrainingSet(self.descriptor_, Kind.of(_pair(first)[0]))
        return self.training_ is not None

    def _rows(self, problem: Problem, solution: Solution) -> np.ndarray | None:
        """What is kept of one point; None where this model has nothing to say of it."""
        if self._reason(problem) is not None or not self._prepare([(problem, solution)]):
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

    def _reason(self, problem: Problem) -> str | None:
        """Why `problem` cannot be described, or lies outside what this model is about."""
        reason = why_not_learnable(problem)
        if reason is None and self.training_ is not None and Kind.of(problem) != self.training_.kind:
            reason = f"the stored points have {self.training_.kind}, this problem has {Kind.of(problem)}"
        return reason

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
            error = lambda residual, rows: data.max_error(self._in_units(residual, rows))
            choice = SMOOTHNESS_CHOICE + (SMOOTHEST,) * (data.n_scanned >= MANY_GROUPS)
            smoothness = choice if self.nu is None else None
            self.kernel_ = tune(
                self.kernel_, samples, labels=data.groups(), error=error, smoothness=smoothness, seed=seed
            )
            if data.cheap:
                self.kernel_ = replace(self.kernel_, difference=likely_difference(self.kernel_, samples, seed=seed))
        self.regression_ = samples.teach(regressors.build(self.regressor, len(samples), self.kernel_, seed=seed))
        self.bound_ = ErrorBound(self.confidence, random_state=self.random_state)
        self.n_fitted_ = self.n_rows_
        self._calibrate()

    def _in_units(self, residual: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Residuals of the correction from those of its transform."""
        data = self.training_
        amplitude = data.amplitude[rows, None]
        y = data.y[rows] / amplitude
        predicted = self.transform_.inverse_transform(self.transform_.transform(y) - residual)
        return (y - predicted) * amplitude

    def _calibrate(self):
        data, groups = self.training_, self.training_.groups()
        self.floor_ = SPREAD_FLOOR * min(1.0, MANY_GROUPS / max(data.n_scanned, 1))
        rows = np.flatnonzero(data.source == 0)  # errors are those of exact labels
        if not self.regression_.quick_leave_out and len(rows) > CALIBRATION_ROWS:
            rows = rows[some_problems(data.problem[rows], CALIBRATION_ROWS, self.random_state)]
        per_G0 = 1 / (np.abs(data.G0) ** 2 * data.sigma_unit)
        self.label_noise_ = np.column_stack([data.G_tau_error, data.G_iw0_error * per_G0])
        scale = _scale_of_errors(data.amplitude[rows], per_G0[rows])
        apart = self._left_out(groups, rows)
        self.leave_out_error_ = apart[0][:, :2]
        nearby = np.full_like(apart[0], np.nan), apart[1].copy()
        in_company = ~np.isin(groups[rows], groups_of_one(groups, data.problem))
        if in_company.any():  # the others would give the same again
            nearby[0][in_company], nearby[1][in_company] = self._left_out(data.problem, rows[in_company])
        # Loops ask for new values of their parameter, and often for the same: without all that is stored there, and with.
        samples = []
        for error, std in (apart, nearby):
            problems = ByProblem(data.problem[rows])
            once = problems.row_of_largest(std * scale[:, 0])
            worst = problems.largest(error)
            if not samples:
                self.reach_ = float(np.quantile(problems.largest(std), REACH_QUANTILE))
            noise = problems.smallest(self.label_noise_[rows])
            samples.append((data.summary[rows][once], problems.largest(std[:, None] * scale), worst[:, :2], noise, worst[:, 2:4]))
        in_turn = [np.stack(parts, axis=1).reshape(-1, parts[0].shape[1]) for parts in zip(*samples)]
        n = len(samples[0][0])
        self.bound_.fit(*in_turn, way=np.tile([0, 1], n), point=np.repeat(np.arange(n), 2))

    def _left_out(self, labels: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Errors of G(τ), Σ(iω₀), ⟨n⟩ and ⟨n_i n_j⟩ (n_rows, 4), standard deviations (n_rows,), by label left out."""
        data = self.training_
        residual, std = self.regression_.leave_out(labels, rows)
        residual = self._in_units(residual, rows)
        G0, unit = data.G0[rows], data.sigma_unit[rows]
        G = residual[:, : data.n_G] @ self.descriptor_.representation.synthesis
        shift = G @ first_frequency(N_LEGENDRE)
        # 1/G = iω₀ − h − Δ − Σ, so a change of G at fixed Δ changes Σ by −δ(1/G); relative to ω₀ − Im Σ
        sigma_error = np.abs(1 / G0 - 1 / (G0 - shift)) / unit
        density_error = np.abs(legendre.at_ends(1.0, G.T)[1])  # n = −G(β⁻)
        pairs = np.abs(residual[:, data.n_G : data.n_G + len(data.kind.shells)]).max(axis=1)
        # of ⟨n_i n_j⟩ = connected + ⟨n_i⟩⟨n_j⟩, where the other flavour may be the fuller one
        problems = ByProblem(data.problem[rows])
        docc_error = pairs + 2 * problems.largest(data.density[rows])[problems.place] * density_error
        return np.column_stack([max_norm(G), sigma_error, density_error, docc_error]), std

    # -- predicting ------------------------------------------------------------------------------------------------

    def predict(self, problem: Problem) -> Prediction:
        """The solution of `problem` as far as it is known, with bounds on its error."""
        if not hasattr(self, "n_points_"):
            self._clear()
        reason = self._reason(problem)
        if reason is None and self.n_points_ < MIN_POINTS:
            reason = f"{self.n_points_} stored points are too few"
        if reason:
            return Prediction(None, np.inf, np.inf, reason, np.inf)
        try:
            return self.predict_described(problem, self.descriptor_.describe(problem.canonical()))
        except Indescribable as error:
            return Prediction(None, np.inf, np.inf, str(error), np.inf)

    def predict_described(self, problem: Problem, description: Description) -> Prediction:
        """The same for a problem whose description is at hand, by a predictor with five points or more."""
        X = self._features(description.rows)
        correction, std, bounds = self._ask(description.rows, X)
        answer = physical_answer(description, correction, self.n_points_)
        bound = bounds.max(axis=0)
        floor = self.floor_ * description.spread
        return Prediction(
            answer.solution.in_units_of(problem),
            # the physical answer is the one nearest to the raw prediction, and the truth is physical: moving there makes the
            # error smaller, not larger, in the mean square over τ; in the maximum over τ it does on average
            float(np.hypot(max(bound[0], floor), answer.moved)),
            float(max(bound[1], floor) + answer.sigma_moved),
            self._novelty(description, std),
            float(self.regression_.nearest(X).max()),
            answer.moved,
            float(max(bound[2], floor) + answer.moved),
            float(max(bound[3], floor) + answer.moved),
        )

    def row_bounds(self, rows: Sequence[Row]) -> np.ndarray:
        """Bounds on the errors of G(τ), Σ(iω₀), ⟨n⟩ and ⟨n_i n_j⟩ for rows of descriptions, (n_rows, 4).

        What it takes to make an answer physical is not in them.
        """
        return self._ask(rows, self._features(rows))[2]

    def _ask(self, rows: Sequence[Row], X: np.ndarray) -> tuple[Correction, np.ndarray, np.ndarray]:
        """Of rows with features `X`: corrections, standard deviations (n_rows,), and bounds (n_rows, 4)."""
        amplitude = np.array([row.amplitude for row in rows])
        scaled, std = self.regression_.predict(X, return_std=True)
        correction = self._correction(scaled, amplitude)
        G0 = np.array([row.G0 for row in rows]) + correction.G_l @ first_frequency(N_LEGENDRE)
        Delta0 = np.array([row.Delta0 for row in rows])
        unit = _scale_of_errors(amplitude, 1 / (np.abs(G0) ** 2 * np.abs((1 / G0 + Delta0).imag)))
        bounds = self.bound_.predict(np.stack([row.summary for row in rows]), std[:, None] * unit)
        bounds[:, :2] = np.hypot(bounds[:, :2], LABEL_SIGMAS * self._label_noise_at(X, amplitude))
        return correction, std, bounds

    def _label_noise_at(self, X: np.ndarray, amplitude: np.ndarray) -> np.ndarray:
        """Statistical error of raw predictions that comes from those of the labels, for G and Σ(iω₀), (n_rows, 2).

        The standard deviation of the Gaussian process knows the noise of G as a whole only; that of Σ(iω₀) can be far
        larger, and a prediction that leans on a single label inherits all of it.
        """
        if not np.any(self.label_noise_):
            return np.zeros((len(X), 2))
        known = len(self.label_noise_)  # rows since the last calibration are left out
        weights = self.regression_.weights(X)[:, :known]
        weights *= amplitude[:, None] / self.training_.amplitude[:known]
        return np.sqrt(weights**2 @ self.label_noise_**2)

    def _features(self, rows: Sequence[Row]) -> np.ndarray:
        return self.reduction_.transform(np.stack([row.features for row in rows]))

    def _correction(self, scaled: np.ndarray, amplitude: np.ndarray) -> Correction:
        values = self.transform_.inverse_transform(scaled) * amplitude[:, None]
        n_G = self.training_.n_G
        pairs = slice(n_G, n_G + len(self.training_.kind.shells))
        synthesis = self.descriptor_.representation.synthesis
        return Correction(values[:, :n_G] @ synthesis, values[:, pairs], values[:, pairs.stop :])

    def _within_reach(self) -> list[tuple[str, int, float, float]]:
        """Name, column and reach of each parameter; found anew when the data have grown."""
        data, layout = self.training_, self.training_.layout
        if self._reach_known[0] != len(data):
            known = data.source == 0 if data.cheap else slice(None)
            found = []
            for name in ("beta", "U", "level", "U spread", "level spread"):
                for column in layout.columns(name):
                    seen = data.X[known, column]
                    if layout.parity[column] < 0:
                        low, high = -np.inf, _reach(np.abs(seen))[1]  # between a level and its mirror image
                    elif name == "beta":  # bounds hold least beyond the coldest
                        low, high = seen.min() - ROUNDING, seen.max() + ROUNDING
                    else:
                        low, high = _reach(seen)
                    found.append((name, column, low, high))
            self._reach_known = (len(data), found)
        return self._reach_known[1]

    def _novelty(self, description: Description, std: np.ndarray) -> str | None:
        """A parameter beyond the stored range, or a bath further from all others than any stored point is."""
        for name, column, low, high in self._within_reach():
            value = np.array([row.features[column] for row in description.rows])
            if self.training_.layout.parity[column] < 0:
                value = np.abs(value)
            if np.any(value < low) or np.any(value > high):
                return f"{name} lies outside the stored range"
        if np.max(std) > REACH * self.reach_:
            return "the bath is unlike any stored one"
        return None


def _scale_of_errors(amplitude: np.ndarray, on_sigma: np.ndarray) -> np.ndarray:
    """Errors of G(τ) and of Σ(iω₀), relative, per unit of standard deviation, (n_rows, 2).

    `on_sigma`, of G(iω₀)/β on Σ(iω₀): −δ(1/G) relative to ω₀ − Im Σ.
    """
    return amplitude[:, None] * np.column_stack([np.ones_like(on_sigma), on_sigma])


def _reach(seen: np.ndarray) -> tuple[float, float]:
    """The stored range of a parameter, and beyond each end as much as the last two values there are apart.

    That far the bounds have been tried: the values at the ends, too, are left out and predicted from the others.
    """
    values = np.unique(np.round(seen, DIGITS))
    if len(values) == 1:  # it never varied, and nothing is known of what it does
        return seen.min() - ROUNDING, seen.max() + ROUNDING
    edge = 10.0**-DIGITS + EDGE * (values[-1] - values[0])
    if len(values) < VALUES_TO_EXTRAPOLATE:
        return values[0] - edge, values[-1] + edge
    gaps = np.diff(values)
    return values[0] - gaps[0] - edge, values[-1] + gaps[-1] + edge


def _pair(point) -> tuple[Problem, Solution]:
    return point if isinstance(point, tuple) else (point.problem, point.solution)


class StoredPoint(Protocol):
    """What is needed of a point of a database."""

    problem: Problem
    solution: Solution
    problem_id: str


def predict_left_out(points: Sequence[StoredPoint], point: StoredPoint, predictor: Predictor | None = None) -> Prediction:
    """What the model would say of a stored `point` if it were not stored: fitted on all `points` but the answers to its problem.

    Near neighbours stay: for points of one DMFT loop the prediction flatters the model. `predictor`, which stays as it
    is, brings the settings; by default those of `Predictor()`.
    """
    others = [other for other in points if other.problem_id != point.problem_id]
    return clone(predictor or Predictor()).fit(others).predict(point.problem)
