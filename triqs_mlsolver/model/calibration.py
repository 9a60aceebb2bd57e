# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""What residuals of points that are left out say of the errors of a model, and so its bounds on new problems.

Each stored point with an exact label is left out in two ways and predicted from the rest: with all points of the same
β, U and level, as a run needs it that reaches a new value of its parameter; and, where there are others at these
values, on its own, since a loop also comes back to what is known. The bound holds for either way by itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..numerics import legendre
from ..tools.constants import CALIBRATION_ROWS, LABEL_SIGMAS, MANY_GROUPS, SPREAD_FLOOR
from .error_bound import ErrorBound
from .features.descriptor import Row, first_frequency, max_norm
from .features.representation import N_LEGENDRE
from .features.training_set import ByProblem, TrainingSet, groups_of_one, some_problems
from .regression.transform import TargetTransform

# Errors of one row: of G(τ), the largest over τ; of Σ(iω₀), relative to ω₀ − Im Σ(iω₀); of ⟨n⟩; of ⟨n_i n_j⟩, averaged
# over the shells of other flavours. The last two have the scale of the first.
ERRORS = np.dtype([(name, float) for name in ("G", "Sigma", "density", "docc")])
LABEL_NOISE = np.dtype([(name, float) for name in ("G", "Sigma")])


