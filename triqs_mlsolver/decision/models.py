# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""The models of a database: one for each kind of problem in it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..database import Database, DatabaseError, Point
from ..database.cache import DescriptorCache
from ..database.model_settings import SUFFIX, load_settings
from ..database.point import kind as kind_of
from ..model import Predictor
from ..model.features.descriptor import Kind
from ..problem import Problem, Solution


class Models:
    """Models of the kinds of problem in a database, each fitted when the first problem of its kind is asked.

    Of one kind are problems of the same block sizes and interaction (`Database.kinds`), and where there are terms
    beyond density-density among more than four flavours, with the same of them. What one model has learned does not
    depend on what else the database holds.

    Parameters
    ----------
    database : Database
    **defaults
        Settings of `Predictor` that the database does not bring.
    """

    def __init__(self, database: Database, **defaults):
        self._database, self._defaults = database, defaults
        self._fitted: dict[tuple[str, Kind], Predictor] = {}

    def of(self, problem: Problem) -> Predictor:
        """The model for the kind of `problem`."""
        key = kind_of(problem), Kind.of(problem)
        if key not in self._fitted:
            self._fitted[key] = fitted_model(self._database, problem, **self._defaults)
        return self._fitted[key]

    def add(self, points: Iterable[Point]) -> None:
        """Learn points that have come to the database; a model that nobody has asked yet finds them there."""
        for point in points if self._fitted else ():
            if (model := self._fitted.get((point.kind, Kind.of(point.problem)))) is not None:
                model.add(point.problem, point.solution, fidelity=point.fidelity)


def fitted_model(database: Database, example: Problem, **defaults) -> Predictor:
    """The model for problems of the kind of `example`: its stored settings, `defaults` for the others, and what the
    cache beside the database holds.
    """
    kind, finer = kind_of(example), Kind.of(example)
    cache = DescriptorCache(database.path, kind, read_only=database.read_only, base=database.base)
    rows = database.table(("id", "fidelity", "kind"))
    of_kind = np.flatnonzero(rows["kind"] == kind)
    points = [_Stored(database, int(k), str(rows["id"][k]), str(rows["fidelity"][k])) for k in of_kind]
    if finer.signs:
        points = [point for point in points if Kind.of(point.problem) == finer]
    return stored_predictor(database.path, kind, **defaults).fit(points, cache=cache)


@dataclass(frozen=True)
class _Stored:
    """A point whose numbers are read when they are asked for: what the cache holds, nobody asks for."""

    database: Database
    index: int
    id: str
    fidelity: str

    @property
    def problem(self) -> Problem:
        return self.database[self.index].problem

    @property
    def solution(self) -> Solution:
        return self.database[self.index].solution


def stored_predictor(path: str | os.PathLike | None, kind: str, **defaults) -> Predictor:
    """An unfitted `Predictor` with the settings stored with the database at `path`, and `defaults` for the others.

    Raises
    ------
    DatabaseError
        If the file cannot be understood or names settings that `Predictor` does not have.
    """
    settings, known = load_settings(path, kind), Predictor().get_params()
    if unknown := sorted(set(settings) - set(known)):
        raise DatabaseError(
            f"{os.fspath(path)}{SUFFIX} names {', '.join(unknown)}, which the model does not have (it has "
            f"{', '.join(known)}): correct the file or delete it"
        )
    return Predictor(**{**defaults, **settings})
