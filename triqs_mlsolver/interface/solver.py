# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""`Solver`: the interface of `triqs_cthyb.Solver`, answered from a learned database."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Sequence
from dataclasses import replace
from os import PathLike

import numpy as np

from .. import compat
from ..compat import containers
from ..decision.certificate import Certificate
from ..decision.decision import Answer, Decision
from ..decision.learned_solver import LearnedSolver
from ..exact import registry
from ..exact.ed.block_mixing import mixed_blocks
from ..numerics import legendre
from ..problem import Problem, Solution
from ..problem.degenerate import averaged, block_numbers
from ..problem.rotation import Rotation
from ..tools import mpi, validation
from . import error_bars, operators, problems
from . import parameters as cthyb_parameters

logger = logging.getLogger("triqs_mlsolver")

#: Results that only a Monte Carlo run has: None after a model's answer.
MONTE_CARLO_RESULTS = (
    "average_sign", "average_order", "auto_corr_time", "perturbation_order", "perturbation_order_total",
    "performance_analysis", "asymmetry_G_tau", "O_tau", "G2_tau", "G2_iw", "G2_iw_nfft", "G2_iw_pp", "G2_iw_pp_nfft",
    "G2_iw_ph", "G2_iw_ph_nfft", "G2_iwll_pp", "G2_iwll_ph",
)  # fmt: skip

_CONTAINERS = ("G0_iw", "Delta_tau", "G_iw", "G_iw_raw", "Sigma_iw", "Sigma_iw_raw", "G_tau", "G_l")
_PLAIN_RESULTS = (
    "Delta_infty", "G_moments", "Sigma_moments", "Sigma_Hartree", "density_matrix", "orbital_occupations", "h_loc",
    "h_loc0", "average_sign", "average_order", "auto_corr_time",
)  # fmt: skip
_ERROR_BARS = ("G_tau_error", "Sigma_iw_error")
_OF_CTSEG = ("D0_tau", "Jperp_tau", "J_perp_tau")


