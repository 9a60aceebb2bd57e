# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Two orbitals with Hund's coupling on the Bethe lattice: what learning saves, and what it costs in accuracy.

    python benchmarks/orbitals.py FOLDER [--J 0.25] [--filling half|one] [--tolerance 0.002] [--stop] [--nearest 0.005]

Density-density interaction (U, U − 2J, U − 3J), βD = 20, exact solver: the embedded CTQMC. Six values of U, from the metal,
with an empty database; then five values between them with the database that this has filled. Each value is started from
the one before and iterated eight times, since noise hides convergence; observables are averaged over the last four
iterations. `--stop` ends an iteration as soon as G(τ) seems to be within 0.001 of the fixed point, instead.

The same loops run with the exact solver alone, and with the nearest stored answer in place of the model (`--nearest`: the
distance within which it is taken). All that was computed is kept in FOLDER, value by value: a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
from loop import Memo, NearestStored

from triqs_mlsolver import Database, LearnedSolver, Problem
from triqs_mlsolver.dmft import solve_bethe_orbitals
from triqs_mlsolver.exact_runs import TARGET_SHARE

BETA, ITERATIONS, AVERAGED = 20.0, 8, 4
BLOCKS = tuple((f"{spin}_{orbital}", 1) for orbital in (0, 1) for spin in ("up", "down"))


def local_problem(U: float, J: float, half: bool, shift: float = 0.0) -> Problem:
    """β, levels and interaction of both orbitals.

    Half filled, or with a μ to start the search for one electron from: Σ∞ + `shift`.
    """
    same, other = np.array([[0.0, U], [U, 0.0]]), np.array([[U - 3 * J, U - 2 * J], [U - 2 * J, U - 3 * J]])
    interaction = np.block([[same, other], [other, same]])
    mu = 0.5 * interaction[0].sum() if half else 0.25 * interaction[0].sum() + shift
    none = [np.zeros((2, 1, 1))] * 4
    return Problem(BETA, BLOCKS, [[[-mu]]] * 4, none, interaction)


class Watch:
    """Passes solves on, and notes who answered and what came out."""

    def __init__(self, solver):
        self.solver, self.rows, self.spent = solver, [], 0.0

    @property
    def last_decision(self):
        return getattr(self.solver, "last_decision", None)

    def solve(self, problem: Problem):
        calls, start = getattr(self.solver, "calls", None), time.process_time()
        solution = self.solver.solve(problem)
        self.spent += time.process_time() - start
        nn = solution.nn
        unlike = max(float(np.max(np.abs(g - solution.G_l[0]))) for g in solution.G_l)
        exact = self.last_decision.source != "model" if self.last_decision else self.solver.calls > calls
        self.rows.append(
            {
                "exact": bool(exact),
                "reason": self.last_decision.reason if self.last_decision else "",
                "Z": float(solution.Z(problem)[0]),
                "n": float(np.trace(nn)),
                "pairs": [float(nn[0, 1]), float(nn[0, 3]), float(nn[0, 2])],
                "unlike": unlike,
            }
        )
        return solution


def scan(solver, values: np.ndarray, J: float, half: bool, stop: bool, kept: Path) -> list[dict]:
    """Per U: what every iteration gave, and where the next value starts. Values found in the file `kept` are not repeated."""
    done = json.loads(kept.read_text()) if kept.exists() else []
    for U in values[len(done) :]:
        watch, last = Watch(solver), done[-1] if done else {"shift": -0.4, "G_l": None}
        local = local_problem(float(U), J * float(U), half, last["shift"])
        found = solve_bethe_orbitals(
            watch,
            local,
            None if last["G_l"] is None else [np.array(last["G_l"])[:, None, None]] * 4,
            density=None if half else 1.0,
            min_iterations=1 if stop else ITERATIONS,
            max_iterations=ITERATIONS,
            tolerance=1e-3,
        )
        G = np.mean([g[:, 0, 0] for g in found.solution.G_l], axis=0)
        if half:
            G[1::2] = 0.0
        shift = -float(found.problem.levels[0]) - 0.25 * float(local.U[0].sum())
        done.append({"U": float(U), "shift": shift, "G_l": G.tolist(), "cpu": watch.spent, "rows": watch.rows})
        kept.write_text(json.dumps(done))
    return done


