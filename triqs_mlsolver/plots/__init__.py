# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Pictures, one function each: it draws into the axes it is given or into a new figure, and returns the axes.

Matplotlib is loaded with this package only. Figures are drawn without a display; `save` writes one to a file.
"""

from .coverage import plot_coverage
from .decision import plot_decision
from .history import plot_history
from .learning import plot_learning_curve
from .mott import plot_mott
from .reliability import plot_reliability
from .style import as_png, save
from .validation import plot_validation

__all__ = [
    "plot_coverage", "plot_decision", "plot_history", "plot_learning_curve", "plot_mott", "plot_reliability",
    "plot_validation", "as_png", "save",
]  # fmt: skip
