# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Containers under either provider, against closed forms; archives from one provider read by the other."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys

import h5py
import numpy as np
import pytest

from triqs_mlsolver import compat
from triqs_mlsolver.compat import (
    BlockGf,
    Flat,
    Fourier,
    Gf,
    GfImFreq,
    GfImTime,
    GfLegendre,
    HDFArchive,
    LegendreToMatsubara,
    MeshImFreq,
    MeshImTime,
    MeshLegendre,
    Operator,
    SemiCircular,
    Wilson,
    c,
    c_dag,
    inverse,
    iOmega_n,
    mpi,
    n,
)  # fmt: skip
from triqs_mlsolver.numerics import legendre

BETA = 20.0
embedded_only = pytest.mark.skipif(compat.HAS_TRIQS, reason="TRIQS provides this itself")
triqs_only = pytest.mark.skipif(not compat.HAS_TRIQS, reason="TRIQS is not installed")


@pytest.fixture
def mesh():
    return MeshImFreq(beta=BETA, statistic="Fermion", n_iw=200)


def omega(mesh):
    return np.array([complex(iw) for iw in mesh])


def two_poles(mesh):
    """1/2 [1/(iω − 0.7) + 1/(iω + 0.2)] in both blocks."""
    G = BlockGf(mesh=mesh, gf_struct=[("up", 1), ("down", 1)])
    G << 0.5 * inverse(iOmega_n - 0.7) + 0.5 * inverse(iOmega_n + 0.2)
    return G


def test_provider_is_named():
    assert compat.PROVIDER.split()[0] == ("triqs" if compat.HAS_TRIQS else "dcorelib")
    assert all(hasattr(compat, name) for name in compat.__all__)


@pytest.mark.parametrize("make", [
    lambda: MeshImFreq(BETA, "Fermion", 200),
    lambda: MeshImFreq(beta=BETA, S="Fermion", n_max=200),
    lambda: MeshImFreq(beta=BETA, statistic="Fermion", n_iw=200),
])  # fmt: skip
def test_frequency_mesh(make):
    mesh = make()
    assert len(mesh) == 400 and mesh.beta == BETA and mesh.statistic == "Fermion"
    assert mesh.first_index() == -200 and mesh.last_index() == 199
    np.testing.assert_allclose(omega(mesh), 1j * (2 * np.arange(-200, 200) + 1) * np.pi / BETA, rtol=1e-14)
    assert mesh == MeshImFreq(BETA, "Fermion", 200) and mesh != MeshImFreq(BETA, "Fermion", 100)


def test_integer_beta_is_a_temperature_too():
    mesh = MeshImFreq(20, "Fermion", 10)
    assert mesh.beta == 20.0 and isinstance(mesh.beta, float)


def test_mesh_points_index_green_functions(mesh):
    G = two_poles(mesh)["up"]
    for iw in list(mesh)[198:202]:
        assert abs(G[iw][0, 0] - 0.5 / (complex(iw) - 0.7) - 0.5 / (complex(iw) + 0.2)) < 1e-14
    G[iw] = 3.0
    assert G.data[iw.data_index, 0, 0] == 3.0


def test_semicircular_and_flat_bands(mesh):
    G, z = Gf(mesh=mesh, target_shape=[1, 1]), omega(mesh)
    G << SemiCircular(1.5)
    np.testing.assert_allclose(
        G.data[:, 0, 0], 2 / 1.5**2 * (z - 1j * np.sign(z.imag) * np.sqrt(1.5**2 - z**2)), atol=1e-13
    )
    G << Wilson(2.0)
    np.testing.assert_allclose(G.data[:, 0, 0], 0.25 * np.log((z + 2) / (z - 2)), atol=1e-13)
    G << Flat(2.0)
    np.testing.assert_allclose(G.data[:, 0, 0], 0.25 * np.log((z + 2) / (z - 2)), atol=1e-13)


