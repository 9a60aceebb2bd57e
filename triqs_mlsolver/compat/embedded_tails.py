# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
r"""High-frequency moments for machines without TRIQS: G(z) = Σ_n G_n / z^n, fitted and put in place as TRIQS does.

A fit is a least-squares problem at up to 30 frequencies on either end of the mesh, in powers of (largest frequency)/z;
its order is the largest, up to 9, that keeps the smallest singular value above 1e-8.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from dcorelib.triqs_compat.gf import BlockGf as _Blocks

_MAX_ORDER = 9
_SINGULAR = 1e-8


class Window(NamedTuple):
    """Which frequencies enter a fit: a fraction of the mesh, from its ends, and of them so many on either side."""

    fraction: float = 0.2
    n_max: int = 30
    order: int | None = None


def fit_tail(g, known_moments=None):
    """Moments of g(iω) from its values at high frequency.

    Parameters
    ----------
    g : Gf or BlockGf on Matsubara frequencies
    known_moments : array (n, ...) or, for blocks, a list of them; optional
        The first n moments, the constant being number 0.

    Returns
    -------
    tail : array (n_moments, ...), for blocks a list
    error : float
        Root mean square of what the moments miss at the frequencies of the fit.
    """
    return _over_blocks(_fitted, g, known_moments, hermitian=False)


def fit_hermitian_tail(g, known_moments=None):
    """As `fit_tail`, with moments that are Hermitian matrices: those of a G(iω) with G(−iω) = G(iω)†."""
    return _over_blocks(_fitted, g, known_moments, hermitian=True)


def fit_tail_on_window(g, n_min, n_max, known_moments=None, n_tail_max=30, expansion_order=None):
    """`fit_tail` from frequencies n_min to n_max alone (−1: the last), with moments up to `expansion_order`."""
    return _over_blocks(_fitted_on_window, g, known_moments, n_min, n_max, n_tail_max, expansion_order, hermitian=False)


def fit_hermitian_tail_on_window(g, n_min, n_max, known_moments=None, n_tail_max=30, expansion_order=None):
    """`fit_hermitian_tail` from frequencies n_min to n_max alone (−1: the last)."""
    return _over_blocks(_fitted_on_window, g, known_moments, n_min, n_max, n_tail_max, expansion_order, hermitian=True)


def make_zero_tail(g, n_moments: int = 10):
    """Zeros in the shape of `n_moments` moments, the constant included; for blocks a list."""
    if isinstance(g, _Blocks):
        return [make_zero_tail(block, n_moments) for _, block in g]
    return np.zeros((max(1, n_moments), *g.data.shape[1:]), dtype=complex)


def replace_by_tail(g, tail, n_min: int) -> None:
    """Put Σ_n tail_n / (iω)^n where the Matsubara index is at least `n_min` or below −`n_min`; in place."""
    if isinstance(g, _Blocks):
        for (_, block), part in zip(g, tail, strict=True):
            replace_by_tail(block, part, n_min)
        return
    n = np.arange(g.mesh.first_index(), g.mesh.last_index() + 1)
    high = (n >= n_min) | (n < -n_min)
    powers = (1 / g.mesh.values()[high])[:, None] ** np.arange(len(tail))
    g.data[high] = np.tensordot(powers, np.asarray(tail), axes=(1, 0))


def replace_by_tail_in_fit_window(g, tail) -> None:
    """`replace_by_tail` where the mesh takes the frequencies of its fits from."""
    mesh = next(iter(g))[1].mesh if isinstance(g, _Blocks) else g.mesh
    replace_by_tail(g, tail, mesh.last_index() - _rounded(mesh.tail_window.fraction * len(mesh) / 2))


def _over_blocks(fit, g, known_moments, *args, **kwargs):
    if not isinstance(g, _Blocks):
        return fit(g, known_moments, *args, **kwargs)
    known = [None] * len(g) if known_moments is None or len(known_moments) == 0 else known_moments
    fits = [fit(block, moments, *args, **kwargs) for (_, block), moments in zip(g, known, strict=True)]
    return [tail for tail, _ in fits], max(error for _, error in fits)


def _fitted_on_window(g, known_moments, n_min, n_max, n_tail_max, order, *, hermitian):
    n_max = g.mesh.last_index() if n_max == -1 else n_max
    n = np.arange(-n_max, n_max)
    window = Window((n_max - n_min) / n_max, n_tail_max, order)
    z, data = ([values[g.mesh.to_data_index(k)] for k in n] for values in (g.mesh.values(), g.data))
    return _moments(n, np.array(z), np.array(data), window, known_moments, hermitian)


def _fitted(g, known_moments, *, hermitian):
    if not hasattr(g.mesh, "tail_window"):
        raise TypeError(f"tails are fitted on Matsubara frequencies (MeshImFreq), not on a {type(g.mesh).__name__}")
    n = np.arange(g.mesh.first_index(), g.mesh.last_index() + 1)
    return _moments(n, g.mesh.values(), g.data, g.mesh.tail_window, known_moments, hermitian)


def _moments(n, z, data, window: Window, known, hermitian: bool):
    """The fit: `n` are the indices of the frequencies `z`, ascending."""
    target = data.shape[1:]
    if hermitian and not (len(target) == 0 or (len(target) == 2 and target[0] == target[1])):
        raise ValueError(f"a Hermitian tail needs square matrices: the target space is {target}")
    known = np.zeros((0, *target)) if known is None or len(known) == 0 else np.asarray(known)
    if known.shape[1:] != target:
        raise ValueError(f"known_moments of shape {known.shape} do not fit a function with target space {target}")
    n_known, largest = len(known), abs(z[-1])
    if n_known > (_MAX_ORDER if window.order is None else window.order):
        return known.astype(complex), 0.0
    places = _places(n, window)
    powers = (largest / z[places])[:, None] ** np.arange(_MAX_ORDER + 1 if window.order is None else window.order + 1)
    scale = largest ** np.arange(powers.shape[1])
    n_columns = data[0].size
    scaled = known.reshape(n_known, n_columns) / scale[:n_known, None]
    values = data[places].reshape(len(places), n_columns) - powers[:, :n_known] @ scaled
    columns = _columns(powers, n_known, largest, window.order)
    A, B = powers[:, columns], values
    dagger = lambda x: np.conj(x.reshape(len(x), *target).swapaxes(1, -1)).reshape(x.shape) if target else np.conj(x)
    if hermitian:
        A, B = np.concatenate([A, np.conj(A)]), np.concatenate([B, dagger(B)])
    found = np.linalg.lstsq(A, B, rcond=None)[0]
    error = np.max(np.linalg.norm(B - A @ found, axis=0)) / np.sqrt(len(B))
    if hermitian:
        found = 0.5 * (found + dagger(found))
    found = (found * scale[columns, None]).reshape(-1, *target)
    return np.concatenate([known, found]).astype(complex), float(error)


def _places(n: np.ndarray, window: Window) -> np.ndarray:
    """Rows of the data that enter a fit, from both ends of the mesh."""
    n_window = _rounded(window.fraction * len(n) / 2)
    count = min(n_window, window.n_max)
    steps = np.full(max(count - 1, 0), n_window / max(count, 1))
    ends = [np.cumsum([start, *steps])[:count] for start in (n[0], n[-1] - n_window)]  # added up, as TRIQS rounds them
    return np.trunc(np.concatenate(ends)).astype(int) - n[0]


def _columns(powers: np.ndarray, n_known: int, largest: float, order: int | None) -> slice:
    """Which moments are fitted."""
    if n_known + 1 > len(powers) // 2:
        raise ValueError(f"{len(powers)} frequencies are too few for a tail fit: use a longer mesh, or a larger window")
    if order is not None:
        return slice(n_known, order + 1)
    top = min(_MAX_ORDER, int(1 + 16 / np.log10(1 + largest)), len(powers) // 2)
    for n in range(top, n_known - 1, -1):
        if np.linalg.svd(powers[:, n_known : n + 1], compute_uv=False)[-1] > _SINGULAR:
            return slice(n_known, n + 1)
    raise ValueError("no order of the tail fit is well conditioned: use a longer mesh, or a larger window")


def _rounded(x: float) -> int:
    """To the nearest integer, halves up."""
    return int(np.floor(x + 0.5))
