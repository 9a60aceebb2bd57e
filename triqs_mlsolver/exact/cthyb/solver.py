# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Adapter to triqs_cthyb, the exact solver for every interaction TRIQS can write down (3.2 and 4.x).

cthyb gives no error bars. They are taken from independent runs, each with its own seed and warm-up, into which the
cycles asked for are divided. A run cannot go on where another one ended: each must be thermalised on its own, and
whether it was is told by its autocorrelation time. What was measured is averaged over everything the problem does not
tell apart.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field, make_dataclass
from functools import lru_cache
from importlib.util import find_spec
from typing import Any, ClassVar

import numpy as np

from ... import compat
from ...compat import containers
from ...numerics import legendre
from ...problem import Problem, Solution
from ...problem.solution import static_moments
from ...tools import seeds
from ...tools.validation import MAX_TIME, TARGET_ERROR, check_number, whole
from ..statistics import dominance, jackknife_error, largest_error, leave_one_out
from .parameters import DEFAULTS
from .smooth_estimate import SmoothEstimate, smoothed
from .symmetric_mean import SymmetricMean
from .thermalisation import objection

logger = logging.getLogger("triqs_mlsolver")

_N_RUNS, _FEWEST_RUNS = 8, 4
_MORE_TIME = 0.25  # of the measuring, that all warm-ups but one may take
_MAX_RUNS = 128
_ATTEMPTS = 3  # at a run that measures NaN
_TELLING = 8  # runs from which one that stands out can be told; of fewer it must stand out that much more
_CYCLES_PER_RUN = 5000  # where neither n_cycles nor more is asked for
_MOST_COEFFICIENTS = 120


_FROM_PROBLEM = ("h_int", "h_loc0")
_PASSED = [name for name in DEFAULTS if name not in _FROM_PROBLEM]
_Parameters = make_dataclass(
    "_Parameters",
    [(name, Any, field(default=None, repr=False)) for name in _PASSED],
    frozen=True,
    kw_only=True,
    eq=False,
)


