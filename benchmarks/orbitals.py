# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Degenerate orbitals with Hund's coupling on the Bethe lattice: what learning saves, and what it costs in accuracy.

    python benchmarks/orbitals.py FOLDER [--orbitals 2] [--J 0.25] [--filling half|one|two] [--U 0.4 0.6 ...]
                                  [--tolerance 0.002] [--stop] [--nearest 0.002]

Density-density interaction (U, U − 2J, U − 3J), βD = 20, exact solver: the embedded CTQMC. Six values of U, from the
metal, with an empty database; then the values between them with the database that this has filled. Each value is
started from the one before and iterated eight times, since noise hides convergence; observables are averaged over the
last four iterations. `--stop` ends an iteration as soon as G(τ) seems to be within 0.001 of the fixed point, instead.

The same loops run with the exact solver alone, and with the nearest stored answer in place of the model (`--nearest`:
the distance within which it is taken). All that was computed is kept in FOLDER, value by value: a run that was stopped
goes on.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from loop import Memo, NearestStored

from triqs_mlsolver import Database, LearnedSolver, Problem
from triqs_mlsolver.lattice.bethe import solve_bethe_orbitals
from triqs_mlsolver.tools.constants import TARGET_SHARE

BETA, ITERATIONS, AVERAGED = 20.0, 8, 4
DENSITY = {"half": None, "one": 1.0, "two": 2.0}


@dataclass(frozen=True)
class Model:
    """Degenerate orbitals; `density` in electrons per site, None at half filling, where μ is known."""

    n_orbitals: int
    J_over_U: float
    density: float | None

    def local(self, U: float, shift: float = 0.0) -> Problem:
        """β, levels and interaction, flavours (orbital, spin); off half filling μ starts at Σ∞ + `shift`."""
        N, J = 2 * self.n_orbitals, self.J_over_U * U
        orbital, spin = np.arange(N) // 2, np.arange(N) % 2
        same_orbital, same_spin = (a[:, None] == a[None, :] for a in (orbital, spin))
        interaction = np.where(same_orbital, U, np.where(same_spin, U - 3 * J, U - 2 * J)) * (1 - np.eye(N))
        filled = 0.5 if self.density is None else self.density / N
        mu = filled * interaction[0].sum() + (0.0 if self.density is None else shift)
        blocks = [(f"{s}_{o}", 1) for o in range(self.n_orbitals) for s in ("up", "down")]
        return Problem(BETA, blocks, [[[-mu]]] * N, [np.zeros((2, 1, 1))] * N, interaction)

    def shift(self, problem: Problem) -> float:
        """The shift at which `local` has the levels of `problem`."""
        return -float(problem.levels[0]) - (self.density or 0.0) / problem.n_flavours * float(problem.U[0].sum())


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


def scan(solver, values: np.ndarray, model: Model, stop: bool, kept: Path) -> list[dict]:
    """Per U: what every iteration gave, and where the next value starts. Values found in the file `kept` are not
    repeated.
    """
    done = json.loads(kept.read_text()) if kept.exists() else []
    for U in values[len(done) :]:
        watch, last = Watch(solver), done[-1] if done else {"shift": -0.4, "G_l": None}
        local = model.local(float(U), last["shift"])
        found = solve_bethe_orbitals(
            watch,
            local,
            None if last["G_l"] is None else [np.array(last["G_l"])[:, None, None]] * local.n_flavours,
            density=model.density,
            min_iterations=1 if stop else ITERATIONS,
            max_iterations=ITERATIONS,
            tolerance=1e-3,
        )
        G = np.mean([g[:, 0, 0] for g in found.solution.G_l], axis=0)
        if model.density is None:
            G[1::2] = 0.0
        row = {"U": float(U), "shift": model.shift(found.problem), "G_l": G.tolist()}
        done.append({**row, "cpu": watch.spent, "rows": watch.rows})
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
        f"  {calls} exact calls, all-exact {solves}: {1 - calls / solves:.1%} saved; CPU time {cpu[0]:.0f} s instead "
        "of "
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
    parser.add_argument("--orbitals", type=int, default=2)
    parser.add_argument("--filling", choices=list(DENSITY), default="half", help="electrons per site")
    parser.add_argument("--U", type=float, nargs="+", help="values of the first scan")
    parser.add_argument("--tolerance", type=float, default=0.002)
    parser.add_argument(
        "--stop", action="store_true", help="stop where G seems converged, instead of after 8 iterations"
    )
    parser.add_argument("--nearest", type=float, help="distance within which the nearest stored answer is taken")
    options = parser.parse_args()
    folder, J = options.folder, options.J
    folder.mkdir(parents=True, exist_ok=True)
    model = Model(options.orbitals, J, DENSITY[options.filling])
    case = f"J{J:g}-{options.filling}-{options.tolerance:g}{'-stop' if options.stop else ''}"
    case = case if options.orbitals == 2 else f"{options.orbitals}-orbitals-{case}"
    # with Hund's coupling the half-filled metal ends below U = 1.6
    usual = np.linspace(0.4, 1.4, 6) if options.filling == "half" and J > 0 else np.linspace(0.5, 3.0, 6)
    values = usual if options.U is None else np.array(options.U)
    scans = {"first": values}
    if len(values) > 1:
        scans["between"] = 0.5 * (values[1:] + values[:-1])
    run = lambda solver, name, part: scan(
        solver, scans[part], model, options.stop, folder / f"{case}-{name}-{part}.json"
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
