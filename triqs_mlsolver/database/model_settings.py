# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""The model's settings that were found best for a database: `bethe.h5.model`, a JSON file beside it."""

from __future__ import annotations

import json
import os

from .files import DatabaseError, write_durably

SUFFIX = ".model"


def load_settings(path: str | os.PathLike | None) -> dict:
    """Keyword arguments for `Predictor` stored with the database at `path`; empty without a file.

    Raises
    ------
    DatabaseError
        If the file cannot be understood.
    """
    if path is None or not os.path.exists(file := os.fspath(path) + SUFFIX):
        return {}
    try:
        with open(file, encoding="utf-8") as stream:
            settings = json.load(stream)
    except ValueError as error:
        raise DatabaseError(f"{file} is not valid JSON ({error}): delete it, or run mlsolver validate again") from error
    if not isinstance(settings, dict):
        raise DatabaseError(f"{file} holds no settings: delete it, or run mlsolver validate again")
    return settings


def save_settings(path: str | os.PathLike, settings: dict) -> str:
    """Store keyword arguments for `Predictor` with the database at `path`; returns the file's name."""
    file = os.fspath(path) + SUFFIX
    write_durably(file, json.dumps(settings, indent=1).encode() + b"\n")
    return file