class Calibration:
    """Bounds on the errors of a regression, calibrated on its own residuals.

    Parameters
    ----------
    confidence : float
        Probability with which an error stays below its bound.
    random_state : int
        Seed of the forest, and of the choice of rows where leaving out has its price.

    Attributes
    ----------
    bound_ : ErrorBound
    label_noise_ : (n_rows,) array of `LABEL_NOISE`
        Standard error of each label: of G(τ), typically its largest, and of Σ(iω₀), relative.
    is_noisy_ : (n_rows,) array of bool
        Whether that error is statistical, and part of the residuals. Else labels that are near have it in common.
    leave_out_error_ : (n,) array of `ERRORS`
        Of each row with an exact label, left out with its group; of some of them where leaving out has its price.
    leave_out_std_ : (n_problems,) array
        Standard deviation in the same case, the largest of each problem's rows, in units of the amplitude.
    floor_ : float
        No bound is smaller than this share of the disagreement of the cheap solvers.
    """

    def __init__(self, confidence: float = 0.95, *, random_state: int = 0):
        self.confidence = confidence
        self.random_state = random_state
        self.bound_ = ErrorBound(confidence, random_state=random_state)

    def fit(self, data: TrainingSet, regression, transform: TargetTransform) -> Calibration:
        """Leave out what `regression` has learned: all of `data`, the corrections as `transform` makes them.

        Called again when the data have grown, it keeps the forest of the bound as long as that is not too old.
        """
        self._data, self._regression, self._transform = data, regression, transform
        groups, rows = data.groups(), self._rows()
        self.floor_ = SPREAD_FLOOR * min(1.0, MANY_GROUPS / max(data.n_scanned, 1))
        on_sigma = 1 / (np.abs(data.G0) ** 2 * data.sigma_unit)
        self.label_noise_ = np.empty(len(data), LABEL_NOISE)
        self.label_noise_["G"], self.label_noise_["Sigma"] = data.G_tau_error, data.G_iw0_error * on_sigma
        self.is_noisy_ = data.noise > 0
        error, std = self._left_out(groups, rows)
        own_error, own_std = np.full(len(rows), np.nan, ERRORS), std.copy()
        in_company = ~np.isin(groups[rows], groups_of_one(groups, data.problem))
        if in_company.any():  # the others would give the same again
            own_error[in_company], own_std[in_company] = self._left_out(data.problem, rows[in_company])
        problems = ByProblem(data.problem[rows])
        self.leave_out_error_, self.leave_out_std_ = error, problems.largest(std)
        apart = self._of_problems(problems, rows, error, std, on_sigma[rows])
        alone = self._of_problems(problems, rows, own_error, own_std, on_sigma[rows])
        in_turn = {name: _in_turn(apart[name], alone[name]) for name in apart}
        n = len(problems)
        self.bound_.fit(**in_turn, way=np.tile([0, 1], n), point=np.repeat(np.arange(n), 2))
        return self

    def bounds(self, rows: Sequence[Row], X: np.ndarray, G0: np.ndarray, std: np.ndarray) -> np.ndarray:
        """Bounds on the errors of predictions, (n_rows,) of `ERRORS`; the floor is not in them.

        Parameters
        ----------
        rows : sequence of Row
        X : (n_rows, n_features) array
            Their features as the regression sees them.
        G0 : (n_rows,) array
            Predicted G(iω₀)/β.
        std : (n_rows,) array
            Standard deviation of the prediction, in units of the amplitude.
        """
        amplitude, Delta0 = np.array([row.amplitude for row in rows]), np.array([row.Delta0 for row in rows])
        on_sigma = 1 / (np.abs(G0) ** 2 * np.abs((1 / G0 + Delta0).imag))
        found = self.bound_.predict(np.stack([row.summary for row in rows]), _of_errors(std, amplitude, on_sigma))
        bounds = np.ascontiguousarray(found).view(ERRORS)[:, 0]
        if self.label_noise_.view(float).any():
            noise = self._label_noise_at(X, amplitude)
            for name in LABEL_NOISE.names:
                bounds[name] = np.hypot(bounds[name], LABEL_SIGMAS * noise[name])
        return bounds

    # -- leaving out -----------------------------------------------------------------------------------------------

    def _rows(self) -> np.ndarray:
        """Numbers of the rows that are left out: errors are those of exact labels."""
        rows = np.flatnonzero(self._data.source == 0)
        if not self._regression.quick_leave_out and len(rows) > CALIBRATION_ROWS:
            rows = rows[some_problems(self._data.problem[rows], CALIBRATION_ROWS, self.random_state)]
        return rows

    def _left_out(self, labels: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Errors (n,) of `ERRORS` and standard deviations (n,) of `rows`, all of the same label left out together."""
        data = self._data
        residual, std = self._regression.leave_out(labels, rows)
        residual = in_units(data, self._transform, residual, rows)
        G = residual[:, : data.n_G] @ data.descriptor.representation.synthesis
        pairs = residual[:, data.n_G : data.n_G + len(data.kind.shells)]
        problems, G0 = ByProblem(data.problem[rows]), data.G0[rows]
        errors = np.empty(len(rows), ERRORS)
        errors["G"] = max_norm(G)
        # 1/G = iω₀ − h − Δ − Σ, so a change of G at fixed Δ changes Σ by −δ(1/G); relative to ω₀ − Im Σ
        errors["Sigma"] = np.abs(1 / G0 - 1 / (G0 - G @ first_frequency(N_LEGENDRE))) / data.sigma_unit[rows]
        errors["density"] = np.abs(legendre.at_ends(1.0, G.T)[1])  # n = −G(β⁻)
        # of ⟨n_i n_j⟩ = connected + ⟨n_i⟩⟨n_j⟩, where the other flavour may be the fuller one
        fullest = problems.largest(data.density[rows])[problems.place]
        errors["docc"] = np.abs(pairs).max(axis=1) + 2 * fullest * errors["density"]
        return errors, std

    def _of_problems(self, problems: ByProblem, rows, error, std, on_sigma) -> dict[str, np.ndarray]:
        """What `ErrorBound.fit` asks for, each problem once: the worst of its rows, the least noise of its labels."""
        data, noisy, noise = self._data, self.is_noisy_[rows], self.label_noise_[rows]
        of_errors = _of_errors(std, data.amplitude[rows], on_sigma)
        worst = {name: problems.largest(error[name]) for name in ERRORS.names}
        return {
            "summary": data.summary[rows][problems.row_of_largest(std * data.amplitude[rows])],
            "std": problems.largest(of_errors),
            "error": np.column_stack([worst["G"], worst["Sigma"]]),
            "noise": np.column_stack(
                [problems.smallest(np.where(noisy, noise[name], 0.0)) for name in LABEL_NOISE.names]
            ),
            "followers": np.column_stack([worst["density"], worst["docc"]]),
        }

    # -- noise of the labels ---------------------------------------------------------------------------------------

    def _label_noise_at(self, X: np.ndarray, amplitude: np.ndarray) -> np.ndarray:
        """Error of raw predictions that comes from those of the labels, (n_rows,) of `LABEL_NOISE`.

        The standard deviation of the Gaussian process knows the noise of G as a whole only; that of Σ(iω₀) can be far
        larger, and a prediction that leans on a single label inherits all of it.
        """
        known = len(self.label_noise_)  # rows since the last calibration are left out
        weights = self._regression.weights(X)[:, :known]
        weights *= amplitude[:, None] / self._data.amplitude[:known]
        error = self.label_noise_.view(float).reshape(known, -1)
        noise, common = error * self.is_noisy_[:, None], error * ~self.is_noisy_[:, None]
        # What labels have in common is an error of the answer, too, as large as theirs: predicted with the rest, and no
        # less than their mean, since error bars that do not vary smoothly may cancel. Where errors differ from label to
        # label they are in the residuals already.
        share = np.abs(weights)
        share /= np.maximum(share.sum(axis=1, keepdims=True), 1e-300)
        in_common = np.maximum(np.abs(weights @ common), share @ common)
        return np.sqrt(weights**2 @ noise**2 + in_common**2).view(LABEL_NOISE)[:, 0]


def in_units(data: TrainingSet, transform: TargetTransform, residual: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Residuals of corrections (n, n_outputs), for `rows` (n,) of `data`, from those of what is learned instead."""
    amplitude = data.amplitude[rows, None]
    y = data.y[rows] / amplitude
    return (y - transform.inverse_transform(transform.transform(y) - residual)) * amplitude


def _of_errors(std: np.ndarray, amplitude: np.ndarray, on_sigma: np.ndarray) -> np.ndarray:
    """Standard deviations `std` (n,) in units of the errors of G(τ) and of Σ(iω₀), relative, (n, 2).

    `on_sigma` (n,): what G(iω₀)/β makes of Σ(iω₀), −δ(1/G) relative to ω₀ − Im Σ.
    """
    return np.column_stack([std * amplitude, std * (amplitude * on_sigma)])


def _in_turn(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Lines of two arrays (n, k), one from each in turn, (2n, k)."""
    return np.stack([first, second], axis=1).reshape(-1, first.shape[1])
