# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""The Solver against exact diagonalisation, and its manners as a drop-in for triqs_cthyb."""

from __future__ import annotations

import inspect
import logging
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from triqs_mlsolver import DiscreteBath, Problem, compat
from triqs_mlsolver.compat import BlockGf, HDFArchive, SemiCircular, c, c_dag, inverse, iOmega_n, n
from triqs_mlsolver.decision.decision import Answer, Decision
from triqs_mlsolver.decision.learned_solver import LearnedSolver
from triqs_mlsolver.exact.ed import ED
from triqs_mlsolver.interface import parameters as cthyb_parameters
from triqs_mlsolver.interface import solver_core as solver_module
from triqs_mlsolver.interface.solver import Solver
from triqs_mlsolver.interface.solver_core import SolverCore
from triqs_mlsolver.numerics import legendre, pole_fit
from triqs_mlsolver.tools import mpi

BETA, U, MU, FIELD = 10.0, 2.0, 1.2, 0.1
EPS, V = np.array([-0.5, 0.4]), np.array([0.4, 0.3])
SIAM = Problem.siam(beta=BETA, U=U, mu=MU, eps=EPS, V=V, field=FIELD)
SPINS = [("up", 1), ("down", 1)]
H_INT = U * n("up", 0) * n("down", 0)
SMALL = dict(n_iw=200, n_tau=1001)


class Engine:
    """Stands in for LearnedSolver: answers SIAM by exact diagonalisation and says it was `source`."""

    source = "model"
    provenance: dict = {}
    statistics: dict = {}

    comm = mpi.world()

    def __init__(self, **options):
        self.options, self.last = options, None

    __init__.__signature__ = inspect.signature(LearnedSolver.__init__)

    def solve(self, problem, *, exact_parameters=None, force_exact=None):
        self.problem, self.exact_parameters, self.force_exact = problem, exact_parameters, force_exact
        source = "exact" if force_exact else self.source
        exact = replace(ED().solve(problem), provenance=self.provenance, statistics=self.statistics)
        return self.answered(problem, exact, source)

    def answered(self, problem, solution, source):
        bounds = dict(error_bound=0.001, sigma_bound=0.01, tolerance=0.002, sigma_tolerance=0.02, nearest=0.1)
        decision = Decision(
            source, "stand-in", "asked for", self.force_exact or "", seconds=0.0, problem_id="0", **bounds
        )
        self.last = Answer(problem, solution, decision, None)
        return solution


@pytest.fixture
def engine(monkeypatch):
    """Model answers of an engine whose attributes the test may change."""
    kind = type("LocalEngine", (Engine,), {})
    monkeypatch.setattr(solver_module, "LearnedSolver", kind)
    return kind


def siam_solver(**options):
    """A solver whose G0_iw is that of SIAM."""
    S = Solver(BETA, SPINS, **{**SMALL, "database": None, **options})
    bath = sum((v**2 * inverse(iOmega_n - e) for e, v in zip(EPS, V)), 0 * iOmega_n)
    S.G0_iw["up"] << inverse(iOmega_n + MU + FIELD - bath)
    S.G0_iw["down"] << inverse(iOmega_n + MU - FIELD - bath)
    return S


@pytest.fixture
def solved(engine):
    S = siam_solver()
    S.solve(h_int=H_INT, n_cycles=100)
    return S


@pytest.fixture(scope="module")
def exact():
    return ED().solve(SIAM)


def data(G):
    return [g.data for _, g in G]


# -- from containers to the problem and back --------------------------------------------------------


def test_problem_is_the_anderson_model(solved):
    problem = solved._engine.problem
    assert problem == SIAM and problem.gf_struct == SIAM.gf_struct
    np.testing.assert_allclose(problem.levels, SIAM.levels, atol=1e-11)


def test_functions_are_those_of_exact_diagonalisation(solved, exact):
    G, Sigma = exact.G_iw(200), exact.Sigma_iw(SIAM, 200)
    for b, (name, _) in enumerate(SPINS):
        np.testing.assert_allclose(solved.G_iw[name].data[200:], G[b], atol=1e-9)
        np.testing.assert_allclose(solved.G_iw[name].data[:200][::-1], G[b].conj(), atol=1e-9)
        np.testing.assert_allclose(solved.Sigma_iw[name].data[200:], Sigma[b], atol=1e-6)
        tau = np.linspace(0, BETA, 1001)
        np.testing.assert_allclose(solved.G_tau[name].data, exact.G_tau(tau)[b], atol=1e-9)
        np.testing.assert_allclose(solved.G_l[name].data, legendre.resized(exact.G_l[b], 30), atol=1e-9)
        Delta = legendre.fermi_kernel(BETA, tau, EPS) @ V**2
        np.testing.assert_allclose(solved.Delta_tau[name].data[:, 0, 0], Delta, atol=1e-10)
    for a, b in zip(data(solved.G_iw_raw), data(solved.G_iw)):
        np.testing.assert_array_equal(a, b)


def test_dyson_holds_between_what_is_handed_out(solved):
    rest = inverse(solved.G0_iw) - inverse(solved.G_iw) - solved.Sigma_iw
    assert max(np.max(np.abs(d)) for d in data(rest)) < 1e-9


def test_static_results(solved, exact):
    up, down = exact.density
    assert solved.Delta_infty[0].shape == (1, 1)
    np.testing.assert_allclose(np.ravel(solved.Delta_infty), [-MU - FIELD, -MU + FIELD], atol=1e-11)
    np.testing.assert_allclose(solved.Sigma_Hartree["up"], [[U * down]], atol=1e-9)
    np.testing.assert_allclose(solved.Sigma_moments["down"][1], [[U**2 * up * (1 - up)]], atol=1e-9)
    np.testing.assert_allclose(solved.G_moments["up"][:, 0, 0], [0, 1, -MU - FIELD + U * down], atol=1e-9)
    np.testing.assert_allclose(solved.orbital_occupations["up"], [[up]], atol=1e-12)
    assert solved.solve_status == 0


def test_density_matrix_is_ordered_by_energy_as_atom_diag_does(solved, exact):
    up, down, both = exact.density[0], exact.density[1], exact.double_occupancy
    # energies: up -1.3, down -1.1, both -0.4, empty 0
    np.testing.assert_allclose(
        np.ravel(solved.density_matrix), [up - both, down - both, both, 1 - up - down + both], atol=1e-12
    )
    atom = solved.h_loc_diagonalization
    assert abs(compat.trace_rho_op(solved.density_matrix, n("up", 0), atom) - up) < 1e-12


