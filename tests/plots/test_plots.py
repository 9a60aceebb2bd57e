# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Pictures show the numbers they are given; commands that draw them write files and refuse what cannot be drawn."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from io import BytesIO

import numpy as np
import pytest
from click.testing import CliRunner
from scipy.stats import binomtest

pytest.importorskip("matplotlib")

import matplotlib

from triqs_mlsolver import Database, LearnedSolver, Predictor, Problem, Solution, plots
from triqs_mlsolver.app import decision_table as decisions
from triqs_mlsolver.app.cli import main
from triqs_mlsolver.decision import coverage
from triqs_mlsolver.decision.log import DecisionLog
from triqs_mlsolver.exact.ed import ED
from triqs_mlsolver.lattice.bethe import Converged
from triqs_mlsolver.model import Prediction, predict_left_out


def row(error_bound=1e-3, true_error=None, source="exact", reason="bound 0.01 > 0.002", **more):
    fields = dict(error_bound=error_bound, true_error=true_error, source=source, reason=reason, **more)
    return {"tolerance": 0.002, "seconds": 0.1, "miss": False, "audit": False, "Z": 0.5} | {
        name: value for name, value in fields.items() if value is not None
    }


@pytest.fixture
def log():
    """Three model answers, an audit that held, one that missed, an exact run, a novel problem."""
    found = DecisionLog(None)
    for Z in (0.9, 0.8, 0.7):
        found.append(**row(source="model", Z=Z))
    found.append(**row(1e-3, 5e-4, audit=True))
    found.append(**row(1e-3, 4e-3, audit=True, miss=True))
    found.append(**row(1e-2, 2e-3))
    found.append(**row(5e-2, 9e-2, reason="novel: U lies outside the stored range", novel=True))
    return found.read()


ASKED = np.array([1.0, 2.0, 1.5, 1.25, 1.75, 1.1, 1.9, 1.4, 1.6, 1.3, 1.55, 1.85])  # U; the ends first


@pytest.fixture(scope="module")
def used(tmp_path_factory, family):
    """A database that a solver has used, with its log."""
    path = tmp_path_factory.mktemp("used") / "used.h5"
    solver = LearnedSolver(path, exact="ed", audit_rate=1.0)
    for U in ASKED:
        solver.solve(family(U))
    return path


def run(*arguments):
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, " ".join(result.output.split())


# -- coverage of the bounds --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("held, checked", [(0, 3), (7, 7), (12, 14), (1, 1), (93, 100)])
def test_binomial_interval(held, checked):
    expected = binomtest(held, checked).proportion_ci(0.95, method="exact")
    found = coverage.binomial(checked, held)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


def counts(*arguments, **options) -> tuple[int, int]:
    found = coverage.coverage(*arguments, **options)
    return found.held, found.checks


def test_coverage_of_a_log(log):
    """The novel problem counts for nothing; audits are a sample of their own."""
    assert counts(log) == (2, 3) and counts(log, accepted=True) == (1, 2)
    assert counts(log, "Sigma") == (0, 0)
    with pytest.raises(ValueError, match="choose 'G' or 'Sigma'"):
        coverage.coverage(log, "Z")


def test_error_bars_of_the_exact_answer_are_allowed_for():
    noisy = DecisionLog(None)
    noisy.append(**row(1e-3, 1.4e-3, noise=2.1e-4))
    noisy.append(**row(1e-3, 1.4e-3, noise=1.9e-4))
    assert counts(noisy.read()) == (1, 2)


def test_coverage_without_checks():
    only = DecisionLog(None)
    only.append(**row(source="model"))
    assert counts(only.read()) == counts({}) == (0, 0)
    assert str(coverage.binomial(0, 0)) == "no checks yet"


def test_log_as_text(log):
    header, *lines = decisions.rows(log, last=3)
    assert len(lines) == 3 and header.split()[1:3] == ["source", "beta"]
    assert "audit" in lines[0] and lines[0].endswith("MISSED") and "MISSED" not in lines[1]
    text = "\n".join(decisions.summary(log))
    assert "7 solves: 3 answered by the model, 4 computed (2 of them audits)" in text
    assert "2 of 3 = 67 %" in text and "1 of 2 = 50 %" in text


def test_log_knows_the_physics(used, family):
    """Each row says what was asked and answered, in the user's units."""
    log = DecisionLog(f"{used}.log").read()
    assert log["U"] == pytest.approx(ASKED) and log["beta"] == pytest.approx(10.0)
    assert log["x"] == pytest.approx(0.0, abs=1e-12) and log["density"] == pytest.approx(1.0, abs=1e-6)
    exact = ED().solve(family(1.0)).Z(family(1.0))
    assert log["Z"][0] == pytest.approx(np.min(exact))


# -- pictures ----------------------------------------------------------------------------------------------------------


def drawn(axes) -> np.ndarray:
    """The picture as an array of pixels."""
    return matplotlib.image.imread(BytesIO(plots.as_png(axes)))


