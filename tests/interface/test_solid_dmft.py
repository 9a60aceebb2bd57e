# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""solid_dmft uses this solver for `type = "cthyb"`: through its public call pattern, and itself where it is
installed.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from triqs_mlsolver import Database, Solver, solid_dmft
from triqs_mlsolver.compat import HDFArchive, Operator, c, c_dag, inverse, iOmega_n, n

ROOT = Path(__file__).resolve().parents[2]
INTERFACE = "solid_dmft.dmft_tools.solvers.cthyb_interface"
H_INT = 2.0 * n("up_0", 0) * n("down_0", 0)
STRUCTURE = [("up_0", 1), ("down_0", 1)]

# what solid_dmft passes to solve(): its TOML keys with their defaults, those of its older input included
KEYS = dict(
    imag_threshold=1e-14, length_cycle=50, max_time=-1, measure_density_matrix=True, measure_G_l=False,
    measure_pert_order=False, move_double=True, move_shift=False, off_diag_threshold=0.0, perform_tail_fit=True,
    n_cycles=1000, n_warmup_cycles=100, measure_O_tau_min_ins=100, use_norm_as_weight=True, fit_max_moment=None,
    fit_max_n=None, fit_max_w=None, fit_min_n=None, fit_min_w=None, random_seed=7,
    loc_n_min=None, loc_n_max=None, measure_O_tau=None, det_init_size=100, det_n_operations_before_check=100,
    det_precision_warning=1e-8, det_precision_error=1e-5,
)  # fmt: skip


@pytest.fixture(params=["up to 3.2", "from 3.3 on"])
def installed(request, monkeypatch):
    """Stand-ins for the two packages, in either layout; the class solid_dmft would construct, as a function."""
    for name in ("triqs_cthyb", "triqs_cthyb.solver", "solid_dmft", "solid_dmft.dmft_tools"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
        sys.modules[name].__path__ = []
    cthyb = sys.modules["triqs_cthyb.solver"]
    cthyb.Solver = sys.modules["triqs_cthyb"].Solver = "cthyb's own"
    if request.param == "up to 3.2":
        yield lambda: cthyb.Solver
    else:
        solvers, interface = ModuleType("solid_dmft.dmft_tools.solvers"), ModuleType(INTERFACE)
        solvers.__path__ = []
        solvers.__spec__ = object()
        interface.cthyb_solver = cthyb.Solver
        monkeypatch.setitem(sys.modules, "solid_dmft.dmft_tools.solvers", solvers)
        monkeypatch.setitem(sys.modules, INTERFACE, interface)
        yield lambda: interface.cthyb_solver
    solid_dmft.disable()


def built(cthyb_solver, **changes) -> Solver:
    """As solid_dmft constructs its solver."""
    arguments = dict(beta=10.0, gf_struct=STRUCTURE, n_iw=200, n_tau=1001, delta_interface=False)
    return cthyb_solver(**{**arguments, **changes})


def weiss_field(G0, hopping: float = 0.25) -> None:
    for _, g0 in G0:
        g0 << inverse(iOmega_n + 1.0 - hopping * inverse(iOmega_n - 0.3))


def test_enable_and_disable(installed):
    solid_dmft.enable(database=None, tolerance=0.01, exact="ed")
    S = built(installed(), n_l=35)
    assert isinstance(S, Solver) and S.n_l == 35
    assert S._options["tolerance"] == 0.01 and S._options["exact"] == "ed"
    solid_dmft.enable(database=None, tolerance=0.005)
    assert built(installed())._options["tolerance"] == 0.005
    solid_dmft.disable()
    assert installed() == "cthyb's own"
    solid_dmft.disable()


def test_the_exact_solver_stays(installed):
    solid_dmft.enable(database=None)
    assert sys.modules["triqs_cthyb"].Solver == "cthyb's own"


def test_one_database_for_each_kind_of_impurity(installed):
    solid_dmft.enable(database=lambda gf_struct: f"{len(gf_struct)}_blocks.h5")
    assert built(installed())._options["database"] == "2_blocks.h5"
    assert built(installed(), gf_struct=[("ud", 2)])._options["database"] == "1_blocks.h5"


def test_mistakes_in_the_options_show_at_once(installed):
    with pytest.raises(TypeError, match="no option 'tolerence'.*did you mean 'tolerance'"):
        solid_dmft.enable(tolerence=0.1)
    with pytest.raises(ValueError, match="tolerance = -1"):
        solid_dmft.enable(tolerance=-1)
    assert installed() == "cthyb's own"


def test_what_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "solid_dmft", None)
    with pytest.raises(ImportError, match="solid_dmft is not installed.*TRIQS"):
        solid_dmft.enable(database=None)