def averages(rows: list[dict]) -> dict[str, tuple[float, float]]:
    """Mean and standard error of observables over the last iterations."""
    last = rows[-AVERAGED:]
    table = np.array([[r["Z"], r["n"], *r["pairs"]] for r in last])
    error = table.std(axis=0, ddof=1) / np.sqrt(len(last)) if len(last) > 1 else np.full(5, np.nan)
    return dict(zip(("Z", "n", "U", "U - 2J", "U - 3J"), zip(table.mean(axis=0), error)))


def compare(name: str, found: list[dict], exact: list[dict]) -> None:
    """A line per U, and what was saved in all."""
    print(f"{name}: E computed, m answered without; differences from the exact solver alone")
    for a, b in zip(found, exact):
        mine, true = averages(a["rows"]), averages(b["rows"])
        who = "".join("E" if r["exact"] else "m" for r in a["rows"])
        pairs = max(abs(mine[k][0] - true[k][0]) for k in ("U", "U - 2J", "U - 3J"))
        print(
            f"  U = {a['U']:.2f} {who:8s} Z = {mine['Z'][0]:.4f} ± {mine['Z'][1]:.4f}, exact {true['Z'][0]:.4f} ± "
            f"{true['Z'][1]:.4f}, ΔZ = {mine['Z'][0] - true['Z'][0]:+.4f}; n = {mine['n'][0]:.4f}, {true['n'][0]:.4f}; "
            f"pairs differ by {pairs:.4f}; flavours by {max(r['unlike'] for r in a['rows']):.0e}"
        )
    calls, solves = sum(r["exact"] for a in found for r in a["rows"]), sum(len(b["rows"]) for b in exact)
    cpu = [sum(a["cpu"] for a in rows) for rows in (found, exact)]
    print(
        f"  {calls} exact calls, all-exact {solves}: {1 - calls / solves:.1%} saved; CPU time {cpu[0]:.0f} s instead of "
        f"{cpu[1]:.0f} s"
    )
    reasons = [
        " ".join(w for w in r["reason"].split() if not w[0].isdigit()) for a in found for r in a["rows"] if r["exact"]
    ]
    for reason in sorted(set(reasons) - {""}):
        print(f"    {reasons.count(reason)} {reason}")
    print(flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where everything that is computed is kept")
    parser.add_argument("--J", type=float, default=0.25, help="J/U")
    parser.add_argument("--filling", choices=["half", "one"], default="half")
    parser.add_argument("--tolerance", type=float, default=0.002)
    parser.add_argument(
        "--stop", action="store_true", help="stop where G seems converged, instead of after 8 iterations"
    )
    parser.add_argument("--nearest", type=float, help="distance within which the nearest stored answer is taken")
    options = parser.parse_args()
    half, folder, J = options.filling == "half", options.folder, options.J
    folder.mkdir(parents=True, exist_ok=True)
    case = f"J{J:g}-{options.filling}-{options.tolerance:g}{'-stop' if options.stop else ''}"
    # with Hund's coupling the half-filled metal ends below U = 1.6
    values = np.linspace(0.4, 1.4, 6) if half and J > 0 else np.linspace(0.5, 3.0, 6)
    scans = {"first": values, "between": 0.5 * (values[1:] + values[:-1])}
    run = lambda solver, name, part: scan(
        solver, scans[part], J, half, options.stop, folder / f"{case}-{name}-{part}.json"
    )

    truth = Memo(Database(folder / f"{case}-exact.h5"), "segment", TARGET_SHARE * options.tolerance)
    exact = {part: run(truth, "exact", part) for part in scans}
    learned = LearnedSolver(folder / f"{case}.h5", exact="segment", tolerance=options.tolerance)
    for part in scans:
        compare(f"{case}, {part}, learned", run(learned, "learned", part), exact[part])
    if options.nearest:
        memo = Memo(Database(None), "segment", TARGET_SHARE * options.tolerance)
        nearest, name = NearestStored(memo, options.nearest), f"nearest{options.nearest:g}"
        for part in scans:
            compare(f"{case}, {part}, {name}", run(nearest, name, part), exact[part])


if __name__ == "__main__":
    start = time.perf_counter()
    main()
    print(f"{time.perf_counter() - start:.0f} s")
