# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""What the compiled segment solver is made of: compilation, random numbers, Δ(τ), and sweeps over operators.

Arrays over operators have room for a multiple of `WIDTH` numbers. Entries beyond the expansion order n are inert: times
are NEVER and matrices vanish there.
"""

from __future__ import annotations

import numba
import numpy as np

from .vectors import sweep

# Reassociation lets the compiler reorder sums; NaN and infinity keep their meaning.
FAST = {"reassoc", "contract", "nsz", "arcp"}
# Nothing is allocated in compiled code, so reference counting, a fifth of the run time, is switched off.
OPTIONS = {"nogil": True, "fastmath": FAST, "_nrt": False, "error_model": "numpy"}

NEVER = 1e300  # the time of an operator that is not there
N_POWERS = 6  # coefficients of Δ(τ) per interval of its table


def compiled(function):
    """`numba.njit` for functions called from Python, cached on disk where some directory can be written."""
    try:
        return numba.njit(cache=True, **OPTIONS)(function)
    except RuntimeError:  # numba found no directory for its cache: compile anew in each process
        return numba.njit(**OPTIONS)(function)


# Functions called from compiled code alone need no wrappers, which take longer to compile than they do themselves.
called = numba.njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, **OPTIONS)
# A call passes every field of every array on the stack, which for a move takes as long as the move.
inlined = numba.njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, forceinline=True, **OPTIONS)


@inlined
def random(rng):
    """Uniform in [0, 1): xoshiro256+ (Blackman and Vigna, ACM TOMS 47, 36), the upper 53 bits."""
    s0, s1, s2, s3 = rng[0], rng[1], rng[2], rng[3]
    result = s0 + s3
    s2 ^= s0
    s3 ^= s1
    rng[1] = s1 ^ s2
    rng[0] = s0 ^ s3
    rng[2] = s2 ^ (s1 << np.uint64(17))
    rng[3] = (s3 << np.uint64(45)) | (s3 >> np.uint64(19))
    return np.int64(result >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@inlined
def hybridisation(table, beta, x):
    """F(x) for −β < x < β from polynomials of degree N_POWERS − 1 on equal intervals; the last row is F(β)."""
    wrapped = x < 0.0
    y = (x + beta if wrapped else x) * ((table.shape[0] - 1) / beta)
    i = np.int64(y)
    y -= i
    c, y2 = table[i], y * y
    value = c[0] + y * c[1] + y2 * (c[2] + y * c[3] + y2 * (c[4] + y * c[5]))
    return -value if wrapped else value


@sweep("store", 3)
def locate(t, times, direction, beta, scale):
    """Of F(direction (t − times)): its sign and, in the table of F, the fraction and the number of the interval."""
    x = (t - times) * direction
    wrapped = x < 0.0
    y = wrapped.where(x + beta, x) * scale
    k = y.whole()
    return wrapped.where(-1.0, 1.0), y - k.real(), k


@inlined
def hybridisations(table, beta, direction, t, times, n, result, fraction, index):
    """result[i] = F(direction (t − times[i])), for direction ±1; `fraction` and `index` are scratch."""
    locate(result, fraction, index, t, times, direction, beta, (table.shape[0] - 1) / beta, n)
    for i in range(n):
        c, y = table[index[i]], fraction[i]
        y2 = y * y
        result[i] *= c[0] + y * c[1] + y2 * (c[2] + y * c[3] + y2 * (c[4] + y * c[5]))


@sweep("sum")
def stretches_before(S, E, t):
    """Part of ∫₀ᵗ n(τ) dτ that is not n(0) t."""
    return (t - S).positive() - (t - E).positive()


@sweep("sum")
def stretches_between(S, E, t, end):
    """Part of ∫ n(τ) dτ from t to end that is not n(0) (end − t)."""
    return (end - S).positive() - (end - E).positive() - (t - S).positive() + (t - E).positive()


@sweep("sum")
def steps_before(S, E, t):
    """n(t) − n(0)."""
    return (S <= t).where(1.0, 0.0) - (E <= t).where(1.0, 0.0)


@sweep("least")
def nearest_after(times, t, beta):
    """From t to the next of `times` on the circle; an operator at t itself is β away."""
    d = times - t
    return (d <= 0.0).where(d + beta, d)


@sweep("least")
def nearest_before(times, t, beta):
    """From the last of `times` on the circle to t; an operator at t itself is β away."""
    d = t - times
    d = (d <= 0.0).where(d + beta, d)
    return (d <= 0.0).where(beta, d)  # operators that are not there


@sweep("largest")
def position_of(times, number, t, beta, distance):
    """The `number` of the operator at `distance` after t on the circle."""
    d = times - t
    d = (d <= 0.0).where(d + beta, d)
    return (abs(d - distance) < 1e-12 * beta).where(number, 0.0)


@sweep("sum")
def dot(a, b):
    """Σ_i a_i b_i."""
    return a * b


@sweep("store", 1)
def copy(source):
    """result = source."""
    return source


@sweep("store", 1)
def scaled(source, factor):
    """result = factor × source."""
    return source * factor


@sweep("store", 1)
def added(a, factor, b):
    """result = a + factor b."""
    return a + b * factor


@inlined
def add_rank_one(M, n, column, row):
    """M[j, i] += column[j] row[i]."""
    for j in range(n):
        added(M[j], M[j], column[j], row, n)
