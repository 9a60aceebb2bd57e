# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""SIAM_Discrete_Bath of TRIQS/benchmarks: one orbital in a field, coupled to two bath sites."""

from triqs_mlsolver.compat import BlockGf, MeshImFreq, inverse, iOmega_n, n

beta = 5.0
mu = 2.0
U = 5.0
h = 0.2
E = [0.0, 4.0]
V = [2.0, 5.0]

gf_struct = [("up", 1), ("dn", 1)]
h_int = U * n("up", 0) * n("dn", 0)

n_iw = int(10 * beta)
G0_iw = BlockGf(mesh=MeshImFreq(beta, "Fermion", n_iw), gf_struct=gf_struct)
for block, field in (("up", h), ("dn", -h)):
    Delta = sum((v**2 * inverse(iOmega_n - e) for e, v in zip(E, V)), 0 * iOmega_n)
    G0_iw[block] << inverse(iOmega_n + mu + field - Delta)
