# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Keeps numba's on-disk cache honest where one kernel is spread over several source files.

Numba recompiles a function when its own file changes, not when a function it calls does. A stamp beside the cached code
holds the digest of all sources; where it differs, the cached code is thrown away.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from types import ModuleType


def discard_stale(dispatcher, modules: tuple[ModuleType, ...]) -> bool:
    """Remove cached code of `modules` that was compiled from other sources than the present ones.

    Parameters
    ----------
    dispatcher
        Any compiled function of the modules; tells where the cache is.
    modules : tuple of modules
        All modules whose functions call each other.

    Returns
    -------
    bool
        Whether code compiled from the present sources may be there.
    """
    if not dispatcher.stats.cache_path:
        return False
    folder = Path(dispatcher.stats.cache_path)
    sources = [Path(m.__file__) for m in modules]
    digest = hashlib.sha256(b"".join(p.read_bytes() for p in sources)).hexdigest()
    stamp = folder / f"{sources[0].stem}.sources"
    try:
        if stamp.is_file() and stamp.read_text() == digest:
            return True
        for source in sources:
            for cached in folder.glob(f"{source.stem}.*.nb?"):
                cached.unlink(missing_ok=True)
        folder.mkdir(parents=True, exist_ok=True)
        fresh = stamp.with_suffix(f".{os.getpid()}")
        fresh.write_text(digest)
        fresh.replace(stamp)
    except OSError:  # a cache that cannot be written cannot go stale through us either
        return False
    return False
