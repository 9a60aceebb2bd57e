# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Cheap solvers whose error is learned. Each has the shape of an exact solver: `solve(problem) -> Solution`."""

from ..tools.validation import did_you_mean
from .few_site_ed import FewSiteED
from .hartree_fock import HartreeFock
from .hubbard_i import HubbardI
from .ipt import IPT
from .nca import NCA

__all__ = ["FewSiteED", "HartreeFock", "HubbardI", "IPT", "NCA", "named"]

_EVERY = (HubbardI(), IPT(), NCA(), HartreeFock(), FewSiteED(1), FewSiteED(2), FewSiteED(3))
_BY_NAME = {solver.name: solver for solver in _EVERY}


def named(name: str):
    """The cheap solver of that name: "hubbard_i", "ipt", "nca", "hartree_fock", "ed1", "ed2" or "ed3".

    Raises
    ------
    ValueError
        For an unknown name.
    """
    if name not in _BY_NAME:
        hint = did_you_mean(name, _BY_NAME, "; ")
        raise ValueError(f"approximation {name!r} is not known: choose among {', '.join(_BY_NAME)}{hint}")
    return _BY_NAME[name]
