# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""The learned model: descriptor, kernel regression on the correction to a cheap solver, and a calibrated bound."""

from .predictor import Prediction, Predictor, predict_left_out

__all__ = ["Prediction", "Predictor", "predict_left_out"]
