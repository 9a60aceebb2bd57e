# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""A long run says what it aims at and how long it will take; a bar follows on a terminal."""

import io
import logging
import re

import pytest

from triqs_mlsolver import Problem
from triqs_mlsolver.exact import outlook
from triqs_mlsolver.exact.segment import SegmentSolver

SIAM = Problem.siam(10.0, 2.0, 1.0, [-0.3, 0.4], [0.3, 0.3])


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def every_run_is_long(monkeypatch):
    monkeypatch.setattr(outlook, "_LONG", 0.0)


def test_a_run_of_known_length_is_foretold(every_run_is_long, caplog):
    caplog.set_level(logging.INFO, logger="triqs_mlsolver")
    SegmentSolver(n_cycles=2000, length_cycle=20, random_seed=1).solve(SIAM)
    said = " / ".join(caplog.messages)
    assert re.search(r"segment aims at a warm-up of \d+ updates: about \d+ s", said)
    assert re.search(r"segment aims at 2000 measurements, each after 20 updates: about \d+ s", said)


def test_a_run_with_a_target_says_the_target(every_run_is_long, caplog):
    caplog.set_level(logging.INFO, logger="triqs_mlsolver")
    SegmentSolver(target_error=3e-3, random_seed=1).solve(SIAM)
    assert any("segment aims at an error of G(tau) of 0.003: about" in line for line in caplog.messages)


def test_short_runs_say_nothing(caplog):
    caplog.set_level(logging.INFO, logger="triqs_mlsolver")
    SegmentSolver(n_cycles=500, random_seed=1).solve(SIAM)
    assert not any("aims at" in line for line in caplog.messages)


@pytest.mark.parametrize("visible", [True, False])
def test_the_bar_is_drawn_on_a_terminal_by_one_rank(monkeypatch, every_run_is_long, caplog, visible):
    caplog.set_level(logging.INFO, logger="triqs_mlsolver")
    terminal = Terminal()
    monkeypatch.setattr(outlook.sys, "stderr", terminal)
    shown = outlook.Outlook("segment", visible)
    shown.expect("something", 100.0)
    shown.tick()
    shown.close()
    assert ("segment" in terminal.getvalue() and "left" in terminal.getvalue()) == visible


def test_durations_in_words():
    assert [outlook.in_words(s) for s in (40.3, 170, 9000)] == ["40 s", "3 min", "2.5 h"]
