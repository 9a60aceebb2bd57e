# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Make the starter database: one orbital, βD from 1 to 100, U/D from 0 to 6, random baths and the Bethe lattice.

    python benchmarks/make_starter.py [--random 500] [--loops 350] [--output FILE]
    python benchmarks/make_starter.py --rows

Every label is exact: the stored problems have discrete baths. Random baths of four sites are taken along a Sobol
sequence. The others come out of DMFT loops on the Bethe lattice whose bath is replaced by its best four to six sites
before each solve; the loops are driven by the model, and what it does not know well enough is diagonalised and stored.
Every point records its solver, version, seed and place in its sequence.

Beside the database stand the model's features of its points (`.cache`), so that the first solve need not compute them.
They depend on the cheap solvers: `--rows` computes them again for the database that is there.

A script that was killed is simply started again: it goes on with `<output>.building`, at the beginning of the round of
loops it was in. Rounds start with a model fitted anew, so that the points do not depend on how often it was stopped
between them.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

import triqs_mlsolver
from triqs_mlsolver import Database, Predictor, Problem, Solution
from triqs_mlsolver.database.cache import DescriptorCache
from triqs_mlsolver.decision.acceptance import Gate
from triqs_mlsolver.exact.ed import ED
from triqs_mlsolver.generation.generate import generate
from triqs_mlsolver.lattice.bethe import semicircle, solve_bethe
from triqs_mlsolver.numerics import legendre
from triqs_mlsolver.problem import DiscreteBath

KIND = "1+1 density-density"
OUTPUT = Path(triqs_mlsolver.__file__).parent / "data" / "starter.h5"
BETA, U, LEVEL = (0.95, 105.0), (0.0, 6.0), (-2.0, 2.0)  # βD of 1 and 100 are to be inside: beyond the coldest is novel
SEED = 2026
LIMIT = 10e6  # bytes
ROUND = 25  # loops between two fits from scratch
BALANCED = 300  # loops of which half are half filled; all later ones are doped, since there is more to cover
TOLERANCE, SIGMA_TOLERANCE = 0.001, 0.01  # half of what a user tolerates by default
SITES, SHARES = (4, 5, 6), (0.25, 0.65, 0.1)  # bath sites of a loop, and how often
MOST_ITERATIONS = 14


def make(output: Path, n_random: int, n_loops: int) -> None:
    """Write the database to `output`, compacted; raises where it is larger than may be shipped."""
    building = Path(f"{output}.building")
    output.parent.mkdir(parents=True, exist_ok=True)
    bounds = {"beta": BETA, "U": U, "level": (-1.5, 1.5)}
    done = generate(building, n_random, draw="sobol", exact="ed", seed=SEED, bounds=bounds)
    print(f"sobol: {done.points} points, {done.computed} of them computed now", flush=True)
    database = Database(building)
    begun = [p.attributes["sampling_index"] for p in database if p.attributes["sampling"] == "bethe"]
    for first in range(ROUND * ((max(begun, default=-1) + 1) // ROUND), n_loops, ROUND):
        model = Predictor().fit(database, cache=DescriptorCache(database.path, KIND))
        for number in range(first, min(first + ROUND, n_loops)):
            Harvest(database, model, number).run()
        print(f"bethe: {number + 1} of {n_loops} loops, {len(database)} points", flush=True)
    put_in_place(building, output)


@dataclass
class Harvest:
    """A DMFT loop on the Bethe lattice that stores what the model does not know; itself the solver of the loop."""

    database: Database
    model: Predictor
    number: int
    iteration: int = field(default=0, init=False)

    def run(self) -> None:
        random = np.random.default_rng([SEED, self.number])
        beta = float(np.exp(random.uniform(*np.log(BETA))))
        # every second interaction lies where the metal becomes an insulator
        interaction = random.uniform(1.5, 3.5) if self.number % 2 else random.uniform(*U)
        level, insulating = random.uniform(*LEVEL), random.random() < 0.4
        half_filled = self.number < BALANCED and self.number % 4 < 2
        mu = interaction / 2 - (0.0 if half_filled else level)
        self.n_bath = int(random.choice(SITES, p=SHARES))
        bands = legendre.from_poles(beta, np.array([-interaction / 2, interaction / 2]), np.full(2, 0.5))
        start = bands if insulating else semicircle(beta)
        solve_bethe(self, beta, interaction, mu, start, max_iterations=MOST_ITERATIONS, tolerance=1e-4)

    def solve(self, problem: Problem) -> Solution:
        """Answer to the problem with a discrete bath that is nearest to `problem`."""
        self.iteration += 1
        problem = discretised(problem, self.n_bath)
        prediction = self.model.predict(problem)
        if not Gate(TOLERANCE, SIGMA_TOLERANCE).refusal(problem, prediction):
            return prediction.solution
        solution = ED().solve(problem)
        origin = {
            "sampling": "bethe",
            "sampling_seed": SEED,
            "sampling_index": self.number,
            "iteration": self.iteration,
        }
        self.database.add(problem, solution, **origin)
        self.model.add(problem, solution)
        return solution


def discretised(problem: Problem, n_bath: int) -> Problem:
    """The problem with its best bath of that many sites, which keeps the total weight of Δ."""
    bath, _ = ED(n_bath=n_bath).bath_of(problem)
    fitted = Problem.from_bath(problem.beta, problem.gf_struct, problem.h_loc0, bath, problem.U)
    bath = tuple(DiscreteBath(b.eps, b.V * problem.scale / fitted.scale) for b in bath)
    return Problem.from_bath(problem.beta, problem.gf_struct, problem.h_loc0, bath, problem.U)


def put_in_place(building: Path, output: Path) -> None:
    """Compact the database, with the model's features of its points beside it, and give both their names."""
    Database(building).compact()
    os.replace(building, output)
    Path(f"{building}.journal").rmdir()
    for beside in (f"{building}.cache", f"{building}.log"):
        Path(beside).unlink(missing_ok=True)
    write_rows(output)


def write_rows(output: Path) -> None:
    """Compute the model's features of all points."""
    cache = DescriptorCache(output, KIND)
    Path(cache.path).unlink(missing_ok=True)
    model = Predictor()
    model.fit(Database(output, read_only=True), cache=cache)
    size = output.stat().st_size + Path(cache.path).stat().st_size
    print(f"{output}: {model.n_points_} points, {size / 1e6:.2f} MB with {cache.path}")
    if size > LIMIT:
        raise SystemExit(f"{size / 1e6:.1f} MB are more than {LIMIT / 1e6:g} MB: ask for fewer points")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--random", type=int, default=500, help="problems with random baths")
    parser.add_argument("--loops", type=int, default=350, help="DMFT loops on the Bethe lattice")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    parser.add_argument("--rows", action="store_true", help="only compute the features of the stored points again")
    parser.add_argument("--quick", action="store_true", help="10 random baths, 1 loop")
    o = parser.parse_args()
    if o.quick:
        o.random, o.loops = 10, 1
    if o.rows:
        write_rows(o.output)
    else:
        make(o.output, o.random, o.loops)


if __name__ == "__main__":
    main()
