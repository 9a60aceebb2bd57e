# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""The numbers on which predictions and their bounds rest, by what they decide, each with what it rests on itself.

That is an argument, a derivation, or a table of doc/benchmarks.md (named in quotes). Where there is none of these the
comment says "chosen, not measured": such a number was tried and did well, and a neighbour of it might do as well.
"""

from __future__ import annotations

import numpy as np

from ..numerics.significance import TWO_SIDED

# -- the kernel: where the search for its parameters starts, and how far it may go

# Length scale per group of features (dimensionless, as these are). Found on random baths; no table keeps that search.
# `tune` corrects them by up to a factor TUNE_REACH, from TUNE_FROM rows on.
LENGTH_SCALE = {"beta": 5.0, "U": 4.0, "level": 4.0, "Delta": 0.17, "baseline": 0.7, "baseline - hubbard_i": 0.3}
LENGTH_SCALE |= {f"{name} spread": LENGTH_SCALE[name] for name in ("U", "level", "Delta")}

# Of the distance to every other cheap solver: most of these are nearer to the baseline than Hubbard-I is ("Cheap
# solvers"). By how much is chosen, not measured.
CLUSTER_LENGTH_SCALE = 0.14

# Matérn ν to choose from by leave-out errors: functions that can be differentiated once, and twice. Chosen, not
# measured.
SMOOTHNESS_CHOICE = (1.5, 2.5)

# One more ν, where MANY_GROUPS are known. On set E ν = 5/2 has twice its error ("Accuracy on random baths"); but the
# smoother the kernel, the bolder its standard deviation beyond the points of a scan: with few of them, in a DMFT
# loop, its bound on Σ(iω₀) held for 74 % instead of 93 %.
SMOOTHEST = 3.5

# Different (β, U, level) from which residuals speak for themselves: the smoothest kernel is allowed, and the floor of
# the bound fades like 1/n. The loops that failed with SMOOTHEST had fewer; where in between is chosen, not measured.
MANY_GROUPS = 100

# Ridge on the unit diagonal of a kernel matrix, at which tuning starts: far above rounding (1e-16 times the 3000 rows
# of the largest matrix); as an error of the labels it is 1e-3 of the correction, less than any prediction is off by.
ALPHA = 1e-6

# Factors by which tuning may leave the starting length scales and the ridge: leave-out errors at stored points favour
# long scales, which are too bold where nothing is stored. Chosen, not measured.
TUNE_REACH, TUNE_ALPHA_REACH = 4.0, 1e2

# Rows that tuning looks at: some hundred fits of N³/3 operations then take seconds, however many points are known
# ("Speed": 4.7 s at 1000 rows, calibration included).
TUNE_ROWS = 300

# Share of the smallest leave-out errors whose mean is tuned, so that single rows at a phase boundary do not decide
# for all. Chosen, not measured.
TUNE_SHARE = 0.98

# Variances s² of the difference of cheap labels from exact ones, in units of the truth's own, among which the
# likeliest is taken: neighbours are a factor √10 apart, and a hundred outputs tell s² to a factor of two
# (tests/model/test_fidelity.py).
DIFFERENCES = tuple(np.logspace(-6, 4, 21).tolist())

# s² up to which residuals of cheap labels, too, judge a kernel: their difference is then a third of the truth at
# most. Chosen, not measured.
CLOSE_LABELS = 0.1

# -- when a growing model is fitted anew

# Exact answers before the model says anything. That an error is the largest of six is as likely as one in six: twice
# the largest of five, the bound then taken, holds for nine in ten (tests/model/test_error_bound.py). They are the five
# exact calls with which every run from an empty database begins.
MIN_POINTS = 5

# Rows from which length scales are tuned, since leave-out errors of fewer say little, and their growth until they are
# tuned again: eight times up to 1000 rows. Chosen, not measured.
TUNE_FROM, TUNE_GROWTH = 30, 1.6

# Growth of the data until what cannot be appended to is fitted again: forests and nets, and the forest of the bound.
# At 1.1 all fits together cost 11 times the last one, where fitting at each point would cost N/2 times. Chosen, not
# measured.
REFIT_GROWTH = 1.1

# -- very many points

# Rows that one kernel matrix holds. Its inverse is read for every standard deviation: 14.6 ms at 3000 rows, of the 20
# ms that a whole answer may take ("Speed").
EXACT_UP_TO = 3000

# Nearest rows that enter a prediction beyond that. On 4000 random baths 200 of them are within 3 % of all; 800
# instead of 300 make errors on set A at N = 8000 1 % smaller, on set E a third ("Accuracy on random baths"), for 20
# times the work.
NEIGHBOURS = 300

# Rows whose leave-out residuals are computed where each has its price. The coverage of a quantile of 1500 scatters by
# √(0.95 · 0.05 / 1500) = 0.6 %.
CALIBRATION_ROWS = 1500

# -- known territory

# Digits to which values of a parameter are one value (significant ones of β and U, decimals of a level): rounding, or μ
# adjusted in a loop, makes no scan. Chosen, not measured.
DIGITS = 3

# By which log β, and a value that never varied, may lie outside of what is stored: another unit rounds differently.
ROUNDING = 1e-6

# Share of a parameter's stored range by which a problem may lie outside of it. Chosen, not measured.
EDGE = 0.02

# Different values of a parameter from which the next value of its scan may be answered: the values at both ends have
# then been left out and predicted from at least three others. The doped scan went from 73.6 % saved to 87 % with this
# and three other changes ("Trust"); nothing wrong was accepted beyond the range ("Outside of what is known").
VALUES_TO_EXTRAPOLATE = 4

# A bath is novel where the standard deviation exceeds REACH times this quantile of the stored points' own leave-out
# standard deviations: too few residuals there speak of errors so far out, and a few outliers must not move that
# limit. The largest 5 % are those; the margin of a fifth is chosen, not measured.
REACH_QUANTILE, REACH = 0.95, 1.2

# -- residuals that calibrate the bound

# Errors below the first count as the first, what is not finite as the other: 1e-7 is below all that is promised
# (rounding of what is compared is 1e-6), and 1e6 above all that G(τ) in [−1, 0] can be.
SMALLEST_ERROR, LARGEST_ERROR = 1e-7, 1e6

# Share of a residual that is never put down to its label's noise: an error bar that is too large by luck must not
# make a residual vanish. Chosen, not measured.
LEAST_SHARE = 0.3

# Median ratio of noise to residual beyond which residuals are "mostly noise", and the mean square of all is asked in
# place of each. Chosen, not measured.
MOSTLY_NOISE = 0.5

# 95 % quantile of an error in units of its root mean square, where residuals are mostly noise: 1.96 for a Gaussian,
# √(4 / (9 · 0.05)) = 2.98 for the worst unimodal law (Vysochanskij, Petunin), and about half way between them.
TAIL = 2.5

# Points from which a mean square is worth something: of ten Gaussian numbers it is known to √(2/10) = 45 %. Chosen,
# not measured.
MOMENTS_FROM = 10

# -- the forest that tells hard problems from easy ones

# Points from which it is asked: of these each tree sees 16, some five leaves. Chosen, not measured.
FOREST_FROM = 25

# Trees that are asked at a prediction, the least number of residuals in a leaf, and the share of inputs a split may
# choose from: of 60 trees 22 are out of bag at a point. Chosen, not measured.
FOREST_TREES, FOREST_LEAF, FOREST_INPUTS = 60, 3, 0.5

# Points from which out-of-bag scales shall be as sharp as those of predictions, by growing e times as many trees (a
# point is out of bag in one of e): without, quantiles were too wide, and with it the 90 % bound on set A still covers
# 93 to 94 % ("Coverage"). For few points a wide quantile is welcome; how few is chosen, not measured.
ALIKE_FROM = 300

# -- what a bound contains beside them

# Error bars of the labels, as far as they enter a prediction: the share of a Gaussian that a 95 % bound must hold.
LABEL_SIGMAS = TWO_SIDED

# Share of the cheap solvers' disagreement that a bound is never below, as long as fewer than MANY_GROUPS are known:
# of a disagreement of 0.1 it is a tenth of the default tolerance. Chosen, not measured.
SPREAD_FLOOR = 0.002

# -- other regressors in the place of the kernel ridge, which have no leave-out residuals of their own

# Parts of the data that are left out in turn, and trees of a random forest or of extra trees: scikit-learn's
# defaults.
FOLDS, TREES = 5, 100

# -- the decision: what is accepted

# Largest accepted bound on G(τ): with it the scans of "Trust" keep Z to 0.005, nine tenths of all values to 0.002.
DEFAULT_TOLERANCE = 0.002

# Default tolerance on Σ(iω₀), relative, in units of that on G(τ): about what their errors are to each other ("Trust").
# Chosen, not measured.
SIGMA_SHARE = 10.0

# Most by which the tolerance on Σ(iω₀) grows like 1/(2Z) below Z = ½: it is Z that is to be protected, whose absolute
# error is Z times the relative one; at Z = 0.1 both tolerances protect it alike. Where to stop is chosen, not measured.
LARGEST_ALLOWANCE = 5.0

# -- the decision: loops that creep

# Least share of the tolerance on G(τ) that is left where a loop creeps, r being the factor by which its steps shrink:
# an error of the solver grows to 1/(1 − r) times itself at the fixed point, for which the share is 2(1 − r), so that
# healthy loops (r ≤ ½) are left alone. An exact run's own error bar, a fifth of the tolerance, makes less than a half
# of no use. Chosen, not measured.
LEAST_TOLERANCE = 0.5

# Steps from whose first and last r is taken: fewer are dominated by chance, more forget too late. Chosen, not measured.
CREEPING_STEPS = 4

# A step tells something if it is longer than this many times the noise of the answers at its ends: the difference of
# two such answers is √2 of it, so that chance exceeds it once in 30 times. Chosen, not measured.
STEP_SIGMAS = 3.0

# Latest problems that the next one may go on from, and the growth of a step with which another loop begins: so many
# sites can be asked in turn; a loop that creeps has steps that hardly change. Chosen, not measured.
LOOPS, JUMP = 8, 3.0

# -- the decision: checks of the bounds

# Factor of a widened bound per check that holds, and the most by which bounds are widened: a bound of 95 % is missed
# once in twenty checks, by a tenth or so, which two checks undo. Chosen, not measured.
WIDENING_DECAY, WIDEST = 0.9, 10.0

# Different problems whose bounds do not vary, which calibrated bounds never do. Chosen, not measured.
SAME_BOUND = 30

# Probability below which so many misses are no accident: one false alarm in a thousand checks at most.
SURPRISE = 1e-3

# Bounds that an exact answer may be away from the prediction before it is run again; as many where the problem is
# novel, and the bound a guess; and the least such error, in tolerances. All 46 lies of the adversary in "Trust" were
# flagged, and no honest answer but one was computed twice.
CONTRADICTION, NOVEL_CONTRADICTION, WORTH_A_SECOND_RUN = 1.5, 3.0, 5.0

# Answers of which two must agree. With two a lie cannot be told from the truth, and a fourth has never been needed.
MOST_ANSWERS = 3

# -- the decision: exact runs, and what is remembered

# Error bar that a Monte Carlo run aims at, in tolerances: in quadrature it then takes 2 % of the tolerance. Chosen, not
# measured: what the bounds need would be better.
TARGET_SHARE = 0.2

# Updates that the embedded solvers may make in pursuit of that error bar where the user gives n_cycles, in those that
# triqs_cthyb would make: the segment solver is 7 to 18 times as fast, the matrix solver 1.2 to 1.8 times ("The embedded
# CTQMC"), and none shall take longer.
GIVEN_BACK = {"segment": 5, "matrix": 1}

# Solves of earlier runs that count when bounds are judged, and answers of this run that are kept to be doubted later:
# 500 checks tell a coverage of 95 % to 1 %; a scan of sixty values with its loops is about as long.
LOG_REMEMBERED = ANSWERS_REMEMBERED = 500

# Share of the tolerance beyond which the inputs of a model's answer are kept in the log, for `refresh`. Chosen, not
# measured.
UNCERTAIN = 0.5
