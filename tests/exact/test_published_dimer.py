# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Dimer_nn of the TRIQS/benchmarks collection, two orbitals that the bath mixes, against the results published there.

β = 5, orbital energies 0 and 0.1, U = 1 between all flavours, bath levels 0.27 and −0.4, each coupled to both orbitals
with 1. The blocks are (2, 2) matrices with an off-diagonal hybridisation.
"""

from __future__ import annotations

import warnings
from importlib.util import find_spec

import numpy as np
import pytest

from triqs_mlsolver import DiscreteBath, Problem, Solver
from triqs_mlsolver.compat import n
from triqs_mlsolver.exact.ed import ED
from triqs_mlsolver.exact.matrix import MatrixSolver

BETA, EPS, BATH = 5.0, np.array([0.0, 0.1]), np.array([0.27, -0.4])
BLOCKS = [("up", 2), ("dn", 2)]
N_IW = 50

# G(iω₀..₂) of block "up": Dimer_nn/results/atomdiag.h5
G_IW = np.array([
    [[-0.3836489645-0.3861122008j, 0.3636654382+0.2021939223j],
     [0.3636654382+0.2021939223j, -0.3933722194-0.3689455760j]],
    [[-0.1081775167-0.3455463784j, 0.0783300821+0.0944275549j],
     [0.0783300821+0.0944275549j, -0.1200373842-0.3380884328j]],
    [[-0.0492484376-0.2592262516j, 0.0261330961+0.0348719753j],
     [0.0261330961+0.0348719753j, -0.0566770932-0.2561914926j]],
])  # fmt: skip


def problem() -> Problem:
    """The model as the collection defines it."""
    bath = DiscreteBath(BATH, np.ones((2, 2)))
    return Problem.from_bath(BETA, BLOCKS, [np.diag(EPS)] * 2, (bath, bath), np.ones((4, 4)) - np.eye(4))


def solver(**options) -> Solver:
    """A solver with the Weiss field as the collection computes it: by inverting the whole one-body Hamiltonian."""
    S = Solver(BETA, BLOCKS, n_iw=N_IW, n_tau=1001, database=None, **options)
    H = np.block([[np.diag(EPS), np.ones((2, 2))], [np.ones((2, 2)), np.diag(BATH)]])
    iw = 1j * (2 * np.arange(-N_IW, N_IW) + 1) * np.pi / BETA
    for _, g0 in S.G0_iw:
        g0.data[...] = np.linalg.inv(iw[:, None, None] * np.eye(4) - H)[:, :2, :2]
    return S


def interaction():
    labels = [(block, a) for block, size in BLOCKS for a in range(size)]
    return sum(n(*a) * n(*b) for i, a in enumerate(labels) for b in labels[:i])


def test_exact_diagonalisation_repeats_the_published_result():
    found = ED(n_bath=2).solve(problem())
    np.testing.assert_allclose(found.G_iw(3)[0], G_IW, atol=2e-9)
    np.testing.assert_allclose(found.G_iw(3)[1], G_IW, atol=2e-9)


def test_solver_finds_the_bath_behind_the_weiss_field():
    S = solver(exact="ed")
    S.solve(h_int=interaction())
    np.testing.assert_allclose(S.G_iw["up"].data[N_IW : N_IW + 3], G_IW, atol=1e-8)
    assert S.last_decision.point == 0, "a bath that is found exactly makes an answer that may be stored"
    np.testing.assert_allclose(S._answer.problem.h_loc0[0], np.diag(EPS), atol=1e-9)


def test_the_matrix_solver_agrees_with_the_published_result():
    found = MatrixSolver(n_cycles=30000, random_seed=7).solve(problem())
    s = found.statistics
    for block in (slice(0, 2), slice(2, 4)):
        off = np.moveaxis(s["G_iw"][block, block, :3], -1, 0) - G_IW
        error = np.moveaxis(s["G_iw_error"][block, block, :3], -1, 0) + 1e-9 * (1 + 1j)
        assert np.max(np.abs(off.real) / error.real) < 5 and np.max(np.abs(off.imag) / error.imag) < 5
        assert np.max(np.abs(error)) < 0.03
    exact = ED(n_bath=2).solve(problem())
    assert np.max(np.abs(found.Sigma_infty[0] - exact.Sigma_infty[0])) < 0.03
    assert found.provenance["dominance"] < 0.1, (
        "no rare events, though determinants of mixed orbitals pass through zero"
    )
    known = np.isfinite(s["density_matrix"])
    assert not np.all(known) and np.all(np.diag(known)), "what a trace over sectors does not tell is not invented"


def test_a_solver_samples_the_dimer_by_itself():
    S = solver(learn=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # rare events are said
        S.solve(h_int=interaction(), n_cycles=8000, random_seed=7)
    assert S.last_decision.solver == "matrix"
    off = np.abs(S.G_iw["up"].data[N_IW : N_IW + 3] - G_IW)
    assert np.max(off) < 4 * S._answer.solution.provenance["G_iw0_noise"] * BETA < 0.3


@pytest.mark.skipif(find_spec("triqs_cthyb") is None, reason="triqs_cthyb is not installed")
def test_cthyb_agrees_with_the_published_result():
    S = solver(
        exact="cthyb", learn=False
    )  # determinants of mixed orbitals pass through zero: rare events, which may not be stored
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # which is said
        S.solve(h_int=interaction(), n_cycles=24000, length_cycle=30, n_warmup_cycles=500, random_seed=7)
    off = np.abs(S.G_iw["up"].data[N_IW : N_IW + 3] - G_IW)
    noise = S._answer.solution.provenance["G_iw0_noise"] * BETA
    assert np.max(off) < 4 * noise < 0.2
    static = ED(n_bath=2).solve(problem()).Sigma_infty[0]
    assert np.max(np.abs(S.Sigma_Hartree["up"] - static)) < 0.03
