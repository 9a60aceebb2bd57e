# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""`SolverCore`: the interface of `triqs_cthyb.SolverCore`, answered from a learned database."""

from __future__ import annotations

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
from ..exact.ed.block_mixing import mixed_blocks
from ..numerics import legendre
from ..problem import Problem, Solution
from ..problem.degenerate import averaged, block_numbers
from ..problem.fingerprint import meet_over
from ..problem.rotation import Rotation
from ..tools import mpi, validation
from . import archive, ctseg, error_bars, operators, passed_on, problems
from . import parameters as cthyb_parameters
from .options import check_options

logger = logging.getLogger("triqs_mlsolver")

#: Results that only a Monte Carlo run has: None after a model's answer.
MONTE_CARLO_RESULTS = (
    "average_sign", "average_order", "auto_corr_time", "auto_corr_time_converged", "perturbation_order",
    "perturbation_order_total", "performance_analysis", "last_configuration", "G_tau_accum", "asymmetry_G_tau", "O_tau",
    "G2_tau", "G2_iw", "G2_iw_nfft", "G2_iw_pp", "G2_iw_pp_nfft", "G2_iw_ph", "G2_iw_ph_nfft", "G2_iwll_pp",
    "G2_iwll_ph",
)  # fmt: skip
_ON_TIMES = ("G_tau_accum", "asymmetry_G_tau", "O_tau")  # brought to the user's mesh: runs have one of their own