class Solver:
    """Impurity solver with the interface of `triqs_cthyb.Solver`.

    Each `solve` answers from the database of solved problems where the model's error bound is within the tolerance, and
    runs the exact solver otherwise, whose answer is learned.

    Parameters
    ----------
    beta : float
        Inverse temperature (1/energy).
    gf_struct : list of (str, int)
        Names and sizes of the blocks, e.g. ``[("up", 1), ("down", 1)]``.
    n_iw, n_tau, n_l : int
        Sizes of the meshes handed out; n_tau ≥ 2 n_iw. They have no influence on the accuracy of the answer.
    delta_interface : bool
        Take Δ(τ) from `Delta_tau` and the levels from the `h_loc0` of `solve`, instead of `G0_iw`.
    database : str, path, Database or None
        File of solved problems, created where missing; "starter": the one that comes with the package, your own points
        in `mlsolver.h5`; None to keep the points in memory only.
    exact : str or object
        What to run where the model does not know: "auto", "segment", "cthyb", "ed", or an object with
        ``solve(problem)`` and a string `name`.
    tolerance : float
        Largest accepted bound on the error of G(τ) (dimensionless); 0 means always exact.
    sigma_tolerance : float, optional
        Largest accepted bound on the relative error of Σ(iω₀); default: ten times `tolerance`.
    audit_rate : float
        Fraction of accepted problems that are solved exactly as well, to check the bounds.
    learn : bool
        Whether exact answers are added to the database.
    degenerate : list of lists of str, optional
        Sets of blocks that are alike, such as ``[["up", "down"]]``: levels and Δ are averaged over each set before
        every solve, where they differ by no more than noise. What does not differ at all is found without being
        declared.
    **options
        Further options of `LearnedSolver`, e.g. `allow_uncertified`, `random_seed`.

    Attributes
    ----------
    G0_iw, Delta_tau : BlockGf
        Input: fill the one that `delta_interface` selects. The other one is filled by `solve`.
    G_iw, Sigma_iw : BlockGf
        G(iω) and Σ(iω); start values may be assigned before the first `solve`.
    G_iw_raw, Sigma_iw_raw, G_tau, G_l : BlockGf or None
        As measured or predicted; None before `solve`.
    G_tau_error, Sigma_iw_error : BlockGf or None
        One standard error of `G_tau` and abs `Sigma_iw`.
    last_decision : Decision or None
        Who answered, with which error bound, and why.

    Examples
    --------
    >>> from triqs_mlsolver import Solver
    >>> from triqs_mlsolver.compat import iOmega_n, inverse, n
    >>> S = Solver(beta=10.0, gf_struct=[("up", 1), ("down", 1)], n_iw=200, n_tau=1001, database=None, exact="ed")
    >>> for name, g0 in S.G0_iw:
    ...     _ = g0 << inverse(iOmega_n + 1.0 - 0.25 * inverse(iOmega_n - 0.3))
    >>> S.solve(h_int=2.0 * n("up", 0) * n("down", 0))
    >>> S.last_decision.source
    'exact'
    """

    _hdf5_format_ = "MLSolver"

    def __init__(
        self,
        beta: float,
        gf_struct: Sequence[tuple[str, int]],
        n_iw: int = 1025,
        n_tau: int = 10001,
        n_l: int = 30,
        delta_interface: bool = False,
        *,
        database: str | PathLike | object | None = "mlsolver.h5",
        exact: str | object = "auto",
        tolerance: float = 0.002,
        sigma_tolerance: float | None = None,
        audit_rate: float = 0.01,
        learn: bool = True,
        degenerate: Sequence[Sequence[str]] = (),
        **options,
    ):
        self.gf_struct = containers.checked_gf_struct(gf_struct)
        self.beta = cthyb_parameters.checked_beta(beta)
        self.n_iw, self.n_tau, self.n_l = cthyb_parameters.checked_sizes(n_iw, n_tau, n_l)
        validation.check_flag("delta_interface", delta_interface)
        self.delta_interface = bool(delta_interface)
        self._options = dict(
            database=database, exact=exact, tolerance=tolerance, sigma_tolerance=sigma_tolerance, audit_rate=audit_rate,
            learn=learn, **options,
        )  # fmt: skip
        _check_options(self._options)
        block_numbers(self.gf_struct, degenerate)  # a wrong name is said now
        self.degenerate = [list(names) for names in degenerate]
        self._learned: LearnedSolver | None = None
        self._exact_parameters: dict = {}
        self._native = None  # triqs_cthyb's own results, where it ran
        self._asked: Answer | None = None  # the last solve, in the orbitals it was solved in
        self._answer: Answer | None = None  # the same in the orbitals of the user
        self._stored: dict = {}  # what an archive knows of the last solve in place of it
        self._frequencies = compat.MeshImFreq(self.beta, "Fermion", self.n_iw)
        self._times = compat.MeshImTime(self.beta, "Fermion", self.n_tau)
        self._polynomials = compat.MeshLegendre(self.beta, "Fermion", self.n_l)
        self.G0_iw = containers.block_gf(self._frequencies, self.gf_struct)
        self.Delta_tau = containers.block_gf(self._times, self.gf_struct)
        self.G_iw = containers.block_gf(self._frequencies, self.gf_struct)
        self.Sigma_iw = containers.block_gf(self._frequencies, self.gf_struct)
        self.G_iw_raw = self.Sigma_iw_raw = self.G_tau = self.G_l = None
        self.last_solve_parameters = self.solve_status = None
        for name in (*_PLAIN_RESULTS, *MONTE_CARLO_RESULTS):
            setattr(self, name, None)

        self._is_built = True

    def __setattr__(self, name: str, value) -> None:
        """What is assigned to a name that the solver does not have would be ignored: it is refused."""
        known = name.startswith("_") or name in self.__dict__ or hasattr(type(self), name)
        if known or not self.__dict__.get("_is_built") or type(self) is not Solver:
            object.__setattr__(self, name, value)
            return
        if name in _OF_CTSEG:
            raise AttributeError(
                f"S.{name} belongs to triqs_ctseg: interactions that are retarded or exchange spins in time are not "
                "among what "
                "this solver knows. Solve such a problem with triqs_ctseg"
            )
        public = [known for known in self.__dict__ if not known.startswith("_")]
        hint = validation.did_you_mean(name, public) or f": allowed are {', '.join(public)}"
        raise AttributeError(f"Solver has no attribute {name!r}, and would ignore it{hint}")

    # -- solving -------------------------------------------------------------------------------------------------------

    def solve(self, parameters: dict | object | None = None, **params_kw) -> None:
        """Solve the impurity problem that `G0_iw` (or `Delta_tau`) and `h_int` define.

        Parameters
        ----------
        parameters : object, optional
            A parameter object of cthyb 4 (SolveParametersT) or a dict, instead of keywords.
        h_int : Operator
            The interaction. Required.
        h_loc0 : Operator
            Quadratic local Hamiltonian; required with ``delta_interface=True`` and only used there.
        n_cycles, length_cycle, n_warmup_cycles, random_seed, max_time, ...
            All parameters of triqs_cthyb are accepted. They steer the exact solver where it runs and have no meaning
            where the model answers.
        measure_G2_*, measure_O_tau, measure_pert_order, performance_analysis
            Only Monte Carlo can measure these: asking for one runs the exact solver.
        measure_density_matrix
            For one orbital it follows from what the model predicts; for more, asking for it runs triqs_cthyb.

        Raises
        ------
        TypeError
            For an unknown parameter, or an interaction given without the keyword `h_int`.
        ValueError
            For input that is no impurity problem: see the message.
        """
        params = cthyb_parameters.checked({**cthyb_parameters.as_keywords(parameters), **params_kw})
        parsed = operators.parse_interaction(params["h_int"], self.gf_struct)
        problem = averaged(self._problem(params, parsed), self.degenerate)
        _check_blocks(problem)
        asked = cthyb_parameters.monte_carlo_only(params, problem)
        self._engine.exact = cthyb_parameters.exact_solver_for(self._options["exact"], asked)
        self._exact_parameters = cthyb_parameters.for_exact_solver(params)
        # what Monte Carlo alone measures is asked for in the orbitals that were given
        rotation = None if asked else mpi.on_root(self._engine.comm, Rotation.diagonalising, problem)
        solution = self._engine.solve(
            problem if rotation is None else rotation.problem(problem),
            exact_parameters=self._exact_parameters,
            force_exact=cthyb_parameters.reason_for_exact(asked),
        )
        if rotation is not None:
            logger.debug("solved in orbitals in which the hybridisation is diagonal")
            solution = rotation.solution(problem, solution)
        self._asked = self._engine.last
        self._answer = replace(self._asked, problem=problem, solution=solution)
        self.last_solve_parameters = cthyb_parameters.with_defaults(params)
        self._fill(problem, solution, parsed)
        if (
            self.last_decision.is_computed
            and self.last_decision.solver != "cthyb"
            and "initial_configuration" in params
        ):
            logger.warning(
                "initial_configuration is known to triqs_cthyb alone: %s starts anew", self.last_decision.solver
            )
        if self.last_decision.source == "model":
            logger.debug("not used, since the model answered: %s", ", ".join(cthyb_parameters.unused_by_model(params)))

    def certify(self) -> Certificate:
        """Solve the last problem exactly and hold its answer against it; to be called after the loop has converged.

        The results of the last `solve`, `last_decision` among them, stay as they are; the exact answer is learned.

        Returns
        -------
        Certificate
            Claimed bounds, true errors, whether Z, density and double occupancy agree, and which earlier answers of the
            run a failure puts in doubt. `str()` gives the report.

        Raises
        ------
        RuntimeError
            If this solver has not solved anything yet.
        """
        if self._asked is None:
            raise RuntimeError("nothing to certify yet: call solve first")
        return self._engine.certify(self._asked, exact_parameters=self._exact_parameters)

    @property
    def last_decision(self) -> Decision | None:
        """Who answered the last `solve`, with which bound, and why; None before."""
        return self._stored.get("last_decision") if self._answer is None else self._answer.decision

    @property
    def G_tau_error(self) -> object | None:
        """One standard error of `G_tau` as a BlockGf, as analytic continuation needs it; None before `solve`.

        Of a model's answer it is its bound over 1.96, the same at all times.
        """
        if self._answer is None:
            return self._stored.get("G_tau_error")
        tau = np.linspace(0, self.beta, self.n_tau)
        return containers.block_gf(self._times, self.gf_struct, error_bars.of_G_tau(self._answer, tau))

    @property
    def Sigma_iw_error(self) -> object | None:
        """One standard error of abs `Sigma_iw` as a BlockGf (energy); None before `solve`."""
        if self._answer is None:
            return self._stored.get("Sigma_iw_error")
        positive = error_bars.of_Sigma_iw(self._answer, self.n_iw)
        return containers.block_gf(self._frequencies, self.gf_struct, [containers.both_signs(e) for e in positive])

    @property
    def last_constr_parameters(self) -> dict:
        """The arguments of the constructor that cthyb shares."""
        names = ("beta", "gf_struct", "n_iw", "n_tau", "n_l", "delta_interface")
        return cthyb_parameters.Parameters({name: getattr(self, name) for name in names})

    constr_parameters = last_constr_parameters

    @property
    def solve_parameters(self) -> dict | None:
        """The parameters of the last `solve`, as in cthyb 4; None before."""
        return self.last_solve_parameters

    @property
    def h_loc_diagonalization(self) -> object | None:
        """AtomDiag of `h_loc`, to use with `density_matrix`; None before `solve`."""
        if self._native is not None:
            return self._native.h_loc_diagonalization
        if self.h_loc is None:
            return None
        return compat.AtomDiag(self.h_loc, [[bl, a] for bl, size in self.gf_struct for a in range(size)])

    @property
    def _engine(self) -> LearnedSolver:
        # opened by the first solve: a solver that is only built, or read from an archive, touches no database
        if self._learned is None:
            self._learned = LearnedSolver(**self._options)
        return self._learned

    def _problem(self, params: dict, parsed: operators.Interaction) -> Problem:
        if not self.delta_interface:
            if params.get("h_loc0") is not None:
                logger.warning("h_loc0 is not used: without delta_interface=True the local levels come from G0_iw")
            thresholds = {k: params[k] for k in ("off_diag_threshold", "imag_threshold") if k in params}
            return problems.problem_from_G0(self.G0_iw, self.gf_struct, self._frequencies, parsed, **thresholds)
        if params.get("h_loc0") is None:
            raise TypeError("delta_interface=True needs the quadratic local Hamiltonian: solve(h_loc0=..., h_int=...)")
        h_loc0 = operators.parse_quadratic(params["h_loc0"], self.gf_struct)
        return problems.problem_from_Delta(self.Delta_tau, h_loc0, self.gf_struct, self._times, parsed)

    # -- results -------------------------------------------------------------------------------------------------------

    def _fill(self, problem: Problem, solution: Solution, parsed: operators.Interaction) -> None:
        self._native = solution.statistics.get("native")
        G0_inverse = problem.G0_inverse_iw(self.n_iw)
        G = solution.G_iw(self.n_iw)
        Sigma = solution.Sigma_iw(problem, self.n_iw)
        # cthyb's Σ contains the one-body part of h_int, our problem counts it among the levels
        shifted = [s + q for s, q in zip(Sigma, parsed.quadratic)]
        consistent = G if solution.F_l is None else [np.linalg.inv(g0 - s) for g0, s in zip(G0_inverse, Sigma)]
        frequency = lambda arrays: containers.block_gf(
            self._frequencies, self.gf_struct, [containers.both_signs(a) for a in arrays]
        )
        containers.fill(self.G_iw, [containers.both_signs(g) for g in consistent])
        self.G_iw_raw = frequency(G)
        self.Sigma_iw_raw = frequency(shifted)
        self.Sigma_iw = self.Sigma_iw_raw.copy()
        on_times = lambda blocks: [legendre.on_uniform_mesh(self.beta, b, self.n_tau) for b in blocks]
        self.G_tau = containers.block_gf(self._times, self.gf_struct, on_times(solution.G_l))
        self.G_l = containers.block_gf(
            self._polynomials, self.gf_struct, [legendre.resized(g, self.n_l) for g in solution.G_l]
        )
        levels = [h - q for h, q in zip(problem.h_loc0, parsed.quadratic)]
        if self.delta_interface:
            inverses = [g0 + q for g0, q in zip(G0_inverse, parsed.quadratic)]
            containers.fill(self.G0_iw, [containers.both_signs(np.linalg.inv(g)) for g in inverses])
        else:
            containers.fill(self.Delta_tau, on_times(problem.Delta_l))
            self.Delta_infty = [h.astype(complex) for h in levels]
        self.h_loc0 = containers.quadratic_operator(self.gf_struct, levels)
        self.h_loc = self.last_solve_parameters["h_int"] + self.h_loc0
        self._fill_static(problem, solution, parsed)
        self._fill_statistics(solution)

    def _fill_static(self, problem: Problem, solution: Solution, parsed: operators.Interaction) -> None:
        """Moments, occupations and density matrix, in the form cthyb has them (dicts over blocks)."""
        names = [bl for bl, _ in self.gf_struct]
        static = [s + q for s, q in zip(solution.Sigma_infty, parsed.quadratic)]
        self.Sigma_moments = {bl: np.array([s0, s1], complex) for bl, s0, s1 in zip(names, static, solution.Sigma_1)}
        self.Sigma_Hartree = {bl: m[0] for bl, m in self.Sigma_moments.items()}
        second = [h + s for h, s in zip(problem.h_loc0, solution.Sigma_infty)]
        self.G_moments = {bl: np.array([0 * m, np.eye(len(m)), m], complex) for bl, m in zip(names, second)}
        self.orbital_occupations = {bl: -legendre.at_ends(self.beta, g)[1].T for bl, g in zip(names, solution.G_l)}
        for o, (bl, size) in zip(problem.offsets, self.gf_struct):
            np.fill_diagonal(self.orbital_occupations[bl], solution.density[o : o + size])
        if self._native is not None:
            self.density_matrix = self._native.density_matrix
        elif cthyb_parameters.has_density_matrix_from_correlators(problem):
            self.density_matrix = problems.single_orbital_density_matrix(solution.nn, problem.levels, problem.U[0, 1])
        else:
            self.density_matrix = None

    def _fill_statistics(self, solution: Solution) -> None:
        ran = self.last_decision.has_error_bars
        for name in MONTE_CARLO_RESULTS:
            found = [getattr(self._native, name, None), solution.statistics.get(name), solution.provenance.get(name)]
            setattr(self, name, next((v for v in found if v is not None), None) if ran else None)
        if isinstance(self.perturbation_order, np.ndarray):  # one row per flavour; cthyb has one histogram per block
            rows = iter(self.perturbation_order)
            self.perturbation_order = {bl: np.array([next(rows) for _ in range(size)]) for bl, size in self.gf_struct}
        self.solve_status = int(solution.provenance.get("solve_status", 0))

    # -- HDF5 ----------------------------------------------------------------------------------------------------------

    def __reduce_to_dict__(self) -> dict:
        """What an archive stores: parameters, options and all results that are there."""
        options = {k: str(v) if isinstance(v, PathLike) else v for k, v in self._options.items()}
        stored = {
            "constr_parameters": {**self.last_constr_parameters, "gf_struct": [list(pair) for pair in self.gf_struct]},
            "options": {k: v for k, v in options.items() if isinstance(v, (str, float, int))},
        }
        if self.degenerate:
            stored["degenerate"] = self.degenerate
        if self.last_solve_parameters is not None:
            stored["solve_parameters"] = {k: v for k, v in self.last_solve_parameters.items() if _is_archivable(v)}
            stored["solve_status"] = self.solve_status
        if (decision := self.last_decision) is not None:
            stored["decision"], stored["source"] = str(decision), decision.source
            stored["certified"], stored["last_decision"] = int(decision.is_certified), decision.row()
        for name in (*_CONTAINERS, *_PLAIN_RESULTS, *_ERROR_BARS, *MONTE_CARLO_RESULTS):
            value = getattr(self, name)
            if value is not None and _is_result(value):
                stored[name] = value
        return stored

    @classmethod
    def __factory_from_dict__(cls, name: str, stored: dict) -> Solver:
        constr = stored["constr_parameters"]
        gf_struct = [(bl, int(size)) for bl, size in constr.pop("gf_struct")]
        # a database that was given as an object is not in the archive: the solver read back starts without one
        options = {k: bool(v) if isinstance(v, np.bool_) else v for k, v in stored.get("options", {}).items()}
        options = {"database": None, "degenerate": stored.get("degenerate", ()), **options}
        self = cls(gf_struct=gf_struct, **options, **constr)
        for key in (*_CONTAINERS, *_PLAIN_RESULTS, *MONTE_CARLO_RESULTS):
            if key in stored:
                setattr(self, key, stored[key])
        if "solve_parameters" in stored:
            self.last_solve_parameters = cthyb_parameters.with_defaults(stored["solve_parameters"])
            self.solve_status = int(stored["solve_status"])
        self._stored = {key: stored[key] for key in _ERROR_BARS if key in stored}
        if "last_decision" in stored:
            self._stored["last_decision"] = Decision.of_row(stored["last_decision"])
        return self


