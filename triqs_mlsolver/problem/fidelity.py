# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""How far the answer of which solver is trusted, by the name of its fidelity."""

from __future__ import annotations

_EXACT = ("exact", "bath-fit")  # what exact solvers answer
#: How far answers are trusted, the best first; any other name lies between "exact" and the cheap solvers.
_TRUST = {"exact": 0, "ed3": 3, "ed2": 4, "ed1": 5, "ipt": 6, "hubbard_i": 7}
_OTHER = 2


def is_exact(fidelity: str) -> bool:
    """Whether labels of that fidelity are taken for the truth."""
    return fidelity in _EXACT


def as_good_as(solver: str, fidelity: str) -> bool:
    """Whether an answer of that fidelity need not be computed again by the exact `solver` of that name.

    A fitted bath is all that exact diagonalisation has to give; anybody else can do better.
    """
    return fidelity == "exact" or (fidelity == "bath-fit" and solver == "ed")


def distrust(fidelity: str) -> int:
    """Rank of a fidelity: 0 for "exact", more for answers that are trusted less."""
    return _TRUST.get(fidelity, _OTHER)
