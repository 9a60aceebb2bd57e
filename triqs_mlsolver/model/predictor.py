# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Predictor: fit over solved problems, predict new ones with a bound on the error."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from sklearn.base import BaseEstimator

from ..numerics import dlr, legendre
from ..numerics.physical import nearest_self_energy
from ..problem import Problem
from ..solution import Solution, static_moments
from ..version import version
from . import descriptor as d
from .confidence import ErrorBound
from .regression import SymmetricKernelRidge
from .tuning import tune

# Starting values per group of features, see descriptor.GROUPS; found on random baths, adapted to the data by `tune`.
_LENGTH_SCALE = (5.0, 4.0, 4.0, 0.12, 0.5, 0.2, 0.1)
_ALPHA = 1e-6
_TUNE_FROM, _TUNE_GROWTH = 30, 1.6
_MIN_POINTS = 5
_EDGE = 0.02  # share of a parameter's stored range by which a problem may lie outside it
_REACH_QUANTILE, _REACH = 0.95, 1.2  # beyond 1.2 times this quantile of the stored points' own leave-out standard
# deviations a problem is novel: too few residuals there speak of errors so far out, and a few outliers must not change that
_SPREAD_FLOOR = 0.002  # a bound is never smaller than this share of the cheap solvers' disagreement


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
        Largest change of G(τ) by which the raw prediction was made physical; contained in `error_bound`.
    """

    solution: Solution | None
    error_bound: float
    sigma_bound: float
    novel: str | None
    nearest: float
    moved: float = 0.0


class Predictor(BaseEstimator):
    """Learns the correction to IPT from solved problems.

    Parameters
    ----------
    confidence : float, default 0.95
        Probability with which an error stays below its bound.
    nu : {1.5, 2.5, 0.5}
        Smoothness of the Matérn kernel.
    random_state : int
        Seed of the forest and of the subset used to tune length scales.

    Attributes
    ----------
    regression_ : SymmetricKernelRidge
    bound_ : ErrorBound
    n_points_ : int

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

    def __init__(self, confidence: float = 0.95, nu: float = 1.5, random_state: int = 0):
        self.confidence = confidence
        self.nu = nu
        self.random_state = random_state

    # -- learning --------------------------------------------------------------------------------------------------

    def fit(self, points: Iterable) -> Predictor:
        """Learn from `points`: (problem, solution) pairs, or objects with those attributes (a `Database`)."""
        self._clear()
        for point in points:
            self._take(*_pair(point))
        if self.n_rows_:
            self._refit()
        return self

    def add(self, problem: Problem, solution: Solution) -> Predictor:
        """Learn one more point; length scales and forest are renewed only when the data have grown enough."""
        if not hasattr(self, "n_points_"):
            self._clear()
        before = self.n_rows_
        self._take(problem, solution)
        if self.n_rows_ == before:
            return self
        if before == 0 or self.n_rows_ >= max(_TUNE_FROM, _TUNE_GROWTH * self.n_tuned_) or before < _MIN_POINTS:
            self._refit()
        else:
            noise = self._relative_noise()
            for row in range(before, self.n_rows_):
                self.regression_.append(self.X_[row], self.y_[row] / self.amplitude_[row], noise[row])
            self._calibrate()
        return self

    def _clear(self):
        self.n_points_ = self.n_rows_ = self.n_tuned_ = 0
        self.group_, self.parity_ = d.layout()
        even = (-1.0) ** np.arange(d.N_OUT)
        self.output_parity_ = np.append(even, 1.0)  # G_l corrections, then the pair correlator's
        names = ("X_", "y_", "amplitude_", "summary_", "noise_", "label_", "copy_", "label_error_", "G0_", "sigma_unit_")
        for name in names:
            setattr(self, name, [])
        self.bound_ = ErrorBound(self.confidence, random_state=self.random_state)

    def _take(self, problem: Problem, solution: Solution):
        """Append the rows of one point to the training arrays."""
        canonical = problem.canonical()
        if d.supports(canonical) is not None:
            return  # a database may hold points of which this model says nothing
        exact = solution.canonical(problem)
        description = d.describe(canonical)
        pair = _connected(exact.nn) - _connected(description.baseline.nn)
        for row in description.rows:
            i = row.flavours[0]
            G, base = (
                legendre.resized(s.G_l[i][:, 0, 0], d.N_OUT) / canonical.beta for s in (exact, description.baseline)
            )
            self.X_.append(row.features)
            self.y_.append(np.append(G - base, pair))
            self.amplitude_.append(row.amplitude)
            self.summary_.append(row.summary)
            error = np.zeros(1) if exact.G_l_error is None else exact.G_l_error[i][:, 0, 0] / canonical.beta
            self.noise_.append(np.sum(error**2))
            self.label_error_.append(_label_noise(error, exact.provenance))
            self.copy_.append(f"{canonical.id}/{i}")
            self.label_.append(f"{canonical.beta:.3g}/{canonical.U[0, 1]:.3g}/{abs(canonical.x[i]):.3f}")
            self.G0_.append(complex(exact.G_iw(1)[i][0, 0, 0]) / canonical.beta)
            Sigma = exact.Sigma_iw(canonical, 1)[i][0, 0, 0]
            self.sigma_unit_.append(abs(np.pi - canonical.beta * Sigma.imag))
        self.n_points_ += 1
        self.n_rows_ = len(self.X_)

    def _refit(self):
        X, y, amplitude = np.array(self.X_), np.array(self.y_), np.array(self.amplitude_)
        scaled = y / amplitude[:, None]
        noise = self._relative_noise()
        labels = self._groups()
        model = SymmetricKernelRidge(self.group_, self.parity_, np.array(_LENGTH_SCALE), _ALPHA, self.nu)
        if self.n_rows_ >= _TUNE_FROM:
            error = lambda residual, rows: _max_norm(residual * amplitude[rows, None])
            model = tune(
                model,
                X,
                scaled,
                output_parity=self.output_parity_,
                noise=noise,
                labels=labels,
                error=error,
                seed=self.random_state,
            )
        self.n_tuned_ = self.n_rows_
        self.regression_ = model.fit(X, scaled, output_parity=self.output_parity_, noise=noise)
        self._calibrate()

    def _relative_noise(self) -> np.ndarray:
        """Label variance in units of the correction's own variance, per row."""
        amplitude = np.array(self.amplitude_)
        signal = np.mean(np.sum(np.array(self.y_)[:, :-1] ** 2, axis=1) / amplitude**2)
        return np.array(self.noise_) / amplitude**2 / max(signal, 1e-12)

    def _groups(self) -> np.ndarray:
        """Rows that are left out together: a scan visits one U many times, and its own neighbours would flatter it.

        With a single group every problem stands for itself; problems beyond the stored range are novel in any case.
        """
        groups = np.unique(self.label_, return_inverse=True)[1]
        return groups if groups.max() > 0 else np.unique(self.copy_, return_inverse=True)[1]

    def _calibrate(self):
        labels = self._groups()
        amplitude = np.array(self.amplitude_)
        residual, std = self.regression_.leave_out(labels)
        residual *= amplitude[:, None]
        G0 = np.array(self.G0_)
        shift = residual[:, :-1] @ _first_frequency(d.N_OUT)
        # 1/G = iω₀ − h − Δ − Σ, so a change of G at fixed Δ changes Σ by −δ(1/G); relative to ω₀ − Im Σ
        unit = np.array(self.sigma_unit_)
        sigma_error = np.abs(1 / G0 - 1 / (G0 - shift)) / unit
        noise = np.array(self.label_error_)
        noise[:, 1] /= np.abs(G0) ** 2 * unit
        error = np.column_stack([_max_norm(residual), sigma_error])
        # answers to one problem count once, with the largest error: repeating a run must not make the model confident
        _, first, copy = np.unique(self.copy_, return_index=True, return_inverse=True)
        worst = np.zeros((len(first), error.shape[1]))
        np.maximum.at(worst, copy, error)
        order = np.argsort(first)
        once = first[order]
        self.bound_.fit(np.array(self.summary_)[once], (std * amplitude)[once], worst[order], noise[once])
        self.reach_ = float(np.quantile(std[once], _REACH_QUANTILE))

    # -- predicting ------------------------------------------------------------------------------------------------

    def predict(self, problem: Problem) -> Prediction:
        """The solution of `problem` as far as it is known, with bounds on its error."""
        reason = d.supports(problem)
        if reason is None and getattr(self, "n_points_", 0) < _MIN_POINTS:
            reason = f"{getattr(self, 'n_points_', 0)} stored points are too few"
        if reason:
            return Prediction(None, np.inf, np.inf, reason, np.inf)
        canonical = problem.canonical()
        description = d.describe(canonical)
        X = np.stack([row.features for row in description.rows])
        amplitude = np.array([row.amplitude for row in description.rows])
        scaled, std = self.regression_.predict(X, return_std=True)
        correction = scaled * amplitude[:, None]
        summary = np.stack([row.summary for row in description.rows])
        bound = self.bound_.predict(summary, std * amplitude).max(axis=0)
        solution, moved, sigma_moved = self._physical(description, correction)
        floor = _SPREAD_FLOOR * description.spread
        return Prediction(
            solution.in_units_of(problem),
            float(max(bound[0], floor) + moved),
            float(max(bound[1], floor) + sigma_moved),
            self._novelty(X, std),
            float(self.regression_.nearest(X).max()),
            moved,
        )

    def _novelty(self, X, std) -> str | None:
        """A parameter beyond the stored range, or a bath further from all others than any stored point is."""
        stored = self.regression_.X_
        names = {0: "beta", 1: "U", 2: "level"}
        for column, name in names.items():
            seen, value = stored[:, column], X[:, column]
            if self.parity_[column] < 0:
                seen, value = np.abs(seen), np.abs(value)
            low, high = seen.min(), seen.max()
            margin = _EDGE * (high - low) + 1e-6
            if column == 2:
                low = 0.0
            if np.any(value < low - margin) or np.any(value > high + margin):
                return f"{name} lies outside the stored range"
        if np.max(std) > _REACH * self.reach_:
            return "the bath is unlike any stored one"
        return None

    def _physical(self, description: d.Description, correction: np.ndarray) -> tuple[Solution, float, float]:
        """The physical solution nearest to baseline + correction, and how far G(τ) and Σ(iω₀) (relative) moved."""
        problem = description.problem
        grid = dlr.grid(problem.beta * problem.largest_energy)
        positive = grid.n >= 0
        iw = 1j * grid.omega[positive] / problem.beta
        raw = [description.baseline.G_l[i][:, 0, 0].copy() for i in range(2)]
        for row, c in zip(description.rows, correction):
            for i in row.flavours:
                k = min(d.N_OUT, len(raw[i]))
                raw[i][:k] += problem.beta * c[:k]
        density = np.array([-legendre.at_ends(problem.beta, g)[1] for g in raw]).clip(1e-9, 1 - 1e-9)
        symmetric = problem.is_particle_hole_symmetric()
        if symmetric:
            density[:] = 0.5
        pair = _connected(description.baseline.nn) + float(np.mean(correction[:, -1]))
        nn = _correlators(density, pair)
        Sigma_infty, Sigma_1 = static_moments(problem, nn)
        G_iw, F_iw, moved = np.zeros((2, len(iw)), complex), np.zeros((2, len(iw)), complex), 0.0
        sigma_moved = 0.0
        for row in description.rows:
            i = row.flavours[0]
            inverse = iw - problem.levels[i] - grid.iw_of_legendre(problem.delta_l(i))[positive]
            G_raw = grid.iw_of_legendre(raw[i])[positive]
            Sigma = nearest_self_energy(
                iw,
                G_raw,
                inverse,
                Sigma_infty[i][0, 0],
                Sigma_1[i][0, 0],
                beta=problem.beta,
                reach=problem.largest_energy,
                symmetric=symmetric,
            )(iw)
            reference = abs(iw[0].imag - Sigma[0].imag)
            sigma_moved = max(sigma_moved, float(abs(1 / G_raw[0] - inverse[0] + Sigma[0]) / reference))
            for j in row.flavours:
                G_iw[j] = 1 / (inverse - Sigma)
                F_iw[j] = Sigma * G_iw[j]
        G_tau, F_tau = (
            grid.to_tau(problem.beta, np.concatenate([f[:, ::-1].conj(), f], axis=1).T) for f in (G_iw, F_iw)
        )
        for i in range(2):
            before = grid.tau_of_legendre(problem.beta, raw[i])
            moved = max(moved, float(np.max(np.abs(G_tau[:, i] - before))))
        G_l, F_l = (grid.to_legendre(problem.beta, f, problem.n_l) for f in (G_tau, F_tau))
        blocks = lambda a: tuple(a[:, i][:, None, None] for i in range(2))
        provenance = {"solver": "model", "version": version, "points": self.n_points_}
        h_int = float(problem.U[0, 1] * nn[0, 1])
        solution = Solution(
            problem.beta,
            problem.gf_struct,
            blocks(G_l),
            nn,
            Sigma_infty,
            Sigma_1,
            F_l=blocks(F_l),
            h_int=h_int,
            provenance=provenance,
        )
        return solution, moved, sigma_moved


