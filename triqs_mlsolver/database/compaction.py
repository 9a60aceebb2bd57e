# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Fold the journal into the snapshot."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import warnings
from collections.abc import Iterable

from . import snapshot
from .files import DatabaseError, remove_if_there, remove_leftovers, sync_directory, temporary_name
from .journal import Journal, event_key, id_of
from .lock import Lock
from .point import Record
from .snapshot import Snapshot


def fold(
    path: str, journal: Journal, records: Iterable[Record] = (), events: Iterable[dict] = (), wait: float = 0.0
) -> None:
    """Replace the snapshot at `path` by one that holds its own records, the journal's, and the `records` given.

    Others go on reading and adding meanwhile: entries that appear later stay in the journal. An entry is removed only
    when a snapshot with it is durably in place; entries that cannot be read stay where they are.

    Raises
    ------
    Locked
        If somebody else folds, and does not finish within `wait` seconds.
    OSError
        If there is no space; the old snapshot and the journal are untouched.
    """
    directory = os.path.dirname(path)
    with Lock(path + ".lock", wait) as lock, contextlib.ExitStack() as stack:
        names = journal.names()
        base = stack.enter_context(Snapshot(path)) if os.path.exists(path) else None
        batch = _Batch(base)
        for record in records:
            batch.take(record)
        for event in events:
            batch.take_event(event)
        folded = batch.take_journal(journal, names)
        if batch.has_news():
            temporary = temporary_name(path)
            try:
                _check_space(directory, path, batch)
                snapshot.write(
                    temporary,
                    base,
                    batch.records,
                    list(batch.events.values()),
                    lock.beat,
                )
                lock.beat()
                os.replace(temporary, path)
            finally:
                remove_if_there(temporary)
        sync_directory(directory)  # also where an earlier compaction was killed after its rename
        journal.discard(folded)
        remove_leftovers(directory)


class _Batch:
    """What a new snapshot holds beyond the old one."""

    def __init__(self, base: Snapshot | None):
        self.events = {event_key(event): event for event in base.events} if base else {}
        self.records: list[Record] = []
        self._n_old_events = len(self.events)
        self._known = base.sound_ids() if base else set()  # a damaged record does not stand for the id

    def take(self, record: Record) -> None:
        if record.id not in self._known:
            self._known.add(record.id)
            self.records.append(record)

    def take_event(self, event: dict) -> None:
        self.events[event_key(event)] = event

    def take_journal(self, journal: Journal, names: list[str]) -> list[str]:
        """Take all entries that can be read; their names."""
        taken = []
        for name in names:
            try:
                if name.endswith(".event"):
                    self.take_event(journal.event(name))
                elif id_of(name) not in self._known:
                    self.take(journal.record(name))
            except (OSError, ValueError, DatabaseError) as error:
                warnings.warn(f"{error}; left where it is while the rest of the journal is folded", stacklevel=4)
                continue
            taken.append(name)
        return taken

    def has_news(self) -> bool:
        return bool(self.records) or len(self.events) > self._n_old_events


def _check_space(directory: str, path: str, batch: _Batch) -> None:
    """Find out about a full disk before hundreds of megabytes are written."""
    old = os.path.getsize(path) if os.path.exists(path) else 0
    needed = old + sum(len(r.header) + r.data.nbytes for r in batch.records) + 20_000
    free = shutil.disk_usage(directory or ".").free
    if free < needed:
        raise OSError(
            errno.ENOSPC, f"No space left on device ({needed / 1e6:.1f} MB needed, {free / 1e6:.1f} MB free)", path
        )
