# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
r"""Self-consistency on the Bethe lattice, on plain problems: Δ(τ) = (D/2)² G(τ) (Georges et al., RMP 68, 13 (1996)).

`solve_bethe` and `scan_bethe` serve one paramagnetic orbital, `solve_bethe_orbitals` any blocks and magnetic order.

Used by the demo, the examples and the tests; any object with `solve(problem) -> Solution` can be the impurity solver.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.optimize import brentq

from ..numerics import dlr, legendre
from ..problem import Problem, Solution
from ..problem.symmetry import legendre_over_flavours, over_flavours, pair_mean, pairs_alike

_PARAMAGNETIC = (("up", 1), ("down", 1))
_LATTICE_STEPS = 30  # of G = 1/(iω − h − Σ − Δ[G]), started from the impurity's G


@dataclass(frozen=True, eq=False)
class Converged:
    """One self-consistent solution of a scan.

    Attributes
    ----------
    U, mu : float
        In units of D.
    solution : Solution
        Last answer of the loop.
    Z, double_occupancy, density : float
        Of the last answer; density is per site (0–2).
    n_iterations : int
    converged : bool
        The change of Δ(τ) fell below the tolerance.
    exact, bounds : lists
        Per iteration: whether the exact solver ran, and the error bound, where the solver tells.
    """

    U: float
    mu: float
    solution: Solution
    Z: float
    double_occupancy: float
    density: float
    n_iterations: int
    converged: bool
    exact: list = field(default_factory=list)
    bounds: list = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class ConvergedOrbitals:
    """One self-consistent solution for any blocks.

    Attributes
    ----------
    problem : Problem
        The last impurity problem.
    solution : Solution
        Its answer: densities and pair correlators are in `solution.nn`.
    Z : (N,) array
        Quasiparticle weight per flavour.
    n_iterations : int
    converged : bool
        The change of Δ(τ) fell below the tolerance.
    exact, bounds : lists
        Per iteration, as in `Converged`.
    """

    problem: Problem
    solution: Solution
    Z: np.ndarray
    n_iterations: int
    converged: bool
    exact: list = field(default_factory=list)
    bounds: list = field(default_factory=list)


def semicircle(beta: float, half_bandwidth: float = 1.0, *, level: float = 0.0) -> np.ndarray:
    """Legendre coefficients of the G of free electrons, (n_l,): a semicircular density of states about `level`."""
    theta = (np.arange(400) + 0.5) * np.pi / 400
    weight = 2 / 400 * np.sin(theta) ** 2
    return legendre.from_poles(beta, level + half_bandwidth * np.cos(theta), weight)


def bethe_problem(beta: float, U: float, mu: float, G_l: np.ndarray, half_bandwidth: float = 1.0) -> Problem:
    """The paramagnetic impurity problem whose bath is that of a lattice with local G given by `G_l` (n_l,)."""
    Delta = 0.25 * half_bandwidth**2 * np.asarray(G_l)[:, None, None]
    return Problem(beta, _PARAMAGNETIC, ([[-mu]], [[-mu]]), (Delta, Delta), [[0, U], [U, 0]])


def solve_bethe(
    solver: object,
    beta: float,
    U: float,
    mu: float | None = None,
    start: np.ndarray | None = None,
    *,
    half_bandwidth: float = 1.0,
    max_iterations: int = 100,
    tolerance: float = 1e-3,
    mixing: float = 1.0,
    watch: Callable[[int, Solution], None] | None = None,
) -> Converged:
    """DMFT for the paramagnetic Hubbard model on the Bethe lattice.

    Parameters
    ----------
    solver : object with solve(problem) -> Solution
    beta, U, mu : float
        Inverse temperature, interaction and chemical potential; μ = U/2 (half filling) by default.
    start : (n_l,) array, optional
        Legendre coefficients of the local G to start from; free electrons by default.
    half_bandwidth : float
        D, the unit of energy of the problem.
    max_iterations : int
    tolerance : float
        Converged when G(τ) is estimated to be closer than this to the fixed point (dimensionless): the change of one
        iteration says little where the loop creeps, so the later changes are summed as a geometric series.
    mixing : float
        Share of the new G in the next bath.
    watch : callable, optional
        Called after every iteration with its number and solution.

    Returns
    -------
    Converged
    """
    mu = U / 2 if mu is None else mu
    half_filled = abs(mu - U / 2) < 1e-12 * max(abs(U), half_bandwidth)
    G = semicircle(beta, half_bandwidth) if start is None else np.asarray(start)
    loop = _iterate(
        solver,
        lambda G: bethe_problem(beta, U, mu, G[0][:, 0, 0], half_bandwidth),
        [G[:, None, None]],
        lambda problem, solution: [paramagnetic(solution, half_filled)[:, None, None]],
        (1, max_iterations),
        tolerance,
        mixing,
        watch,
    )
    Z = float(np.mean(loop.Z))
    density = float(np.sum(loop.solution.density))
    pair = loop.solution.double_occupancy
    return Converged(U, mu, loop.solution, Z, pair, density, loop.n_iterations, loop.converged, loop.exact, loop.bounds)


def solve_bethe_orbitals(
    solver: object,
    local: Problem,
    start: Sequence[np.ndarray] | None = None,
    *,
    half_bandwidth: float | Sequence[float] = 1.0,
    bath_of: Mapping[str, str] | None = None,
    density: float | None = None,
    min_iterations: int = 1,
    max_iterations: int = 100,
    tolerance: float = 1e-3,
    mixing: float = 1.0,
    watch: Callable[[int, Solution], None] | None = None,
) -> ConvergedOrbitals:
    """DMFT on the Bethe lattice for any blocks and interaction: Δ_ab(τ) = ¼ D_a D_b G_ab(τ).

    Flavours that the first impurity problem does not tell apart stay alike: every G is averaged over them, and at half
    filling of a particle-hole symmetric problem over τ → β − τ.

    Parameters
    ----------
    solver : object with solve(problem) -> Solution
    local : Problem
        β, blocks, h_loc0 (−μ included) and the interaction; its Δ is not used.
    start : sequence of (n_l, n, n) arrays, optional
        Legendre coefficients of the local G per block to start from; by default free electrons, polarised where
        `bath_of` exchanges blocks.
    half_bandwidth : float or (N,) array
        D of all flavours or of each.
    bath_of : dict, optional
        The block of G that makes the bath of a block, where that is another one: {"up": "down", "down": "up"} on a
        bipartite lattice with two antiferromagnetic sublattices that differ by a spin flip.
    density : float, optional
        Electrons per site to be kept: μ follows from iteration to iteration, and the −μ in `local` is where it starts.
        `ConvergedOrbitals.problem` has the levels that were found. Converged means that the answer, too, has this
        density, to `tolerance`.
    min_iterations : int
        Iterations that are made in any case: with noisy answers convergence is easily taken for granted.
    max_iterations, tolerance, mixing, watch
        As in `solve_bethe`.
    """
    D = np.broadcast_to(np.asarray(half_bandwidth, float), local.n_flavours)
    blocks = [slice(o, o + size) for o, (_, size) in zip(local.offsets, local.gf_struct)]
    strength = [0.25 * np.outer(D[block], D[block]) for block in blocks]
    source = _sources(local, bath_of or {})
    if start is None:
        start = _free(local, D, _polarisation(source, float(np.max(D))))

    across, origin = over_flavours(local, strength), np.concatenate([np.r_[blocks[other]] for other in source])
    filling = _Filling(local, density, lambda G: across * G[:, origin][:, :, origin])

    def problem_of(G):
        Delta_l = tuple(strength[b] * G[source[b]] for b in range(len(blocks)))
        return replace(local, h_loc0=filling.h_loc0, Delta_l=Delta_l, bath=None)

    first = problem_of(start)
    alike = pairs_alike(first)
    symmetric = density is None and first.is_particle_hole_symmetric()

    def symmetrised(problem, solution):
        G = pair_mean(legendre_over_flavours(local, solution.G_l), alike)
        if symmetric:
            G[1::2] = 0.0
        G = filling.kept(problem, G)
        return [G[:, block, block] for block in blocks]

    if min_iterations > max_iterations:
        raise ValueError(
            f"min_iterations = {min_iterations} exceeds max_iterations = {max_iterations}: raise the latter"
        )
    iterations = (min_iterations, max_iterations)
    return _iterate(solver, problem_of, list(start), symmetrised, iterations, tolerance, mixing, watch, density)


class _Filling:
    """h_loc0 per block, whose −μ follows the number of electrons where that is given."""

    def __init__(self, local: Problem, density: float | None, bath: Callable[[np.ndarray], np.ndarray]):
        if density is not None and not 0 < density < local.n_flavours:
            raise ValueError(
                f"density = {density!r} is not possible: give the electrons per site, between 0 and {local.n_flavours}"
            )
        self.h_loc0, self.density, self.bath = local.h_loc0, density, bath

    def kept(self, problem: Problem, G_l: np.ndarray) -> np.ndarray:
        """The local G, (n_l, N, N), of the lattice with this answer's Σ(iω) − Σ∞ and the wanted density.

        1/G = iω − h + δ − Σ − Δ[G]. The levels are shifted by δ and by what Σ∞ = U n changes with the density.
        """
        if self.density is None:
            return G_l
        grid = dlr.grid(problem.beta * problem.largest_energy)
        impurity, one = grid.iw_of_legendre(G_l), np.eye(problem.n_flavours)
        free = np.linalg.inv(impurity) + grid.iw_of_legendre(legendre_over_flavours(problem, problem.Delta_l))
        densities = lambda G: -np.real(np.diagonal(np.tensordot(grid.end_from_iw, G, axes=(0, 0)))) / problem.beta

        def lattice(shift):
            G = impurity
            for _ in range(_LATTICE_STEPS):
                G = np.linalg.inv(free + shift * one - self.bath(G))
            return G

        reach = 2 * problem.largest_energy
        shift = brentq(lambda x: densities(lattice(x)).sum() - self.density, -reach, reach, xtol=1e-10 * reach)
        G = lattice(shift)
        shift += float(np.mean(problem.U @ (densities(G) - densities(impurity))))
        self.h_loc0 = tuple(h - shift * np.eye(len(h)) for h in self.h_loc0)
        return grid.to_legendre(problem.beta, grid.to_tau(problem.beta, G), len(G_l))


def _sources(local: Problem, bath_of: Mapping[str, str]) -> list[int]:
    """Number of the block whose G makes the bath of each block."""
    names = [name for name, _ in local.gf_struct]
    unknown = sorted({*bath_of, *bath_of.values()} - set(names))
    if unknown:
        raise ValueError(f"bath_of names the blocks {unknown}, which are not in gf_struct: it has {names}")
    source = [names.index(bath_of.get(name, name)) for name in names]
    for (name, size), other in zip(local.gf_struct, source):
        if local.gf_struct[other][1] != size:
            raise ValueError(
                f"bath_of gives block {name!r} of size {size} the bath of {names[other]!r}, of another size"
            )
    return source


def _free(local: Problem, D: np.ndarray, levels: list[float]) -> list[np.ndarray]:
    """G_l of free electrons per block (n_l, n, n), for the half bandwidth of each flavour and level of each block."""
    out = []
    for offset, (_, size), level in zip(local.offsets, local.gf_struct, levels):
        own = [semicircle(local.beta, d, level=level) for d in D[offset : offset + size]]
        n_l = max(map(len, own))
        out.append(np.stack([np.diag(row) for row in np.stack([legendre.resized(g, n_l) for g in own], axis=1)]))
    return out


def _polarisation(source: list[int], unit: float) -> list[float]:
    """Levels that start exchanged blocks off in opposite directions."""
    return [0.5 * unit * float(np.sign(block - other)) for block, other in enumerate(source)]


def _iterate(
    solver, problem_of, G, symmetrised, iterations, tolerance, mixing, watch, density=None
) -> ConvergedOrbitals:
    """The loop: `problem_of` makes a problem from the local G per block, `symmetrised` the next G from its solution."""
    exact, bounds, changes = [], [], []
    converged = False
    for iteration in range(1, iterations[1] + 1):
        problem = problem_of(G)
        solution = solver.solve(problem)
        new = symmetrised(problem, solution)
        decision = getattr(solver, "last_decision", None)
        exact.append(decision is None or decision.source == "exact")
        bounds.append(np.nan if decision is None else decision.error_bound)
        if watch:
            watch(iteration, solution)
        old = [legendre.resized(g, len(n)) for g, n in zip(G, new)]
        change = [n - o for n, o in zip(new, old)]
        tau = np.linspace(0, problem.beta, 201)
        changes.append(float(max(np.max(np.abs(legendre.evaluate(problem.beta, c, tau))) for c in change)))
        G = [o + mixing * c for o, c in zip(old, change)]
        noise = solution.provenance.get("G_tau_noise", 0.0)  # an answer with noise cannot come to rest more closely
        within = max(tolerance, 2 * noise)
        kept = density is None or abs(float(solution.density.sum()) - density) < within
        if iteration >= iterations[0] and kept and distance_to_fixed_point(changes) < within:
            converged = True
            break
    return ConvergedOrbitals(problem, solution, solution.Z(problem), iteration, converged, exact, bounds)


def distance_to_fixed_point(changes: list[float]) -> float:
    """Estimated sum of all later changes, if the last ones continue as a geometric series; inf with fewer than two."""
    if len(changes) < 2:
        return np.inf if not changes or changes[-1] > 1e-12 else 0.0
    recent = changes[-3:]
    ratio = min((recent[-1] / recent[0]) ** (1 / (len(recent) - 1)) if recent[0] > 0 else 0.0, 0.98)
    return recent[-1] * max(ratio / (1 - ratio), 0.5)


def paramagnetic(solution: Solution, half_filled: bool = False) -> np.ndarray:
    """Spin-averaged G_l (n_l,), at half filling also symmetric under τ → β − τ."""
    G = np.mean([g[:, 0, 0] for g in solution.G_l], axis=0)
    if half_filled:
        G = G.copy()
        G[1::2] = 0.0
    return G


def scan_bethe(
    solver: object, beta: float, U_values: Iterable[float], start: np.ndarray | None = None, **options
) -> list[Converged]:
    """One `solve_bethe` after the other, each started from the solution before it."""
    out = []
    for U in U_values:
        out.append(solve_bethe(solver, beta, float(U), start=start, **options))
        start = paramagnetic(out[-1].solution, half_filled=options.get("mu") is None)
    return out
