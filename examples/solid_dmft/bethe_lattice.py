# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""An archive for dft_tools and solid_dmft without a DFT calculation: one band on the Bethe lattice, half bandwidth
1.
"""

from pathlib import Path

import numpy as np
from triqs_dft_tools.converters.hk import HkConverter


def write_bethe_lattice(seedname: str, n_k: int = 200) -> None:
    """Write `seedname`.h5 with the levels and weights of the semicircular density of states, filling 1."""
    angle = np.pi * np.arange(1, n_k + 1) / (n_k + 1)  # Gauss quadrature for the weight sqrt(1 - e^2)
    weights = np.sin(angle) ** 2 / np.sum(np.sin(angle) ** 2)
    lines = [f"{n_k}", "1.0", "1", "1 1 0 1", "1", "1 1 0 1 0 0", "1 1"]  # filling; one shell, correlated, one orbital
    lines += [f"{w:.15f}" for w in weights]
    lines += [f"{e:.15f}\n0.0" for e in np.cos(angle)]
    Path(f"{seedname}.hk").write_text("\n".join(lines) + "\n", encoding="utf-8")
    HkConverter(f"{seedname}.hk", hdf_filename=f"{seedname}.h5").convert_dft_input(weights_in_file=True)
