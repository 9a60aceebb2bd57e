# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
r"""From a problem to dimensionless features, one row per independent flavour.

A row describes the problem as seen from one flavour: its own quantities f_i first, then how its surroundings differ,
averages of f_j − f_i over shells of other flavours. Shells follow the strength of U_ij: the other spin of the same
orbital (U), other spins of other orbitals (U'), same spins (U' − J). So the number of features does not grow with the
number of orbitals, flavours that are alike share one row, exchange of spins and of orbitals is built in, and no answer
can break a symmetry the problem has. What averages hide, how much the flavours of a shell differ among themselves,
enters as their spread.

Further terms must keep G diagonal. c†_i c†_j c_k c_l enters with its strength in the shell of the pairs it creates:
that tells pair-hopping (U) from spin-flip (U'). Phases of the flavours absorb all its signs up to four flavours;
beyond, all problems of a model must have the same ones.

Every feature is even or odd under the particle-hole map P (x → −x, f(τ) → f(β − τ)): `Layout.parity` holds the signs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ... import approximations
from ...numerics import legendre
from ...problem import Problem, Solution
from ...problem.interaction import interaction_table
from .representation import N_LEGENDRE, Representation, representation

_SAME = 1e-9  # flavours closer than this, in dimensionless features, share one row
_SPREAD_FLOOR, _AMPLITUDE_FLOOR = 1e-6, 1e-2
_SIGNS_ABSORBED = 4  # flavours whose phases make every sign of terms of four different flavours positive
_CLUSTERS = (("ed2", 4), ("ed1", 6))  # the largest cluster that is diagonalised in some 0.1 s, per number of flavours
_SHAPE = (8, 6)  # coefficients of Δ and of the baseline that enter the summary

NODES = np.polynomial.legendre.leggauss(64)[0]  # of x = 2τ/β − 1, at which errors are taken
SPREADS = ("U", "level", "Delta")


class Indescribable(ValueError):
    """A cheap solver has no answer to the problem, or an answer lacks what is learned."""


@dataclass(frozen=True)
class Kind:
    """What all problems of one model have in common: number of flavours, whether there are terms beyond U_ij, and for
    more than four flavours which, with their signs.
    """

    n_flavours: int
    has_terms: bool
    signs: tuple[tuple[tuple[int, int, int, int], float], ...] = ()

    @classmethod
    def of(cls, problem: Problem) -> Kind:
        if not problem.terms or problem.n_flavours <= _SIGNS_ABSORBED:
            return cls(problem.n_flavours, bool(problem.terms))
        table = interaction_table(problem.canonical().terms)
        return cls(problem.n_flavours, True, tuple((k, float(np.sign(v))) for k, v in sorted(table.items()) if v))

    @property
    def shells(self) -> tuple[int, ...]:
        """Sizes of the shells of other flavours, by falling U_ij."""
        orbitals, odd = divmod(self.n_flavours, 2)
        if odd or orbitals == 1:
            return (self.n_flavours - 1,)
        return (1, orbitals - 1, orbitals - 1)

    def __str__(self) -> str:
        terms = f"{len(self.signs) or ''} spin-flip or pair-hopping terms".strip()
        return f"{self.n_flavours} flavours" + (f" with {terms}" if self.has_terms else "")


@dataclass(frozen=True, eq=False)
class Layout:
    """Names and order of the features.

    Attributes
    ----------
    names : tuple of str
        Group names; the features of a group share one length scale.
    group : (n_features,) array of int
    parity : (n_features,) array of ±1
    """

    names: tuple[str, ...]
    group: np.ndarray
    parity: np.ndarray

    def columns(self, name: str) -> np.ndarray:
        """Indices of a group's features; empty where there is no such group."""
        return np.flatnonzero(self.group == self.names.index(name)) if name in self.names else np.zeros(0, int)


@dataclass(frozen=True, eq=False)
class Row:
    """The problem as seen from one flavour.

    Attributes
    ----------
    flavours : tuple of int
        The flavours this row stands for.
    features : (n_features,) array
        Dimensionless features, the groups one after the other.
    amplitude : float
        Expected size of the correction to the baseline, from the spread of the cheap solvers (dimensionless). It is
        smooth in the problem, as what is learned in units of it should be.
    summary : (n_summary,) array
        A few particle-hole even numbers that say how hard the problem is.
    G0, Delta0 : complex
        Baseline's G(iω₀)/β (zero without one) and β Δ(iω₀).
    """

    flavours: tuple[int, ...]
    features: np.ndarray
    amplitude: float
    summary: np.ndarray
    G0: complex
    Delta0: complex


