# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""One self-contained HTML page about a database: its points, its calibration, its last runs."""

from __future__ import annotations

import base64
import datetime
from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

from .. import plots
from ..database import Database
from ..decision import coverage
from ..decision.models import stored_predictor
from ..model import predict_left_out
from ..version import version
from . import decision_table as decisions

_SHOWN = 20  # decisions in the table
_DRAWN = 400  # decisions in the history
_FITTED = 300  # points up to which a model is fitted for the picture of a decision

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62em; margin: 2em auto; padding: 0 1em; color: #1a1a1a; }
h1 { font-size: 1.6em; margin-bottom: 0; } h2 { font-size: 1.2em; margin-top: 2em; border-bottom: 1px solid #ccc; }
.pictures { display: flex; flex-wrap: wrap; gap: 1em; } figure { margin: 0; flex: 1 1 22em; max-width: 30em; }
figure img { width: 100%; } figcaption, .small { font-size: 0.85em; color: #555; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 0.15em 0.7em; text-align: left; } th { border-bottom: 1px solid #999; font-weight: 600; }
tr:nth-child(even) td { background: #f5f5f5; } .wide table { font-size: 0.8em; white-space: nowrap; }
"""


def page(database: Database, log: Mapping[str, np.ndarray]) -> str:
    """The page as text.

    Parameters
    ----------
    database : Database
        With at least one point.
    log : mapping of arrays
        Its decision log; may be empty.

    Returns
    -------
    str
        HTML without links to any other file.
    """
    name = escape(str(database.path))
    now = datetime.datetime.now().isoformat(sep=" ", timespec="minutes")
    body = [
        f"<h1>{name.rsplit('/', 1)[-1]}</h1>",
        f'<p class="small">{name}; written {now} by triqs_mlsolver {version}</p>',
        *_points(database),
        *_calibration(database, log),
        *_runs(log),
    ]
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{name}</title>'
    return f"<!DOCTYPE html>\n<html lang=en><head>{head}<style>{_STYLE}</style></head>\n<body>\n" + "\n".join(
        [*body, "</body></html>\n"]
    )


def _points(database: Database) -> list[str]:
    info = database.info()
    counts = lambda counted: ", ".join(f"{escape(str(k))}: {n}" for k, n in counted.items())
    ranges = {"beta": "βD", "U": "U/D", "x": "level x/D", "density": "density per flavour"}
    size = (info["snapshot_bytes"] + info["journal_bytes"]) / 2**20
    rows = [("points", f"{info['points']} ({info['removed']} removed)")]
    if len(info["kinds"]) > 1:
        rows.append(("by kind of problem", counts(info["kinds"])))
    rows += [("by solver", counts(info["solvers"])), ("by fidelity", counts(info["fidelities"]))]
    rows += [(label, "{:.4g} to {:.4g}".format(*info["ranges"][key])) for key, label in ranges.items()]
    if info["base"]:
        rows.insert(1, ("on top of", f"{info['points_of_base']} points of {info['base']}"))
    quantiles = ", ".join(f"{value:.2g} ({name})" for name, value in info["error_bar_quantiles"].items())
    rows += [("error bars of G(τ), quantiles", quantiles), ("time in exact runs", f"{info['seconds']:.0f} s")]
    rows += [("dates", " to ".join(date[:16].replace("T", " ") for date in info["dates"]))]
    rows += [("on disk", f"{size:.2g} MB, {info['journal_files']} journal files"), ("digest", info["digest"])]
    caption = (
        "Where the points lie. D is each problem's own scale (on the Bethe lattice the half bandwidth), x the level "
    )
    picture = _picture(plots.plot_coverage(database), caption + "measured from half filling.")
    return ["<h2>Points</h2>", _table((), rows), _side_by_side([picture])]


def _calibration(database: Database, log: Mapping[str, np.ndarray]) -> list[str]:
    out = ["<h2>Calibration</h2>"]
    pictures = []
    if coverage.checked(log).any():
        out.append(
            "<p>Bounds claim 95 % confidence. How often they held where an exact run tells, with the exact binomial "
            "interval; problems that were novel are left out:</p>"
        )
        names = {"G": "G(τ)", "Sigma": "Σ(iω₀)"}
        rows = [
            (name, str(coverage.coverage(log, kind)), str(coverage.coverage(log, kind, accepted=True)))
            for kind, name in names.items()
        ]
        out.append(_table(("bound on", "all checked solves", "accepted answers (audits)"), rows))
        pictures.append(
            _picture(plots.plot_reliability(log), "True error against bound, one mark per exact run that had a bound.")
        )
    else:
        out.append("<p>No bound was checked by an exact run yet.</p>")
    drawn = _left_out(database)
    if drawn is not None:
        caption = "The latest point as the model would answer it without that point; near neighbours stay in."
        pictures.append(_picture(drawn, caption))
    return [*out, _side_by_side(pictures)]


def _left_out(database: Database):
    """Picture of the latest point against its prediction; None where the model says nothing of it."""
    if len(database) > _FITTED:
        return None
    point = database[-1]
    prediction = predict_left_out(database, point, stored_predictor(database.path, point.kind))
    return None if prediction.solution is None else plots.plot_decision(point.problem, prediction, point.solution)


def _runs(log: Mapping[str, np.ndarray]) -> list[str]:
    out = ["<h2>Last runs</h2>"]
    if not len(log.get("time", ())):
        return [*out, "<p>No decision log beside the database.</p>"]
    n = len(log["time"])
    out += [f"<p>{'<br>'.join(map(escape, decisions.summary(log)))}</p>"]
    shown = min(n, _DRAWN)
    out += [_side_by_side([_picture(plots.plot_history(log, last=_DRAWN), f"The latest {shown} solves.")])]
    rows = [decisions.cells(log, row) for row in range(max(0, n - _SHOWN), n)]
    return [*out, f"<p>The latest {len(rows)}:</p>", f'<div class="wide">{_table(decisions.HEADER, rows)}</div>']


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(title)}</th>" for title in header)
    lines = ["".join(f"<td>{escape(str(cell))}</td>" for cell in row) for row in rows]
    return (
        "<table>" + (f"<tr>{head}</tr>" if header else "") + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>"
    )


def _picture(axes, caption: str) -> str:
    data = base64.b64encode(plots.as_png(axes)).decode()
    text = escape(caption)
    return f'<figure><img alt="{text}" src="data:image/png;base64,{data}"><figcaption>{text}</figcaption></figure>'


def _side_by_side(pictures: Sequence[str]) -> str:
    return f'<div class="pictures">{"".join(pictures)}</div>'
