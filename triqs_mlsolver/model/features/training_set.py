# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""What the model keeps of each stored point: one line of numbers per row, in one array that grows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Protocol

import numpy as np

from ...numerics import legendre
from ...problem import Problem, Solution
from ...problem.fidelity import is_exact
from ...problem.solution import static_moments
from ...version import version
from ..constants import DIGITS
from .descriptor import NODES, Descriptor, Indescribable, Kind, diagonals, first_frequency, max_norm, of_unit_length
from .representation import N_LEGENDRE

_REVISION = 2  # of what is kept of a point: raise it wherever the same point gives other numbers, so that no cache misleads


class RowCache(Protocol):
    """Keeps lines by point id, as `database.cache.DescriptorCache` does."""

    def get(self, ids: Iterable[str], version: str) -> Mapping[str, np.ndarray]: ...

    def put(self, arrays: Mapping[str, np.ndarray], version: str) -> None: ...


class TrainingSet:
    """Rows of all points of one kind of problem.

    Parameters
    ----------
    descriptor : Descriptor
    kind : Kind

    Attributes
    ----------
    layout : Layout
        Of the features.
    output_parity : (n_outputs,) array of ±1
        Corrections to G in the descriptor's representation, then averages of the connected correlators, then (only with
        further terms) the excess of Σ₁ and of ⟨H_int⟩ over their density-density values.

    Notes
    -----
    Columns, each as a property: `X` (N, n_features); `y` (N, n_outputs), exact minus baseline; `amplitude` (N,);
    `summary` (N, n_summary); `noise` (N,), variance of the label summed over coefficients; `label_error` (N, 2), standard
    error of the label's G(τ) and of G(iω₀)/β; `G0` (N,), G(iω₀)/β; `sigma_unit` (N,), β (ω₀ − Im Σ(iω₀));
    `density` (N,); `problem` (N,), a number per problem; `source` (N,), 0 for labels of exact solvers, else
    1 + the place of their fidelity in `cheap`.
    """

    def __init__(self, descriptor: Descriptor, kind: Kind):
        self.descriptor, self.kind = descriptor, kind
        self.layout = descriptor.layout(kind)
        self.n_G = len(descriptor.representation.parity)
        n_extra = len(kind.shells) + 2 * kind.has_terms
        self.output_parity = np.append(descriptor.representation.parity, np.ones(n_extra))
        widths = {
            "X": len(self.layout.group),
            "y": len(self.output_parity),
            "amplitude": 1,
            "summary": descriptor.n_summary(kind),
            "noise": 1,
            "label_error": 2,
            "G0": 2,
            "sigma_unit": 1,
            "density": 1,
            "problem": 1,
            "source": 1,
        }
        ends = np.cumsum(list(widths.values()))
        self._columns = {name: slice(end - width, end) for (name, width), end in zip(widths.items(), ends)}
        self._data = np.zeros((0, ends[-1]))
        self._n = 0
        self.cheap: list[str] = []  # fidelities of cheap labels

    def __len__(self) -> int:
        return self._n

    @property
    def version(self) -> str:
        """Names everything the rows depend on beside the points, for a cache of them."""
        text = f"{version} {_REVISION} {self.descriptor} {self.kind} {N_LEGENDRE} {self.layout.names} {self._data.shape[1]}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    # -- growth ----------------------------------------------------------------------------------------------------

    def rows_of(self, problem: Problem, solution: Solution) -> np.ndarray:
        """The lines of one point, (n_rows, width); `append` says where its label comes from."""
        canonical, exact = problem.canonical(), solution.canonical(problem)
        if self.kind.has_terms and exact.h_int is None:
            raise Indescribable("the answer says nothing of the energy of the further terms (h_int)")
        description = self.descriptor.describe(canonical)
        G = of_unit_length(diagonals(exact.G_l), canonical.beta)
        correction = (
            G
            if description.baseline is None
            else G - of_unit_length(diagonals(description.baseline.G_l), canonical.beta)
        )
        pairs = connected(exact.nn) - (0.0 if description.baseline is None else connected(description.baseline.nn))
        averages = np.einsum("ipj,ij->ip", description.shells, pairs)
        excess = np.zeros((self.kind.n_flavours, 0))
        if self.kind.has_terms:
            excess = excess_of(canonical, exact) - excess_of(canonical, description.baseline)
        error = None if exact.G_l_error is None else [e / canonical.beta for e in diagonals(exact.G_l_error)]
        Sigma = np.concatenate([np.diagonal(s[0]) for s in exact.Sigma_iw(canonical, 1)])
        G0 = np.concatenate([np.diagonal(g[0]) for g in exact.G_iw(1)]) / canonical.beta
        number = int(canonical.id[:13], 16)  # still exact as a float
        lines = []
        for row in description.rows:
            i = row.flavours[0]
            own = np.zeros(1) if error is None else error[i]
            parts = {
                "X": row.features,
                "y": np.concatenate([correction[i] @ self.descriptor.representation.analysis, averages[i], excess[i]]),
                "amplitude": row.amplitude,
                "summary": row.summary,
                "noise": np.sum(own**2),
                "label_error": label_noise(own, exact.provenance),
                "G0": (G0[i].real, G0[i].imag),
                "sigma_unit": abs(np.pi - canonical.beta * Sigma[i].imag),
                "density": exact.density[i],
                "problem": number,
                "source": 0,
            }
            line = np.empty(self._data.shape[1])
            for name, values in parts.items():
                line[self._columns[name]] = values
            lines.append(line)
        return np.array(lines)

    def append(self, lines: np.ndarray, fidelity: str = "exact") -> None:
        """Add the lines of one point whose label is of that fidelity."""
        needed = self._n + len(lines)
        if needed > len(self._data):
            grown = np.zeros((max(64, 2 * len(self._data), needed), self._data.shape[1]))
            grown[: self._n] = self._data[: self._n]
            self._data = grown
        self._data[self._n : needed] = lines
        self._data[self._n : needed, self._columns["source"]] = self._source(fidelity)
        self._n = needed

    def _source(self, fidelity: str) -> int:
        if is_exact(fidelity):
            return 0
        if fidelity not in self.cheap:
            self.cheap.append(fidelity)
        return 1 + self.cheap.index(fidelity)

    @property
    def lines(self) -> np.ndarray:
        """All lines, (N, width)."""
        return self._data[: self._n]

    # -- columns ---------------------------------------------------------------------------------------------------

    def __getattr__(self, name: str) -> np.ndarray:
        columns = self.__dict__.get("_columns", {})  # empty while a copy is being unpickled
        if name not in columns:
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        values = self._data[: self._n, columns[name]]
        if name == "G0":
            return values[:, 0] + 1j * values[:, 1]
        if name == "source":
            return values[:, 0].astype(int)
        return values[:, 0] if name in ("amplitude", "noise", "sigma_unit", "density", "problem") else values

    def relative_noise(self) -> np.ndarray:
        """Label variance in units of the correction's own variance, (N,)."""
        exact = self.source == 0
        if not exact.any():
            exact = ~exact
        signal = np.mean(np.sum(self.y[exact, : self.n_G] ** 2, axis=1) / self.amplitude[exact] ** 2)
        return self.noise / self.amplitude**2 / max(signal, 1e-12)

    def groups(self) -> np.ndarray:
        """Rows that are left out together: a scan visits one U many times, and its own neighbours would flatter it.

        All rows of a problem are among them: one may be the mirror image of another. With a single group every problem
        stands for itself; problems beyond the stored range are novel in any case.
        """
        _, first, problem = np.unique(self.problem, return_index=True, return_inverse=True)
        groups = np.unique(self._scanned()[first], axis=0, return_inverse=True)[1].ravel()
        return groups[problem] if groups.max(initial=0) > 0 else problem

    @property
    def n_scanned(self) -> int:
        """Number of different β, U and level of the exact labels."""
        return len(np.unique(self._scanned()[self.source == 0], axis=0))

    def _scanned(self) -> np.ndarray:
        X, columns = self.X, self.layout.columns
        beta, U, level = (X[:, columns(name)[0]] for name in ("beta", "U", "level"))
        return np.stack([_significant(np.exp(beta)), _significant(U), np.round(np.abs(level), DIGITS)], axis=1)

    def max_error(self, residual: np.ndarray) -> np.ndarray:
        """max over τ of the G part of residuals (n, n_outputs), (n,)."""
        return max_norm(residual[:, : self.n_G] @ self.descriptor.representation.synthesis)


