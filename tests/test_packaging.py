# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""The recipe, the citation file and setup.py say the same."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest
import setuptools

from triqs_mlsolver.version import version

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def declared():
    """What setup.py hands to setuptools."""
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(setuptools, "setup", found.update)
        runpy.run_path(str(ROOT / "setup.py"))
    return found


def requirements(lines) -> dict[str, str]:
    """Name -> version condition."""
    pairs = (re.fullmatch(r"([\w-]+)\s*(.*)", line.strip()) for line in lines)
    return {m[1]: m[2] for m in pairs if m}


def test_versions_agree(declared):
    recipe = (ROOT / "packaging/conda/meta.yaml").read_text(encoding="utf-8")
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert declared["version"] == version
    assert re.search(r'set version = "(.*)"', recipe)[1] == version
    assert re.search(r"^version: (.*)$", citation, re.MULTILINE)[1] == version
    assert f"## {version}" in (ROOT / "ChangeLog.md").read_text(encoding="utf-8")


def test_recipe_has_the_requirements(declared):
    """All of pip's, but the containers that TRIQS replaces; and TRIQS itself, which pip cannot provide."""
    recipe = (ROOT / "packaging/conda/meta.yaml").read_text(encoding="utf-8")
    section = recipe.partition("  run:\n")[2].partition("\n\n")[0]
    run = requirements(line.strip("- ") for line in section.splitlines())
    asked = requirements(declared["install_requires"])
    assert {name: run.get(name) for name in asked if name != "dcorelib"} == {
        name: condition for name, condition in asked.items() if name != "dcorelib"
    }
    assert run["triqs"] == run["triqs_cthyb"] == ">=3.2"
    assert run["python"] == declared["python_requires"]
    assert not {"triqs", "triqs_cthyb", "h5"} & set(asked)


def test_every_package_is_installed(declared):
    folders = {p.parent.relative_to(ROOT).as_posix() for p in (ROOT / "triqs_mlsolver").rglob("__init__.py")}
    assert {name.replace(".", "/") for name in declared["packages"]} == folders


def test_data_are_installed(declared):
    """The starter database, and the model's features of its points."""
    folder = ROOT / "triqs_mlsolver"
    files = {p for pattern in declared["package_data"]["triqs_mlsolver"] for p in folder.glob(pattern)}
    assert files == set((folder / "data").iterdir()) and {p.name for p in files} == {
        "starter.h5",
        "starter.h5.1+1-density-density.cache",
    }


def test_module_file_has_what_cmake_fills_in():
    text = (ROOT / "packaging/cmake/triqs_mlsolver.modulefile.in").read_text(encoding="utf-8")
    filled = set(re.findall(r"@(\w+)@", text))
    assert filled == {"MLSOLVER_VERSION", "TRIQS_VERSION", "CMAKE_INSTALL_PREFIX", "TRIQS_PYTHON_LIB_DEST_ROOT"}
