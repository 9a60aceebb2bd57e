# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Reversible, odd transforms of the targets, channel by channel: what is learned instead of the correction itself."""

from __future__ import annotations

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

_SATURATION = 3.0  # root mean squares at which tanh bends
_EDGE = 1 - 1e-9


class TargetTransform(TransformerMixin, BaseEstimator):
    """y → f(y / s) with the root mean square s of each channel; odd, so that the particle-hole parity is kept.

    Parameters
    ----------
    kind : {"identity", "scaled", "asinh", "tanh"}
        "identity" leaves y alone; "scaled" divides by s; "asinh" and "tanh" also damp large values.

    Attributes
    ----------
    scale_ : (n_outputs,) array

    Examples
    --------
    >>> y = np.array([[0.1, -2.0], [0.3, 5.0]])
    >>> t = TargetTransform("asinh").fit(y)
    >>> bool(np.allclose(t.inverse_transform(t.transform(y)), y))
    True
    """

    def __init__(self, kind: str = "identity"):
        self.kind = kind

    def fit(self, y, _=None) -> TargetTransform:
        """Find the scales of `y` (N, n_outputs); ValueError for an unknown kind."""
        if self.kind not in _FUNCTIONS:
            raise ValueError(
                f"transform = {self.kind!r} is not known: choose one of {', '.join(map(repr, _FUNCTIONS))}"
            )
        rms = np.sqrt(np.mean(np.asarray(y, float) ** 2, axis=0))
        # a channel that never mattered must not be blown up
        self.scale_ = np.ones(len(rms)) if self.kind == "identity" else np.maximum(rms, 1e-4 * rms.max(initial=1e-12))
        return self

    def transform(self, y) -> np.ndarray:
        """From corrections to what is learned."""
        return _FUNCTIONS[self.kind][0](np.asarray(y, float) / self.scale_)

    def inverse_transform(self, t) -> np.ndarray:
        """From what is learned to corrections."""
        return _FUNCTIONS[self.kind][1](np.asarray(t, float)) * self.scale_


def _same(v):
    return v


_FUNCTIONS = {
    "identity": (_same, _same),
    "scaled": (_same, _same),
    "asinh": (np.arcsinh, np.sinh),
    "tanh": (
        lambda v: np.tanh(v / _SATURATION),
        lambda v: _SATURATION * np.arctanh(np.clip(v, -_EDGE, _EDGE)),
    ),
}
