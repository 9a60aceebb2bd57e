# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Problems for the segment solver, and how far its samples are from the truth."""

import numpy as np

from triqs_mlsolver import DiscreteBath, Problem


def as_problem(beta, levels, baths, U) -> Problem:
    names = [(f"f{i}", 1) for i in range(len(levels))]
    return Problem.from_bath(beta, names, [[[e]] for e in levels], [DiscreteBath(*b) for b in baths], U)


def whitened_chi2(samples, exact, n_dof=12) -> tuple[float, float]:
    """χ² per degree of freedom and largest deviation along the principal axes of the jackknife covariance."""
    n = len(samples) - 1
    flat = samples.reshape(n + 1, -1)
    deviation = flat[1:] - flat[1:].mean(axis=0)
    values, axes = np.linalg.eigh((n - 1) / n * deviation.T @ deviation)
    z = (flat[0] - exact.ravel()) @ axes[:, -n_dof:] / np.sqrt(values[-n_dof:])
    return float(np.mean(z**2)), float(np.max(np.abs(z)))


ONE = lambda U: np.array([[0, U], [U, 0.0]])