@dataclass(frozen=True, kw_only=True, eq=False)
class CthybSolver(_Parameters):
    """triqs_cthyb behind the interface of an exact solver.

    Parameters
    ----------
    n_cycles, length_cycle, n_warmup_cycles, random_seed, move_double, ... : optional
        Every solve parameter of triqs_cthyb, handed through; None means cthyb's default. `h_int` and `h_loc0` come from
        the problem; `measure_G_tau`, `measure_density_matrix` and `use_norm_as_weight` are always on.
    n_runs : int, optional
        Independent runs for the error bars; `n_cycles` and `max_time` are divided among them. By default eight, or as
        many, but at least four, as add no more than a quarter to the time of a single run.
    target_error : float, optional
        Where `n_cycles` is not given: run until the error bar of G(τ) is below this, tested when the number of runs has
        doubled.

    Notes
    -----
    Collective under MPI: every rank calls `solve`, cthyb samples on all of them and reduces.

    Examples
    --------
    >>> CthybSolver(n_cycles=80000, length_cycle=40, n_runs=16).n_runs
    16
    >>> CthybSolver(n_cycles=20000, n_warmup_cycles=10000).n_runs
    4
    """

    n_runs: int | None = None
    target_error: float | None = None
    name: ClassVar[str] = "cthyb"

    def __post_init__(self):
        put = lambda name, value: object.__setattr__(self, name, value)
        for name, least in (("n_cycles", 1), ("length_cycle", 1), ("n_warmup_cycles", 0), ("random_seed", 0)):
            if (value := getattr(self, name)) is not None:
                put(name, whole(name, value, least))
        n_runs = self._affordable_runs if self.n_runs is None else self.n_runs
        put("n_runs", whole("n_runs", n_runs, 2, "a whole number of at least 2: a single run gives no error bars"))
        if self.target_error is not None:
            check_number("target_error", self.target_error, TARGET_ERROR, positive=True)
        if self.max_time not in (None, -1):
            check_number("max_time", self.max_time, MAX_TIME, positive=True)

    @property
    def _affordable_runs(self) -> int:
        warmup = DEFAULTS["n_warmup_cycles"] if self.n_warmup_cycles is None else self.n_warmup_cycles
        if self.n_cycles is None or warmup == 0:
            return _N_RUNS
        return int(np.clip(1 + _MORE_TIME * self.n_cycles / warmup, _FEWEST_RUNS, _N_RUNS))

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters of cthyb that were given."""
        return {name: getattr(self, name) for name in _PASSED if getattr(self, name) is not None}

    @staticmethod
    def supports(problem: Problem) -> str | None:
        """None where cthyb can be run, else the reason why not."""
        if find_spec("triqs_cthyb") is None:
            return "triqs_cthyb is not installed (conda install -c conda-forge triqs_cthyb)"
        for (name, _), unreached in zip(problem.gf_struct, problem.unreached):
            if unreached.any():
                orbitals = ", ".join(map(str, np.flatnonzero(unreached)))
                return (
                    f"it measures no G of orbitals without hybridisation ({orbitals} of block {name!r}): use "
                    "exact='segment' for a density-density interaction, else 'ed'"
                )
        return None

    def solve(self, problem: Problem) -> Solution:
        """G, correlators and self-energy moments of `problem` with error bars.

        Raises
        ------
        ValueError
            If triqs_cthyb is not installed.
        """
        reason = self.supports(problem)
        if reason:
            raise ValueError(reason)
        start = time.perf_counter()
        if self._is_timed:
            runs = self._timed_runs(problem, start)
        else:
            runs = [self._run(problem, k) for k in range(self.n_runs)]
        while self._wants_more(problem, runs):
            runs += [self._run(problem, k) for k in range(len(runs), 2 * len(runs))]
        return self._solution(problem, runs, time.perf_counter() - start)

    # -- running -------------------------------------------------------------------------------------------------------

    @property
    def _is_timed(self) -> bool:
        return self.max_time is not None and self.max_time > 0

    def _timed_runs(self, problem: Problem, start: float) -> list:
        """Runs that share max_time evenly. Where one was not even thermalised in its share, two share what is left."""
        runs, wanted = [], int(min(self.n_runs, max(self.max_time, 2)))  # cthyb counts whole seconds
        while len(runs) < wanted:
            left = compat.mpi.bcast(self.max_time - (time.perf_counter() - start))
            share = max(int(left / (wanted - len(runs))), 1)
            S = self._run(problem, len(runs), share) if left > 0 or len(runs) == 1 else None
            if S is not None:
                runs.append(S)
            elif len(runs) >= 2:
                break
            elif wanted == 2:
                raise RuntimeError(
                    f"max_time = {self.max_time:g} s ran out during the warm-up, before enough was measured for error "
                    "bars: raise max_time or lower n_warmup_cycles"
                )
            else:
                wanted = 2
        return runs

    def _run(self, problem: Problem, k: int, max_time: int | None = None):
        """One independent run; returns the native solver. A run that measured NaN is repeated with another seed, one
        whose `max_time` (seconds) ended before anything was measured gives None.

        Raises
        ------
        RuntimeError
            If repeated runs measured NaN, too.
        """
        for attempt in range(_ATTEMPTS):
            S = self._started(problem, k + attempt * _MAX_RUNS, max_time)
            if max_time is not None and _n_measured(S) == 0:
                return None
            if _is_finite(S):
                return S
            logger.warning("triqs_cthyb measured NaN: run %d of the problem %s is repeated", k, problem.id)
        raise RuntimeError(
            f"triqs_cthyb measured NaN in {_ATTEMPTS} runs of one problem with different seeds: check Delta(tau) and "
            "h_loc0"
        )

    def _started(self, problem: Problem, k: int, max_time: int | None = None):
        """The native solver after a run with the seed number `k`."""
        from triqs_cthyb import Solver

        n_tau = _n_tau(problem)
        S = Solver(
            beta=problem.beta,
            gf_struct=list(problem.gf_struct),
            n_iw=min(1025, n_tau // 2),
            n_tau=n_tau,
            n_l=_n_l(problem),
            delta_interface=True,
        )
        containers.fill(S.Delta_tau, [legendre.on_uniform_mesh(problem.beta, d, n_tau) for d in problem.Delta_l])
        S.solve(**self._parameters_of_run(problem, k) | ({} if max_time is None else {"max_time": max_time}))
        return S

    def _parameters_of_run(self, problem: Problem, k: int) -> dict:
        params = {"verbosity": 0, **self.parameters}
        n_cycles = params.get("n_cycles")
        # ranks must differ even where all were given the same seed
        seed = seeds.of_rank(int(params.get("random_seed", seeds.DEFAULT)), compat.mpi.rank)
        if not problem.is_diagonal and self.partition_method is None:
            params |= {"partition_method": "quantum_numbers", "quantum_numbers": conserved_numbers(problem)}
        return {
            **params,
            "h_int": containers.interaction_operator(problem),
            "h_loc0": containers.quadratic_operator(problem.gf_struct, problem.h_loc0),
            "n_cycles": _CYCLES_PER_RUN if n_cycles is None else -(-int(n_cycles) // self.n_runs),
            "random_seed": seeds.of_part(seed, k),
            "measure_G_tau": True,  # in bins: coefficients measured one by one take longer than the sampling
            "measure_density_matrix": True,
            "measure_pert_order": True,  # its histogram says how much was measured
            "use_norm_as_weight": True,
            "perform_post_proc": False,
        }

    def _wants_more(self, problem: Problem, runs: list) -> bool:
        if self.target_error is None or self.n_cycles is not None or len(runs) >= _MAX_RUNS or self._is_timed:
            return False
        # about the error of G(τ) in the middle, coefficients taken as independent; the worst element counts
        bins = SymmetricMean(problem).G_l(_measured(problem, runs))
        variance = [np.max(np.sum(b.var(axis=0, ddof=1), axis=0)) for b in bins]
        return np.sqrt(max(variance) / len(runs)) / problem.beta > self.target_error

    # -- results -------------------------------------------------------------------------------------------------------

    def _solution(self, problem: Problem, runs: list, seconds: float) -> Solution:
        mean = SymmetricMean(problem)
        pairs = np.array([_pair_correlators(problem, S) for S in runs])
        nn_bins = mean.pairs(pairs)
        nn, nn_error = nn_bins.mean(axis=0), jackknife_error(leave_one_out(nn_bins))
        native = MeanOfRuns(runs)
        Sigma_infty, Sigma_1 = mean.moments(*_self_energy_moments(problem, native, nn))
        measured = _measured(problem, runs)
        occupations = mean.occupations([_occupations(problem, runs, bl, size) for bl, size in problem.gf_struct])
        samples = [
            _estimates(problem, bins, occupations[b], _moments(problem, b, Sigma_infty[b], Sigma_1[b]))
            for b, bins in enumerate(mean.G_l(measured))
        ]
        G_l = tuple(s[0] for s in samples)
        G_l_error = tuple(smoothed(jackknife_error(s)) for s in samples)
        tau = float(native.auto_corr_time or 0.0)
        n_cycles = sum(map(_n_measured, runs)) // compat.mpi.size
        n_warmup = int(_parameter(runs[0], "n_warmup_cycles"))
        provenance = {
            "solver": self.name,
            "version": _version(),
            "fidelity": "exact",
            "random_seed": int(_parameter(runs[0], "random_seed")),
            "n_cycles": n_cycles,
            "length_cycle": int(_parameter(runs[0], "length_cycle")),
            "n_warmup_cycles": n_warmup,
            "n_runs": len(runs),
            "average_sign": float(np.real(native.average_sign)),
            "auto_corr_time": tau,
            "average_order": float(native.average_order),
            "independent_samples": n_cycles * compat.mpi.size / (1 + 2 * tau),
            "not_thermalised": objection(
                float(native.average_order), tau, n_cycles // len(runs), n_warmup, len(runs) * compat.mpi.size
            ),
            "solve_status": max(int(S.solve_status) for S in runs),
            "symmetry_deviation": mean.deviation(measured),
            "seconds": seconds,
            **_label_noise(problem.beta, samples),
            **_dominance(mean.G_l(measured)),
        }
        as_measured = np.real(_expectation(native.density_matrix, containers.interaction_operator(problem), runs[0]))
        h_int = float(as_measured + 0.5 * np.sum(problem.U * (nn - pairs.mean(axis=0))))
        return Solution(
            problem.beta, problem.gf_struct, G_l, nn, Sigma_infty, Sigma_1, G_l_error, nn_error,
            h_int=h_int, provenance=provenance, statistics={"native": native},
        )  # fmt: skip


class MeanOfRuns:
    """What cthyb measured, averaged over independent runs (histograms are summed); attributes as on its solver."""

    def __init__(self, runs: list):
        self.runs = runs

    @property
    def h_loc_diagonalization(self):
        """The same in every run."""
        return self.runs[0].h_loc_diagonalization

    @property
    def last_configuration(self):
        """That of the last run (triqs_cthyb 4)."""
        return self.runs[-1].last_configuration

    def __getattr__(self, name: str):
        if name.startswith("__"):
            raise AttributeError(name)
        return _mean([getattr(S, name) for S in self.runs])


def conserved_numbers(problem: Problem) -> list:
    """Particle numbers that the local Hamiltonian conserves: of each block, or of all blocks together.

    cthyb's own partition of the local Hilbert space is finer where orbitals of a block mix through Δ alone. Its density
    matrix then lacks ⟨c†_a c_b⟩ between them, and with it their exact tails.
    """
    block_of = np.repeat(np.arange(len(problem.gf_struct)), [size for _, size in problem.gf_struct])
    numbers = [sum((compat.n(bl, a) for a in range(size)), compat.Operator()) for bl, size in problem.gf_struct]
    conserved = all(sorted(block_of[[i, j]]) == sorted(block_of[[k, l]]) for _, (i, j, k, l) in problem.terms)
    return numbers if conserved else [sum(numbers, compat.Operator())]


def _mean(values: list):
    first = values[0]
    if isinstance(first, bool):
        return all(values)
    if first is None or isinstance(first, str):
        return first
    if isinstance(first, dict):
        return {k: _mean([v[k] for v in values]) for k in first}
    if isinstance(first, (list, tuple)):
        return [_mean(list(group)) for group in zip(*values)]
    total = first
    for value in values[1:]:
        total = total + value
    return total if type(first).__name__ == "Histogram" else total / len(values)


def _measured(problem: Problem, runs: list) -> list[np.ndarray]:
    """G_l of each run per block, made symmetric, (n_runs, n_l, n, n)."""
    beta, found = problem.beta, []
    for bl, _ in problem.gf_struct:
        G_tau = np.array([S.G_tau[bl].data.real for S in runs])
        bins = np.einsum("tl,rtab->rlab", _of_bins(beta, G_tau.shape[1], _n_l(problem)), G_tau, optimize=True)
        found.append(0.5 * (bins + bins.swapaxes(-1, -2)))
    return found


@lru_cache(maxsize=1)
def _of_bins(beta: float, n_tau: int, n_l: int) -> np.ndarray:
    """Matrix (n_tau, n_l) from averages over bins around mesh points, half ones at the ends, to coefficients."""
    edges = np.concatenate([[0.0], (np.arange(n_tau - 1) + 0.5) * beta / (n_tau - 1), [beta]])
    return beta * legendre.integrals(beta, edges, n_l)


def _n_l(problem: Problem) -> int:
    """Coefficients that what is measured is made into."""
    return min(max(problem.n_l, 30), _MOST_COEFFICIENTS)


def _n_tau(problem: Problem) -> int:
    """A mesh on which cthyb's linear interpolation of Δ(τ) is accurate to about 1e-6 of its scale."""
    return int(np.clip(150 * problem.beta * problem.largest_energy, 10001, 200001))