def connected(nn: np.ndarray) -> np.ndarray:
    """⟨n_i n_j⟩ − ⟨n_i⟩⟨n_j⟩ off the diagonal, (N, N), which the particle-hole map leaves alone."""
    n = np.diag(nn)
    out = nn - np.outer(n, n)
    np.fill_diagonal(out, 0.0)
    return out


def label_noise(error: np.ndarray, provenance: dict) -> tuple[float, float]:
    """Typical largest statistical error of G(τ) over τ, and that of G(iω₀)/β.

    The solver tells where it can. Otherwise they follow from the error bars of G_l/β, coefficients taken as independent;
    the median over τ is then a cautious stand-in for the largest.
    """
    at_tau = np.median(np.sqrt(legendre.vandermonde(NODES, len(error)) ** 2 @ error**2))
    at_iw0 = np.sqrt(np.sum(np.abs(first_frequency(len(error)) * error) ** 2))
    return float(provenance.get("G_tau_noise", at_tau)), float(provenance.get("G_iw0_noise", at_iw0))


def excess_of(problem: Problem, solution: Solution | None) -> np.ndarray:
    """Σ₁ and the share of ⟨H_int⟩ per flavour beyond what ⟨n_i n_j⟩ gives, (N, 2); zero without a solution."""
    if solution is None:
        return np.zeros((problem.n_flavours, 2))
    first = np.concatenate([np.diag(s) for s in solution.Sigma_1])
    plain = np.concatenate([np.diag(s) for s in static_moments(problem, solution.nn)[1]])
    h_int = solution.h_int - 0.5 * float(np.sum(problem.U * solution.nn))
    return np.stack([first - plain, np.full(len(first), h_int / len(first))], axis=1)


