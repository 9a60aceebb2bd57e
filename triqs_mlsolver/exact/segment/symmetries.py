# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Symmetries of a diagonal density-density problem: permutations of flavours, and the particle-hole map.

The segment solver offers the permutations as global moves and averages what it measured over all symmetries.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ...numerics import legendre
from ...problem import Problem
from ...problem.permutations import elements, generators, mapping, orbit_labels
from ...problem.symmetry import alike, label_mean

_MAX_MOVES = 100
_TOLERANCE = 1e-10  # of levels, U and Δ, relative to the scale of the problem


@dataclass(frozen=True)
class Symmetries:
    """Which flavours are alike.

    Parameters
    ----------
    Deltas : tuple of (n_l,) arrays
        The distinct hybridisation functions. Flavours that have none share one only where a permutation relates them.
    delta_class : tuple of int
        Which of them each flavour has.
    permutations : tuple of tuples
        Permutations of flavours that generate all those that leave the problem unchanged.
    particle_hole : tuple or None
        A permutation that leaves the problem unchanged together with the particle-hole map.
    """

    Deltas: tuple[np.ndarray, ...]
    delta_class: tuple[int, ...]
    permutations: tuple[tuple[int, ...], ...]
    particle_hole: tuple[int, ...] | None

    @classmethod
    def of(cls, problem: Problem, Deltas: list[np.ndarray]) -> Symmetries:
        """Symmetries of `problem` with the hybridisation `Deltas` of each flavour."""
        distinct: list[np.ndarray] = []

        def label(d: np.ndarray) -> int:
            for i, e in enumerate(distinct):
                n = max(len(d), len(e))
                difference = legendre.resized(d, n) - legendre.resized(e, n)
                if np.max(np.abs(difference)) <= _TOLERANCE * problem.beta * problem.scale**2:
                    return i
            distinct.append(d)
            return len(distinct) - 1

        delta_class = [label(d) for d in Deltas]
        n_distinct = len(distinct)
        mirrored = [label(legendre.particle_hole(d)) for d in Deltas]
        tolerance = _TOLERANCE * max(problem.scale, problem.energy_of_local_part)
        values = np.concatenate([problem.x, -problem.x])
        level = [int(np.argmax(np.abs(values - v) <= tolerance)) for v in values]  # the first one alike
        colour = list(zip(delta_class, level))
        image = list(zip(mirrored, level[problem.n_flavours :]))
        pairs = alike(problem.U[None], tolerance)
        permutations = generators(colour, pairs)
        functions = distinct[:n_distinct]
        delta_class = _told_apart(functions, delta_class, orbit_labels(permutations, np.arange(problem.n_flavours)))
        return cls(tuple(functions), tuple(delta_class), permutations, mapping(colour, image, pairs))

    def moves(self) -> np.ndarray:
        """Permutations among flavours of equal Δ, closed under inversion: exchanges, double exchanges and the
        symmetries.
        """
        n = len(self.delta_class)
        swaps = [(a, b) for a, b in combinations(range(n), 2) if self.delta_class[a] == self.delta_class[b]]
        perms = set()
        for s in swaps:
            for t in [(), *swaps]:
                if not set(s) & set(t) and len(perms) < _MAX_MOVES:
                    p = list(range(n))
                    for a, b in (s, t) if t else (s,):
                        p[a], p[b] = b, a
                    perms.add(tuple(p))
        for p in elements(self.permutations, n, _MAX_MOVES):
            perms |= {p, tuple(int(i) for i in np.argsort(p))}
        perms.discard(tuple(range(n)))
        return np.array(sorted(perms), dtype=np.int64).reshape(len(perms), n)

    @property
    def bare(self) -> np.ndarray:
        """Which flavours have no hybridisation, (N,) of bool."""
        return np.array([not np.any(self.Deltas[c]) for c in self.delta_class])

    def orbits(self) -> np.ndarray:
        """Label of each flavour, (N,): the first flavour it can be mapped to."""
        return orbit_labels(self.permutations, np.arange(len(self.delta_class)))

    # -- averages; arrays carry a leading sample axis ----------------------------------------------------------------

    def average_flavours(self, a: np.ndarray) -> np.ndarray:
        """(s, N, ...) averaged over all permutations."""
        return label_mean(a, self.orbits())

    def average_G(self, G: np.ndarray, mirrored=None) -> np.ndarray:
        """G (s, N, m) averaged over all symmetries; `mirrored` maps τ → β − τ on the last axis, by default of G_l."""
        G, mirrored = self.average_flavours(G), mirrored or mirrored_coefficients
        return G if self.particle_hole is None else 0.5 * (G + mirrored(G)[:, list(self.particle_hole)])

    def average_F(self, F: np.ndarray, G: np.ndarray, U: np.ndarray, mirrored=None) -> np.ndarray:
        """F (s, N, m) averaged over all symmetries; G is the G before averaging.

        Under the particle-hole map n → 1 − n, so that F − ½ Σ_j U_ij G changes sign beside τ → β − τ.
        """
        F, G, mirrored = self.average_flavours(F), self.average_flavours(G), mirrored or mirrored_coefficients
        if self.particle_hole is None:
            return F
        half = 0.5 * U.sum(axis=1)[None, :, None]
        odd = F - half * G
        return half * self.average_G(G, mirrored) + 0.5 * (odd - mirrored(odd)[:, list(self.particle_hole)])

    def average_nn(self, nn: np.ndarray) -> np.ndarray:
        """⟨n_i n_j⟩ (s, N, N) averaged over all symmetries."""
        N = nn.shape[1]
        pairs = orbit_labels(self.permutations, np.arange(N * N).reshape(N, N))
        nn = label_mean(nn.reshape(len(nn), N * N), pairs.ravel()).reshape(nn.shape)
        if self.particle_hole is None:
            return nn
        n = np.diagonal(nn, axis1=1, axis2=2)
        holes = 1 - n[:, :, None] - n[:, None, :] + nn
        p = list(self.particle_hole)
        return 0.5 * (nn + holes[:, p][:, :, p])


def _told_apart(Deltas: list[np.ndarray], delta_class: list[int], orbits: np.ndarray) -> list[int]:
    """Classes in which flavours without hybridisation are together in one orbit only; `Deltas` grows with them."""
    result = list(delta_class)
    bare = [f for f, c in enumerate(delta_class) if not np.any(Deltas[c])]
    for f in bare[1:]:
        first = orbits[f]
        if first == f:
            Deltas.append(Deltas[result[f]])
            result[f] = len(Deltas) - 1
        else:
            result[f] = result[first]
    return result


def mirrored_coefficients(a: np.ndarray) -> np.ndarray:
    """τ → β − τ for Legendre coefficients on the last axis."""
    return a * (-1.0) ** np.arange(a.shape[-1])


def mirrored_cells(a: np.ndarray) -> np.ndarray:
    """τ → β − τ for values on a mesh symmetric about β/2."""
    return a[..., ::-1]
