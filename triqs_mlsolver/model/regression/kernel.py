# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
r"""The kernel: how alike two rows of features are, for even and for odd outputs.

With P the reflection that multiplies feature j by `parity[j]`, even outputs are learned with
K₊ = (k(x, x') + k(x, Px'))/2 and odd ones with K₋ = (k(x, x') − k(x, Px'))/2, k being a Matérn kernel of unit
variance, so that y(Px) = ±y(x) holds exactly.

Labels may come from cheaper sources: those of source s are the truth plus a difference, itself a Gaussian process with
s²_s times the same kernel (Kennedy, O'Hagan, Biometrika 87, 1 (2000), the truth being the base of all sources). So the
kernel between two rows of one cheap source is (1 + s²_s) k, and everything else stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...tools.constants import ALPHA, SMOOTHNESS_CHOICE

_MATERN = {
    0.5: lambda r: np.exp(-r),
    1.5: lambda r: (1 + np.sqrt(3) * r) * np.exp(-np.sqrt(3) * r),
    2.5: lambda r: (1 + np.sqrt(5) * r + 5 / 3 * r**2) * np.exp(-np.sqrt(5) * r),
    3.5: lambda r: (1 + np.sqrt(7) * r + 14 / 5 * r**2 + 7**1.5 / 15 * r**3) * np.exp(-np.sqrt(7) * r),
}
SMOOTHNESS = tuple(_MATERN)


@dataclass(frozen=True, eq=False)
class KernelSettings:
    """All parameters of a kernel, and the ridge that goes with it; `dataclasses.replace` makes a variant.

    Parameters
    ----------
    group : (n_features,) array of int
        Group of each feature; features of a group share a length scale.
    parity : (n_features,) array of ±1
        Sign of each feature under the reflection.
    length_scale : (n_groups,) array
        Length scale per group, in units of the features.
    alpha : float
        Ridge, added to the diagonal beside each sample's own noise.
    nu : {0.5, 1.5, 2.5, 3.5}
        Smoothness of the Matérn kernel.
    difference : sequence of float
        s² of the cheap sources 1, 2, ...: variance of their difference from the truth, in units of the truth's own.

    Examples
    --------
    >>> import numpy as np
    >>> from dataclasses import replace
    >>> rough = KernelSettings(np.zeros(1, int), -np.ones(1), np.ones(1), nu=0.5)
    >>> x = np.array([[0.0], [0.3]])
    >>> kernel = replace(rough, nu=2.5).between(x, -x)
    >>> bool(np.allclose(kernel[1], kernel[1].T)), bool(np.allclose(kernel[-1][0], 0.0))
    (True, True)
    """

    group: np.ndarray
    parity: np.ndarray
    length_scale: np.ndarray
    alpha: float = ALPHA
    nu: float = SMOOTHNESS_CHOICE[0]
    difference: tuple[float, ...] = ()

    def scaled(self, X: np.ndarray) -> np.ndarray:
        """Rows `X` (n, n_features) in units of the length scales."""
        return X / np.asarray(self.length_scale)[self.group]

    def between(self, x: np.ndarray, y: np.ndarray, y_square: np.ndarray | None = None) -> dict[int, np.ndarray]:
        """K₊ and K₋ between scaled rows `x` (n, n_features) and `y` (m, n_features).

        `y_square`: the squared lengths (m,) of those in `y`, where they are at hand.
        """
        square = np.sum(x**2, axis=1)[:, None] + (np.sum(y**2, axis=1) if y_square is None else y_square)[None, :]
        matern = _MATERN[self.nu]
        direct = matern(np.sqrt(np.maximum(square - 2 * x @ y.T, 0.0)))
        mirrored = matern(np.sqrt(np.maximum(square - 2 * (x * self.parity) @ y.T, 0.0)))
        return {1: 0.5 * (direct + mirrored), -1: 0.5 * (direct - mirrored)}

    def between_labels(self, x: np.ndarray, source: np.ndarray) -> dict[int, np.ndarray]:
        """K₊ and K₋ between labels at scaled rows: those of one cheap source share its difference from the truth."""
        K = self.between(x, x)
        if np.any(source):
            shared = 1 + np.append(0.0, self.difference)[source] * (source[:, None] == source)
            K = {s: k * shared for s, k in K.items()}
        return K
