# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""What a user gives: refused with what was given, what is allowed, and what to do."""

from __future__ import annotations

import difflib

import numpy as np


def did_you_mean(name: str, allowed) -> str:
    """ ", did you mean ...?" for the closest of the `allowed` names, or a pointer to the list of them."""
    by_lower = {a.lower(): a for a in allowed}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1)
    return (
        f": did you mean {by_lower[close[0]]!r}?"
        if close
        else ": the parameters are those of triqs_cthyb, see help(Solver.solve)"
    )


def check_number(name: str, value, allowed: str, largest: float = float("inf")) -> None:
    """Refuse what is no finite number from 0 to `largest`; `allowed` tells the user what is.

    Raises
    ------
    TypeError, ValueError
    """
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"{name} = {value!r} is not a number: give {allowed}")
    if not (np.isfinite(value) and 0 <= value <= largest):
        raise ValueError(f"{name} = {value} is not possible: give {allowed}")


def check_whole(name: str, value, least: int) -> None:
    """Refuse what is no integer of at least `least`.

    Raises
    ------
    TypeError, ValueError
    """
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name} = {value!r} is not an integer: give one of at least {least}")
    if value < least:
        raise ValueError(f"{name} = {value} is not possible: give an integer of at least {least}")


def check_flag(name: str, value) -> None:
    """Refuse what is neither true nor false; 0 and 1 are accepted.

    Raises
    ------
    TypeError
    """
    if not isinstance(value, (bool, int, np.bool_, np.integer)) or value not in (0, 1):
        raise TypeError(f"{name} = {value!r} is neither True nor False: give one of them")


def number(name: str, value: float, allowed: str) -> float:
    """`value` as a float.

    Raises
    ------
    TypeError, ValueError
        If it is not a finite number of at least zero.
    """
    if isinstance(value, (str, bytes)) or not np.isscalar(value):
        raise TypeError(f"{name} = {value!r} is not a number: {allowed}")
    value = float(value)
    if not (np.isfinite(value) and value >= 0):
        raise ValueError(f"{name} = {value} is negative or not a number: {allowed}")
    return value
