# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""How many standard errors make a difference: the rules that all comparisons follow.

Three questions are asked of a number and its standard error.

*Do two independent results agree?* Within AGREEMENT standard errors of their difference: of honest comparisons one in
370 fails. For one observable that a user looks at, such as Z or a density in a certificate.

*Is a relation broken that holds exactly?* Beyond BROKEN standard errors: one in 1.7 million honest cases, so that even
the largest of a hundred deviations, in every one of a thousand runs, is hardly ever there by chance. For the sum rule,
symmetries, moments and the drift of a run, and for two exact answers to one problem, whose G(τ) are compared at the
worst τ.

*What does a confidence of 95 % mean?* A Gaussian error lies within TWO_SIDED standard errors of zero, and below
ONE_SIDED of them, with that probability. The first turns a bound into a standard error and back, and says how much of a
difference the error bars of a label explain; the second is the upper limit of an estimate that is to be on the safe
side.
"""

from __future__ import annotations

from statistics import NormalDist

AGREEMENT = 3.0  # standard errors within which two independent results agree
BROKEN = 5.0  # standard errors beyond which an exact relation is broken

TWO_SIDED = NormalDist().inv_cdf(0.975)  # 1.960
ONE_SIDED = NormalDist().inv_cdf(0.95)  # 1.645
