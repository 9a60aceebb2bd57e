# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""One set of names for TRIQS 3.x (`triqs.gf`), TRIQS 4.x (`triqs.gfs`) and, where TRIQS is absent, dcorelib.

A script that takes its containers from here runs on either::

    from triqs_mlsolver.compat import *

`PROVIDER` says which one is in use. What dcorelib lacks of TRIQS is supplied by the other modules of this package.
"""

from __future__ import annotations

import importlib.util
import warnings

_spec = importlib.util.find_spec("triqs")
HAS_TRIQS = _spec is not None and _spec.origin is not None  # a plain directory of that name is no TRIQS

if HAS_TRIQS:
    import triqs.utility.mpi as mpi
    from h5 import HDFArchive
    from h5.formats import register_class
    from triqs.atom_diag import AtomDiag
    from triqs.operators import Operator, c, c_dag, dagger, n
    from triqs.stat import Histogram
    from triqs.version import version as _version

    if importlib.util.find_spec("triqs.gfs") is not None:
        from triqs import gfs as _gf
    else:
        from triqs import gf as _gf

    Gf, BlockGf = _gf.Gf, _gf.BlockGf
    GfImFreq, GfImTime, GfLegendre = _gf.GfImFreq, _gf.GfImTime, _gf.GfLegendre
    MeshImFreq, MeshImTime, MeshLegendre = _gf.MeshImFreq, _gf.MeshImTime, _gf.MeshLegendre
    iOmega_n, Omega, inverse = _gf.iOmega_n, _gf.Omega, _gf.inverse
    SemiCircular, Flat, Wilson = _gf.SemiCircular, _gf.Flat, _gf.Wilson
    Fourier, LegendreToMatsubara = _gf.Fourier, _gf.LegendreToMatsubara
    MeshDLRImFreq = getattr(_gf, "MeshDLRImFreq", None)
    make_gf_dlr, make_gf_imfreq = getattr(_gf, "make_gf_dlr", None), getattr(_gf, "make_gf_imfreq", None)
    PROVIDER = f"triqs {_version}"
else:
    try:
        from dcorelib import __version__ as _version
    except ImportError:
        from importlib.metadata import PackageNotFoundError
        from importlib.metadata import version as _version_of

        try:
            _version = _version_of("dcorelib")
        except PackageNotFoundError:
            raise ImportError(
                "neither TRIQS nor dcorelib is installed: triqs_mlsolver.Solver needs the Green's function "
                "containers of one of them (conda install -c conda-forge triqs, or pip install dcorelib)"
            ) from None
    with warnings.catch_warnings():
        # docstrings of dcorelib hold backslashes that python 3.12 warns of
        warnings.simplefilter("ignore", SyntaxWarning)
        from dcorelib.triqs_compat import mpi
        from dcorelib.triqs_compat.h5 import HDFArchive, register_class

        from .embedded_blocks import BlockGf
        from .embedded_gf import Fourier, Gf, GfImFreq, GfImTime, GfLegendre, LegendreToMatsubara, inverse
        from .embedded_lazy import Flat, Omega, SemiCircular, Wilson, iOmega_n
        from .embedded_meshes import MeshImFreq, MeshImTime, MeshLegendre
        from .histogram import Histogram, read_histogram
        from .operators import Operator, c, c_dag, dagger, n, read_operator

        register_class(Operator, read_fun=read_operator)
        register_class(Histogram, read_fun=read_histogram)
        AtomDiag = MeshDLRImFreq = make_gf_dlr = make_gf_imfreq = None  # of TRIQS alone
    PROVIDER = f"dcorelib {_version}"

__all__ = [
    "AtomDiag", "BlockGf", "Flat", "Fourier", "Gf", "GfImFreq", "GfImTime", "GfLegendre", "HDFArchive",
    "Histogram", "LegendreToMatsubara", "MeshDLRImFreq", "MeshImFreq", "MeshImTime", "MeshLegendre", "Omega",
    "Operator", "PROVIDER", "SemiCircular", "Wilson", "c", "c_dag", "dagger", "iOmega_n", "inverse", "make_gf_dlr",
    "make_gf_imfreq", "mpi", "n", "register_class",
]  # fmt: skip
