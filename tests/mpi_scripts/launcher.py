# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Run a script of this directory under mpiexec, from pytest."""

from __future__ import annotations

import functools
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).parent
_SETTINGS = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",  # Open MPI 4
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",  # Open MPI 5
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}


@functools.cache
def find_mpiexec() -> str | None:
    """The mpiexec beside this python (pip wheel), else the one on the PATH."""
    beside = pathlib.Path(sys.prefix) / "bin" / "mpiexec"
    return str(beside) if beside.exists() else shutil.which("mpiexec")


def mpiexec(
    n: int, script: str, *args: str, timeout: float = 60, env: dict | None = None
) -> subprocess.CompletedProcess:
    """`mpiexec -n n python script args`, with its output; skips the test where there is no mpiexec."""
    if find_mpiexec() is None:
        pytest.skip("no mpiexec beside this python nor on the PATH")
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("OMPI_", "PMI_", "PMIX_"))}
    path = os.pathsep.join([str(HERE.parent.parent), *filter(None, [inherited.get("PYTHONPATH")])])
    command = [find_mpiexec(), "-n", str(n), sys.executable, str(HERE / script), *args]
    return subprocess.run(
        command,
        env={**inherited, **_SETTINGS, "PYTHONPATH": path, **(env or {})},
        capture_output=True,
        text=True,
        timeout=timeout,
    )