def test_local_hamiltonians_are_operators(solved):
    expected = -(MU + FIELD) * n("up", 0) - (MU - FIELD) * n("down", 0)
    assert max((abs(v) for _, v in solved.h_loc0 - expected), default=0) < 1e-11
    assert solved.h_loc == solved.h_loc0 + H_INT


def test_one_body_terms_of_h_int_are_levels_but_part_of_sigma(engine):
    """As in cthyb: they join the local Hamiltonian, and Dyson's equation with the user's G0 finds them in Σ."""
    S = siam_solver()
    S.solve(h_int=H_INT + 0.3 * n("up", 0) + 0.3 * n("down", 0))
    np.testing.assert_allclose(S._engine.problem.levels, SIAM.levels + 0.3, atol=1e-11)
    np.testing.assert_allclose(np.ravel(S.Delta_infty), SIAM.levels, atol=1e-11)
    rest = inverse(S.G0_iw) - inverse(S.G_iw) - S.Sigma_iw
    assert max(np.max(np.abs(d)) for d in data(rest)) < 1e-9
    assert abs(S.Sigma_iw["up"].data[-1, 0, 0].real - S.Sigma_Hartree["up"][0, 0]) < 1e-2


def test_delta_interface(engine, exact):
    S = Solver(BETA, SPINS, **SMALL, delta_interface=True, database=None)
    tau = np.linspace(0, BETA, 1001)
    for _, d in S.Delta_tau:
        d.data[:, 0, 0] = legendre.fermi_kernel(BETA, tau, EPS) @ V**2
    S.solve(h_int=H_INT, h_loc0=-(MU + FIELD) * n("up", 0) - (MU - FIELD) * n("down", 0))
    assert S._engine.problem == SIAM
    np.testing.assert_allclose(data(S.G0_iw), data(siam_solver().G0_iw), atol=1e-9)
    with pytest.raises(TypeError, match="h_loc0"):
        S.solve(h_int=H_INT)


def test_equal_blocks_give_equal_blocks(engine):
    S = Solver(BETA, SPINS, **SMALL, database=None)
    S.G_iw << SemiCircular(1.0)
    g = 0.5 * (S.G_iw["up"] + S.G_iw["down"])
    for _, g0 in S.G0_iw:
        g0 << inverse(iOmega_n + U / 2 - 0.25 * g)
    S.solve(h_int=H_INT)
    problem = S._engine.problem
    assert np.array_equal(problem.Delta_l[0], problem.Delta_l[1]) and problem.is_particle_hole_symmetric()
    assert abs(problem.scale - 1.0) < 1e-10


def test_multi_orbital_problems_are_passed_on(monkeypatch):
    """The parser refuses nothing it can express; who solves decides."""

    class Recorder(Engine):
        def solve(self, problem, **_):
            self.problem = problem
            raise RuntimeError("stop here")

    monkeypatch.setattr(solver_module, "LearnedSolver", Recorder)
    S = Solver(BETA, [("up", 2), ("down", 2)], **SMALL, database=None)
    h = np.array([[0.2, 0.1], [0.1, -0.3]])
    for _, g0 in S.G0_iw:
        g0 << inverse(iOmega_n - h - 0.25 * inverse(iOmega_n - 0.3))
    flip = c_dag("up", 0) * c("down", 0) * c_dag("down", 1) * c("up", 1)
    with pytest.raises(RuntimeError, match="stop here"):
        S.solve(h_int=3 * n("up", 0) * n("down", 0) - 0.5 * (flip + compat.dagger(flip)))
    problem = S._learned.problem
    bath = DiscreteBath([0.3, 0.3], 0.5 * np.eye(2))
    expected = Problem.from_bath(BETA, [("up", 2), ("down", 2)], (h, h), (bath, bath), problem.U, problem.terms)
    assert problem == expected and len(problem.terms) == 2 and problem.U[0, 2] == 3


def test_old_forms_of_gf_struct():
    for gf_struct in ({"up": 1, "down": 1}, [["up", 1], ["down", 1]], [("up", [0]), ("down", ["a"])]):
        assert Solver(BETA, gf_struct, **SMALL).gf_struct == SPINS


# -- parameters -------------------------------------------------------------------------------------


def test_every_parameter_of_cthyb_is_accepted(engine):
    S = siam_solver()
    S.solve(
        h_int=H_INT, n_cycles=10, partition_method="autopartition", quantum_numbers=[], loc_n_min=0, length_cycle=50,
        n_warmup_cycles=10, random_seed=1, random_name="", max_time=-1, verbosity=0, move_shift=True, move_double=False,
        use_trace_estimator=False, measure_G_tau=True, measure_G_l=True, measure_density_matrix=True,
        use_norm_as_weight=True, proposal_prob={}, move_global={}, move_global_prob=0.05, imag_threshold=1e-13,
        det_init_size=100, off_diag_threshold=0.0, measure_G2_n_tau=10, measure_O_tau_min_ins=10,
        perform_tail_fit=True, fit_max_moment=3, fit_min_w=1.2, fit_max_w=3.0, perform_post_proc=True,
    )  # fmt: skip
    assert S.last_decision.source == "model"
    assert S.last_solve_parameters["n_cycles"] == 10 and S.last_solve_parameters.length_cycle == 50
    assert S.last_solve_parameters["det_precision_error"] == 1e-5
    assert "perform_tail_fit" not in S._engine.exact_parameters and S._engine.exact_parameters["random_seed"] == 1
    assert S.last_constr_parameters["n_tau"] == 1001


def test_parameter_objects_of_cthyb_4(engine):
    S = siam_solver()
    S.solve(SimpleNamespace(h_int=H_INT, n_cycles=7))
    assert S.last_solve_parameters.n_cycles == 7


@pytest.mark.parametrize(
    "name, hint", [("n_cycle", "'n_cycles'"), ("measure_g_L", "'measure_G_l'"), ("warmup", "parameters are those")]
)
def test_unknown_parameters_are_refused_with_a_hint(engine, name, hint):
    with pytest.raises(TypeError, match=f"'{name}'.*{hint}"):
        siam_solver().solve(h_int=H_INT, **{name: 1})


def test_deprecated_names_still_work(engine, caplog):
    S = siam_solver()
    S.solve(h_int=H_INT, measure_g_l=True)
    assert S.last_solve_parameters["measure_G_l"] is True and "use measure_G_l" in caplog.text


@pytest.mark.parametrize(
    "name, value",
    [("measure_G2_iw_ph", True), ("measure_pert_order", True), ("measure_O_tau", (n("up", 0), n("up", 0)))],
)
def test_monte_carlo_measurements_force_the_exact_solver(engine, name, value):
    S = siam_solver(exact="cthyb")
    S.solve(h_int=H_INT, **{name: value})
    assert S.last_decision.source == "exact" and name in S._engine.force_exact
    S.solve(h_int=H_INT, **{name: None if name == "measure_O_tau" else False})
    assert S._engine.force_exact is None


