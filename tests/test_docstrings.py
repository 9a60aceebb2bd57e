# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""The examples in the docstrings run, and every public class has one that does."""

import doctest
import importlib
import inspect
import pkgutil
from importlib.util import find_spec

import pytest

import triqs_mlsolver

NEED_TRIQS = {"triqs_mlsolver.exact.triqs_cthyb"}
MODULES = [
    m.name for m in pkgutil.walk_packages(triqs_mlsolver.__path__, "triqs_mlsolver.") if not m.name.endswith("__main__")
]


def load(name):
    if name in NEED_TRIQS and find_spec("triqs_cthyb") is None:
        pytest.skip("needs triqs_cthyb")
    try:
        return importlib.import_module(name)
    except ImportError as error:
        if (error.name or "").split(".")[0] in ("triqs", "triqs_cthyb", "h5", "solid_dmft"):
            pytest.skip(f"needs {error.name}")
        raise


@pytest.mark.parametrize("name", MODULES)
def test_examples(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = load(name)
    options = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    result = doctest.testmod(module, optionflags=options, report=True)
    assert result.failed == 0


@pytest.mark.parametrize("name", MODULES)
def test_every_module_says_what_it_is_for(name):
    assert load(name).__doc__


@pytest.mark.parametrize("name", [n for n in triqs_mlsolver.__all__ if n[0].isupper()])
def test_public_names_are_documented(name):
    thing = getattr(triqs_mlsolver, name)
    assert inspect.getdoc(thing) and len(inspect.getdoc(thing)) > 40
    for method, value in vars(thing).items():
        if not method.startswith("_") and callable(getattr(thing, method)) and inspect.isfunction(value):
            assert inspect.getdoc(value), f"{name}.{method} has no docstring"


@pytest.mark.parametrize("name", ["Problem", "Database", "Predictor", "LearnedSolver"])
def test_public_classes_have_an_example(name):
    assert doctest.DocTestFinder().find(getattr(triqs_mlsolver, name))[0].examples
