# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Problems of several orbitals that are none: a clear error, and no trace in the database."""

from __future__ import annotations

import numpy as np
import pytest
from support.orbitals import kanamori_operator

from triqs_mlsolver import Solver
from triqs_mlsolver.compat import c, c_dag, n

BETA, BLOCKS, N_IW, N_TAU = 5.0, [("up", 2), ("down", 2)], 100, 401
H_INT = kanamori_operator(2.0, 0.3)
H_LOC0 = sum(-1.0 * n(spin, a) for spin in ("up", "down") for a in (0, 1))


def weiss_field(S):
    iw = 1j * (2 * np.arange(-N_IW, N_IW) + 1) * np.pi / BETA
    V = np.array([[0.4, 0.1], [0.1, 0.3]])
    Delta = np.einsum("w,ab->wab", 1 / (iw - 0.3), V @ V)
    for _, g0 in S.G0_iw:
        g0.data[...] = np.linalg.inv(iw[:, None, None] * np.eye(2) + np.eye(2) - Delta)


def hybridisation(S):
    tau = np.linspace(0, BETA, N_TAU)
    kernel = -np.exp(-0.3 * tau) / (1 + np.exp(-0.3 * BETA))
    for _, d in S.Delta_tau:
        d.data[...] = kernel[:, None, None] * np.array([[0.17, 0.07], [0.07, 0.1]])


def one_sided(S):
    """Δ_01 ≠ Δ_10*."""
    A = np.linalg.inv(S.G0_iw["up"].data)
    A[:, 0, 1] *= 1.3
    S.G0_iw["up"].data[...] = np.linalg.inv(A)


def complex_hybridisation(S):
    """Δ_01 turned by a phase, Δ_10 by its conjugate: Hermitian, but not real in τ."""
    A = np.linalg.inv(S.G0_iw["up"].data)
    A[:, 0, 1] *= np.exp(0.4j)
    A[:, 1, 0] *= np.exp(-0.4j)
    S.G0_iw["up"].data[...] = np.linalg.inv(A)


def complex_levels(S):
    A = np.linalg.inv(S.G0_iw["up"].data)
    A[:, 0, 1] += 0.2j
    A[:, 1, 0] -= 0.2j
    S.G0_iw["up"].data[...] = np.linalg.inv(A)


BAD_WEISS_FIELDS = {"'up' is not Hermitian": one_sided, "'up' is complex": complex_hybridisation}
BAD_WEISS_FIELDS["Delta\\(infinity\\) is not real.*'up'"] = complex_levels

BAD_INTERACTIONS = {
    "'dn'.*not in gf_struct": H_INT + n("dn", 0) * n("up", 0),
    "'up', 2.*not in gf_struct": H_INT + n("up", 2) * n("up", 0),
    "between different blocks": H_INT + c_dag("up", 0) * c("down", 0) + c_dag("down", 0) * c("up", 0),
    "mixes the blocks": H_INT + 0.3 * n("up", 1) * (c_dag("up", 0) * c("down", 0) + c_dag("down", 0) * c("up", 0)),
    "not Hermitian": H_INT + c_dag("up", 0) * c_dag("down", 0) * c("down", 1) * c("up", 1),
    "complex coefficient": H_INT + 0.1j * n("up", 0) * n("down", 0),
}


def refused(S, message, path, **params):
    with pytest.raises(ValueError, match=message):
        S.solve(**params)
    assert S.last_decision is None and not list(path.iterdir()), "nothing may be computed or stored"


@pytest.mark.parametrize("message", BAD_WEISS_FIELDS)
def test_bad_weiss_fields(message, tmp_path):
    S = Solver(BETA, BLOCKS, N_IW, N_TAU, database=tmp_path / "points.h5", exact="ed")
    weiss_field(S)
    BAD_WEISS_FIELDS[message](S)
    refused(S, message, tmp_path, h_int=H_INT)


@pytest.mark.parametrize("message", BAD_INTERACTIONS)
def test_bad_interactions(message, tmp_path):
    S = Solver(BETA, BLOCKS, N_IW, N_TAU, database=tmp_path / "points.h5", exact="ed")
    weiss_field(S)
    refused(S, message, tmp_path, h_int=BAD_INTERACTIONS[message])


@pytest.mark.parametrize("message, factor", [("'up' is not symmetric", 1.3), ("'up' is complex", np.exp(0.4j))])
def test_bad_hybridisations(message, factor, tmp_path):
    S = Solver(BETA, BLOCKS, N_IW, N_TAU, database=tmp_path / "points.h5", exact="ed", delta_interface=True)
    hybridisation(S)
    if np.iscomplexobj(factor) and not np.iscomplexobj(S.Delta_tau["up"].data):
        pytest.skip("this provider has real functions of time only")
    S.Delta_tau["up"].data[:, 0, 1] *= factor
    refused(S, message, tmp_path, h_int=H_INT, h_loc0=H_LOC0)


def test_the_unspoiled_problem_is_answered_and_stored(tmp_path):
    S = Solver(BETA, BLOCKS, N_IW, N_TAU, database=tmp_path / "points.h5", exact="ed")
    weiss_field(S)
    S.solve(h_int=H_INT)
    assert S.last_decision.point == 0
