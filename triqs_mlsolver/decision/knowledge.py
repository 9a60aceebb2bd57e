# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Knowledge: database, model, and what has been seen of the model's bounds. It lives on rank 0."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations

import numpy as np

from ..approximations.atomic_limit import AtomicLimit
from ..database import Database, Point
from ..database.point import kind as kind_of
from ..database.rescue import rescue
from ..exact.quality import objections
from ..model import Prediction, Predictor
from ..problem import Problem, Solution
from ..problem.comparison import Comparison, compare, label_noise
from ..problem.fidelity import as_good_as
from .acceptance import Gate
from .coverage import rows_of_kind
from .models import Models
from .watch import Alarms, contradicts


class Knowledge:
    """What is known, and how it grows by exact answers.

    Parameters
    ----------
    database : Database
    log : mapping of arrays
        Columns of the decision log of earlier runs.
    learn : bool
        Whether exact answers are stored.
    random_state : int
        Seed of the models.

    Attributes
    ----------
    predictor : Predictor or None
        The model that was asked last.
    """

    def __init__(self, database: Database, log: Mapping[str, np.ndarray], *, learn: bool, random_state: int):
        self.database, self.learn, self._log = database, learn, log
        self._alarms: dict[str, Alarms] = {}
        self._models = Models(database, random_state=random_state)
        self.predictor: Predictor | None = None

    def refresh(self) -> None:
        """Learn what others have added to the database."""
        self._models.add(self.database.refresh())

    def predict(self, problem: Problem) -> Prediction:
        """The prediction, its bounds widened by recent misses."""
        self.predictor = self._models.of(problem)
        prediction = self.predictor.predict(problem)
        on_G, on_Sigma = self.alarms_of(problem).widening.factor
        return replace(
            prediction,
            error_bound=on_G * prediction.error_bound,
            sigma_bound=on_Sigma * prediction.sigma_bound,
            density_bound=on_G * prediction.density_bound,
            docc_bound=on_G * prediction.docc_bound,
        )

    def alarms_of(self, problem: Problem) -> Alarms:
        """What has been seen of the bounds of this kind of problem."""
        kind = kind_of(problem)
        if kind not in self._alarms:
            self._alarms[kind] = Alarms(rows_of_kind(self._log, kind))
        return self._alarms[kind]

    def stored_answer(
        self, problem: Problem, exact: str, gate: Gate
    ) -> tuple[Point, Solution, tuple[float, float]] | None:
        """The exact answer to this very problem with the smallest error bars, if `gate` takes it; and its noise.

        `exact` names the solver that would be run: where it can do better than a stored one, it is.
        """
        points = [point for point in self.database.find(problem) if as_good_as(exact, point.fidelity)]
        answers = [point.solution.in_units_of(problem) for point in points]
        if not all(compare(problem, a, b).agrees for a, b in combinations(answers, 2)):
            return None  # one of them is wrong, whichever has the smaller error bars
        found = []
        for point, solution in zip(points, answers):
            noise = label_noise(problem, solution)
            if gate.takes(problem, solution, noise) and not objections(problem, solution):
                found.append((noise, point.index, solution))
        if not found:
            return None
        noise, index, solution = min(found, key=lambda f: f[:2])
        return self.database[index], solution, noise

    def seeds_of(self, problem: Problem) -> set[int]:
        """Seeds that stored answers to the problem were computed with: another run with them tells nothing new."""
        return {int(seed) for p in self.database.find(problem) if (seed := p.attributes.get("seed")) is not None}

    def doubt(
        self, problem: Problem, exact: Solution, prediction: Prediction, tolerance: float
    ) -> tuple[str, Solution | None]:
        """Why an exact answer must be confirmed by a second run before it counts; empty if it need not.

        With it comes the stored answer that it contradicts, if that is why.
        """
        if _is_atom(exact) or not _is_comparable(exact):
            return "", None
        for point in self.database.find(problem):
            if point.solution.provenance.get("solver") == exact.provenance.get("solver"):
                stored = point.solution.in_units_of(problem)
                found = compare(problem, stored, exact)
                if not found.agrees:
                    return f"it differs from stored point {point.index} by {found.error:.2g}", stored
        if prediction.solution is not None:
            found = compare(problem, prediction.solution, exact)
            if contradicts(_over(found, prediction), found.error, tolerance, prediction.novel is not None):
                return f"it contradicts the prediction by {found.error:.2g}", None
        return "", None

    def learn_from(self, problem: Problem, exact: Solution, prediction: Prediction, *, sound: bool, check: str) -> dict:
        """Hold a prediction against the exact answer, then store and learn that. Returns fields of the decision.

        An answer to which there are objections makes the source "refused".

        Parameters
        ----------
        problem, exact, prediction
        sound : bool
            False: exact runs disagree, and nothing can be said.
        check : str
            "audit" or "certificate", where the exact run was made to check the prediction; else empty.
        """
        wrong = objections(problem, exact) + ([] if sound else ["exact runs disagree"])
        fields = {"audit": bool(check), "note": "", "alarm": ""}
        if wrong:
            fields |= {"source": "refused", "objection": "; ".join(wrong)}
        if not wrong and prediction.solution is not None:
            fields |= self._checked(problem, exact, prediction, check)
        stored = self._stored(problem, exact, wrong)
        return {**fields, **stored, "note": fields["note"] + stored["note"]}

    def _checked(self, problem: Problem, exact: Solution, prediction: Prediction, check: str) -> dict:
        """True errors of the prediction, and whether they exceed the bound by more than the exact answer's noise."""
        found = compare(problem, prediction.solution, exact)
        fields = {"true_error": found.error, "true_sigma_error": found.sigma_error}
        fields |= {"noise": found.noise, "sigma_noise": found.sigma_noise, "miss": False}
        if prediction.novel is None:
            over = _over(found, prediction)
            fields["miss"] = bool(np.any(over > 1))
            fields["alarm"] = self.alarms_of(problem).of_check(over)
        if check:
            verdict = "MISSED" if fields["miss"] else "held"
            true = f"true error {found.error:.2g}, of Sigma(iw0) {found.sigma_error:.2g}"
            fields["note"] = f"{check}: bounds {verdict}, {true}; "
        return fields

    def _stored(self, problem: Problem, exact: Solution, wrong: list[str]) -> dict:
        """Store the point, unless something is wrong with it, and learn it."""
        if wrong:
            where = self._inputs_saved(problem, "; ".join(wrong)) if self.learn else ""
            text = f"exact answer not stored: {'; '.join(wrong)}"
            warnings.warn(f"{text}{'; ' if where else ''}{where}", RuntimeWarning, stacklevel=2)
            return {"note": f"not added{', ' if where else ''}{where}"}
        if _is_atom(exact):
            return {"note": "isolated atom, nothing to learn"}
        if not self.learn:
            return {"note": "not added: learn=False"}
        known = len(self.database)
        try:
            point = self.database.add(problem, exact)
        except OSError as error:
            return self._not_stored(problem, exact, error)
        if point.index < known:
            return {"note": f"already there as point {point.index}"}
        self._models.add(self.database[known:])  # the stored one, and what others have added meanwhile
        return {"point": point.index, "note": f"added as point {point.index}"}

    def _inputs_saved(self, problem: Problem, why: str) -> str:
        """What became of the inputs of a refused answer, for the report."""
        try:
            file = self.database.save_replay(problem, why)
        except OSError as error:
            return f"its inputs could not be saved either ({_short(error)})"
        return f"inputs saved as {file}" if file else ""

    def _not_stored(self, problem: Problem, exact: Solution, error: OSError) -> dict:
        """An answer that was computed is not lost because a disk is full: it is kept in memory, and elsewhere."""
        self._models.add([self.database.keep(problem, exact)])
        file = rescue(self.database, problem, exact)
        how = (
            f"saved as {file}: mlsolver merge {self.database.path} {file}"
            if file
            else "kept in memory until this run ends"
        )
        warnings.warn(f"exact answer NOT STORED: {error}. It is {how}", RuntimeWarning, stacklevel=2)
        return {"note": f"NOT STORED ({_short(error)}), {how}"}


def _short(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno else str(error)


def _over(found: Comparison, prediction: Prediction) -> np.ndarray:
    return found.over(prediction.error_bound, prediction.sigma_bound)


def _is_comparable(exact: Solution) -> bool:
    """Whether the answer is finite and has a self-energy."""
    finite = all(np.all(np.isfinite(a)) for a in (*exact.G_l, *exact.Sigma_infty))
    return finite and all(abs(np.linalg.det(g[0])) > 0 for g in exact.G_iw(1))


def _is_atom(solution: Solution) -> bool:
    return solution.provenance.get("solver") == AtomicLimit.name
