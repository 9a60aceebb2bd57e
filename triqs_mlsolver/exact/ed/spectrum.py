# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
r"""All eigenstates of an impurity with a discrete bath, and what follows from them at finite temperature.

.. math::
    H = \sum_{ij} t_{ij} c^\dagger_i c_j + \tfrac12 \sum_{ij} U_{ij} n_i n_j
        + \sum_{ijkl} W_{ijkl} c^\dagger_i c^\dagger_j c_k c_l,

    G_{ab}(\tau) = -\frac{1}{\mathcal Z} \sum_{mn} e^{-(\beta-\tau) E_m - \tau E_n}
                   \langle m|c_a|n\rangle \langle n|c^\dagger_b|m\rangle .

Each sector that H does not mix with others is diagonalised on its own, and only one of those that a symmetry maps onto
each other.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

import numpy as np

from ...problem import DiscreteBath, Problem
from ...problem.symmetry import local_hamiltonian
from .fock import FockSpace, Moves, fock_space, occupations
from .impurity_operators import interaction_energy, why_not_hermitian
from .mode_permutations import ModePermutation, permutations_of

_LARGEST_SECTOR = 2500  # states; its diagonalisation takes about half a minute
_MOST_MODES = 16
_SURELY_FEW = 13  # spin-orbitals whose sectors of fixed electron number all stay below that, C(13, 6) = 1716
_NEGLIGIBLE = 42.0  # −log of Boltzmann weights that are dropped

Operator = dict[tuple[int, int], Moves]


class Spectrum:
    """Eigenstates of `problem` with the discrete `bath`.

    Parameters
    ----------
    problem : Problem
    bath : sequence of DiscreteBath
        One per block; sites without coupling are left out. None for the isolated impurity.

    Attributes
    ----------
    space : FockSpace
    energies : list of (dim,) arrays
        Per sector, ascending, from the ground state (energy).
    vectors : list of (dim, dim) arrays
    weights : list of (dim,) arrays
        Probabilities.
    permutations : tuple of ModePermutation
        Generators of the symmetries.

    Raises
    ------
    ValueError
        If a sector is too large for a full diagonalisation, or the interaction is not Hermitian.
    """

    def __init__(self, problem: Problem, bath: Sequence[DiscreteBath] | None = None):
        reason = why_not_hermitian(problem) or why_too_large(problem, bath)
        if reason:
            raise ValueError(reason)
        self.problem = problem
        sites = bath_sites(problem, bath)
        t = one_body(problem, sites)
        n_modes, N = len(t), problem.n_flavours
        self.space = _space(problem, t)
        coefficients = np.array([t[hop] for hop in _hops(t)] + [value for value, _ in problem.terms])
        states = np.arange(2**n_modes)
        diagonal = occupations(states, n_modes) @ np.diag(t) + interaction_energy(problem)[states & (2**N - 1)]
        self.permutations: tuple[ModePermutation, ...] = permutations_of(problem, sites)
        self._diagonalise(coefficients, diagonal)

    def _diagonalise(self, coefficients: np.ndarray, diagonal: np.ndarray) -> None:
        n = len(self.space.sectors)
        self.energies, self.vectors = [None] * n, [None] * n
        for s in range(n):
            if self.energies[s] is None:
                H = self.space.hamiltonian(s, coefficients, diagonal)
                self.energies[s], self.vectors[s] = np.linalg.eigh(H)
                self._fill_images(s)
        ground = min(E[0] for E in self.energies)
        self.energies = [E - ground for E in self.energies]
        self.weights = [np.exp(-self.problem.beta * E) for E in self.energies]
        self.partition = sum(w.sum() for w in self.weights)
        self.weights = [w / self.partition for w in self.weights]

    def _fill_images(self, sector: int) -> None:
        """Eigenstates of the sectors that symmetries map `sector` onto, one after the other."""
        reached = [sector]
        for source in reached:
            states = self.space.sectors[source]
            first = occupations(states[:1], self.space.n_modes)[0]
            for permutation in self.permutations:
                image = int(self.space.sector_of[int(first @ (1 << permutation.modes))])
                # a term of the size of rounding may join sectors on one side only
                if self.energies[image] is None and len(self.space.sectors[image]) == len(states):
                    target, sign = permutation.act(states)
                    vectors = np.empty_like(self.vectors[source])
                    vectors[self.space.place_of[target]] = sign[:, None] * self.vectors[source]
                    self.energies[image], self.vectors[image] = self.energies[source], vectors
                    reached.append(image)

    @property
    def flavour_permutations(self) -> tuple[tuple[int, ...], ...]:
        return tuple(p.flavours for p in self.permutations)

    def correlators(
        self, tau: np.ndarray, operators: dict[Hashable, Operator], pairs: Iterable[tuple[Hashable, Hashable]]
    ) -> dict[tuple[Hashable, Hashable], np.ndarray]:
        """−⟨A†(τ) B(0)⟩ for pairs (A, B) of creating `operators`, (n_tau,) each; G_ab for A = c†_a, B = c†_b."""
        beta, pairs = self.problem.beta, list(pairs)
        out = {pair: np.zeros(len(tau)) for pair in pairs}
        rise = [None] * len(self.energies)
        fall = [None] * len(self.energies)
        for s, t in {key for operator in operators.values() for key in operator}:
            present = [(a, b) for a, b in pairs if (s, t) in operators[a] and (s, t) in operators[b]]
            if not present:
                continue
            for k in (s, t):
                if rise[k] is None:
                    rise[k] = np.exp(-(beta - tau)[:, None] * self.energies[k])
                    fall[k] = np.exp(-tau[:, None] * self.energies[k])
            for rows, columns in self._relevant(s, t):
                element = self._elements(operators, {key for pair in present for key in pair}, s, t, rows, columns)
                for a, b in present:
                    strength = element[a] * element[b]
                    out[a, b] -= np.einsum("xm,xm->x", fall[t][:, rows] @ strength, rise[s][:, columns])
        return {pair: values / self.partition for pair, values in out.items()}

    def poles(
        self, operators: dict[Hashable, Operator], pairs: Iterable[tuple[Hashable, Hashable]]
    ) -> tuple[np.ndarray, dict[tuple[Hashable, Hashable], np.ndarray]]:
        """Energies (n,) and weights (n,) of the same functions as sums of poles in iω."""
        pairs = list(pairs)
        energy, weight = [np.zeros(0)], {pair: [np.zeros(0)] for pair in pairs}
        for s, t in {key for operator in operators.values() for key in operator}:
            for rows, columns in self._relevant(s, t):
                element = self._elements(operators, operators, s, t, rows, columns)
                energy.append(np.subtract.outer(self.energies[t][rows], self.energies[s][columns]).ravel())
                population = np.add.outer(self.weights[t][rows], self.weights[s][columns])
                for a, b in pairs:
                    weight[a, b].append((element[a] * element[b] * population).ravel())
        return np.concatenate(energy), {pair: np.concatenate(w) for pair, w in weight.items()}

    def _relevant(self, s: int, t: int) -> list[tuple[slice, slice]]:
        """Rows (states of t) and columns (of s) of the pairs of states not both of negligible weight."""
        low_s, low_t = (int(np.searchsorted(self.problem.beta * self.energies[k], _NEGLIGIBLE)) for k in (s, t))
        parts = [(slice(None), slice(0, low_s))] if low_s else []
        if low_t and low_s < len(self.energies[s]):
            parts.append((slice(0, low_t), slice(low_s, None)))
        return parts

    def _elements(self, operators, keys, s, t, rows, columns) -> dict[Hashable, np.ndarray | float]:
        """⟨n|operator|m⟩ for n in `rows` of sector t and m in `columns` of s; 0.0 where it does not lead there."""
        out: dict[Hashable, np.ndarray | float] = {}
        for key in keys:
            moves = operators[key].get((s, t))
            if moves is None:
                out[key] = 0.0
                continue
            ket = moves.value[:, None] * self.vectors[s][moves.source, columns]
            out[key] = self.vectors[t][moves.target, rows].T @ ket
        return out

    # -- the impurity alone ----------------------------------------------------------------------------------------

    def populations(self) -> np.ndarray:
        """Probability of each Fock state of the impurity, (2^N,)."""
        out = np.zeros(2**self.problem.n_flavours)
        for states, v, w in self._populated():
            out += np.bincount(states & (len(out) - 1), v**2 @ w, len(out))
        return out

    def density_matrix(self) -> np.ndarray:
        """Reduced density matrix of the impurity over its Fock states, (2^N, 2^N)."""
        N = self.problem.n_flavours
        rho = np.zeros((2**N, 2**N))
        for states, v, w in self._populated():
            order = np.argsort(states >> N, kind="stable")
            bath = (states >> N)[order]
            amplitudes, impurity = v[order] * np.sqrt(w), (states & (2**N - 1))[order]
            for group in np.split(np.arange(len(order)), np.flatnonzero(np.diff(bath)) + 1):
                rho[np.ix_(impurity[group], impurity[group])] += amplitudes[group] @ amplitudes[group].T
        return rho

    def _populated(self):
        """States, eigenvectors and weights of the sectors, without what is hardly ever occupied."""
        for states, E, v, w in zip(self.space.sectors, self.energies, self.vectors, self.weights):
            low = int(np.searchsorted(self.problem.beta * E, _NEGLIGIBLE))
            if low:
                yield states, v[:, :low], w[:low]


def bath_sites(problem: Problem, bath: Sequence[DiscreteBath] | None) -> tuple[np.ndarray, np.ndarray]:
    """Levels (n,) and couplings to all flavours (n, N) of the sites of all blocks that couple."""
    N, eps, V = problem.n_flavours, [np.zeros(0)], [np.zeros((0, problem.n_flavours))]
    for offset, b in zip(problem.offsets, bath or ()):
        coupling = np.zeros((len(b.eps), N))
        coupling[:, offset : offset + b.V.shape[1]] = b.V
        coupled = np.any(b.V != 0, axis=1)
        eps.append(b.eps[coupled])
        V.append(coupling[coupled])
    return np.concatenate(eps), np.concatenate(V)


def one_body(problem: Problem, sites: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """The quadratic Hamiltonian over flavours and bath sites, (N + n, N + n)."""
    eps, V = sites
    N = problem.n_flavours
    t = np.diag(np.concatenate([np.zeros(N), eps]))
    t[:N, :N] = local_hamiltonian(problem)
    t[N:, :N], t[:N, N:] = V, V.T
    return t


def why_too_large(problem: Problem, bath: Sequence[DiscreteBath] | None) -> str | None:
    """None where the problem with this bath can be diagonalised, else the reason why not."""
    if problem.n_flavours + sum(len(b.eps) for b in bath or ()) <= _SURELY_FEW:
        return None
    t = one_body(problem, bath_sites(problem, bath))
    if len(t) > _MOST_MODES:
        return f"{len(t)} spin-orbitals, bath included, are too many to diagonalise (at most {_MOST_MODES})"
    largest = max(map(len, _space(problem, t).sectors))
    if largest > _LARGEST_SECTOR:
        return (
            f"{len(t)} spin-orbitals, bath included, make a sector of {largest} states, too many to diagonalise "
            f"(at most {_LARGEST_SECTOR})"
        )
    return None


def _hops(t: np.ndarray) -> list[tuple[int, int]]:
    return [(int(i), int(j)) for i, j in zip(*np.nonzero(np.triu(t, 1)))]


def _space(problem: Problem, t: np.ndarray) -> FockSpace:
    """The Fock space of the one-body Hamiltonian `t` and the interaction terms."""
    hops = tuple((((True, i), (False, j)), ((True, j), (False, i))) for i, j in _hops(t))
    terms = tuple((((True, i), (True, j), (False, k), (False, l)),) for _, (i, j, k, l) in problem.terms)
    return fock_space(len(t), hops + terms)