class SolverCore:
    """Impurity solver with the interface of `triqs_cthyb.SolverCore`: what a run gives, without self-energy.

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
    database, exact, tolerance, sigma_tolerance, audit_rate, learn, degenerate : optional
        As for `Solver`, and so are further options.
    **options

    Attributes
    ----------
    G0_iw, Delta_tau : BlockGf
        Input: fill the one that `delta_interface` selects. The other one is filled by `solve`.
    G_tau, G_l : BlockGf or None
        As measured or predicted; None before `solve`.
    interaction_energy : float or None
        ⟨h_int⟩, its constant and its one-body terms included (energy); None before `solve` and where it is not known.
    last_decision : Decision or None
        Who answered, with which error bound, and why.

    Examples
    --------
    >>> from triqs_mlsolver import SolverCore
    >>> from triqs_mlsolver.compat import iOmega_n, inverse, n
    >>> S = SolverCore(beta=10.0, gf_struct=[("up", 1), ("down", 1)], n_iw=200, n_tau=1001, database=None, exact="ed")
    >>> for name, g0 in S.G0_iw:
    ...     _ = g0 << inverse(iOmega_n + 1.0 - 0.25 * inverse(iOmega_n - 0.3))
    >>> S.solve(h_int=2.0 * n("up", 0) * n("down", 0))
    >>> round(S.interaction_energy, 4), S.nn_static["up", "down"].shape
    (0.2851, (1, 1))
    """

    _hdf5_format_ = "MLSolverCore"
    _IS_POST_PROCESSED = False  # with self-energy and moments
    _INPUT: tuple[str, ...] = ("G0_iw", "Delta_tau")
    _RESULTS: tuple[str, ...] = (
        "G_tau", "G_l", "Delta_infty", "h_loc", "h_loc0", "density_matrix", "interaction_energy", *MONTE_CARLO_RESULTS,
    )  # fmt: skip

    def __init__(
        self,
        beta: float,
        gf_struct: Sequence[tuple[str, int]],
        n_iw: int = 1025,
        n_tau: int = 10001,
        n_l: int = 50,
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
        check_options(self._options)
        block_numbers(self.gf_struct, degenerate)  # a wrong name is said now
        self.degenerate = [list(names) for names in degenerate]
        self._learned: LearnedSolver | None = None
        self._exact_parameters: dict = {}
        self._native = None  # triqs_cthyb's own results, where it ran
        self._asked: Answer | None = None  # the last solve, in the orbitals it was solved in
        self._answer: Answer | None = None  # the same in the orbitals of the user
        self._stored: dict = {}  # what is known of the last solve in place of it: from an archive, or from triqs_cthyb
        self._nn: np.ndarray | None = None
        self._frequencies = compat.MeshImFreq(self.beta, "Fermion", self.n_iw)
        self._times = compat.MeshImTime(self.beta, "Fermion", self.n_tau)
        self._polynomials = compat.MeshLegendre(self.beta, "Fermion", self.n_l)
        self.last_solve_parameters = self.solve_status = None
        for name in self._RESULTS:
            setattr(self, name, None)
        self.G0_iw = containers.block_gf(self._frequencies, self.gf_struct)
        self.Delta_tau = containers.block_gf(self._times, self.gf_struct)
        self._is_built = True

    def __setattr__(self, name: str, value) -> None:
        """What is assigned to a name that the solver does not have would be ignored: it is refused."""
        known = name.startswith("_") or name in self.__dict__ or hasattr(type(self), name)
        is_own = "_hdf5_format_" in vars(type(self))  # in a class derived from it, names are free
        if not known and is_own and "_is_built" in self.__dict__:
            kind = type(self).__name__
            raise AttributeError(f"{kind} has no attribute {name!r}, and would ignore it{self._hint(name)}")
        object.__setattr__(self, name, value)

    def __getattr__(self, name: str):
        hint = "" if name.startswith("_") else self._hint(name)
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}{hint}")

    def _hint(self, name: str) -> str:
        """What to do instead of using an attribute that is not there."""
        public = [known for known in dir(self) if not known.startswith("_")]
        close = validation.did_you_mean("last_configuration" if name == "configuration" else name, public)
        return ctseg.advice(name, ctseg.ATTRIBUTES) or close or f": there are {', '.join(public)}"

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
        loc_n_min, loc_n_max, truncate_energy_cutoff, truncate_max_states
            They restrict the local Hilbert space, which makes another problem: it is passed to triqs_cthyb as it is,
            and its answer is not learned. The same holds for one-body terms of `h_int` between blocks.

        Raises
        ------
        TypeError
            For an unknown parameter, or an interaction given without the keyword `h_int`.
        ValueError
            For input that is no impurity problem, or is not the same on all MPI ranks: see the message.
        TimeoutError
            If not all MPI ranks call it.
        """
        params = cthyb_parameters.checked({**cthyb_parameters.as_keywords(parameters), **params_kw})
        parsed = operators.parse_interaction(params["h_int"], self.gf_struct)
        if passed_on.solve(self, params, parsed):
            return
        problem = averaged(self._problem(params, parsed), self.degenerate)
        _check_blocks(problem)
        asked = cthyb_parameters.monte_carlo_only(params, problem)
        exact = cthyb_parameters.exact_solver_for(self._options["exact"], asked)
        meet_over(self._comm, "solve", problem)
        self._engine.exact = exact
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
        self._say_what_was_not_used(params)

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
            If this solver has not solved anything yet, or handed the last problem to triqs_cthyb as it was.
        """
        if self._asked is None:
            alone = "nothing to certify: the last problem was passed to triqs_cthyb as it is"
            raise RuntimeError("nothing to certify yet: call solve first" if self._native is None else alone)
        return self._engine.certify(self._asked, exact_parameters=self._exact_parameters)

    @property
    def _comm(self) -> mpi.Comm:
        return self._options.get("comm") or mpi.world()

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

    def _say_what_was_not_used(self, params: dict) -> None:
        decision = self.last_decision
        if decision.is_computed and decision.solver != "cthyb" and "initial_configuration" in params:
            logger.warning("initial_configuration is known to triqs_cthyb alone: %s starts anew", decision.solver)
        if decision.source == "model":
            logger.debug("not used, since the model answered: %s", ", ".join(cthyb_parameters.unused_by_model(params)))

    # -- results -------------------------------------------------------------------------------------------------------

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
    def nn_static(self) -> dict[tuple[str, str], np.ndarray] | None:
        """⟨n_a n_b⟩ at equal times, orbital by orbital for each pair of block names, as in triqs_ctseg (dimensionless).

        The diagonal of a block with itself holds the densities. None before `solve`; NaN where it is not known, which
        is between different orbitals of a problem that was solved in others.
        """
        if self._nn is None:
            return None
        ends = np.cumsum([size for _, size in self.gf_struct])
        part = {bl: slice(end - size, end) for end, (bl, size) in zip(ends, self.gf_struct)}
        return {(a, b): self._nn[part[a], part[b]].copy() for a in part for b in part}

    @property
    def double_occupancy(self) -> float | None:
        """⟨n↑ n↓⟩ of a single orbital (dimensionless); None before `solve`, and for more orbitals: read `nn_static`."""
        return None if self._nn is None or len(self._nn) != 2 else float(self._nn[0, 1])

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
    def hybridisation_is_complex(self) -> bool:
        """False: Δ(τ) is real here."""
        return False

    @property
    def local_hamiltonian_is_complex(self) -> bool:
        """False: levels and interaction are real here."""
        return False

    def _fill(self, problem: Problem, solution: Solution, parsed: operators.Interaction) -> None:
        self._native = solution.statistics.get("native")
        self.G_tau = containers.block_gf(self._times, self.gf_struct, self._on_times(solution.G_l))
        self.G_l = containers.block_gf(
            self._polynomials, self.gf_struct, [legendre.resized(g, self.n_l) for g in solution.G_l]
        )
        levels = [h - q for h, q in zip(problem.h_loc0, parsed.quadratic)]
        if self.delta_interface:
            self._fill_noninteracting(problem, parsed)
        else:
            containers.fill(self.Delta_tau, self._on_times(problem.Delta_l))
            self.Delta_infty = [h.astype(complex) for h in levels]
        self.h_loc0 = containers.quadratic_operator(self.gf_struct, levels)
        self.h_loc = self.last_solve_parameters["h_int"] + self.h_loc0
        self._nn = solution.nn
        rho = problems.occupations(problem, solution)
        self.interaction_energy = problems.interaction_energy(self._asked, parsed, rho)
        self._fill_density_matrix(problem, solution)
        self._fill_statistics(solution)

    def _fill_noninteracting(self, problem: Problem, parsed: operators.Interaction) -> None:
        inverses = [g0 + q for g0, q in zip(problem.G0_inverse_iw(self.n_iw), parsed.quadratic)]
        containers.fill(self.G0_iw, [containers.both_signs(np.linalg.inv(g)) for g in inverses])

    def _on_times(self, blocks) -> list[np.ndarray]:
        return [legendre.on_uniform_mesh(self.beta, b, self.n_tau) for b in blocks]

    def _fill_density_matrix(self, problem: Problem, solution: Solution) -> None:
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
            value = next((v for v in found if v is not None), None) if ran else None
            if name in _ON_TIMES and value is not None:
                value = containers.on_times(value, self.n_tau)
            setattr(self, name, value)
        if self._native is None and self.perturbation_order is not None:
            counts = zip(self.gf_struct, self.perturbation_order)
            self.perturbation_order = {bl: containers.histogram(row) for (bl, _), row in counts}
            self.perturbation_order_total = containers.histogram(self.perturbation_order_total)
        self.solve_status = int(solution.provenance.get("solve_status", 0))

    # -- HDF5 ----------------------------------------------------------------------------------------------------------

    def __reduce_to_dict__(self) -> dict:
        """What an archive stores."""
        return archive.to_dict(self)

    @classmethod
    def __factory_from_dict__(cls, name: str, stored: dict):
        """The solver of an archive."""
        return archive.from_dict(cls, stored)


def _check_blocks(problem: Problem) -> None:
    mixed = mixed_blocks(problem)
    if mixed:
        raise ValueError(
            f"h_int mixes the blocks {mixed[0]!r} and {mixed[1]!r}: G has elements between them, which gf_struct does "
            "not declare. Put these orbitals into one block of gf_struct"
        )


compat.register_class(SolverCore)
