# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Exact diagonalisation: Fock space, symmetries of the modes, spectrum, and the solver over them."""

from .solver import ED

__all__ = ["ED"]
