# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Benchmarks of the embedded segment CT-HYB: correctness against ED, the Bethe table, and speed beside triqs_cthyb.

    python benchmarks/ctqmc.py [ed] [bethe] [speed] [cthyb] [--quick] [--seed 0]

`ed` needs tests/reference_ed.py beside the repository's root; `cthyb` needs triqs_cthyb and says so where it is missing.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np

from triqs_mlsolver.exact.segment import SegmentSolver
from triqs_mlsolver.numerics import legendre
from triqs_mlsolver.problem import DiscreteBath, Problem

# U, μ − U/2, β, branch, n, ⟨n↑n↓⟩, Z: converged DMFT on the Bethe lattice, half bandwidth D = 1
BETHE = [
    (1.0, 0.0, 50.0, "metal", 1.0, 0.16603, 0.7248),
    (2.0, 0.0, 50.0, "metal", 1.0, 0.08111, 0.2575),
    (2.0, 0.0, 20.0, "metal", 1.0, 0.06568, 0.2288),
    (2.0, -0.5, 50.0, "metal", 0.84168, 0.04233, 0.3835),
    (3.0, -1.0, 50.0, "metal", 0.81335, 0.01673, 0.2680),
    (3.0, 0.0, 50.0, "insulator", 1.0, 0.01543, 0.00285),
]
SPEED = [
    ("U=2 half filled", 2.0, 0.0, "metal"),
    ("U=2.5 insulator", 2.5, 0.0, "insulator"),
    ("U=3 doped", 3.0, -1.0, "metal"),
]


def bethe_problem(beta: float, U: float, mu_shift: float, Delta_l: np.ndarray) -> Problem:
    """Single orbital with h_loc0 = −U/2 − (μ − U/2)."""
    h = [[-U / 2 - mu_shift]]
    return Problem(beta, (("up", 1), ("down", 1)), (h, h), (Delta_l, Delta_l), [[0, U], [U, 0]])


def start(beta: float, U: float, branch: str) -> np.ndarray:
    """Δ_l of a semicircle, or of two Hubbard bands for the insulator."""
    angle = np.pi * np.arange(1, 200) / 200
    eps, weight = np.cos(angle), np.sin(angle) ** 2 / np.sum(np.sin(angle) ** 2) / 4
    if branch == "insulator":
        eps, weight = np.concatenate([0.5 * eps - U / 2, 0.5 * eps + U / 2]), np.tile(weight / 2, 2)
    return legendre.from_poles(beta, eps, weight)


def converge(beta, U, mu_shift, branch, loops, last, seed, **options):
    """DMFT on the Bethe lattice, Δ = G/4; the problem and the solutions of the `last` loops."""
    Delta_l, solutions, problem = start(beta, U, branch), [], None
    for i in range(loops):
        problem = bethe_problem(beta, U, mu_shift, Delta_l)
        solution = SegmentSolver(random_seed=seed + i, **options).solve(problem)
        G = 0.5 * (solution.G_l[0] + solution.G_l[1])[:, 0, 0]
        Delta_l = 0.25 * G
        if mu_shift == 0:
            Delta_l[1::2] = 0
        if i >= loops - last:
            solutions.append((problem, solution))
    return solutions


def run_bethe(quick: bool, seed: int) -> None:
    print("\nBethe lattice, converged DMFT (this / reference); goal: Z within 2 %, docc within 1 %")
    for U, mu, beta, branch, n, docc, Z in BETHE[1:3] if quick else BETHE:
        began = time.process_time()
        loops, last = (8, 3) if quick else (24, 12)
        runs = converge(beta, U, mu, branch, loops, last, seed, n_cycles=20000 if quick else 100000)
        Zs = [np.mean(s.Z(p)) for p, s in runs]
        ds, ns = [s.double_occupancy for _, s in runs], [s.density.sum() for _, s in runs]
        error = lambda a: np.std(a, ddof=1) / np.sqrt(len(a))
        print(
            f"U={U} mu-U/2={mu:+.1f} beta={beta:.0f} {branch:9s} n {np.mean(ns):.5f}/{n:.5f}  docc {np.mean(ds):.5f}"
            f"({error(ds):.0e})/{docc:.5f} {100 * (np.mean(ds) / docc - 1):+.2f} %  Z {np.mean(Zs):.4f}({error(Zs):.0e})"
            f"/{Z:.4f} {100 * (np.mean(Zs) / Z - 1):+.2f} %  {time.process_time() - began:.0f} s CPU",
            flush=True,
        )


