# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Where names of TRIQS are at home: in which of its modules, and in which module of this folder where it is absent."""

from __future__ import annotations

import importlib

from ..tools.validation import did_you_mean

#: Modules of TRIQS and the names that scripts take from them. Green's functions moved from `gf` to `gfs` in TRIQS 4.
TRIQS = {
    "triqs.gf": (
        "Gf BlockGf Block2Gf GfImFreq GfImTime GfLegendre GfReFreq GfReTime Idx "
        "MeshImFreq MeshImTime MeshLegendre MeshReFreq MeshReTime MeshDLR MeshDLRImFreq MeshDLRImTime "
        "MeshBrZone MeshBrillouinZone MeshCycLat MeshCyclicLattice MeshProduct "
        "iOmega_n Omega SemiCircular Flat Wilson Fourier LegendreToMatsubara MatsubaraToLegendre "
        "inverse conjugate transpose delta dyson map_block density fix_gf_struct_type "
        "make_hermitian is_gf_hermitian make_real_in_tau is_gf_real_in_tau make_gf_from_fourier set_from_fourier "
        "set_from_legendre set_from_imfreq set_from_imtime make_zero_tail fit_tail fit_hermitian_tail "
        "fit_tail_on_window fit_hermitian_tail_on_window replace_by_tail replace_by_tail_in_fit_window "
        "rebinning_tau enforce_discontinuity make_adjoint_mesh "
        "make_gf_dlr fit_gf_dlr make_gf_dlr_imtime make_gf_dlr_imfreq make_gf_imtime make_gf_imfreq"
    ),
    "triqs.gf.gf_fnt": "set_from_pade",
    "triqs.gf.tools": "read_gf_from_txt write_gf_to_txt fit_legendre make_delta discretize_bath",
    "triqs.operators": "Operator c c_dag n dagger",
    "triqs.operators.util": (
        "h_int_slater h_int_kanamori h_int_density diagonal_part get_mkind set_operator_structure "
        "U_matrix_slater U_matrix_kanamori U_J_to_radial_integrals radial_integrals_to_U_J angular_matrix_element "
        "three_j_symbol clebsch_gordan spherical_to_cubic cubic_names transform_U_matrix reduce_4index_to_2index "
        "t2g_submatrix eg_submatrix N_op S_op S2_op L_op L2_op LS_op "
        "extract_h_dict extract_U_dict2 extract_U_dict4 dict_to_matrix"
    ),
    "triqs.operators.util.hamiltonians": "make_operator_real",
    "triqs.operators.util.extractors": "block_matrix_from_op op_from_block_matrix quadratic_terms quartic_terms",
    "triqs.atom_diag": (
        "AtomDiag AtomDiagReal AtomDiagComplex partition_function atomic_density_matrix trace_rho_op act "
        "quantum_number_eigenvalues quantum_number_eigenvalues_checked atomic_g_tau atomic_g_iw atomic_g_l atomic_g_w"
    ),
    "triqs.stat": "Histogram pdf cdf",
    "triqs.utility.dichotomy": "dichotomy",
    "triqs.utility.mpi": "mpi",
    "triqs.version": "version",
    "triqs.lattice.tight_binding": "TBLattice",
    "triqs.lattice": "BravaisLattice BrillouinZone TightBinding",
    "triqs.dos": "HilbertTransform DOS DOSFromFunction",
    "triqs.plot.mpl_interface": "oplot",
    "h5": "HDFArchive",
    "h5.formats": "register_class",
    "triqs_dft_tools.block_structure": "block_structure",
}
#: What scripts bring along themselves and TRIQS does not have: of this folder in any case.
OWN = {".operators_parts": "is_operator_real"}
HOME = {name: module for module, names in (TRIQS | OWN).items() for name in names.split()}
#: Those that are the module itself.
MODULES = {"mpi", "block_structure"}
#: What TRIQS no longer has, under today's name.
RENAMED = {"InverseFourier": "Fourier"}

