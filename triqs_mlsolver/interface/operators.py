# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""From many-body operators to matrices: the interaction h_int and the quadratic Hamiltonian h_loc0.

Works on anything that iterates like a TRIQS operator, as pairs ``([(dagger, [block, orbital]), ...], coefficient)`` in
normal order.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Interaction:
    """What h_int says.

    Attributes
    ----------
    U : (N, N) array
        Density-density interaction ½ Σ_ij U_ij n_i n_j over the flavours of gf_struct, zero diagonal (energy).
    terms : tuple of (float, (int, int, int, int))
        The other two-body terms, coefficient of c†_i c†_j c_k c_l.
    quadratic : tuple of (n, n) arrays
        One-body terms of h_int per block; they belong to the local Hamiltonian (energy).
    constant : float
        What h_int adds to every energy.
    between_blocks : (str, str) or None
        Two blocks with one-body terms between them, which no matrix per block holds.
    """

    U: np.ndarray
    terms: tuple[tuple[float, tuple[int, int, int, int]], ...]
    quadratic: tuple[np.ndarray, ...]
    constant: float = 0.0
    between_blocks: tuple[str, str] | None = None


def parse_interaction(h_int: Iterable, gf_struct, name: str = "h_int") -> Interaction:
    """Split an operator into density-density, other two-body, and one-body terms.

    Parameters
    ----------
    h_int : operator
        Hermitian, real, of at most two-body terms.
    gf_struct : sequence of (str, int)
        Blocks and their sizes.

    Raises
    ------
    ValueError
        For an unknown block or orbital, a non-Hermitian or complex operator, terms that change the particle number, or
        terms of more than two bodies.
    TypeError
        If `h_int` is no operator.
    """
    flavours = _flavours(gf_struct)
    terms = _normal_ordered_terms(h_int, flavours, name)
    constant = terms.pop(((), ()), 0.0)
    _require_hermitian(terms, flavours, name)
    N = len(flavours)
    U, other, one_body = np.zeros((N, N)), [], np.zeros((N, N))
    for (create, annihilate), value in terms.items():
        if len(create) == 1:
            one_body[create[0], annihilate[0]] += value
        elif len(create) == 2:
            i, j = create
            if {i, j} == set(annihilate):
                # c†_i c†_j c_j c_i = n_i n_j
                U[i, j] += value if annihilate == (j, i) else -value
            else:
                other.append((value, (i, j, *annihilate)))
    return Interaction(U + U.T, tuple(other), _blocks(one_body, gf_struct), constant, _linked(one_body, flavours))


def parse_quadratic(h_loc0: Iterable, gf_struct) -> tuple[np.ndarray, ...]:
    """Matrix per block of a quadratic operator, e.g. the `h_loc0` of cthyb's Delta interface.

    Raises
    ------
    ValueError
        As `parse_interaction`, and if two-body terms or one-body terms between blocks are present.
    """
    parsed = parse_interaction(h_loc0, gf_struct, "h_loc0")
    if parsed.between_blocks:
        raise ValueError(
            "h_loc0 has one-body terms between different blocks: put those orbitals into one block of gf_struct"
        )
    if np.any(parsed.U) or parsed.terms:
        raise ValueError(
            "h_loc0 holds two-body terms: it is the quadratic local Hamiltonian, interactions go into h_int"
        )
    return parsed.quadratic


def _flavours(gf_struct) -> dict[tuple[str, int], int]:
    labels = [(bl, a) for bl, size in gf_struct for a in range(size)]
    return {label: i for i, label in enumerate(labels)}


