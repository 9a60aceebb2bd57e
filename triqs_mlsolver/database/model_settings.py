# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""The model's settings that were found best for a database: `bethe.h5.model`, a JSON file beside it."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from .files import DatabaseError, write_durably

if TYPE_CHECKING:
    from ..model import Predictor

_SUFFIX = ".model"


def load_settings(path: str | os.PathLike | None) -> dict:
    """Keyword arguments for `Predictor` stored with the database at `path`; empty without a file.

    Raises
    ------
    DatabaseError
        If the file cannot be understood.
    """
    if path is None or not os.path.exists(file := os.fspath(path) + _SUFFIX):
        return {}
    try:
        with open(file, encoding="utf-8") as stream:
            settings = json.load(stream)
    except ValueError as error:
        raise DatabaseError(f"{file} is not valid JSON ({error}): delete it, or run mlsolver validate again") from error
    if not isinstance(settings, dict):
        raise DatabaseError(f"{file} holds no settings: delete it, or run mlsolver validate again")
    return settings


def stored_predictor(path: str | os.PathLike | None, **defaults) -> Predictor:
    """An unfitted `Predictor` with the settings stored with the database at `path`, and `defaults` for the others.

    Raises
    ------
    DatabaseError
        If the file cannot be understood or names settings that `Predictor` does not have.
    """
    from ..model import Predictor

    settings, known = load_settings(path), Predictor().get_params()
    if unknown := sorted(set(settings) - set(known)):
        raise DatabaseError(
            f"{os.fspath(path)}{_SUFFIX} names {', '.join(unknown)}, which the model does not have (it has "
            f"{', '.join(known)}): correct the file or delete it"
        )
    return Predictor(**{**defaults, **settings})


def save_settings(path: str | os.PathLike, settings: dict) -> str:
    """Store keyword arguments for `Predictor` with the database at `path`; returns the file's name."""
    file = os.fspath(path) + _SUFFIX
    write_durably(file, json.dumps(settings, indent=1).encode() + b"\n")
    return file
