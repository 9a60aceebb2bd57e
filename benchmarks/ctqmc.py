# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Benchmarks of the embedded segment CT-HYB.

    python benchmarks/ctqmc.py [ed] [published] [bethe] [parallel] [speed] [cthyb] [--quick] [--seed 0]

`ed`: random problems against exact diagonalisation (needs tests/support). `published`: a model of the
TRIQS/benchmarks collection. `bethe`: converged DMFT. `parallel`: two MPI ranks against one. `speed`: updates per second
and CPU time to a given error. `cthyb`: the same beside triqs_cthyb; says so where it does not import.
"""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import ctqmc_bethe as bethe
import numpy as np
from ctqmc_speed import run_rival, run_speed
from scipy.linalg import block_diag

from triqs_mlsolver.exact.segment import SegmentSolver
from triqs_mlsolver.numerics import legendre
from triqs_mlsolver.problem import DiscreteBath, Problem
from triqs_mlsolver.tools import mpi

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

# U, μ − U/2, β, branch, n, ⟨n↑n↓⟩, Z: converged DMFT on the Bethe lattice
TABLE = [
    (1.0, 0.0, 50.0, "metal", 1.0, 0.16603, 0.7248),
    (2.0, 0.0, 50.0, "metal", 1.0, 0.08111, 0.2575),
    (2.0, 0.0, 20.0, "metal", 1.0, 0.06568, 0.2288),
    (2.0, -0.5, 50.0, "metal", 0.84168, 0.04233, 0.3835),
    (3.0, -1.0, 50.0, "metal", 0.81335, 0.01673, 0.2680),
    (3.0, 0.0, 50.0, "insulator", 1.0, 0.01543, 0.00285),
]
N_COEFFICIENTS = 12  # of G per flavour that are tested; noise of the others is a combination of theirs


def run_bethe(quick: bool, seed: int) -> None:
    """The published table of converged DMFT solutions."""
    print("\nBethe lattice, converged DMFT (this / reference); goal: Z within 2 %, docc within 1 %")
    for U, mu, beta, branch, n, docc, Z in TABLE[1:3] if quick else TABLE:
        began = time.process_time()
        loops, last = (8, 3) if quick else (24, 12)
        case = bethe.Case("", U, mu, branch)
        runs = bethe.converge(beta, case, loops, last, seed, n_cycles=20000 if quick else 100000)
        Zs = [np.mean(s.Z(p)) for p, s in runs]
        ds, ns = [s.double_occupancy for _, s in runs], [s.density.sum() for _, s in runs]
        error = lambda a: np.std(a, ddof=1) / np.sqrt(len(a))
        print(
            f"U={U} mu-U/2={mu:+.1f} beta={beta:.0f} {branch:9s} n {np.mean(ns):.5f}/{n:.5f}  "
            f"docc {np.mean(ds):.5f}({error(ds):.0e})/{docc:.5f} {100 * (np.mean(ds) / docc - 1):+.2f} %  "
            f"Z {np.mean(Zs):.4f}({error(Zs):.0e})/{Z:.4f} {100 * (np.mean(Zs) / Z - 1):+.2f} %  "
            f"{time.process_time() - began:.0f} s CPU",
            flush=True,
        )


def whitened(samples: np.ndarray, exact: np.ndarray, more: np.ndarray | float = 0.0) -> np.ndarray:
    """Deviations along the principal axes of the jackknife covariance, plus `more`, in standard errors.

    A covariance of p axes estimated from n bins makes the mean of z² larger than one by (n − 1)/(n − p − 2)
    (Hotelling); that is divided out. Flavours that are equal by symmetry leave axes without noise, which are dropped.
    """
    n = len(samples) - 1
    flat = samples.reshape(n + 1, -1)
    deviation = flat[1:] - flat[1:].mean(axis=0)
    covariance = (n - 1) / n * deviation.T @ deviation
    n_axes = np.sum(np.linalg.eigvalsh(covariance) > 1e-10 * np.trace(covariance))
    values, axes = np.linalg.eigh(covariance + more)
    z = (flat[0] - exact.ravel()) @ axes[:, -n_axes:] / np.sqrt(values[-n_axes:])
    return z * np.sqrt((n - n_axes - 2) / (n - 1))


def unseen_covariance(solution, n_l: int) -> np.ndarray:
    """What rare events that did not occur may add to the covariance of the coefficients, as the solver reckons."""
    return block_diag(*(unseen_of_one(solution, u, n_l) for u in solution.statistics["G_tau_unseen"]))


def unseen_of_one(solution, unseen: np.ndarray, n_l: int) -> np.ndarray:
    """The same for one flavour, from its `unseen` in each cell."""
    edges = solution.statistics["tau_edges"]
    basis = legendre.vandermonde((edges[1:] + edges[:-1]) / solution.beta - 1, n_l) * np.diff(edges)[:, None]
    return basis.T @ (unseen[:, None] ** 2 * basis)


def in_error_bars(solution, exact) -> dict[str, np.ndarray]:
    """Deviations of a solution from the exact reference, in its own error bars (real and imaginary parts)."""
    more, tiny = solution.statistics, 1e-9
    Sigma = more["Sigma_iw"][:, :4] - exact.Sigma_iw[:, :4]
    error = more["Sigma_iw_error"][:, :4] + tiny * (1 + 1j)
    raw, reference = more["samples"]["G_l_raw"][:, :, :N_COEFFICIENTS], exact.G_l[:, :N_COEFFICIENTS]
    return {
        "G_l whitened": whitened(raw, reference, unseen_covariance(solution, N_COEFFICIENTS)),
        "G_l, seen alone": whitened(raw, reference),
        "G(tau)": (more["G_tau"] - exact.G_tau(more["tau"])) / (more["G_tau_error"] + tiny),
        "Sigma(iw_0..3)": np.concatenate([Sigma.real / error.real, Sigma.imag / error.imag]),
        "<nn>": (solution.nn - exact.nn) / (solution.nn_error + tiny),
    }


def run_ed(quick: bool, seed: int) -> None:
    """Random discrete baths against exact diagonalisation."""
    from support import reference_ed

    n_single, n_double, n_cycles = (6, 2, 8000) if quick else (30, 10, 25000)
    print(f"\n{n_single} random single-orbital and {n_double} two-orbital problems, 4 x {n_cycles} cycles each")
    z = {}
    for i in range(n_single + n_double):
        rng = np.random.default_rng([seed, i])
        draw = reference_ed.random_single_orbital if i < n_single else reference_ed.random_two_orbitals
        beta, levels, baths, U = args = draw(rng)
        names = [(f"f{j}", 1) for j in range(len(levels))]
        problem = Problem.from_bath(beta, names, [[[e]] for e in levels], [DiscreteBath(*b) for b in baths], U)
        exact = reference_ed.solve(*args, n_l=max(130, problem.n_l))
        # four chains make 256 bins, enough for the covariance of up to 48 coefficients
        solution = SegmentSolver(n_cycles=n_cycles, random_seed=seed + i, n_threads=4).solve(problem)
        here = in_error_bars(solution, exact)
        for what, deviations in here.items():
            z.setdefault(what, []).append(deviations.ravel())
        p = solution.provenance
        print(
            f"{i:3d} flavours {len(levels)} beta {beta:6.1f} U {U.max():.2f} order {p['average_order']:5.1f} "
            f"autocorrelation {p['auto_corr_time']:6.1f} weight {p['average_weight']:.2f}  "
            f"chi2/dof {np.mean(here['G_l whitened'] ** 2):.2f}  "
            "largest z " + " ".join(f"{np.max(np.abs(a)):.1f}" for a in here.values()),
            flush=True,
        )
    print("                 chi2/dof pooled (goal 0.7 to 1.3)   largest z (goal 5; 3 for <nn>)")
    for what, parts in z.items():
        pooled = np.concatenate(parts)
        print(f"{what:15s}  {np.mean(pooled**2):33.3f}   {np.max(np.abs(pooled)):.1f}")


def run_published(quick: bool, seed: int) -> None:
    """SIAM_Discrete_Bath of TRIQS/benchmarks, whose published results stand in the tests."""
    from exact import test_published as published

    problem = published.problem()
    solution = SegmentSolver(n_cycles=20000 if quick else 400000, random_seed=seed).solve(problem)
    print("\nSIAM_Discrete_Bath of TRIQS/benchmarks against the published exact diagonalisation")
    print("                this                     published                 deviation / error bar")
    references = {"G": published.published_G(), "Sigma": published.published_Sigma()}
    for f, spin in enumerate(("up", "dn")):
        for name, reference in references.items():
            for n in range(4):
                value, error = (solution.statistics[key][f, n] for key in (f"{name}_iw", f"{name}_iw_error"))
                d = value - reference[f, n]
                print(
                    f"{name}_{spin}(iw_{n})   {value:.6f}   {reference[f, n]:.6f}   "
                    f"{d.real / error.real:+.1f} {d.imag / error.imag:+.1f}   ({abs(error):.0e})"
                )
        value, error, exact = solution.density[f], solution.nn_error[f, f], published.DENSITY[f]
        print(f"n_{spin}   {value:.6f}   {exact:.6f}   {(value - exact) / error:+.1f}   ({error:.0e})")


def run_parallel(quick: bool, seed: int) -> None:
    """Samples per second, error bar and reproducibility of two MPI ranks against one."""
    launcher = shutil.which("mpiexec")
    if launcher is None:
        print("\nno mpiexec on the PATH: two ranks were not compared")
        return
    settings = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMP_NUM_THREADS": "1"}
    n_cycles = 20000 if quick else 150000
    results = {}
    for _ in range(1 if quick else 3):  # interleaved
        for ranks in (1, 2):
            command = [launcher, "-n", str(ranks), sys.executable, __file__, "--seed", str(seed)]
            command += ["--rank", str(n_cycles)]
            out = subprocess.run(command, env={**os.environ, **settings}, capture_output=True, text=True, check=True)
            results.setdefault(ranks, []).append([float(x) for x in out.stdout.split()])
    one, two = (np.array(results[n]) for n in (1, 2))
    print(f"\nMPI, half-filled Bethe lattice at U=2, beta=50, {n_cycles} cycles per rank, median of {len(one)} runs")
    gain, price = (np.median(two[:, k]) / np.median(one[:, k]) for k in (0, 3))
    print(f"samples per second: 2 ranks give {gain:.2f} times as many (goal 1.9)")
    print(f"CPU time per sample, waiting included: {price:.2f} times that of one rank")
    print(f"error bar of G(tau): {one[0, 1] / two[0, 1]:.2f} times smaller (1.41 expected)")
    same = all(np.ptp(x[:, 2]) == 0 for x in (one, two))
    print(f"same seed and number of ranks give {'the same' if same else 'OTHER'} numbers")


def one_rank(n_cycles: int, seed: int) -> None:
    """One rank of `run_parallel`: samples per second of all ranks, error of G(τ), a number that tells runs apart."""
    problem = bethe.problem_of(50.0, bethe.RACED[0], bethe.initial_delta(50.0, 2.0, "metal"))
    comm = mpi.world()
    SegmentSolver(n_cycles=64, comm=comm).solve(problem)
    comm.allgather(None)
    began = time.perf_counter(), time.process_time()
    solution = SegmentSolver(n_cycles=n_cycles, random_seed=seed, comm=comm).solve(problem)
    seconds = max(comm.allgather(time.perf_counter() - began[0]))
    busy = sum(comm.allgather(time.process_time() - began[1]))
    if comm.rank == 0:
        p = solution.provenance
        samples = p["n_cycles"] * p["ranks"]
        print(samples / seconds, p["G_tau_error"], solution.G_l[0][4, 0, 0], busy / samples)


def main() -> None:
    """Command line."""
    parts = {
        "ed": run_ed, "published": run_published, "bethe": run_bethe,
        "parallel": run_parallel, "speed": run_speed, "cthyb": run_rival,
    }  # fmt: skip
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help=f"any of: {' '.join(parts)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="fewer problems and shorter runs")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rank", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.rank is not None:
        one_rank(arguments.rank, arguments.seed)
        return
    unknown = set(arguments.parts) - set(parts)
    if unknown:
        parser.error(f"unknown part {', '.join(sorted(unknown))}: choose from {', '.join(parts)}")
    # noise of Δ in DMFT loops is projected, as it should be: no warnings
    logging.getLogger("triqs_mlsolver").setLevel(logging.ERROR)
    began = time.perf_counter()
    bethe.converge(5.0, bethe.RACED[0], 1, 1, 0, n_cycles=64)
    print(f"first solve of this process, compilation or loading included: {time.perf_counter() - began:.2f} s")
    for name in arguments.parts or parts:
        parts[name](arguments.quick, arguments.seed)


if __name__ == "__main__":
    main()
