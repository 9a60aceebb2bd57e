# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""The DMFT loop of the dft_tools tutorial runs with its import changed: around SumkDFT itself, or a stand-in for it."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from triqs_mlsolver import compat

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "solid_dmft"
WITH_DFT_TOOLS = find_spec("triqs_dft_tools") is not None

IMPORTS = "from triqs_mlsolver.compat import *\nfrom triqs_mlsolver import *\n"

# the loop of its guide, with the mixing and the restart of its guide
LOOP = """
S = Solver(beta=beta, gf_struct=SK.gf_struct_solver_list[0], n_iw=n_iw, n_tau=2001, database=None, exact="ed")
h_int = U * n("up_0", 0) * n("down_0", 0)
dm = SK.extract_G_loc(with_Sigma=False)[0].density()
SK.calc_dc(dm, U_interact=U, J_hund=0.0, orb=0, use_dc_formula=0)
S.Sigma_iw << U / 2
mix = 0.8
for iteration_number in range(1, 4):
    SK.set_Sigma([S.Sigma_iw])
    chemical_potential = SK.calc_mu(precision=1e-6)
    S.G_iw << SK.extract_G_loc()[0]
    lattice = S.G_iw.copy()
    S.G0_iw << inverse(S.Sigma_iw + inverse(S.G_iw))
    previous = S.Sigma_iw.copy()
    S.solve(h_int=h_int, n_cycles=1000, length_cycle=50, n_warmup_cycles=100, fit_max_n=None)
    if iteration_number > 1:
        S.Sigma_iw << mix * S.Sigma_iw + (1.0 - mix) * previous
        S.G_iw << mix * S.G_iw + (1.0 - mix) * lattice
    S.G_iw << mpi.bcast(S.G_iw)
    S.Sigma_iw << mpi.bcast(S.Sigma_iw)
    dm = S.G_iw.density()
    SK.calc_dc(dm, U_interact=U, J_hund=0.0, orb=0, use_dc_formula=0)
    charge = S.G_iw.total_density()
if mpi.is_master_node():
    with HDFArchive("loop.h5", "w") as ar:
        ar["G"] = S.G_iw
        ar["Sigma"] = S.Sigma_iw
again = Solver(beta=beta, gf_struct=SK.gf_struct_solver_list[0], n_iw=n_iw, n_tau=2001, database=None, exact="ed")
with HDFArchive("loop.h5", "r") as ar:
    again.Sigma_iw << ar["Sigma"]
    by_assignment = Solver(beta=beta, gf_struct=SK.gf_struct_solver_list[0], n_iw=n_iw, n_tau=2001, database=None)
    by_assignment.Sigma_iw = ar["Sigma"]
"""


class LatticeSum:
    """The methods of SumkDFT that the loop calls, for one half-filled band with a semicircular density of states."""

    gf_struct_solver_list = [[("up_0", 1), ("down_0", 1)]]

    def __init__(self, beta: float, n_iw: int):
        mesh = compat.MeshImFreq(beta, "Fermion", n_iw)
        self.Sigma = compat.BlockGf(mesh=mesh, gf_struct=self.gf_struct_solver_list[0])
        self.dc = 0.0
        angle = np.pi * np.arange(1, 201) / 201
        self.levels, self.weights = np.cos(angle), np.sin(angle) ** 2 * 2 / 201

    def set_Sigma(self, Sigma_imp):
        for bl, s in self.Sigma:
            s << Sigma_imp[0][bl]

    def calc_mu(self, precision):
        return 0.0  # by symmetry, with the Hartree term as double counting

    def calc_dc(self, density, U_interact, J_hund, orb, use_dc_formula):
        self.dc = U_interact * (sum(np.trace(d).real for d in density.values()) - 0.5)

    def extract_G_loc(self, with_Sigma=True):
        G = self.Sigma.copy()
        omega = np.array([complex(w) for w in G.mesh])
        for bl, g in G:
            Sigma = self.Sigma[bl].data[:, 0, 0] - self.dc if with_Sigma else 0.0
            g.data[:, 0, 0] = np.sum(self.weights / ((omega - Sigma)[:, None] - self.levels), axis=1)
        return [G]


@pytest.fixture
def sum_over_k(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if not WITH_DFT_TOOLS:
        return LatticeSum(10.0, 300)
    monkeypatch.syspath_prepend(EXAMPLE)
    from bethe_lattice import write_bethe_lattice
    from triqs_dft_tools.sumk_dft import SumkDFT

    write_bethe_lattice("bethe")
    SK = SumkDFT(hdf_file="bethe.h5", mesh=compat.MeshImFreq(10.0, "Fermion", 300))
    SK.analyse_block_structure()
    return SK


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_loop_of_the_tutorial(sum_over_k):
    names = {"SK": sum_over_k, "beta": 10.0, "n_iw": 300, "U": 2.0}
    exec(compile(IMPORTS + LOOP, "loop", "exec"), names)
    S = names["S"]
    assert S.last_decision.source == "exact" and S.last_decision.reason
    assert names["charge"] == pytest.approx(1.0, abs=1e-6)
    # sums over a semicircular density of states are the Bethe lattice: G0^-1 = iw + mu - (D/2)^2 G
    lattice = names["lattice"]["up_0"].data[:, 0, 0]
    omega = np.array([complex(w) for w in S.G0_iw.mesh])
    np.testing.assert_allclose(1 / S.G0_iw["up_0"].data[:, 0, 0], omega + 1.0 - 0.25 * lattice, atol=1e-5)
    np.testing.assert_allclose(S.Sigma_iw["up_0"].data[:, 0, 0].real, 1.0, atol=1e-6)
    assert S.Sigma_iw["up_0"].data[300, 0, 0].imag < -0.2
    for solver in (names["again"], names["by_assignment"]):
        np.testing.assert_array_equal(solver.Sigma_iw["down_0"].data, S.Sigma_iw["down_0"].data)


def test_star_import_gives_the_solver():
    names: dict = {}
    exec("from triqs_mlsolver import *", names)
    assert names["Solver"].__module__ == "triqs_mlsolver.interface.solver"