def test_every_key_is_passed_and_everything_read_is_there(installed, tmp_path):
    """What the results writer and the observables read is there after an exact and after a model's answer alike."""
    path = str(tmp_path / "points.h5")
    solid_dmft.enable(database=path, exact="ed", tolerance=0.01, sigma_tolerance=0.1, audit_rate=0)
    S = built(installed())
    with HDFArchive(str(tmp_path / "out.h5"), "w") as archive:
        archive["S_0"] = S  # store_solver = true
    sources = []
    for hopping in (0.2, 0.21, 0.22, 0.23, 0.24, 0.25, 0.26, 0.215, 0.225, 0.235):
        weiss_field(S.G0_iw, hopping)
        S.solve(h_int=H_INT, **KEYS)
        sources.append(S.last_decision.source)
        if sources.count(sources[-1]) == 1:
            with HDFArchive(str(tmp_path / "out.h5"), "a") as archive:
                for name in ("Delta_tau", "G_tau", "G_iw", "G_l", "Sigma_iw", "density_matrix"):
                    archive[f"{name}_{sources[-1]}"] = getattr(S, name)
        dyson = inverse(S.G0_iw) - inverse(S.G_iw) - S.Sigma_iw
        assert max(np.max(np.abs(g.data)) for _, g in dyson) < 1e-9
        assert sum(np.ravel(S.density_matrix)) == pytest.approx(1.0)
        assert S.Sigma_moments["up_0"].shape == (2, 1, 1) and S.Sigma_Hartree["up_0"].shape == (1, 1)
    assert set(sources) == {"exact", "model"}
    assert len(Database(path)) == sources.count("exact")


def test_delta_interface_is_the_same_problem(installed):
    solid_dmft.enable(database=None, exact="ed", tolerance=0)
    S, T = built(installed()), built(installed(), delta_interface=True)
    weiss_field(S.G0_iw)
    S.solve(h_int=H_INT, **KEYS)
    T.Delta_tau << S.Delta_tau
    levels = sum((-1.0 * c_dag(bl, 0) * c(bl, 0) for bl, _ in STRUCTURE), Operator())
    T.solve(h_int=H_INT, h_loc0=levels, **KEYS)
    for bl, _ in STRUCTURE:
        np.testing.assert_allclose(T.G_iw[bl].data, S.G_iw[bl].data, atol=1e-6)


@pytest.mark.skipif(find_spec("solid_dmft") is None, reason="solid_dmft is not installed")
@pytest.mark.skipif(
    find_spec("solid_dmft") is not None and find_spec("solid_dmft.dmft_tools.solvers") is None,
    reason="the example is an input of solid_dmft 3.3 and later",
)
def test_solid_dmft_itself(tmp_path):
    """The example: half filling by symmetry, energies from the density matrix, and points in the database."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, str(ROOT / "examples" / "solid_dmft" / "run.py"), "--quick"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    found = re.search(r"Z = (\S+)  <n> = (\S+)", done.stdout)
    # three iterations from the non-interacting lattice at U = 2 D: on the way to the 0.229 of the solution
    assert float(found[1]) == pytest.approx(0.267, abs=0.015)
    assert float(found[2]) == pytest.approx(1.0, abs=1e-3)
    lines = re.findall(r"^mlsolver: (exact|model)", done.stdout, re.MULTILINE)
    assert len(lines) == 3
    assert len(Database(tmp_path / "bethe_points.h5")) == lines.count("exact")
    with HDFArchive(str(tmp_path / "out" / "bethe.h5"), "r") as archive:
        last = archive["DMFT_results"]["last_iter"]
        probability = np.ravel([np.diag(np.real(block)) for block in last["full_dens_mat_0"]])
        assert archive["DMFT_results"]["iteration_count"] == 3
    assert sum(probability) == pytest.approx(1.0) and np.all(probability > 0)
