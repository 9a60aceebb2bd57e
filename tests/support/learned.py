# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""What tests of learned answers share: their errors, what makes them physical, and cheap solvers that leave work to
do.
"""

import numpy as np
import pytest

from triqs_mlsolver.numerics import legendre

CHEAP = ("ipt", "hubbard_i", "ed1", "nca")  # a cluster with two sites would be exact for the baths of `family`
TAU = np.concatenate([[0.0], 0.5 * (np.polynomial.legendre.leggauss(64)[0] + 1), [1.0]])


def error_of(problem, solution, exact):
    tau = TAU * problem.beta
    return max(float(np.max(np.abs(a - b))) for a, b in zip(solution.G_tau(tau), exact.G_tau(tau)))


def assert_physical(problem, solution, n_iw=2000):
    """Σ causal at all of `n_iw` frequencies, the sum rule, densities and ⟨n↑n↓⟩ within their bounds, and all
    finite.
    """
    for g, n in zip(solution.G_l, solution.density):
        start, end = legendre.at_ends(problem.beta, g)
        assert abs(start + end + 1)[0, 0] < 1e-12
        assert 0 <= n <= 1
    for Sigma, G in zip(solution.Sigma_iw(problem, n_iw), solution.G_iw(n_iw)):
        omega = problem.omega(n_iw)
        assert np.all(Sigma[:, 0, 0].imag <= 1e-7 * problem.scale * (1 + omega / problem.scale))
        assert np.all(G[:, 0, 0].imag < 0)
    pair = solution.double_occupancy
    assert max(0.0, solution.density.sum() - 1) - 1e-12 <= pair <= solution.density.min() + 1e-12
    assert solution.h_int == pytest.approx(problem.U[0, 1] * pair, abs=1e-9 * problem.scale)