@pytest.mark.parametrize(
    "exact, name", [("segment", "measure_G2_iw_ph"), ("ed", "measure_pert_order"), ("ed", "measure_G2_tau")]
)
def test_measurements_that_the_exact_solver_cannot_make_are_refused(engine, exact, name):
    with pytest.raises(ValueError, match=f"{name}.*triqs_cthyb.*exact = '{exact}' cannot"):
        siam_solver(exact=exact).solve(h_int=H_INT, **{name: True})


def test_density_matrix_of_several_orbitals_forces_triqs_cthyb(engine, monkeypatch):
    """Pair correlators determine it for one orbital only."""
    S = Solver(BETA, [("up", 2), ("down", 2)], **SMALL, exact="auto")
    for _, g0 in S.G0_iw:
        g0 << inverse(iOmega_n - 0.25 * inverse(iOmega_n - 0.3))
    h_int = 2.0 * (n("up", 0) * n("down", 0) + n("up", 1) * n("down", 1))
    monkeypatch.setattr(cthyb_parameters, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="measure_density_matrix can only be measured by triqs_cthyb"):
        S.solve(h_int=h_int, measure_density_matrix=True)
    monkeypatch.setattr(cthyb_parameters, "find_spec", lambda name: "found")
    monkeypatch.setattr(Solver, "_fill", lambda *_: None)
    S.solve(h_int=h_int, measure_density_matrix=True)
    assert S._engine.exact == "cthyb" and "measure_density_matrix" in S._engine.force_exact
    S.solve(h_int=h_int)
    assert S._engine.exact == "auto" and S._engine.force_exact is None


def test_none_stands_for_the_default_of_a_parameter(engine):
    S = siam_solver()
    S.solve(h_int=H_INT, loc_n_min=None, loc_n_max=None, random_seed=None, n_cycles=None, fit_max_n=None, h_loc0=None)
    assert S.last_decision.source == "model"
    assert set(S._engine.exact_parameters) == {"h_int"}
    assert S.last_solve_parameters["loc_n_min"] == 0


def test_auto_takes_cthyb_for_what_only_it_measures(engine, monkeypatch):
    S = siam_solver(exact="auto")
    monkeypatch.setattr(cthyb_parameters, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="triqs_cthyb is not installed"):
        S.solve(h_int=H_INT, measure_G2_iw=True)
    monkeypatch.setattr(cthyb_parameters, "find_spec", lambda name: "found")
    S.solve(h_int=H_INT, measure_G2_iw=True)
    assert S._engine.exact == "cthyb"
    S.solve(h_int=H_INT, measure_pert_order=True)
    assert S._engine.exact == "auto"


def test_perturbation_orders_are_histograms_by_block_and_in_all(engine):
    engine.statistics = {
        "perturbation_order": np.array([[5, 5, 0], [2, 7, 1]]), "perturbation_order_total": np.array([2, 3, 4, 1]),
    }  # fmt: skip
    S = siam_solver()
    S.solve(h_int=H_INT, measure_pert_order=True)
    assert {type(h) for h in (*S.perturbation_order.values(), S.perturbation_order_total)} == {compat.Histogram}
    np.testing.assert_array_equal(S.perturbation_order["down"].data[:3], [2, 7, 1])
    total = S.perturbation_order_total
    assert total.n_data_pts == 10 and tuple(total.limits) == (0, 1000) and total.data[3] == 1


def test_statistics_are_none_after_a_model_answer_and_filled_after_monte_carlo(engine):
    engine.provenance = {"average_sign": 0.9, "auto_corr_time": 2.5, "solve_status": 1}
    engine.statistics = {"perturbation_order": [[1], [1]], "perturbation_order_total": [0, 4]}
    S = siam_solver()
    S.solve(h_int=H_INT)
    assert S.average_sign is S.auto_corr_time is S.perturbation_order_total is S.G2_iw_ph is None
    S.solve(h_int=H_INT, measure_pert_order=True)
    assert (S.average_sign, S.auto_corr_time, S.solve_status) == (0.9, 2.5, 1)
    assert S.perturbation_order_total.data[1] == 4


def test_results_of_triqs_cthyb_are_forwarded(engine):
    engine.source = "exact"
    native = SimpleNamespace(
        density_matrix="theirs", G2_iw="G2", average_sign=1.0, h_loc_diagonalization="diagonalised"
    )
    engine.statistics = {"native": native}
    S = siam_solver()
    S.solve(h_int=H_INT)
    assert (S.density_matrix, S.G2_iw, S.average_sign, S.h_loc_diagonalization) == ("theirs", "G2", 1.0, "diagonalised")


def test_improved_estimator_keeps_G_and_sigma_consistent(monkeypatch):
    """With F_l measured, Σ = F/G and the G handed out follows from it by Dyson's equation."""
    S = siam_solver()
    exact = ED().solve(SIAM)
    Sigma = exact.Sigma_iw(SIAM, 200)

    class Noisy(Engine):
        def solve(self, problem, **_):
            self.force_exact = None
            return self.answered(problem, replace(exact, F_l=tuple(1.01 * f for f in improved)), "exact")

    G, long_Sigma = exact.G_iw(400), exact.Sigma_iw(SIAM, 400)
    improved = [pole_fit.from_matsubara(BETA, s @ g).coefficients for g, s in zip(G, long_Sigma)]
    monkeypatch.setattr(solver_module, "LearnedSolver", Noisy)
    S.solve(h_int=H_INT)
    np.testing.assert_allclose(S.Sigma_iw["up"].data[200:], 1.01 * Sigma[0], atol=1e-5)
    rest = inverse(S.G0_iw) - inverse(S.G_iw) - S.Sigma_iw
    assert max(np.max(np.abs(d)) for d in data(rest)) < 1e-9
    assert np.max(np.abs(S.G_iw["up"].data - S.G_iw_raw["up"].data)) > 1e-4


# -- bad input --------------------------------------------------------------------------------------


