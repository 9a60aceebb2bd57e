# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""The database: a growing set of points, shared by any number of processes on any file system."""

from __future__ import annotations

import datetime
import getpass
import hashlib
import os
import socket
import time
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator

import numpy as np

from ..problem import Problem, Solution
from . import snapshot, table
from .compaction import fold
from .contents import Contents, StoredContents
from .files import explained, remove_if_there, sync_directory, temporary_name
from .journal import Journal, id_of
from .lock import Locked
from .point import Point, Record, decode_problem, encode, encode_inputs

_JOURNAL_LIMIT = 1000  # files in the journal beyond which opening the database folds them into the snapshot


class Database:
    """A growing set of solved problems, of any number of kinds.

    `bethe.h5` is an immutable snapshot, replaced only as a whole; `bethe.h5.journal/` holds one small file per new
    point. Adding never locks. A point is durable when `add` returns; readers see the union, each id once. What others
    add is seen after `refresh`. Points are dimensionless, in units of each problem's own scale.

    Parameters
    ----------
    path : str or None
        File of the snapshot; created at the first `add`, in a directory that must exist. None: in memory, forgotten at
        exit.
    read_only : bool, optional
        Refuse every change.
    base : str, optional
        Another database, compacted, whose points are served as well; it is never written to. What is added or removed
        is kept at `path`.

    Raises
    ------
    DatabaseError
        If the snapshot is damaged, of something else or of a newer version.

    Examples
    --------
    >>> from triqs_mlsolver import Database, Problem
    >>> from triqs_mlsolver.exact.ed import ED
    >>> problem = Problem.siam(beta=10.0, U=2.0, mu=1.0, eps=[0.0], V=[0.5])
    >>> db = Database(None)
    >>> point = db.add(problem, ED().solve(problem))
    >>> len(db), db[0].id == point.id, round(point.problem.beta, 9), round(point.unit, 9)
    (1, True, 10.0, 1.0)
    """

    def __init__(
        self, path: str | os.PathLike | None, *, read_only: bool = False, base: str | os.PathLike | None = None
    ):
        self.path = None if path is None else os.path.abspath(os.path.expanduser(os.fspath(path)))
        self.read_only = read_only
        self.base = None if base is None else os.path.abspath(os.path.expanduser(os.fspath(base)))
        self.journal = None if self.path is None else Journal(self.path + ".journal")
        self._replay = None if self.path is None else Journal(self.path + ".replay")
        if self.path is not None:
            self._check_place()
        self._contents = Contents() if self.path is None else StoredContents(self.path, self.journal)
        if self.base is not None:
            self._contents.take_base(self.base)
        self._is_created = self.path is not None and os.path.exists(self.path)
        self._kept: list[Record] = []  # in memory alone
        if self.path is not None:
            self._contents.look()
        self.tidy()

    # -- reading ---------------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._contents.ids)

    def __bool__(self) -> bool:
        return True  # an empty database is a database

    def __getitem__(self, key: int | slice | str) -> Point | list[Point]:
        """The point at a position, the points of a slice, or the point with an id."""
        if isinstance(key, slice):
            return [self[i] for i in range(*key.indices(len(self)))]
        if isinstance(key, str):
            if key not in self:
                gone = f": it was removed because {self.removed[key]['why']}" if key in self.removed else ""
                raise KeyError(f"no point {key!r} in {self!r}{gone}")
            return self._contents.point(self._contents.ids.index(key))
        index = int(key)
        if not -len(self) <= index < len(self):
            raise IndexError(f"no point {index} in a database of {len(self)}")
        return self._contents.point(index % len(self))

    def __iter__(self) -> Iterator[Point]:
        return (self[i] for i in range(len(self)))

    def __contains__(self, item: str | Point | Problem) -> bool:
        """Whether an id, a point, or any answer to a problem is there."""
        if isinstance(item, Problem):
            return bool(self._contents.ids_of_problem(item.id))
        point_id = item.id if isinstance(item, Point) else item
        return point_id in self._contents and point_id not in self._contents.removed

    def __repr__(self) -> str:
        beside = f" on top of {self.base!r}" if self.base else ""
        return f"Database({self.path!r}{beside}: {len(self)} points)"

    @property
    def ids(self) -> list[str]:
        """Ids of all points, in their order."""
        return list(self._contents.ids)

    @property
    def kinds(self) -> dict[str, int]:
        """Kinds of problems that are there, block sizes and interaction in words, and how many points of each."""
        return dict(sorted(Counter(self._contents.record(i).kind for i in self._contents.ids).items()))

    @property
    def removed(self) -> dict[str, dict]:
        """Removed points: id -> what was recorded (why, date, user, host)."""
        return dict(self._contents.removed)

    @property
    def digest(self) -> str:
        """Hash of the ids and numbers of all points, whatever their order, files, dates and hosts."""
        content = hashlib.sha256()
        for i in sorted(self._contents.ids):
            content.update(i.encode())
            content.update(np.ascontiguousarray(self._contents.record(i).data))
        return content.hexdigest()[:16]

    def find(self, problem: Problem | str) -> list[Point]:
        """All answers to `problem`, in any units and with any block names, or to the problem of this id."""
        problem_id = problem if isinstance(problem, str) else problem.id
        return [self[i] for i in self._contents.ids_of_problem(problem_id)]

    def refresh(self) -> list[Point]:
        """Look for points that others have added since the last look; they are appended and returned."""
        if self.path is None:
            return []
        n_new = len(self._contents.look())
        return self[len(self) - n_new :]

    def select(self, **wanted) -> list[Point]:
        """Points by their columns (see `table`): `name=(low, high)` for a closed interval, `name=value` for equality.

        Vector-valued columns must fulfil the condition in every component that the point has.

        Raises
        ------
        TypeError
            For a name that is no column.

        Examples
        --------
        >>> Database(None).select(beta=(10, 50), U=(0, 2), fidelity="exact")
        []
        """
        fulfilled = table.fulfilled(self.table(tuple(wanted)), wanted, len(self))
        return [self[int(i)] for i in np.flatnonzero(fulfilled)]

    def best_points(self) -> list[Point]:
        """For each problem the answer that is trusted most, in the order of the points.

        An exact answer supersedes cheaper ones; among equals the smallest error bar decides, then the latest. The
        others stay: a model that learns the difference between fidelities finds pairs by `problem_id`.
        """
        best = table.best_of_each_problem(self.table(("problem_id", "fidelity", "error_bar")))
        return [self[int(i)] for i in best]

    def table(self, columns: Iterable[str] | None = None) -> dict[str, np.ndarray]:
        """One row per point, as a dict of arrays (dimensionless, in units of each problem's scale).

        Parameters
        ----------
        columns : iterable of str, optional
            By default id, problem_id, kind, solver, version, fidelity, host, date, package_version, unit, seed,
            n_cycles, average_sign, auto_corr_time, seconds, beta, U (largest element), U_matrix (N, N), level (N),
            x (N), density (N), nn (N, N), double_occupancy, error_bar (of G(τ), root mean square over τ). On request
            also Delta_l, G_l, G_l_error, F_l, F_l_error, each as one array `G_l_b` (n, n_l, size, size) per block b,
            padded with zeros. Where problems differ in the number of flavours N, that of the largest counts, and what
            the others do not have is NaN.
        """
        return table.build(map(self._contents.record, self._contents.ids), columns)

    def info(self) -> dict:
        """Counts by solver and fidelity, ranges, error-bar quantiles, dates, disk use and digest."""
        return table.summary(self)

    # -- changing --------------------------------------------------------------------------------------------------

    def add(self, problem: Problem, solution: Solution, *, fidelity: str | None = None, **attributes) -> Point:
        """Store a solved problem; durable when this returns.

        Parameters
        ----------
        problem, solution : Problem, Solution
            In any unit, as long as it is the same for both.
        fidelity : str, optional
            The name of a cheaper kind of label; by default what the solution says of itself, "exact" for most.
        **attributes
            Added to the solution's provenance: strings, numbers, lists and dicts of them.

        Returns
        -------
        Point
            The stored one, if the same problem was already answered by the same solver, settings and seed.

        Raises
        ------
        ValueError
            If the solution contains NaN, has other shapes or another β than the problem, or says converged=False; if
            the point was removed before.
        OSError
            If the point could not be written; nothing else is touched.
        """
        self._refuse_if_read_only("a point cannot be added")
        record = encode(problem, solution, fidelity or solution.fidelity, attributes)
        contents = self._contents
        if record.id in contents.removed:
            event = contents.removed[record.id]
            raise ValueError(
                f"point {record.id} was removed on {event['date']} because: {event['why']}. Use "
                f"restore([{record.id!r}]) to have it back, or another seed or solver"
            )
        if record.id in contents:
            self._kept = [kept for kept in self._kept if not self._stored_at_last(kept)]
            if self.journal is not None:
                self._guarded(self.journal.sync, "storing the point")  # it may have been seen before it was durable
            return self[record.id]
        if self.journal is not None:
            if not self._is_created:
                self._guarded(self._create, "creating the database")
                self._is_created = True
                contents.look()
            self._guarded(self.journal.add, "storing the point", record)
            self._kept = [kept for kept in self._kept if not self._stored_at_last(kept)]
        contents.take(record)
        return self[-1]

    def keep(self, problem: Problem, solution: Solution) -> Point:
        """Hold a point in memory that could not be stored; it is stored with the next one that can be."""
        record = encode(problem, solution, solution.fidelity, {})
        if record.id not in self._contents:
            self._contents.take(record)
            self._kept.append(record)
        return self[record.id]

    def _stored_at_last(self, record: Record) -> bool:
        try:
            self.journal.add(record)
        except OSError:
            return False
        return True

    @property
    def obstacle(self) -> str:
        """Why points cannot be stored, as far as permissions tell; empty where they can."""
        if self.path is None or self.read_only:
            return "" if self.path is None else "it was opened read only"
        place = self.journal.directory if os.path.isdir(self.journal.directory) else os.path.dirname(self.path)
        return "" if os.access(place, os.W_OK | os.X_OK) else f"you may not write in {place}"

    def remove(self, ids: str | Iterable[str], why: str) -> None:
        """Take points out of the set. Their numbers stay in the file, with the reason; `restore` brings them back.

        Raises
        ------
        KeyError
            For an id that is not there; then nothing is removed.
        """
        self._record_events("remove", ids, why)

    def restore(self, ids: str | Iterable[str], why: str = "") -> None:
        """Bring removed points back."""
        self._record_events("restore", ids, why)

    def merge(self, other: Database | str | os.PathLike) -> int:
        """Add all points, removals and restorations of another database; the number of points that were new here."""
        self._refuse_if_read_only("nothing can be merged")
        other = other if isinstance(other, Database) else Database(other, read_only=True)
        mine, theirs = self._contents, other._contents
        if not theirs.all_ids:
            return 0
        before = set(mine.ids)
        records = [theirs.record(i) for i in theirs.all_ids if i not in mine]
        if self.path is None:
            for record in records:
                mine.take(record)
            mine.take_events(theirs.events)
        else:
            self._guarded(fold, "merging", self.path, self.journal, records, theirs.events, wait=60.0)
            mine.look()
        return len(set(mine.ids) - before)

    def compact(self) -> None:
        """Fold the journal into the snapshot; others may read and add meanwhile.

        Raises
        ------
        Locked
            If another process is doing it.
        """
        self._refuse_if_read_only("it cannot be compacted")
        if self.path is not None:
            self._guarded(fold, "compacting", self.path, self.journal)
            self._contents.look()

    def tidy(self) -> None:
        """Compact if the journal has grown long and this process may; opening and closing a database do so."""
        if self.path is None or self.read_only or not os.access(os.path.dirname(self.path), os.W_OK):
            return
        if len(self.journal.names()) <= _JOURNAL_LIMIT:
            return
        try:
            self.compact()
        except Locked:
            return
        except OSError as error:
            warnings.warn(f"the journal of {self.path} stays long: {error}", stacklevel=3)

    def save_replay(self, problem: Problem, why: str, **attributes) -> str | None:
        """Keep the inputs of a refused run for replay (see `read_replay`); the name of the file, None in memory.

        The files are in `<path>.replay/` and belong to no database.
        """
        if self.path is None:
            return None
        self._refuse_if_read_only("no inputs can be saved beside it")
        record = encode_inputs(problem, {**attributes, "why": why})
        return self._replay.path(self._guarded(self._replay.add, "saving inputs for replay", record))

    @property
    def n_of_base(self) -> int:
        """Points that belong to `base`, removed ones included."""
        return self._contents.n_base

    def refused(self) -> list[str]:
        """Ids of the problems whose inputs were saved by `save_replay`."""
        return [] if self.path is None else [id_of(name) for name in self._replay.names()]

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *exc) -> None:
        self.tidy()

    # -- inside ----------------------------------------------------------------------------------------------------

    def _check_place(self) -> None:
        directory = os.path.dirname(self.path)
        if os.path.isdir(self.path):
            raise IsADirectoryError(
                f"{self.path} is a directory: give the name of a file in it, such as {self.path}/mlsolver.h5"
            )
        if not os.path.isdir(directory):
            raise FileNotFoundError(
                f"the directory {directory} of the database does not exist: create it, or correct the path"
            )
        is_there = os.path.exists(self.path) or os.path.isdir(self.journal.directory)
        if self.read_only and self.base is None and not is_there:
            raise FileNotFoundError(
                f"there is no database {self.path} to read: correct the path, or open it for writing (learn=True, "
                "read_only=False)"
            )

    def _refuse_if_read_only(self, consequence: str) -> None:
        if self.read_only:
            raise PermissionError(f"{self.path} was opened with read_only=True: {consequence}")

    def _guarded(self, f, action: str, *args, **kwargs):
        try:
            return f(*args, **kwargs)
        except OSError as error:
            raise explained(error, action, os.path.dirname(self.path)) from error

    def _create(self) -> None:
        """Put an empty snapshot in place, so that the file of the given name is there; never over another one's."""
        if os.path.exists(self.path):
            return
        temporary = temporary_name(self.path)
        try:
            snapshot.write(temporary, None, [], [])
            try:
                os.link(temporary, self.path)
            except FileExistsError:
                return
            except OSError as error:
                if not os.path.exists(temporary):
                    raise
                warnings.warn(
                    f"{self.path} is created at the first compaction only: no hard links there ({error})", stacklevel=6
                )
            sync_directory(os.path.dirname(self.path))
        finally:
            remove_if_there(temporary)

    def _record_events(self, action: str, ids: str | Iterable[str], why: str) -> None:
        self._refuse_if_read_only(f"no point can be {action}d")
        ids = [ids] if isinstance(ids, str) else list(ids)
        unknown = [i for i in ids if i not in self._contents]
        if unknown:
            raise KeyError(f"no point {unknown[0]!r} in {self!r}: nothing was {action}d")
        date = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
        for i in ids:
            event = {"id": i, "action": action, "why": str(why), "time": time.time_ns(), "date": date}
            event |= {"user": _user(), "host": socket.gethostname()}
            if self.journal is not None:
                self._guarded(self.journal.add_event, f"recording to {action} a point", event)
            self._contents.take_events([event])


def read_replay(path: str | os.PathLike) -> tuple[Problem, dict]:
    """The problem of a refused run, in the units it was asked in, and what was noted with it (`why`, ...)."""
    record = snapshot.record_from_file(os.fspath(path))
    return decode_problem(record), record.description["attributes"]


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no entry for this user id, as in some containers
        return str(os.getuid())
