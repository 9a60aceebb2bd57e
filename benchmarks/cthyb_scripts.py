# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Scripts written for triqs_cthyb, run with it and with `triqs_mlsolver` in its place.

    python benchmarks/cthyb_scripts.py script.py [more.py ...] [--shorten 1] [--timeout 600]

Needs TRIQS and triqs_cthyb, whose own guide, tests and benchmarks are such scripts (as are notebooks exported to
Python). Each runs three times in an empty directory beside copies of the files it lies with: with triqs_cthyb as it is,
with triqs_cthyb and another seed, and with every `triqs_cthyb` in an import replaced by `triqs_mlsolver`. One line per
script: how it ended, the CPU time within `solve` of both, and by how much the last G(tau), averaged over twenty
stretches of time, differs, in units of its error bar, which for triqs_cthyb comes from the difference of its two runs
at neighbouring times.
`--shorten` divides the number of cycles of all three, warm-up included.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import runpy
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy.ndimage import uniform_filter1d

_STRETCHES, _POOLED = 20, 7
_IMPORT = re.compile(r"^(\s*(?:from|import)\s+)triqs_cthyb(?:\.\w+)*", re.MULTILINE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scripts", nargs="+", type=Path)
    parser.add_argument("--shorten", type=float, default=1.0)
    parser.add_argument("--timeout", type=float, default=600.0)
    parser.add_argument("--inside", nargs=2, metavar=("SEED", "RECORD"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        run_inside(options.scripts[0], int(options.inside[0]), options.inside[1], options.shorten)
        return
    print("| script | triqs_mlsolver | triqs_cthyb | CPU s of both | largest, rms deviation / error bar | decisions |")
    print("|---|---|---|---|---|---|")
    for script in options.scripts:
        hows = ("triqs_cthyb", 0), ("triqs_cthyb", 1), ("triqs_mlsolver", 0)
        print(line(script, *(outcome(script, *how, options) for how in hows)), flush=True)


def outcome(script: Path, package: str, seed: int, options) -> dict:
    """How a run ended, and what each of its solves gave."""
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory, "run")
        shutil.copytree(script.parent, place)
        copy = place / script.name
        if package != "triqs_cthyb":
            copy.write_text(_IMPORT.sub(rf"\1{package}", copy.read_text()))
        record = Path(directory, "record.json")
        environment = {**os.environ, "MPLBACKEND": "agg"}
        command = [sys.executable, os.path.abspath(__file__), str(copy), "--inside", str(seed), str(record)]
        try:
            done = subprocess.run(
                [*command, "--shorten", str(options.shorten)],
                cwd=place, capture_output=True, text=True, timeout=options.timeout, env=environment,
            )  # fmt: skip
            error = done.stderr.strip().splitlines()[-1:] if done.returncode else []
        except subprocess.TimeoutExpired:
            error = [f"not finished after {options.timeout:g} s"]
        return {"error": error[0] if error else "", "solves": json.loads(record.read_text()) if record.exists() else []}


def run_inside(script: Path, seed: int, record: str, shorten: float) -> None:
    """Run a script, its solvers being watched."""
    solves: list[dict] = []
    text = script.read_text()
    import triqs_cthyb

    watch(triqs_cthyb, solves, seed, shorten)
    if "triqs_mlsolver" in text:
        import triqs_mlsolver

        watch(triqs_mlsolver, solves, seed, shorten)
    try:
        runpy.run_path(str(script), run_name="__main__")
    finally:
        Path(record).write_text(json.dumps(solves))


_depth = 0


def watch(package, solves: list, seed: int, shorten: float) -> None:
    """Let every outermost `solve` of the package's solvers be recorded."""
    for name in ("Solver", "SolverCore"):
        original = getattr(package, name, None)
        if original is None:
            continue

        class Watched(original):
            def solve(self, *args, **params):
                global _depth
                if _depth:  # the exact solver of a solver that is watched already
                    return super().solve(*args, **params)
                for name in ("n_cycles", "n_warmup_cycles"):
                    if shorten != 1 and name in params:
                        params[name] = max(int(params[name] / shorten), 1)
                if seed:
                    params["random_seed"] = int(params.get("random_seed", 34788)) + 7919 * seed
                start, _depth = time.process_time(), 1
                try:
                    super().solve(*args, **params)
                finally:
                    _depth = 0
                solves.append({"seconds": time.process_time() - start, **found(self)})

        Watched.__name__ = Watched.__qualname__ = name
        setattr(package, name, Watched)


def found(S) -> dict:
    """G(tau) of a solver averaged over stretches of time, and its error bar where it has one."""
    decision = getattr(S, "last_decision", None)
    out = {"decision": "" if decision is None else f"{decision.source} {decision.solver}"}
    if getattr(S, "G_tau", None) is not None:
        out["G"] = stretches([g.data for _, g in S.G_tau])
    if getattr(S, "G_tau_error", None) is not None:
        out["error"] = stretches([g.data for _, g in S.G_tau_error])
    return out


def stretches(blocks: list[np.ndarray]) -> list[list[float]]:
    """Averages over stretches of time, one row for each element of each block."""
    rows = []
    for data in blocks:
        parts = [np.mean(part.real, axis=0).ravel() for part in np.array_split(data, _STRETCHES)]
        rows += np.transpose(parts).tolist()
    return rows


def line(script: Path, one: dict, two: dict, ours: dict) -> str:
    """A row of the table."""
    ended = lambda run: run["error"][:90] or f"{len(run['solves'])} solves"
    seconds = [sum(s["seconds"] for s in run["solves"]) for run in (ours, one)]
    decisions = [s["decision"] for s in ours["solves"]]
    told = ", ".join(f"{decisions.count(d)} {d}" for d in dict.fromkeys(decisions))
    times = f"{seconds[0]:.1f}, {seconds[1]:.1f}"
    row = ("/".join(script.parts[-2:]), ended(ours), ended(one), times, deviation(one, two, ours), told)
    return f"| {' | '.join(row)} |"


def deviation(one: dict, two: dict, ours: dict) -> str:
    n = min(len(run["solves"]) for run in (one, two, ours))
    if not n or not all("G" in run["solves"][n - 1] for run in (one, two, ours)):
        return "–"
    a, b, c = (np.array(run["solves"][n - 1]["G"]) for run in (one, two, ours))
    if not len(a) == len(c):
        return f"{len(a)} elements against {len(c)}"
    told = np.array(ours["solves"][n - 1].get("error", 0.0))
    own = np.sqrt(uniform_filter1d((a - b) ** 2, _POOLED, axis=1, mode="nearest") / 2)
    error = np.hypot(told, own / np.sqrt(2))
    away = (c - 0.5 * (a + b)) / np.maximum(error, 1e-12)
    return f"{np.max(np.abs(away)):.1f}, {np.sqrt(np.mean(away**2)):.1f}"


if __name__ == "__main__":
    main()
