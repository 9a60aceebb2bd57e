# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""`mlsolver info`."""

from __future__ import annotations

import json

import click

from ._databases import NAME, opened

_RANGES = {"beta": "beta D", "U": "U/D", "x": "level x/D"}  # x: from half filling, of the level


@click.command()
@click.argument("database", type=NAME)
@click.option("--json", "as_json", is_flag=True, help="Everything as one JSON object.")
def command(database: str, as_json: bool) -> None:
    """What DATABASE holds: points by solver and fidelity, ranges, error bars, provenance, disk use, calibration.

    Ranges are in units of each problem's own scale D (on the Bethe lattice the half bandwidth).

    Example: mlsolver info bethe.h5
    """
    from ...database.model_settings import load_settings
    from ...decision.log import DecisionLog

    db = opened(database)
    info = db.info() | {"audits": audits(DecisionLog(f"{db.path}.log")), "model": load_settings(db.path)}
    click.echo(json.dumps(info, indent=2) if as_json else "\n".join(_lines(info)))


def audits(log) -> dict:
    """Solves, exact runs, audits and missed bounds that the decision log knows of."""
    from ...decision.coverage import computed

    rows = log.read()
    if not rows:
        return {}
    flag = lambda name: rows[name] == 1 if name in rows else rows["source"] == "no such column"
    return {
        "solves": len(rows["source"]),
        "exact": int(computed(rows).sum()),
        "audits": int(flag("audit").sum()),
        "audits missed": int((flag("audit") & flag("miss")).sum()),
    }


def _lines(info: dict) -> list[str]:
    counts = lambda d: ", ".join(f"{n} {name.strip()}" for name, n in d.items())
    lines = [f"{info['path']}: {info['points']} points, {info['removed']} removed, digest {info['digest']}"]
    if info["base"]:
        lines.append(f"  on top of   {info['points_of_base']} points of {info['base']}")
    for kind, n in info["kinds"].items():
        blocks, interaction = kind.split()
        of_all = f": {n} points" if len(info["kinds"]) > 1 else ""
        lines.append(f"  blocks      {blocks}, {interaction} interaction{of_all}")
    if info["points"]:
        lines += [f"  solvers     {counts(info['solvers'])}", f"  fidelity    {counts(info['fidelities'])}"]
        for name, (low, high) in info["ranges"].items():
            lines.append(f"  {_RANGES.get(name, name):11s} {low:.4g} to {high:.4g}")
        quantiles = ", ".join(f"{value:.2g} ({name})" for name, value in info["error_bar_quantiles"].items())
        lines += [f"  error bars  {quantiles}", f"  computed in {info['seconds']:.0f} s of wall time"]
        lines.append(f"  dates       {info['dates'][0]} to {info['dates'][1]}")
    if settings := info["model"]:
        lines.append(f"  model       {json.dumps(settings)}")
    if found := info["audits"]:
        audited = f"{found['audits']} audits, {found['audits missed']} of them missed"
        lines.append(f"  log         {found['solves']} solves, {found['exact']} exact, {audited}")
    disk = f"{info['snapshot_bytes'] / 1e6:.2f} MB, and {info['journal_bytes'] / 1e6:.2f} MB in the journal"
    return [*lines, f"  disk        {disk} ({info['journal_files']} files)"]