def _n_measured(S) -> int:
    """Measurements of a run on all ranks."""
    return int(np.sum(S.perturbation_order_total.data))


def _parameter(S, name: str):
    params = S.last_solve_parameters  # a dict in 3.x, an object in 4.x
    return params[name] if isinstance(params, dict) else getattr(params, name)


def _version() -> str:
    from triqs_cthyb.version import version

    return str(version)


def _expectation(density_matrix, operator, S) -> complex:
    from triqs.atom_diag import trace_rho_op

    return trace_rho_op(density_matrix, operator, S.h_loc_diagonalization)


def _pair_correlators(problem: Problem, S) -> np.ndarray:
    """⟨n_i n_j⟩ from the density matrix of one run."""
    number = [compat.n(bl, a) for bl, size in problem.gf_struct for a in range(size)]
    N = len(number)
    nn = np.empty((N, N))
    for i in range(N):
        for j in range(i, N):
            nn[i, j] = nn[j, i] = np.real(_expectation(S.density_matrix, number[i] * number[j], S))
    return nn


def _occupations(problem: Problem, runs: list, block: str, size: int) -> np.ndarray:
    """⟨c†_b c_a⟩ of one block in each run, symmetric, (n_runs, n, n)."""
    rho = np.zeros((len(runs), size, size))
    for a, b in _elements(problem, size):
        operator = compat.c_dag(block, b) * compat.c(block, a)
        rho[:, a, b] = [np.real(_expectation(S.density_matrix, operator, S)) for S in runs]
    return 0.5 * (rho + rho.swapaxes(1, 2))


