# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Scripts written for triqs_cthyb run with nothing changed but their import lines.

The scripts below use cthyb's interface the way its documentation does. Where the environment variable
TRIQS_CTHYB_SOURCE points to a checkout of TRIQS/cthyb, the documentation's own scripts are run as well.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from triqs_mlsolver import compat
from triqs_mlsolver.compat import HDFArchive
from triqs_mlsolver.numerics import legendre

TRIQS_IMPORTS = """
from triqs.gf import *
from triqs.operators import *
from h5 import *
import triqs.utility.mpi as mpi
from triqs_mlsolver import Solver
"""
EMBEDDED_IMPORTS = """
from triqs_mlsolver.compat import *
from triqs_mlsolver import Solver
"""

BETHE = """
U, D, beta, mu = 2.0, 1.0, 10, 1.0
S = Solver(beta = beta, gf_struct = [('up',1), ('down',1)])
S.G_iw << SemiCircular(D)
for i_loop in range(2):
    g = 0.5 * (S.G_iw['up'] + S.G_iw['down'])
    for name, g0 in S.G0_iw:
        g0 << inverse(iOmega_n + mu - (D/2.0)**2 * g)
    S.solve(h_int = U * n('up',0) * n('down',0), n_cycles = 2000, length_cycle = 20, n_warmup_cycles = 200)
    if mpi.is_master_node():
        with HDFArchive("bethe.h5") as ar:
            ar["G_tau-%s"%i_loop] = S.G_tau
            ar["G_iw-%s"%i_loop] = S.G_iw
            ar["Sigma_iw-%s"%i_loop] = S.Sigma_iw
"""

ANDERSON = """
D, V, U, e_f, beta = 1.0, 0.3, 2.0, -1.0, 10
S = Solver(beta = beta, gf_struct = [('up',1), ('down',1)], n_l = 100)
for name, g0 in S.G0_iw: g0 << inverse(iOmega_n - e_f - V**2 * Wilson(D))
S.solve(h_int = U * n('up',0) * n('down',0), n_cycles = 2000, length_cycle = 20, n_warmup_cycles = 200,
        measure_G_l = True)
if mpi.is_master_node():
    with HDFArchive("anderson.h5", 'w') as Results:
        Results["G_tau"] = S.G_tau
        Results["G_iw"] = S.G_iw
        Results["G_l"] = S.G_l
"""

PARAMETERS = """
gf_struct = [['down',1], ['up',1]]
p = {}
p["max_time"] = -1
p["random_name"] = ""
p["random_seed"] = 123 * mpi.rank + 567
p["length_cycle"] = 20
p["n_warmup_cycles"] = 200
p["n_cycles"] = 2000
p["measure_G_l"] = True
p["move_double"] = False
p["perform_tail_fit"] = True
p["fit_max_moment"] = 3
p["fit_min_w"] = 1.2
p["fit_max_w"] = 3.0
S = Solver(beta=10.0, gf_struct=gf_struct, n_iw=1025, n_tau=8001, n_l=30)
H = 2.5*n("up",0)*n("down",0)
S.G_iw << SemiCircular(1.0)
for name, g0 in S.G0_iw:
    g0 << inverse(iOmega_n + 1.45 - 0.25 * 0.5 * (S.G_iw['up'] + S.G_iw['down']))
S.solve(h_int=H, **p)
if mpi.is_master_node():
    with HDFArchive("parameters.h5",'w') as Results:
        for name in ("Delta_infty", "Delta_tau", "G0_iw", "G_tau", "G_l"):
            Results[name] = getattr(S, name)
        for name in ("G_iw", "G_iw_raw", "Sigma_iw", "Sigma_iw_raw"):
            Results[name] = getattr(S, name)
"""


def run(program: str, directory: Path) -> None:
    result = subprocess.run([sys.executable, "-c", program], cwd=directory, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-2000:]
    assert "mlsolver: exact" in result.stdout


