# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""The example scripts run in their quick mode, and get the physics right."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from triqs_mlsolver.compat import HDFArchive

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = sorted(path.name for path in (ROOT / "examples").glob("*.py"))


def run(name: str, folder: Path) -> str:
    """What an example prints when run in `folder`."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / name), "--quick"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("examples")


def test_every_example_is_tested():
    assert EXAMPLES == ["aim.py", "dmft_bethe.py", "two_orbitals.py"]


def test_bethe_lattice(folder):
    """A metal at U = D and a Mott insulator at U = 3 D, and the second run computes less than the first."""
    first, again = run("dmft_bethe.py", folder), run("dmft_bethe.py", folder)
    with HDFArchive(str(folder / "dmft_bethe.h5"), "r") as archive:
        (_, Z_metal, metal), (_, Z_insulator, insulator) = archive["U_Z_double_occupancy"]
    assert Z_metal == pytest.approx(0.725, abs=0.02)  # 0.7248 at beta D = 50
    assert 0.15 < metal < 0.18
    assert Z_insulator < 0.05
    assert insulator == pytest.approx(0.0154, abs=0.002)
    exact = [sum(map(int, re.findall(r"(\d+) exact$", out, re.MULTILINE))) for out in (first, again)]
    assert exact[1] < exact[0]


def test_anderson_impurity(folder):
    """The density falls with the level, is symmetric about half filling, and the second half of the scan is learned."""
    printed = run("aim.py", folder)
    with HDFArchive(str(folder / "aim.h5"), "r") as archive:
        density = np.array(archive["density"])
    assert np.all(np.diff(density) < 0)
    assert density + density[::-1] == pytest.approx(2.0, abs=0.02)
    assert int(re.search(r"answered by the model: (\d+) of 9", printed)[1]) >= 2


def test_two_orbitals(folder):
    """Three iterations at U = D, J = U/4: ED with two bath sites per flavour has Z = 0.674 after as many."""
    printed = run("two_orbitals.py", folder)
    found = re.search(r"Z = (\S+)  <n> = (\S+)  3 exact", printed)
    assert float(found[1]) == pytest.approx(0.674, abs=0.04)
    assert float(found[2]) == pytest.approx(2.0, abs=0.02)