def whitened(samples: np.ndarray, exact: np.ndarray, solution, n_dof: int = 16) -> tuple[np.ndarray, np.ndarray]:
    """Deviations along the principal axes of the jackknife covariance, in standard errors, and which axes are resolved.

    An axis is unresolved where events too rare to occur (Delta(tau) nearly vanishes) could add a tenth of the variance: the
    jackknife of the raw estimates says too little there. Dropping such axes can leave no test at all, so both are reported.
    """
    n = len(samples) - 1
    flat = samples.reshape(n + 1, -1)
    deviation = flat[1:] - flat[1:].mean(axis=0)
    values, axes = np.linalg.eigh((n - 1) / n * deviation.T @ deviation)
    n_l, edges = samples.shape[2], solution.statistics["tau_edges"]
    middle, width = 0.5 * (edges[1:] + edges[:-1]), np.diff(edges)
    basis = legendre.vandermonde(2 * middle / solution.beta - 1, n_l) * width[:, None]
    rare = sum(
        np.sum((basis * r[:, None] @ axes[f * n_l : (f + 1) * n_l]) ** 2, axis=0)
        for f, r in enumerate(solution.statistics["G_tau_unseen"])
    )
    kept = np.flatnonzero(values > 1e-10 * values[-1])[-n_dof:]
    return (flat[0] - exact.ravel()) @ axes[:, kept] / np.sqrt(values[kept]), (rare < 0.1 * values)[kept]


def run_ed(quick: bool, seed: int) -> None:
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
    import reference_ed as ed

    n_single, n_double = (6, 2) if quick else (30, 10)
    print(f"\n{n_single} random single-orbital and {n_double} two-orbital problems against ED")
    pooled, resolved, per_problem, tested, worst = (
        [],
        [],
        [],
        0,
        {"G_l": 0.0, "G(tau)": 0.0, "Sigma(iw_0..3)": 0.0, "<nn>": 0.0},
    )
    for i in range(n_single + n_double):
        rng = np.random.default_rng([seed, i])
        args = (ed.random_single_orbital if i < n_single else ed.random_two_orbitals)(rng)
        beta, levels, baths, U = args
        names = [(f"f{j}", 1) for j in range(len(levels))]
        problem = Problem.from_bath(beta, names, [[[e]] for e in levels], [DiscreteBath(*b) for b in baths], U)
        exact = ed.solve(*args, n_l=max(130, problem.n_l))
        s = SegmentSolver(n_cycles=20000 if quick else 100000, random_seed=seed + i).solve(problem)
        more = s.statistics
        z, sure = whitened(more["samples"]["G_l_raw"][:, :, :12], exact.G_l[:, :12], s)
        pooled.extend(z**2)
        resolved.extend(z[sure] ** 2)
        per_problem.append(np.mean(z**2))
        tested += bool(np.any(sure))
        z_tau = (more["G_tau"] - exact.G_tau(more["tau"])) / (more["G_tau_error"] + 1e-9)
        d, e = more["Sigma_iw"][:, :4] - exact.Sigma_iw[:, :4], more["Sigma_iw_error"][:, :4] + 1e-9 * (1 + 1j)
        z_Sigma = np.concatenate([d.real / e.real, d.imag / e.imag])
        z_nn = (s.nn - exact.nn) / (s.nn_error + 1e-9)
        here = [float(np.max(np.abs(a), initial=0.0)) for a in (z, z_tau, z_Sigma, z_nn)]
        worst = {k: max(w, h) for (k, w), h in zip(worst.items(), here)}
        print(
            f"{i:3d} flavours {len(levels)} beta {beta:6.1f} U {U.max():.2f} order {s.provenance['average_order']:5.1f} "
            f"autocorrelation {s.provenance['auto_corr_time']:6.1f}  chi2/dof {np.mean(z**2):.2f} ({np.sum(sure)} of {len(z)} axes resolved)  largest z "
            + " ".join(f"{h:.1f}" for h in here),
            flush=True,
        )
    print(
        f"chi2/dof of the raw G_l, goal 0.7 to 1.3: all axes {np.mean(pooled):.3g} (median problem {np.median(per_problem):.2f})"
    )
    print(
        f"resolved axes alone {np.mean(resolved):.3f}: {len(resolved)} of {len(pooled)} axes, in {tested} of {len(per_problem)} problems"
    )
    print("problems above 1.3 on all axes:", [i for i, c in enumerate(per_problem) if c > 1.3])
    print("largest z, goal 5:", {k: round(w, 1) for k, w in worst.items()})


