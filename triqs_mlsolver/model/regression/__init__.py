# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""What maps features to corrections: kernel ridge regression with its symmetry, its tuning, and other regressors."""