def test_expressions_of_dmft_scripts(mesh):
    G = BlockGf(mesh=mesh, gf_struct=[("up", 1), ("down", 1)])
    G << SemiCircular(1.0)
    z, g = omega(mesh), G["up"].data[:, 0, 0].copy()
    average = 0.5 * (G["up"] + G["down"])
    G0 = G.copy()
    for _, g0 in G0:
        g0 << inverse(iOmega_n + 0.3 - 0.25 * average)
    np.testing.assert_allclose(G0["down"].data[:, 0, 0], 1 / (z + 0.3 - 0.25 * g), atol=1e-13)
    G0["up"] << inverse(iOmega_n - (-2.0) - 0.2**2 * Wilson(1.0))
    np.testing.assert_allclose(G0["up"].data[:, 0, 0], 1 / (z + 2 - 0.04 * 0.5 * np.log((z + 1) / (z - 1))), atol=1e-13)
    G0 << inverse(inverse(G) + 0.7)
    np.testing.assert_allclose(G0["up"].data[:, 0, 0], 1 / (1 / g + 0.7), atol=1e-13)


def test_algebra(mesh):
    a, b = two_poles(mesh)["up"], Gf(mesh=mesh, target_shape=[1, 1])
    b << inverse(iOmega_n + 1.0)
    x, y = a.data.copy(), b.data.copy()
    one = np.ones((1, 1, 1))
    for found, expected in [
        (a + b, x + y), (a - b, x - y), (a * b, x * y), (2 * a, 2 * x), (a * 2, 2 * x), (a / 2, x / 2), (-a, -x),
        (a + 1.5, x + 1.5 * one), (1.5 - a, 1.5 * one - x), (np.float64(2.0) * a, 2 * x), (inverse(a), 1 / x),
        (a.conjugate(), x.conj()),
    ]:  # fmt: skip
        np.testing.assert_allclose(found.data, expected, atol=1e-13)
    a += b
    a *= 2
    a -= b
    np.testing.assert_allclose(a.data, 2 * (x + y) - y, atol=1e-13)


def test_block_algebra(mesh):
    G = two_poles(mesh)
    x = G["up"].data.copy()
    np.testing.assert_allclose((G + G)["down"].data, 2 * x, atol=1e-14)
    np.testing.assert_allclose((0.25 * G - G)["up"].data, -0.75 * x, atol=1e-14)
    np.testing.assert_allclose(inverse(G)["up"].data, 1 / x, atol=1e-11)
    G["up"] += G["down"]
    np.testing.assert_allclose(G["up"].data, 2 * x, atol=1e-14)
    assert list(G.indices) == ["up", "down"] and G.n_blocks == 2
    with pytest.raises(IndexError, match="left"):
        G["left"]


def test_matrix_valued_functions(mesh):
    h = np.array([[1.0, 0.3], [0.3, -1.0]])
    G = Gf(mesh=mesh, target_shape=[2, 2])
    G << inverse(iOmega_n - h)
    z = omega(mesh)
    np.testing.assert_allclose(G.data, np.linalg.inv(z[:, None, None] * np.eye(2) - h), atol=1e-13)
    assert G[0, 1].data.shape == (400,) and G[0:1, 0:1].data.shape == (400, 1, 1)
    G[0, 1] << G[0, 0]
    np.testing.assert_allclose(G.data[:, 0, 1], G.data[:, 0, 0])
    e, v = np.linalg.eigh(h)
    G << inverse(iOmega_n - h)
    np.testing.assert_allclose(np.real(G.density()), v @ np.diag(1 / (1 + np.exp(BETA * e))) @ v.T, atol=2e-7)


def test_densities(mesh):
    fermi = 0.5 / (1 + np.exp(BETA * 0.7)) + 0.5 / (1 + np.exp(-BETA * 0.2))
    assert abs(two_poles(mesh).total_density() - 2 * fermi) < 2e-7