@pytest.mark.parametrize("change, message", [
    (dict(beta=-1.0), "beta = -1"),
    (dict(beta=0.0), "beta = 0"),
    (dict(beta=float("nan")), "beta = nan"),
    (dict(n_tau=399), "n_tau >= 400"),
    (dict(n_iw=0), "n_iw = 0"),
    (dict(gf_struct=[]), "gf_struct"),
    (dict(gf_struct=[("up", 0)]), "positive size"),
    (dict(gf_struct=[("up", 1), ("up", 1)]), "twice"),
    (dict(gf_struct="up"), "pairs"),
    (dict(n_iw="many"), "n_iw = 'many' must be a positive integer"),
    (dict(n_tau=1001.0), "n_tau = 1001.0 must be a positive integer"),
    (dict(n_l=None), "n_l = None must be a positive integer"),
    (dict(tolerance=-0.1), "tolerance = -0.1.*0 means to solve every problem exactly"),
    (dict(tolerance=float("inf")), "tolerance = inf.*finite number of at least 0"),
    (dict(tolerance=float("nan")), "tolerance = nan.*finite number of at least 0"),
    (dict(sigma_tolerance=float("inf")), "sigma_tolerance = inf.*None for ten times"),
    (dict(audit_rate=2.0), "audit_rate = 2.0.*between 0"),
    (dict(audit_rate=float("nan")), "audit_rate = nan.*between 0"),
    (dict(random_seed=-1), "random_seed = -1.*at least 0"),
    (dict(n_threads=0), "n_threads = 0.*at least 1"),
    (dict(exact="segmnt"), "exact = 'segmnt'.*did you mean 'segment'"),
])  # fmt: skip
def test_bad_constructor_arguments(change, message):
    with pytest.raises(ValueError, match=message):
        Solver(**{"beta": BETA, "gf_struct": SPINS, **SMALL, **change})


@pytest.mark.parametrize("change, message", [
    (dict(tolerance="0.01"), "tolerance = '0.01' is not a number"),
    (dict(tolerance=None), "tolerance = None is not a number.*0 means to solve every problem exactly"),
    (dict(tolerance=True), "tolerance = True is not a number"),
    (dict(sigma_tolerance="0.1"), "sigma_tolerance = '0.1' is not a number"),
    (dict(audit_rate=None), "audit_rate = None is not a number.*between 0"),
    (dict(learn="no"), "learn = 'no' is neither True nor False"),
    (dict(learn=None), "learn = None is neither True nor False"),
    (dict(allow_uncertified="yes"), "allow_uncertified = 'yes' is neither"),
    (dict(delta_interface="False"), "delta_interface = 'False' is neither"),
    (dict(random_seed="abc"), "random_seed = 'abc' is not an integer"),
    (dict(exact=ED), "exact = ED is a class.*pass an instance"),
    (dict(exact=None), "exact = None is no exact solver"),
])  # fmt: skip
def test_constructor_arguments_of_another_type(change, message):
    with pytest.raises(TypeError, match=message):
        Solver(**{"beta": BETA, "gf_struct": SPINS, **SMALL, **change})


def test_options_of_numpy_types_are_accepted():
    Solver(
        BETA, SPINS, **SMALL, tolerance=np.float64(0.01), audit_rate=0, learn=np.bool_(False), random_seed=np.int64(3),
        sigma_tolerance=1, database=None, exact=ED(),
    )  # fmt: skip


