# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""The journal: a directory with one small file per new point, removal or restoration, named by time and id."""

from __future__ import annotations

import json
import os
import time

from . import snapshot
from .files import is_temporary, make_directory, remove_if_there, remove_leftovers, sync_directory, write_durably
from .point import Record


class Journal:
    """Files that are written once and never changed, from any number of processes, without a lock.

    A name is `<time in ns>-<id>.h5` for a point and `<time in ns>-<id>.event` for a removal or restoration, so that a
    listing tells what is there, in the order of time.
    """

    def __init__(self, directory: str):
        self.directory = directory

    def names(self) -> list[str]:
        """Names of all entries in the order of time; empty where there is no journal."""
        try:
            found = os.listdir(self.directory)
        except FileNotFoundError:
            return []
        return sorted(n for n in found if n.endswith((".h5", ".event")) and not is_temporary(n))

    def path(self, name: str) -> str:
        return os.path.join(self.directory, name)

    def add(self, record: Record) -> str:
        """Store a point durably; its name."""
        return self._write(record.id, ".h5", snapshot.record_to_bytes(record))

    def add_event(self, event: dict) -> str:
        """Store a removal or restoration durably; its name."""
        return self._write(event["id"], ".event", json.dumps(event).encode())

    def record(self, name: str) -> Record:
        return snapshot.record_from_file(self.path(name))

    def event(self, name: str) -> dict:
        with open(self.path(name), "rb") as f:
            event = json.loads(f.read())
        if not {"id", "action", "why", "time"} <= event.keys():
            raise ValueError("it is no removal or restoration")
        return event

    def sync(self) -> None:
        """Make what others have renamed into the journal durable."""
        if os.path.isdir(self.directory):
            sync_directory(self.directory)

    def discard(self, names: list[str]) -> None:
        """Remove entries that a durable snapshot holds, and what killed writers left behind."""
        if not os.path.isdir(self.directory):
            return
        for name in names:
            remove_if_there(self.path(name))
        remove_leftovers(self.directory)
        self.sync()

    def size(self) -> int:
        """Bytes of all entries."""
        total = 0
        for name in self.names():
            try:
                total += os.path.getsize(self.path(name))
            except FileNotFoundError:  # folded into the snapshot meanwhile
                continue
        return total

    def _write(self, item_id: str, suffix: str, content: bytes) -> str:
        name = f"{time.time_ns():020d}-{item_id}{suffix}"
        make_directory(self.directory)
        write_durably(self.path(name), content)
        return name


def id_of(name: str) -> str:
    """The id an entry is about."""
    return name.partition("-")[2].rpartition(".")[0]


def event_key(event: dict) -> tuple:
    """What tells a removal or restoration from another one; sorts them by time."""
    return event["time"], event["id"], event["action"]
