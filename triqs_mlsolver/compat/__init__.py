# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""One set of names for TRIQS 3.x (`triqs.gf`), TRIQS 4.x (`triqs.gfs`) and, where TRIQS is absent, dcorelib.

A script that takes its containers from here runs on either::

    from triqs_mlsolver.compat import *

`PROVIDER` says which one is in use. What dcorelib lacks of TRIQS is supplied by the other modules of this package; what
neither has says, when it is used, where TRIQS has it. Names are loaded when they are first used.
"""

from __future__ import annotations

import importlib.util
import warnings

from . import names as _names

_spec = importlib.util.find_spec("triqs")
HAS_TRIQS = _spec is not None and _spec.origin is not None  # a plain directory of that name is no TRIQS

if HAS_TRIQS:
    from triqs.version import version as _version

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
        from dcorelib.triqs_compat import mpi as mpi
        from dcorelib.triqs_compat.h5 import HDFArchive as HDFArchive
        from dcorelib.triqs_compat.h5 import register_class

        # archives know the formats of these from here on
        from . import embedded_atom, embedded_blocks, embedded_dlr, embedded_refreq  # noqa: F401
        from .histogram import Histogram, read_histogram
        from .operators import Operator, read_operator

        register_class(Operator, read_fun=read_operator)
        register_class(Histogram, read_fun=read_histogram)
    PROVIDER = f"dcorelib {_version}"
    version = "3.2.1"  # of TRIQS, whose interface the containers follow

#: What brings more along (DFTTools, matplotlib) is found by name, but comes with no star.
_APART = ("triqs_dft_tools.block_structure", "triqs.plot.mpl_interface")
__all__ = [
    "PROVIDER",
    *sorted(name for name, home in _names.HOME.items() if home not in _APART),
    *_names.RENAMED,
]


def __getattr__(name: str):
    today = _names.RENAMED.get(name, name)
    if today not in _names.HOME:
        raise AttributeError(_names.unknown(name))
    value = _names.of_triqs(today) if HAS_TRIQS else _names.embedded(today)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