def test_first_solve_with_the_starter_database(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    S = Solver(20.0, SPINS, database="starter", exact=ED(), audit_rate=0)
    for _, g0 in S.G0_iw:
        g0 << inverse(iOmega_n + 1.0 - 0.25 * SemiCircular(1.0))
    S.solve(h_int=2.0 * n("up", 0) * n("down", 0))
    assert S.last_decision.source == "model"
    assert abs(S.orbital_occupations["up"][0, 0] - 0.5) < 1e-6


def test_delta_interface_without_delta_is_refused(engine):
    """An unset Δ(τ) would be an isolated atom."""
    S = Solver(BETA, SPINS, **SMALL, delta_interface=True, database=None)
    h_loc0 = -MU * (n("up", 0) + n("down", 0))
    with pytest.raises(ValueError, match=r"Delta_tau is not set \(all zero in 'up', 'down'\).*fill it before solve"):
        S.solve(h_int=H_INT, h_loc0=h_loc0)
    assert S._learned is None and S.G_tau is None


def test_delta_of_one_spin_only_is_a_problem(engine):
    """An empty block next to a filled one, as in the Falicov-Kimball model, is not forgotten input."""
    S = Solver(BETA, SPINS, **SMALL, delta_interface=True, database=None)
    S.Delta_tau["up"].data[:, 0, 0] = legendre.fermi_kernel(BETA, np.linspace(0, BETA, 1001), EPS) @ V**2
    S.solve(h_int=H_INT, h_loc0=-MU * (n("up", 0) + n("down", 0)))
    Delta_l = legendre.resized(S._engine.problem.Delta_l[0], len(SIAM.Delta_l[0]))
    np.testing.assert_allclose(Delta_l, SIAM.Delta_l[0], atol=1e-10)
    assert not np.any(S._engine.problem.Delta_l[1])


def test_one_spin_without_hybridisation_goes_to_the_segment_solver():
    """Falicov-Kimball under exact="auto", against ED."""
    found = {}
    for exact in ("auto", "ed"):
        S = Solver(BETA, SPINS, **SMALL, database=None, exact=exact, tolerance=0)
        S.G0_iw["up"] << inverse(iOmega_n + MU - 0.25 * inverse(iOmega_n - 0.3))
        S.G0_iw["down"] << inverse(iOmega_n + MU)
        S.solve(h_int=H_INT, n_cycles=20000)
        found[exact] = S
    S, ed = found["auto"], found["ed"]
    assert "exact (segment)" in str(S.last_decision) and "exact (ed)" in str(ed.last_decision)
    for name in ("up", "down"):
        assert abs(S.orbital_occupations[name] - ed.orbital_occupations[name])[0, 0] < 0.03
        np.testing.assert_allclose(S.G_iw[name].data, ed.G_iw[name].data, atol=0.03 * BETA)
    assert S.double_occupancy == pytest.approx(ed.double_occupancy, abs=0.02)


def test_the_way_to_an_atom_that_the_refusal_names(engine):
    S = Solver(BETA, SPINS, **SMALL, database=None)
    S.G0_iw << inverse(iOmega_n + MU)
    S.solve(h_int=H_INT)
    assert not any(np.any(np.abs(d) > 1e-9) for d in S._engine.problem.Delta_l)
    weights = np.exp(BETA * np.array([0, MU, MU, 2 * MU - U]))
    occupied = (weights[1] + weights[3]) / weights.sum()
    np.testing.assert_allclose(np.ravel(S.orbital_occupations["up"]), occupied, atol=1e-9)


@pytest.mark.parametrize("thing", [H_INT, 2.0, [H_INT], "h_int", BlockGf])
def test_an_interaction_without_its_keyword_is_refused(engine, thing):
    with pytest.raises(TypeError, match=r"keyword arguments only: solve\(h_int=H, n_cycles=\.\.\.\)"):
        siam_solver().solve(thing)


def test_parameters_in_a_dict_or_an_object_are_checked_too(engine):
    for given in ({"h_int": H_INT, "n_cycle": 1}, SimpleNamespace(h_int=H_INT, n_cycle=1)):
        with pytest.raises(TypeError, match="'n_cycle'.*did you mean 'n_cycles'"):
            siam_solver().solve(given)


def test_unknown_options_are_refused_with_a_hint():
    with pytest.raises(TypeError, match="'tolerence'.*'tolerance'"):
        Solver(BETA, SPINS, tolerence=0.1)


@pytest.mark.parametrize("spoil, message", [
    (lambda S: S.G0_iw.__lshift__(0.0), "'up' is not set"),
    (lambda S: S.G0_iw["down"].data.__setitem__(3, np.nan), "'down' contains NaN"),
    (lambda S: S.G0_iw["down"].__lshift__(inverse(iOmega_n + 0.1j)), r"Delta\(infinity\) is not real.*'down'.*0\.1"),
    (lambda S: S.G0_iw["up"].data.__setitem__(0, 5.0), "'up' is not Hermitian"),
])  # fmt: skip
def test_bad_G0_is_refused_before_anything_is_solved(engine, spoil, message):
    S = siam_solver()
    spoil(S)
    with pytest.raises(ValueError, match=message):
        S.solve(h_int=H_INT)
    assert S._learned is None and S.G_tau is None


@pytest.mark.parametrize("gf_struct, n_iw, message", [
    ([("up", 1), ("dwon", 1)], 200, "'dwon'.*did you mean 'down'"),
    ([("up", 2), ("down", 1)], 200, r"'up'.*\(2, 2\).*\(1, 1\)"),
    (SPINS, 100, "200 mesh points"),
])  # fmt: skip
def test_foreign_G0_is_refused(engine, gf_struct, n_iw, message):
    S = siam_solver()
    S.G0_iw = BlockGf(mesh=compat.MeshImFreq(BETA, "Fermion", n_iw), gf_struct=gf_struct)
    with pytest.raises(ValueError, match=message):
        S.solve(h_int=H_INT)


@pytest.mark.parametrize("h_int, error, message", [
    (U * n("up", 0) * n("dn", 0), ValueError, "'dn'.*not in gf_struct"),
    (c_dag("up", 0) * c("down", 0), ValueError, "not Hermitian"),
    (None, TypeError, "needs the interaction"),
    (2.0, TypeError, "many-body operator"),
])  # fmt: skip
def test_bad_interaction_is_refused(engine, h_int, error, message):
    with pytest.raises(error, match=message):
        siam_solver().solve(h_int=h_int)


# -- problems that triqs_cthyb alone can pose -------------------------------------------------------

FLIP = 0.1 * (c_dag("up", 0) * c("down", 0) + c_dag("down", 0) * c("up", 0))
FOR_CTHYB = {
    "loc_n_max = 1": ({"h_int": H_INT, "loc_n_max": 1}, ""),
    "truncate_max_states = 3": ({"h_int": H_INT, "truncate_max_states": 3}, ""),
    "n_cycles = n_warmup_cycles = 0": ({"h_int": H_INT, "n_cycles": 0, "n_warmup_cycles": 0}, ""),
    "one-body terms between different blocks, 'up' and 'down'": ({"h_int": H_INT + FLIP}, "self-energy.*is none"),
}


@pytest.mark.parametrize("reason", FOR_CTHYB)
@pytest.mark.parametrize("exact", ["segment", "ed", "auto"])
def test_what_triqs_cthyb_alone_can_pose_needs_it(engine, monkeypatch, reason, exact):
    monkeypatch.setattr(cthyb_parameters, "find_spec", lambda name: None)
    why = "triqs_cthyb is not installed" if exact == "auto" else f"exact = '{exact}' does not take it"
    with pytest.raises(ValueError, match=f"{reason}.*{why}"):
        siam_solver(exact=exact).solve(**{"n_cycles": 10, **FOR_CTHYB[reason][0]})


@pytest.fixture
def cthyb(monkeypatch):
    """Stands in for triqs_cthyb: records what it is given, and hands out made-up results."""

    class Native:
        h_loc_diagonalization, solve_status, average_sign = "diagonalised", 0, 1.0
        G_l = density_matrix = None

        def __init__(self, **given):
            self.constructor = self.last_constr_parameters = given
            self.G0_iw, self.G_iw = (compat.BlockGf(
                mesh=compat.MeshImFreq(given["beta"], "Fermion", given["n_iw"]), gf_struct=given["gf_struct"]
            ) for _ in range(2))  # fmt: skip
            times = compat.MeshImTime(given["beta"], "Fermion", given["n_tau"])
            self.Delta_tau = compat.BlockGf(mesh=times, gf_struct=given["gf_struct"])
            for _, d in self.Delta_tau:
                d.data[...] = -0.5

        @property
        def Delta_infty(self):
            if self.constructor["delta_interface"]:
                raise SystemExit("the process of triqs_cthyb would end")
            return [np.eye(1, dtype=complex)] * 2

        def solve(self, **given):
            self.parameters = given
            self.G_iw << self.G0_iw

    class Core(Native):
        pass

    module = SimpleNamespace(Solver=Native, SolverCore=Core)
    monkeypatch.setitem(__import__("sys").modules, "triqs_cthyb", module)
    monkeypatch.setattr(cthyb_parameters, "find_spec", lambda name: "found")
    return module


@pytest.mark.parametrize("reason", FOR_CTHYB)
@pytest.mark.filterwarnings("ignore:G has elements between blocks")
def test_what_triqs_cthyb_alone_can_pose_is_passed_to_it_as_it_is(engine, cthyb, caplog, reason):
    params, alarm = FOR_CTHYB[reason]
    S = siam_solver()
    S.solve(h_int=H_INT)  # results of an earlier answer do not stay
    with caplog.at_level(logging.INFO, "triqs_mlsolver"):
        S.solve(**{"n_cycles": 10, **params}, random_seed=7, target_error=0.1, perform_tail_fit=True)
    native, decision = S._native, S.last_decision
    assert type(native) is cthyb.Solver and native.constructor == S.last_constr_parameters
    assert native.parameters == {"n_cycles": 10, **params, "random_seed": 7, "perform_tail_fit": True}
    np.testing.assert_array_equal(data(native.G0_iw), data(S.G0_iw))
    np.testing.assert_array_equal(data(S.G_iw), data(S.G0_iw))
    assert (S.average_sign, S.h_loc_diagonalization, S.Sigma_iw) == (1.0, "diagonalised", None)
    assert np.all(S.Delta_tau["up"].data == -0.5)
    assert (decision.source, decision.solver) == ("exact", "cthyb") and reason in decision.reason
    assert decision.note == "passed to triqs_cthyb as it is, not learned"
    assert bool(decision.alarm) == bool(alarm) and "exact (cthyb)" in caplog.text
    assert S.nn_static is S.interaction_energy is S.double_occupancy is S.G_tau_error is S.Sigma_iw_error is None
    with pytest.raises(RuntimeError, match="passed to triqs_cthyb as it is"):
        S.certify()
    S.solve(h_int=H_INT)
    assert S.last_decision.source == "model" and S.Sigma_iw is not None


def test_the_core_passes_on_to_the_core(engine, cthyb):
    S = SolverCore(BETA, SPINS, **SMALL, database=None)
    for _, g0 in S.G0_iw:
        g0 << inverse(iOmega_n)
    S.solve(h_int=H_INT, loc_n_min=1, n_cycles=10, perform_tail_fit=True)
    assert type(S._native) is cthyb.SolverCore and "perform_tail_fit" not in S._native.parameters


@pytest.mark.parametrize("kind", [Solver, SolverCore])
def test_hybridisations_are_passed_on_too(engine, cthyb, kind):
    """triqs_cthyb has no G0_iw and no Delta_infty then, and none may be asked for."""
    S, T = (kind(BETA, SPINS, **SMALL, database=None, delta_interface=True) for _ in range(2))
    for solver in (S, T):
        for _, d in solver.Delta_tau:
            d.data[:, 0, 0] = legendre.fermi_kernel(BETA, np.linspace(0, BETA, 1001), EPS) @ V**2
    h_loc0 = -MU * (n("up", 0) + n("down", 0))
    S.solve(h_int=H_INT, h_loc0=h_loc0, loc_n_min=1, n_cycles=10)
    T.solve(h_int=H_INT, h_loc0=h_loc0)
    assert S.Delta_infty is None and S.last_decision.solver == "cthyb"
    for a, b in zip(data(S._native.Delta_tau) + data(S.G0_iw), data(T.Delta_tau) + data(T.G0_iw)):
        np.testing.assert_array_equal(a, b)


def test_what_is_passed_on_needs_a_number_of_cycles(engine, cthyb):
    with pytest.raises(TypeError, match="needs n_cycles"):
        siam_solver().solve(h_int=H_INT, loc_n_max=1)


def test_a_self_energy_that_is_none_is_warned_of(engine, cthyb):
    with pytest.warns(RuntimeWarning, match="a self-energy made of it block by block is none"):
        siam_solver().solve(h_int=H_INT + FLIP, n_cycles=10)


# -- SolverCore and static results ------------------------------------------------------------------


def test_the_core_gives_what_a_run_gives(engine, exact):
    S = SolverCore(BETA, SPINS, **SMALL, database=None)
    T = siam_solver()
    S.G0_iw << T.G0_iw
    S.solve(h_int=H_INT)
    T.solve(h_int=H_INT)
    assert isinstance(T, SolverCore) and (S.n_l, T.n_l) == (50, 30)
    for name in ("G_tau", "Delta_tau"):
        np.testing.assert_array_equal(data(getattr(S, name)), data(getattr(T, name)))
    assert S.h_loc == T.h_loc and S.solve_status == 0
    for name in ("G_iw", "Sigma_iw", "G_moments", "Sigma_iw_error"):
        assert not hasattr(S, name)
    with pytest.raises(AttributeError, match="SolverCore has no attribute 'Sigma_iw'"):
        S.Sigma_iw = T.Sigma_iw
    assert S.hybridisation_is_complex is S.local_hamiltonian_is_complex is False


def test_pair_correlators_and_interaction_energy(solved, exact):
    nn = solved.nn_static
    assert sorted(nn) == [("down", "down"), ("down", "up"), ("up", "down"), ("up", "up")]
    np.testing.assert_allclose(nn["up", "down"], [[exact.nn[0, 1]]], atol=1e-9)
    np.testing.assert_allclose(nn["down", "down"], [[exact.density[1]]], atol=1e-9)
    assert solved.double_occupancy == pytest.approx(exact.nn[0, 1], abs=1e-9)
    assert solved.interaction_energy == pytest.approx(U * exact.nn[0, 1], abs=1e-9)


def test_one_body_terms_and_a_constant_of_h_int_count_in_its_energy(engine, exact):
    S = siam_solver()
    shift = 0.2 * n("up", 0)
    for name, g0 in S.G0_iw:  # the levels of SIAM, part of them in h_int
        g0 << inverse(inverse(g0) + (0.2 if name == "up" else 0.0))
    S.solve(h_int=H_INT + shift + 3.0)
    expected = U * exact.nn[0, 1] + 0.2 * exact.density[0] + 3.0
    assert S.interaction_energy == pytest.approx(expected, abs=1e-7)


def test_correlators_of_several_orbitals_in_one_block():
    S = Solver(5.0, [("up", 2), ("down", 2)], **SMALL, database=None, exact="ed")
    levels = np.diag([-1.0, -0.6])
    for _, g0 in S.G0_iw:
        for i, z in enumerate(1j * (2 * np.arange(-200, 200) + 1) * np.pi / 5.0):
            g0.data[i] = np.linalg.inv((z - 0.25 / z) * np.eye(2) - levels)
    h_int = sum(U * n("up", a) * n("down", a) for a in range(2))
    S.solve(h_int=h_int)
    nn = S.nn_static
    assert nn["up", "down"].shape == (2, 2) and S.double_occupancy is None
    np.testing.assert_allclose(nn["up", "down"], nn["down", "up"].T)
    for bl in ("up", "down"):
        np.testing.assert_allclose(np.diag(nn[bl, bl]), np.diag(S.orbital_occupations[bl]), atol=1e-9)
    assert S.interaction_energy == pytest.approx(U * np.trace(nn["up", "down"]), abs=1e-9)


# -- archives ---------------------------------------------------------------------------------------


def test_archive_round_trip(tmp_path, solved):
    path = str(tmp_path / "solver.h5")
    with HDFArchive(path, "w") as A:
        A["S"] = solved
    with HDFArchive(path, "r") as A:
        back = A["S"]
    assert isinstance(back, Solver) and back.gf_struct == SPINS and (back.n_iw, back.n_tau, back.n_l) == (200, 1001, 30)
    for name in ("G0_iw", "G_iw", "Sigma_iw", "G_tau", "G_l", "Delta_tau", "G_iw_raw", "Sigma_iw_raw"):
        np.testing.assert_array_equal(data(getattr(back, name)), data(getattr(solved, name)))
    assert back.last_solve_parameters["h_int"] == H_INT and back.last_solve_parameters["n_cycles"] == 100
    assert back.h_loc == solved.h_loc and back.solve_status == 0
    np.testing.assert_array_equal(back.density_matrix, solved.density_matrix)
    back.solve(h_int=H_INT)
    np.testing.assert_allclose(data(back.G_iw), data(solved.G_iw), atol=1e-10)


def test_archive_before_solve(tmp_path):
    path = str(tmp_path / "fresh.h5")
    S = Solver(20, SPINS, **SMALL, database=tmp_path / "points.h5", tolerance=0.01, learn=False)
    S.G_iw << SemiCircular(1.0)
    with HDFArchive(path, "w") as A:
        A["S"] = S
    with HDFArchive(path, "r") as A:
        back = A["S"]
    np.testing.assert_array_equal(data(back.G_iw), data(S.G_iw))
    assert back.G_tau is None and back.last_solve_parameters is None and back.last_decision is None
    assert back._options["database"] == str(tmp_path / "points.h5") and back._options["learn"] is False
    assert not (tmp_path / "points.h5").exists()


def test_everything_a_run_found_is_read_back(tmp_path):
    """Decision, error bars and what only Monte Carlo measures, also from an archive of what was read back."""
    S = siam_solver(database=None, exact="segment", tolerance=0.05)
    S.solve(h_int=H_INT, n_cycles=3000, measure_pert_order=True)
    back = S
    for name in ("first.h5", "again.h5"):
        with HDFArchive(str(tmp_path / name), "w") as A:
            A["S"] = back
        with HDFArchive(str(tmp_path / name), "r") as A:
            back = A["S"]
        assert back.last_decision == S.last_decision and str(back.last_decision) == str(S.last_decision)
        for error in ("G_tau_error", "Sigma_iw_error"):
            np.testing.assert_array_equal(data(getattr(back, error)), data(getattr(S, error)))
        assert all(back.perturbation_order[block] == S.perturbation_order[block] for block, _ in SPINS)
        assert back.perturbation_order_total.n_data_pts > 1000
        public = [x for x in dir(S) if not x.startswith("_")]
        assert [x for x in public if (getattr(S, x) is None) != (getattr(back, x) is None)] == []


@pytest.mark.parametrize(
    "name, hint",
    [("D0_tau", "belongs to triqs_ctseg"), ("G0_iww", "did you mean 'G0_iw'"), ("temperature", "no attribute")],
)
def test_what_would_be_ignored_cannot_be_assigned(engine, name, hint):
    S = siam_solver()
    with pytest.raises(AttributeError, match=hint):
        setattr(S, name, 1.0)
    S.G_iw = S.G_iw.copy()  # what the solver has can be replaced, and names of one's own are free in a subclass

    class Mine(Solver):
        pass

    mine = Mine(BETA, SPINS, **SMALL, database=None)
    mine.temperature = 1 / BETA


def test_off_diagonal_levels_that_are_dropped_are_said(caplog):
    S = Solver(BETA, [("up", 2), ("down", 2)], **SMALL, database=None, exact="ed")
    levels = np.array([[-1.0, 0.05], [0.05, -1.0]])
    for _, g0 in S.G0_iw:
        for i, z in enumerate(1j * (2 * np.arange(-200, 200) + 1) * np.pi / BETA):
            g0.data[i] = np.linalg.inv(z * np.eye(2) - levels - 0.25 / z * np.eye(2))
    S.solve(h_int=sum(U * n("up", a) * n("down", a) for a in range(2)), off_diag_threshold=0.1)
    assert "off-diagonal levels up to 0.05 are dropped" in caplog.text
    assert "c_dag('up',0)*c('up',1)" not in str(S.h_loc0)


class Configuration:
    """Stands in for that of triqs_cthyb 4."""


def test_a_configuration_that_is_not_used_is_said(caplog):
    S = siam_solver(database=None, exact="ed")
    S.solve(h_int=H_INT, initial_configuration=Configuration())
    assert "initial_configuration is known to triqs_cthyb alone: ed starts anew" in caplog.text


def test_a_loop_may_start_from_the_last_configuration_whoever_answered(engine):
    """There is one after a run of triqs_cthyb 4 only, and None stands for an empty one."""
    S = siam_solver()
    S.solve(h_int=H_INT, initial_configuration=S.last_configuration)
    assert S.last_configuration is None
    engine.source, last = "exact", Configuration()
    engine.statistics = {"native": SimpleNamespace(last_configuration=last, density_matrix=None)}
    S.solve(h_int=H_INT)
    assert S.last_configuration is last
    S.solve(h_int=H_INT, initial_configuration=S.last_configuration)
    assert S._engine.exact_parameters["initial_configuration"] is last


def test_what_is_no_configuration_is_refused(engine):
    with pytest.raises(TypeError, match="is no configuration of triqs_cthyb: give the last_configuration"):
        siam_solver().solve(h_int=H_INT, initial_configuration=object())


def test_functions_of_time_come_on_the_mesh_of_the_user(engine):
    """Runs of triqs_cthyb have a mesh of their own."""
    engine.source = "exact"
    tau = np.linspace(0, BETA, 10001)
    O_tau = compat.Gf(mesh=compat.MeshImTime(BETA, "Boson", 10001), data=np.exp(-tau) + 0j)
    blocks = compat.BlockGf(mesh=compat.MeshImTime(BETA, "Fermion", 10001), gf_struct=SPINS)
    for _, g in blocks:
        g.data[:, 0, 0] = tau
    engine.statistics = {"native": SimpleNamespace(O_tau=O_tau, asymmetry_G_tau=blocks, density_matrix=None)}
    S = siam_solver()
    S.solve(h_int=H_INT)
    assert len(S.O_tau.mesh) == 1001 and S.O_tau.data.shape == (1001,)
    np.testing.assert_allclose(S.O_tau.data[1:-1], np.exp(-np.linspace(0, BETA, 1001))[1:-1], atol=1e-4)
    assert list(S.asymmetry_G_tau.indices) == ["up", "down"]
    np.testing.assert_allclose(S.asymmetry_G_tau["down"].data[1:-1, 0, 0], np.linspace(0, BETA, 1001)[1:-1], atol=1e-9)


@pytest.mark.parametrize("kind", [Solver, SolverCore])
def test_parameters_are_dicts_in_an_archive(engine, tmp_path, kind):
    """Also those that an archive cannot take as they are: None is left out."""
    S = kind(BETA, SPINS, **SMALL, database=None)
    S.G0_iw << siam_solver().G0_iw
    S.solve(h_int=H_INT, n_cycles=100, quantum_numbers=[n("up", 0), n("down", 0)], move_global={})
    path = str(tmp_path / "parameters.h5")
    with HDFArchive(path, "w") as A:
        A["constr"], A["solve"] = S.last_constr_parameters, S.last_solve_parameters
    with HDFArchive(path, "r") as A:
        constr, solve = A["constr"], A["solve"]
    assert type(constr) is type(solve) is dict and constr == S.last_constr_parameters
    assert solve["h_int"] == H_INT and solve["n_cycles"] == 100
    assert solve["quantum_numbers"] == [n("up", 0), n("down", 0)]
    assert "measure_O_tau" not in solve and kind(**constr).gf_struct == SPINS


def test_the_core_is_read_back_as_one(engine, tmp_path):
    S = SolverCore(BETA, SPINS, **SMALL, database=None)
    S.G0_iw << siam_solver().G0_iw
    S.solve(h_int=H_INT)
    with HDFArchive(str(tmp_path / "core.h5"), "w") as A:
        A["S"] = S
    with HDFArchive(str(tmp_path / "core.h5"), "r") as A:
        back = A["S"]
    assert type(back) is SolverCore and back.n_l == 50 and back.interaction_energy == S.interaction_energy
    np.testing.assert_array_equal(back.nn_static["up", "down"], S.nn_static["up", "down"])
    np.testing.assert_array_equal(data(back.G_tau_error), data(S.G_tau_error))


# -- scripts for triqs_ctseg ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, what_to_do",
    [
        ("hartree_shift", "put it into the levels"), ("measure_nn_static", "read S.nn_static"),
        ("measure_nn_tau", "with triqs_ctseg"), ("measure_state_hist", "with triqs_ctseg"),
        ("measure_pert_order_histograms", "called measure_pert_order here"), ("measure_F_tau", "read S.Sigma_iw"),
        ("measure_densities", "read S.orbital_occupations"), ("move_insert_segment", "leave it out"),
        ("n_tau_G", r"give n_tau to Solver\(...\)"),
    ],
)  # fmt: skip
def test_parameters_of_triqs_ctseg_say_what_to_do(engine, name, what_to_do):
    with pytest.raises(TypeError, match=f"no parameter '{name}': it belongs to triqs_ctseg; .*{what_to_do}"):
        siam_solver().solve(h_int=H_INT, **{name: True})


