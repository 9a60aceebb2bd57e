# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Benchmarks of the embedded CT-HYB of the local eigenbasis (`exact="matrix"`).

    python benchmarks/ctqmc_matrix.py [ed] [orbitals] [cthyb] [--quick] [--seed 0] [--kind KIND] [--case CASE]

`ed`: random problems against exact diagonalisation. `orbitals`: cost by number of Kanamori orbitals and temperature.
`cthyb`: CPU time to equal error beside triqs_cthyb, interleaved runs; says so where it does not import.
"""

from __future__ import annotations

import argparse
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from ctqmc import unseen_of_one, whitened
from ctqmc_bethe import initial_delta
from ctqmc_speed import Run, cthyb_run, cycles_for, embedded_run, report

from triqs_mlsolver.compat import operators_coulomb, operators_hamiltonians
from triqs_mlsolver.exact.ed import ED
from triqs_mlsolver.exact.matrix import MatrixSolver
from triqs_mlsolver.exact.matrix.local import LocalBasis
from triqs_mlsolver.interface.operators import parse_interaction
from triqs_mlsolver.problem import DiscreteBath, Problem

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from support.orbitals import kanamori

COUNTS = {"diagonal": (20, 3), "off-diagonal": (10, 2), "three": (5, 1), "slater": (3, 1)}  # in full and with --quick
N_COEFFICIENTS = 8  # of G per diagonal element that are tested
# orbitals, U/D, electrons per orbital are one where `shift` is none; β
RACED = {
    "two, U=1": (2, 1.0, 0.0),
    "two, U=2": (2, 2.0, 0.0),
    "three, half filled": (3, 2.0, 0.0),
    "three, one electron": (3, 2.0, None),
}


def draw(kind: str, seed: int) -> Problem:
    """A random problem with a discrete bath; energies in D."""
    rng = np.random.default_rng([seed, sorted(COUNTS).index(kind)])
    n_orb = 3 if kind in ("three", "slater") else 2
    beta = float(np.exp(rng.uniform(0, np.log({"diagonal": 50.0, "off-diagonal": 20.0}.get(kind, 10.0)))))
    U = rng.uniform(0.5, 4.0)
    J = U * rng.uniform(0.1, 0.3)
    if kind == "slater":
        names = [("up", n_orb), ("down", n_orb)]
        coulomb = operators_coulomb.U_matrix_slater(1, U_int=U, J_hund=J)
        h_int = operators_hamiltonians.h_int_slater(["up", "down"], n_orb, coulomb, off_diag=True)
        found = parse_interaction(h_int, names)
        matrix, terms = found.U, found.terms
    else:
        matrix, terms = kanamori(U, J, n_orb)
    half = -0.5 * matrix.sum(axis=1).mean()
    levels = half + rng.uniform(-U, U) + rng.uniform(-0.3, 0.3, n_orb)
    n_sites = 1 if n_orb == 3 else 2
    if kind == "off-diagonal":
        V = rng.normal(size=(3, n_orb))
        bath = DiscreteBath(np.sort(rng.uniform(-1, 1, 3)), 0.5 * np.sqrt(n_orb) * V / np.linalg.norm(V))
        h = np.diag(levels) + rng.uniform(-0.2, 0.2) * (1 - np.eye(n_orb))
        return Problem.from_bath(beta, [("up", n_orb), ("down", n_orb)], [h, h], [bath, bath], matrix, terms)
    sites = []
    for _ in range(n_orb):
        V = np.abs(rng.normal(size=n_sites))
        sites.append(DiscreteBath(np.sort(rng.uniform(-1, 1, n_sites)), 0.5 * V / np.linalg.norm(V)))
    if kind == "slater":
        bath = DiscreteBath(np.concatenate([s.eps for s in sites]), np.diag([s.V[0, 0] for s in sites]))
        return Problem.from_bath(beta, names, [np.diag(levels)] * 2, [bath] * 2, matrix, terms)
    names = [(f"{spin}_{a}", 1) for spin in ("up", "down") for a in range(n_orb)]
    return Problem.from_bath(beta, names, [[[e]] for e in levels] * 2, sites * 2, matrix, terms)


def in_error_bars(problem: Problem, solution, exact) -> dict[str, np.ndarray]:
    """Deviations from the exact answer in the solution's own error bars."""
    more, tiny = solution.statistics, 1e-9
    out: dict[str, list] = {name: [] for name in ("G_l whitened", "G(tau)", "Sigma(iw_0..3)")}
    for b, (offset, (_, size)) in enumerate(zip(problem.offsets, problem.gf_struct)):
        inside = slice(offset, offset + size)
        cut = lambda a, inside=inside: np.moveaxis(a[inside, inside], -1, 0)
        G = (cut(more["G_tau"]) - exact.G_tau(more["tau"])[b]) / (cut(more["G_tau_error"]) + tiny)
        error = cut(more["Sigma_iw_error"][..., :4]) + tiny * (1 + 1j)
        Sigma = cut(more["Sigma_iw"][..., :4]) - exact.Sigma_iw(problem, 4)[b]
        nonzero = np.max(np.abs(cut(more["G_tau"])), axis=0) > 0
        out["G(tau)"].append(G[::20][:, nonzero].ravel())
        for z in (Sigma.real / error.real, Sigma.imag / error.imag):
            out["Sigma(iw_0..3)"].append(z[:, nonzero].ravel())
        for a in range(size):
            raw = more["samples"]["G_l_raw"][:, offset + a, offset + a, :N_COEFFICIENTS]
            unseen = unseen_of_one(solution, more["G_tau_unseen"][offset + a, offset + a], N_COEFFICIENTS)
            out["G_l whitened"].append(whitened(raw, exact.G_l[b][:N_COEFFICIENTS, a, a], unseen).ravel())
    rho, error = more["density_matrix"] - exact.statistics["density_matrix"], more["density_matrix_error"]
    found = {name: np.concatenate(parts) for name, parts in out.items()}
    found["density matrix"] = (rho / (error + 1e-7))[error > 1e-6].ravel()
    found["<nn>"] = ((solution.nn - exact.nn) / (solution.nn_error + tiny)).ravel()
    found["<H_int>"] = np.array([(solution.h_int - exact.h_int) / more["h_int_error"]])
    return found


