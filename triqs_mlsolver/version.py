# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Version of the package, in the form TRIQS applications use."""

version = "0.1.0"
triqs_mlsolver_hash = "v0.1.0"


def show_version() -> None:
    """Print the version."""
    print(f"\nYou are using triqs_mlsolver version {version}\n")
