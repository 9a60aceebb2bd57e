# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""The lock of whoever replaces a snapshot, on any file system, with owners that may have died."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import time

from .files import remove_if_there, temporary_name

STALE_AFTER = 600.0  # seconds without a sign of life after which an owner on another machine is taken for dead
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK}  # what file systems without hard links answer
_NAMELESS_AFTER = 10.0  # seconds after which a lock without an owner's name is that of one who died on creating it


class Locked(RuntimeError):
    """Somebody alive holds the lock, or took it over; the message names the owner."""


class Lock:
    """An exclusive lock file that names its owner: host, pid and start of the process, time.

    An owner on this machine is dead when no such process exists, one elsewhere when its file has shown no sign of life
    (`beat`) for `STALE_AFTER` seconds. A dead owner's lock is taken over. A live process on this machine never loses
    it.

    Parameters
    ----------
    path : str
    wait : float, optional
        Seconds to wait for another owner before `Locked` is raised.
    """

    def __init__(self, path: str, wait: float = 0.0):
        self.path, self.wait = path, wait
        self._content = b""

    def __enter__(self) -> Lock:
        owner = {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "started": _started(os.getpid()),
            "time": time.time(),
        }
        self._content = json.dumps(owner).encode()
        end = time.monotonic() + self.wait
        while not self._create():
            self._bury_dead_owner()
            if self._create():
                break
            if time.monotonic() >= end:
                raise Locked(
                    f"{self.path} is held by {self._describe()}: wait until it has finished. If that process is gone, "
                    "remove the file"
                )
            time.sleep(0.05)
        return self

    def __exit__(self, *exc) -> None:
        if _read(self.path) == self._content:
            remove_if_there(self.path)

    def beat(self) -> None:
        """Show a sign of life; raise `Locked` if the lock was taken over."""
        if _read(self.path) != self._content:
            raise Locked(
                f"{self.path} was taken over by {self._describe()}: this process was silent for too long and gives up"
            )
        os.utime(self.path)

    def _create(self) -> bool:
        """Put the lock there, signed from its first moment on, unless there is one."""
        signed = temporary_name(self.path)
        try:
            _write_new(signed, self._content)
            os.link(signed, self.path)
            return True
        except FileExistsError:
            return os.stat(signed).st_nlink == 2  # NFS may repeat a call that has succeeded
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
        finally:
            remove_if_there(signed)
        return self._create_then_sign()

    def _create_then_sign(self) -> bool:
        """The same where a file cannot have two names; whoever dies in between leaves a lock without a name."""
        try:
            _write_new(self.path, self._content)
        except FileExistsError:
            return False
        return True

    def _bury_dead_owner(self) -> None:
        content = _read(self.path)
        if content is None or not self._is_stale(content):
            return
        grave = temporary_name(self.path)
        with contextlib.suppress(FileNotFoundError):
            os.rename(self.path, grave)  # one of several mourners succeeds
            if _read(grave) != content:  # ... but a quicker one had already put its own lock there: give it back
                with contextlib.suppress(OSError):
                    os.link(grave, self.path)
            os.unlink(grave)

    def _is_stale(self, content: bytes) -> bool:
        owner = _parse(content)
        if owner is not None and owner["host"] == socket.gethostname():
            return not _is_alive(owner)
        age = self._age()  # another machine's, or one whose writer died before it had signed
        return age is not None and age > (STALE_AFTER if owner is not None else _NAMELESS_AFTER)

    def _age(self) -> float | None:
        """Seconds since the last sign of life, by the clock of the file system rather than of either machine."""
        probe = temporary_name(self.path)
        try:
            os.close(os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
            return os.stat(probe).st_mtime - os.stat(self.path).st_mtime
        except FileNotFoundError:
            return None
        finally:
            remove_if_there(probe)

    def _describe(self) -> str:
        owner = _parse(_read(self.path) or b"")
        if owner is None:
            return "an unknown process"
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(owner["time"]))
        return f"process {owner['pid']} on {owner['host']} since {since}"


def _write_new(path: str, content: bytes) -> None:
    """Write a file that is not there yet, and leave none if it cannot be written."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        os.write(descriptor, content)
    except OSError:
        remove_if_there(path)
        raise
    finally:
        os.close(descriptor)


def _read(path: str) -> bytes | None:
    try:
        with open(path, "rb") as f:
            return f.read()
    except FileNotFoundError:
        return None


def _parse(content: bytes) -> dict | None:
    try:
        owner = json.loads(content)
        return owner if {"host", "pid", "started", "time"} <= owner.keys() else None
    except (ValueError, AttributeError):
        return None


def _started(pid: int) -> str | None:
    """Start time of a process in ticks, which tells it from a later one with the same pid; None where unknown."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            fields = f.read().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]


def _is_alive(owner: dict) -> bool:
    """Whether the process that signed on this machine is still there."""
    try:
        os.kill(owner["pid"], 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # somebody else's process; /proc may hide it
    if not os.path.exists(f"/proc/{owner['pid']}"):
        return True
    return _started(owner["pid"]) == owner["started"]