def run_ed(quick: bool, seed: int, kinds) -> None:
    """Random problems against exact diagonalisation."""
    z: dict[str, list] = {}
    for kind in kinds:
        n, n_cycles = COUNTS[kind][quick], 4000 if quick else 20000
        print(f"\n{n} random problems, {kind}, 2 x {n_cycles} cycles each", flush=True)
        of_kind: dict[str, list] = {}
        for i in range(n):
            problem = draw(kind, 1000 * seed + i)
            began = time.process_time()
            solution = MatrixSolver(n_cycles=n_cycles, random_seed=seed + i, n_threads=2).solve(problem)
            seconds = time.process_time() - began
            here = in_error_bars(problem, solution, ED(improved_estimator=True).solve(problem))
            for what, deviations in here.items():
                of_kind.setdefault(what, []).append(deviations)
            p = solution.provenance
            print(
                f"{i:3d} beta {problem.beta:5.1f} U {problem.U.max():.2f} n {solution.density.sum():.2f} order "
                f"{p['average_order']:5.1f} sign {p['average_sign']:.3f} weight {p['average_weight']:.2f} error "
                f"{p['G_tau_error']:.1e} {seconds:5.1f} s  largest z "
                + " ".join(f"{np.max(np.abs(a)):.1f}" for a in here.values()),
                flush=True,
            )
        _summary(kind, of_kind)
        for what, parts in of_kind.items():
            z.setdefault(what, []).extend(parts)
    _summary("all", z)


def _summary(kind: str, z: dict[str, list]) -> None:
    print(f"{kind:15s} chi2/dof pooled   largest z")
    for what, parts in z.items():
        pooled = np.concatenate(parts)
        print(f"    {what:15s} {np.mean(pooled**2):10.3f} {np.max(np.abs(pooled)):12.1f}", flush=True)


