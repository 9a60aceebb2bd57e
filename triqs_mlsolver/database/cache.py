# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""A cache of what can be computed from each point again, such as its descriptor: files beside the database.

There is one for each kind of problem. `bethe.h5.1+1-density-density.cache` is a line of JSON that names the version of
what is cached, then records that are only ever appended: marker, checksum, id, shape and numbers. What a crash has
torn, or two writers have mixed, is stepped over. The file may be deleted at any time: nothing is lost but time.
"""

from __future__ import annotations

import json
import math
import os
import struct
import warnings
import zlib
from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from .files import write_durably

_SUFFIX = ".cache"
_MARKER = b"\x93MLC"
_MAX_DIMENSIONS = 4
_HEADER = struct.Struct(f"<4sI20sI{_MAX_DIMENSIONS}I")  # marker, checksum of all that follows, id, dimensions, shape
_UNCHECKED = 8  # bytes before what the checksum covers


class DescriptorCache:
    """Arrays of floats by point id, valid for one version of the code that computes them.

    Parameters
    ----------
    path : str or None
        Path of the database; the cache is the file `<path>.<kind>.cache`. None: nothing is kept.
    kind : str
        Kind of the problems, see `Database.kinds`.
    read_only : bool
        Never write: `put` does nothing.
    base : str, optional
        Path of another database whose cache is read as well, and never written to.

    Examples
    --------
    >>> cache = DescriptorCache("bethe.h5", "1+1 density-density")
    >>> cache.put({"0f3a": np.array([[1.0, 2.0], [3.0, 4.0]])}, version="descriptor 1")
    >>> cache.get(["0f3a", "77b1"], version="descriptor 1")
    {'0f3a': array([[1., 2.], [3., 4.]])}
    >>> cache.get(["0f3a"], version="descriptor 2")
    {}
    """

    def __init__(
        self,
        path: str | os.PathLike | None,
        kind: str,
        *,
        read_only: bool = False,
        base: str | os.PathLike | None = None,
    ):
        self.path, self.read_only, self._base = _cache_of(path, kind), read_only, _cache_of(base, kind)

    def get(self, ids: Iterable[str], version: str) -> dict[str, np.ndarray]:
        """The arrays of those `ids` that are cached for `version`; the file is read anew each time."""
        wanted, files = set(ids), (self._base, self.path)
        return {i: array for file in files for i, array in _records(file, version) if i in wanted}

    def put(self, arrays: Mapping[str, np.ndarray], version: str) -> None:
        """Append arrays of up to four dimensions; those of another version are dropped.

        A file that cannot be written is a warning: work goes on without it.

        Raises
        ------
        ValueError
            For an id of more than 20 bytes or an array of more than four dimensions.
        """
        if self.path is None or self.read_only or not arrays:
            return
        content = b"".join(_encode(point_id, np.asarray(array, "<f8")) for point_id, array in arrays.items())
        try:
            if not self._append(content, version):
                write_durably(self.path, _first_line(version) + content)
        except OSError as error:
            warnings.warn(f"{self.path} cannot be written, so that later starts take longer: {error}", stacklevel=2)

    def _append(self, content: bytes, version: str) -> bool:
        """Whether there was a file of this version to append to."""
        first = _first_line(version)
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND)
        except FileNotFoundError:
            return False
        try:
            if os.pread(descriptor, len(first), 0) != first:
                return False
            rest = memoryview(content)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            return True
        finally:
            os.close(descriptor)


def _cache_of(path: str | os.PathLike | None, kind: str) -> str | None:
    if path is None:
        return None
    return f"{os.path.abspath(os.path.expanduser(os.fspath(path)))}.{kind.replace(' ', '-')}{_SUFFIX}"


def _records(path: str | None, version: str) -> Iterator[tuple[str, np.ndarray]]:
    """Id and array of each sound record of the file, in the order they were written."""
    if path is None:
        return
    try:
        with open(path, "rb") as f:
            content = memoryview(f.read())
    except FileNotFoundError:
        return
    first = _first_line(version)
    if content[: len(first)] != first:
        return
    position = len(first)
    while position <= len(content) - _HEADER.size:
        marker, checksum, point_id, dimensions, *shape = _HEADER.unpack_from(content, position)
        start = position + _HEADER.size
        end = start + 8 * math.prod(shape[:dimensions])
        if marker == _MARKER and zlib.crc32(content[position + _UNCHECKED : end]) == checksum:
            numbers = np.frombuffer(content[start:end], "<f8").reshape(shape[:dimensions])
            yield point_id.rstrip(b"\0").decode(), numbers.copy()
            position = end
        else:
            position = content.obj.find(_MARKER, position + 1)
            if position < 0:
                return


def _first_line(version: str) -> bytes:
    return json.dumps({"format": "triqs_mlsolver cache 1", "version": version}).encode() + b"\n"


def _encode(point_id: str, array: np.ndarray) -> bytes:
    name = point_id.encode("ascii")
    if len(name) > 20 or array.ndim > _MAX_DIMENSIONS:
        raise ValueError(
            f"{point_id!r} with an array of shape {array.shape} cannot be cached: ids have up to 20 characters, arrays "
            f"up to {_MAX_DIMENSIONS} dimensions"
        )
    shape = array.shape + (0,) * (_MAX_DIMENSIONS - array.ndim)
    record = bytearray(_HEADER.pack(_MARKER, 0, name, array.ndim, *shape) + array.tobytes())
    struct.pack_into("<I", record, len(_MARKER), zlib.crc32(record[_UNCHECKED:]))
    return bytes(record)
