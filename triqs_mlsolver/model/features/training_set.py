# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""All rows a model learns from, in one array that grows, and which of them belong together."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Protocol

import numpy as np

from ...problem import Problem, Solution
from ...problem.fidelity import is_exact
from ...tools.constants import DIGITS
from ...version import version
from .descriptor import Descriptor, Kind, max_norm
from .labelled_rows import REVISION, n_outputs, row_type, rows_of
from .representation import N_LEGENDRE


class RowCache(Protocol):
    """Keeps lines of floats by point id, as `database.cache.DescriptorCache` does."""

    def get(self, ids: Iterable[str], version: str) -> Mapping[str, np.ndarray]: ...

    def put(self, arrays: Mapping[str, np.ndarray], version: str) -> None: ...


def _field(name: str, meaning: str) -> property:
    return property(lambda self: self.rows[name], doc=meaning)


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
    row_type : numpy.dtype
        Of one row; each field is an attribute as well, over all N rows.
    cheap : list of str
        Fidelities of cheap labels.
    """

    X = _field("X", "Features, (N, n_features).")
    y = _field("y", "What is learned, exact minus baseline, (N, n_outputs).")
    amplitude = _field("amplitude", "Expected size of the correction, (N,); see `descriptor.Row`.")
    summary = _field("summary", "How hard the problem is, (N, n_summary).")
    noise = _field("noise", "Variance of the label, summed over coefficients, (N,).")
    G_tau_error = _field("G_tau_error", "Standard error of the label's G(τ), typically its largest, (N,).")
    G_iw0_error = _field("G_iw0_error", "Standard error of the label's G(iω₀)/β, (N,).")
    G0 = _field("G0", "G(iω₀)/β of the label, (N,) complex.")
    sigma_unit = _field("sigma_unit", "β (ω₀ − Im Σ(iω₀)) of the label, (N,).")
    density = _field("density", "⟨n⟩ of the label, (N,).")
    problem = _field("problem", "A number per problem, (N,).")

    def __init__(self, descriptor: Descriptor, kind: Kind):
        self.descriptor, self.kind = descriptor, kind
        self.layout = descriptor.layout(kind)
        self.n_G = len(descriptor.representation.parity)
        n_extra = n_outputs(descriptor, kind) - self.n_G
        self.output_parity = np.append(descriptor.representation.parity, np.ones(n_extra))
        self.row_type = row_type(descriptor, kind)
        self.cheap: list[str] = []
        self._kept = np.zeros(0, self.row_type)
        self._n = 0

    def __len__(self) -> int:
        return self._n

    @property
    def rows(self) -> np.ndarray:
        """All rows, (N,) records of `row_type`: a view, through which they can be changed."""
        return self._kept[: self._n]

    @property
    def source(self) -> np.ndarray:
        """Where each label comes from, (N,) of int: 0 an exact solver, else 1 + place of its fidelity in `cheap`."""
        return self.rows["source"].astype(int)

    @property
    def version(self) -> str:
        """Names everything the rows depend on beside the points, for a cache of them."""
        width = self.row_type.itemsize // np.dtype(float).itemsize
        text = f"{version} {REVISION} {self.descriptor} {self.kind} {N_LEGENDRE} {self.layout.names} {width}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def rows_of(self, problem: Problem, solution: Solution) -> np.ndarray:
        """The rows of one point, (n_rows,) records; `append` says where its label comes from."""
        return rows_of(self.descriptor, self.kind, problem, solution)

    def append(self, rows: np.ndarray, fidelity: str = "exact") -> None:
        """Add the rows of one point whose label is of that fidelity."""
        needed = self._n + len(rows)
        if needed > len(self._kept):
            grown = np.zeros(max(64, 2 * len(self._kept), needed), self.row_type)
            grown[: self._n] = self.rows
            self._kept = grown
        self._kept[self._n : needed] = rows
        self._kept["source"][self._n : needed] = self._source(fidelity)
        self._n = needed

    def _source(self, fidelity: str) -> int:
        if is_exact(fidelity):
            return 0
        if fidelity not in self.cheap:
            self.cheap.append(fidelity)
        return 1 + self.cheap.index(fidelity)

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


def _significant(values: np.ndarray) -> np.ndarray:
    """Values to `DIGITS` significant digits."""
    size = 10.0 ** (np.floor(np.log10(np.abs(values) + 1e-12)) + 1 - DIGITS)
    return np.round(values / size) * size


def teaches(point) -> bool:
    """Whether a stored point is an exact solver's answer; a model that knows one kind of label passes over others."""
    return is_exact(getattr(point, "fidelity", "exact"))


class ByProblem:
    """Rows taken together by problem.

    A bound must hold for all flavours of a problem at once, and repeating a run must not make the model confident.

    Parameters
    ----------
    problem : (n,) array
        A number per problem.

    Attributes
    ----------
    place : (n,) array of int
        Of each row's problem among all of them, which stand in the order in which they first come.
    """

    def __init__(self, problem: np.ndarray):
        _, first, which = np.unique(problem, return_index=True, return_inverse=True)
        self.place = np.argsort(np.argsort(first))[which.ravel()]
        self._n = len(first)

    def __len__(self) -> int:
        return self._n

    def largest(self, values: np.ndarray) -> np.ndarray:
        """The largest of `values` (n,) or (n, k) of each problem's rows; NaN where one of them is."""
        return self._all(np.maximum, values, -np.inf)

    def smallest(self, values: np.ndarray) -> np.ndarray:
        """The smallest of `values` (n,) or (n, k) of each problem's rows; NaN where one of them is."""
        return self._all(np.minimum, values, np.inf)

    def _all(self, choose: np.ufunc, values: np.ndarray, start: float) -> np.ndarray:
        out = np.full((self._n, *values.shape[1:]), start)
        with np.errstate(invalid="ignore"):
            choose.at(out, self.place, values)
        return out

    def row_of_largest(self, values: np.ndarray) -> np.ndarray:
        """Number of the row with the largest of `values` (n,), for each problem."""
        in_turn = np.lexsort((-values, self.place))
        return in_turn[np.r_[True, np.diff(self.place[in_turn]) > 0]]


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
