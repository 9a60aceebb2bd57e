# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Is the bound honest inside the DMFT loop, and what does it save?

    python benchmarks/trust.py reference|learned|nearest|adversary [--scan NAME ...] [--after NAME ...] [--cache DIR]

Scans over U or μ of the Bethe lattice with ED (5 bath sites) as exact solver: the loop with the exact solver alone
(reference), the same loop learned from an empty database or after other scans (learned), with the nearest stored answer
in place of the model (nearest), and with an exact solver that is wrong now and then (adversary). Every accepted answer
of a learned loop is compared with ED afterwards. Exact answers are kept in the cache directory: an interrupted run goes
on where it was, and a repeated one is cheap.
"""

from __future__ import annotations

import argparse
import logging
import time
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
from loop import Adversary, Memo, NearestStored, Scan, Solve, Watched

from triqs_mlsolver import Database, LearnedSolver
from triqs_mlsolver.decision.decision import Decision
from triqs_mlsolver.lattice.bethe import Converged

SCANS = {
    "half20": Scan.up_and_down(20, 0.0, 4.0, 41),
    "half50": Scan.up_and_down(50, 0.0, 4.0, 41),
    "half100": Scan.up_and_down(100, 1.5, 3.3, 37),
    "doped50": Scan.doped(50, 3.0, -1.5, 31),
    "between": Scan.up_and_down(32, 0.0, 4.0, 41),
    "rescaled": Scan.up_and_down(20, 0.0, 4.0, 41, half_bandwidth=2.7),
    "ctqmc50": Scan(50, tuple((u / 10, 0.0) for u in range(5, 22, 2)), average=5, options={"tolerance": 1e-3}),
    "quick": Scan.up_and_down(20, 0.5, 3.5, 7),
}
_CONFIDENT, _WRONG = 0.02, 0.02  # a bound that promises something, an error that is no accident
_APART = 0.02  # branches whose Z differ by more than this are two


def reference(name: str, memo: Memo) -> tuple[list[Converged], int]:
    """The scan with the exact solver alone, and how many solves it took."""
    before = memo.calls
    found = SCANS[name].run(memo)
    return found, memo.calls - before


def show(found: list[Converged], other: list[Converged] | None = None) -> None:
    for i, c in enumerate(found):
        line = f"  {c.U:5.2f} {c.mu - c.U / 2:6.2f} {c.n_iterations:4d} {sum(c.exact):4d}"
        line += f" {c.Z:8.5f} {c.double_occupancy:8.5f} {c.density:8.5f}"
        if other is not None:
            o = other[i]
            line += f"   {c.Z - o.Z:9.5f} {c.double_occupancy - o.double_occupancy:9.5f} {c.density - o.density:9.5f}"
        print(line + ("" if c.converged else "  not converged"))


def coexistence(found: list[Converged]) -> list[float]:
    """The values of U at which the way up and the way back end on different branches."""
    U = np.array([c.U for c in found])
    half = len(U) // 2
    if len(U) % 2 or not np.allclose(U[:half], U[: half - 1 : -1]):
        return []
    up, down = found[:half], found[: half - 1 : -1]
    return [a.U for a, b in zip(up, down) if abs(a.Z - b.Z) > _APART]


def away_from_edges(found: list[Converged]) -> np.ndarray:
    """Where the scan is further than one step from an end of the coexistence region."""
    U, both = np.array([c.U for c in found]), coexistence(found)
    if not both:
        return np.ones(len(U), bool)
    step = np.min(np.diff(np.unique(U)))
    return np.min(np.abs(U[:, None] - np.array([min(both), max(both)])), axis=1) > 1.01 * step


def compare(found: list[Converged], exact: list[Converged]) -> dict[str, float]:
    """Differences of the observables, away from the edges of a branch."""
    where = away_from_edges(exact)
    difference = lambda f: np.array([abs(f(a) - f(b)) for a, b in zip(found, exact)])[where]
    Z, docc, density = (difference(f) for f in (lambda c: c.Z, lambda c: c.double_occupancy, lambda c: c.density))
    return {
        "dZ": Z.max(), "dZ90": np.quantile(Z, 0.9), "small": np.mean(Z <= 0.002), "docc": docc.max(),
        "n": density.max(), "at": np.array([c.U for c in exact])[where][Z.argmax()],
    }  # fmt: skip


def learned(name: str, after: list[str], memo: Memo, options) -> None:
    """The scan from an empty database, or from the one that the scans `after` have filled."""
    exact, n_exact = reference(name, memo)
    database = Database(None)
    for earlier in after:
        SCANS[earlier].run(solver_of(options, database, memo))
    stored, calls = len(database), memo.calls
    solver = solver_of(options, database, memo)
    watched = Watched(solver, Memo(Database(options.cache / "ed.h5")), every=options.every)
    start = time.perf_counter()
    found = SCANS[name].run(watched)
    seconds, calls = time.perf_counter() - start, memo.calls - calls
    audits = sum(s.decision.audit for s in watched.solves)
    d = compare(found, exact)
    print(f"== {name}" + (f" after {', '.join(after)} ({stored} points)" if after else "") + f", {seconds:.0f} s")
    print(
        f"exact calls {calls} ({audits} audits) of {n_exact} ({len(watched.solves)} solves): "
        f"saved {1 - calls / n_exact:.1%}, before audits {1 - (calls - audits) / n_exact:.1%}"
    )
    if SCANS[name].average > 1:
        sigma = [3 * np.hypot(a.bounds[0], b.bounds[0]) for a, b in zip(found, exact)]
        within = [abs(a.Z - b.Z) <= max(0.01, s) for a, b, s in zip(found, exact, sigma)]
        print(
            f"|dZ| within the larger of 0.01 and 3 sigma ({max(sigma):.4f} at most) at {sum(within)} of {len(within)}"
        )
    print(
        f"|dZ| <= {d['dZ']:.4f} (at U = {d['at']:.2f}), 90 % below {d['dZ90']:.4f}, {d['small']:.0%} below 0.002; "
        f"|d docc| <= {d['docc']:.5f}; |dn| <= {d['n']:.5f}"
    )
    accepted = [s for s in watched.solves if s.decision.source == "model" and np.isfinite(s.error)]
    print(accuracy_of(accepted))
    reasons = Counter(_kind(s.decision) for s in watched.solves if s.decision.is_computed)
    print("exact calls: " + ", ".join(f"{n} {kind}" for kind, n in reasons.most_common()))
    beyond = [s for s in watched.solves if s.decision.novel and s.decision.true_error is not None]
    if beyond:
        ratio = np.array([s.decision.true_error / s.decision.error_bound for s in beyond])
        print(f"novel {len(beyond)}: error / bound median {np.median(ratio):.2f}, largest {ratio.max():.1f}")
    if coexistence(exact) or coexistence(found):
        ends = lambda U: f"{min(U):.2f}-{max(U):.2f} ({len(U)})" if U else "none"
        print(f"both branches at U = {ends(coexistence(exact))}, learned {ends(coexistence(found))}")
    if options.table:
        show(found, exact)
    print(flush=True)


def _kind(decision: Decision) -> str:
    """Why an exact call was made, in a few words."""
    if decision.audit:
        return "audits"
    return decision.cause


def solver_of(options, database: Database, exact) -> LearnedSolver:
    return LearnedSolver(
        database,
        exact=exact,
        tolerance=options.tolerance,
        sigma_tolerance=options.sigma_tolerance,
        audit_rate=options.audit_rate,
        random_seed=options.seed,
    )


def accuracy_of(accepted: list[Solve]) -> str:
    if not accepted:
        return "no accepted answer compared"
    value = lambda f: np.array([f(s) for s in accepted])
    error, bound, tolerance = (
        value(f) for f in (lambda s: s.error, lambda s: s.decision.error_bound, lambda s: s.decision.tolerance)
    )
    sigma, sigma_bound = value(lambda s: s.sigma_error), value(lambda s: s.decision.sigma_bound)
    return (
        f"of {len(accepted)} accepted answers above tolerance {np.mean(error > tolerance):.2%}, error / bound median "
        f"{np.median(error / bound):.2f}, bounds held G {np.mean(error <= bound):.1%}, "
        f"Sigma {np.mean(sigma <= sigma_bound):.1%}; "
        f"error mean {error.mean():.1e} largest {error.max():.1e}, of Sigma {sigma.max():.1e}"
    )


def nearest(name: str, memo: Memo, distances: list[float]) -> None:
    """The nearest stored answer in place of the model, for several distances."""
    exact, n_exact = reference(name, memo)
    print(f"== {name}, nearest stored answer")
    for distance in distances:
        solver = NearestStored(memo, distance)
        d = compare(SCANS[name].run(solver), exact)
        print(
            f"within {distance:<6g}: saved {1 - solver.calls / n_exact:6.1%}, |dZ| <= {d['dZ']:.4f}, {d['small']:.0%} "
            f"below 0.002; |d docc| <= {d['docc']:.5f}; |dn| <= {d['n']:.5f}",
            flush=True,
        )


def adversary(name: str, memo: Memo, options) -> None:
    """An exact solver that is wrong by 0.05 on 5 % of its calls; all accepted answers are audited."""
    liar = Adversary(memo, seed=options.seed)
    solver = LearnedSolver(None, exact=liar, tolerance=options.tolerance, audit_rate=1.0, random_seed=options.seed)
    watched = Watched(solver, Memo(memo.database), liar)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        SCANS[name].run(watched)
    known = [s for s in watched.solves if s.decision.error_bound < _CONFIDENT]
    lies = [s for s in known if s.lies and s.lies[0]]
    flagged = [s for s in lies if s.decision.alarm]
    wrong = [s for s in lies if s.decision.point is not None and s.error > _WRONG]
    false = [s for s in watched.solves if s.decision.alarm and not any(s.lies)]
    repeated = [s for s in watched.solves if len(s.lies) > 1 and not any(s.lies)]
    early = [s for s in watched.solves if s.lies and s.lies[0] and s.decision.error_bound >= _CONFIDENT]
    if options.table:
        for s in lies:
            d = s.decision
            mark = "" if s.decision.alarm else "  NOT FLAGGED"
            print(f"  U = {s.U:.2f}: bound {d.error_bound:.2g}, {d.reason}; {d.note}{mark}")
    print(
        f"== {name}, an exact solver wrong by {liar.size} on {liar.share:.0%} of {len(liar.lied)} calls\n"
        f"wrong calls at a prior bound below {_CONFIDENT}: {len(lies)}, flagged {len(flagged)}, stored {len(wrong)}; "
        f"wrong calls before the model knew enough: {len(early)}\n"
        f"false alarms: {len(false)}; honest answers that were computed twice: {len(repeated)}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["reference", "learned", "nearest", "adversary"])
    parser.add_argument("--scan", nargs="+", default=["half20", "half50", "half100", "doped50"], choices=list(SCANS))
    parser.add_argument(
        "--after", nargs="+", default=[], choices=list(SCANS), help="scans that fill the database first"
    )
    parser.add_argument("--cache", type=Path, default=Path("trust-cache"))
    parser.add_argument("--exact", default="ed", choices=["ed", "segment"])
    parser.add_argument("--tolerance", type=float, default=0.002)
    parser.add_argument("--sigma-tolerance", type=float)
    parser.add_argument("--audit-rate", type=float, default=0.01)
    parser.add_argument("--seed", type=int, default=34788)
    parser.add_argument("--distance", type=float, nargs="+", default=[0.02, 0.005, 0.002, 0.001], help="for nearest")
    parser.add_argument("--every", type=int, default=1, help="compare every so many accepted answers with ED")
    parser.add_argument("--table", action="store_true", help="one line per value of U")
    options = parser.parse_args()
    logging.getLogger("triqs_mlsolver").setLevel(logging.ERROR)
    options.cache.mkdir(exist_ok=True, parents=True)
    if options.exact == "ed":
        memo = Memo(Database(options.cache / "ed.h5"))
    else:  # as long as a user's run would be
        stored = Database(options.cache / f"{options.exact}-{options.tolerance:g}.h5")
        memo = Memo(stored, options.exact, 0.2 * options.tolerance)
    for name in options.scan:
        if options.what == "reference":
            found, solves = reference(name, memo)
            print(f"{name}: {solves} solves, {sum(not c.converged for c in found)} values not converged", flush=True)
            show(found)
        elif options.what == "learned":
            learned(name, options.after, memo, options)
        elif options.what == "adversary":
            adversary(name, memo, options)
        else:
            nearest(name, memo, options.distance)


if __name__ == "__main__":
    main()