def _pair(point) -> tuple[Problem, Solution]:
    return point if isinstance(point, tuple) else (point.problem, point.solution)


def _connected(nn: np.ndarray) -> float:
    """⟨n↑n↓⟩ − ⟨n↑⟩⟨n↓⟩, which the particle-hole map leaves alone."""
    return float(nn[0, 1] - nn[0, 0] * nn[1, 1])


def _correlators(density: np.ndarray, connected: float) -> np.ndarray:
    """⟨n_i n_j⟩ from densities and the connected correlator, kept within the bounds of probabilities."""
    pair = np.clip(connected + density[0] * density[1], max(0.0, density.sum() - 1), density.min())
    return np.array([[density[0], pair], [pair, density[1]]])


def _label_noise(error: np.ndarray, provenance: dict) -> tuple[float, float]:
    """Typical largest statistical error of G(τ) over τ, and that of G(iω₀)/β.

    The solver tells where it can. Otherwise they follow from the error bars of G_l/β, coefficients taken as independent;
    the median over τ is then a cautious stand-in for the largest.
    """
    at_tau = np.median(np.sqrt((error**2) @ d.tau_matrix(len(error)) ** 2))
    at_iw0 = np.sqrt(np.sum(np.abs(_first_frequency(len(error)) * error) ** 2))
    return float(provenance.get("G_tau_noise", at_tau)), float(provenance.get("G_iw0_noise", at_iw0))


def _max_norm(coefficients: np.ndarray) -> np.ndarray:
    """max over τ for rows of G_l/β followed by the pair correlator, (n,)."""
    return np.max(np.abs(coefficients[:, : d.N_OUT] @ d.tau_matrix(d.N_OUT)), axis=1)


def _first_frequency(n_l: int) -> np.ndarray:
    return legendre.transfer_matrix(np.zeros(1, int), n_l)[0]
