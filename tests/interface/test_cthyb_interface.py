# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Every public name of the solvers of triqs_cthyb is there, and is of the same kind.

The tables below hold what triqs_cthyb offers, so that the comparison runs without it; where it is installed, they are
themselves compared with it.
"""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from triqs_mlsolver import Solver, SolverCore, compat
from triqs_mlsolver.compat import inverse, iOmega_n, n
from triqs_mlsolver.exact.cthyb.parameters import DEFAULTS, REQUIRED

#: Names of SolverCore and the kind of what they hold: triqs_cthyb 3.2 and 3.3.
CORE = {
    "G0_iw": "BlockGf", "Delta_tau": "BlockGf", "G_tau": "BlockGf", "G_tau_accum": "BlockGf", "G_l": "BlockGf",
    "asymmetry_G_tau": "BlockGf", "O_tau": "Gf",
    **{f"G2_{kind}": "Block2Gf" for kind in (
        "tau", "iw", "iw_nfft", "iw_pp", "iw_pp_nfft", "iw_ph", "iw_ph_nfft", "iwll_pp", "iwll_ph"
    )},
    "perturbation_order": "dict of Histogram", "perturbation_order_total": "Histogram",
    "performance_analysis": "dict of Histogram",
    "constr_parameters": "dict", "last_constr_parameters": "dict", "solve_parameters": "dict",
    "last_solve_parameters": "dict",
    "h_loc": "Operator", "h_loc0": "Operator", "h_loc_diagonalization": "AtomDiag",
    "Delta_infty": "list of array", "density_matrix": "list of array",
    "average_sign": "float", "average_order": "float", "auto_corr_time": "float", "solve_status": "int",
    "hybridisation_is_complex": "bool", "local_hamiltonian_is_complex": "bool",
    "solve": "method",
}  # fmt: skip
#: What Solver adds.
POST_PROCESSED = {
    "G_iw": "BlockGf", "G_iw_raw": "BlockGf", "Sigma_iw": "BlockGf", "Sigma_iw_raw": "BlockGf",
    "G_moments": "dict of array", "Sigma_moments": "dict of array", "Sigma_Hartree": "dict of array",
    "orbital_occupations": "dict of array",
    "gf_struct": "list", "n_iw": "int", "n_tau": "int", "delta_interface": "bool",
}  # fmt: skip
#: What 4.x adds; parameters are objects there, whose entries are attributes.
NEW_IN_4 = {"last_configuration": "Configuration", "auto_corr_time_converged": "bool"}
PARAMETERS_NEW_IN_4 = {"truncate_energy_cutoff", "truncate_max_states", "initial_configuration"}

TABLES = {
    ("3.2", "SolverCore"): CORE,
    ("3.2", "Solver"): {**CORE, **POST_PROCESSED},
    ("3.3", "SolverCore"): CORE,
    ("3.3", "Solver"): {**CORE, **POST_PROCESSED},
    ("4", "SolverCore"): {**CORE, **NEW_IN_4},
    ("4", "Solver"): {**CORE, **POST_PROCESSED, **NEW_IN_4},
}
KINDS = {"SolverCore": SolverCore, "Solver": Solver}
CONSTRUCTOR = {"n_iw": 1025, "n_tau": 10001, "delta_interface": False}
N_L = {"SolverCore": 50, "Solver": 30}

SPINS = [("up", 1), ("down", 1)]
H_INT = 2.0 * n("up", 0) * n("down", 0)
RUN = dict(n_cycles=1600, length_cycle=20, n_warmup_cycles=100, measure_pert_order=True, measure_G_l=True)
MEASURED = dict(
    measure_density_matrix=True, use_norm_as_weight=True, measure_O_tau=(n("up", 0), n("down", 0)), verbosity=0,
    performance_analysis=True,
)  # fmt: skip


def kind(value) -> str:
    """What the tables say of a value."""
    if isinstance(value, dict) and value:
        inner = {kind(v) for v in value.values()}
        return f"dict of {inner.pop()}" if inner in ({"Histogram"}, {"array"}) else "dict"
    if isinstance(value, list) and value and all(isinstance(v, np.ndarray) for v in value):
        return "list of array"
    if isinstance(value, compat.BlockGf):
        return "BlockGf"
    if isinstance(value, compat.Gf):
        return "Gf"
    if callable(value) and inspect.ismethod(value) or inspect.isbuiltin(value):
        return "method"
    names = {"ndarray": "array", "AtomDiagReal": "AtomDiag", "AtomDiagComplex": "AtomDiag", "Parameters": "dict"}
    name = type(value).__name__
    return names.get(name, name)


def solved(make, **params):
    S = make(beta=5.0, gf_struct=SPINS, n_iw=200, n_tau=1001)
    S.G0_iw << inverse(iOmega_n + 1.0 - 0.25 * inverse(iOmega_n - 0.3))
    S.solve(h_int=H_INT, **RUN, **params)
    return S


def public(thing) -> set[str]:
    return {name for name in dir(thing) if not name.startswith("_")}


@pytest.mark.parametrize("version, name", TABLES)
def test_every_name_is_there(version, name):
    S = KINDS[name](5.0, SPINS, n_iw=20, n_tau=41, database=None)
    assert set(TABLES[version, name]) - public(S) == set()


@pytest.mark.parametrize("name", KINDS)
def test_the_constructor_is_the_same(name):
    parameters = inspect.signature(KINDS[name].__init__).parameters
    assert list(parameters)[:7] == ["self", "beta", "gf_struct", "n_iw", "n_tau", "n_l", "delta_interface"]
    assert {k: parameters[k].default for k in CONSTRUCTOR} == CONSTRUCTOR and parameters["n_l"].default == N_L[name]
    more = {p.name: p.kind for p in list(parameters.values())[7:]}
    assert set(more.values()) <= {inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD}


@pytest.fixture(scope="module", params=KINDS)
def ours(request):
    make = KINDS[request.param]
    return request.param, solved(lambda **given: make(**given, database=None, exact="segment", tolerance=0.05))


def test_results_are_of_the_same_kind(ours):
    name, S = ours
    table = TABLES["4", name]
    found = {k: kind(getattr(S, k)) for k in table if getattr(S, k) is not None}
    assert found == {k: table[k] for k in found}
    needs_cthyb = {k for k in table if k.startswith("G2_")} | set(NEW_IN_4) | {
        "G_tau_accum", "asymmetry_G_tau", "O_tau", "performance_analysis"
    }  # fmt: skip
    assert set(table) - set(found) == needs_cthyb


def test_results_are_on_the_same_meshes(ours):
    _, S = ours
    assert len(S.G_tau.mesh) == len(S.Delta_tau.mesh) == 1001 and len(S.G0_iw.mesh) == 400
    assert len(S.G_l.mesh) == S.n_l
    assert tuple(S.perturbation_order_total.limits) == (0, 1000)
    assert S.perturbation_order_total.n_data_pts == S.perturbation_order["up"].n_data_pts


# -- beside triqs_cthyb itself --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def triqs_cthyb():
    if not compat.HAS_TRIQS:
        pytest.skip("TRIQS is not installed")
    return pytest.importorskip("triqs_cthyb")


@pytest.fixture(scope="module")
def version(triqs_cthyb):
    """Key of the tables for what is installed."""
    from triqs_cthyb.version import version

    major, minor, *_ = version.split(".")
    return major if int(major) >= 4 else f"{major}.{minor}"


@pytest.fixture(scope="module", params=KINDS)
def both(request, triqs_cthyb):
    """The class's name, triqs_cthyb's solver and ours after the same run."""
    native = getattr(triqs_cthyb, request.param)
    options = dict(database=None, exact="cthyb", tolerance=0.05)
    theirs = solved(lambda **given: native(**given), **MEASURED)
    return request.param, theirs, solved(lambda **given: KINDS[request.param](**given, **options), **MEASURED)


def test_the_tables_say_what_triqs_cthyb_has(both, version):
    name, theirs, _ = both
    table = TABLES[version, name]
    assert public(theirs) == set(table)
    for attribute, said in table.items():
        value, is_object = getattr(theirs, attribute), version >= "4" and said == "dict"
        assert value is None or is_object or kind(value) == said, attribute


def test_ours_are_of_the_kinds_and_on_the_meshes_of_triqs_cthyb(both):
    _, theirs, ours = both
    for attribute in public(theirs):
        a, b = getattr(theirs, attribute), getattr(ours, attribute)
        if a is None:
            continue
        assert kind(a) == kind(b), attribute
        if kind(a) in ("BlockGf", "Gf"):
            assert a.mesh == b.mesh, attribute
            assert type(a) is type(b)
        elif kind(a) == "dict of array":
            assert {k: v.shape for k, v in a.items()} == {k: v.shape for k, v in b.items()}, attribute
        elif kind(a) == "list of array":
            assert [v.shape for v in a] == [v.shape for v in b], attribute
        elif kind(a) == "dict of Histogram":
            assert set(a) == set(b) and {tuple(h.limits) for h in a.values()} == {tuple(h.limits) for h in b.values()}


def test_values_are_those_of_triqs_cthyb_within_noise(both):
    _, theirs, ours = both
    for attribute in ("G_tau", "Delta_tau", "G0_iw"):
        for (_, a), (_, b) in zip(getattr(theirs, attribute), getattr(ours, attribute)):
            assert abs(np.mean(a.data - b.data)) < 0.02, attribute
    middle = slice(100, 900)
    assert np.mean(theirs.O_tau.data[middle].real) == pytest.approx(np.mean(ours.O_tau.data[middle].real), abs=0.02)
    assert ours.perturbation_order_total.n_data_pts == theirs.perturbation_order_total.n_data_pts
    assert max((abs(value) for _, value in ours.h_loc - theirs.h_loc), default=0.0) < 1e-7


def test_the_parameters_are_those_of_triqs_cthyb(both, version):
    _, theirs, _ = both
    names = theirs.last_solve_parameters if version < "4" else vars(theirs.last_solve_parameters)
    expected = set(DEFAULTS) - (PARAMETERS_NEW_IN_4 if version < "4" else set())
    assert set(names) == expected
    given = {"h_int", "random_seed", "verbosity", *RUN, *MEASURED}
    for name in expected - given:
        if DEFAULTS[name] is not REQUIRED and DEFAULTS[name] is not None and name != "measure_G2_block_order":
            assert names[name] == DEFAULTS[name] or (not names[name] and not DEFAULTS[name]), name


def test_a_restricted_hilbert_space_gives_the_answer_of_triqs_cthyb(triqs_cthyb):
    """The same seed, the same run."""
    params = dict(loc_n_max=1, random_seed=7, verbosity=0)
    theirs = solved(lambda **given: triqs_cthyb.Solver(**given), **params)
    ours = solved(lambda **given: Solver(**given, database=None), **params)
    for attribute in ("G_tau", "G_iw", "Sigma_iw", "G_l"):
        for (_, a), (_, b) in zip(getattr(theirs, attribute), getattr(ours, attribute)):
            np.testing.assert_array_equal(a.data, b.data)
    assert ours.last_decision.source == "exact" and "loc_n_max = 1" in ours.last_decision.reason
    assert (ours.last_decision.note, ours.nn_static) == ("passed to triqs_cthyb as it is, not learned", None)


def test_no_cycles_at_all_give_the_atom(triqs_cthyb):
    ours = SolverCore(5.0, SPINS, n_iw=200, n_tau=1001, database=None)
    ours.G0_iw << inverse(iOmega_n + 1.0)
    ours.solve(h_int=H_INT, n_cycles=0, n_warmup_cycles=0, measure_density_matrix=True, use_norm_as_weight=True)
    energies = np.array([0.0, -1.0, -1.0, 0.0])  # U = 2, mu = 1
    weights = np.exp(-5.0 * energies) / np.exp(-5.0 * energies).sum()
    found = np.sort(np.concatenate([np.diag(block) for block in ours.density_matrix]).real)
    np.testing.assert_allclose(found, np.sort(weights), atol=1e-12)
