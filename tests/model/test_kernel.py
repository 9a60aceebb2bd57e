# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""The symmetrised kernel, its settings, and the samples that are learned with it."""

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.gaussian_process.kernels import Matern
from sklearn.linear_model import LinearRegression

from triqs_mlsolver.model.regression.estimators import SymmetricEstimator
from triqs_mlsolver.model.regression.kernel import KernelSettings
from triqs_mlsolver.model.regression.kernel_ridge import SymmetricKernelRidge
from triqs_mlsolver.model.regression.local_kernel import LocalKernelRidge
from triqs_mlsolver.model.regression.samples import Samples

SETTINGS = KernelSettings(np.array([0, 0, 1, 2, 2]), np.array([1, -1, -1, 1, -1]), np.array([0.8, 1.5, 2.5]))


@pytest.mark.parametrize("nu", [0.5, 1.5, 2.5, 3.5])
def test_kernels_are_matern(nu):
    """Those of scikit-learn, which has one length scale per feature, at a row and at its mirror image."""
    X, Y = np.random.default_rng(0).normal(size=(12, 5)), np.random.default_rng(1).normal(size=(7, 5))
    settings, k = replace(SETTINGS, nu=nu), Matern(SETTINGS.length_scale[SETTINGS.group], nu=nu)
    direct, mirrored = k(X, Y), k(X, Y * SETTINGS.parity)
    found = SymmetricKernelRidge(settings).kernels(X, Y)
    for s in (1, -1):
        assert np.allclose(found[s], 0.5 * (direct + s * mirrored), atol=1e-12)
        same = settings.between(settings.scaled(X), settings.scaled(X))[s]
        assert np.linalg.eigvalsh(same).min() > -1e-12


def test_labels_of_one_cheap_source_share_its_difference():
    x = np.random.default_rng(2).normal(size=(5, 5))
    plain, source = SETTINGS.between(x, x), np.array([0, 1, 1, 2, 0])
    found = replace(SETTINGS, difference=(0.3, 2.0)).between_labels(x, source)
    expected = np.ones((5, 5))
    expected[1:3, 1:3], expected[3, 3] = 1.3, 3.0
    for s in (1, -1):
        assert np.allclose(found[s], expected * plain[s])
        assert np.array_equal(SETTINGS.between_labels(x, np.zeros(5, int))[s], plain[s])


def test_a_variant_leaves_the_original_alone():
    rough = replace(SETTINGS, nu=0.5, difference=(0.1,))
    assert (rough.nu, SETTINGS.nu, SETTINGS.difference) == (0.5, 1.5, ()) and rough.group is SETTINGS.group
    with pytest.raises(FrozenInstanceError):
        SETTINGS.nu = 2.5


@pytest.mark.parametrize(
    "regressor",
    [SymmetricKernelRidge(SETTINGS), LocalKernelRidge(SETTINGS, 7), SymmetricEstimator(LinearRegression(), SETTINGS)],
    ids=lambda r: type(r).__name__,
)
def test_estimators_keep_the_manners_of_scikit_learn(regressor):
    assert regressor.get_params(deep=False)["settings"] is SETTINGS
    other = clone(regressor)
    assert other.settings is not SETTINGS and np.array_equal(other.settings.length_scale, SETTINGS.length_scale)
    smooth = replace(SETTINGS, nu=3.5)
    assert other.set_params(settings=smooth) is other and other.settings is smooth and regressor.settings is SETTINGS


def test_samples_are_exact_and_true_unless_told_otherwise():
    X, y = np.arange(6.0).reshape(3, 2), np.ones((3, 1))
    plain = Samples(X, y, np.ones(1))
    assert len(plain) == 3 and not plain.noise.any() and not plain.source.any()
    some = Samples(X, y, np.ones(1), np.array([0.1, 0.2, 0.3]), np.array([0, 1, 2])).take([2, 0])
    assert np.array_equal(some.X, X[[2, 0]]) and some.noise.tolist() == [0.3, 0.1] and some.source.tolist() == [2, 0]


def test_teaching_is_fitting():
    rng = np.random.default_rng(3)
    X, y, parity, noise = rng.normal(size=(9, 5)), rng.normal(size=(9, 2)), np.array([1, -1]), rng.uniform(0, 0.1, 9)
    taught = Samples(X, y, parity, noise).teach(SymmetricKernelRidge(SETTINGS))
    fitted = SymmetricKernelRidge(SETTINGS).fit(X, y, output_parity=parity, noise=noise)
    assert np.array_equal(taught.dual_coef_, fitted.dual_coef_)
