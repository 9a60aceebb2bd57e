# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""HDF5 files: the snapshot that holds many records, and the file of a single one.

Snapshot: the records' headers and numbers lie one after the other in `headers` and `data`; record k ends at
`header_end[k]` and `data_end[k]`. A single record is a file with `header` and `data` alone, the checksum being the last
number. Everything is readable with h5py and json.

HDF5 never writes to the disk itself: when a disk is full, its library is left in a state that crashes the process.
Files are made in memory, or go through `_Sink`, which remembers an error until HDF5 has finished.
"""

from __future__ import annotations

import io
import json
import os
import warnings
from collections.abc import Callable, Container

import h5py
import numpy as np

from ..version import version as package_version
from .files import DatabaseError, identity_of
from .point import FORMAT_VERSION, Record

_FORMAT = "triqs_mlsolver database"
_VERSION = 2  # 1 held problems of one kind only, which an attribute named
_README = (
    "Solved impurity problems. Record k: JSON headers[header_end[k-1]:header_end[k]], which lists [name, shape] of "
    "the arrays that follow one another in data[data_end[k-1]:data_end[k]] (a name in place of a shape: the same "
    "numbers as that array); checksum[k] = crc32 of both. Energies in units of each problem's scale; Legendre "
    "convention of PRB 84, 075145. events: JSON lines, removals and restorations. See the documentation of "
    "triqs_mlsolver."
)
_CHUNK = 1 << 20


class Stack:
    """Records that share their memory: what a snapshot holds."""

    def __init__(self, ids: list[str], header_end: np.ndarray, headers: bytes, data_end: np.ndarray, data: np.ndarray):
        self.ids = ids
        self.header_end, self.headers = header_end, headers
        self.data_end, self.data = data_end, data

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, k: int) -> Record:
        h0, d0 = (self.header_end[k - 1], self.data_end[k - 1]) if k else (0, 0)
        return Record(self.ids[k], self.headers[h0 : self.header_end[k]], self.data[d0 : self.data_end[k]])


class Snapshot:
    """An open snapshot file, its records being read on demand; it stays readable when the file is replaced meanwhile.

    Raises
    ------
    DatabaseError
        For a file that is damaged, of something else, or of a newer version; the message names it and the remedy.
    FileNotFoundError
        Where there is no file.
    """

    def __init__(self, path: str):
        self.path = path
        self._file = _open(path)
        try:
            self._check_kind()
            with _damage_named(path):
                self._read_index()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Snapshot:
        return self

    def __exit__(self, *exc) -> None:
        self._file.close()

    def _check_kind(self) -> None:
        attributes = self._file.attrs
        if attributes.get("format") != _FORMAT:
            raise DatabaseError(
                f"{self.path} is an HDF5 file, but no triqs_mlsolver database: choose another name for the database, "
                "or move that file away. It has not been touched"
            )
        _check_version(self.path, attributes.get("format_version"), _VERSION, attributes.get("package_version"))

    def _read_index(self) -> None:
        f = self._file
        self.identity = identity_of(os.fstat(f.id.get_vfd_handle()))
        self.events = [json.loads(line) for line in f["events"][...].tobytes().splitlines()]
        self.ids = [i.decode() for i in f["id"][...].tolist()]
        self.checksums, self.header_end, self.data_end = (
            f[name][...] for name in ("checksum", "header_end", "data_end")
        )

    def copy(self, name: str, target: h5py.Dataset, beat: Callable[[], None]) -> int:
        """Copy the dataset `name` to the beginning of `target`, in pieces that need little memory; its length."""
        source = self._file[name]
        for begin in range(0, len(source), _CHUNK):
            end = min(begin + _CHUNK, len(source))
            with _damage_named(self.path):
                piece = source[begin:end]
            target[begin:end] = piece
            beat()
        return len(source)

    def read(self, known: Container[str] = ()) -> Stack:
        """The records whose id is not among `known`; damaged ones are left out with a warning."""
        wanted = [k for k, point_id in enumerate(self.ids) if point_id not in known]
        if not wanted:
            return _restacked([])
        first = wanted[0]
        stack = self._rows(first, wanted[-1] + 1)
        sound = [k for k in wanted if stack[k - first].checksum == self.checksums[k]]
        if len(sound) == len(stack):
            return stack
        if bad := sorted(set(wanted) - set(sound)):
            warnings.warn(
                f"{len(bad)} points of {self.path} are damaged and left out (the first: {self.ids[bad[0]]}); the other "
                f"{len(self.ids) - len(bad)} are served. Restore the file from a copy",
                stacklevel=5,
            )
        return _restacked([stack[k - first] for k in sound])

    def sound_ids(self) -> set[str]:
        """Ids of the records whose checksum is right; reads everything, in pieces."""
        sound = set()
        for begin in range(0, len(self.ids), 4096):
            stack = self._rows(begin, min(begin + 4096, len(self.ids)))
            sound.update(stack.ids[k] for k in range(len(stack)) if stack[k].checksum == self.checksums[begin + k])
        return sound

    def _rows(self, begin: int, end: int) -> Stack:
        h0, d0 = (int(ends[begin - 1]) if begin else 0 for ends in (self.header_end, self.data_end))
        h1, d1 = int(self.header_end[end - 1]), int(self.data_end[end - 1])
        with _damage_named(self.path):
            headers, data = self._file["headers"][h0:h1].tobytes(), self._file["data"][d0:d1]
        rows = slice(begin, end)
        return Stack(self.ids[rows], self.header_end[rows] - h0, headers, self.data_end[rows] - d0, data)


def _restacked(records: list[Record]) -> Stack:
    ends = lambda sizes: np.cumsum(np.array(sizes, dtype=np.int64))
    header_end, data_end = ends([len(r.header) for r in records]), ends([r.data.size for r in records])
    data = np.concatenate([r.data for r in records]) if records else np.empty(0)
    return Stack([r.id for r in records], header_end, b"".join(r.header for r in records), data_end, data)


def write(
    path: str,
    base: Snapshot | None,
    records: list[Record],
    events: list[dict],
    alive: Callable[[], None] = lambda: None,
) -> None:
    """Write a snapshot: all records of `base`, copied piece by piece, then `records`; synced when this returns.

    `alive` is called now and then, and may raise to give up.
    """
    with open(path, "x+b", buffering=0) as raw:
        sink = _Sink(raw)
        try:
            with h5py.File(sink, "w") as f:
                f.attrs.update(format=_FORMAT, format_version=_VERSION, readme=_README)
                f.attrs.update(package_version=package_version)
                f["events"] = np.frombuffer("\n".join(json.dumps(event) for event in events).encode(), "u1")
                sink.check()
                _write_records(f, base, records, lambda: (sink.check(), alive()))
        except Exception:
            sink.check()  # HDF5 stumbled over what could not be written: name the cause
            raise
        sink.check()
        os.fsync(raw.fileno())


def _write_records(f: h5py.File, base: Snapshot | None, records: list[Record], beat: Callable[[], object]) -> None:
    added = _restacked(records)
    old_ids, old_checksums = (base.ids, base.checksums) if base else ([], np.empty(0, np.uint32))
    f["id"] = np.array(old_ids + added.ids, dtype="S20")
    f["checksum"] = np.concatenate([old_checksums, [r.checksum for r in records]]).astype("<u4")
    lengths = []
    for name, ends in (("header_end", added.header_end), ("data_end", added.data_end)):
        old = getattr(base, name) if base else np.empty(0, np.int64)
        all_ends = np.concatenate([old, ends + (old[-1] if len(old) else 0)]).astype("<i8")
        f[name] = all_ends
        lengths.append(int(all_ends[-1]) if len(all_ends) else 0)
    n_header, n_data = lengths
    packed = {"chunks": (min(n_header, _CHUNK),), "compression": "gzip", "compression_opts": 1} if n_header else {}
    headers = f.create_dataset("headers", (n_header,), "u1", **packed)
    data = f.create_dataset("data", (n_data,), "<f8")
    for target, tail in ((headers, np.frombuffer(added.headers, "u1")), (data, added.data)):
        start = base.copy(target.name, target, beat) if base else 0
        if len(tail):
            target[start:] = tail
        beat()


class _Sink(io.RawIOBase):
    """A file HDF5 may write to without ever seeing an error, an interruption included; `check` raises the first one."""

    def __init__(self, raw: io.FileIO):
        self._raw, self._error = raw, None

    def write(self, content) -> int:
        size = memoryview(content).nbytes
        if self._error is None:
            try:
                rest = memoryview(content).cast("B")
                while rest:
                    rest = rest[os.write(self._raw.fileno(), rest) :]
                return size
            except BaseException as error:
                self._error = error
        return size

    def flush(self) -> None:
        """Nothing is buffered here."""

    def check(self) -> None:
        if self._error is not None:
            raise self._error

    def seek(self, offset, whence=0) -> int:
        return os.lseek(self._raw.fileno(), offset, whence)

    def tell(self) -> int:
        return os.lseek(self._raw.fileno(), 0, os.SEEK_CUR)

    def readinto(self, buffer) -> int:
        view = memoryview(buffer).cast("B")
        got = os.read(self._raw.fileno(), len(view))
        view[:] = got + bytes(len(view) - len(got))  # what a full disk swallowed reads as zeros
        return len(view)

    def truncate(self, size=None) -> int:
        try:
            os.ftruncate(self._raw.fileno(), self.tell() if size is None else size)
        except BaseException as error:
            self._error = self._error or error
        return size

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True


# -- single records ----------------------------------------------------------------------------------------------------


def record_to_bytes(record: Record) -> bytes:
    """The HDF5 file of one record."""
    image = io.BytesIO()
    with h5py.File(image, "w") as f:
        f["header"] = np.frombuffer(record.header, "u1")
        f["data"] = np.append(record.data, record.checksum)
    return image.getvalue()


def record_from_file(path: str) -> Record:
    """The record in a file; read at once and opened in memory, so that no file lock is ever asked for.

    Raises
    ------
    DatabaseError
        Where the file is damaged, of something else or of a newer version.
    FileNotFoundError
        Where there is none.
    """
    with open(path, "rb") as f:
        image = f.read()
    try:
        header, numbers = _datasets_of_image(image, (b"header", "u1"), (b"data", "<f8"))
        description = json.loads(header.tobytes())
        version = description["format_version"]
        record = Record(description["id"], header.tobytes(), numbers[:-1])
        sound = version > FORMAT_VERSION or record.checksum == numbers[-1]
    except (OSError, KeyError, ValueError, TypeError, IndexError, RuntimeError) as error:
        raise DatabaseError(
            f"{path} is no complete point ({len(image)} bytes; {type(error).__name__}: {error})"
        ) from error
    if not sound:
        raise DatabaseError(f"{path} is damaged: its checksum is wrong")
    _check_version(path, version, FORMAT_VERSION, description.get("attributes", {}).get("package_version"))
    return record


def _datasets_of_image(image: bytes, *wanted: tuple[bytes, str]) -> list[np.ndarray]:
    """Low-level reading, four times faster than h5py.File: a database opens with a thousand of these."""
    if not image:
        raise OSError("the file is empty")
    access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    access.set_fapl_core(backing_store=False)
    access.set_file_image(image)
    f = h5py.h5f.open(b"point", h5py.h5f.ACC_RDONLY, access)
    try:
        out = []
        for name, dtype in wanted:
            dataset = h5py.h5d.open(f, name)
            array = np.empty(dataset.shape, dtype)
            dataset.read(h5py.h5s.ALL, h5py.h5s.ALL, array)
            out.append(array)
        return out
    finally:
        f.close()


# -- opening -----------------------------------------------------------------------------------------------------------


def _open(path: str) -> h5py.File:
    """Open for reading without asking for a file lock: a snapshot never changes, it is only replaced."""
    if not os.path.exists(path):
        raise FileNotFoundError(path)
    try:
        return h5py.File(path, "r", locking=False)
    except OSError as error:
        if not os.path.exists(path):
            raise FileNotFoundError(path) from error
        if isinstance(error, PermissionError):
            raise DatabaseError(f"{path} may not be read: {error}") from error
        if "unable to lock file" in str(error):
            setting = os.environ.get("HDF5_USE_FILE_LOCKING", "")
            raise DatabaseError(
                f"{path} cannot be opened because HDF5's lock on the file is refused ({error}); your environment asks "
                f"for such locks with HDF5_USE_FILE_LOCKING={setting}. The database does not need them: set "
                "HDF5_USE_FILE_LOCKING=FALSE"
            ) from error
        raise _damaged(path, error) from error


class _damage_named:
    """Errors of HDF5 while reading a file become a DatabaseError that names it."""

    def __init__(self, path: str):
        self.path = path

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if isinstance(error, (OSError, KeyError, ValueError, RuntimeError)) and not isinstance(error, DatabaseError):
            if isinstance(error, OSError) and not os.path.exists(self.path):
                raise FileNotFoundError(self.path) from error
            raise _damaged(self.path, error) from error
        return False


def _damaged(path: str, error: Exception) -> DatabaseError:
    alone = f"; the points in {path}.journal/ are then served alone" if os.path.isdir(f"{path}.journal") else ""
    return DatabaseError(
        f"{path} ({os.path.getsize(path)} bytes) is damaged or no HDF5 file ({error}). It has not been touched: "
        f"restore it from a copy, or move it away{alone}"
    )


def _check_version(path: str, found, known: int, written_by) -> None:
    if found is None or int(found) > known:
        raise DatabaseError(
            f"{path} has format version {found} (written by triqs_mlsolver {written_by}), this package reads up to "
            f"{known}: upgrade triqs_mlsolver. The file has not been touched"
        )
