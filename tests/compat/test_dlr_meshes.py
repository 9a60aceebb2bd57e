# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Discrete Lehmann meshes under either provider, against functions of known poles."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from triqs_mlsolver import compat
from triqs_mlsolver.compat import (
    BlockGf,
    Gf,
    HDFArchive,
    MeshDLR,
    MeshDLRImFreq,
    MeshDLRImTime,
    MeshImFreq,
    SemiCircular,
    fit_gf_dlr,
    inverse,
    iOmega_n,
    make_gf_dlr,
    make_gf_dlr_imfreq,
    make_gf_dlr_imtime,
    make_gf_imfreq,
    make_gf_imtime,
)  # fmt: skip
from triqs_mlsolver.numerics import legendre

BETA, W_MAX, EPS = 10.0, 2.0, 1e-10
H = np.array([[0.5, 0.2 + 0.1j], [0.2 - 0.1j, -0.7]])
embedded_only = pytest.mark.skipif(compat.HAS_TRIQS, reason="TRIQS has messages of its own")


def of_poles(statistic="Fermion"):
    g = Gf(mesh=MeshDLRImFreq(BETA, statistic, W_MAX, EPS), target_shape=[2, 2])
    g << inverse(iOmega_n - H)
    return g


def at_times(tau, statistic="Fermion"):
    """G(τ) of 1/(iν − H): the Bose function takes the place of Fermi's for bosons."""
    energies, states = np.linalg.eigh(H)
    kernel = legendre.fermi_kernel(BETA, tau, energies)
    if statistic == "Boson":
        kernel = kernel / np.tanh(BETA * energies / 2)
    return np.einsum("tk,ak,bk->tab", kernel, states, states.conj())


def frequencies(mesh):
    return np.array([complex(w) for w in mesh])


@pytest.mark.parametrize("statistic", ["Fermion", "Boson"])
def test_meshes(statistic):
    poles = MeshDLR(BETA, statistic, W_MAX, EPS)
    times = [t.value for t in MeshDLRImTime(BETA, statistic, W_MAX, EPS)]
    mesh = MeshDLRImFreq(BETA, statistic, W_MAX, EPS)
    assert len(poles) == len(times) == len(mesh) == 19
    assert np.all(np.diff(times) > 0) and 0 < times[0] and times[-1] < BETA
    n = np.array([w.index for w in mesh])
    np.testing.assert_allclose(frequencies(mesh), 1j * np.pi / BETA * (2 * n + (statistic == "Fermion")), rtol=1e-14)
    assert (mesh.beta, mesh.statistic, mesh.w_max, mesh.eps) == (BETA, statistic, W_MAX, EPS)
    assert mesh == MeshDLRImFreq(BETA, statistic, W_MAX, EPS) and mesh != MeshDLRImFreq(BETA, statistic, 3.0, EPS)


@pytest.mark.parametrize("statistic", ["Fermion", "Boson"])
def test_functions_of_poles_are_known_everywhere(statistic):
    g = make_gf_dlr(of_poles(statistic))
    g_iw = make_gf_imfreq(g, 60)
    z = frequencies(MeshImFreq(BETA, statistic, 60))
    np.testing.assert_allclose(g_iw.data, np.linalg.inv(z[:, None, None] * np.eye(2) - H), atol=20 * EPS)
    tau = np.linspace(0, BETA, 101)
    np.testing.assert_allclose(make_gf_imtime(g, 101).data, at_times(tau, statistic), atol=100 * EPS)
    np.testing.assert_allclose(g(3.3), at_times([3.3], statistic)[0], atol=100 * EPS)
    np.testing.assert_allclose(g(g_iw.mesh(5).value), np.linalg.inv(z[-55] * np.eye(2) - H), atol=20 * EPS)


def test_a_wide_band_to_the_accuracy_asked_for():
    for eps in (1e-6, 1e-12):
        g = Gf(mesh=MeshDLRImFreq(100.0, "Fermion", 1.5, eps), target_shape=[1, 1])
        g << SemiCircular(1.0)
        full = make_gf_imfreq(make_gf_dlr(g), 500)
        exact = full.copy()
        exact << SemiCircular(1.0)
        assert np.abs(full.data - exact.data).max() < 100 * eps


def test_all_ways_between_the_meshes():
    g = make_gf_dlr(of_poles())
    np.testing.assert_allclose(make_gf_dlr_imfreq(g).data, of_poles().data, atol=1e-12)
    times = make_gf_dlr_imtime(g)
    assert isinstance(times.mesh, MeshDLRImTime)
    np.testing.assert_allclose(times.data, at_times(np.array([t.value for t in times.mesh])), atol=100 * EPS)
    np.testing.assert_allclose(make_gf_imfreq(make_gf_dlr(times), 9).data, make_gf_imfreq(g, 9).data, atol=20 * EPS)


