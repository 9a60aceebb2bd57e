# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""The settings of models that were found best for a database: `bethe.h5.model`, a JSON file beside it.

Settings at its top are those of all models; "kinds" has those of each kind of problem, which go before them.
"""

from __future__ import annotations

import json
import os

from .files import DatabaseError, write_durably

SUFFIX = ".model"
_KINDS = "kinds"


def load_settings(path: str | os.PathLike | None, kind: str | None = None) -> dict:
    """Keyword arguments for the `Predictor` of a kind of problem stored with the database at `path`.

    Empty without a file; without `kind` all that the file holds.

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
    if not isinstance(settings, dict) or not isinstance(settings.get(_KINDS, {}), dict):
        raise DatabaseError(f"{file} holds no settings: delete it, or run mlsolver validate again")
    if kind is None:
        return settings
    of_kinds = settings.pop(_KINDS, {})
    return {**settings, **of_kinds.get(kind, {})}


def save_settings(path: str | os.PathLike, settings: dict, kind: str | None = None) -> str:
    """Store keyword arguments for `Predictor` with the database at `path`; returns the file's name.

    Those of a `kind` are added to what the file holds; without it they replace all.
    """
    if kind is not None:
        stored = load_settings(path)
        settings = {**stored, _KINDS: {**stored.get(_KINDS, {}), kind: settings}}
    file = os.fspath(path) + SUFFIX
    write_durably(file, json.dumps(settings, indent=1).encode() + b"\n")
    return file
