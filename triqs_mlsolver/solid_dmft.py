# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""The public path of `interface.solid_dmft`."""

from .interface.solid_dmft import disable, enable

__all__ = ["disable", "enable"]
