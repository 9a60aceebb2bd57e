# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""What a regressor learns from, in one piece."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Samples:
    """Rows of features, their labels, and what is known of the labels.

    Attributes
    ----------
    X : (N, n_features) array
    y : (N, n_outputs) array
    output_parity : (n_outputs,) array of ±1
        Sign of each output under the reflection.
    noise : (N,) array
        Variance of each label in units of the outputs' own; default: none.
    source : (N,) array of int
        Where each label comes from, 0 being the truth; default: all.

    Examples
    --------
    >>> samples = Samples(np.zeros((3, 2)), np.ones((3, 1)), np.ones(1))
    >>> len(samples.take([0, 2])), samples.source.tolist()
    (2, [0, 0, 0])
    """

    X: np.ndarray
    y: np.ndarray
    output_parity: np.ndarray
    noise: np.ndarray | None = None
    source: np.ndarray | None = None

    def __post_init__(self):
        for name, kind in (("noise", float), ("source", int)):
            if getattr(self, name) is None:
                object.__setattr__(self, name, np.zeros(len(self.X), kind))

    def __len__(self) -> int:
        return len(self.X)

    def take(self, rows) -> Samples:
        """Those with the numbers `rows`."""
        return Samples(self.X[rows], self.y[rows], self.output_parity, self.noise[rows], self.source[rows])

    def teach(self, regressor):
        """`regressor`, fitted to them."""
        about = {"output_parity": self.output_parity, "noise": self.noise, "source": self.source}
        return regressor.fit(self.X, self.y, **about)
