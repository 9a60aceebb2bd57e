# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Filling databases: which problems to solve, and spending exact runs on them."""
