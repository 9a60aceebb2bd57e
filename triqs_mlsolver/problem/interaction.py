# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""An interaction written in one way: n_i n_j in a matrix, other products c†_i c†_j c_k c_l once, in normal order."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

_ROUNDING = 1e-14  # relative to the largest element: what is left where coefficients cancel

Indices = tuple[int, int, int, int]


def interaction_table(terms: Iterable[tuple[float, Indices]]) -> dict[Indices, float]:
    """Coefficients of c†_i c†_j c_k c_l with i < j and k > l, equal ones added."""
    table: dict[Indices, float] = {}
    for value, (i, j, k, l) in terms:
        if i == j or k == l:
            continue
        if i > j:
            i, j, value = j, i, -value
        if k < l:
            k, l, value = l, k, -value
        table[i, j, k, l] = table.get((i, j, k, l), 0.0) + value
    return table


def normal_form(U: np.ndarray, terms: tuple) -> tuple[np.ndarray, tuple]:
    """The same interaction ½ Σ U_ij n_i n_j + terms, whose products in normal order are linearly independent.

    Parameters
    ----------
    U : (N, N) array
        Symmetric (energy).
    terms : tuple of (float, (int, int, int, int))

    Returns
    -------
    U : (N, N) array
        With what `terms` say of n_i n_j = c†_i c†_j c_j c_i.
    terms : tuple of (float, (int, int, int, int))
        c†_i c†_j c_k c_l with i < j and k > l, ascending in (i, j, k, l), none twice and none zero.
    """
    if not terms:
        return U, ()
    U, table = U.copy(), interaction_table(terms)
    rounding = _ROUNDING * max(np.max(np.abs(U), initial=0.0), *(abs(value) for value, _ in terms))
    kept = []
    for (i, j, k, l), value in sorted(table.items()):
        if (i, j) == (l, k):
            U[[i, j], [j, i]] += value
        elif abs(value) > rounding:
            kept.append((value, (i, j, k, l)))
    return U, tuple(kept)
