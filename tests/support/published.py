# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""SIAM_Discrete_Bath of the TRIQS/benchmarks collection, and the results published there."""

import numpy as np

from triqs_mlsolver import DiscreteBath, Problem

# G(iω₀..₃): SIAM_Discrete_Bath/results/pyed.h5
G_IW = {
    "up": (
        0.0582401185 - 0.0859311323j,
        0.0718590517 - 0.1053048084j,
        0.0473665496 - 0.1125393840j,
        0.0276560604 - 0.1100604307j,
    ),
    "dn": (
        0.0558368646 - 0.0912498246j,
        0.0681943527 - 0.1133814742j,
        0.0414477645 - 0.1179762220j,
        0.0214353827 - 0.1130039202j,
    ),
}
# ⟨n⟩ of the exact diagonalisation that repeats this G
DENSITY = (0.5849611818, 0.5560632610)


def problem() -> Problem:
    """The model as the collection defines it."""
    bath = DiscreteBath([0.0, 4.0], [2.0, 5.0])
    h_loc0 = ([[-2.0 - 0.2]], [[-2.0 + 0.2]])
    return Problem.from_bath(5.0, [("up", 1), ("dn", 1)], h_loc0, (bath, bath), [[0, 5.0], [5.0, 0]])


def published_G() -> np.ndarray:
    """(flavour, frequency)."""
    return np.array([G_IW["up"], G_IW["dn"]])


def published_Sigma() -> np.ndarray:
    """By Dyson's equation, (flavour, frequency)."""
    return np.array([g0[:, 0, 0] for g0 in problem().G0_inverse_iw(4)]) - 1 / published_G()