def test_fit_of_equidistant_times():
    g = fit_gf_dlr(make_gf_imtime(make_gf_dlr(of_poles()), 301), W_MAX, EPS)
    z = frequencies(MeshImFreq(BETA, "Fermion", 60))
    np.testing.assert_allclose(
        make_gf_imfreq(g, 60).data, np.linalg.inv(z[:, None, None] * np.eye(2) - H), atol=20 * EPS
    )


def test_blocks_and_scalars():
    blocks = BlockGf(name_list=["up", "down"], block_list=[of_poles(), 2 * of_poles()])
    full = make_gf_imfreq(make_gf_dlr(blocks), 20)
    np.testing.assert_allclose(full["down"].data, 2 * full["up"].data, atol=1e-12)
    scalar = Gf(mesh=blocks["up"].mesh, target_shape=[])
    scalar << inverse(iOmega_n - 0.3)
    z = frequencies(MeshImFreq(BETA, "Fermion", 20))
    np.testing.assert_allclose(make_gf_imfreq(make_gf_dlr(scalar), 20).data, 1 / (z - 0.3), atol=20 * EPS)


def test_density():
    energies = np.linalg.eigvalsh(H)
    assert abs(make_gf_dlr(of_poles()).total_density() - np.sum(1 / (1 + np.exp(BETA * energies)))) < 100 * EPS


# -- archives ----------------------------------------------------------------------------------------------------------


def check_archive(path):
    z = frequencies(MeshImFreq(BETA, "Fermion", 30))
    exact = np.linalg.inv(z[:, None, None] * np.eye(2) - H)
    with HDFArchive(str(path), "r") as A:
        assert [type(A[key].mesh).__name__ for key in "wtd"] == ["MeshDLRImFreq", "MeshDLRImTime", "MeshDLR"]
        for g in (make_gf_dlr(A["w"]), make_gf_dlr(A["t"]), A["d"], A["blocks"]["up"]):
            np.testing.assert_allclose(make_gf_imfreq(g, 30).data, exact, atol=20 * EPS)


def write_archive(path):
    g = make_gf_dlr(of_poles())
    with HDFArchive(str(path), "w") as A:
        A["w"], A["t"], A["d"] = of_poles(), make_gf_dlr_imtime(g), g
        A["blocks"] = BlockGf(name_list=["up"], block_list=[g])


def test_archive_round_trip(tmp_path, capsys):
    write_archive(tmp_path / "own.h5")
    check_archive(tmp_path / "own.h5")
    assert "not recognized" not in capsys.readouterr().out


HIDE_TRIQS = """
import importlib.util, sys
_find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *a: None if name == "triqs" else _find(name, *a)
"""


@pytest.mark.skipif(not compat.HAS_TRIQS, reason="TRIQS is not installed")
@pytest.mark.parametrize("embedded_writes", [True, False])
def test_archives_are_read_on_either_side(tmp_path, embedded_writes):
    """TRIQS reads nodes and LU factors that scipy made, the embedded meshes take the nodes of TRIQS."""
    pytest.importorskip("dcorelib")
    pytest.importorskip("pydlr")
    path = tmp_path / "dlr.h5"
    if not embedded_writes:
        write_archive(path)
    program = HIDE_TRIQS + (
        f"sys.path.insert(0, {os.path.dirname(__file__)!r})\nimport test_dlr_meshes as t\n"
        "assert not t.compat.HAS_TRIQS\n"
        f"t.{'write' if embedded_writes else 'check'}_archive({str(path)!r})"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    if embedded_writes:
        check_archive(path)


# -- mistakes ----------------------------------------------------------------------------------------------------------


@embedded_only
def test_mistakes_are_explained():
    g = of_poles()
    with pytest.raises(TypeError, match="MeshDLRImTime or MeshDLRImFreq"):
        make_gf_dlr(make_gf_dlr(g))
    with pytest.raises(TypeError, match="takes a function on MeshDLR, not on a MeshDLRImFreq"):
        make_gf_imfreq(g, 10)
    with pytest.raises(ValueError, match="w_max = -1"):
        MeshDLR(BETA, "Fermion", -1.0, EPS)
    with pytest.raises(ValueError, match="different meshes"):
        make_gf_dlr(g) + g