def warm() -> None:
    """Compile, or load the compiled kernel, outside all timings."""
    began = time.perf_counter()
    SegmentSolver(n_cycles=64).solve(bethe_problem(5.0, 1.0, 0.0, start(5.0, 1.0, "metal")))
    print(f"first solve of this process, compilation or loading included: {time.perf_counter() - began:.2f} s")


def timed(problem: Problem, **options) -> tuple[float, object]:
    began = time.process_time()
    solution = SegmentSolver(**options).solve(problem)
    return time.process_time() - began, solution


def run_speed(quick: bool, seed: int) -> None:
    print("\nspeed, single-threaded, measurements, warm-up and analysis included")
    print(
        "(error bars include what the data leave to the prior; where Delta(beta/2) nearly vanishes they are conservative)"
    )
    print(
        "problem                  beta order  updates/s   CPU to 1e-3 on G(beta/2)   on Im Sigma(iw0)   on max G(tau)"
    )
    for name, U, mu, branch in SPEED:
        for beta in (20.0, 50.0) if quick else (20.0, 50.0, 100.0):
            Delta = 0.25 * converge(beta, U, mu, branch, 6, 1, seed, n_cycles=4000)[0][1].G_l[0][:, 0, 0]
            t, s = timed(bethe_problem(beta, U, mu, Delta), n_cycles=40000 if quick else 100000, random_seed=seed)
            p, more = s.provenance, s.statistics
            updates = (p["n_cycles"] + p["n_warmup_cycles"]) * p["length_cycle"]
            to = lambda error: t * (error / 1e-3) ** 2
            middle, Sigma = more["G_tau_error"][0, len(more["tau"]) // 2], more["Sigma_iw_error"][0, 0].imag
            print(
                f"{name:24s} {beta:4.0f} {p['average_order']:5.1f}  {updates / t:9.3g}   {to(middle):10.3g} s"
                f"   {to(Sigma):22.3g} s   {to(p['G_tau_error']):12.3g} s",
                flush=True,
            )
    print("\ngrowth with the number of flavours: beta=20, U=2, half filled, all flavours coupled alike")
    for N in (2, 4, 6):
        U = 2.0 * (1 - np.eye(N))
        D = start(20.0, 2.0, "metal")
        problem = Problem(20.0, [(f"f{i}", 1) for i in range(N)], [[[-(N - 1.0)]]] * N, [D] * N, U)
        t, s = timed(problem, n_cycles=20000, random_seed=seed)
        p = s.provenance
        print(
            f"N={N}: {(p['n_cycles'] + p['n_warmup_cycles']) * p['length_cycle'] / t:9.3g} updates/s, order {p['average_order']:.1f}"
        )


def run_cthyb(quick: bool, seed: int) -> None:
    try:
        import triqs.gf  # noqa: F401
        from triqs.operators import n
        from triqs_cthyb import Solver
    except ImportError as missing:
        print(f"\ntriqs_cthyb is not importable here ({missing}): no comparison; TRIQS/ctseg was not compared either")
        return
    runs = 4 if quick else 32
    print(f"\nside by side with triqs_cthyb, {runs} interleaved runs each; TRIQS/ctseg was not compared")
    for beta, (name, U, mu, branch) in [(50.0, c) for c in SPEED] + ([] if quick else [(100.0, SPEED[0])]):
        Delta = 0.25 * converge(beta, U, mu, branch, 6, 1, seed, n_cycles=4000)[0][1].G_l[0][:, 0, 0]
        problem = bethe_problem(beta, U, mu, Delta)
        rows = {"segment": [], "cthyb": []}
        for r in range(runs):
            t, s = timed(problem, n_cycles=30000, random_seed=seed + r)
            p = s.provenance
            half = s.G_tau([beta / 2])
            rows["segment"].append(
                ((p["n_cycles"] + p["n_warmup_cycles"]) * p["length_cycle"], t, 0.5 * (half[0] + half[1])[0, 0, 0],
                 0.5 * sum(x[0, 0, 0].imag for x in s.Sigma_iw(problem, 1)))
            )  # fmt: skip
            S = Solver(beta=beta, gf_struct=[("up", 1), ("down", 1)], n_iw=1025, n_tau=10001, n_l=40)
            iw = np.array([complex(w) for w in S.G0_iw.mesh])
            D_iw = legendre.transfer_matrix(np.arange(-1025, 1025), len(Delta)) @ Delta
            for _, g in S.G0_iw:
                g.data[:, 0, 0] = 1 / (iw - problem.levels[0] - D_iw)
            cycles, length, warmup = 20000, 50, 4000
            began = time.process_time()
            S.solve(
                h_int=U * n("up", 0) * n("down", 0), n_cycles=cycles, length_cycle=length, n_warmup_cycles=warmup,
                random_seed=seed + 7 * r + 1, measure_G_l=True, measure_G_tau=False, verbosity=0,
            )  # fmt: skip
            t = time.process_time() - began
            G_l = 0.5 * sum(g.data[:, 0, 0].real for _, g in S.G_l)
            G_iw = (legendre.transfer_matrix(np.arange(1), len(G_l)) @ G_l)[0]
            Sigma = (problem.G0_inverse_iw(1)[0][0, 0, 0] - 1 / G_iw).imag
            rows["cthyb"].append(((cycles + warmup) * length, t, legendre.evaluate(beta, G_l, [beta / 2])[0], Sigma))
        a, b = (np.array(rows[k]) for k in ("segment", "cthyb"))
        speed = [np.sum(x[:, 0]) / np.sum(x[:, 1]) for x in (a, b)]
        rng = np.random.default_rng(0)

        def advantage(column):
            """CPU to equal error, cthyb over segment, with a bootstrap interval of 68 %."""
            cost = lambda x: max(np.var(x[:, column], ddof=1), 1e-300) * np.mean(x[:, 1])
            again = [cost(b[rng.integers(0, runs, runs)]) / cost(a[rng.integers(0, runs, runs)]) for _ in range(2000)]
            return cost(b) / cost(a), *np.percentile(again, [16, 84])

        print(
            f"{name:18s} beta {beta:.0f}: updates/s {speed[0]:.3g} and {speed[1]:.3g}, ratio {speed[0] / speed[1]:.1f}; CPU to "
            "equal error of G(beta/2) {:.1f} [{:.1f}, {:.1f}]".format(*advantage(2))
            + ", of Im Sigma(iw0) {:.1f} [{:.1f}, {:.1f}] times less".format(*advantage(3)),
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help="any of: ed bethe speed cthyb (default: all)")
    parser.add_argument("--quick", action="store_true", help="fewer problems and shorter runs")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    parts = {"ed": run_ed, "bethe": run_bethe, "speed": run_speed, "cthyb": run_cthyb}
    unknown = set(arguments.parts) - set(parts)
    if unknown:
        parser.error(f"unknown part {', '.join(sorted(unknown))}: choose among {', '.join(parts)}")
    warm()
    for name in arguments.parts or parts:
        parts[name](arguments.quick, arguments.seed)


if __name__ == "__main__":
    main()
