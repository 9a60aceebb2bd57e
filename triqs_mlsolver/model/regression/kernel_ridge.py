# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
r"""Kernel ridge regression with a symmetrised kernel, closed-form leave-out residuals and cheap growth.

The inverse of K + noise is kept, so that leaving points out and adding one cost no new factorisation: leave-out
residuals e_I = ((A⁻¹)_II)⁻¹ α_I, growth by the bordering formula.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg.blas import dsymv
from scipy.linalg.lapack import dpotrf, dpotri
from sklearn.base import BaseEstimator, RegressorMixin

from .kernel import KernelSettings


class SymmetricKernelRidge(RegressorMixin, BaseEstimator):
    """Kernel ridge regression of even and odd outputs.

    Parameters
    ----------
    settings : KernelSettings

    Attributes
    ----------
    X_, y_ : (N, n_features), (N, n_outputs) arrays
    scaled_, square_ : (N, n_features), (N,) arrays
        `X_` in units of the length scales, and squared lengths of its rows.
    source_ : (N,) array of int
        Where each label comes from; 0: the truth.
    output_parity_ : (n_outputs,) array of ±1
    dual_coef_ : (N, n_outputs) array
    inverse_ : dict {+1, −1} of (N, N) arrays
        (K± + noise)⁻¹.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.linspace(-1, 1, 9)[:, None]
    >>> model = SymmetricKernelRidge(KernelSettings(np.zeros(1, int), -np.ones(1), np.ones(1), alpha=1e-9))
    >>> model = model.fit(X, np.hstack([X**2, X**3]), output_parity=np.array([1, -1]))
    >>> bool(np.allclose(model.predict(-X) * [1, -1], model.predict(X)))
    True
    """

    quick_leave_out = True  # residuals follow from the fit itself

    def __init__(self, settings: KernelSettings):
        self.settings = settings

    def kernels(self, X: np.ndarray, Y: np.ndarray) -> dict[int, np.ndarray]:
        """K₊ and K₋ between rows of `X` (n, n_features) and `Y` (m, n_features)."""
        return self.settings.between(self.settings.scaled(X), self.settings.scaled(Y))

    def nearest(self, X: np.ndarray) -> np.ndarray:
        """Distance of rows `X` (n, n_features) to the nearest stored row or mirror image, in length scales; (n,)."""
        x = self.settings.scaled(np.atleast_2d(X))
        overlap = np.maximum(x @ self.scaled_.T, (x * self.settings.parity) @ self.scaled_.T)
        square = np.sum(x**2, axis=1)[:, None] - 2 * overlap + self.square_[None, :]
        return np.sqrt(np.maximum(square.min(axis=1), 0.0))

    # -- fit -------------------------------------------------------------------------------------------------------

    def fit(self, X, y, *, output_parity, noise=None, source=None) -> SymmetricKernelRidge:
        """Fit rows `X` (N, n_features) to `y` (N, n_outputs), relative noise variances `noise` and `source` (N,)."""
        self._keep(X, y, output_parity, noise, source)
        K = self.settings.between_labels(self.scaled_, self.source_)
        self.inverse_ = {s: _inverse(k + np.diag(self.settings.alpha + self.noise_)) for s, k in K.items()}
        self._solve()
        return self

    def _keep(self, X, y, output_parity, noise, source) -> None:
        """The rows as they are, and in units of the length scales."""
        self.X_, self.y_ = np.array(X, float), np.array(y, float)
        self.output_parity_ = np.asarray(output_parity)
        self.noise_ = np.zeros(len(self.X_)) if noise is None else np.array(noise, float)
        self.source_ = np.zeros(len(self.X_), int) if source is None else np.array(source, int)
        self.scaled_ = self.settings.scaled(self.X_)
        self.square_ = np.sum(self.scaled_**2, axis=1)

    def _keep_one(self, x, y, noise: float, source: int, scaled) -> None:
        """One more row `x` (1, n_features), also in units of the length scales."""
        self.X_, self.y_ = np.concatenate([self.X_, x]), np.concatenate([self.y_, np.asarray(y, float)[None]])
        self.noise_, self.source_ = np.append(self.noise_, noise), np.append(self.source_, source)
        self.scaled_ = np.concatenate([self.scaled_, scaled])
        self.square_ = np.append(self.square_, np.sum(scaled**2, axis=1))

    def append(self, x, y, noise: float = 0.0, source: int = 0) -> SymmetricKernelRidge:
        """Add one row `x` (n_features,) with outputs `y` (n_outputs,) at O(N²) cost."""
        x = np.asarray(x, float)[None]
        scaled = self.settings.scaled(x)
        cross, own = self.settings.between(self.scaled_, scaled), self.settings.between(scaled, scaled)
        if source:
            variance = self.settings.difference[source - 1]
            cross = {s: k * (1 + variance * (self.source_ == source)[:, None]) for s, k in cross.items()}
            own = {s: k * (1 + variance) for s, k in own.items()}
        ridge = self.settings.alpha + noise
        unexplained = {s: own[s][0, 0] + ridge - cross[s][:, 0] @ a @ cross[s][:, 0] for s, a in self.inverse_.items()}
        self._keep_one(x, y, noise, source, scaled)
        if min(unexplained.values()) < 0.5 * ridge:  # below the ridge only by rounding: the inverse has worn out
            kept = {"output_parity": self.output_parity_, "noise": self.noise_, "source": self.source_}
            return self.fit(self.X_, self.y_, **kept)
        self.inverse_ = {s: _bordered(a, cross[s][:, 0], unexplained[s]) for s, a in self.inverse_.items()}
        self._solve()
        return self

    def _solve(self) -> None:
        self.dual_coef_ = np.empty_like(self.y_)
        for s, inverse in self.inverse_.items():
            columns = self.output_parity_ == s
            self.dual_coef_[:, columns] = inverse @ self.y_[:, columns]

    # -- predict ---------------------------------------------------------------------------------------------------

    def predict(self, X, return_std: bool = False):
        """Outputs (n, n_outputs) and, if asked, standard deviations (n,) of the Gaussian process of unit variance."""
        K = self.settings.between(self.settings.scaled(np.atleast_2d(X)), self.scaled_, self.square_)
        out = np.empty((len(K[1]), len(self.output_parity_)))
        for s, k in K.items():
            columns = self.output_parity_ == s
            out[:, columns] = k @ self.dual_coef_[:, columns]
        if not return_std:
            return out
        explained = sum(_squares(self.inverse_[s], k) for s, k in K.items())
        return out, np.sqrt(np.maximum(1 - explained, 0.0))

    def covariance(self, X: np.ndarray) -> dict[int, np.ndarray]:
        """Covariance (n, n) of even and odd outputs at rows of `X` (n, n_features), given the stored ones.

        In units in which the prior variances of an even and an odd output add up to one.
        """
        x = self.settings.scaled(np.atleast_2d(X))
        cross, own = self.settings.between(x, self.scaled_), self.settings.between(x, x)
        return {s: own[s] - k @ self.inverse_[s] @ k.T for s, k in cross.items()}

    def weights(self, X: np.ndarray) -> np.ndarray:
        """How much each stored row contributes to the even outputs at rows of `X` (n, n_features); (n, N)."""
        x = self.settings.scaled(np.atleast_2d(X))
        return self.settings.between(x, self.scaled_, self.square_)[1] @ self.inverse_[1]

    def leave_out(self, labels: np.ndarray, rows=None) -> tuple[np.ndarray, np.ndarray]:
        """Residuals (n, n_outputs) and standard deviations (n,) with all rows of the same label left out together.

        Of all rows, or of those numbered in `rows` (n,).
        """
        residual = np.empty_like(self.y_)
        variance = np.zeros(len(self.y_))
        for together in _by_size(labels):
            for s, inverse in self.inverse_.items():
                covariance = np.linalg.inv(inverse[together[:, :, None], together[:, None, :]])
                columns = np.flatnonzero(self.output_parity_ == s)
                at = together[:, :, None], columns
                residual[at] = covariance @ self.dual_coef_[at]
                known = self.noise_[together] + self.settings.alpha
                variance[together] += np.diagonal(covariance, axis1=1, axis2=2) - known
        std = np.sqrt(np.maximum(variance, 0.0))
        return (residual, std) if rows is None else (residual[rows], std[rows])


def _by_size(labels: np.ndarray) -> list[np.ndarray]:
    """Rows with the same label, as arrays (number of labels, rows each): one for each number of rows."""
    _, label, count = np.unique(labels, return_inverse=True, return_counts=True)
    groups = np.split(np.argsort(label.ravel(), kind="stable"), np.cumsum(count)[:-1])
    return [np.array([g for g in groups if len(g) == size]) for size in np.unique(count)]


def _inverse(A: np.ndarray) -> np.ndarray:
    """Of a symmetric positive matrix, by LAPACK's own routine, which takes half as long as solving for unity."""
    factor, failed = dpotrf(A, lower=1)
    if failed:
        raise np.linalg.LinAlgError(f"the kernel matrix of {len(A)} rows is not positive: give a larger alpha")
    lower = dpotri(factor, lower=1, overwrite_c=1)[0]
    return np.tril(lower) + np.tril(lower, -1).T


def _squares(A: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """x A x for each of `rows` (n, N), (n,); of the symmetric A only half is read, which is what takes the time."""
    return np.array([x @ dsymv(1.0, A.T, x) for x in rows])


def _bordered(inverse: np.ndarray, cross: np.ndarray, schur: float) -> np.ndarray:
    """Inverse of a matrix bordered by the column `cross`, given the Schur complement of the new corner."""
    n = len(inverse)
    b = inverse @ cross
    out = np.empty((n + 1, n + 1))
    out[:n, :n] = inverse + np.outer(b, b) / schur
    out[:n, n] = out[n, :n] = -b / schur
    out[n, n] = 1 / schur
    return out
