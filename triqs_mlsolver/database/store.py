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
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

import numpy as np

from ..problem import Problem
from ..solution import Solution
from . import snapshot, table
from .compaction import fold
from .files import DatabaseError, explained, identity, make_directory, remove_if_there, sync_directory, temporary_name, write_durably
from .journal import Journal, event_key, id_of
from .lock import Locked
from .point import Point, Record, decode, decode_problem, describe_specification, encode, encode_inputs, plain, specification
from .snapshot import Snapshot

_JOURNAL_LIMIT = 1000  # files in the journal beyond which opening the database folds them into the snapshot
_CACHED_POINTS = 10_000
_ATTEMPTS = 50  # looks at a database whose files vanish under compactions, before we give up


class Database:
    """A growing set of solved problems of one specification (block sizes, interaction kind).

    `bethe.h5` is an immutable snapshot, replaced only as a whole; `bethe.h5.journal/` holds one small file per new point.
    Adding never locks. A point is durable when `add` returns; readers see the union, each id once. What others add is seen
    after `refresh`. Points are dimensionless, in units of each problem's own scale.

    Parameters
    ----------
    path : str or None
        File of the snapshot; created at the first `add`, in a directory that must exist. None: in memory, forgotten at exit.
    read_only : bool, optional
        Refuse every change.

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

    def __init__(self, path: str | os.PathLike | None, *, read_only: bool = False):
        self.path = None if path is None else os.path.abspath(os.path.expanduser(os.fspath(path)))
        self.read_only = read_only
        self._specification: dict | None = None
        self._where: dict[str, tuple] = {}  # id -> (container of records, position), in the order of appearance
        self._ids: list[str] = []  # the ids of `_where` that are not removed
        self._events: dict[tuple, dict] = {}
        self._removed: dict[str, dict] = {}
        self._settings: dict = {}
        self._cache: dict[str, Point] = {}
        self._by_problem: dict[str, list[str]] = {}
        self._n_indexed = 0
        self._snapshot_identity: tuple | None = None
        self._seen: set[str] = set()
        self.journal: Journal | None = None
        if self.path is not None:
            self.journal = Journal(self.path + ".journal")
            self._check_place()
            self._look()
            self._tidy()

    # -- reading ---------------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._ids)

    def __bool__(self) -> bool:
        return True  # an empty database is a database

    def __getitem__(self, key: int | slice | str) -> Point | list[Point]:
        """The point at a position, the points of a slice, or the point with an id."""
        if isinstance(key, slice):
            return [self[i] for i in range(*key.indices(len(self)))]
        if isinstance(key, str):
            if key not in self._where:
                raise KeyError(f"no point {key!r} in {self!r}")
            return self._point(key, self._ids.index(key) if key not in self._removed else -1)
        index = int(key)
        if not -len(self) <= index < len(self):
            raise IndexError(f"no point {index} in a database of {len(self)}")
        index %= len(self)
        return self._point(self._ids[index], index)

    def __iter__(self) -> Iterator[Point]:
        return (self[i] for i in range(len(self)))

    def __contains__(self, item: str | Point | Problem) -> bool:
        """Whether an id, a point, or any answer to a problem is there."""
        if isinstance(item, Problem):
            return bool(self._ids_of(item.id))
        point_id = item.id if isinstance(item, Point) else item
        return point_id in self._where and point_id not in self._removed

    def __repr__(self) -> str:
        return f"Database({self.path!r}: {len(self)} points)"

    @property
    def ids(self) -> list[str]:
        """Ids of all points, in their order."""
        return list(self._ids)

    @property
    def specification(self) -> dict | None:
        """What all problems have in common: {"blocks": sizes, "interaction": kind}; None before the first point."""
        return None if self._specification is None else dict(self._specification)

    @property
    def removed(self) -> dict[str, dict]:
        """Removed points: id -> what was recorded (why, date, user, host)."""
        return dict(self._removed)

    @property
    def digest(self) -> str:
        """Hash of the content (which points, with which numbers), whatever their order and files."""
        lines = (f"{i}:{self._record(i).checksum:08x}" for i in sorted(self._ids))
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]

    def find(self, problem: Problem) -> list[Point]:
        """All answers to `problem`, in any units and with any block names."""
        return [self[i] for i in self._ids_of(problem.id)]

    def refresh(self) -> list[Point]:
        """Look for points that others have added since the last look; they are appended and returned."""
        return [self[i] for i in self._look()]

    def select(self, **wanted) -> list[Point]:
        """Points by their columns (see `table`): `name=(low, high)` for a closed interval, `name=value` for equality.

        Vector-valued columns must fulfil the condition in every component.

        Raises
        ------
        TypeError
            For a name that is no column.

        Examples
        --------
        >>> Database(None).select(beta=(10, 50), U=(0, 2), fidelity="exact")
        []
        """
        columns = self.table(tuple(wanted))
        keep = np.ones(len(self), bool)
        for name, condition in wanted.items():
            values = columns[name]
            if isinstance(condition, tuple):
                low, high = condition
                fulfilled = (values >= low) & (values <= high)
            else:
                fulfilled = values == condition
            keep &= fulfilled.reshape(len(self), -1).all(axis=1) if len(self) else keep
        return [self[int(i)] for i in np.flatnonzero(keep)]

    def table(self, columns: Iterable[str] | None = None) -> dict[str, np.ndarray]:
        """One row per point, as a dict of arrays (dimensionless, in units of each problem's scale).

        Parameters
        ----------
        columns : iterable of str, optional
            By default id, problem_id, solver, version, fidelity, host, date, package_version, unit, seed, n_cycles,
            average_sign, auto_corr_time, seconds, beta, U (largest element), U_matrix (N, N), level (N), x (N), density (N),
            nn (N, N), double_occupancy, error_bar (of G(τ), root mean square over τ). On request also Delta_l, G_l,
            G_l_error, F_l, F_l_error, each as one array `G_l_b` (n, n_l, size, size) per block b, padded with zeros.
        """
        return table.build((self._record(i) for i in self._ids), columns)

    def info(self) -> dict:
        """Counts by solver and fidelity, ranges, error-bar quantiles, dates, disk use, digest and settings."""
        t = self.table(("solver", "fidelity", "beta", "U", "x", "density", "error_bar", "seconds", "date", "version"))
        count = lambda column: {str(k): int(n) for k, n in zip(*np.unique(column, return_counts=True))}
        ranges = {k: (float(t[k].min()), float(t[k].max())) for k in ("beta", "U", "x", "density") if len(self)}
        quantiles = np.quantile(t["error_bar"], [0.05, 0.5, 0.95]).tolist() if len(self) else []
        names = self.journal.names() if self.journal else []
        return {
            "path": self.path,
            "points": len(self),
            "removed": len(self._removed),
            "specification": self.specification,
            "solvers": count(np.char.add(np.char.add(t["solver"], " "), t["version"])) if len(self) else {},
            "fidelities": count(t["fidelity"]),
            "ranges": ranges,
            "error_bar_quantiles": dict(zip(("5%", "50%", "95%"), quantiles)),
            "seconds": float(np.nansum(t["seconds"])),
            "dates": (str(min(t["date"])), str(max(t["date"]))) if len(self) else None,
            "snapshot_bytes": os.path.getsize(self.path) if self.path and os.path.exists(self.path) else 0,
            "journal_files": len(names),
            "journal_bytes": self.journal.size() if self.journal else 0,
            "digest": self.digest,
            "settings": dict(self.settings),
        }

    @property
    def settings(self) -> Mapping:
        """Small attributes of the database, such as the choice of a model; change them with `update_settings`."""
        newest = self.journal.read_settings() if self.journal else None
        return MappingProxyType(self._settings if newest is None else newest)

    # -- changing --------------------------------------------------------------------------------------------------

    def add(self, problem: Problem, solution: Solution, *, fidelity: str = "exact", **attributes) -> Point:
        """Store a solved problem; durable when this returns.

        Parameters
        ----------
        problem, solution : Problem, Solution
            In any unit, as long as it is the same for both.
        fidelity : str, optional
            "exact", or the name of a cheaper kind of label.
        **attributes
            Added to the solution's provenance: strings, numbers, lists and dicts of them.

        Returns
        -------
        Point
            The stored one, if the same problem was already answered by the same solver, settings and seed.

        Raises
        ------
        ValueError
            If the solution contains NaN, has other shapes or another β than the problem, or says converged=False; if the
            problem is of another specification than the database; if the point was removed before.
        OSError
            If the point could not be written; nothing else is touched.
        """
        self._refuse_if_read_only("a point cannot be added")
        self._check_specification(problem)
        record = encode(problem, solution, fidelity, attributes)
        if record.id in self._removed:
            why = self._removed[record.id]
            raise ValueError(
                f"point {record.id} was removed on {why['date']} because: {why['why']}. Use restore([{record.id!r}]) to have it "
                "back, or another seed or solver"
            )
        if record.id not in self._where:
            if self.path is not None:
                self._store(problem, record)
            self._take(record)
        elif self.journal is not None and os.path.isdir(self.journal.directory):
            self.journal.sync()  # it may have been seen before its writer had it on the disk
        return self[record.id] if self._ids[-1] != record.id else self[-1]

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
        """Add all points, removals and restorations of another database; the number of points that were new here.

        Raises
        ------
        ValueError
            If the other one is of another specification.
        """
        self._refuse_if_read_only("nothing can be merged")
        other = other if isinstance(other, Database) else Database(other, read_only=True)
        if other._specification is None:
            return 0
        if self._specification not in (None, other._specification):
            raise ValueError(self._mismatch(other._specification, f"{other!r}"))
        before = set(self._ids)
        records = [other._record(i) for i in other._where if i not in self._where]
        if self.path is None:
            for record in records:
                self._take(record)
            self._take_events(other._events.values())
        else:
            self._guarded(fold, "merging", self.path, self.journal, records, other._events.values(), wait=60.0)
            self._look()
        return len(set(self._ids) - before)

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
            self._look()

    def update_settings(self, **values) -> None:
        """Set small attributes (strings, numbers, lists and dicts of them); replaced atomically, the last writer wins."""
        self._refuse_if_read_only("its settings cannot be changed")
        new = {**self.settings, **{key: plain(key, value) for key, value in values.items()}}
        if self.journal is None:
            self._settings = new
        else:
            self._guarded(self.journal.write_settings, "storing the settings", new)

    def save_replay(self, problem: Problem, why: str, **attributes) -> str | None:
        """Keep the inputs of a refused run for replay (see `read_replay`); the name of the file, None in memory.

        The files are in `<path>.replay/` and belong to no database.
        """
        if self.path is None:
            return None
        self._refuse_if_read_only("no inputs can be saved beside it")
        record = encode_inputs(problem, {**attributes, "why": why})
        directory = self.path + ".replay"
        name = os.path.join(directory, f"{time.time_ns():020d}-{record.id}.h5")

        def write():
            make_directory(directory)
            write_durably(name, snapshot.record_to_bytes(record))

        self._guarded(write, "saving inputs for replay")
        return name

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *exc) -> None:
        self._tidy()

    # -- inside ----------------------------------------------------------------------------------------------------

    def _check_place(self) -> None:
        directory = os.path.dirname(self.path)
        if os.path.isdir(self.path):
            raise IsADirectoryError(f"{self.path} is a directory: give the name of a file in it, such as {self.path}/mlsolver.h5")
        if not os.path.isdir(directory):
            raise FileNotFoundError(f"the directory {directory} of the database does not exist: create it, or correct the path")
        if self.read_only and not os.path.exists(self.path) and not os.path.isdir(self.journal.directory):
            raise FileNotFoundError(f"there is no database {self.path} to read: correct the path, or open it without read_only")

    def _refuse_if_read_only(self, consequence: str) -> None:
        if self.read_only:
            raise PermissionError(f"{self.path} was opened with read_only=True: {consequence}")

    def _guarded(self, f, action: str, *args, **kwargs):
        try:
            return f(*args, **kwargs)
        except OSError as error:
            raise explained(error, action, os.path.dirname(self.path)) from error

    def _check_specification(self, problem: Problem) -> None:
        if self._specification is not None and specification(problem) != self._specification:
            raise ValueError(self._mismatch(specification(problem), "the problem"))

    def _mismatch(self, spec: dict, whose: str) -> str:
        return (
            f"{self!r} holds problems with {describe_specification(self._specification)}, {whose} has "
            f"{describe_specification(spec)}: use one database for each"
        )

    def _store(self, problem: Problem, record: Record) -> None:
        if self._specification is None:
            self._guarded(self._create, "creating the database", specification(problem))
            self._look()
            self._check_specification(problem)
        self._seen.add(self._guarded(self.journal.add, "storing the point", record))

    def _create(self, spec: dict) -> None:
        """Put an empty snapshot in place, so that the file of the given name is there; never over another one's."""
        if os.path.exists(self.path):
            return
        temporary = temporary_name(self.path)
        try:
            snapshot.write(temporary, None, [], [], spec, {})
            try:
                os.link(temporary, self.path)
            except FileExistsError:
                return
            except OSError as error:
                if not os.path.exists(temporary):
                    raise
                warnings.warn(f"{self.path} is created at the first compaction only: no hard links there ({error})", stacklevel=6)
            sync_directory(os.path.dirname(self.path))
        finally:
            remove_if_there(temporary)

    def _record_events(self, action: str, ids: str | Iterable[str], why: str) -> None:
        self._refuse_if_read_only(f"no point can be {action}d")
        ids = [ids] if isinstance(ids, str) else list(ids)
        unknown = [i for i in ids if i not in self._where]
        if unknown:
            raise KeyError(f"no point {unknown[0]!r} in {self!r}: nothing was {action}d")
        date = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
        for i in ids:
            event = {"id": i, "action": action, "why": str(why), "time": time.time_ns(), "date": date}
            event |= {"user": _user(), "host": socket.gethostname()}
            if self.journal is not None:
                self._seen.add(self._guarded(self.journal.add_event, f"recording to {action} a point", event))
            self._take_events([event])

    def _tidy(self) -> None:
        """Compact when the journal has grown long, if this process may and nobody else does."""
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

    def _look(self) -> list[str]:
        """Take what is new on the disk; the ids of new points."""
        if self.path is None:
            return []
        before = len(self._where)
        for _ in range(_ATTEMPTS):
            names = self.journal.names()  # first the journal, then the snapshot: no entry is missed while being folded
            self._seen.intersection_update(names)
            complete = self._look_at_snapshot() and self._look_at_journal([n for n in names if n not in self._seen])
            if complete:
                break
        else:
            raise DatabaseError(f"{self.path} is replaced faster than it can be read: stop some of the compacting processes")
        return [i for i in list(self._where)[before:] if i not in self._removed]

    def _look_at_snapshot(self) -> bool:
        """Whether all went well; not if the file was replaced while it was read."""
        found = identity(self.path)
        if found is None or found == self._snapshot_identity:
            return True
        try:
            with Snapshot(self.path) as snap:
                self._adopt_specification(snap.specification)
                records = snap.read(self._where)
                self._settings = snap.settings
                self._snapshot_identity = snap.identity
                events = snap.events
        except (FileNotFoundError, DatabaseError):
            if identity(self.path) == found:
                raise
            return False  # a network file system drops a replaced file even for those who read it
        for k, point_id in enumerate(records.ids):
            self._where[point_id] = (records, k)
            if point_id not in self._removed:
                self._ids.append(point_id)
        self._take_events(events)
        return True

    def _adopt_specification(self, spec: dict) -> None:
        if self._specification not in (None, spec):
            raise DatabaseError(
                f"{self.path} was replaced by a database of {describe_specification(spec)}, this one holds "
                f"{describe_specification(self._specification)}: open it anew"
            )
        self._specification = spec

    def _look_at_journal(self, names: list[str]) -> bool:
        """Whether all named entries were there; not if one was folded into a snapshot meanwhile."""
        complete = True
        for name in names:
            try:
                if name.endswith(".event"):
                    self._take_events([self.journal.event(name)])
                elif id_of(name) not in self._where:
                    self._take(self.journal.record(name))
            except FileNotFoundError:
                complete = False
                continue
            except (OSError, ValueError, DatabaseError) as error:
                path = self.journal.path(name)
                warnings.warn(f"{path} is skipped, the rest is served: {error}", stacklevel=5)
            self._seen.add(name)
        return complete

    def _take(self, record: Record) -> None:
        spec = record.description["specification"]
        self._specification = self._specification or spec
        if spec != self._specification:
            raise ValueError(self._mismatch(spec, f"point {record.id}"))
        self._where[record.id] = ([record], 0)
        if record.id not in self._removed:
            self._ids.append(record.id)

    def _take_events(self, events: Iterable[dict]) -> None:
        """The last event of a point decides."""
        known = len(self._events)
        self._events |= {event_key(event): event for event in events}
        if len(self._events) == known:
            return
        last = {event["id"]: event for _, event in sorted(self._events.items())}
        self._removed = {i: event for i, event in last.items() if event["action"] == "remove"}
        self._ids = [i for i in self._where if i not in self._removed]
        self._cache.clear()

    def _record(self, point_id: str) -> Record:
        container, position = self._where[point_id]
        return container[position]

    def _point(self, point_id: str, index: int) -> Point:
        if point_id not in self._cache:
            if len(self._cache) >= _CACHED_POINTS:
                self._cache.clear()
            self._cache[point_id] = decode(self._record(point_id), index)
        return self._cache[point_id]

    def _ids_of(self, problem_id: str) -> list[str]:
        for i in list(self._where)[self._n_indexed :]:
            self._by_problem.setdefault(self._record(i).description["problem"], []).append(i)
        self._n_indexed = len(self._where)
        return [i for i in self._by_problem.get(problem_id, ()) if i not in self._removed]


def read_replay(path: str | os.PathLike) -> tuple[Problem, dict]:
    """The problem of a refused run, in the units it was asked in, and what was noted with it (`why`, ...)."""
    record = snapshot.record_from_file(os.fspath(path))
    return decode_problem(record), record.description["attributes"]


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no entry for this user id, as in some containers
        return str(os.getuid())