def _elements(problem: Problem, size: int) -> list[tuple[int, int]]:
    """Elements of a block that need not vanish; of the others cthyb's density matrix may know nothing."""
    return [(a, b) for a in range(size) for b in range(size) if a == b or not problem.is_diagonal]


def _estimates(problem: Problem, bins: np.ndarray, occupations: np.ndarray, moments: np.ndarray) -> np.ndarray:
    """G_l of one block with exact tails: of all runs, then leaving out one each, (1 + n_runs, n_l, n, n)."""
    estimate = SmoothEstimate(problem, smoothed(bins.std(axis=0, ddof=1)) / np.sqrt(len(bins)), moments)
    return np.array([estimate(g, rho) for g, rho in zip(leave_one_out(bins), leave_one_out(occupations))])


def _label_noise(beta: float, samples: list[np.ndarray]) -> dict[str, float]:
    """Root mean square error of the largest deviation of G(τ) over τ, and of G(iω₀)/β; dimensionless, worst element."""
    n_l = samples[0].shape[1]
    to_tau = legendre.vandermonde(np.linspace(-1, 1, 201), n_l).T / beta
    to_iw0 = legendre.transfer_matrix(np.zeros(1, int), n_l).T / beta
    worst = lambda matrix: float(np.sqrt(max(np.max(largest_error(np.moveaxis(s, 1, -1), matrix)) for s in samples)))
    return {"G_tau_noise": worst(to_tau), "G_iw0_noise": worst(to_iw0)}


