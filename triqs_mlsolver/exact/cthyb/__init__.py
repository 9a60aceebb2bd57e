# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""triqs_cthyb as an exact solver: its parameters, and the adapter, which alone imports it."""
