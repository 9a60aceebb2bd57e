# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Report lines, through Python's logging under the name `triqs_mlsolver`."""

from __future__ import annotations

import logging
import sys

_logger = logging.getLogger("triqs_mlsolver")


class _Stdout(logging.Handler):
    """Prints to whatever sys.stdout is at the time, so that redirection and notebooks work."""

    def emit(self, record):
        print(self.format(record), file=sys.stdout, flush=True)


def report(line: str) -> None:
    """Print one line, unless the user has set up logging: then it goes where they want it, at level INFO."""
    if not _logger.handlers and not logging.getLogger().handlers:
        _logger.addHandler(_Stdout())
        if _logger.level == logging.NOTSET:
            _logger.setLevel(logging.INFO)
    _logger.info(line)
