# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""The house: rooms lie on floors, no import runs up, none runs in a circle, and TRIQS is met at two doors.

Imports are read from the source, those within functions included.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import triqs_mlsolver

NAME = "triqs_mlsolver"
ROOT = Path(triqs_mlsolver.__file__).parent
#: The floors from the top, each with its rooms. A module imports from its own room and from floors below; rooms of one
#: floor may use each other as long as it goes one way.
FLOORS = (
    ("app", "app.commands"),
    ("interface", "generation"),
    ("plots",),
    ("decision",),
    ("database",),
    ("model", "model.features", "model.regression"),
    ("approximations", "lattice"),
    ("exact", "exact.ed", "exact.segment", "exact.matrix", "exact.cthyb"),
    ("compat",),
    ("problem",),
    ("numerics", "tools"),
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
#: Modules at the root hand names on to their public paths; `version` is everybody's.
HANDED_ON = {"solve_generic", "solid_dmft"}
TRIQS = {"triqs", "triqs_cthyb", "triqs_dft_tools", "h5", "dcorelib"}
DOORS = ("compat", "exact.cthyb")  # through which TRIQS comes in

FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix("__init__").strip("."): path
    for path in sorted(ROOT.rglob("*.py"))
}


def room(module: str) -> str:
    """The folder a module lies in, "" for the root."""
    return module if FILES[module].name == "__init__.py" else module.rpartition(".")[0]


def imports(module: str, *, on_load: bool = False) -> Iterator[str]:
    """Absolute names that a module imports; `on_load`: not those within functions, or for type checkers alone."""
    package = [NAME, *room(module).split(".")] if room(module) else [NAME]
    for node in _nodes(ast.parse(FILES[module].read_text(encoding="utf-8")), on_load):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*above, *filter(None, [node.module])])
            for alias in node.names:  # `from . import kernel` imports a module, `from .kernel import run` a name
                whole = f"{source}.{alias.name}"
                yield whole if whole.removeprefix(f"{NAME}.") in FILES else source


def _nodes(tree: ast.AST, on_load: bool) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        yield node
        is_function = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        for_checkers = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        if not (on_load and (is_function or for_checkers)):
            yield from _nodes(node, on_load)


def own(module: str, **options) -> set[str]:
    """Modules of the package that a module imports."""
    found = {name.removeprefix(NAME).strip(".") for name in imports(module, **options) if name.split(".")[0] == NAME}
    return found - {"version", "", module}


def is_empty(module: str) -> bool:
    """Whether a module has a docstring alone: a folder that is searched, as that of the commands is."""
    return len(ast.parse(FILES[module].read_text(encoding="utf-8")).body) == 1


def circle(arrows: dict[str, set[str]]) -> list[str]:
    """Some circle among the arrows, as the names along it; empty where there is none."""
    done: set[str] = set()

    def walk(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        for other in sorted(arrows.get(name, ())):
            if found := walk(other, [*path, name]):
                return found
        done.add(name)
        return []

    return next(filter(None, (walk(name, []) for name in sorted(arrows))), [])


def test_every_room_lies_on_a_floor():
    rooms = {room(module) for module in FILES} - {""}
    assert rooms == set(FLOOR)
    assert {module for module in FILES if room(module) == ""} == {"", "version", *HANDED_ON}


@pytest.mark.parametrize("module", [module for module in FILES if room(module)])
def test_no_import_runs_up(module):
    """Not even one within a function: what needs the floor above belongs there."""
    mine = FLOOR[room(module)]
    assert {other for other in own(module) if other in HANDED_ON or FLOOR[room(other)] < mine} == set()


def test_rooms_of_one_floor_use_each_other_one_way():
    users = {r: [m for m in FILES if room(m) == r and m != r] for r in FLOOR}  # a folder itself only hands on names
    used = {r: {o for m in modules for o in own(m) if not is_empty(o)} for r, modules in users.items()}
    assert circle({r: {room(o) for o in others} - {r} for r, others in used.items()}) == []


@pytest.mark.parametrize("name", FLOOR)
def test_no_circle_among_the_modules_of_a_room(name):
    """When they are loaded; a folder's own `__init__` only hands on names."""
    modules = {m for m in FILES if room(m) == name and m != name}
    assert circle({m: own(m, on_load=True) & modules for m in modules}) == []


@pytest.mark.parametrize("module", FILES)
def test_triqs_is_imported_behind_its_doors_only(module):
    found = {name.split(".")[0] for name in imports(module)} & TRIQS
    assert not found or room(module) in DOORS


def test_modules_at_the_root_hand_on_names_of_the_interface():
    for module in HANDED_ON:
        assert {room(other) for other in own(module)} == {"interface"}


def test_the_reading_of_imports_finds_what_there_is(tmp_path, monkeypatch):
    """All ways to write one: absolute, relative, of a module, of a name, within a function."""
    (tmp_path / "a.py").write_text(
        "import os, triqs_mlsolver.tools.mpi\nfrom .. import tools\nfrom ..tools import seeds\n"
        "from ..tools.seeds import of_run\nfrom ..version import version\ndef f():\n    import h5\n    from . import "
        "cli\n"
        "if TYPE_CHECKING:\n    from ..model import Predictor\n"
    )
    monkeypatch.setitem(FILES, "app.a", tmp_path / "a.py")
    assert own("app.a") == {"tools.mpi", "tools", "tools.seeds", "model", "app.cli"}
    assert own("app.a", on_load=True) == {"tools.mpi", "tools", "tools.seeds"}
    assert {"os", "h5"} <= set(imports("app.a")) and "h5" not in set(imports("app.a", on_load=True))
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"] and circle({"a": {"b"}, "b": set()}) == []
