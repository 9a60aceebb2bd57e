# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Archives in the layouts of TRIQS 1.4 to 3.0, as official tutorials bring them, read by either provider."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from triqs_mlsolver import compat
from triqs_mlsolver.compat import BlockGf, HDFArchive, MeshImFreq, MeshImTime, MeshLegendre, MeshReFreq

BETA = 10.0
OMEGA = 1j * np.pi / BETA * (2 * np.arange(5) + 1)
POSITIVE = np.stack([1 / (OMEGA - 0.3), 0.1j + 0.2 / OMEGA, 0.4 / OMEGA**2, 1 / (OMEGA + 0.2)], axis=1).reshape(5, 2, 2)
embedded_only = pytest.mark.skipif(compat.HAS_TRIQS, reason="TRIQS reads them")


def put(group, name, data):
    """An array as TRIQS stores it: real and imaginary part on the last axis."""
    if np.iscomplexobj(data):
        group[name] = np.stack([data.real, data.imag], axis=-1)
        group[name].attrs["__complex__"] = np.bytes_("1")
    else:
        group[name] = data


def put_gf(group, name, kind, data, mesh, domain=None):
    """A Green's function of TRIQS 1.4 and 2: the mesh is a group without format."""
    g = group.create_group(name)
    g.attrs["TRIQS_HDF5_data_scheme"] = np.bytes_(kind)
    put(g, "data", data)
    m = g.create_group("mesh")
    for key, value in mesh.items():
        m[key] = value
    if domain is not None:
        d = m.create_group("domain")
        for key, value in {"beta": BETA, "statistic": np.bytes_("F"), **domain}.items():
            d[key] = value


@pytest.fixture
def old(tmp_path):
    path = tmp_path / "old.h5"
    with h5py.File(path, "w") as f:
        blocks = f.create_group("G-0")
        blocks.attrs["TRIQS_HDF5_data_scheme"] = np.bytes_("BlockGf")
        blocks["block_names"] = np.array([b"up", b"down"])
        half = {"positive_freq_only": np.intc(1), "size": 5}
        for name in ("up", "down"):
            put_gf(blocks, name, "GfImFreq", POSITIVE, half, {})
        whole = np.concatenate([POSITIVE[::-1].conj(), POSITIVE])
        put_gf(f, "whole", "GfImFreq", whole, {"positive_freq_only": np.intc(0), "size": 10}, {})
        times = np.linspace(-1, 0, 11).reshape(-1, 1, 1)
        put_gf(f, "G_tau", "GfImTime", times, {"min": 0.0, "max": BETA, "size": 11}, {})
        put_gf(f, "G_l", "GfLegendre", np.arange(7.0).reshape(-1, 1, 1), {}, {"n_max": np.uint64(7)})
        band = (np.arange(9) + 1j).reshape(-1, 1, 1)
        put_gf(f, "G_w", "GfReFreq", band, {"min": -2.0, "max": 2.0, "size": 9})
    return path


def test_positive_frequencies_are_unfolded(old):
    """G(−iω) = G(iω)*, element by element: of functions that are real in time only these were stored in half."""
    with HDFArchive(str(old), "r") as A:
        G = A["G-0"]
    assert isinstance(G, BlockGf) and list(G.indices) == ["up", "down"]
    assert isinstance(G["up"].mesh, MeshImFreq) and len(G["up"].mesh) == 10 and G["up"].mesh.beta == BETA
    np.testing.assert_array_equal(G["down"].data[5:], POSITIVE)
    np.testing.assert_array_equal(G["down"].data[:5], POSITIVE[::-1].conj())


def test_other_meshes_without_format(old):
    with HDFArchive(str(old), "r") as A:
        np.testing.assert_array_equal(A["whole"].data, A["G-0"]["up"].data)
        assert isinstance(A["G_tau"].mesh, MeshImTime) and len(A["G_tau"].mesh) == 11 and A["G_tau"].mesh.beta == BETA
        assert isinstance(A["G_l"].mesh, MeshLegendre) and A["G_l"].data[:, 0, 0].tolist() == list(range(7))
        assert A["G_w"].mesh == MeshReFreq(-2.0, 2.0, 9) and A["G_w"].data[3, 0, 0] == 3 + 1j


def test_positive_frequencies_of_bosons(tmp_path):
    """Zero is stored once."""
    with h5py.File(tmp_path / "bosons.h5", "w") as f:
        data = np.array([1.0, 2 + 1j, 3 + 2j]).reshape(-1, 1, 1)
        half = {"positive_freq_only": np.intc(1), "size": 3}
        put_gf(f, "chi", "GfImFreq", data, half, {"statistic": np.bytes_("B")})
    with HDFArchive(str(tmp_path / "bosons.h5"), "r") as A:
        chi = A["chi"]
    assert chi.mesh.statistic == "Boson" and len(chi.mesh) == 5
    assert chi.data[:, 0, 0].tolist() == [3 - 2j, 2 - 1j, 1, 2 + 1j, 3 + 2j]


def test_the_layout_of_triqs_3_0(tmp_path):
    """Meshes have a format, β lies in their domain."""
    with h5py.File(tmp_path / "three.h5", "w") as f:
        put_gf(f, "G", "Gf", np.ones((10, 1, 1), complex), {"positive_freq_only": np.intc(0), "size": 10}, {})
        f["G/mesh"].attrs["Format"] = "MeshImFreq"
        f["G"].attrs["Format"] = "Gf"
    with HDFArchive(str(tmp_path / "three.h5"), "r") as A:
        assert A["G"].mesh == MeshImFreq(BETA, "Fermion", 5)


@embedded_only
def test_what_cannot_be_read_says_so(tmp_path):
    with h5py.File(tmp_path / "vertex.h5", "w") as f:
        put_gf(f, "G2", "Gf", np.ones((2, 2, 1), complex), {})
        f["G2"].attrs["Format"] = "Gf"
        f["G2/mesh"].attrs["Format"] = "MeshProduct"
        atom = f.create_group("atom")
        atom.attrs["Format"] = "AtomDiagReal"
        atom["gs_energy"] = 0.0
    with HDFArchive(str(tmp_path / "vertex.h5"), "r") as A:
        with pytest.raises(NotImplementedError, match="'G2' is .* known to TRIQS alone.*conda install"):
            A["G2"]
        with pytest.raises(NotImplementedError, match="lacks its Hamiltonian"):
            A["atom"]
