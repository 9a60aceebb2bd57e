# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Any energy unit: what is small is measured in the problem's own numbers, so that flags and refusals are the same."""

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.orbitals import FOUR, TWO, kanamori

from triqs_mlsolver import DiscreteBath, Problem
from triqs_mlsolver.approximations import named
from triqs_mlsolver.compat import n
from triqs_mlsolver.exact.cthyb.smooth_estimate import largest_weights
from triqs_mlsolver.exact.segment import SegmentSolver
from triqs_mlsolver.exact.segment.symmetries import Symmetries
from triqs_mlsolver.interface.operators import parse_interaction
from triqs_mlsolver.interface.problems import fock_states_by_energy
from triqs_mlsolver.lattice.bethe import solve_bethe
from triqs_mlsolver.numerics.hybridisation import from_Delta_tau
from triqs_mlsolver.problem.symmetry import generating_permutations, pairs_alike, why_not_learnable

UNITS = st.floats(-3, 3).map(lambda exponent: 10.0**exponent)
FAR_UNITS = st.floats(-9, 9).map(lambda exponent: 10.0**exponent)


def siam(**changes):
    return Problem.siam(**{"beta": 10.0, "U": 2.0, "mu": 0.7, "eps": [-0.4, 0.6], "V": [0.3, 0.35], **changes})


def half_filled(**changes):
    return siam(**{"mu": 1.0, "eps": [-0.5, 0.5], "V": [0.3, 0.3], **changes})


def two_orbitals(mixing=0.0, V=((0.4, 0.0), (0.0, 0.3)), J=0.25):
    h = np.array([[-1.0, mixing], [mixing, -1.25]])
    bath = DiscreteBath([-0.3, 0.4], V)
    return Problem.from_bath(8.0, TWO, (h, h), (bath, bath), *kanamori(2.0, J))


PROBLEMS = {
    "one orbital": siam,
    "field": lambda: siam(field=0.1),
    "particle-hole symmetric": half_filled,
    "a little off half filling": lambda: half_filled(mu=1.0 + 1e-8),
    "off half filling by rounding": lambda: half_filled(mu=1.0 + 1e-13),
    "isolated": lambda: siam(V=[0.0, 0.0]),
    "as good as isolated": lambda: half_filled(V=[1e-10, 1e-10]),
    "hardly hybridised": lambda: siam(V=[1e-4, 1e-4]),
    "two orbitals": two_orbitals,
    "two orbitals, densities": lambda: replace(two_orbitals(), terms=()),
    "levels that mix a little": lambda: two_orbitals(mixing=1e-9),
    "levels that mix by rounding": lambda: two_orbitals(mixing=1e-13),
    "a bath that mixes": lambda: two_orbitals(V=[[0.4, 1e-4], [0.0, 0.3]]),
    "an orbital without a bath": lambda: two_orbitals(V=[[0.4, 0.0], [0.3, 0.0]]),
    "a tiny exchange": lambda: two_orbitals(J=2.0**-40),
    "four blocks": lambda: Problem.from_bath(
        5.0, FOUR, [[[-1.0]]] * 4, [DiscreteBath([0.1], [0.5])] * 4, *kanamori(2.0, 0.25)
    ),
}
problem_of = lru_cache(lambda name: PROBLEMS[name]())


def flags(p):
    return {
        "diagonal": p.is_diagonal,
        "isolated": p.is_isolated,
        "particle-hole": p.is_particle_hole_symmetric(),
        "density-density": p.is_density_density,
        "unreached": [u.tolist() for u in p.unreached],
        "order": p.canonical_order,
        "id": p.id,
        "n_l": p.n_l,
        "symmetries": generating_permutations(p),
        "alike": pairs_alike(p).tolist(),
        "not learnable": why_not_learnable(p),
        "not sampled": SegmentSolver.supports(p),
    }


@pytest.mark.parametrize("name", PROBLEMS)
@given(UNITS)
def test_flags_do_not_depend_on_the_unit(name, unit):
    p = problem_of(name)
    assert flags(p.scaled(unit)) == flags(p)


def test_flags_say_what_is_the_case():
    diagonal = {name: problem_of(name).is_diagonal for name in PROBLEMS}
    assert [name for name, yes in diagonal.items() if not yes] == ["levels that mix a little", "a bath that mixes"]
    symmetric = [name for name in PROBLEMS if problem_of(name).is_particle_hole_symmetric()]
    assert symmetric == ["particle-hole symmetric", "off half filling by rounding", "as good as isolated"]
    assert [name for name in PROBLEMS if problem_of(name).is_isolated] == ["isolated", "as good as isolated"]
    assert [u.tolist() for u in problem_of("an orbital without a bath").unreached] == [[False, True]] * 2


# -- input
# ----------------------------------------------------------------------------------------------------------------

REFUSED = [("U", "not symmetric"), ("h_loc0", "not Hermitian"), ("imaginary h_loc0", "complex"), ("Delta_l", "complex")]


def perturbed(field, relative, unit):
    """Arguments of a problem, with `relative` of one array's size where symmetry wants none."""
    p = two_orbitals().scaled(unit)
    arguments = {name: getattr(p, name) for name in ("beta", "gf_struct", "h_loc0", "Delta_l", "U", "terms")}
    one = np.zeros((2, 2))
    one[0, 1] = 1.0
    off = lambda a: relative * np.max(np.abs(a))
    if field == "U":
        arguments["U"] = p.U.copy()
        arguments["U"][0, 1] += off(p.U)
    elif field == "Delta_l":
        arguments["Delta_l"] = tuple(d + 1j * off(d) * one for d in p.Delta_l)
    else:
        factor = 1j if "imaginary" in field else 1.0
        arguments["h_loc0"] = tuple(h + factor * off(h) * one for h in p.h_loc0)
    return p, arguments


