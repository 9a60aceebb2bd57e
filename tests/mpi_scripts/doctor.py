# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""`mlsolver doctor` on several ranks."""

from triqs_mlsolver.app.cli import main

main(["doctor"], prog_name="mlsolver")
