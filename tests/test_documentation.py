# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Every Python block of the documentation runs: those of a file in order, in one namespace and a fresh directory."""

from __future__ import annotations

import inspect
import logging
import re
from pathlib import Path

import pytest

from triqs_mlsolver import Solver, cthyb_parameters
from triqs_mlsolver.gate import DEFAULT_SIGMA_TOLERANCE
from triqs_mlsolver.learned import LearnedSolver

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


def test_guide_and_readme_have_code():
    assert {"README.md", "guide.md"} <= {path.name for path in WITH_CODE}


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), f"{path.name} links to {target}"


def constructor_parameters() -> dict[str, inspect.Parameter]:
    """Arguments of Solver's constructor and the options it hands on, by name."""
    return {**inspect.signature(LearnedSolver.__init__).parameters, **inspect.signature(Solver.__init__).parameters}


def test_guide_lists_every_parameter():
    """The tables name every argument of the constructor and of solve(), and nothing else is called one."""
    guide = (ROOT / "doc" / "guide.md").read_text(encoding="utf-8")
    rows = set(re.findall(r"`(\w+)`", "\n".join(re.findall(r"^\| (`[^|]*) \|", guide, re.MULTILINE))))
    constructor = set(constructor_parameters())
    solve = {*cthyb_parameters.DEFAULTS, *cthyb_parameters.POST_PROCESSING, *cthyb_parameters.OWN}
    expected = (constructor - {"self", "options"}) | solve
    assert expected - rows == set()
    assert rows - expected == set()


def test_guide_has_the_defaults_of_the_constructor():
    guide = (ROOT / "doc" / "guide.md").read_text(encoding="utf-8")
    table = guide[guide.index("### `Solver(...)`") : guide.index("### `solve(...)`")]
    told = dict(re.findall(r"^\| `(\w+)` \|[^|]*\| ([^|]*) \|", table, re.MULTILINE))
    for name, text in told.items():
        default = constructor_parameters()[name].default
        expected = "required" if default is inspect.Parameter.empty else str(default)
        assert text.strip('"').split(":")[0] == expected, name
    assert told["sigma_tolerance"] == f"None: {DEFAULT_SIGMA_TOLERANCE:g}"


def test_module_map_names_every_package():
    """The architecture page has each module and sub-package of the package, and none that is gone."""
    page = (ROOT / "doc" / "architecture.md").read_text(encoding="utf-8")
    package = ROOT / "triqs_mlsolver"
    there = {p.name for p in package.glob("*.py")} | {p.parent.name + "/" for p in package.glob("*/__init__.py")}
    named = set(re.findall(r"^  (\w+\.py|\w+/)", page, re.MULTILINE))
    assert named == there - {"__init__.py"}
