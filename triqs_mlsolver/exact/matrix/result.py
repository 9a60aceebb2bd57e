# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""What the bins of a matrix CT-HYB run say: consistent G and F, local expectation values, error bars, diagnostics."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse.csgraph import connected_components

from ...numerics import legendre
from ...problem import Problem, Solution
from ...problem.symmetry import (
    generating_permutations,
    label_mean,
    legendre_over_flavours,
    local_hamiltonian,
    pair_orbits,
)
from ..analysis import N_IW, N_TAU, RESOLVED, Estimates, label_noise, smooth, symmetry_deviation, unseen
from ..segment.estimators import cell_edges, end_rows, spectral_prior
from ..statistics import curved, dominance, drift, few_samples, jackknife_error, leave_one_out
from .estimators import ConsistentColumn, EquationOfMotion
from .local import LocalBasis

# Errors of G are much alike in all cells, so that these count as fewer than they are. Beyond 4 nothing more is gained
# at U/D, βD, orbitals = 1.5, 30, 2; 2.5, 15, 2; 1.5, 15, 3 (half filled): a third of the variance of Σ(iω₀) and G(β/2).
_CORRELATED = 4.0


class Workspace:
    """What the analysis of any bins of one problem needs, computed once."""

    def __init__(self, problem: Problem, basis: LocalBasis, pairs: list, n_cells: int):
        self.problem, self.basis, self.pairs = problem, basis, pairs
        beta, N, n_l = problem.beta, problem.n_flavours, problem.n_l
        self.h = local_hamiltonian(problem)
        self.Delta = legendre_over_flavours(problem, problem.Delta_l)
        self.edges = cell_edges(beta, n_cells)
        self.middle = 0.5 * (self.edges[1:] + self.edges[:-1])
        self.integrals = legendre.integrals(beta, self.edges, n_l)
        self.tau = np.linspace(0, beta, N_TAU)
        self.to_tau = legendre.vandermonde(2 * self.tau / beta - 1, n_l).T / beta
        permutations = generating_permutations(problem, self.Delta)
        self.alike = pair_orbits(permutations, N)  # G_ab = G_ba where all is real
        self.alike_in_order = pair_orbits(permutations, N, ordered=True)
        if np.iscomplexobj(self.h) or np.iscomplexobj(self.Delta):
            self.alike = self.alike_in_order
        mixed = np.abs(self.h) + np.max(np.abs(self.Delta), axis=0) > 0
        label = connected_components(mixed)[1]
        self.groups = [np.flatnonzero(label == k) for k in range(label.max() + 1)]
        self.amplitude = np.sum(np.abs(problem.U), axis=1) + _strength_of_terms(problem)
        self.prior = spectral_prior(beta, problem.largest_energy, 1.0, n_l)
        self._motions: dict = {}

    def motion(self, group) -> EquationOfMotion:
        h, Delta = self.h[np.ix_(group, group)], self.Delta[:, group][:, :, group]
        key = (h.tobytes(), Delta.tobytes())
        if key not in self._motions:
            self._motions[key] = EquationOfMotion(self.problem.beta, h, Delta, self.problem.n_l)
        return self._motions[key]

    @cached_property
    def expectation(self) -> Expectations:
        return Expectations(self.problem, self.basis, [(a, b) for a, b in self.pairs if a != b])


def _strength_of_terms(problem: Problem) -> np.ndarray:
    """Σ |coefficient| of the terms each flavour is in, (N,)."""
    out = np.zeros(problem.n_flavours)
    for value, indices in problem.terms:
        for f in set(indices):
            out[f] += abs(value)
    return out