#: Modules of this folder (and of dcorelib) and the names they carry where TRIQS is absent.
EMBEDDED = {
    ".embedded_atom": "AtomDiag AtomDiagReal AtomDiagComplex",
    ".embedded_atom_averages": (
        "act atomic_density_matrix atomic_g_iw atomic_g_l atomic_g_tau atomic_g_w partition_function "
        "quantum_number_eigenvalues quantum_number_eigenvalues_checked trace_rho_op"
    ),
    ".embedded_blocks": "BlockGf",
    ".embedded_dlr": (
        "MeshDLR MeshDLRImFreq MeshDLRImTime fit_gf_dlr make_gf_dlr make_gf_dlr_imfreq make_gf_dlr_imtime "
        "make_gf_imfreq make_gf_imtime"
    ),
    ".embedded_functions": (
        "conjugate delta density dyson fix_gf_struct_type make_gf_from_fourier map_block set_from_fourier transpose"
    ),
    ".embedded_gf": "Fourier Gf GfImFreq GfImTime GfLegendre LegendreToMatsubara MatsubaraToLegendre inverse",
    ".embedded_lazy": "Flat Omega SemiCircular Wilson iOmega_n",
    ".embedded_meshes": "MeshImFreq MeshImTime MeshLegendre",
    ".embedded_refreq": "GfReFreq MeshReFreq",
    ".embedded_dichotomy": "dichotomy",
    ".embedded_symmetry": "is_gf_hermitian is_gf_real_in_tau make_hermitian make_real_in_tau",
    ".embedded_tails": (
        "fit_hermitian_tail fit_hermitian_tail_on_window fit_tail fit_tail_on_window make_zero_tail replace_by_tail "
        "replace_by_tail_in_fit_window"
    ),
    ".embedded_transforms": "enforce_discontinuity rebinning_tau",
    ".histogram": "Histogram pdf cdf",
    ".operators": "Operator c c_dag dagger n",
    ".operators_coulomb": (
        "U_matrix_slater U_matrix_kanamori U_J_to_radial_integrals radial_integrals_to_U_J angular_matrix_element "
        "three_j_symbol spherical_to_cubic cubic_names transform_U_matrix reduce_4index_to_2index t2g_submatrix "
        "eg_submatrix"
    ),
    ".operators_hamiltonians": (
        "h_int_slater h_int_kanamori h_int_density get_mkind set_operator_structure N_op S_op S2_op L_op L2_op LS_op"
    ),
    ".operators_parts": (
        "diagonal_part make_operator_real extract_h_dict extract_U_dict2 extract_U_dict4 dict_to_matrix "
        "block_matrix_from_op op_from_block_matrix quadratic_terms quartic_terms is_operator_real"
    ),
    "dcorelib.triqs_compat.dft_tools.block_structure": "block_structure",
}
EMBEDDED_HOME = {name: module for module, names in EMBEDDED.items() for name in names.split()}


class Absent(type):
    """Stands for a name that is not to be had here: every use of it says where it is.

    A class of which nothing is an instance, so that `isinstance(x, MeshBrZone)` is simply false.
    """

    def __new__(mcs, name: str, why: str):
        return super().__new__(mcs, name, (), {"_why": why})

    def __init__(cls, name: str, why: str):
        super().__init__(name, (), {})

    def __call__(cls, *_args, **_kwargs):
        raise NotImplementedError(cls._why)

    def __getattr__(cls, name: str):
        if name.startswith("__"):  # what python itself asks for
            raise AttributeError(name)
        raise AttributeError(cls._why)

    def __repr__(cls) -> str:
        return f"<{cls._why}>"


def of_triqs(name: str):
    """`name` out of TRIQS' own modules, or what says that this version of TRIQS does not have it."""
    home = HOME[name]
    above = [] if name in MODULES else [home.rpartition(".")[0]]  # where another version may have it
    for place in (home, *filter(None, above)):
        for module in (place.replace("triqs.gf", "triqs.gfs"), place):
            found = _module(module)
            if found is not None and name in MODULES:
                return found
            if hasattr(found, name):
                return getattr(found, name)
    if _module(home.split(".")[0]) is None:
        return _to_be_installed(name)
    return Absent(name, f"{name} of {home} is not in what is installed of TRIQS here: another version may have it")


def _module(name: str):
    """The module of that name, None where there is none."""
    try:
        return importlib.import_module(name, __package__)
    except ModuleNotFoundError as missing:
        if not name.startswith(str(missing.name)):  # it is there, but something that it needs is not
            raise
        return None


def embedded(name: str):
    """`name` out of the embedded modules, or what says where TRIQS has it."""
    if name in EMBEDDED_HOME:
        found = importlib.import_module(EMBEDDED_HOME[name], __package__)
        return found if name in MODULES else getattr(found, name)
    return _to_be_installed(name)


def _to_be_installed(name: str) -> Absent:
    package = HOME[name].split(".")[0].replace("h5", "triqs")
    return Absent(
        name,
        f"{name} needs {HOME[name]}: conda install -c conda-forge {package}, after which the same line hands it on",
    )


def unknown(name: str) -> str:
    """What is said of a name that neither TRIQS nor this package knows."""
    return f"neither TRIQS nor triqs_mlsolver.compat has a name {name!r}{did_you_mean(name, HOME)}"
