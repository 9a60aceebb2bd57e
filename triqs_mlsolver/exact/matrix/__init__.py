# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Hybridisation expansion in the local eigenbasis: every interaction, every hybridisation."""

from .solver import MatrixSolver

__all__ = ["MatrixSolver"]
