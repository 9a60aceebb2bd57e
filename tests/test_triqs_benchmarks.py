# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""The script for the benchmark collection of TRIQS: its archive has the collection's form and the published G."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
from support.published import G_IW

from triqs_mlsolver.compat import HDFArchive

ROOT = Path(__file__).resolve().parents[1]


def test_archive_has_the_form_of_the_collection_and_the_published_result(tmp_path):
    folder = shutil.copytree(ROOT / "examples" / "triqs_benchmarks", tmp_path / "collection", symlinks=True)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    scripts = folder / "SIAM_Discrete_Bath" / "scripts"
    command = [sys.executable, "triqs_mlsolver"]
    done = subprocess.run(command, cwd=scripts, env=environment, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    with HDFArchive(str(scripts.parent / "results" / "triqs_mlsolver.h5"), "r") as results:
        G, info = results["G"], results["Solver_Info"]
        # what common/cthyb of the collection writes
        for name in ("constr_params", "solve_params", "solver", "solver_version", "solver_git_hash", "num_threads"):
            assert info[name]
        assert info["solver_name"] == "triqs_mlsolver" and "HDFArchive" in info["script"] and info["run_time"] > 0
        assert info["decision"].startswith("mlsolver: exact")
    for block, published in G_IW.items():
        assert len(G[block].mesh) == 100
        # error bars are about 1e-4
        np.testing.assert_allclose(G[block].data[50:54, 0, 0], published, atol=4e-4)
