# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Parts of an operator, and coefficients out of it, with TRIQS' signatures."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .operators import Operator, c, c_dag


def diagonal_part(H) -> Operator:
    """The terms that are products of occupation numbers."""
    return _kept(H, lambda monomial: _labels(monomial, True) == _labels(monomial, False))


def quadratic_terms(H) -> Operator:
    """The terms of two factors."""
    return _kept(H, lambda monomial: len(monomial) == 2)


def quartic_terms(H) -> Operator:
    """The terms of four factors."""
    return _kept(H, lambda monomial: len(monomial) == 4)


def is_operator_real(H, tol: float = 0) -> bool:
    """Whether no coefficient has an imaginary part beyond `tol`."""
    return all(abs(value.imag) <= tol for _, value in H)


def make_operator_real(H, tol: float = 0):
    """The operator with the real parts of its coefficients.

    Raises
    ------
    RuntimeError
        If an imaginary part exceeds `tol`.
    """
    if not is_operator_real(H, tol):
        worst = max(abs(value.imag) for _, value in H)
        raise RuntimeError(f"a coefficient of the operator has the imaginary part {worst:.3g}, beyond tol = {tol}")
    return H.real


def extract_h_dict(H, ignore_irrelevant: bool = False) -> dict:
    """{(i, j): h_ij} of Σ h_ij c†_i c_j; `ignore_irrelevant` passes over other terms, which are refused otherwise."""
    return {
        (i, j): value for ((i,), (j,)), value in _of_form(H, 1, "c_dag(i) c(j)", ignore_irrelevant)
    }  # fmt: skip


def extract_U_dict2(H, ignore_irrelevant: bool = False) -> dict:
    """{(i, j): U_ij} of ½ Σ U_ij n_i n_j; other terms as in `extract_h_dict`."""
    form, found = "c_dag(i) c_dag(j) c(j) c(i)", {}
    for ((i, j), (l, k)), value in _of_form(H, 2, form, ignore_irrelevant):
        if (i, j) == (k, l):
            found[i, j] = found[j, i] = value
        elif not ignore_irrelevant:
            raise RuntimeError(f"the operator has a term that is not of the form {form}: {_shown(i, j, l, k)}")
    return found


def extract_U_dict4(H, ignore_irrelevant: bool = False) -> dict:
    """{(i, j, k, l): U_ijkl}, antisymmetrised, of ½ Σ U_ijkl c†_i c†_j c_l c_k; other terms as in `extract_h_dict`."""
    found = {}
    for ((i, j), (l, k)), value in _of_form(H, 2, "c_dag(i) c_dag(j) c(l) c(k)", ignore_irrelevant):
        found[i, j, k, l] = found[j, i, l, k] = 0.5 * value
        found[i, j, l, k] = found[j, i, k, l] = -0.5 * value
    return found


def dict_to_matrix(d: dict, gf_struct) -> np.ndarray:
    """The array of what `extract_h_dict` and its like return, over all (block, orbital) of `gf_struct`."""
    places = {label: k for k, label in enumerate((bl, a) for bl, size in gf_struct for a in range(size))}
    rank = len(next(iter(d), ((), ())))
    array = np.zeros((len(places),) * rank, complex if any(isinstance(v, complex) for v in d.values()) else float)
    for labels, value in d.items():
        unknown = [label for label in labels if label not in places]
        if unknown:
            raise RuntimeError(f"the index {unknown[0]} is not in gf_struct, which has {list(places)}")
        array[tuple(places[label] for label in labels)] = value
    return array


def block_matrix_from_op(H, gf_struct, ignore_irrelevant: bool = False) -> list[np.ndarray]:
    """One matrix h_ij per block of Σ h_ij c†_i c_j."""
    whole = {}
    for (left, right), value in extract_h_dict(H, ignore_irrelevant).items():
        if left[0] == right[0]:
            whole[left, right] = value
        elif not ignore_irrelevant:
            raise RuntimeError(f"the operator has a term between the blocks {left[0]!r} and {right[0]!r}")
    matrix = dict_to_matrix(whole, gf_struct)
    ends = np.cumsum([size for _, size in gf_struct])
    return [matrix[end - size : end, end - size : end] for end, (_, size) in zip(ends, gf_struct)]


def op_from_block_matrix(bl_mat, gf_struct) -> Operator:
    """Σ h_ij c†_i c_j of one matrix per block."""
    total = Operator()
    for h, (bl, size) in zip(bl_mat, gf_struct, strict=True):
        for i, j in np.ndindex(size, size):
            total += h[i][j] * c_dag(bl, i) * c(bl, j)
    return total


def _kept(H, wanted) -> Operator:
    kept = Operator()
    for monomial, value in H:
        if wanted(monomial):
            term = Operator(1) * value
            for dagger, indices in monomial:
                term = term * (c_dag if dagger else c)(*indices)
            kept += term
    return kept


def _labels(monomial, dagger: bool) -> list[tuple]:
    return sorted((tuple(indices) for dag, indices in monomial if dag == dagger), key=str)


def _of_form(H, n_pairs: int, form: str, ignore: bool) -> Iterator[tuple[tuple, complex]]:
    """((labels of the creators, of the annihilators), coefficient) of the terms with `n_pairs` of both."""
    for monomial, value in H:
        kinds = [dagger for dagger, _ in monomial]
        labels = [tuple(indices) for _, indices in monomial]
        if kinds == [True] * n_pairs + [False] * n_pairs:
            yield (tuple(labels[:n_pairs]), tuple(labels[n_pairs:])), value
        elif not ignore:
            raise RuntimeError(
                f"the operator has a term that is not of the form {form}: {_shown(*labels) or 'a constant'}; "
                "ignore_irrelevant=True passes over such terms"
            )


def _shown(*labels) -> str:
    return ", ".join(str(label) for label in labels)
