# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Off-diagonal hybridisations that one rotation makes diagonal: against the same problem solved without it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.orbitals import kanamori_operator

from triqs_mlsolver import DiscreteBath, Problem, Solver
from triqs_mlsolver.compat import n
from triqs_mlsolver.interface.operators import parse_interaction
from triqs_mlsolver.problem.rotation import Rotation

BETA, BLOCKS, N_IW = 5.0, [("up", 2), ("down", 2)], 200
BONDING = np.array([[1.0, 1.0], [1.0, -1.0]]) / np.sqrt(2)
LABELS = [(spin, a) for spin in ("up", "down") for a in (0, 1)]
EQUAL_U = 1.2 * sum(n(*a) * n(*b) for i, a in enumerate(LABELS) for b in LABELS[:i])
ON_SITE = sum(2.0 * n("up", a) * n("down", a) for a in (0, 1))


def dimer(h_int=None, t=0.2, coupling=0.45, skew=0.0) -> Problem:
    """Two equal sites; the bath couples to their even and odd combinations at different energies."""
    parsed = parse_interaction(kanamori_operator(1.6, 0.25) if h_int is None else h_int, BLOCKS)
    h = np.array([[-1.3 + skew, -t], [-t, -1.3]])
    bath = DiscreteBath([-0.4, 0.5], np.array([coupling, 0.4])[:, None] * BONDING)
    return Problem.from_bath(BETA, BLOCKS, (h, h), (bath, bath), parsed.U, parsed.terms)


def solver_of(problem, **options) -> Solver:
    S = Solver(BETA, BLOCKS, N_IW, 801, database=options.pop("database", None), exact="ed", **options)
    return fill(S, problem)


def fill(S, problem):
    for (_, g0), inverse in zip(S.G0_iw, problem.G0_inverse_iw(N_IW)):
        positive = np.linalg.inv(inverse)
        g0.data[...] = np.concatenate([positive[::-1].conj().transpose(0, 2, 1), positive])
    return S


def test_the_rotated_problem_is_diagonal_and_of_the_same_kind():
    p = dimer()
    rotation = Rotation.diagonalising(p)
    q = rotation.problem(p)
    assert q.is_diagonal and not p.is_diagonal and len(q.terms) == len(p.terms)
    assert abs(q.levels[0] - q.levels[1]) == pytest.approx(0.4)
    assert Rotation.diagonalising(q) is None
    # rotationally invariant: the same interaction in any orbitals
    np.testing.assert_allclose(q.U, p.U, atol=1e-12)
    for a, b in zip(q.Delta_l, rotation.blocks):
        np.testing.assert_allclose(b @ a @ b.T, p.Delta_l[0], atol=1e-12)


def test_an_orbital_may_not_lose_its_hybridisation():
    """A bath that couples to the even combination alone: the odd one would have no G that sampling could measure."""
    p = dimer()
    bath = DiscreteBath([-0.4], 0.45 * BONDING[:1])
    one = Problem.from_bath(BETA, BLOCKS, p.h_loc0, (bath, bath), p.U, p.terms)
    assert not np.any(one.unreached) and Rotation.diagonalising(one) is None


def test_where_no_rotation_helps():
    assert Rotation.diagonalising(dimer(skew=0.1)) is None, "the levels are diagonal in other orbitals than the bath"
    assert Rotation.diagonalising(dimer(ON_SITE)) is None, "a density-density interaction would become another"
    flips_alone = kanamori_operator(1.6, 0.25) - 0.3 * sum(n("up", a) * n("down", a) for a in (0, 1))
    turned = replace(dimer(flips_alone), h_loc0=tuple(h + np.diag([0.3, -0.3]) for h in dimer().h_loc0), bath=None)
    turned = replace(turned, Delta_l=tuple(0.2 * d[:, :1, :1] * np.eye(2) for d in turned.Delta_l))
    assert Rotation.diagonalising(turned) is None, "terms of three flavours, which the model does not describe"
    assert Rotation.diagonalising(dimer(EQUAL_U)) is not None