def test_options_and_attributes_of_triqs_ctseg_say_what_to_do(solved):
    with pytest.raises(TypeError, match="'n_tau_bosonic': it belongs to triqs_ctseg; it is the mesh of D0_tau"):
        siam_solver(n_tau_bosonic=1001)
    with pytest.raises(AttributeError, match="results are attributes of the solver itself: S.G_tau"):
        _ = solved.results
    with pytest.raises(AttributeError, match="did you mean 'last_configuration'"):
        _ = solved.configuration


def test_format_name_is_MLSolver(tmp_path, solved):
    import h5py

    path = str(tmp_path / "format.h5")
    with HDFArchive(path, "w") as A:
        A["S"] = solved
    with h5py.File(path) as f:
        form = f["S"].attrs["Format"]
        assert (form.decode() if isinstance(form, bytes) else form) == "MLSolver"


# -- with the real engine ---------------------------------------------------------------------------


def test_from_an_empty_database_everything_is_computed(caplog, tmp_path):
    caplog.set_level(logging.INFO, "triqs_mlsolver")
    S = siam_solver(database=str(tmp_path / "points.h5"), exact="ed")
    S.solve(h_int=H_INT, n_cycles=100)
    assert S.last_decision.source == "exact"
    exact = ED().solve(SIAM)
    np.testing.assert_allclose(S.G_iw["up"].data[200:], exact.G_iw(200)[0], atol=1e-6)
    assert "mlsolver: exact (ed)" in caplog.text


