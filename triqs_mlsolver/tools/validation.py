# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""What a user gives: refused with what was given, what is allowed, and what to do.

`check_*` only refuse; `number` and `whole` also return the value as a plain float or int.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable

import numpy as np

#: What is allowed for parameters that all Monte Carlo solvers have.
MAX_TIME = "a positive number of seconds, or -1 for no limit"
TARGET_ERROR = "a positive error of G(tau), for example 5e-4"

# -- names -------------------------------------------------------------------------------------------------------------


def closest(name, allowed: Iterable[str]) -> str | None:
    """The one of the `allowed` names that is likely meant, whatever its case; None where nothing is near."""
    by_lower = {a.lower(): a for a in allowed}
    found = difflib.get_close_matches(name.lower(), by_lower, n=1) if isinstance(name, str) else []
    return by_lower[found[0]] if found else None


def did_you_mean(name, allowed: Iterable[str], before: str = ": ") -> str:
    """ ": did you mean ...?" for the closest of the `allowed` names; empty where nothing is near."""
    near = closest(name, allowed)
    return "" if near is None else f"{before}did you mean {near!r}?"


def check_name(name: str, value, allowed: Iterable[str], *, kind: str = "known", quoted: bool = True) -> None:
    """Refuse what is none of the `allowed` names.

    Parameters
    ----------
    name : str
        Of the option.
    value
    allowed : iterable of str
    kind : str
        What the value is not: "known", "an exact solver".
    quoted : bool
        Show the names as strings; else as they are written on the command line.

    Raises
    ------
    ValueError
    """
    allowed = list(allowed)
    if value not in allowed:
        names = ", ".join(map(repr if quoted else str, allowed))
        hint = did_you_mean(value, allowed, "; ")
        raise ValueError(f"{name} = {value!r} is not {kind}: choose one of {names}{hint}")


def check_keywords(what: str, given: Iterable[str], allowed: Iterable[str]) -> None:
    """Refuse a name of an option that `what` does not have.

    Raises
    ------
    TypeError
    """
    allowed = list(allowed)
    for name in given:
        if name not in allowed:
            hint = did_you_mean(name, allowed) or f": allowed are {', '.join(allowed)}"
            raise TypeError(f"{what} has no option {name!r}{hint}")


# -- numbers -----------------------------------------------------------------------------------------------------------


def check_number(name: str, value, allowed: str, largest: float = math.inf, *, positive: bool = False) -> None:
    """Refuse what is no finite number from 0 to `largest`, 0 itself where it must be `positive`.

    Parameters
    ----------
    allowed : str
        Tells the user what is; the message says "give ...".

    Raises
    ------
    TypeError, ValueError
    """
    _require_number(name, value, f"give {allowed}")
    if not (math.isfinite(value) and 0 <= value <= largest) or (positive and value == 0):
        raise ValueError(f"{name} = {value} is not possible: give {allowed}")


def number(name: str, value, allowed: str) -> float:
    """`value` as a float.

    Raises
    ------
    TypeError, ValueError
        If it is not a finite number of at least zero.
    """
    _require_number(name, value, allowed)
    value = float(value)
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{name} = {value} is negative or not a number: {allowed}")
    return value


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


def whole(name: str, value, least: int, allowed: str | None = None, largest: float = math.inf) -> int:
    """`value` as an int, also where it is written as 1e6.

    Raises
    ------
    TypeError, ValueError
        If it is no whole number from `least` to `largest`.
    """
    allowed = f"a whole number of at least {least}" if allowed is None else allowed
    _require_number(name, value, f"give {allowed}")
    if not math.isfinite(value) or int(value) != value or not least <= value <= largest:
        raise ValueError(f"{name} = {value!r} is not possible: give {allowed}")
    return int(value)


def _require_number(name: str, value, advice: str) -> None:
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"{name} = {value!r} is not a number: {advice}")


# -- flags -------------------------------------------------------------------------------------------------------------


def check_flag(name: str, value) -> None:
    """Refuse what is neither true nor false; 0 and 1 are accepted.

    Raises
    ------
    TypeError
    """
    if not isinstance(value, (bool, int, np.bool_, np.integer)) or value not in (0, 1):
        raise TypeError(f"{name} = {value!r} is neither True nor False: give one of them")
