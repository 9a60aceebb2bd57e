# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Blocks and orbitals that are not what they were, or not what they are said to be."""

from dataclasses import replace

import numpy as np
import pytest

from triqs_mlsolver import Database, DiscreteBath, LearnedSolver, Problem, Solver
from triqs_mlsolver.compat import HDFArchive, inverse, iOmega_n, n
from triqs_mlsolver.exact.ed import ED
from triqs_mlsolver.problem.degenerate import averaged

NAMES = ("up_0", "down_0", "up_1", "down_1")


def two_orbitals(U=2.0, J=0.3, levels=(0.0, 0.0, 0.0, 0.0), sizes=(1, 1, 1, 1), couplings=(0.5,) * 4):
    """Half filled but for `levels`, flavours (orbital, spin), one bath site each."""
    same, other = np.array([[0, U], [U, 0]]), np.array([[U - 3 * J, U - 2 * J], [U - 2 * J, U - 3 * J]])
    matrix = np.block([[same, other], [other, same]])
    h = np.asarray(levels) - 0.5 * matrix.sum(axis=1)
    structure, blocks = [], np.split(np.arange(4), np.cumsum(sizes)[:-1])
    for name, size in zip(NAMES, sizes):
        structure.append((name, size))
    bath = [DiscreteBath([0.1] * len(b), np.diag(np.asarray(couplings)[b])) for b in blocks]
    return Problem.from_bath(5.0, structure, [np.diag(h[b]) for b in blocks], bath, matrix)


PAIR_HOPPING = ((0.3, (0, 1, 3, 2)), (0.3, (2, 3, 1, 0)))


class Counted:
    """ED that counts its calls."""

    name = "ed"

    def __init__(self):
        self.calls = 0

    def solve(self, problem):
        self.calls += 1
        return ED().solve(problem)


@pytest.mark.parametrize("where", [None, "points.h5"])
@pytest.mark.parametrize("other, kind", [
    (Problem.siam(5.0, 2.0, 1.0, [0.1], [0.5]), "1+1 density-density"),
    (two_orbitals(sizes=(2, 2)), "2+2 density-density"),
    (replace(two_orbitals(), terms=((0.3, (0, 1, 3, 2)), (0.3, (2, 3, 1, 0)))), "1+1+1+1 general"),
], ids=["fewer blocks", "joined blocks", "another interaction"])  # fmt: skip
def test_blocks_that_change_are_another_kind_in_the_same_database(where, other, kind, tmp_path):
    path = None if where is None else str(tmp_path / where)
    exact = Counted()
    solver = LearnedSolver(path, exact=exact)
    for problem in (two_orbitals(), other, two_orbitals(U=2.1)):
        solver.solve(problem)
    assert exact.calls == len(solver.database) == 3
    for database in [solver.database] + ([Database(path)] if path else []):
        assert database.kinds == {"1+1+1+1 density-density": 2, kind: 1}
    assert solver.predictor.n_points_ == 2


def test_reordered_blocks_are_the_same_problem():
    """The answer to blocks in another order is the first one reordered, and stored once."""
    problem = two_orbitals(levels=(0.1, -0.1, 0.4, 0.3), couplings=(0.5, 0.4, 0.6, 0.5))
    order = [2, 0, 3, 1]
    solver = LearnedSolver(None, exact="ed")
    first, second = solver.solve(problem), solver.solve(problem.permuted(order))
    assert len(solver.database) == 1 and solver.last_decision.source == "stored"
    for b, number in enumerate(order):
        assert np.allclose(second.G_l[b], first.G_l[number], atol=1e-10)
    assert np.allclose(second.nn, first.nn[np.ix_(order, order)], atol=1e-10)


def test_reordered_orbitals_get_their_own_answers():
    """The order of levels and baths changes inside a block, with the same database."""
    problem = two_orbitals(levels=(0.1, 0.4, 0.1, 0.4), couplings=(0.5, 0.4, 0.5, 0.4), sizes=(2, 2))
    swapped = two_orbitals(levels=(0.4, 0.1, 0.4, 0.1), couplings=(0.4, 0.5, 0.4, 0.5), sizes=(2, 2))
    solver = LearnedSolver(None, exact="ed")
    first, second = solver.solve(problem), solver.solve(swapped)
    for a, b in zip(first.G_l, second.G_l):
        assert np.allclose(a, b[:, ::-1, ::-1], atol=1e-10) and np.max(np.abs(a - b)) > 0.1


# -- declared symmetries -------------------------------------------------------------------------------------------

ORBITALS = [["up_0", "up_1"], ["down_0", "down_1"]]


def with_stronger_pair():
    """Electrons of the first orbital repel each other more."""
    matrix = two_orbitals().U.copy()
    matrix[0, 1] = matrix[1, 0] = 2.5
    return replace(two_orbitals(), U=matrix)


