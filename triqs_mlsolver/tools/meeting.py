# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""All ranks come to a collective call, and with the same input; otherwise an error says which did not.

Messages go from rank to rank under a tag of their own: a rank that is in some collective call of the script instead
never takes them for its own, and nobody answers it in their stead.
"""

from __future__ import annotations

import math
import os
import sys
import time
import zlib
from collections.abc import Sequence

import numpy as np

from .mpi import Comm, is_root

VARIABLE = "MLSOLVER_PATIENCE"  # seconds rank 0 waits for the others; 0: without end
_PATIENCE = 600.0
_WARNING_AFTER = 60.0  # seconds
_AT_ONCE = 1e-4  # seconds in which ranks that come together are there
_SHORTEST, _LONGEST = 1e-5, 0.02  # seconds between two looks after that
_TAG = 31607
_AGREEMENT = 1e-8  # relative: what differs by less are roundings of one input on machines of different kinds


def meet(comm: Comm, what: str, fingerprint: Sequence[float] = (0.0, 0.0, 0.0)) -> None:
    """Wait until all ranks call this, and compare what they bring.

    Rank 0 waits for the others as long as the environment variable MLSOLVER_PATIENCE says (seconds, default 600). The
    others wait for rank 0 without end: alone it reads files or analyses results, for as long as that takes. Whoever
    waits for a minute says so once.

    Parameters
    ----------
    comm : Comm
    what : str
        The call, for messages.
    fingerprint : three floats
        Of the input: a number that is the same or not, one that is the same but for roundings, and the size of the
        latter.

    Raises
    ------
    TimeoutError
        On rank 0, if other ranks do not come; names them.
    ValueError
        On all ranks, if some bring other input than rank 0; names them.
    """
    if comm.size == 1:
        return
    same, *rounded = fingerprint
    table = _table(comm, what, np.array([zlib.crc32(f"{what} {same!r}".encode()), *rounded], dtype=float))
    first = table[0]
    close = np.abs(table[:, 1] - first[1]) <= _AGREEMENT * max(first[2], np.finfo(float).tiny)
    different = np.flatnonzero((table[:, 0] != first[0]) | ~close)
    if len(different):
        raise ValueError(
            f"{what}: the impurity problem, or the call, of {_ranks(different)} is not that of rank 0. G0_iw (or "
            "Delta_tau and h_loc0), h_int and beta must be the same on all ranks: compute on one what is random or "
            "read from files, and broadcast it, e.g. S.G0_iw << mpi.bcast(S.G0_iw)"
        )


def _table(comm: Comm, what: str, mine: np.ndarray) -> np.ndarray:
    """The fingerprints of all ranks, (size, 3), on every rank."""
    native, table, waiting = getattr(comm, "native", None), np.empty((comm.size, len(mine))), _Waiting(what)
    if native is None:  # threads of one process, which end together
        return np.array(comm.allgather(mine))
    if not is_root(comm):
        sent, answer = native.Isend(mine, 0, _TAG), native.Irecv(table, 0, _TAG)
        while not answer.Test():
            waiting.pause("others" if comm.rank == 1 else "")
        sent.Wait()
        return table
    patience = _patience()
    table[0] = mine
    others = range(1, comm.size)
    arrivals = [native.Irecv(table[rank], rank, _TAG) for rank in others]
    while missing := [rank for rank, arrival in zip(others, arrivals) if not arrival.Test()]:
        if waiting.seconds > patience:
            for arrival in (arrivals[rank - 1] for rank in missing):  # whoever comes later finds nobody
                arrival.Cancel()
                arrival.Wait()
            raise TimeoutError(
                f"rank 0 has waited in {what} for {_ranks(missing)} for {waiting.seconds:.0f} s: all ranks must call "
                "it together. Take it out of `if mpi.is_master_node()`, and see what those ranks do instead. If they "
                f"do come that much later, set the environment variable {VARIABLE} to more seconds (now {patience:g}; "
                "0 waits without end)"
            )
        waiting.pause(_ranks(missing))
    for answer in [native.Isend(table, rank, _TAG) for rank in others]:
        answer.Wait()
    return table


class _Waiting:
    """Looks that become rarer, so that a rank that waits does not burn the core another one computes on."""

    def __init__(self, what: str):
        self.what, self._start, self._pause, self._said = what, time.monotonic(), _SHORTEST, False

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._start

    def pause(self, missing: str) -> None:
        """Sleep before the next look; say once, after a minute, who is `missing` (empty: someone else says it)."""
        if self.seconds < _AT_ONCE:
            return
        if missing and not self._said and self.seconds > _WARNING_AFTER:
            self._said = True
            sys.stderr.write(f"mlsolver: {self.what} waits for {missing}: all ranks must call it together\n")
            sys.stderr.flush()
        time.sleep(self._pause)
        self._pause = min(2 * self._pause, _LONGEST)


def _patience() -> float:
    """What the environment says, in seconds."""
    given = os.environ.get(VARIABLE)
    if not given:
        return _PATIENCE
    try:
        patience = float(given)
    except ValueError:
        patience = math.nan
    if not patience >= 0:
        raise ValueError(f"{VARIABLE} = {given!r} is no time: give seconds, or 0 to wait without end")
    return patience or math.inf


def _ranks(ranks: Sequence[int]) -> str:
    """Numbers of ranks in words, the first eight by name."""
    named = ", ".join(map(str, ranks[:8]))
    more = f" and {len(ranks) - 8} more" if len(ranks) > 8 else ""
    return f"rank{'s' if len(ranks) > 1 else ''} {named}{more}"