@dataclass(frozen=True, eq=False)
class Description:
    """All rows of one canonical problem, and the baseline's solution, which the model corrects (None: learn G
    itself).
    """

    problem: Problem
    rows: tuple[Row, ...]
    baseline: Solution | None
    shells: np.ndarray  # see `shell_averages`
    spread: float  # largest disagreement of the cheap solvers, max over τ and flavours of abs(ΔG)


@dataclass(frozen=True)
class Descriptor:
    """What the model knows of a problem.

    Parameters
    ----------
    approximations : sequence of str, optional
        Cheap solvers (see `triqs_mlsolver.approximations`). The first is the baseline whose error is learned; the
        others enter as its distance to them. Default: clusters with two bath sites and with one, and NCA, for one
        orbital; a cluster, second order around Hartree–Fock and Hubbard-I for more, the cluster with two bath sites for
        up to four flavours, one for up to six, and none beyond. Empty: G itself is learned.
    basis : str
        Representation of functions of τ, see `representation`.
    n_coefficients : int
        Leading coefficients of each function that enter the features.
    """

    approximations: tuple[str, ...] | None = None
    basis: str = "legendre"
    n_coefficients: int = 20

    @property
    def representation(self) -> Representation:
        return representation(self.basis)

    def solvers(self, kind: Kind) -> tuple[str, ...]:
        """Names of the cheap solvers used for problems of that kind."""
        if self.approximations is not None:
            return tuple(self.approximations)
        if kind.n_flavours == 2:
            return ("ed2", "ed1", "nca")
        for cluster, largest in _CLUSTERS:
            if kind.n_flavours <= largest:
                return (cluster, "hartree_fock", "hubbard_i")
        return ("hartree_fock", "hubbard_i")

    def layout(self, kind: Kind) -> Layout:
        """Groups and parities of the features of that kind of problem."""
        n_shells = len(kind.shells)
        seen = 1 if kind.n_flavours == 2 else 1 + n_shells
        groups = {"beta": np.ones(1), "U": np.ones(seen * self._n_interaction(kind)), "level": -np.ones(1 + n_shells)}
        function = np.tile(self.representation.parity[self._kept], 1 + n_shells)
        groups["Delta"] = function
        for position, name in enumerate(self.solvers(kind)):
            groups["baseline" if position == 0 else f"baseline - {name}"] = function
        if kind.n_flavours > 2:
            groups |= {f"{name} spread": np.ones(n_shells) for name in SPREADS}
        index = np.concatenate([np.full(len(p), g) for g, p in enumerate(groups.values())])
        return Layout(tuple(groups), index, np.concatenate(list(groups.values())))

    def n_summary(self, kind: Kind) -> int:
        """Length of `Row.summary`."""
        n_solvers = len(self.solvers(kind))
        n_shape = _SHAPE[0] + (_SHAPE[1] if n_solvers else 0)
        return 2 + self._n_interaction(kind) + n_shape + max(n_solvers - 1, 0)

    @staticmethod
    def _n_interaction(kind: Kind) -> int:
        return len(kind.shells) * (1 + kind.has_terms)

    @property
    def _kept(self) -> np.ndarray:
        """Coefficients that enter the features: the leading ones where they are ordered, else all."""
        n = len(self.representation.parity)
        return np.arange(n if self.basis == "tau_mesh" else min(self.n_coefficients, n))

    def describe(self, canonical: Problem) -> Description:
        """Rows of a canonical problem (see `Problem.canonical`).

        Raises
        ------
        Indescribable
            If a cheap solver does not take the problem, or does not converge.
        """
        kind = Kind.of(canonical)
        try:
            solved = [approximations.named(name).solve(canonical) for name in self.solvers(kind)]
        except (ValueError, RuntimeError) as error:
            raise Indescribable(str(error)) from error
        functions = [of_unit_length([canonical.delta_l(i) for i in range(kind.n_flavours)], canonical.beta)]
        functions += [of_unit_length(diagonals(s.G_l), canonical.beta) for s in solved]
        distance = [functions[1] - f for f in functions[2:]]
        spread = np.array([max_norm(f) for f in distance]).reshape(len(distance), kind.n_flavours)
        heights = self.representation.analysis * self.representation.height
        channels = np.stack([functions[0], *functions[1:2], *distance]) @ heights[:, self._kept]
        weights = shell_averages(canonical)
        strength, level = _interaction(canonical, weights), canonical.x[:, None]
        features = []
        for i, w in enumerate(weights):
            parts = [[np.log(canonical.beta)], strength[i] if kind.n_flavours == 2 else _seen(strength, i, w)]
            parts += [_seen(values, i, w) for values in (level, *channels)]
            if kind.n_flavours > 2:
                parts += [_spread(values, w) for values in (strength, level, channels[0])]
            features.append(np.concatenate(parts))
        if not np.all(np.isfinite(features)):
            raise Indescribable("a cheap solver gives NaN or infinity")
        at_iw0 = [f @ first_frequency(N_LEGENDRE) for f in functions[:2]]
        rows = []
        for flavours in _alike(features):
            i = flavours[0]
            own = spread[:, i]
            typical = np.sqrt([np.sum(d[i] ** 2) for d in distance])  # root mean square over τ
            amplitude = np.sqrt(np.exp(np.mean(np.log(typical + 1e-30))) + _AMPLITUDE_FLOOR) if len(own) else 1.0
            shape = np.abs(np.concatenate([f[i, :n] for f, n in zip(functions, _SHAPE)]))
            plain = [[np.log(canonical.beta)], strength[i], [abs(canonical.x[i])], shape, np.log(own + _SPREAD_FLOOR)]
            G0, Delta0 = (at_iw0[1][i] if solved else 0j), canonical.beta**2 * at_iw0[0][i]
            rows.append(Row(flavours, features[i], float(amplitude), np.concatenate(plain), G0, Delta0))
        baseline = solved[0] if solved else None
        return Description(canonical, tuple(rows), baseline, weights, float(spread.max(initial=0.0)))


