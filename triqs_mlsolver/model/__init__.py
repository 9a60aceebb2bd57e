# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""The learned model: descriptor, kernel regression on the correction to a cheap solver, and a calibrated bound."""

from __future__ import annotations

import importlib

_HOME = {
    "Novelty": "territory",
    "Prediction": "prediction",
    "Predictor": "predictor",
    "predict_left_out": "predictor",
}

__all__ = list(_HOME)


def __getattr__(name: str):
    # loaded when first used: reading a log needs no scikit-learn
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
