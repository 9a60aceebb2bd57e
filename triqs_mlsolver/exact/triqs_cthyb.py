# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Adapter to triqs_cthyb, the exact solver for every interaction TRIQS can write down (3.2 and 4.x).

cthyb gives no error bars. They are taken from independent runs, each with its own seed and warm-up, into which the
cycles asked for are divided.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, make_dataclass
from importlib.util import find_spec
from typing import Any, ClassVar

import numpy as np

from .. import compat, containers, cthyb_parameters
from ..numerics import legendre
from ..problem import Problem
from ..solution import Solution, static_moments
from .statistics import jackknife_error, leave_one_out

_N_RUNS = 8
_MAX_RUNS = 128
_CYCLES_PER_RUN = 5000  # where neither n_cycles nor more is asked for
_MOST_COEFFICIENTS = 120
_SEED_STRIDE = 104729  # between runs; cthyb's own default strides by 928374 between ranks
_CTHYB_SEED = 34788
_CTHYB_SEED_STRIDE = 928374


_FROM_PROBLEM = ("h_int", "h_loc0")
_PASSED = [name for name in cthyb_parameters.DEFAULTS if name not in _FROM_PROBLEM]
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
        the problem; `measure_G_l`, `measure_density_matrix` and `use_norm_as_weight` are always on.
    n_runs : int
        Independent runs for the error bars; `n_cycles` and `max_time` are divided among them.
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
    """

    n_runs: int = _N_RUNS
    target_error: float | None = None
    name: ClassVar[str] = "cthyb"

    def __post_init__(self):
        if self.n_runs < 2:
            raise ValueError(f"n_runs = {self.n_runs} gives no error bars: at least 2 independent runs are needed")
        if self.n_cycles is not None and self.n_cycles < self.n_runs:
            raise ValueError(
                f"n_cycles = {self.n_cycles} cannot be divided into {self.n_runs} independent runs: ask for more cycles"
            )

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters of cthyb that were given."""
        return {name: getattr(self, name) for name in _PASSED if getattr(self, name) is not None}

    @staticmethod
    def supports(problem: Problem) -> str | None:
        """None where cthyb can be run, else the reason why not."""
        if find_spec("triqs_cthyb") is None:
            return "triqs_cthyb is not installed (conda install -c conda-forge triqs_cthyb)"
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
        runs = [self._run(problem, k) for k in range(self.n_runs)]
        while self._wants_more(problem, runs):
            runs += [self._run(problem, k) for k in range(len(runs), 2 * len(runs))]
        return self._solution(problem, runs, time.perf_counter() - start)

    # -- running -------------------------------------------------------------------------------------------------------

    def _run(self, problem: Problem, k: int):
        """One independent run; returns the native solver."""
        from triqs_cthyb import Solver

        n_l = min(max(problem.n_l, 30), _MOST_COEFFICIENTS)
        n_tau = _n_tau(problem)
        S = Solver(
            beta=problem.beta,
            gf_struct=list(problem.gf_struct),
            n_iw=min(1025, n_tau // 2),
            n_tau=n_tau,
            n_l=n_l,
            delta_interface=True,
        )
        containers.fill(S.Delta_tau, [legendre.on_uniform_mesh(problem.beta, d, n_tau) for d in problem.Delta_l])
        S.solve(**self._parameters_of_run(problem, k))
        return S

    def _parameters_of_run(self, problem: Problem, k: int) -> dict:
        params = {"verbosity": 0, **self.parameters}
        if params.get("max_time", -1) > 0:
            params["max_time"] = max(1, int(params["max_time"]) // self.n_runs)
        n_cycles = params.get("n_cycles")
        # ranks must differ even where all were given the same seed
        seed = int(params.get("random_seed", _CTHYB_SEED)) + _CTHYB_SEED_STRIDE * compat.mpi.rank
        if not problem.is_diagonal and self.partition_method is None:
            params |= {"partition_method": "quantum_numbers", "quantum_numbers": conserved_numbers(problem)}
        return {
            **params,
            "h_int": containers.interaction_operator(problem),
            "h_loc0": containers.quadratic_operator(problem.gf_struct, problem.h_loc0),
            "n_cycles": _CYCLES_PER_RUN if n_cycles is None else -(-int(n_cycles) // self.n_runs),
            "random_seed": seed + _SEED_STRIDE * k,
            "measure_G_l": True,
            "measure_density_matrix": True,
            "use_norm_as_weight": True,
            "perform_post_proc": False,
        }

    def _wants_more(self, problem: Problem, runs: list) -> bool:
        if self.target_error is None or self.n_cycles is not None or len(runs) >= _MAX_RUNS:
            return False
        if self.max_time is not None and self.max_time > 0:
            return False
        # about the error of G(τ) in the middle, coefficients taken as independent; the worst element counts
        variance = [np.max(np.sum(_bins_of(runs, b).var(axis=0, ddof=1), axis=0)) for b, _ in problem.gf_struct]
        return np.sqrt(max(variance) / len(runs)) / problem.beta > self.target_error

    # -- results -------------------------------------------------------------------------------------------------------

    def _solution(self, problem: Problem, runs: list, seconds: float) -> Solution:
        nn_bins = np.array([_pair_correlators(problem, S) for S in runs])
        nn, nn_error = nn_bins.mean(axis=0), nn_bins.std(axis=0, ddof=1) / np.sqrt(len(runs))
        native = MeanOfRuns(runs)
        Sigma_infty, Sigma_1 = _self_energy_moments(problem, native, nn)
        G_l, G_l_error = [], []
        for block, (bl, size) in enumerate(problem.gf_struct):
            bins = _bins_of(runs, bl)
            estimate = SmoothEstimate(problem, _smoothed(bins.std(axis=0, ddof=1)) / np.sqrt(len(runs)))
            moments = _moments(problem, block, Sigma_infty[block], Sigma_1[block])
            occupation = leave_one_out(np.array([_occupation(S, bl, size) for S in runs]))
            samples = np.array([estimate(g, moments, rho) for g, rho in zip(leave_one_out(bins), occupation)])
            G_l.append(samples[0])
            G_l_error.append(_smoothed(jackknife_error(samples)))
        tau = float(native.auto_corr_time or 0.0)
        n_cycles = sum(int(_parameter(S, "n_cycles")) for S in runs)
        provenance = {
            "solver": self.name,
            "version": _version(),
            "fidelity": "exact",
            "random_seed": int(_parameter(runs[0], "random_seed")),
            "n_cycles": n_cycles,
            "length_cycle": int(_parameter(runs[0], "length_cycle")),
            "n_warmup_cycles": int(_parameter(runs[0], "n_warmup_cycles")),
            "n_runs": len(runs),
            "average_sign": float(np.real(native.average_sign)),
            "auto_corr_time": tau,
            "average_order": float(native.average_order),
            "independent_samples": n_cycles * compat.mpi.size / (1 + 2 * tau),
            "solve_status": max(int(S.solve_status) for S in runs),
            "seconds": seconds,
        }
        h_int = float(np.real(_expectation(native.density_matrix, containers.interaction_operator(problem), runs[0])))
        return Solution(
            problem.beta, problem.gf_struct, tuple(G_l), nn, Sigma_infty, Sigma_1, tuple(G_l_error), nn_error,
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
    if first is None or isinstance(first, (str, bool)):
        return first
    if isinstance(first, dict):
        return {k: _mean([v[k] for v in values]) for k in first}
    if isinstance(first, (list, tuple)):
        return [_mean(list(group)) for group in zip(*values)]
    total = first
    for value in values[1:]:
        total = total + value
    return total if type(first).__name__ == "Histogram" else total / len(values)


def _bins_of(runs: list, block: str) -> np.ndarray:
    """G_l of each run, made symmetric, (n_runs, n_l, n, n)."""
    bins = np.array([S.G_l[block].data.real for S in runs])
    return 0.5 * (bins + bins.swapaxes(-1, -2))


def _n_tau(problem: Problem) -> int:
    """A mesh on which cthyb's linear interpolation of Δ(τ) is accurate to about 1e-6 of its scale."""
    return int(np.clip(150 * problem.beta * problem.largest_energy, 10001, 200001))


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


def _occupation(S, block: str, size: int) -> np.ndarray:
    """⟨c†_b c_a⟩ of one block, symmetric, (n, n)."""
    rho = np.empty((size, size))
    for a, b in np.ndindex(size, size):
        rho[a, b] = np.real(_expectation(S.density_matrix, compat.c_dag(block, b) * compat.c(block, a), S))
    return 0.5 * (rho + rho.T)


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
        S0, S1 = np.empty((2, size, size))
        for a, b in np.ndindex(size, size):
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


def _smoothed(error: np.ndarray, reach: int = 2) -> np.ndarray:
    """Root mean square over neighbours: few runs give ragged error bars, the true ones vary slowly with l."""
    square = np.pad(error**2, [(reach, reach)] + [(0, 0)] * (error.ndim - 1), mode="reflect")
    window = [square[k : k + len(error)] for k in range(2 * reach + 1)]
    return np.sqrt(np.mean(window, axis=0))


class SmoothEstimate:
    r"""Linear map from measured G_l to coefficients with exact tails.

    G is written as poles on a grid that spans the problem's energies, G(iω) = Σ_k w_k / (iω − ε_k), which Legendre
    noise at large l does not fit. The weights minimise

    .. math::  \sum_l (G_l - \hat G_l)^2 / \sigma_l^2 + \lambda |w|^2, \quad \lambda = 0.1,

    subject to what the density matrix of the same run fixes: the moments Σ_k w_k ε_k^p and the occupation −G(β⁻).
    Weights are of order one, so that λ matters only in directions whose contribution to G is below the error bars.

    Parameters
    ----------
    problem : Problem
    error : (n_l, n, n) array
        Error bars of the measured coefficients.
    """

    _RIDGE = 0.1

    def __init__(self, problem: Problem, error: np.ndarray):
        reach = 1.5 * problem.largest_energy + 2 / problem.beta
        n_poles = 8 * int(np.ceil(np.log2(4 + problem.beta * reach)))
        self._poles = reach * np.sin(0.5 * np.pi * np.linspace(-1, 1, n_poles)) ** 3
        self._basis = legendre.from_poles(problem.beta, self._poles, np.eye(n_poles))
        self._unit = reach
        at_end = legendre.fermi_kernel(problem.beta, np.array([problem.beta]), self._poles)
        self._rows = np.concatenate([(self._poles / reach) ** np.arange(3)[:, None], at_end])
        self._null = np.linalg.svd(self._rows)[2][len(self._rows) :].T
        self._error = np.maximum(error, 1e-3 * error.max())

    def __call__(self, G_l: np.ndarray, moments: np.ndarray, occupation: np.ndarray) -> np.ndarray:
        """Coefficients (n_l, n, n) from measured ones, the moments c₁, c₂, c₃ (3, n, n) and ⟨c†_b c_a⟩ (n, n)."""
        n_measured = len(G_l)
        out = np.empty((len(self._basis), *G_l.shape[1:]))
        for a, b in np.ndindex(*G_l.shape[1:]):
            fixed = np.append(moments[:, a, b] / self._unit ** np.arange(3), -occupation[a, b])
            start = np.linalg.lstsq(self._rows, fixed, rcond=None)[0]
            sigma = self._error[:, a, b]
            design = self._design(n_measured) @ self._null / sigma[:, None]
            target = (G_l[:, a, b] - self._design(n_measured) @ start) / sigma
            normal = design.T @ design + self._RIDGE * np.eye(design.shape[1])
            out[:, a, b] = self._basis @ (start + self._null @ np.linalg.solve(normal, design.T @ target))
        return out

    def _design(self, n_l: int) -> np.ndarray:
        return legendre.resized(self._basis, n_l)