def test_evaluation(mesh):
    G = two_poles(mesh)["up"]
    exact = lambda k: 0.5 / (1j * (2 * k + 1) * np.pi / BETA - 0.7) + 0.5 / (1j * (2 * k + 1) * np.pi / BETA + 0.2)
    for k in (0, -1, 150, 1000):
        assert abs(G(k)[0, 0] - exact(k)) < 1e-9


def test_fourier_transforms(mesh):
    G = two_poles(mesh)
    times = MeshImTime(beta=BETA, statistic="Fermion", n_tau=2001)
    G_tau = BlockGf(mesh=times, gf_struct=[("up", 1), ("down", 1)])
    G_tau << Fourier(G)
    tau = np.linspace(0, BETA, 2001)
    exact = legendre.fermi_kernel(BETA, tau, np.array([0.7, -0.2])) @ [0.5, 0.5]
    np.testing.assert_allclose(G_tau["up"].data[:, 0, 0], exact, atol=1e-7)
    back = BlockGf(mesh=mesh, gf_struct=[("up", 1), ("down", 1)])
    for name, g in back:
        g << Fourier(G_tau[name])
    np.testing.assert_allclose(back["up"].data, G["up"].data, atol=1e-6)
    assert (
        abs(G_tau["up"](3.3)[0, 0] - legendre.fermi_kernel(BETA, np.array([3.3]), np.array([0.7, -0.2])) @ [0.5, 0.5])
        < 1e-4
    )


def test_legendre_to_matsubara(mesh):
    coefficients = legendre.from_poles(BETA, [0.7, -0.2], np.array([0.5, 0.5]))
    G_l = Gf(mesh=MeshLegendre(BETA, "Fermion", len(coefficients)), target_shape=[1, 1])
    G_l.data[:, 0, 0] = coefficients
    G = Gf(mesh=mesh, target_shape=[1, 1])
    G << LegendreToMatsubara(G_l)
    np.testing.assert_allclose(G.data, two_poles(mesh)["up"].data, atol=1e-9)


def test_copies_are_independent(mesh):
    G = two_poles(mesh)
    for H in (G.copy(), copy.deepcopy(G), pickle.loads(pickle.dumps(G))):
        H["up"] << 0.0
        assert np.any(G["up"].data) and not np.any(H["up"].data)


def test_mpi_names():
    assert mpi.is_master_node() == (mpi.rank == 0)
    assert mpi.bcast({"a": 1}) == {"a": 1}
    mpi.report("report reaches the screen")
    mpi.barrier()


# -- archives ---------------------------------------------------------------------------------------

WRITE = """
import sys
import numpy as np
{imports}
G = BlockGf(mesh=MeshImFreq(20, "Fermion", 50), gf_struct=[("up", 1), ("down", 2)])
G << inverse(iOmega_n - 0.7)
G_tau = Gf(mesh=MeshImTime(20, "Fermion", 101), target_shape=[1, 1])
G_tau.data[:, 0, 0] = np.linspace(-1, 0, 101)
G_l = Gf(mesh=MeshLegendre(20, "Fermion", 7), target_shape=[1, 1])
G_l.data[:, 0, 0] = np.arange(7)
with HDFArchive(sys.argv[1], "w") as A:
    A["G"], A["g"], A["G_tau"], A["G_l"] = G, G["up"], G_tau, G_l
    A["h"] = 2.5 * n("up", 0) * n("down", 0) - 0.3 * n("up", 0) + 7 + 1j * c_dag("a", 1) * c("b", 0)
    A["mixed"] = dict(i=1, x=2.5, s="text", l=[1, 2.0, "three"], z=np.array([1j, 2]))
"""
IMPORTS = {
    "triqs": "from triqs.gf import *\nfrom triqs.operators import n, c, c_dag\nfrom h5 import HDFArchive",
    "embedded": "from triqs_mlsolver.compat import *",
}