def _normal_ordered_terms(op, flavours: dict, name: str) -> dict[tuple[tuple, tuple], float]:
    """{(created flavours, annihilated flavours): coefficient}."""
    try:
        pairs = list(op)
    except TypeError:
        raise TypeError(
            f"{name} must be a many-body operator, e.g. U * n('up', 0) * n('down', 0); {type(op).__name__} given"
        ) from None
    terms = {}
    largest = max((abs(value) for monomial, value in pairs if len(monomial)), default=0.0)
    for monomial, value in pairs:
        text = _text(monomial, value)
        if isinstance(value, complex) and abs(value.imag) > 1e-13 * largest:
            raise ValueError(
                f"{name} has the complex coefficient {value} in {text}: only real Hamiltonians are supported"
            )
        value = float(np.real(value))
        if not math.isfinite(value):
            raise ValueError(f"{name} has the coefficient {value} in {text}: give finite numbers")
        create = tuple(_flavour(i, flavours, name) for dag, i in monomial if dag)
        annihilate = tuple(_flavour(i, flavours, name) for dag, i in monomial if not dag)
        if len(create) != len(annihilate):
            raise ValueError(
                f"{name} does not conserve the particle number: {text} creates {len(create)} and annihilates "
                f"{len(annihilate)}"
            )
        if len(create) > 2:
            raise ValueError(f"{name} has a {len(create)}-body term {text}: one- and two-body terms are supported")
        if [dag for dag, _ in monomial] != [True] * len(create) + [False] * len(annihilate):
            raise ValueError(
                f"{name} is not in normal order at {text}: build it from the c, c_dag and n of triqs.operators or "
                "triqs_mlsolver.compat"
            )
        key, sign = _ascending(create, annihilate)
        terms[key] = terms.get(key, 0.0) + sign * value
    return terms


def _ascending(create: tuple, annihilate: tuple) -> tuple[tuple[tuple, tuple], int]:
    """Created flavours ascending, annihilated descending, and the sign of the reordering."""
    sign = 1
    if len(create) == 2 and create[0] > create[1]:
        create, sign = create[::-1], -sign
    if len(annihilate) == 2 and annihilate[0] < annihilate[1]:
        annihilate, sign = annihilate[::-1], -sign
    return (create, annihilate), sign


def _flavour(indices, flavours: dict, name: str) -> int:
    label = tuple(indices)
    if len(label) == 2 and (str(label[0]), label[1]) in flavours:
        return flavours[str(label[0]), label[1]]
    sizes: dict[str, int] = {}
    for bl, _ in flavours:
        sizes[bl] = sizes.get(bl, 0) + 1
    allowed = ", ".join(f"({bl!r}, {'0' if k == 1 else f'0 … {k - 1}'})" for bl, k in sizes.items())
    given = ", ".join(repr(i) for i in label)
    raise ValueError(f"{name} acts on ({given}), which is not in gf_struct: allowed are {allowed}")


def _require_hermitian(terms: dict, flavours: dict, name: str) -> None:
    scale = max((abs(v) for v in terms.values()), default=0.0)
    labels = list(flavours)
    for (create, annihilate), value in terms.items():
        partner = terms.get((annihilate[::-1], create[::-1]), 0.0)
        if abs(value - partner) > 1e-10 * scale:
            term = _text([*((True, labels[i]) for i in create), *((False, labels[i]) for i in annihilate)], value)
            raise ValueError(
                f"{name} is not Hermitian: the conjugate of {term} has the coefficient {partner:g}. Add the Hermitian "
                "conjugate (dagger) of each hopping or exchange term"
            )


def _blocks(matrix: np.ndarray, gf_struct) -> tuple[np.ndarray, ...]:
    ends = np.cumsum([size for _, size in gf_struct])
    return tuple(matrix[end - size : end, end - size : end].copy() for end, (_, size) in zip(ends, gf_struct))


def _linked(matrix: np.ndarray, flavours: dict) -> tuple[str, str] | None:
    """The first two blocks that a matrix over all flavours links by more than rounding."""
    blocks = [bl for bl, _ in flavours]
    size = np.abs(matrix)
    pairs = ((blocks[i], blocks[j]) for i, j in zip(*np.nonzero(size > 1e-13 * np.max(size, initial=0.0))))
    return next(((a, b) for a, b in pairs if a != b), None)


def _text(monomial, value) -> str:
    factors = "*".join(f"c{'_dag' if dag else ''}({','.join(map(repr, indices))})" for dag, indices in monomial)
    return f"{value:g}*{factors}" if factors else f"{value:g}"
