# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Mathematics on plain arrays: representations of functions of imaginary time, fits and projections."""