def _check_blocks(problem: Problem) -> None:
    mixed = mixed_blocks(problem)
    if mixed:
        raise ValueError(
            f"h_int mixes the blocks {mixed[0]!r} and {mixed[1]!r}: G has elements between them, which gf_struct "
            "does not "
            "declare. Put these orbitals into one block of gf_struct"
        )


def _check_options(options: dict) -> None:
    """Options are LearnedSolver's; they are checked here, since it is only built by the first solve."""
    allowed = [p for p in inspect.signature(LearnedSolver.__init__).parameters if p != "self"]
    validation.check_keywords("Solver()", options, allowed)
    registry.check(options["exact"])
    finite = "a finite number of at least 0, where 0 means to solve every problem exactly"
    validation.check_number("tolerance", options["tolerance"], f"{finite} (default 0.002)")
    if options["sigma_tolerance"] is not None:
        validation.check_number(
            "sigma_tolerance", options["sigma_tolerance"], f"{finite}, or None for ten times tolerance"
        )
    validation.check_number(
        "audit_rate", options["audit_rate"], "a share between 0 (never) and 1 (audit every accepted answer)", 1
    )
    for name in ("density_tolerance", "docc_tolerance"):
        if options.get(name) is not None:
            validation.check_number(name, options[name], f"{finite}, or None for any")
    for name in ("learn", "allow_uncertified"):
        if name in options:
            validation.check_flag(name, options[name])
    for name, least in (("random_seed", 0), ("n_threads", 1)):
        if name in options:
            validation.check_whole(name, options[name], least)


def _is_result(value) -> bool:
    """Whether an archive can take a result: numbers, arrays, containers, operators, and dicts of them."""
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_result(v) for key, v in value.items())
    if isinstance(value, (list, tuple)):
        return all(map(_is_result, value))
    return (
        isinstance(value, (bool, int, float, complex, str, np.generic, np.ndarray))
        or hasattr(value, "__write_hdf5__")
        or (hasattr(value, "__reduce_to_dict__"))
    )


def _is_archivable(value) -> bool:
    return isinstance(value, (bool, int, float, str, compat.Operator)) or (
        isinstance(value, (list, dict)) and len(value) == 0
    )


compat.register_class(Solver)