def test_degenerate_orbitals_stay_along_the_given_ones():
    p = dimer(t=0.0, coupling=0.4)
    same = replace(p, Delta_l=tuple(d[:, :1, :1] * np.eye(2) for d in p.Delta_l), bath=None)
    assert same.is_diagonal
    nearly = replace(same, h_loc0=tuple(h + 1e-11 * np.array([[0, 1], [1, 0]]) for h in same.h_loc0))
    for R in Rotation.diagonalising(nearly).blocks:
        np.testing.assert_allclose(np.abs(R), np.eye(2), atol=1e-6)


@pytest.mark.parametrize("h_int", [kanamori_operator(1.6, 0.25), EQUAL_U], ids=["Kanamori", "equal U"])
def test_answers_are_those_of_the_given_orbitals(fock_space, h_int):
    p = dimer(h_int)
    S = solver_of(p)
    S.solve(h_int=h_int)
    assert S.last_decision.point == 0
    reference = fock_space(p)
    iw = 1j * p.omega(4)
    for (_, G), exact in zip(S.G_iw, reference.G(iw)):
        np.testing.assert_allclose(G.data[N_IW : N_IW + 4], exact, atol=1e-7)
        assert np.max(np.abs(exact[:, 0, 1])) > 0.02
    for name, exact in zip(("up", "down"), reference.G(iw)):
        Sigma = p.G0_inverse_iw(4)[0] - np.linalg.inv(exact)
        np.testing.assert_allclose(S.Sigma_iw[name].data[N_IW : N_IW + 4], Sigma, atol=1e-6)
        high = (
            S.Sigma_iw[name].data[-1] - S.Sigma_moments[name][0] - S.Sigma_moments[name][1] / (1j * p.omega(N_IW)[-1])
        )
        assert np.max(np.abs(high)) < 1e-3
    for spin, occupation in S.orbital_occupations.items():
        first = 0 if spin == "up" else 2
        np.testing.assert_allclose(np.diag(occupation).real, np.diag(reference.nn)[first : first + 2], atol=1e-8)


def test_such_problems_are_learned(tmp_path):
    S = Solver(
        BETA, BLOCKS, N_IW, 801, database=tmp_path / "dimers.h5", exact="ed", tolerance=0.02, sigma_tolerance=0.2
    )
    for coupling in (0.40, 0.44, 0.48, 0.42, 0.46, 0.50, 0.41):
        fill(S, dimer(coupling=coupling)).solve(h_int=kanamori_operator(1.6, 0.25))
        assert "diagonal" not in S.last_decision.reason
    p = dimer(coupling=0.45)
    fill(S, p).solve(h_int=kanamori_operator(1.6, 0.25))
    assert S.last_decision.source == "model"
    other = solver_of(p)
    other.solve(h_int=kanamori_operator(1.6, 0.25))
    off = np.max(np.abs(S.G_tau["up"].data - other.G_tau["up"].data))
    assert off <= S.last_decision.error_bound and np.max(np.abs(S.G_tau["up"].data[:, 0, 1])) > 0.02
    np.testing.assert_allclose(S.G_tau["up"].data[:, 0, 0], S.G_tau["up"].data[:, 1, 1], atol=1e-9)


def test_monte_carlo_measures_in_the_given_orbitals(monkeypatch):
    """A density matrix is asked for in the given orbitals: then nothing is rotated."""
    from triqs_mlsolver.interface import parameters as cthyb_parameters

    S = solver_of(dimer())
    asked = []
    monkeypatch.setattr(cthyb_parameters, "exact_solver_for", lambda exact, names: asked.extend(names) or "ed")
    monkeypatch.setattr(
        S._engine, "solve", lambda problem, **_: pytest.fail() if problem.is_diagonal else asked.append(1 / 0)
    )
    with pytest.raises(ZeroDivisionError):
        S.solve(h_int=kanamori_operator(1.6, 0.25), measure_density_matrix=True)
    assert asked == ["measure_density_matrix"]