# -- certificates, and what is not certified --------------------------------------------------------


def test_certify():
    S = siam_solver(database=None, exact="ed")
    with pytest.raises(RuntimeError, match="call solve first"):
        S.certify()
    S.solve(h_int=H_INT, random_seed=5)
    before = data(S.G_tau).copy()
    found = S.certify()
    assert found.passed and found.answered_by == "ed" and found.true_error < 1e-12
    assert np.min(np.abs(ED().solve(SIAM).density - found.observables["density"].exact)) < 1e-9
    np.testing.assert_array_equal(data(S.G_tau), before)


def test_a_certificate_leaves_error_bars_decision_and_archive_those_of_the_model(tmp_path):
    """The answer handed out is still the model's, whatever was computed to check it."""
    import h5py

    S = siam_solver(database=None, exact="ed", tolerance=0.1, sigma_tolerance=1.0, audit_rate=0)
    for shift in np.linspace(-0.3, 0.3, 7):
        S.solve(h_int=(U + shift) * n("up", 0) * n("down", 0))
    S.solve(h_int=(U + 0.05) * n("up", 0) * n("down", 0))
    error, decision = data(S.G_tau_error)[0].copy(), S.last_decision
    assert decision.source == "model" and np.all(error > 0)
    assert S.certify().passed
    assert S.last_decision is decision
    np.testing.assert_array_equal(data(S.G_tau_error)[0], error)
    with HDFArchive(str(tmp_path / "certified.h5"), "w") as A:
        A["S"] = S
    with h5py.File(tmp_path / "certified.h5") as f:
        assert f["S/source"][()] == b"model" and f["S/decision"][()].decode() == str(decision)


@pytest.mark.parametrize("source, mark", [("uncertified", 0), ("refused", 0), ("model", 1), ("exact", 1)])
def test_archive_says_who_answered_and_whether_that_is_certified(tmp_path, engine, source, mark):
    import h5py

    engine.source = source
    S = siam_solver()
    S.solve(h_int=H_INT)
    path = str(tmp_path / "marked.h5")
    with HDFArchive(path, "w") as A:
        A["S"] = S
    with HDFArchive(path, "r") as A, HDFArchive(str(tmp_path / "again.h5"), "w") as B:
        B["S"] = A["S"]
    for name in ("marked.h5", "again.h5"):
        with h5py.File(tmp_path / name) as f:
            assert f["S/certified"][()] == mark and f["S/source"][()] == source.encode()
            assert (b"NOT CERTIFIED" in f["S/decision"][()]) == (not mark)
