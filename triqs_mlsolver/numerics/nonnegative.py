# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Non-negative least squares that does not give up on nearly dependent columns."""

from __future__ import annotations

import numpy as np
from scipy.optimize import nnls

_RIDGES = (1e-9, 1e-7, 1e-5)


def nonnegative_least_squares(A: np.ndarray, b: np.ndarray) -> np.ndarray:
    """argmin |A x − b| over x ≥ 0.

    The active-set method can cycle at the level of rounding where columns are nearly dependent, as neighbouring poles
    are; then a ridge far below the data's own accuracy tells them apart.

    Parameters
    ----------
    A : (m, n) array
    b : (m,) array

    Returns
    -------
    (n,) array
    """
    limit = 10 * A.shape[1]
    try:
        return nnls(A, b, maxiter=limit)[0]
    except RuntimeError:
        pass
    size = np.linalg.norm(A, axis=0).max()
    padded = np.concatenate([b, np.zeros(A.shape[1])])
    for ridge in _RIDGES:
        try:
            return nnls(np.concatenate([A, ridge * size * np.eye(A.shape[1])]), padded, maxiter=limit)[0]
        except RuntimeError:
            continue
    raise np.linalg.LinAlgError(
        f"no non-negative solution found for a {A.shape} system (largest element {np.abs(A).max():.2g})"
    )