def diagonals(blocks) -> list[np.ndarray]:
    """Diagonal elements of (n_l, n, n) blocks, one (n_l,) array per flavour."""
    return [b[:, i, i] for b in blocks for i in range(b.shape[1])]


def of_unit_length(coefficients: list[np.ndarray], beta: float) -> np.ndarray:
    """Legendre coefficients of N functions as those of dimensionless ones, (N, N_LEGENDRE)."""
    return np.stack([legendre.resized(row, N_LEGENDRE) for row in coefficients]) / beta


def first_frequency(n_l: int) -> np.ndarray:
    """G(iω₀)/β of functions given by G_l/β, (n_l,)."""
    return legendre.transfer_matrix(np.zeros(1, int), n_l)[0]


def shell_averages(problem: Problem) -> np.ndarray:
    """Weights w_isj with which flavour j enters the average over shell s of flavour i, (N, n_shells, N); Σ_j w_isj = 1.

    Flavours of equal U_ij share the shells they fill, so that none is preferred.
    """
    N, sizes = problem.n_flavours, np.array(Kind.of(problem).shells)
    shell_of_place = np.repeat(np.arange(len(sizes)), sizes)
    weights = np.zeros((N, len(sizes), N))
    for i in range(N):
        others = np.delete(np.arange(N), i)
        strength = np.round(problem.U[i, others] / problem.unit, 9)
        for value in np.unique(strength):
            alike = others[strength == value]
            first = np.sum(strength > value)
            share = np.bincount(shell_of_place[first : first + len(alike)], minlength=len(sizes)) / len(alike)
            weights[i][:, alike] = (share / sizes)[:, None]
    return weights


def _interaction(problem: Problem, weights: np.ndarray) -> np.ndarray:
    """U_ij averaged over the shells of each flavour, (N, n_shells), and beside it the strength of further terms that
    create, or annihilate, the pair i, j.
    """
    values = np.einsum("isj,ij->is", weights, problem.U)
    if not problem.terms:
        return values
    pairs = np.zeros_like(problem.U)
    for (i, j, _, _), value in interaction_table(problem.terms).items():  # of a term and its conjugate one creates i, j
        pairs[[i, j], [j, i]] += abs(value)
    return np.concatenate([values, np.einsum("isj,ij->is", weights, pairs)], axis=1)


def _seen(values: np.ndarray, i: int, weights: np.ndarray) -> np.ndarray:
    """What flavour i sees of `values` (N, k): its own, then the averages of the others relative to it."""
    return np.concatenate([values[i], *(weights @ (values - values[i]))])


def _spread(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Root mean square distance of `values` (N, k) from their average, in each shell with `weights` (n_shells, N)."""
    square = np.sum((values - (weights @ values)[:, None]) ** 2, axis=2)
    return np.sqrt(np.sum(weights * square, axis=1))


def _alike(features: list[np.ndarray]) -> list[tuple[int, ...]]:
    """Flavours with the same features, together."""
    sets: list[list[int]] = []
    for i, own in enumerate(features):
        for members in sets:
            if np.max(np.abs(features[members[0]] - own)) < _SAME:
                members.append(i)
                break
        else:
            sets.append([i])
    return [tuple(members) for members in sets]


def max_norm(coefficients: np.ndarray) -> np.ndarray:
    """max over τ of functions (n, N_LEGENDRE), (n,): errors are taken at 64 Gauss nodes and both ends."""
    return np.max(np.abs(coefficients @ _TAU), axis=-1)


_TAU = legendre.vandermonde(np.concatenate([[-1.0], NODES, [1.0]]), N_LEGENDRE).T
