#!/usr/bin/env python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""solid_dmft with learned answers: the same input file, and two more lines.

Needs TRIQS, triqs_dft_tools, triqs_cthyb and solid_dmft (its version with TOML input). ``--quick`` makes 3 iterations.
"""

import sys
from pathlib import Path

import numpy as np
from bethe_lattice import write_bethe_lattice
from h5 import HDFArchive
from solid_dmft.main import main
from triqs.utility import mpi

from triqs_mlsolver import solid_dmft

BETA = 20
config = Path(__file__).parent / "dmft_config.toml"
if mpi.is_master_node():
    if not Path("bethe.h5").exists():
        write_bethe_lattice("bethe")
    if "--quick" in sys.argv:
        text = config.read_text(encoding="utf-8").replace("n_iter_dmft = 15", "n_iter_dmft = 3")
        Path("quick.toml").write_text(text, encoding="utf-8")
mpi.barrier()

solid_dmft.enable(database="bethe_points.h5", tolerance=0.002)
main(["solid_dmft", "quick.toml" if "--quick" in sys.argv else str(config)])

if mpi.is_master_node():
    with HDFArchive("out/bethe.h5", "r") as archive:
        Sigma, G = (archive["DMFT_results"]["last_iter"][name] for name in ("Sigma_freq_0", "Gimp_freq_0"))
    lowest = Sigma["up_0"].data[len(Sigma["up_0"].mesh) // 2, 0, 0]
    print(f"Z = {1 / (1 - lowest.imag * BETA / np.pi):.4f}  <n> = {G.total_density().real:.4f}")
