# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""The learned model: descriptor, kernel regression on the correction to a cheap solver, and a calibrated bound."""

from .prediction import Prediction
from .predictor import Predictor, predict_left_out
from .territory import Novelty

__all__ = ["Novelty", "Prediction", "Predictor", "predict_left_out"]