@pytest.mark.parametrize("field, reason", REFUSED)
@given(FAR_UNITS)
def test_input_that_violates_a_symmetry_is_refused_in_any_unit(field, reason, unit):
    with pytest.raises(ValueError, match=reason):
        Problem(**perturbed(field, 1e-6, unit)[1])


@pytest.mark.parametrize("field", [field for field, _ in REFUSED])
@given(FAR_UNITS)
def test_rounding_of_input_is_symmetrised_away_in_any_unit(field, unit):
    p, arguments = perturbed(field, 1e-13, unit)
    q = Problem(**arguments)
    assert q.id == p.id and np.array_equal(q.U, q.U.T) and all(np.array_equal(h, h.T) for h in q.h_loc0)
    assert all(np.isrealobj(a) for a in (*q.h_loc0, *q.Delta_l))


@given(FAR_UNITS)
def test_levels_that_cancel_may_be_off_by_the_rounding_of_what_they_are_made_of(unit):
    """Zero as the difference of levels of the size of U leaves rounding, of which any part may be asymmetric."""
    noise = np.array([[0.0, 3e-16], [-1e-16, 1e-16]])
    p = two_orbitals().scaled(unit)
    q = replace(p, h_loc0=(noise * unit, noise * unit))
    assert np.max(np.abs(q.h_loc0[0])) < 2e-16 * unit and q.is_diagonal


@given(FAR_UNITS)
def test_complex_coefficients_are_refused_in_any_unit(unit):
    spins = [("up", 1), ("down", 1)]
    with pytest.raises(ValueError, match="complex coefficient"):
        parse_interaction(1e-9 * unit * (1 + 1e-3j) * n("up", 0) * n("down", 0), spins)
    found = parse_interaction(unit * (2 + 1e-16j) * n("up", 0) * n("down", 0), spins)
    assert found.U[0, 1] == pytest.approx(2 * unit, rel=1e-15)


@given(FAR_UNITS)
def test_a_complex_hybridisation_is_refused_in_any_unit(unit):
    beta = 10.0 / unit
    Delta_tau = -0.25 * unit**2 * np.ones((101, 1, 1))
    assert np.all(np.isfinite(from_Delta_tau(beta, Delta_tau * (1 + 1e-8j))))
    assert np.all(from_Delta_tau(beta, 1e-14j * Delta_tau) == 0)  # no hybridisation but for rounding
    with pytest.raises(ValueError, match="complex"):
        from_Delta_tau(beta, Delta_tau * (1 + 1e-4j))
    with pytest.raises(ValueError, match="complex"):
        from_Delta_tau(beta, 1e-6 * Delta_tau * (1 + 1e-2j))


# -- what follows from it
# ------------------------------------------------------------------------------------------------


@given(UNITS)
def test_the_segment_solver_finds_the_same_hybridisations_alike(unit):
    """Flavours 0 and 1 differ by one part in 10⁷ of V, flavours 0 and 2 by nothing."""
    baths = [DiscreteBath([0.1], [V]) for V in (0.5, 0.5 * (1 + 1e-7), 0.5, 0.25)]
    p = Problem.from_bath(5.0, FOUR, [[[-1.0]]] * 4, baths, kanamori(2.0, 0.25)[0]).scaled(unit)
    assert Symmetries.of(p, [p.delta_l(f) for f in range(4)]).delta_class == (0, 1, 0, 2)


@pytest.mark.parametrize("unit", [1e-13, 1e-3, 1e3])
def test_half_filling_is_recognised_in_any_unit(unit):
    """Off half filling by 40 % of U the density is not one, however small the numbers."""
    for mu in (0.5, 0.9):
        here = solve_bethe(named("hubbard_i"), 4.0, 1.0, mu, max_iterations=3)
        there = solve_bethe(named("hubbard_i"), 4.0 / unit, unit, mu * unit, half_bandwidth=unit, max_iterations=3)
        assert there.solution.density.sum() == pytest.approx(here.solution.density.sum(), abs=1e-8)
        assert (abs(there.solution.density.sum() - 1) < 1e-8) == (mu == 0.5)


@pytest.mark.parametrize("unit", [1e-14, 1.0, 1e14])
def test_fock_states_come_by_energy_in_any_unit(unit):
    assert fock_states_by_energy(unit * np.array([-1.1, -0.9]), 2.5 * unit) == [1, 2, 0, 3]
    third = unit / 3
    assert fock_states_by_energy(np.array([-third, -third * (1 + 1e-15)]), unit) == [1, 2, 0, 3]  # ties as listed
    assert fock_states_by_energy(np.zeros(2), 0.0) == [0, 1, 2, 3]


@pytest.mark.parametrize("unit", [1e-9, 1e9])
def test_weights_a_pole_can_have_do_not_depend_on_the_unit(unit):
    poles, moments = np.linspace(-2, 2, 9), np.array([np.eye(1), [[0.3]], [[0.09 + 1e-4]]])
    powers = unit ** np.arange(3)[:, None, None]
    assert np.allclose(largest_weights(poles * unit, moments * powers), largest_weights(poles, moments), rtol=1e-9)
