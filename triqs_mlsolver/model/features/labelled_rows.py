# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""What the model keeps of a stored point: a record per row of its description, features beside what is learned."""

from __future__ import annotations

import numpy as np

from ...numerics import legendre
from ...problem import Problem, Solution
from ...problem.solution import static_moments
from .descriptor import NODES, Descriptor, Indescribable, Kind, diagonals, first_frequency, of_unit_length

# Of what is kept of a point: raise it wherever the same point gives other numbers, so that no cache misleads.
REVISION = 2


def n_outputs(descriptor: Descriptor, kind: Kind) -> int:
    """Coefficients of G, averages of the connected correlators and, with further terms, Σ₁ and ⟨H_int⟩."""
    return len(descriptor.representation.parity) + len(kind.shells) + 2 * kind.has_terms


def row_type(descriptor: Descriptor, kind: Kind) -> np.dtype:
    """The record of one row; all numbers are dimensionless.

    Its fields are those of `TrainingSet`, in the order in which caches hold them, each a float or several: so a record
    and a line of floats are the same bytes.
    """
    return np.dtype(
        [
            ("X", float, (len(descriptor.layout(kind).group),)),
            ("y", float, (n_outputs(descriptor, kind),)),
            ("amplitude", float),
            ("summary", float, (descriptor.n_summary(kind),)),
            ("noise", float),
            ("G_tau_error", float),
            ("G_iw0_error", float),
            ("G0", complex),
            ("sigma_unit", float),
            ("density", float),
            ("problem", float),
            ("source", float),
        ]
    )


def as_numbers(rows: np.ndarray) -> np.ndarray:
    """Records (n,) as lines of floats (n, width), which a cache keeps."""
    return np.ascontiguousarray(rows).view(float).reshape(len(rows), -1)


def from_numbers(lines: np.ndarray, kind_of_row: np.dtype) -> np.ndarray:
    """Records (n,) of that type out of lines of floats (n, width)."""
    return np.ascontiguousarray(lines, float).view(kind_of_row)[:, 0]


def rows_of(descriptor: Descriptor, kind: Kind, problem: Problem, solution: Solution) -> np.ndarray:
    """The records of one point, (n_rows,), its label taken for exact.

    Raises
    ------
    Indescribable
        See `Descriptor.describe`; also if the solution lacks ⟨H_int⟩ where there are further terms.
    """
    canonical, exact = problem.canonical(), solution.canonical(problem)
    if kind.has_terms and exact.h_int is None:
        raise Indescribable("the answer says nothing of the energy of the further terms (h_int)")
    description = descriptor.describe(canonical)
    baseline = description.baseline
    correction = of_unit_length(diagonals(exact.G_l), canonical.beta)
    pairs = connected(exact.nn)
    if baseline is not None:
        correction = correction - of_unit_length(diagonals(baseline.G_l), canonical.beta)
        pairs = pairs - connected(baseline.nn)
    averages = np.einsum("ipj,ij->ip", description.shells, pairs)
    excess = np.zeros((kind.n_flavours, 0))
    if kind.has_terms:
        excess = excess_of(canonical, exact) - excess_of(canonical, baseline)
    error = None if exact.G_l_error is None else [e / canonical.beta for e in diagonals(exact.G_l_error)]
    Sigma = np.concatenate([np.diagonal(s[0]) for s in exact.Sigma_iw(canonical, 1)])
    G0 = np.concatenate([np.diagonal(g[0]) for g in exact.G_iw(1)]) / canonical.beta
    out = np.zeros(len(description.rows), row_type(descriptor, kind))
    for row, record in zip(description.rows, out):
        i = row.flavours[0]
        own = np.zeros(1) if error is None else error[i]
        record["X"], record["amplitude"], record["summary"] = row.features, row.amplitude, row.summary
        record["y"] = np.concatenate([correction[i] @ descriptor.representation.analysis, averages[i], excess[i]])
        record["noise"] = np.sum(own**2) if exact.is_noisy else 0.0
        record["G_tau_error"], record["G_iw0_error"] = label_error(own, exact)
        record["G0"], record["sigma_unit"] = G0[i], abs(np.pi - canonical.beta * Sigma[i].imag)
        record["density"] = exact.density[i]
        record["problem"] = int(canonical.id[:13], 16)  # 52 bits: still exact as a float
    return out


def connected(nn: np.ndarray) -> np.ndarray:
    """⟨n_i n_j⟩ − ⟨n_i⟩⟨n_j⟩ off the diagonal, (N, N), which the particle-hole map leaves alone."""
    n = np.diag(nn)
    out = nn - np.outer(n, n)
    np.fill_diagonal(out, 0.0)
    return out


def label_error(error: np.ndarray, exact: Solution) -> tuple[float, float]:
    """Error bars of a label on G(τ), typically the largest over τ, and on G(iω₀)/β.

    The solver tells where it can. Otherwise they follow from the error bars of G_l/β, coefficients taken as
    independent; the median over τ is then a cautious stand-in for the largest.
    """
    at_tau = np.median(np.sqrt(legendre.vandermonde(NODES, len(error)) ** 2 @ error**2))
    at_iw0 = np.sqrt(np.sum(np.abs(first_frequency(len(error)) * error) ** 2))
    told = exact.told_error("G_tau"), exact.told_error("G_iw0")
    return tuple(float(own if said is None else said) for said, own in zip(told, (at_tau, at_iw0)))


def excess_of(problem: Problem, solution: Solution | None) -> np.ndarray:
    """Σ₁ and the share of ⟨H_int⟩ per flavour beyond what ⟨n_i n_j⟩ gives, (N, 2); zero without a solution."""
    if solution is None:
        return np.zeros((problem.n_flavours, 2))
    first = np.concatenate([np.diag(s) for s in solution.Sigma_1])
    plain = np.concatenate([np.diag(s) for s in static_moments(problem, solution.nn)[1]])
    h_int = solution.h_int - 0.5 * float(np.sum(problem.U * solution.nn))
    return np.stack([first - plain, np.full(len(first), h_int / len(first))], axis=1)
