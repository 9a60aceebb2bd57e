# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""What a database holds, in memory: the union of a snapshot and a journal, each id once, without what was removed."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from itertools import islice

from .files import DatabaseError, identity
from .journal import Journal, event_key, id_of
from .point import Point, Record, decode
from .snapshot import Snapshot

_CACHED_POINTS = 10_000
_ATTEMPTS = 50  # looks at a database whose files vanish under compactions, before we give up


class Contents:
    """Records in the order of their appearance, and the events that remove or restore them."""

    def __init__(self):
        self.ids: list[str] = []  # those that are not removed
        self.removed: dict[str, dict] = {}
        self.n_base = 0  # records that belong to another file
        self._where: dict[str, tuple[Sequence[Record], int]] = {}
        self._events: dict[tuple, dict] = {}
        self._cache: dict[str, Point] = {}
        self._by_problem: dict[str, list[str]] = {}
        self._n_indexed = 0

    def __contains__(self, point_id: str) -> bool:
        """Whether the record is here, removed or not."""
        return point_id in self._where

    @property
    def all_ids(self) -> list[str]:
        """Ids of all records, removed or not."""
        return list(self._where)

    @property
    def events(self) -> list[dict]:
        return list(self._events.values())

    def record(self, point_id: str) -> Record:
        container, position = self._where[point_id]
        return container[position]

    def point(self, index: int) -> Point:
        """The point at a position among those that are not removed."""
        point_id = self.ids[index]
        if point_id not in self._cache:
            if len(self._cache) >= _CACHED_POINTS:
                self._cache.clear()
            self._cache[point_id] = decode(self.record(point_id), index)
        return self._cache[point_id]

    def ids_of_problem(self, problem_id: str) -> list[str]:
        """Ids of all answers to a problem."""
        for i in islice(self._where, self._n_indexed, None):  # every solve asks: no list of all ids
            self._by_problem.setdefault(self.record(i).problem_id, []).append(i)
        self._n_indexed = len(self._where)
        return [i for i in self._by_problem.get(problem_id, ()) if i not in self.removed]

    def take(self, record: Record) -> None:
        """Take in a record that is not here yet."""
        self._put(record.id, [record], 0)

    def take_base(self, path: str) -> None:
        """Take in all that the snapshot of another database holds."""
        with Snapshot(path) as snap:
            records = snap.read(self._where)
        self.n_base = len(records)
        for k, point_id in enumerate(records.ids):
            self._put(point_id, records, k)
        self.take_events(snap.events)

    def take_events(self, events: Iterable[dict]) -> None:
        """Take in removals and restorations; the last one of a point decides."""
        known = len(self._events)
        self._events |= {event_key(event): event for event in events}
        if len(self._events) == known:
            return
        last = {event["id"]: event for _, event in sorted(self._events.items())}
        self.removed = {i: event for i, event in last.items() if event["action"] == "remove"}
        self.ids = [i for i in self._where if i not in self.removed]
        self._cache.clear()  # the positions have changed

    def _put(self, point_id: str, container: Sequence[Record], position: int) -> None:
        self._where[point_id] = (container, position)
        if point_id not in self.removed:
            self.ids.append(point_id)


class StoredContents(Contents):
    """Contents that follow the files of a database."""

    def __init__(self, path: str, journal: Journal):
        super().__init__()
        self.path, self.journal = path, journal
        self._snapshot_identity: tuple | None = None
        self._seen: set[str] = set()

    def look(self) -> list[str]:
        """Take what is new on the disk; the ids of new points.

        First the journal is listed, then the snapshot is read, then the entries: one that has vanished was folded into
        a newer snapshot, and we look again.
        """
        before = len(self._where)
        for _ in range(_ATTEMPTS):
            names = self.journal.names()
            self._seen.intersection_update(names)
            if self._look_at_snapshot() and self._look_at_entries([n for n in names if n not in self._seen]):
                return [i for i in self.all_ids[before:] if i not in self.removed]
        raise DatabaseError(
            f"{self.path} is replaced faster than it can be read: stop some of the compacting processes"
        )

    def _look_at_snapshot(self) -> bool:
        """Whether all went well; not if the file was replaced while it was read."""
        found = identity(self.path)
        if found is None or found == self._snapshot_identity:
            return True
        try:
            with Snapshot(self.path) as snap:
                records = snap.read(self._where)
        except (FileNotFoundError, DatabaseError):
            if identity(self.path) == found:
                raise
            return False  # a network file system drops a replaced file even for those who read it
        self._snapshot_identity = snap.identity
        for k, point_id in enumerate(records.ids):
            self._put(point_id, records, k)
        self.take_events(snap.events)
        return True

    def _look_at_entries(self, names: list[str]) -> bool:
        """Whether all named entries were there; not if one was folded into a snapshot meanwhile."""
        complete = True
        for name in names:
            try:
                if name.endswith(".event"):
                    self.take_events([self.journal.event(name)])
                elif id_of(name) not in self:
                    self.take(self.journal.record(name))
            except FileNotFoundError:
                complete = False
                continue
            except (OSError, ValueError, DatabaseError) as error:
                path = self.journal.path(name)
                warnings.warn(f"{path} is skipped, the rest is served: {error}", stacklevel=5)
            self._seen.add(name)
        return complete
