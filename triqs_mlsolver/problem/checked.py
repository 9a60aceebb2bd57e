# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""The arrays of a problem where they enter: refused with the reason, or made exactly real and symmetric.

What is taken for rounding is measured in the numbers of the problem itself, never in a unit of ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

_SYMMETRISED = 1e-9  # violation of a symmetry, relative to the largest element of its kind, that is taken for rounding
_DIFFERENCES = 1e-14  # the same for differences of energies, relative to the largest of all


def structure(gf_struct) -> tuple[tuple[str, int], ...]:
    gf_struct = tuple((str(name), int(size)) for name, size in gf_struct)
    names = [name for name, _ in gf_struct]
    if not gf_struct or len(set(names)) < len(names) or min(size for _, size in gf_struct) < 1:
        raise ValueError(
            f"gf_struct = {list(gf_struct)}: give at least one block, distinct names and sizes of 1 or more"
        )
    return gf_struct


# -- shapes and finite numbers --------------------------------------------------------------------------------------


def levels(h, name: str, size: int) -> np.ndarray:
    """h_loc0 of one block, (size, size)."""
    h = np.asarray(h)
    if h.shape != (size, size):
        raise ValueError(f"h_loc0 of block {name!r} has shape {h.shape}, gf_struct says ({size}, {size})")
    if not np.all(np.isfinite(h)):
        raise ValueError(f"h_loc0 of block {name!r} contains NaN or infinity")
    return h


def hybridisation(d, name: str, size: int) -> np.ndarray:
    """Delta_l of one block, (n_l, size, size)."""
    d = np.asarray(d)
    if d.ndim == 1 and size == 1:
        d = d[:, None, None]
    if d.ndim != 3 or d.shape[1:] != (size, size):
        raise ValueError(f"Delta_l of block {name!r} has shape {d.shape}, expected (n_l, {size}, {size})")
    if not np.all(np.isfinite(d)):
        raise ValueError(f"Delta_l of block {name!r} contains NaN or infinity")
    return d


def densities(U, N: int) -> np.ndarray:
    """U_ij, (N, N), without a diagonal."""
    U = np.array(U, float)
    if U.shape != (N, N):
        raise ValueError(f"U has shape {U.shape}: give an ({N}, {N}) matrix, one row per flavour of gf_struct")
    if not np.all(np.isfinite(U)):
        raise ValueError("U contains NaN or infinity")
    if np.any(np.diag(U)):
        raise ValueError(
            f"U has the diagonal {np.diag(U).tolist()}: a flavour does not interact with itself, put zeros there"
        )
    return U


def terms(terms, N: int) -> tuple:
    terms = tuple((float(c), tuple(int(i) for i in idx)) for c, idx in terms)
    for c, idx in terms:
        if len(idx) != 4 or not all(0 <= i < N for i in idx) or not np.isfinite(c):
            raise ValueError(
                f"interaction term {(c, idx)}: give a finite coefficient and four flavours (i, j, k, l) in 0 … {N - 1}"
            )
    return terms


# -- real and symmetric ---------------------------------------------------------------------------------------------


def rounding(arrays: Iterable[np.ndarray]) -> float:
    """What differences of the energies in all `arrays` may be off (energy)."""
    return _DIFFERENCES * _largest(arrays)


def real_levels(blocks: Sequence[np.ndarray], names: Sequence[str], rounding: float) -> tuple[np.ndarray, ...]:
    """h_loc0 of all blocks, real and symmetric; `rounding` (energy) as above."""
    allowed, out = _SYMMETRISED * _largest(blocks) + rounding, []
    for h, name in zip(blocks, names):
        if _largest([h.imag]) > allowed:
            raise ValueError(
                f"h_loc0 of block {name!r} is complex (largest imaginary part {_largest([h.imag]):.2g}): only real "
                "problems are supported"
            )
        h = h.real.astype(float)
        if _largest([h - h.T]) > allowed:
            raise ValueError(f"h_loc0 of block {name!r} is not Hermitian (deviation {_largest([h - h.T]):.2g})")
        out.append(0.5 * (h + h.T))
    return tuple(out)


def real_hybridisation(blocks: Sequence[np.ndarray], names: Sequence[str], rounding: float) -> tuple[np.ndarray, ...]:
    """Delta_l of all blocks, real, and symmetric as a mean: it may carry noise."""
    allowed, out = _SYMMETRISED * _largest(blocks) + rounding, []
    for d, name in zip(blocks, names):
        if _largest([d.imag]) > allowed:
            raise ValueError(f"Delta_l of block {name!r} is complex: only real hybridisation functions are supported")
        d = d.real.astype(float)
        out.append(0.5 * (d + d.transpose(0, 2, 1)))
    return tuple(out)


def symmetric(U: np.ndarray, rounding: float) -> np.ndarray:
    """U_ij = U_ji."""
    deviation = _largest([U - U.T])
    if deviation > _SYMMETRISED * _largest([U]) + rounding:
        raise ValueError(f"U is not symmetric (deviation {deviation:.2g}): U_ij and U_ji are the same energy")
    return 0.5 * (U + U.T)


def _largest(arrays: Iterable[np.ndarray]) -> float:
    """Largest element of all arrays by modulus."""
    return max(float(np.max(np.abs(a), initial=0.0)) for a in arrays)