@pytest.fixture(params=["embedded", "triqs"])
def imports(request):
    if request.param == "triqs":
        pytest.importorskip("triqs.gf", reason="TRIQS is not installed")
        return TRIQS_IMPORTS
    return EMBEDDED_IMPORTS


def densities(G_tau):
    return [float(-g.data[-1, 0, 0].real) for _, g in G_tau]


def test_dmft_loop(imports, tmp_path):
    run(imports + BETHE, tmp_path)
    with HDFArchive(str(tmp_path / "bethe.h5"), "r") as A:
        assert sorted(A) == sorted(f"{name}-{i}" for name in ("G_tau", "G_iw", "Sigma_iw") for i in (0, 1))
        np.testing.assert_allclose(densities(A["G_tau-1"]), [0.5, 0.5], atol=0.05)
        Sigma = A["Sigma_iw-1"]["up"].data[1025:, 0, 0]
    assert np.all(Sigma[:20].imag < 0)
    assert abs(Sigma[-1].real - 1.0) < 0.05  # U n at half filling


def test_anderson_model(imports, tmp_path):
    run(imports + ANDERSON, tmp_path)
    with HDFArchive(str(tmp_path / "anderson.h5"), "r") as A:
        G_l, G_iw = A["G_l"], A["G_iw"]
        np.testing.assert_allclose(densities(A["G_tau"]), [0.5, 0.5], atol=0.05)
    assert len(G_l.mesh) == 100
    from_l = legendre.to_matsubara(G_l["up"].data[:, 0, 0], 20)
    np.testing.assert_allclose(from_l, G_iw["up"].data[1025:1045, 0, 0], atol=0.05)


def test_dictionary_of_parameters(imports, tmp_path):
    run(imports + PARAMETERS, tmp_path)
    with HDFArchive(str(tmp_path / "parameters.h5"), "r") as A:
        assert list(A["G_iw"].indices) == ["down", "up"]
        np.testing.assert_allclose(np.ravel(A["Delta_infty"]), [-1.45, -1.45], atol=1e-9)
        Delta_tau = A["Delta_tau"]["up"].data[:, 0, 0].real
        for name in ("G0_iw", "G_l", "G_iw_raw", "Sigma_iw", "Sigma_iw_raw"):
            assert np.all(np.isfinite(A[name]["up"].data))
    assert abs(Delta_tau[0] + Delta_tau[-1] + 0.25) < 1e-9  # minus the total hybridisation strength


# -- the originals -------------------------------------------------------------------------------------------------

ORIGINALS = {
    "doc/guide/dmft.py": ("dmft_solution.h5", "G_iw-4"),
    "doc/guide/aim.py": ("aim_solution.h5", "G_iw"),
    "test/python/single_site_bethe.py": ("single_site_bethe.out.h5", "G_iw"),
}
_CONTAINER_IMPORTS = r"^(from (triqs\.\w+|h5)(\.\w+)? import .*|import triqs\.utility\.mpi as mpi)$"


def adapted(source: str, embedded: bool) -> str:
    """The script with its import lines changed, and without the comparison with recorded Monte Carlo numbers."""
    source = re.sub(r"^from triqs_cthyb import .*$", "from triqs_mlsolver import Solver", source, flags=re.M)
    source = source.split("# Check against reference")[0]
    if embedded:
        source = re.sub(_CONTAINER_IMPORTS, "from triqs_mlsolver.compat import *", source, flags=re.M)
    return source


@pytest.mark.slow
@pytest.mark.skipif(
    "TRIQS_CTHYB_SOURCE" not in os.environ, reason="TRIQS_CTHYB_SOURCE names no checkout of TRIQS/cthyb"
)
@pytest.mark.parametrize("script", ORIGINALS)
def test_original_scripts(script, tmp_path):
    source = (Path(os.environ["TRIQS_CTHYB_SOURCE"]) / script).read_text()
    run(adapted(source, embedded=not compat.HAS_TRIQS), tmp_path)
    archive, key = ORIGINALS[script]
    with HDFArchive(str(tmp_path / archive), "r") as A:
        assert abs(np.real(A[key].total_density()) - 1.0) < 0.3
