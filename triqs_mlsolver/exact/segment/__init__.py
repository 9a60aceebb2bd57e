# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""The embedded CTQMC: hybridisation expansion in the segment picture, compiled with numba."""

from .solver import SegmentSolver

__all__ = ["SegmentSolver"]
