# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Cheap solvers whose error is learned. Each has the shape of an exact solver: `solve(problem) -> Solution`."""

from .few_site_ed import FewSiteED
from .hartree_fock import HartreeFock
from .hubbard_i import HubbardI
from .ipt import IPT
from .nca import NCA

__all__ = ["FewSiteED", "HartreeFock", "HubbardI", "IPT", "NCA"]
