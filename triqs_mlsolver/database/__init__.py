# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""The growing set of solved problems of one model."""

from .files import DatabaseError
from .point import Point
from .starter import open_database
from .store import Database

__all__ = ["Database", "DatabaseError", "Point", "open_database"]
