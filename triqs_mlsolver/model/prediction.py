# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Prediction: what a model says of a problem."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..problem import Solution
from .territory import Novelty


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
    novelty : Novelty or None
        Why the problem lies outside known territory, if it does; the bounds then say nothing.
    nearest : float
        Distance to the nearest stored point in the kernel's feature space (dimensionless; inf without points).
    moved : float
        Largest change of G(τ) by which the raw prediction was made physical; contained in the bounds.
    density_bound, docc_bound : float
        Bounds on the errors of ⟨n⟩ per flavour and of ⟨n_i n_j⟩, averaged over shells of flavours: for one orbital, of
        ⟨n↑n↓⟩ (dimensionless).
    """

    solution: Solution | None
    error_bound: float
    sigma_bound: float
    novelty: Novelty | None
    nearest: float
    moved: float = 0.0
    density_bound: float = np.inf
    docc_bound: float = np.inf

    @classmethod
    def of_nothing(cls, novelty: Novelty) -> Prediction:
        """Of a problem to which the model has nothing to say."""
        return cls(None, np.inf, np.inf, novelty, np.inf)

    @property
    def novel(self) -> str | None:
        """`novelty` in words."""
        return None if self.novelty is None else self.novelty.sentence