class Expectations:
    """Local expectation values as linear functions of the density matrix in the layout of `kernel.Sums`.

    `mixed` are the pairs of flavours that Δ connects.
    """

    def __init__(self, problem: Problem, basis: LocalBasis, mixed: list[tuple[int, int]]):
        self.basis, self.N, self.mixed = basis, problem.n_flavours, mixed
        N, E, h = self.N, basis.energies, local_hamiltonian(problem)
        pairs = [(a, b) for a in range(N) for b in range(N)]
        kinds = {name: self._empty(N * N) for name in ("one_body", "y", "static", "second", "nn")}
        h_int = self._empty(1)
        for s, states in enumerate(basis.sectors):
            c = [basis.ladder_from(2 * a, s) for a in range(N)]  # ⟨out|c_a|in⟩ as (in, out)
            c_dag = [basis.ladder_from(2 * a + 1, s) for a in range(N)]
            q = [self._commutator(h, a, s) for a in range(N)]
            q_dag = [self._commutator(h, a, s, dagger=True) for a in range(N)]
            n = [c[a] @ c[a].conj().T if c[a].size else np.zeros((len(c[a]),) * 2) for a in range(N)]
            for k, (a, b) in enumerate(pairs):
                kinds["nn"][states, : len(n[a]), k] = n[a] @ n[b]
                if basis.link[2 * a, s] == basis.link[2 * b, s] >= 0:  # c†_b after c_a leads back
                    back = c[b].conj().T
                    kinds["one_body"][states, : len(c[a]), k] = c[a] @ back
                    kinds["y"][states, : len(c[a]), k] = q[a] @ back
                    kinds["static"][states, : len(c[a]), k] += q[a] @ back
                    kinds["second"][states, : len(c[a]), k] += q[a] @ q[b].conj().T
                if basis.link[2 * a + 1, s] == basis.link[2 * b + 1, s] >= 0:  # c_a after c†_b leads back
                    back = q_dag[a].conj().T
                    kinds["static"][states, : len(c[a]), k] += c_dag[b] @ back
                    kinds["second"][states, : len(c[a]), k] += q_dag[b] @ back
            one_body = sum(h[a, b] * self._density(a, b, s) for a, b in zip(*np.nonzero(h)))
            h_int[states, : len(c[0]), 0] = np.diag(E[states] + basis.lowest) - one_body
        for name, rows in kinds.items():
            setattr(self, name, rows.reshape(-1, N * N))
        self.h_int = h_int.reshape(-1, 1)
        # c†_b c_a may lead from sector to sector: its average is no part of what a trace over sectors tells
        self.known = np.any(self.one_body != 0, axis=0).reshape(N, N)

    def _empty(self, n: int) -> np.ndarray:
        basis = self.basis
        return np.zeros((len(basis.energies), basis.largest, n), basis.ladder.dtype)

    def _density(self, a: int, b: int, s: int) -> np.ndarray:
        """c†_a c_b within sector s, as (in, out)."""
        size = len(self.basis.energies[self.basis.sectors[s]])
        if not self.basis.link[2 * a, s] == self.basis.link[2 * b, s] >= 0:
            return np.zeros((size, size))
        return self.basis.ladder_from(2 * b, s) @ self.basis.ladder_from(2 * a, s).conj().T

    def _commutator(self, h: np.ndarray, a: int, s: int, dagger: bool = False) -> np.ndarray:
        """q_a = [c_a, H_int] or its conjugate from sector s, as (in, out): that of H_loc less what is quadratic."""
        basis, o = self.basis, 2 * a + dagger
        if basis.link[o, s] < 0:
            return np.zeros((len(basis.energies[basis.sectors[s]]), 0))
        here, there = basis.energies[basis.sectors[s]], basis.energies[basis.sectors[basis.link[o, s]]]
        out = basis.ladder_from(o, s) * ((there - here[:, None]) if dagger else (here[:, None] - there))
        for b in np.flatnonzero(h[a]):
            if basis.link[2 * b + dagger, s] != basis.link[o, s]:
                continue  # rounding: levels that count connect sectors
            out = out - (h[a, b].conj() if dagger else h[a, b]) * basis.ladder_from(2 * b + dagger, s)
        return out

    def matrices(self, rho: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Expectation values (s, N, N) from density matrices (s, n_states, largest)."""
        return (rho.reshape(len(rho), -1) @ rows).reshape(len(rho), self.N, self.N)

    def density_matrix_error(self, rho: np.ndarray) -> np.ndarray:
        """One standard error of `density_matrix` from leave-one-out samples (1 + n_bins, n_states, largest)."""
        mean, square = self.density_matrix(rho[1:].mean(axis=0)), 0.0
        for sample in rho[1:]:
            square = square + np.abs(self.density_matrix(sample) - mean) ** 2
        n = len(rho) - 1
        return few_samples(n) * np.sqrt((n - 1) / n * square)

    def density_matrix(self, rho: np.ndarray) -> np.ndarray:
        """ρ over Fock states whose bit i is flavour i, (2^N, 2^N)."""
        basis = self.basis
        out = np.zeros((len(basis.energies),) * 2, rho.dtype)
        for s, members in enumerate(basis.states):
            inside, V = rho[basis.sectors[s], : len(members)], basis.vectors[s]
            out[np.ix_(members, members)] = V @ inside @ V.conj().T
        out = 0.5 * (out + out.conj().T)
        out[self._between_sectors] = np.nan
        return out

    @cached_property
    def _between_sectors(self) -> np.ndarray:
        """Elements of the density matrix that Δ makes and no trace over sectors tells, (2^N, 2^N) of bool."""
        out = np.zeros((len(self.basis.energies),) * 2, bool)
        for a, b in self.mixed:
            link = self.basis.link[2 * a], self.basis.link[2 * b + 1]
            for s, middle in enumerate(link[0]):
                end = link[1][middle] if middle >= 0 else -1
                if end >= 0 and end != s:
                    out[np.ix_(self.basis.states[end], self.basis.states[s])] = True
        return out


@dataclass
class Analysis(Estimates):
    """Results over flavours; arrays with a leading sample axis hold the mean and then the leave-one-out samples.

    G_l and F_l (s, N, N, n_l), nn, static, first (s, N, N), h_int (s,); G_unresolved and F_unresolved (r, N, N, n_l).
    """

    G_l: np.ndarray
    F_l: np.ndarray
    nn: np.ndarray
    static: np.ndarray
    first: np.ndarray
    h_int: np.ndarray
    rho: np.ndarray
    G_unresolved: np.ndarray
    F_unresolved: np.ndarray
    tau: np.ndarray
    G_tau: np.ndarray
    G_tau_error: np.ndarray
    average_sign: float
    average_weight: float
    drift: float
    symmetry_deviation: float
    dominance: float
    raw: dict


def analyse(work: Workspace, bins, n_independent: float, sampled) -> Analysis:
    """Everything that follows from the bins (`chain.RawBins`) of all ranks, in the order of time.

    `n_independent` is the number of independent measurements in them, `sampled` (N, N, n_cells) what limits the
    elements of the inverse in the middle of all cells, see `chain.MarkovChain.sampled_size`.

    Raises
    ------
    RuntimeError
        If the average sign vanishes or a flavour never hybridised.
    """
    problem, N, beta = work.problem, work.problem.n_flavours, work.problem.beta
    average_weight = float(np.mean(bins.magnitude))
    average_sign = float(np.mean(bins.weight)) / average_weight
    if not abs(average_sign) > 1e-3:
        raise RuntimeError(f"the average sign is {average_sign:.1e}: nothing can be measured")
    samples = bins.map(leave_one_out)
    over = lambda a: a / samples.weight.reshape((-1,) + (1,) * (a.ndim - 1))
    G_hat = _by_flavours(work, over(samples.G_l))
    G_cells, K_cells = (_by_flavours(work, over(a)) for a in (samples.G_cells, samples.K_cells))
    rho = over(samples.rho)
    silent = [f for f in range(N) if not np.any(G_hat[0, f, f])]
    if silent:
        raise RuntimeError(
            f"flavours {silent} never hybridised in this run, so that their G was not measured: run longer, or use "
            f"exact diagonalisation where Delta is this weak"
        )
    asymmetry = symmetry_deviation(G_hat[:, range(N), range(N)], np.diag(work.alike) // N)
    average = lambda a, labels: label_mean(a.reshape(len(a), N * N, -1), labels.ravel()).reshape(a.shape)
    conjugate = lambda a: a.swapaxes(1, 2).conj()
    G_cells, K_cells = average(G_cells, work.alike), average(K_cells, work.alike_in_order)
    G_hat = average(G_hat, work.alike)

    E = work.expectation
    values = {
        name: average(E.matrices(rho, getattr(E, name)), work.alike_in_order)
        for name in ("one_body", "y", "static", "second", "nn")
    }
    one_body, y, static, second = (values[name] for name in ("one_body", "y", "static", "second"))
    static, second = 0.5 * (static + conjugate(static)), 0.5 * (second + conjugate(second))
    nn = values["nn"].real
    h_int = (rho.reshape(len(rho), -1) @ E.h_int)[:, 0].real
    F_slope = np.einsum("sac,cb->sab", static, work.h) + second
    G_error = smooth(jackknife_error(G_cells).reshape(N * N, -1)).reshape(N, N, -1)
    K_error = smooth(jackknife_error(K_cells).reshape(N * N, -1)).reshape(N, N, -1)
    density = np.diagonal(one_body[0]).real
    n_independent = n_independent * average_weight
    nn_unseen = 1 / (n_independent * max(1.0, beta * float(np.max(np.abs(problem.U), initial=0.0))))
    not_seen = np.zeros((N, N, len(work.edges) - 1))
    for f in range(N):
        inside = G_cells[0, f, f].real, G_error[f, f], density[f]
        not_seen[f, f] = unseen(beta, sampled[f, f], work.edges, n_independent, *inside)
    for a, b in work.pairs:
        if a != b:
            not_seen[a, b] = _unseen_between(beta, sampled[a, b], n_independent, G_cells[0], G_error, a, b)

    n_l, s = problem.n_l, len(nn)
    G, F = np.zeros((2, s, N, N, n_l), G_cells.dtype)
    dG, dF, done = [], [], {}
    for group in work.groups:
        labels = work.alike_in_order[np.ix_(group, group)].tobytes()
        if labels in done:
            here, there = (np.s_[:, g[:, None], g] for g in (group, done[labels]))
            for x in (G, F, *dG, *dF):
                x[here] = x[there]
            continue
        done[labels] = group
        motion = work.motion(group)
        amplitude, largest_level = np.max(work.amplitude[group]), np.max(np.abs(work.h[np.ix_(group, group)]))
        inside = np.ix_(range(s), group, group)
        if amplitude == 0:
            G[inside] = np.moveaxis(motion.G0, 1, 2)[None]
            continue
        for column, b in enumerate(group):
            G_sigma = np.hypot(_CORRELATED * G_error[group, b], not_seen[group, b])
            K_sigma = np.hypot(K_error[group, b], not_seen[group, b] * (amplitude + largest_level))
            floor = 1e-9 * np.max(G_sigma) + 1e-300
            fit = ConsistentColumn(
                beta, motion, column, work.prior * amplitude, work.integrals,
                np.maximum(G_sigma, floor), np.maximum(K_sigma, floor * amplitude), E.known[group, b],
            )  # fmt: skip
            ends = (y - static)[:, group, b], -y[:, group, b], F_slope[:, group, b], -one_body[:, group, b]
            estimates = G_cells[:, group, b], K_cells[:, group, b]
            found = fit(*estimates, *ends)
            G[:, group, b], F[:, group, b] = found
            moved_ends = [x[:1].copy() for x in ends]
            moved_ends[3][0, column] -= nn_unseen
            moved = fit(*(x[:1] for x in estimates), *moved_ends)
            for store, unresolved, new, old in (
                (dG, fit.G_unresolved, moved[0], found[0]),
                (dF, fit.F_unresolved, moved[1], found[1]),
            ):
                block = np.zeros((len(unresolved) + 1, N, N, n_l), G.dtype)
                block[:-1, group, b] = unresolved
                block[-1, group, b] = (new - old[:1])[0]
                store.append(block)
    G = 0.5 * (G + conjugate(G))
    dG, dF = _fewer(dG, (N, N, n_l)), _fewer(dF, (N, N, n_l))
    if problem.is_particle_hole_symmetric():
        G, F, dG, dF = _particle_hole(problem, G, F, dG, dF)

    # where the density matrix does not tell them, the moments are those of the fit
    ends = np.stack(end_rows(beta, n_l))
    static = -F @ (ends[0] + ends[1])
    static = 0.5 * (static + conjugate(static))
    first = F @ ends[2] - static @ (work.h + static)
    first = 0.5 * (first + conjugate(first))

    analysis = Analysis(
        G, F, nn, static, first, h_int, rho, dG, dF, work.tau, (G @ work.to_tau)[0], np.empty(0), average_sign,
        average_weight, float(np.max(np.abs(drift(E.matrices(bins.rho, E.nn).real.reshape(len(bins), -1))))), asymmetry,
        dominance(np.concatenate([G_hat.reshape(s, -1), K_cells.reshape(s, -1)], axis=1)),
        {"G_l": G_hat, "unseen": not_seen, "nn_unseen": nn_unseen},
    )  # fmt: skip
    analysis.G_tau_error = analysis.error(lambda G, F: G @ work.to_tau)
    return analysis


def _unseen_between(beta: float, Delta, n_independent: float, G_cells, G_error, a: int, b: int) -> np.ndarray:
    """The same as `unseen` for G_ab, which no line bounds, but |G_ab|² ≤ G_aa G_bb does."""
    missing = 1 / (beta * n_independent * Delta)
    size = lambda f: np.abs(G_cells[f, f]) + 2 * G_error[f, f]
    return np.minimum(missing / np.sqrt(RESOLVED), np.sqrt(size(a) * size(b)))


def _fewer(parts: list, shape: tuple) -> np.ndarray:
    """Independent deviations (r, N, N, n_l) of all columns: those of different columns may share a number."""
    if not parts:
        return np.zeros((0, *shape))
    out = np.zeros((max(map(len, parts)), *shape), parts[0].dtype)
    for part in parts:
        out[: len(part)] += part
    return out


def _particle_hole(problem, G, F, dG, dF):
    """Averages over the particle-hole map of a diagonal problem that it leaves unchanged."""
    sign = (-1.0) ** np.arange(G.shape[-1])
    half = 0.5 * problem.U.sum(axis=1)[:, None, None]
    even = lambda a: 0.5 * (a + a * sign)
    odd = lambda a: 0.5 * (a - a * sign)
    return even(G), half * even(G) + odd(F - half * G), even(dG), half * even(dG) + odd(dF - half * dG)


def _by_flavours(work: Workspace, a: np.ndarray) -> np.ndarray:
    """(s, n_entries, m) → (s, N, N, m)."""
    N = work.problem.n_flavours
    out = np.zeros((len(a), N, N, a.shape[-1]), a.dtype)
    for k, (i, j) in enumerate(work.pairs):
        out[:, i, j] = a[:, k]
    return out


def as_solution(problem: Problem, work: Workspace, a: Analysis, provenance: dict, statistics: dict) -> Solution:
    """The `Solution` of an `Analysis`."""
    rounding = 1e-10 * problem.beta
    n_l = a.G_l.shape[-1]
    T = legendre.transfer_matrix(np.arange(N_IW), n_l).T
    blocks = [slice(o, o + size) for o, (_, size) in zip(problem.offsets, problem.gf_struct)]
    cut = lambda m: tuple(m[b, b] for b in blocks)
    elements = lambda m: m.reshape(len(m), problem.n_flavours**2, n_l)
    series = lambda m: tuple(np.moveaxis(m[b, b], -1, 0) for b in blocks)

    def Sigma_iw(G, F):
        out = np.zeros((len(G), *G.shape[1:3], N_IW), complex)
        for b in blocks:
            g, f = (np.moveaxis(x[:, b, b] @ T, -1, 1) for x in (G, F))
            out[:, b, b] = np.moveaxis(f @ np.linalg.inv(g), 1, -1)
        return out

    G_iw = lambda G, F: G @ T
    diagonal = lambda m: np.diagonal(m, axis1=1, axis2=2)
    Z = lambda G, F: 1 / (1 - diagonal(Sigma_iw(G, F)[..., 0]).imag * problem.beta / np.pi)
    G_iw_error, at_mean = a.complex_error(G_iw), (a.G_l[:1], a.F_l[:1])
    G_mean, Sigma_mean = G_iw(*at_mean)[0], Sigma_iw(*at_mean)[0]
    # G is inverted as a matrix: its least singular value counts, beside the largest that its error may have
    least, largest = (np.linalg.norm(m, order, axis=(0, 1)) for m, order in ((G_mean, -2), (np.abs(G_iw_error), 2)))
    Sigma_iw_error = curved(a.complex_error(Sigma_iw), Sigma_mean, least, largest)
    more = {
        "tau": a.tau,
        "G_tau": a.G_tau,
        "G_tau_error": a.G_tau_error,
        "tau_edges": work.edges,
        "G_tau_unseen": a.raw["unseen"] / np.diff(work.edges),
        "G_iw": G_mean,
        "G_iw_error": G_iw_error,
        "Sigma_iw": Sigma_mean,
        "Sigma_iw_error": Sigma_iw_error,
        "Z_error": a.error(Z),
        "density_matrix": work.expectation.density_matrix(a.rho[0]),
        "density_matrix_error": work.expectation.density_matrix_error(a.rho),
        "h_int_error": float(jackknife_error(a.h_int)),
        "samples": {"G_l": a.G_l, "F_l": a.F_l, "nn": a.nn, "G_l_raw": a.raw["G_l"]},
    }
    return Solution(
        beta=problem.beta,
        gf_struct=problem.gf_struct,
        G_l=series(a.G_l[0]),
        G_l_error=series(a.error(lambda G, F: G) + rounding),
        F_l=series(a.F_l[0]),
        F_l_error=series(a.error(lambda G, F: F) + rounding * problem.largest_energy),
        nn=a.nn[0],
        nn_error=np.hypot(jackknife_error(a.nn), a.raw["nn_unseen"]),
        Sigma_infty=cut(a.static[0]),
        Sigma_1=cut(a.first[0]),
        h_int=float(a.h_int[0]),
        provenance=provenance | label_noise(problem.beta, elements(a.G_l), elements(a.G_unresolved)),
        statistics=statistics | more,
    )