def check_archive(path):
    """What WRITE stored, read back by the provider in use."""
    with HDFArchive(str(path), "r") as A:
        G = A["G"]
        assert isinstance(G, BlockGf) and list(G.indices) == ["up", "down"]
        assert isinstance(G.mesh, MeshImFreq) and G.mesh.beta == 20.0 and len(G.mesh) == 100
        z = omega(G.mesh)
        np.testing.assert_allclose(G["down"].data, np.eye(2) / (z[:, None, None] - 0.7), atol=1e-14)
        np.testing.assert_allclose(A["g"].data, G["up"].data)
        assert isinstance(A["G_tau"].mesh, MeshImTime) and len(A["G_tau"].mesh) == 101 and A["G_tau"].mesh.beta == 20.0
        assert isinstance(A["G_l"].mesh, MeshLegendre)
        np.testing.assert_array_equal(A["G_l"].data[:, 0, 0], np.arange(7))
        assert A["h"] == 2.5 * n("up", 0) * n("down", 0) - 0.3 * n("up", 0) + 7 + 1j * c_dag("a", 1) * c("b", 0)
        mixed = A["mixed"]
        assert (mixed["i"], mixed["x"], mixed["s"], mixed["l"]) == (1, 2.5, "text", [1, 2.0, "three"])
        np.testing.assert_array_equal(mixed["z"], [1j, 2])


def test_archive_round_trip(tmp_path):
    path = tmp_path / "own.h5"
    subprocess.run(
        [sys.executable, "-c", WRITE.format(imports=IMPORTS["embedded"]), str(path)], check=True, capture_output=True
    )
    check_archive(path)


# hides TRIQS, so that the embedded containers are used where TRIQS is installed as well
HIDE_TRIQS = """
import importlib.util, sys
_find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *a: None if name == "triqs" else _find(name, *a)
"""


@triqs_only
def test_triqs_reads_what_the_embedded_containers_wrote(tmp_path):
    pytest.importorskip("dcorelib")
    path = tmp_path / "embedded.h5"
    program = HIDE_TRIQS + WRITE.format(imports=IMPORTS["embedded"] + "\nassert PROVIDER.startswith('dcorelib')")
    subprocess.run([sys.executable, "-c", program, str(path)], check=True)
    check_archive(path)