def semicircular(n_orb: int, U: float, shift: float | None, beta: float) -> Problem:
    """Degenerate Kanamori orbitals of J = U/5 on a semicircular bath of half width one.

    `shift` counts from half filling; None: one electron in all, as an isolated impurity has.
    """
    matrix, terms = kanamori(U, U / 5, n_orb)
    half = -0.5 * matrix.sum(axis=1)[0]
    # between no and two electrons in the atom: level −ε with 0 < ε < U − 3 J
    level = half + shift if shift is not None else -0.5 * (U - 3 * U / 5)
    Delta_l = initial_delta(beta, U, "metal")[:, None, None]
    names = [(f"{spin}_{a}", 1) for spin in ("up", "down") for a in range(n_orb)]
    return Problem(beta, names, [[[level]]] * (2 * n_orb), [Delta_l] * (2 * n_orb), matrix, terms)


def own_run(problem: Problem, n_cycles: int, seed: int) -> Run:
    """The matrix solver."""
    return embedded_run(MatrixSolver, problem, n_cycles, seed)


def run_cthyb(quick: bool, seed: int, cases) -> None:
    """Interleaved runs of both solvers on the same problems."""
    if find_spec("triqs_cthyb") is None:
        print("\ntriqs_cthyb does not import here: no comparison")
        return
    from triqs_cthyb.version import version

    n_runs = 6 if quick else 32
    print(f"\nside by side with triqs_cthyb {version}, {n_runs} interleaved runs each; ratios with 95 % intervals")
    for case in cases:
        n_orb, U, shift = RACED[case]
        for beta in (20.0,) if quick or n_orb == 3 else (20.0, 50.0):
            problem = semicircular(n_orb, U, shift, beta)
            seconds = (1.0, 2.0) if quick else (4.0, 4.0) if n_orb == 2 else (6.0, 6.0)
            own_run(problem, 100, seed)  # compiled now, where it is not yet
            lengths = [cycles_for(run, problem, s, seed) for run, s in zip((own_run, cthyb_run), seconds)]
            own, rival = [], []
            for r in range(n_runs):
                own.append(own_run(problem, lengths[0], seed + 1000 * r + 1))
                rival.append(cthyb_run(problem, lengths[1], seed + 1000 * r + 1))
            report(f"{case:20s} beta {beta:3.0f}", np.array(own), np.array(rival), "matrix")


def run_orbitals(quick: bool, seed: int) -> None:
    """Cost by number of orbitals and temperature."""
    print("\ncost by orbitals: Kanamori, half filled, U/D = 2, J = U/5; one core, warm-up and analysis included")
    print("orbitals  beta  sectors (largest)  order   sign  updates/s   CPU to 1e-3 on G(tau), worst flavour and tau")
    for n_orb in (1, 2, 3) if quick else (1, 2, 3, 5):
        for beta in (10.0,) if quick else (10.0, 20.0, 50.0):
            problem = semicircular(n_orb, 2.0, 0.0, beta)
            began = time.process_time()
            solution = MatrixSolver(n_cycles=(1000 if quick else 8000) // n_orb, random_seed=seed).solve(problem)
            seconds = time.process_time() - began
            p = solution.provenance
            basis = LocalBasis.of(problem)
            updates = (p["n_cycles"] + p["n_warmup_cycles"]) * p["length_cycle"]
            cost = seconds * (p["G_tau_error"] / 1e-3) ** 2
            print(
                f"{n_orb:8d} {beta:5.0f} {len(basis.states):9d} ({basis.largest:3d}) {p['average_order']:10.1f} "
                f"{p['average_sign']:6.2f} {updates / seconds:10.3g} {cost:10.3g} s",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", default=["ed", "orbitals", "cthyb"], help="ed, orbitals, cthyb")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", action="append", choices=list(COUNTS), help="of random problems; all by default")
    parser.add_argument("--case", action="append", choices=list(RACED), help="beside triqs_cthyb; all by default")
    options = parser.parse_args()
    if "ed" in options.what:
        run_ed(options.quick, options.seed, options.kind or list(COUNTS))
    if "orbitals" in options.what:
        run_orbitals(options.quick, options.seed)
    if "cthyb" in options.what:
        run_cthyb(options.quick, options.seed, options.case or list(RACED))


if __name__ == "__main__":
    main()
