# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""The regressors a model can be built on, by name."""

from __future__ import annotations

from collections.abc import Callable

from sklearn.base import RegressorMixin
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import ExtraTreesRegressor, RandomForestRegressor
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Matern, WhiteKernel
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ...tools.constants import EXACT_UP_TO, TREES
from .estimators import Average, SymmetricEstimator
from .kernel import KernelSettings
from .kernel_ridge import SymmetricKernelRidge
from .local_kernel import LocalKernelRidge

NAMES = ("kernel_ridge", "random_forest", "extra_trees", "gaussian_process", "mlp", "average")
TUNABLE = ("kernel_ridge", "average")  # regressors with a kernel whose length scales are worth finding


def check(regressor) -> None:
    """ValueError unless `regressor` is a known name or a scikit-learn regressor."""
    if isinstance(regressor, str) and regressor not in NAMES:
        raise ValueError(
            f"regressor = {regressor!r} is not known: choose one of {', '.join(map(repr, NAMES))}, or give a "
            "scikit-learn regressor"
        )
    if not isinstance(regressor, str) and not (hasattr(regressor, "fit") and hasattr(regressor, "predict")):
        raise TypeError(f"regressor = {regressor!r} has no fit and predict: give a name or a scikit-learn regressor")


def build(regressor: str | RegressorMixin, n_rows: int, settings: KernelSettings, *, seed: int):
    """An unfitted regressor with the interface of `SymmetricKernelRidge` for that many rows."""
    ridge = (LocalKernelRidge if n_rows > EXACT_UP_TO else SymmetricKernelRidge)(settings)
    if regressor == "kernel_ridge":
        return ridge
    if regressor == "average":
        return Average([ridge, SymmetricEstimator(_ESTIMATORS["extra_trees"](seed), settings)])
    return SymmetricEstimator(_ESTIMATORS[regressor](seed) if isinstance(regressor, str) else regressor, settings)


def _mlp(seed: int):
    """The network of two hidden layers of 51 tanh units, inputs and outputs standardised."""
    network = MLPRegressor(
        hidden_layer_sizes=(51, 51), activation="tanh", learning_rate_init=2e-4, batch_size=8, random_state=seed
    )
    return TransformedTargetRegressor(make_pipeline(StandardScaler(), network), transformer=StandardScaler())


def _gaussian_process(seed: int):
    """Length scale and noise by marginal likelihood."""
    kernel = Matern(1.0, (0.1, 100.0), nu=1.5) + WhiteKernel(1e-5, (1e-9, 1e-1))
    return GaussianProcessRegressor(kernel, normalize_y=True, random_state=seed)


_ESTIMATORS: dict[str, Callable] = {
    "random_forest": lambda seed: RandomForestRegressor(TREES, random_state=seed),
    "extra_trees": lambda seed: ExtraTreesRegressor(TREES, random_state=seed),
    "gaussian_process": _gaussian_process,
    "mlp": _mlp,
}