def _significant(values: np.ndarray) -> np.ndarray:
    """Values to `DIGITS` significant digits."""
    size = 10.0 ** (np.floor(np.log10(np.abs(values) + 1e-12)) + 1 - DIGITS)
    return np.round(values / size) * size


def teaches(point) -> bool:
    """Whether a stored point is an exact solver's answer; a model that knows one kind of label passes over others."""
    return is_exact(getattr(point, "fidelity", "exact"))


def largest_of_problem(problem: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The largest of `values` (n,) among the rows of the same problem, for each row."""
    which = np.unique(problem, return_inverse=True)[1].ravel()
    largest = np.full(which.max() + 1, -np.inf)
    np.maximum.at(largest, which, values)
    return largest[which]


def some_problems(problem: np.ndarray, n_rows: int, seed: int) -> np.ndarray:
    """All rows of randomly chosen problems, about `n_rows` of them."""
    every = np.unique(problem)
    n = max(1, len(every) * n_rows // len(problem))
    return np.flatnonzero(np.isin(problem, np.random.default_rng(seed).choice(every, n, replace=False)))


def groups_of_one(groups: np.ndarray, problem: np.ndarray) -> np.ndarray:
    """The groups whose rows all belong to one problem."""
    pairs = np.unique(np.stack([groups, problem]), axis=1)
    found, n_problems = np.unique(pairs[0], return_counts=True)
    return found[n_problems == 1]


def once_per_problem(problem: np.ndarray, scale: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The row of each problem with the largest scale, and the largest `values` (n, k) of all its rows.

    A bound must hold for all flavours of a problem at once, and repeating a run must not make the model confident.
    """
    _, first, copy = np.unique(problem, return_index=True, return_inverse=True)
    copy = copy.ravel()
    largest = np.full((len(first), values.shape[1]), -np.inf)
    np.maximum.at(largest, copy, values)
    by_scale = np.lexsort((-scale, copy))
    row = by_scale[np.r_[True, np.diff(copy[by_scale]) > 0]]
    order = np.argsort(first)
    return row[order], largest[order]
