# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
from importlib.util import find_spec

import numpy as np
import pytest
from support.orbitals import FOUR, kanamori

from triqs_mlsolver import DiscreteBath, Problem
from triqs_mlsolver.exact import registry
from triqs_mlsolver.exact.ed import ED
from triqs_mlsolver.exact.registry import NoExactSolver, check, choose

SIAM = Problem.siam(10.0, 2.0, 1.0, [-0.3, 0.4], [0.3, 0.3])
BATH = DiscreteBath([0.2], [[0.3]])
EXCHANGE = Problem.from_bath(5.0, FOUR, [[[-1.0]]] * 4, [BATH] * 4, *kanamori(2.0, 0.2))


def coupled_orbitals():
    """Off-diagonal Δ."""
    return Problem.from_bath(
        5.0, (("ud", 2),), (np.diag([-1.0, -1.0]),), (DiscreteBath([0.0], [[0.3, 0.2]]),), [[0, 2], [2, 0]]
    )


def test_auto_takes_the_segment_solver_for_density_density():
    assert choose("auto", SIAM).name == "segment"


@pytest.mark.parametrize("name, solver", [("ed", "ed"), ("segment", "segment"), ("matrix", "matrix")])
def test_by_name(name, solver):
    found = choose(name, SIAM)
    assert found.name == solver and callable(found.solve)


@pytest.mark.parametrize("problem", [EXCHANGE, coupled_orbitals()], ids=["exchange", "off-diagonal"])
def test_auto_takes_the_matrix_solver_for_what_the_segment_picture_lacks(problem):
    assert choose("auto", problem).name == "matrix"


def levels_that_mix():
    """Out of reach of embedded Monte Carlo: nothing measures the G between orbitals that only levels mix."""
    bath = DiscreteBath([0.0, 0.1], np.diag([0.3, 0.2]))
    return Problem.from_bath(5.0, (("ud", 2),), ([[-1.0, 0.2], [0.2, -1.0]],), (bath,), [[0, 2], [2, 0]])


@pytest.mark.skipif(find_spec("triqs_cthyb") is not None, reason="triqs_cthyb is installed and takes this problem")
def test_auto_without_triqs_cthyb_names_the_ways_out():
    with pytest.raises(
        NoExactSolver, match=r'levels mix.*conda install -c conda-forge triqs_cthyb.*exact="ed".*exact=<object'
    ):
        choose("auto", levels_that_mix())


@pytest.mark.parametrize("problem", [EXCHANGE, coupled_orbitals()], ids=["exchange", "off-diagonal"])
def test_by_name_says_why_not(problem):
    with pytest.raises(NoExactSolver, match="exact = 'segment' cannot solve this problem: "):
        choose("segment", problem)
    assert choose("ed", problem).name == "ed"


def test_ed_says_what_is_too_large():
    names = tuple((f"f{k}", 1) for k in range(10))
    bath = [DiscreteBath(np.linspace(-1, 1, 3), [0.3, 0.3, 0.3])] * 10
    large = Problem.from_bath(5.0, names, [[[0.0]]] * 10, bath, np.zeros((10, 10)))
    with pytest.raises(NoExactSolver, match="'ed' cannot solve this problem: 40 spin-orbitals.*at most 16"):
        choose("ed", large)


def test_options_that_a_solver_knows_reach_it():
    assert choose("ed", SIAM, n_bath=3, n_cycles=1000, random_seed=3) == ED(n_bath=3)
    assert choose("ed", SIAM, n_bath=None) == ED()
    with pytest.raises(ValueError, match="n_bath = 9"):
        choose("ed", SIAM, n_bath=9)


def test_objects_pass_through():
    class Mine:
        name = "mine"

        def solve(self, problem):
            raise NotImplementedError

    mine = Mine()
    check(mine)
    assert choose(mine, EXCHANGE, n_bath=2) is mine


@pytest.mark.parametrize("name", registry.NAMES)
def test_known_names_are_accepted(name):
    check(name)


@pytest.mark.parametrize(
    "name, hint", [("cthb", "did you mean 'cthyb'"), ("EDD", "choose one of"), ("", "choose one of")]
)
def test_unknown_names_are_refused(name, hint):
    with pytest.raises(
        ValueError, match=f"exact = {name!r} is not an exact solver: .*'segment', 'matrix', 'cthyb', 'ed'"
    ) as error:
        check(name)
    assert hint in str(error.value)


def test_a_class_is_refused_and_an_instance_asked_for():
    with pytest.raises(TypeError, match=r"exact = ED is a class.*pass an instance.*exact=ED\(\.\.\.\)"):
        check(ED)
    check(ED())


@pytest.mark.parametrize("thing", [None, 7, object(), ED.solve])
def test_other_things_are_refused(thing):
    with pytest.raises(TypeError, match="method solve"):
        check(thing)


def test_auto_takes_the_segment_solver_where_one_flavour_has_a_bath():
    bath = [DiscreteBath([0.2], [0.5]), DiscreteBath([], [])]
    names, U = (("up", 1), ("down", 1)), np.array([[0.0, 2.0], [2.0, 0.0]])
    assert choose("auto", Problem.from_bath(5.0, names, [[[-1.0]]] * 2, bath, U)).name == "segment"
