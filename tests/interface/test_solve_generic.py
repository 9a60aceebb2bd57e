# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""`solve_generic`: the functional interface of the solvers of TRIQS 4."""

from __future__ import annotations

from itertools import count

import numpy as np
import pytest

from triqs_mlsolver import Solver
from triqs_mlsolver.compat import (
    BlockGf,
    MeshDLRImFreq,
    MeshImFreq,
    Operator,
    SemiCircular,
    inverse,
    iOmega_n,
    n,
)
from triqs_mlsolver.numerics import hybridisation, legendre
from triqs_mlsolver.solve_generic import solve_generic

BETA, U, MU = 10.0, 2.0, 0.8
H_INT = U * n("up", 0) * n("down", 0)
LEVELS = [np.array([[-MU]]), np.array([[-MU]])]
_fresh = count()


def options(**more):
    """Options that no other test shares: calls with the same ones share a database."""
    return {"database": None, "exact": "ed", "random_seed": next(_fresh), **more}


def semicircular_bath(mesh=None):
    Delta = BlockGf(mesh=mesh or MeshImFreq(BETA, "Fermion", 300), gf_struct=[("up", 1), ("down", 1)])
    for _, d in Delta:
        d << 0.25 * SemiCircular(1.0)
    return Delta


@pytest.fixture(scope="module")
def by_solver():
    S = Solver(BETA, [("up", 1), ("down", 1)], n_iw=300, database=None, exact="ed")
    for _, g0 in S.G0_iw:
        g0 << inverse(iOmega_n + MU - 0.25 * SemiCircular(1.0))
    S.solve(h_int=H_INT)
    return S


@pytest.mark.parametrize("as_operator", [False, True])
def test_is_what_solver_finds(by_solver, as_operator):
    h_loc0 = -MU * (n("up", 0) + n("down", 0)) if as_operator else LEVELS
    found = solve_generic(semicircular_bath(), h_loc0, H_INT, **options())
    assert found.Solver.last_decision.source == "exact"
    for name in ("G_iw", "Sigma_iw"):
        for spin in ("up", "down"):
            mine, other = getattr(found, name)[spin].data, getattr(by_solver, name)[spin].data
            np.testing.assert_allclose(mine, other, atol=1e-6)
    np.testing.assert_allclose(found.G_tau["up"].data, by_solver.G_tau["up"].data, atol=1e-7)


def test_self_energy_is_split(by_solver):
    found = solve_generic(semicircular_bath(), LEVELS, H_INT, perform_tail_fit=True, n_cycles=100, **options())
    density = by_solver.orbital_occupations["down"][0, 0]
    assert abs(found.Sigma_HartreeFock[0][0, 0] - U * density) < 1e-6
    whole = found.Sigma_dynamic["up"].data + found.Sigma_HartreeFock[0]
    np.testing.assert_allclose(whole, found.Sigma_iw["up"].data, atol=1e-12)
    assert abs(found.Sigma_dynamic["up"].data[-1, 0, 0].real) < 1e-3


def test_calls_with_the_same_options_go_on_with_one_database():
    same = options()
    first = solve_generic(semicircular_bath(), LEVELS, H_INT, **same)
    G = first.G_iw["up"].data.copy()
    again = solve_generic(semicircular_bath(), LEVELS, 1.5 * n("up", 0) * n("down", 0), **same)
    assert again.Solver.last_decision.number == 2 and again.Solver.last_decision.point == 1
    np.testing.assert_array_equal(first.G_iw["up"].data, G)
    assert solve_generic(semicircular_bath(), LEVELS, H_INT, **options()).Solver.last_decision.number == 1


def test_earlier_results_keep_their_decision_and_certificate():
    """Calls share a model; what one of them found does not become what the next one found."""
    same = options()
    first = solve_generic(semicircular_bath(), LEVELS, H_INT, **same).Solver
    decision, error = first.last_decision, first.G_tau_error["up"].data.copy()
    again = solve_generic(semicircular_bath(), LEVELS, 1.5 * n("up", 0) * n("down", 0), **same).Solver
    assert first.last_decision is decision and again.last_decision.number == 2
    np.testing.assert_array_equal(first.G_tau_error["up"].data, error)
    assert first.certify().problem_id == decision.problem_id != again.last_decision.problem_id


