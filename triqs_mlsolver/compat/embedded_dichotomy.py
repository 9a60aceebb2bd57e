# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""The search for a root, for machines without TRIQS."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from dcorelib.triqs_compat import mpi


def dichotomy(
    function: Callable[[float], float],
    x_init: float,
    y_value: float,
    precision_on_y: float,
    delta_x: float,
    max_loops: int = 1000,
    x_name: str = "",
    y_name: str = "",
    verbosity: int = 1,
) -> tuple[float | None, float | None]:
    """x with function(x) = `y_value` within `precision_on_y`, of a function that grows; and function(x).

    From `x_init` steps of `delta_x` are taken until the value is enclosed, then secants drawn. (None, None) where
    `max_loops` evaluations do not reach it, as in TRIQS.
    """
    say = mpi.report if verbosity > 0 else lambda *_: None
    say(f"searching {x_name or 'x'} such that {y_name or 'y'} = {y_value:g} +/- {precision_on_y:g}")
    low = high = (x_init, function(x_init))
    sign, step, n_loops = np.sign(low[1] - y_value), abs(delta_x), 0
    while n_loops <= max_loops and (high[1] - y_value) * sign > 0 and abs(high[1] - y_value) > precision_on_y:
        n_loops += 1
        x = high[0] - sign * step
        high = (x, function(x))
    low, high = sorted((low, high))
    best = min(low, high, key=lambda point: abs(point[1] - y_value))
    while n_loops <= max_loops and abs(best[1] - y_value) > precision_on_y:
        n_loops += 1
        x = low[0] + (high[0] - low[0]) * (y_value - low[1]) / (high[1] - low[1])
        best = (x, function(x))
        if (low[1] - y_value) * (best[1] - y_value) > 0:
            low = best
        else:
            high = best
    if abs(best[1] - y_value) > precision_on_y:
        say(f"{x_name or 'x'} was not found in {n_loops} steps")
        return None, None
    say(f"found in {n_loops} steps: {x_name or 'x'} = {best[0]:g}, {y_name or 'y'} = {best[1]:g}")
    return best
