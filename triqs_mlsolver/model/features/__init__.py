# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""What the model sees of a problem: cheap solvers, representations, rows of features, and the set of them it learns
from.
"""
