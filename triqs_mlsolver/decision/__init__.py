# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""May this be the answer? Predict, accept or compute, learn, watch, and keep a log of it."""

from .decision import Decision
from .log import DecisionLog

__all__ = ["Decision", "DecisionLog"]