def test_sites_that_differ_and_degenerate_blocks_may_be_mixed():
    """Calls without a file share what is in memory only where blocks agree; options need not be hashable."""
    same = options(degenerate=[["up", "down"]])
    assert solve_generic(semicircular_bath(), LEVELS, H_INT, **same).Solver.last_decision.number == 1
    assert solve_generic(semicircular_bath(), LEVELS, H_INT, **same).Solver.last_decision.number == 2
    spins = [f"{spin}_{a}" for a in (0, 1) for spin in ("up", "down")]
    two = BlockGf(mesh=MeshImFreq(BETA, "Fermion", 300), gf_struct=[(name, 1) for name in spins])
    for _, d in two:
        d << 0.125 * inverse(iOmega_n - 0.3) + 0.125 * inverse(iOmega_n + 0.3)
    h_int = U * sum(n(f"up_{a}", 0) * n(f"down_{a}", 0) for a in (0, 1))
    del same["degenerate"]
    for bath, levels, interaction in ((semicircular_bath(), LEVELS, H_INT), (two, 2 * LEVELS, h_int)):
        assert solve_generic(bath, levels, interaction, **same).Solver.last_decision.number == 1


def test_sparse_frequencies(by_solver):
    Delta = semicircular_bath(MeshDLRImFreq(BETA, "Fermion", 5.0, 1e-12))
    found = solve_generic(Delta, LEVELS, H_INT, n_iw=300, **options())
    np.testing.assert_allclose(found.G_iw["up"].data, by_solver.G_iw["up"].data, atol=1e-6)


def test_legendre_coefficients_from_frequencies():
    poles, weight = np.array([-0.7, 0.1, 1.2]), np.array([[0.3, 0.1], [0.2, -0.2], [0.1, 0.4]])
    iw = 1j * (2 * np.arange(-200, 200) + 1) * np.pi / BETA
    matrices = weight[:, :, None] * weight[:, None, :]
    Delta = np.einsum("wk,kab->wab", 1 / (iw[:, None] - poles), matrices)
    found = hybridisation.from_Delta_iw(BETA, Delta)
    exact = legendre.from_poles(BETA, poles, matrices)
    np.testing.assert_allclose(legendre.resized(found, 40), legendre.resized(exact, 40), atol=1e-8)
    noisy = Delta + 1e-5 * np.random.default_rng(0).normal(size=Delta.shape)
    noisy = 0.25 * sum(f + f.transpose(0, 2, 1) for f in (noisy, noisy[::-1].conj()))
    tau = np.linspace(0, BETA, 101)
    off = legendre.evaluate(BETA, hybridisation.from_Delta_iw(BETA, noisy), tau) - legendre.evaluate(BETA, exact, tau)
    assert np.max(np.abs(off)) < 1e-3


def spoiled(change):
    Delta = semicircular_bath()
    change(Delta["up"].data)
    return Delta


def make_nan(data):
    data[3] = np.nan


def make_one_sided(data):
    data[:300] = 0


def make_constant(data):
    data += 0.3


BAD_DELTA = {"NaN": make_nan, "not Hermitian": make_one_sided, "tends to a constant": make_constant}


@pytest.mark.parametrize("message", BAD_DELTA)
def test_bad_hybridisation_is_refused(message):
    with pytest.raises(ValueError, match=f"'up'.*{message}|{message}.*'up'"):
        solve_generic(spoiled(BAD_DELTA[message]), LEVELS, H_INT, **options())


def test_bad_arguments_are_refused():
    Delta = semicircular_bath()
    with pytest.raises(ValueError, match="one per block"):
        solve_generic(Delta, LEVELS[:1], H_INT, **options())
    with pytest.raises(ValueError, match="complex"):
        solve_generic(Delta, [1j * LEVELS[0], LEVELS[1]], H_INT, **options())
    with pytest.raises(TypeError, match="did you mean 'n_cycles'"):
        solve_generic(Delta, LEVELS, H_INT, n_cycle=10, **options())
    with pytest.raises(TypeError, match="BlockGf"):
        solve_generic(Delta["up"], LEVELS, H_INT, **options())
    with pytest.raises(TypeError, match="MeshImTime"):
        solve_generic(Solver(BETA, [("up", 1)], 50, 201, database=None).Delta_tau, LEVELS[:1], Operator(), **options())
