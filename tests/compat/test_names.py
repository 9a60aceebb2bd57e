# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""What scripts of the field import: there under either provider, or with a word on where it is."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from triqs_mlsolver import compat
from triqs_mlsolver.compat import names

#: Imports of public DMFT scripts: tutorials, benchmarks, solid_dmft, DFTTools.
USUAL = """
Gf BlockGf GfImFreq GfImTime GfLegendre GfReFreq MeshImFreq MeshImTime MeshLegendre MeshReFreq MeshDLRImFreq
MeshDLRImTime MeshBrZone MeshProduct iOmega_n Omega inverse SemiCircular Flat Wilson Fourier InverseFourier
LegendreToMatsubara MatsubaraToLegendre make_gf_from_fourier make_gf_imfreq make_gf_imtime make_gf_dlr fit_gf_dlr
fit_hermitian_tail make_hermitian is_gf_hermitian is_gf_real_in_tau replace_by_tail make_zero_tail
enforce_discontinuity rebinning_tau map_block delta dyson set_from_pade c c_dag n dagger Operator h_int_kanamori
h_int_density h_int_slater U_matrix_kanamori U_matrix_slater set_operator_structure extract_h_dict is_operator_real
make_operator_real diagonal_part HDFArchive mpi AtomDiag trace_rho_op atomic_density_matrix quantum_number_eigenvalues
Histogram TBLattice HilbertTransform dichotomy block_structure version
""".split()
embedded_only = pytest.mark.skipif(compat.HAS_TRIQS, reason="TRIQS has all of them")


def absent(name: str) -> bool:
    return isinstance(getattr(compat, name), names.Absent)


@pytest.mark.parametrize("name", USUAL)
def test_no_usual_name_is_missing_or_none(name):
    assert getattr(compat, name) is not None


@embedded_only
def test_what_is_left_to_triqs():
    assert {name for name in USUAL if absent(name)} == {
        "HilbertTransform", "MeshBrZone", "MeshProduct", "TBLattice", "set_from_pade",
    }  # fmt: skip


@embedded_only
def test_a_name_of_triqs_alone_says_where_it_is_when_it_is_used():
    with pytest.raises(
        NotImplementedError, match=r"TBLattice needs triqs\.lattice.*conda install -c conda-forge triqs"
    ):
        compat.TBLattice(units=[(1, 0, 0)], hoppings={})
    with pytest.raises(AttributeError, match="conda install"):
        getattr(compat.MeshBrZone, "values")  # noqa: B009
    assert not isinstance(compat.MeshImFreq(10.0, "Fermion", 3), compat.MeshBrZone)
    assert "conda-forge" in repr(compat.HilbertTransform)


@pytest.mark.parametrize(("wrong", "right"), [("GfImFrec", "GfImFreq"), ("h_int_canamori", "h_int_kanamori")])
def test_a_mistyped_name_is_corrected(wrong, right):
    with pytest.raises(AttributeError, match=f"did you mean '{right}'"):
        getattr(compat, wrong)


def test_a_star_brings_all_names_of_triqs():
    scope = {}
    exec("from triqs_mlsolver.compat import *", scope)
    assert set(USUAL) - {"block_structure"} <= set(scope) <= {*names.HOME, *names.RENAMED, "PROVIDER", "__builtins__"}
    assert set(compat.__all__) <= set(dir(compat))


@embedded_only
def test_each_name_has_one_home():
    listed = [name for each in names.EMBEDDED.values() for name in each.split()]
    assert len(listed) == len(set(listed)) and set(listed) <= set(names.HOME)
    for home, each in names.EMBEDDED.items():
        module = importlib.import_module(home, "triqs_mlsolver.compat")
        assert all(hasattr(module, name) or name in names.MODULES for name in each.split())


def run_with_triqs(place, version: str, gf: str, program: str) -> None:
    """Run a program that finds a made-up TRIQS of this version, whose module `gf` is given."""
    (place / "triqs").mkdir()
    (place / "triqs/__init__.py").write_text("")
    (place / "triqs/version.py").write_text(f"version = {version!r}")
    (place / "triqs/gf.py").write_text(gf)
    start = f"import sys\nsys.path.insert(0, {str(place)!r})\nfrom triqs_mlsolver import compat\n"
    subprocess.run([sys.executable, "-c", start + program], check=True)


def test_names_that_a_version_of_triqs_lacks_say_so(tmp_path):
    program = (
        "assert compat.PROVIDER == 'triqs 2.9' and compat.Gf.__module__ == 'triqs.gf' and compat.version == '2.9'\n"
        "assert compat.is_operator_real([])\n"
        "try:\n    compat.make_gf_dlr(1)\n"
        "except NotImplementedError as e:\n    assert 'make_gf_dlr of triqs.gf is not in what is installed' in str(e)\n"
        "else:\n    raise SystemExit('no error')"
    )
    run_with_triqs(tmp_path, "2.9", "class Gf: pass", program)


def test_a_broken_triqs_is_not_taken_for_an_old_one(tmp_path):
    program = (
        "try:\n    compat.Gf\nexcept ModuleNotFoundError as e:\n    assert 'a_library' in str(e)\n"
        "else:\n    raise SystemExit('no error')"
    )
    run_with_triqs(tmp_path, "3.2", "import a_library_that_is_not_there", program)


@embedded_only
def test_loading_the_names_runs_nothing_heavy():
    program = (
        "import sys\nfrom triqs_mlsolver.compat import *\n"
        "assert not {'pydlr', 'numba', 'matplotlib', 'sklearn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
