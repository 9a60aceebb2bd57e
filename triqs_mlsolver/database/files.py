# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Files that are there completely or not at all, also after a crash of the machine."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import time

_TEMPORARY = ".tmp"
_LEFT_BEHIND = 3600.0  # seconds after which nobody is still writing a temporary file
_UNSUPPORTED = {errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EACCES}


class DatabaseError(RuntimeError):
    """A database file that cannot be used; the message names the file and the remedy."""


def temporary_name(path: str) -> str:
    """A hidden name beside `path` that no other process uses."""
    directory, name = os.path.split(path)
    return os.path.join(directory, f".{name}.{os.getpid()}.{secrets.token_hex(6)}{_TEMPORARY}")


def is_temporary(name: str) -> bool:
    return name.startswith(".") and name.endswith(_TEMPORARY)


def write_durably(path: str, content: bytes) -> None:
    """Write `content` under a temporary name, sync it, rename it to `path`, sync the directory.

    When this returns, the file survives a crash of the machine; if it raises, `path` is as it was before.
    """
    temporary = temporary_name(path)
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            rest = memoryview(content)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(temporary, path)
    except BaseException:
        remove_if_there(temporary)
        raise
    sync_directory(os.path.dirname(path))


def sync_directory(directory: str) -> None:
    """Make renames and removals in `directory` durable, where the file system knows how."""
    descriptor = os.open(directory or ".", os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
    finally:
        os.close(descriptor)


def make_directory(directory: str) -> None:
    """Create `directory` durably if it is not there; its parent must exist."""
    try:
        os.mkdir(directory)
    except FileExistsError:
        return
    sync_directory(os.path.dirname(directory))


def remove_if_there(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def remove_leftovers(directory: str) -> None:
    """Remove temporary files that killed writers left behind an hour ago or more."""
    for entry in os.scandir(directory or "."):
        with contextlib.suppress(FileNotFoundError):
            if is_temporary(entry.name) and time.time() - entry.stat().st_mtime > _LEFT_BEHIND:
                os.unlink(entry.path)


def identity(path: str) -> tuple | None:
    """What changes whenever `path` is replaced; None where there is no such file."""
    try:
        return identity_of(os.stat(path))
    except FileNotFoundError:
        return None


def identity_of(status: os.stat_result) -> tuple:
    return status.st_ino, status.st_size, status.st_mtime_ns


def explained(error: OSError, action: str, path: str) -> OSError:
    """The same kind of error, saying what could not be done, where, and what to do."""
    remedy = {
        errno.ENOSPC: "free some space there or choose another place for the database",
        errno.EDQUOT: "free some of your quota or choose another place for the database",
        errno.EROFS: "the place is read-only: copy the database to a writable one, or open it with read_only=True",
        errno.EACCES: "you may not write there: copy the database to a place of yours, or open it with read_only=True",
    }.get(error.errno, "")
    text = f"{action} failed in {path}: {error.strerror or error}; what was stored before is intact"
    return OSError(error.errno, f"{text}. {remedy[:1].upper()}{remedy[1:]}" if remedy else text)