def points(ax, label):
    (line,) = [line for line in ax.lines if line.get_label() == label]
    return np.column_stack(line.get_data())


def test_reliability_shows_checked_solves(log):
    axes = plots.plot_reliability(log)
    assert points(axes[0], "accepted, audited") == pytest.approx(np.array([[1e-3, 5e-4], [1e-3, 4e-3]]))
    assert points(axes[0], "computed: bound too large") == pytest.approx(np.array([[1e-2, 2e-3]]))
    assert "2 of 3" in axes[0].get_title()


def test_reliability_in_bins():
    """200 checks, of which those with the larger bounds miss more often: the bins say so."""
    many = DecisionLog(None)
    for i in range(200):
        missed = i >= 100 and i % 4 == 0
        many.append(**row(1e-3 * (1 + i), 1e-4 * (1 + i) * (100 if missed else 1)))
    axes = plots.plot_reliability(many.read())
    shares = [c[0].get_ydata()[0] for c in axes[1].containers]
    assert len(shares) == 6 and shares[0] == 1 and shares[-1] == pytest.approx(0.75, abs=0.03)


def test_history_shows_every_solve(log):
    axes = plots.plot_history(log)
    assert points(axes[1], "model") == pytest.approx(np.array([[1, 0.9], [2, 0.8], [3, 0.7]]))
    assert points(axes[1], "exact")[:, 0].tolist() == [6, 7] and points(axes[1], "audit")[:, 0].tolist() == [4, 5]
    assert plots.plot_history(log, last=2)[1].get_legend_handles_labels()[1] == ["exact"]


def test_coverage_shows_every_point(used):
    database = Database(used, read_only=True)
    axes = plots.plot_coverage(database)
    shown = np.concatenate([c.get_offsets() for c in axes[0].collections])
    table = database.table(("U", "beta"))
    assert np.unique(np.round(shown, 9), axis=0) == pytest.approx(
        np.unique(np.round(np.column_stack([table["U"], table["beta"]]), 9), axis=0)
    )


def test_decision_shows_bound_and_error(used):
    database = Database(used, read_only=True)
    point = database[4]
    prediction = predict_left_out(database, point)
    axes = plots.plot_decision(point.problem, prediction, point.solution)
    tau, model = points(axes[1], "model").T
    assert model == pytest.approx(prediction.solution.G_tau(tau * point.problem.beta)[0][:, 0, 0])
    low, high = axes[2].patches[0].get_extents().transformed(axes[2].transData.inverted()).get_points()[:, 1]
    assert (-low, high) == pytest.approx((prediction.error_bound,) * 2, rel=1e-6)
    others = Predictor().fit([(p.problem, p.solution) for p in database if p.id != point.id])
    assert prediction.error_bound == pytest.approx(others.predict(point.problem).error_bound)


@pytest.mark.parametrize("unit", [1e-9, 1.0, 1e9])
def test_decision_draws_flavours_apart_that_differ_in_any_unit(unit):
    for field, n_curves in ((0.1, 2), (1e-9, 1)):
        p = Problem.siam(10.0, 2.0, 1.0, [-0.3, 0.4], [0.3, 0.3], field).scaled(unit)
        answer = ED().solve(p)
        axes = plots.plot_decision(p, Prediction(answer, 0.01, 0.1, None, 0.0))
        assert [len(axes[k].lines) for k in (0, 1)] == [1, n_curves]  # one Δ(τ), and G(τ)
        assert len([line for line in axes[3].lines if len(line.get_xdata()) > 1]) == n_curves  # Σ(iω)


def test_learning_curve():
    errors = np.linspace(0, 1, 101) * np.array([[1.0], [0.1]])
    ax = plots.plot_learning_curve(np.array([100, 1000]), {"corrected": errors})
    mean, (upper,) = ax.containers[0][0].get_ydata(), ax.containers[0][2]
    assert mean == pytest.approx([0.5, 0.05])
    assert [segment[1, 1] for segment in upper.get_segments()] == pytest.approx([0.95, 0.095])


def mott_branches():
    solution = Solution(1.0, (("up", 1),), (np.zeros((2, 1, 1)),), np.eye(1), (), ())
    one = lambda U, exact: Converged(U, U / 2, solution, 1 - U / 4, 0.25 - U / 20, 1.0, 2, True, [exact, False])
    return [one(1.0, True), one(2.0, False)], [one(2.0, False), one(1.0, False)]


def test_mott_marks_exact_calls():
    axes = plots.plot_mott(mott_branches(), beta=20)
    crosses = [line for line in axes[0].lines if line.get_marker() == "x"]
    assert np.concatenate([line.get_xdata() for line in crosses]).tolist() == [1.0]
    assert "1 exact calls in 8 solves" in axes[0].get_title()