def with_pair_hopping():
    """Between two orbitals of three, all with the same density-density interaction."""
    names = [f"{spin}_{a}" for a in range(3) for spin in ("up", "down")]
    flavour = {name: i for i, name in enumerate(names)}
    terms = tuple((0.2, tuple(flavour[f"{s}_{a}"] for s, a in pair)) for pair in (
        (("up", 0), ("down", 0), ("down", 1), ("up", 1)), (("up", 1), ("down", 1), ("down", 0), ("up", 0)),
    ))  # fmt: skip
    bath = [DiscreteBath([0.1], [[0.5]])] * 6
    return Problem.from_bath(5.0, [(n, 1) for n in names], [[[-1.0]]] * 6, bath, 2.0 * (1 - np.eye(6)), terms)


def test_noise_of_degenerate_blocks_is_averaged():
    rng = np.random.default_rng(5)
    problem = two_orbitals(levels=1e-3 * rng.normal(size=4), couplings=0.5 + 1e-3 * rng.normal(size=4))
    same = averaged(problem, [NAMES])
    for h, d in zip(same.h_loc0, same.Delta_l):
        assert np.array_equal(h, same.h_loc0[0]) and np.array_equal(d, same.Delta_l[0])
    assert same.levels[0] == pytest.approx(problem.levels.mean(), abs=1e-14)
    G = ED(n_bath=1).solve(same).G_l
    assert max(np.max(np.abs(g - G[0])) for g in G) <= 1e-12
    other = averaged(problem, ORBITALS)
    assert np.array_equal(other.Delta_l[0], other.Delta_l[2]) and not np.array_equal(other.Delta_l[0], other.Delta_l[1])
    assert averaged(problem, ()) is problem


@pytest.mark.parametrize(
    "problem, degenerate, what",
    [
        (
            two_orbitals(levels=(0, 0, 0.3, 0.3)),
            ORBITALS,
            r"'up_0', 'up_1' .* levels differ from their mean by 0\.15 D",
        ),
        (
            two_orbitals(couplings=(0.5, 0.5, 0.6, 0.6)),
            ORBITALS,
            r"'up_0', 'up_1' .* Delta\(tau\) differ from their mean by 0\.1\d* of its size, more than the 0\.02",
        ),
        (two_orbitals(), [["up_0", "left"]], r"the blocks \['left'\], which are not in gf_struct"),
        (two_orbitals(), [["up_0", "up_1"], ["up_1", "down_1"]], r"\['up_1'\] more than once"),
        (two_orbitals(sizes=(1, 3)), [["up_0", "down_0"]], "different sizes .*'up_0': 1, 'down_0': 3"),
        (with_stronger_pair(), [["up_0", "up_1"]], r"density-density interactions differ by 0\.5"),
        (with_pair_hopping(), [["up_0", "up_1", "up_2"]], "further terms of h_int, such as pair-hopping, differ"),
    ],
    ids=["levels", "bath", "unknown", "twice", "sizes", "interaction", "further terms"],
)
def test_declared_symmetry_that_is_violated(problem, degenerate, what):
    with pytest.raises(ValueError, match=what):
        averaged(problem, degenerate)


def test_a_string_is_no_set_of_blocks():
    with pytest.raises(TypeError, match="list of lists of block names"):
        averaged(two_orbitals(), ["up_0", "up_1"])


def solver_with(**options):
    S = Solver(beta=5.0, gf_struct=[("up", 1), ("down", 1)], n_iw=100, n_tau=401, database=None, exact="ed", **options)
    S.G0_iw["up"] << inverse(iOmega_n + 1.0 - 0.25 * inverse(iOmega_n - 0.1))
    return S


def test_solver_takes_a_declared_symmetry(tmp_path):
    S = solver_with(degenerate=[["up", "down"]])
    S.G0_iw["down"] << inverse(iOmega_n + 1.001 - 0.25 * inverse(iOmega_n - 0.1))
    S.solve(h_int=2.0 * n("up", 0) * n("down", 0))
    assert np.max(np.abs(S.G_iw["up"].data - S.G_iw["down"].data)) < 1e-12
    with HDFArchive(str(tmp_path / "s.h5"), "w") as archive:
        archive["S"] = S
    with HDFArchive(str(tmp_path / "s.h5"), "r") as archive:
        assert [list(names) for names in archive["S"].degenerate] == [["up", "down"]]
    S.G0_iw["down"] << inverse(iOmega_n + 1.2 - 0.25 * inverse(iOmega_n - 0.1))
    with pytest.raises(ValueError, match=r"levels differ from their mean by 0\.1 D"):
        S.solve(h_int=2.0 * n("up", 0) * n("down", 0))


def test_solver_says_at_once_which_block_it_does_not_know():
    with pytest.raises(ValueError, match=r"\['dn'\], which are not in gf_struct"):
        solver_with(degenerate=[["up", "dn"]])
