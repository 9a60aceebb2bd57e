# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""The example scripts run in their quick mode, and get the physics right."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from triqs_mlsolver import Problem
from triqs_mlsolver.compat import HDFArchive
from triqs_mlsolver.exact.ed import ED

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
    tests = Path(__file__).read_text(encoding="utf-8")
    assert len(EXAMPLES) >= 5 and all(f'run("{name}"' in tests for name in EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_are_short(name):
    assert len((ROOT / "examples" / name).read_text(encoding="utf-8").splitlines()) < 80


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


def test_antiferromagnet(folder):
    """Order at T = 0.08 D (ED with four bath sites per spin: m = 0.652), none at T = 0.25 D."""
    printed = run("antiferromagnet.py", folder)
    m = {T: float(value) for T, value in re.findall(r"T/D = (\S+)  m = (\S+)", printed)}
    assert abs(m["0.25"]) < 0.05
    assert m["0.08"] == pytest.approx(0.652, abs=0.05)


def test_doping(folder):
    """Filling and Z of the published solution at U = 2 D, beta D = 50."""
    run("dmft_doping.py", folder)
    with HDFArchive(str(folder / "dmft_doping.h5"), "r") as archive:
        rows = {round(shift, 2): (filling, Z) for shift, filling, Z in np.array(archive["shift_filling_Z"])}
    assert rows[0.0] == (pytest.approx(1.0, abs=1e-3), pytest.approx(0.2575, abs=0.015))
    assert rows[-0.5] == (pytest.approx(0.84168, abs=0.003), pytest.approx(0.3835, abs=0.015))


def test_temperature_scan(folder):
    """Z and double occupancy of the published solutions at beta D = 20 and 50; one file of points for all of them."""
    printed = run("temperature.py", folder)
    found = re.findall(r"T/D = (\S+)  Z = (\S+)  <n_up n_down> = (\S+)", printed)
    rows = {round(1 / float(T)): (float(Z), float(docc)) for T, Z, docc in found}
    assert rows[50] == (pytest.approx(0.2575, abs=0.015), pytest.approx(0.08111, abs=0.002))
    assert rows[20] == (pytest.approx(0.2288, abs=0.015), pytest.approx(0.06568, abs=0.002))
    assert (folder / "temperature.png").read_bytes().startswith(b"\x89PNG")


def test_mpi_generation(folder):
    """Repeated, it computes nothing; the bounds of what was learned hold."""
    printed = run("mpi_generation.py", folder)
    assert "60 points, 60 of them computed now by 1 rank" in printed
    found = re.search(r"median error (\S+), median bound (\S+), held (\d+)%", printed)
    assert float(found[1]) < 0.01 and float(found[1]) < float(found[2]) and int(found[3]) >= 80
    assert "60 points, 0 of them computed now" in run("mpi_generation.py", folder)


def test_refresh_with_ctqmc(folder):
    """The budget is spent, and no label is noisier than what was asked for at first."""
    printed = run("refresh_with_ctqmc.py", folder)
    assert sum(int(number) for number in re.findall(r"(\d+) runs for:", printed)) == 4
    low, high = map(float, re.search(r"from (\S+) to (\S+)", printed).groups())
    assert 0 < low < high < 0.08


def test_own_exact_solver(folder):
    """The embedded diagonalisation, an independent code, finds the same double occupancies."""
    printed = run("own_exact_solver.py", folder)
    found = re.findall(r"U = (\S+)  <n_up n_down> = (\S+)  (\w+)", printed)
    assert len(found) == 11 and [source for *_, source in found].count("model") >= 4
    for U, double_occupancy, source in found:
        problem = Problem.siam(beta=10.0, U=float(U), mu=float(U) / 2, eps=[0.0], V=[0.5])
        expected = ED().solve(problem).double_occupancy
        assert float(double_occupancy) == pytest.approx(expected, abs=2e-5 if source == "exact" else 5e-3)


def test_notebook(monkeypatch, tmp_path):
    """The cells run in their quick form, and the lesson comes out: corrections beat direct learning and IPT alone."""
    pytest.importorskip("matplotlib")
    monkeypatch.setenv("MLSOLVER_QUICK", "1")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(logging.getLogger("triqs_mlsolver"), "level", logging.ERROR)
    notebook = json.loads((ROOT / "examples" / "learning_impurity_solvers.ipynb").read_text(encoding="utf-8"))
    namespace = {"__name__": "__main__"}
    for number, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), f"cell {number}", "exec"), namespace)
    corrected, direct, alone = (namespace[name].mean(axis=1) for name in ("corrected", "direct", "ipt_alone"))
    assert np.all(corrected < direct) and corrected[-1] < alone[-1]
    assert direct[-1] < direct[0]
    assert np.mean(namespace["true"] <= namespace["bound"]) > 0.8
    Z = [c.Z for c in namespace["up"]]
    assert np.all(np.diff(Z) < 0) and Z[0] > 0.6 and Z[-1] < 0.1
    assert 0 < namespace["computed"] < len(namespace["log"]["source"])
