# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""The examples in the docstrings run, and every public class has one that does."""

import doctest
import importlib
import inspect
import pkgutil
import re
from importlib.util import find_spec
from pathlib import Path

import pytest

import triqs_mlsolver

NEED_TRIQS = {"triqs_mlsolver.exact.cthyb.solver"}
MODULES = [
    m.name
    for m in pkgutil.walk_packages(triqs_mlsolver.__path__, "triqs_mlsolver.")
    if not m.name.endswith("__main__") and m.name != "triqs_mlsolver.solve_generic"  # the function, not a module
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


# -- the public interface: what doc/api.md shows
# ------------------------------------------------------------------------

API = Path(__file__).resolve().parents[1] / "doc" / "api.md"


def documented() -> dict[str, object]:
    """Classes and functions of the reference page, by their full name."""
    page, out = API.read_text(encoding="utf-8"), {}
    for name in re.findall(r"auto(?:class|function):: (\S+)", page):
        module, _, attribute = name.rpartition(".")
        out[name] = getattr(importlib.import_module(module), attribute)
    for module, members in re.findall(r"automodule:: (\S+)\n   :members:([^\n]*)", page):
        home = importlib.import_module(module)
        for attribute in members.replace(",", " ").split() or home.__all__:
            out[f"{module}.{attribute}"] = getattr(home, attribute)
    return out


pytest.importorskip("matplotlib")  # the plots are part of the interface
PUBLIC = documented()


def callables():
    """(name, function) of every public function, method and property of the interface, constructors included."""
    for name, thing in PUBLIC.items():
        if not inspect.isclass(thing):
            yield name, thing
            continue
        for attribute, value in vars(thing).items():
            function = getattr(value, "fget", None) or getattr(value, "func", None) or getattr(value, "__func__", value)
            mine = inspect.isfunction(function) and (not attribute.startswith("_") or attribute == "__init__")
            if mine and function.__module__.startswith("triqs_mlsolver"):
                yield f"{name}.{attribute}", function


CALLABLES = dict(callables())


def test_reference_has_every_public_name():
    shown = {name.rpartition(".")[2] for name in PUBLIC}
    assert {name for name in triqs_mlsolver.__all__ if name[0].isupper()} <= shown
    assert len(CALLABLES) > 80


@pytest.mark.parametrize("name", CALLABLES)
def test_public_callables_have_types_and_a_docstring(name):
    function = CALLABLES[name]
    signature = inspect.signature(function)
    kinds = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    bare = [
        p.name
        for p in signature.parameters.values()
        if p.annotation is p.empty and p.name not in ("self", "cls") and p.kind not in kinds
    ]
    assert bare == []
    if name.endswith("__init__"):
        return
    assert signature.return_annotation is not signature.empty
    text = inspect.getdoc(function) or ""
    assert re.match(r"\S.{15,}", text) and text.split("\n")[0].rstrip(":")[-1] in ".)]", text


@pytest.mark.parametrize("name", [n for n, thing in PUBLIC.items() if inspect.isclass(thing)])
def test_public_classes_document_their_arguments_and_fields(name):
    """Every argument of the constructor stands in the docstring, with a type; dataclasses tell all their fields."""
    thing = PUBLIC[name]
    text = inspect.getdoc(thing)
    told = set()
    for names in re.findall(r"^([\w*][\w, *]*?) : \S", text, re.MULTILINE):
        told |= {part.strip(" *") for part in names.split(",")}
    told |= {part for part in re.findall(r"^\*\*(\w+)$", text, re.MULTILINE)}
    own = thing.__init__.__module__.startswith("triqs_mlsolver") or hasattr(thing, "__dataclass_fields__")
    arguments = set(inspect.signature(thing).parameters) if own else set()
    assert arguments - told == set()


@pytest.mark.parametrize("name", [n for n in CALLABLES if not n.endswith("__init__")])
def test_described_parameters_are_those_of_the_signature(name):
    """Where a docstring has a list of parameters, it has all of them and no others."""
    function = CALLABLES[name]
    section = re.search(r"^Parameters\n-+\n(.*?)(?=^\w+\n-+$|\Z)", inspect.getdoc(function) or "", re.M | re.S)
    if not section:
        return
    described = set()
    for names in re.findall(r"^(\S[^:\n]*?)(?: : .*)?$", section[1], re.MULTILINE):
        described |= {part.strip(" *.") for part in names.split(",")} - {""}
    parameters = inspect.signature(function).parameters.values()
    named = {p.name for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)} - {"self", "cls"}
    assert named - described == set()
