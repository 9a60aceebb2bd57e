# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Every Python block of the documentation runs: those of a file in order, in one namespace and a fresh directory."""

from __future__ import annotations

import inspect
import logging
import re
import shutil
import subprocess
import sys
from pathlib import Path
from pkgutil import iter_modules

import pytest

from triqs_mlsolver import Solver
from triqs_mlsolver.app import commands
from triqs_mlsolver.decision.learned_solver import LearnedSolver
from triqs_mlsolver.exact.cthyb.parameters import DEFAULTS, REQUIRED
from triqs_mlsolver.interface import parameters as cthyb_parameters
from triqs_mlsolver.tools.constants import SIGMA_SHARE

ROOT = Path(__file__).resolve().parents[1]
FILES = [ROOT / "README.md", *sorted((ROOT / "doc").glob("*.md"))]
WITH_CODE = [path for path in FILES if "```python" in path.read_text(encoding="utf-8")]

# a block may speak of what the reader's script has defined before
SCRIPT = {"README.md": "from triqs_mlsolver.compat import *\nU = 2.0\n"}


def blocks(path: Path) -> list[tuple[int, str]]:
    """Line number and code of each ```python block."""
    text = path.read_text(encoding="utf-8")
    found = re.finditer(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [(text.count("\n", 0, m.start(1)), m[1]) for m in found]


@pytest.mark.parametrize("path", WITH_CODE, ids=lambda p: p.name)
def test_code_blocks_run(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(logging.getLogger("triqs_mlsolver"), "level", logging.WARNING)
    namespace = {"__name__": "__main__"}
    exec(SCRIPT.get(path.name, ""), namespace)
    for line, code in blocks(path):
        exec(compile("\n" * line + code, str(path), "exec"), namespace)


def test_pages_that_show_code_have_some():
    assert {"README.md", "start.md", "cthyb.md", "database.md", "architecture.md"} <= {p.name for p in WITH_CODE}


def test_every_command_is_on_its_page():
    page = (ROOT / "doc" / "commands.md").read_text(encoding="utf-8")
    table = "\n".join(re.findall(r"^\| (`mlsolver .*?) \|", page, re.MULTILINE))
    named = set(re.findall(r"`(?:mlsolver )?(\w+)", table))
    assert {m.name for m in iter_modules(commands.__path__) if not m.name.startswith("_")} <= named


def test_every_page_is_in_the_contents():
    contents = (ROOT / "doc" / "index.md").read_text(encoding="utf-8")
    pages = {path.stem for path in (ROOT / "doc").glob("*.md")} - {"index"}
    assert pages == {line for line in contents.splitlines() if re.fullmatch(r"\w+", line)}


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), f"{path.name} links to {target}"


def constructor_parameters() -> dict[str, inspect.Parameter]:
    """Arguments of Solver's constructor and the options it hands on, by name."""
    return {**inspect.signature(LearnedSolver.__init__).parameters, **inspect.signature(Solver.__init__).parameters}


def parameter_page() -> str:
    return (ROOT / "doc" / "parameters.md").read_text(encoding="utf-8")


def test_page_lists_every_parameter():
    """The tables name every argument of the constructor and of solve(), and nothing else is called one."""
    rows = set(re.findall(r"`(\w+)`", "\n".join(re.findall(r"^\| (`[^|]*) \|", parameter_page(), re.MULTILINE))))
    constructor = set(constructor_parameters())
    solve = {*DEFAULTS, *cthyb_parameters.POST_PROCESSING, *cthyb_parameters.OWN}
    expected = (constructor - {"self", "options"}) | solve
    assert expected - rows == set()
    assert rows - expected == set()


def test_page_has_the_defaults_of_the_constructor():
    page = parameter_page()
    table = page[page.index("## `Solver(...)`") : page.index("## `solve(...)`")]
    told = dict(re.findall(r"^\| `(\w+)` \|[^|]*\| ([^|]*) \|", table, re.MULTILINE))
    for name, text in told.items():
        default = constructor_parameters()[name].default
        expected = "required" if default is inspect.Parameter.empty else str(default)
        assert text.strip('"').split(":")[0] == expected, name
    assert told["sigma_tolerance"] == f"None: {SIGMA_SHARE:g} `tolerance`"


def plain(text: str) -> str:
    """A default as the page writes it: numbers in one form, no quotes."""
    text = text.strip('" ').replace("−", "-")
    try:
        return f"{float(text):g}"
    except ValueError:
        return text


def test_page_has_the_defaults_of_solve():
    """Where a row gives one plain default per parameter, it is that of the code."""
    page = parameter_page()
    table = page[page.index("## `solve(...)`") :]
    code = {**DEFAULTS, **cthyb_parameters.POST_PROCESSING, **cthyb_parameters.OWN}
    checked = set()
    for names, text in re.findall(r"^\| (`[^|]*) \|[^|]*\| ([^|]*) \|", table, re.MULTILINE):
        names, told = re.findall(r"`(\w+)`", names), re.split(r", ", text)
        told = told * len(names) if len(told) == 1 else told
        for name, default in zip(names, told if len(told) == len(names) else []):
            expected = code[name]
            if expected is not REQUIRED and name != "loc_n_max":
                assert plain(re.split(r"[:;]", default)[0]) == plain(str(expected)), name
                checked.add(name)
    assert len(checked) > 50


@pytest.mark.slow
def test_pages_build_without_warnings(tmp_path):
    """`make doc`: Sphinx with warnings as errors, offline."""
    pytest.importorskip("sphinx_gallery")
    pytest.importorskip("myst_parser")
    pytest.importorskip("furo")
    source = tmp_path / "source"
    shutil.copytree(ROOT / "doc", source / "doc", ignore=shutil.ignore_patterns("_build", "auto_examples"))
    for name in ("examples", "triqs_mlsolver"):
        (source / name).symlink_to(ROOT / name)
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", str(source / "doc"), str(tmp_path / "html")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "html" / "index.html").is_file()


def test_module_map_names_every_room_and_module():
    """The architecture page has each folder of the package, none that is gone, and each module."""
    page = (ROOT / "doc" / "architecture.md").read_text(encoding="utf-8")
    package = ROOT / "triqs_mlsolver"
    there = {p.parent.relative_to(package).as_posix() + "/" for p in package.glob("**/__init__.py")} - {"./"}
    rooms = dict(re.findall(r"^ *([a-z_/]+/) {2,}(.+(?:\n {10,}.+)*)", page, re.MULTILINE))
    assert set(rooms) == there
    for room, text in rooms.items():
        modules = {p.stem for p in (package / room).glob("*.py") if not p.stem.startswith("_")}
        if room not in ("app/commands/", "plots/", "compat/"):
            assert modules <= set(re.findall(r"\w+", text)), room