@pytest.mark.parametrize("draw", [
    lambda log, used: plots.plot_reliability(log),
    lambda log, used: plots.plot_history(log),
    lambda log, used: plots.plot_coverage(Database(used, read_only=True)),
    lambda log, used: plots.plot_mott(mott_branches(), 20),
])  # fmt: skip
def test_one_style(log, used, draw):
    """Half a page wide, labels on all outer axes, nothing blank; the user's settings are left alone."""
    before = dict(matplotlib.rcParams)
    axes = draw(log, used)
    pixels = drawn(axes)
    assert dict(matplotlib.rcParams) == before
    assert axes[0].figure.get_figwidth() == 3.5 and pixels.std() > 0.05
    assert axes[-1].get_xlabel() and all(ax.get_ylabel() for ax in axes[:2])


def test_the_users_axes_are_used(log):
    figure = matplotlib.figure.Figure()
    mine = figure.subplots(1, 2)
    assert plots.plot_history(log, mine)[0] is mine[0]
    with pytest.raises(ValueError, match="1 axes were given, this picture has 2 panels"):
        plots.plot_history(log, mine[:1])


def test_no_display_and_no_pyplot():
    code = "import sys, triqs_mlsolver.plots as p, json; print(json.dumps('matplotlib.pyplot' in sys.modules))"
    assert json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout) is False


@pytest.mark.parametrize("draw, message", [
    (lambda: plots.plot_reliability({"time": np.zeros(0)}), "no bound was checked"),
    (lambda: plots.plot_history({}), "log is empty"),
    (lambda: plots.plot_coverage(Database(None)), "no points"),
    (lambda: plots.plot_learning_curve(np.ones(3), {"a": np.ones((2, 5))}), "one row per training size"),
    (lambda: plots.plot_decision(Problem.siam(1, 1, 0, [0.0], [0.5]), Predictor().predict(
        Problem.siam(1, 1, 0, [0.0], [0.5]))), "no prediction to draw: 0 stored points"),
])  # fmt: skip
def test_nothing_to_draw(draw, message):
    with pytest.raises(ValueError, match=message):
        draw()


# -- commands ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["coverage", "history", "decision"])
@pytest.mark.parametrize("ending", ["png", "svg"])
def test_plot_commands_write_files(used, tmp_path, kind, ending):
    output = tmp_path / f"picture.{ending}"
    code, said = run("plot", kind, used, "-o", output)
    assert code == 0 and said == f"written: {output}"
    assert output.read_bytes().startswith(b"\x89PNG" if ending == "png" else b"<?xml")


def test_plot_reliability_command(used, tmp_path):
    code, said = run("plot", "reliability", f"{used}.log", "-o", tmp_path / "r.png")
    assert (code, said) == (0, f"written: {tmp_path / 'r.png'}")


@pytest.mark.parametrize("arguments, message", [
    (["plot", "coverage", "missing.h5"], "no database"),
    (["plot", "history", "missing.h5"], "missing.h5.log is not there"),
    (["plot", "decision", "USED", "--point", "99"], "holds points 0 to"),
    (["plot", "history", "USED", "-o", "a.xyz"], "xyz"),
    (["plot", "history", "USED", "-o", "nowhere/a.png"], "nowhere"),
    (["plot", "sunshine", "USED"], "No such command"),
    (["log", "missing.h5"], "missing.h5.log is not there"),
    (["report", "missing.h5"], "no database"),
    (["report", "USED", "-o", "nowhere/a.html"], "nowhere is no directory: create it"),
])  # fmt: skip
def test_mistakes_are_said_without_a_traceback(used, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    code, said = run(*[used if a == "USED" else a for a in arguments])
    assert code in (1, 2) and message in said and "Traceback" not in said


def test_log_command(used):
    code, said = run("log", used, "--last", "2")
    assert code == 0 and "12 solves" in said and "bound on G(tau) held in checked solves: " in said
    assert len(re.findall(r"\d\d:\d\d:\d\d", said)) == 2


class Outside(HTMLParser):
    """Collects what a page loads from elsewhere, and the tags left open."""

    def __init__(self):
        super().__init__()
        self.sources, self.open = [], []

    def handle_starttag(self, tag, attrs):
        self.sources += [value for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_report_is_self_contained(used, tmp_path):
    output = tmp_path / "report.html"
    assert run("report", used, "-o", output)[0] == 0
    text = output.read_text(encoding="utf-8")
    page = Outside()
    page.feed(text)
    assert page.open == [] and len(page.sources) >= 3
    assert all(source.startswith("data:image/png;base64,") for source in page.sources)
    assert f"{len(Database(used, read_only=True))} (0 removed)" in text and "12 solves" in text


def test_report_without_a_log(tmp_path, family):
    database = Database(tmp_path / "bare.h5")
    for U in (1.0, 1.5):
        database.add(family(U), ED().solve(family(U)))
    assert run("report", tmp_path / "bare.h5")[0] == 0
    text = (tmp_path / "bare.html").read_text(encoding="utf-8")
    assert "No decision log" in text and "No bound was checked" in text