def _is_finite(S) -> bool:
    measured = [*S.density_matrix, *(g.data for _, g in S.G_tau)]
    return all(np.all(np.isfinite(a)) for a in measured)


def _dominance(bins: list[np.ndarray]) -> dict[str, float]:
    """Share of one run in the variance of G_l beyond an equal part, coefficients in units of their scatter.

    Where Δ(τ) has noise, determinants may come close to zero: a single measurement can then outweigh all others.
    """
    n = len(bins[0])
    if n < _FEWEST_RUNS:
        return {}
    every = np.concatenate([b.reshape(n, -1) for b in bins], axis=1)
    scatter = every.std(axis=0, ddof=1)
    measured = scatter > 1e-9 * np.max(scatter)
    share = dominance(leave_one_out(every[:, measured] / scatter[measured]))
    return {"dominance": float((share - 1 / n) / (1 - 1 / n)) * min(n / _TELLING, 1.0)}


def _self_energy_moments(problem: Problem, native: MeanOfRuns, nn: np.ndarray) -> tuple[tuple, tuple]:
    """Σ∞ = ⟨{[c, H], c†}⟩ and Σ₁ = ⟨{[c, H], [H, c†]}⟩ − Σ∞² of each block, H being the interaction.

    `triqs_cthyb.tail_fit` squares Σ∞ element by element, which is wrong where it has off-diagonal elements.
    """
    if problem.is_density_density and problem.is_diagonal:
        return static_moments(problem, nn)
    H = containers.interaction_operator(problem)
    expectation = lambda operator: np.real(_expectation(native.density_matrix, operator, native))
    anticommutator = lambda x, y: x * y + y * x
    static, second = [], []
    for bl, size in problem.gf_struct:
        Hc = [compat.c(bl, a) * H - H * compat.c(bl, a) for a in range(size)]
        S0, S1 = np.zeros((2, size, size))
        for a, b in _elements(problem, size):
            S0[a, b] = expectation(anticommutator(Hc[a], compat.c_dag(bl, b)))
            S1[a, b] = expectation(anticommutator(Hc[a], compat.dagger(Hc[b])))
        S0, S1 = 0.5 * (S0 + S0.T), 0.5 * (S1 + S1.T)
        static.append(S0)
        second.append(S1 - S0 @ S0)
    return tuple(static), tuple(second)


def _moments(problem: Problem, block: int, Sigma_infty: np.ndarray, Sigma_1: np.ndarray) -> np.ndarray:
    """c₁, c₂, c₃ of G(iω) = Σ c_p/(iω)^p, (3, n, n): 1, h + Σ∞, (h + Σ∞)² + m₁ + Σ₁."""
    static = problem.h_loc0[block] + Sigma_infty
    return np.array([np.eye(len(static)), static, static @ static + problem.m1[block] + Sigma_1])
