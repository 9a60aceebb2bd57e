# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Exact solvers: what we trust. Each is an object with `solve(problem) -> Solution`; the registry picks one."""
