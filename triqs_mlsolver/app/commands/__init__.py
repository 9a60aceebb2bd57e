# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Sub-commands of `mlsolver`: one module each, with a click command named `command`.

A module imports what is heavy inside its command, so that `mlsolver --help` costs nothing. Names that begin with an
underscore are no commands.
"""
