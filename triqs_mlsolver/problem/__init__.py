# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""What is asked and answered, and what is known of it before anybody solves it: symmetries, orbitals, fidelities."""

from .problem import DiscreteBath, Problem
from .solution import Solution

__all__ = ["DiscreteBath", "Problem", "Solution"]