@triqs_only
def test_embedded_containers_read_what_triqs_wrote(tmp_path):
    pytest.importorskip("dcorelib")
    path = tmp_path / "triqs.h5"
    subprocess.run(
        [sys.executable, "-c", WRITE.format(imports=IMPORTS["triqs"]), str(path)], check=True, capture_output=True
    )
    program = HIDE_TRIQS + (
        f"sys.path.insert(0, {os.path.dirname(__file__)!r})\nfrom test_compat import check_archive, compat\n"
        f"assert compat.PROVIDER.startswith('dcorelib')\ncheck_archive({str(path)!r})"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@embedded_only
def test_archives_have_the_layout_of_triqs(tmp_path):
    """Names and types as TRIQS 3.2 writes them; β is a float even where the user gave an integer."""
    path = tmp_path / "layout.h5"
    with HDFArchive(str(path), "w") as A:
        A["G"] = Gf(mesh=MeshImFreq(20, "Fermion", 5), target_shape=[1, 1])
        A["t"] = MeshImTime(20, "Fermion", 11)
        A["l"] = MeshLegendre(20, "Fermion", 7)
        A["h"] = 2 * n("up", 0)
    with h5py.File(path) as f:
        mesh = f["G/mesh"]
        assert f["G"].attrs["Format"] == "Gf" and mesh.attrs["Format"] == "MeshImFreq"
        assert f["G/data"].shape == (10, 1, 1, 2) and int(f["G/data"].attrs["__complex__"]) == 1
        for group in (mesh, mesh["domain"], f["t"], f["l"]):
            assert group["beta"].dtype == np.float64 and group["statistic"][()] == b"F"
        assert mesh["size"][()] == 10 and f["t/n_tau"][()] == 11 and f["l/max_n"][()] == 7
        assert f["h"].attrs["Format"] == "Operator" and f["h"]["op_indices"][0].tolist() == [1, -1, 0, 0]
        assert f["h"].attrs["fundamental_operator_set"].tolist() == [[b"sup", b"i0"]]


@embedded_only
def test_dcorelib_alone_reads_our_frequency_functions(tmp_path, mesh):
    path = tmp_path / "for_dcore.h5"
    with HDFArchive(str(path), "w") as A:
        A["G"] = two_poles(mesh)
    program = (
        "import dcorelib.triqs_compat.gf\nfrom dcorelib.triqs_compat.h5 import HDFArchive\n"
        f"G = HDFArchive({str(path)!r}, 'r')['G']\nassert G.mesh.beta == 20.0 and G['up'].data.shape == (400, 1, 1)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@embedded_only
def test_containers_are_dcorelibs_for_its_functions(mesh):
    from dcorelib.triqs_compat import gf as dcore

    G = two_poles(mesh)["up"]
    assert isinstance(G, dcore.GfImFreq) and isinstance(G, GfImFreq)
    theirs = dcore.GfImFreq(data=np.zeros((400, 1, 1), complex), beta=BETA, mesh=dcore.MeshImFreq(BETA, "Fermion", 200))
    theirs << inverse(iOmega_n - 0.7)
    np.testing.assert_allclose(theirs.data[:, 0, 0], 1 / (omega(mesh) - 0.7), atol=1e-14)
    ours = Gf(mesh=mesh, target_shape=[1, 1])
    ours << dcore.iOmega_n - 0.5
    np.testing.assert_allclose(ours.data[:, 0, 0], omega(mesh) - 0.5, atol=1e-14)


@embedded_only
def test_mistakes_are_explained(mesh):
    with pytest.raises(ValueError, match="beta = -1"):
        MeshImFreq(-1, "Fermion", 10)
    with pytest.raises(TypeError, match="target_shape"):
        Gf(mesh=mesh)
    with pytest.raises(ValueError, match="does not fit"):
        two_poles(mesh)["up"] + Gf(mesh=MeshImFreq(BETA, "Fermion", 3), target_shape=[1, 1])
    with pytest.raises(TypeError, match="function of frequency"):
        GfImTime(mesh=MeshImTime(BETA, "Fermion", 11), target_shape=[1, 1]) << SemiCircular(1.0)
    with pytest.raises(NotImplementedError, match="install TRIQS"):
        Gf(mesh=MeshImFreq(BETA, "Boson", 10), target_shape=[1, 1]).density()
    assert isinstance(GfLegendre(beta=BETA, n_points=5, indices=[0]), GfLegendre)
    assert Operator().is_zero()


# -- TRIQS 4 -------------------------------------------------------------------------------------------------------

TRIQS_4 = {
    "triqs/__init__.py": "",
    "triqs/version.py": "version = '4.0.2'",
    "triqs/gfs.py": "\n".join(
        f"class {name}: pass"
        for name in (
            "Gf BlockGf GfImFreq GfImTime GfLegendre MeshImFreq MeshImTime MeshLegendre iOmega_n Omega inverse "
            "SemiCircular Flat Wilson Fourier LegendreToMatsubara"
        ).split()
    ),
    "triqs/operators.py": "Operator = c = c_dag = dagger = n = object",
    "triqs/atom_diag.py": "AtomDiag = object",
    "triqs/stat.py": "Histogram = object",
    "triqs/utility/__init__.py": "",
    "triqs/utility/mpi.py": "rank = 0",
    "h5/__init__.py": "HDFArchive = object",
    "h5/formats.py": "register_class = object",
}


def test_names_of_triqs_4_are_found(tmp_path):
    """TRIQS 4 has its containers in triqs.gfs."""
    for name, text in TRIQS_4.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    program = (
        f"import sys\nsys.path.insert(0, {str(tmp_path)!r})\nfrom triqs_mlsolver import compat\nimport triqs.gfs\n"
        "assert compat.PROVIDER == 'triqs 4.0.2' and compat.Gf is triqs.gfs.Gf and compat.mpi.rank == 0"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
