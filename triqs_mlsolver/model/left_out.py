# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""What the model would say of a stored problem if it were not stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sklearn.base import clone

from .predictor import Prediction, Predictor

if TYPE_CHECKING:
    from ..database import Point


def predict_left_out(points: Sequence[Point], point: Point, predictor: Predictor | None = None) -> Prediction:
    """Prediction for the problem of `point`, fitted on all `points` but the answers to that very problem.

    Near neighbours stay: for points of one DMFT loop the prediction flatters the model. `predictor`, which stays as it
    is, brings the settings; by default those of `Predictor()`.
    """
    others = [other for other in points if other.problem_id != point.problem_id]
    return clone(predictor or Predictor()).fit(others).predict(point.problem)
