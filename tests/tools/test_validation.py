# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""What is refused, and that the message says what was given, what is allowed and what may have been meant."""

from __future__ import annotations

import numpy as np
import pytest

from triqs_mlsolver.tools import validation

NOT_NUMBERS = ["0.1", None, True, np.bool_(False), [1.0], np.ones(1), 1j]


@pytest.mark.parametrize("name, meant", [
    ("n_cycle", "n_cycles"), ("N_Cycles", "n_cycles"), ("BETA", "beta"),
    ("zzz", None), ("", None), (None, None), (3, None),
])  # fmt: skip
def test_the_closest_name_whatever_its_case(name, meant):
    assert validation.closest(name, ("n_cycles", "beta")) == meant
    hint = f": did you mean {meant!r}?" if meant else ""
    assert validation.did_you_mean(name, ("n_cycles", "beta")) == hint


def test_names_are_refused_with_all_there_are():
    validation.check_name("exact", "ed", ("auto", "ed"))
    with pytest.raises(
        ValueError, match="^exact = 'edd' is not a solver: choose one of 'auto', 'ed'; did you mean 'ed'?"
    ):
        validation.check_name("exact", "edd", ("auto", "ed"), kind="a solver")
    with pytest.raises(ValueError, match="^sampling = None is not known: choose one of sobol, walk$"):
        validation.check_name("sampling", None, iter(("sobol", "walk")), quoted=False)


def test_keywords_are_refused_with_the_one_that_was_meant():
    validation.check_keywords("Solver()", {"tolerance": 0.1}, ("tolerance", "learn"))
    with pytest.raises(TypeError, match=r"^Solver\(\) has no option 'tolerence': did you mean 'tolerance'\?$"):
        validation.check_keywords("Solver()", {"tolerence": 0.1}, ("tolerance", "learn"))
    with pytest.raises(TypeError, match=r"^Solver\(\) has no option 'beta': allowed are tolerance, learn$"):
        validation.check_keywords("Solver()", ["learn", "beta"], ("tolerance", "learn"))


@pytest.mark.parametrize("value", [0, 0.5, 1, np.float32(0.5), np.int64(1)])
def test_numbers_are_accepted(value):
    validation.check_number("share", value, "a share", 1)
    assert validation.number("share", value, "a share") == value
    assert type(validation.number("share", value, "a share")) is float


@pytest.mark.parametrize("value", [-0.1, 1.5, np.nan, np.inf, -np.inf])
def test_impossible_numbers_are_refused(value):
    with pytest.raises(ValueError, match=f"share = {value} is not possible: give a share"):
        validation.check_number("share", value, "a share", 1)


@pytest.mark.parametrize("value", NOT_NUMBERS)
@pytest.mark.parametrize("check", [validation.check_number, validation.number, validation.whole])
def test_what_is_no_number_is_refused(check, value):
    arguments = (0,) if check is validation.whole else ("a share",)
    with pytest.raises(TypeError, match="share = .* is not a number: "):
        check("share", value, *arguments)


def test_zero_is_refused_where_a_number_must_be_positive():
    validation.check_number("time", 1e-9, "a time", positive=True)
    with pytest.raises(ValueError, match="time = 0 is not possible: give a time"):
        validation.check_number("time", 0, "a time", positive=True)


@pytest.mark.parametrize("value", [-1, np.nan, np.inf])
def test_numbers_that_are_returned_are_finite_and_not_negative(value):
    with pytest.raises(ValueError, match="is negative or not a number: 0 means never"):
        validation.number("rate", value, "0 means never")


def test_whole_numbers_may_be_written_as_floats():
    assert validation.whole("n", 1e6, 1) == 1_000_000 and type(validation.whole("n", np.float64(3), 1)) is int
    for value in (0, 2.5, np.nan, np.inf):
        with pytest.raises(ValueError, match=f"^n = .*{value}.* is not possible: give a whole number of at least 1$"):
            validation.whole("n", value, 1)
    with pytest.raises(ValueError, match="^n = 7 is not possible: give 1 to 6 sites$"):
        validation.whole("n", 7, 1, "1 to 6 sites", largest=6)


def test_integers_are_integers():
    validation.check_whole("seed", np.int64(0), 0)
    for value in (1.0, "1", True, None):
        with pytest.raises(TypeError, match="is not an integer: give one of at least 0"):
            validation.check_whole("seed", value, 0)
    with pytest.raises(ValueError, match="seed = -1 is not possible: give an integer of at least 0"):
        validation.check_whole("seed", -1, 0)


def test_flags_are_true_or_false():
    for value in (True, False, 0, 1, np.bool_(True)):
        validation.check_flag("learn", value)
    for value in ("no", None, 2, 0.0):
        with pytest.raises(TypeError, match="learn = .* is neither True nor False"):
            validation.check_flag("learn", value)
