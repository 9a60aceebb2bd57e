# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
import dataclasses
import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from triqs_mlsolver import Database, DiscreteBath, Problem, Solution
from triqs_mlsolver.database import store
from triqs_mlsolver.decision.log import DecisionLog
from triqs_mlsolver.exact.ed import ED


def siam(i=0, **changes):
    rng = np.random.default_rng([7, i])
    parameters = {"beta": rng.uniform(2, 20), "U": rng.uniform(0, 5), "mu": rng.uniform(0, 3), "field": 0.1}
    parameters |= {"eps": rng.uniform(-1, 1, 2), "V": rng.uniform(0.2, 0.6, 2), **changes}
    return Problem.siam(**parameters)


def noisy(problem, seed=1, **provenance):
    """Any numbers of the right shapes, with every optional field."""
    rng = np.random.default_rng(seed)
    series = lambda: tuple(rng.normal(size=(problem.n_l, size, size)) for _, size in problem.gf_struct)
    matrices = lambda: tuple(rng.normal(size=(size, size)) for _, size in problem.gf_struct)
    N = problem.n_flavours
    return Solution(
        problem.beta,
        problem.gf_struct,
        series(),
        rng.uniform(0, 1, (N, N)),
        matrices(),
        matrices(),
        G_l_error=tuple(abs(a) for a in series()),
        nn_error=rng.uniform(0, 0.01, (N, N)),
        F_l=series(),
        F_l_error=tuple(abs(a) for a in series()),
        h_int=1.5,
        provenance={
            "solver": "segment",
            "version": "0.1",
            "seed": seed,
            "n_cycles": 1000,
            "average_sign": 0.9,
            **provenance,
        },
    )


def assert_same_solution(a, b):
    for f in dataclasses.fields(Solution):
        left, right = getattr(a, f.name), getattr(b, f.name)
        if f.name in ("provenance", "statistics", "gf_struct"):
            continue
        assert (left is None) == (right is None), f.name
        if isinstance(left, tuple):
            for x, y in zip(left, right, strict=True):
                np.testing.assert_allclose(x, y, rtol=1e-12, atol=1e-13, err_msg=f.name)
        elif left is not None:
            np.testing.assert_allclose(left, right, rtol=1e-12, err_msg=f.name)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "bethe.h5"


@pytest.fixture(params=["memory", "journal", "snapshot"])
def reopened(request, path):
    """A function that adds points and gives them back from another place."""

    def through(*points):
        db = Database(None if request.param == "memory" else path)
        for problem, solution in points:
            db.add(problem, solution)
        if request.param == "snapshot":
            db.compact()
            assert db.journal.names() == []
        return db if request.param == "memory" else Database(path, read_only=True)

    return through


def two_orbitals():
    rng = np.random.default_rng(3)
    bath = [DiscreteBath(rng.uniform(-1, 1, 3), rng.normal(size=(3, 2))) for _ in range(2)]
    U = np.array([[0, 1, 4, 2], [1, 0, 2, 4], [4, 2, 0, 1], [2, 4, 1, 0]], float)
    levels = (np.diag([-2.0, -2.1]), np.diag([-1.0, -1.5]) + 0.1 - 0.1 * np.eye(2))
    terms = ((0.5, (0, 2, 3, 1)), (0.25, (1, 3, 2, 0)))
    return Problem.from_bath(7.0, (("up", 2), ("down", 2)), levels, bath, U, terms)


@pytest.mark.parametrize("problem", [siam(), two_orbitals()], ids=["siam", "two orbitals"])
def test_everything_comes_back(reopened, problem):
    solution = noisy(problem)
    point = reopened((problem, solution))[0]
    canonical = problem.canonical()
    assert point.problem_id == point.problem.id == problem.id
    for name in ("h_loc0", "Delta_l"):
        for stored, asked in zip(getattr(point.problem, name), getattr(canonical, name), strict=True):
            np.testing.assert_array_equal(stored, asked)
    np.testing.assert_array_equal(point.problem.U, canonical.U)
    assert point.problem.terms == canonical.terms
    for stored, asked in zip(point.problem.bath, canonical.bath, strict=True):
        np.testing.assert_array_equal(stored.eps, asked.eps)
        np.testing.assert_array_equal(stored.V, asked.V)
    assert_same_solution(point.solution.in_units_of(problem), solution)
    assert (
        point.attributes | {"solver": "segment", "seed": 1, "n_cycles": 1000, "average_sign": 0.9} == point.attributes
    )
    assert point.unit == problem.unit and point.fidelity == "exact"
    assert {"host", "date", "package_version"} <= point.attributes.keys()


def test_missing_fields_stay_missing(reopened):
    problem = siam()
    solution = ED().solve(dataclasses.replace(problem))
    back = reopened((problem, solution))[0].solution
    assert back.G_l_error is None and back.nn_error is None
    assert_same_solution(back.in_units_of(problem), solution)


def test_the_answer_serves_any_unit_and_block_names(reopened):
    problem = siam(1)
    solution = ED().solve(problem)
    db = reopened((problem, solution))
    asked = dataclasses.replace(problem.scaled(2.7), gf_struct=(("dn", 1), ("u", 1))).permuted([1, 0])
    assert asked in db
    answer = db.find(asked)[0].solution.in_units_of(asked)
    expected = ED().solve(asked)
    tau = np.linspace(0, asked.beta, 11)
    np.testing.assert_allclose(answer.G_tau(tau), expected.G_tau(tau), atol=1e-9)
    assert answer.gf_struct == asked.gf_struct


def test_order_index_and_iteration(reopened):
    points = [(siam(i), noisy(siam(i), i)) for i in range(5)]
    db = reopened(*points)
    assert len(db) == 5
    assert [p.problem_id for p in db] == [problem.id for problem, _ in points]
    assert [p.index for p in db] == list(range(5))
    assert db[-1].id == db.ids[4] == db[db.ids[4]].id
    assert [p.index for p in db[1:4]] == [1, 2, 3]
    with pytest.raises(IndexError):
        db[5]
    with pytest.raises(KeyError, match="no point 'x'"):
        db["x"]


def test_the_same_run_is_stored_once_and_another_seed_again(path):
    db = Database(path)
    first = db.add(siam(), noisy(siam(), 1, seconds=1.0))
    assert db.add(siam(), noisy(siam(), 1, seconds=2.0)) == first
    assert len(db) == 1
    db.add(siam(), noisy(siam(), 2))
    db.add(siam(), noisy(siam(), 1, n_cycles=2000))
    db.add(siam(), noisy(siam(), 1, solver="cthyb"))
    db.add(siam(), noisy(siam(), 1), fidelity="ed-3")
    assert len(db) == len(Database(path)) == 5
    assert len(db.find(siam())) == 5


def test_noisy_answers_without_a_seed_are_told_apart():
    db = Database(None)
    for seed in (1, 2, 2):
        solution = noisy(siam(), seed)
        db.add(siam(), dataclasses.replace(solution, provenance=solution.provenance | {"seed": None}))
    assert len(db) == 2


def broken(solution, **changes):
    return dataclasses.replace(solution, **changes)


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda s: broken(s, G_l=(s.G_l[0] * np.nan, s.G_l[1])), r"G_l\[0\] .* NaN or infinity"),
        (lambda s: broken(s, nn=s.nn * np.inf), "nn .* NaN or infinity"),
        (lambda s: broken(s, F_l_error=(-s.F_l_error[0], s.F_l_error[1])), "negative error bars"),
        (lambda s: broken(s, beta=2 * s.beta), "do not belong together"),
        (lambda s: broken(s, G_l=tuple(g[:, 0, 0] for g in s.G_l)), r"G_l\[0\] .* has shape"),
        (lambda s: broken(s, Sigma_1=tuple(np.eye(2) for _ in s.G_l)), r"Sigma_1\[0\] .* has shape \(2, 2\)"),
        (lambda s: broken(s, G_l=tuple(1j * g for g in s.G_l)), "complex"),
        (lambda s: broken(s, nn=2 * np.ones((2, 2)), nn_error=None), r"outside \[0, 1\]"),
        (lambda s: broken(s, provenance={"converged": False}), "converged=False"),
        (lambda s: broken(s, gf_struct=(("up", 2),)), "do not belong together"),
    ],
)
def test_bad_answers_are_refused(path, change, message):
    db = Database(path)
    with pytest.raises(ValueError, match=message):
        db.add(siam(), change(noisy(siam())))
    assert len(db) == len(Database(path)) == 0


def test_attributes_are_plain(path):
    db = Database(path)
    with pytest.raises(TypeError, match="attribute 'when' is a set"):
        db.add(siam(), noisy(siam()), when={1})
    point = db.add(
        siam(), noisy(siam(), settings={"moves": np.array([1, 2]), "p": np.float64(0.5)}), label="a", rate=np.nan
    )
    again = Database(path)[0]
    assert again.attributes == point.attributes
    assert again.attributes["settings"] == {"moves": [1, 2], "p": 0.5}
    assert again.attributes["label"] == "a" and again.attributes["rate"] is None


def test_several_kinds_lie_in_one_file(path):
    one, two = Database(path), Database(path)  # both opened before it was there
    one.add(siam(), noisy(siam()))
    two.add(two_orbitals(), noisy(two_orbitals()))
    kinds = {"1+1 density-density": 1, "2+2 general": 1}
    for db in (two, Database(path)):
        db.refresh()
        assert db.kinds == kinds and {p.kind for p in db} == set(kinds)
    Database(path).compact()
    db = Database(path)
    assert db.kinds == kinds and db.journal.names() == []
    assert [p.problem_id for p in db.select(kind="2+2 general")] == [two_orbitals().id]
    assert db.info()["kinds"] == kinds


def test_tables_of_several_kinds(path):
    db = Database(path)
    for problem in (siam(0), two_orbitals(), siam(1)):
        db.add(problem, noisy(problem))
    t = db.table()
    assert t["nn"].shape == (3, 4, 4) and t["level"].shape == (3, 4)
    assert np.isnan(t["level"][[0, 2], 2:]).all() and np.isfinite(t["level"][1]).all()
    np.testing.assert_allclose(t["nn"][0, :2, :2], db[0].solution.nn)
    assert [p.index for p in db.select(density=(0, 1))] == [0, 1, 2]
    series = db.table(("G_l",))
    assert series["G_l_0"].shape[2:] == (2, 2) and np.isnan(series["G_l_0"][0, :, 1, 1]).all()


def test_files_that_knew_one_kind_only_are_read_and_go_on(tmp_path):
    """Written before a file could hold several."""
    shutil.copy(Path(__file__).parent / "data" / "format_1.h5", tmp_path / "old.h5")
    db = Database(tmp_path / "old.h5")
    assert db.kinds == {"1+1 density-density": 2} and [round(p.problem.U[0, 1]) for p in db] == [1, 2]
    db.add(two_orbitals(), noisy(two_orbitals()))
    db.compact()
    assert Database(tmp_path / "old.h5").kinds == {"1+1 density-density": 2, "2+2 general": 1}


def test_refresh_finds_what_others_added_before_and_after_a_compaction(path):
    mine, theirs = Database(path), Database(path)
    theirs.add(siam(0), noisy(siam(0)))
    assert [p.problem_id for p in mine.refresh()] == [siam(0).id]
    assert mine.refresh() == []
    theirs.add(siam(1), noisy(siam(1)))
    theirs.compact()
    theirs.add(siam(2), noisy(siam(2)))
    assert [p.problem_id for p in mine.refresh()] == [siam(1).id, siam(2).id]
    theirs.compact()
    assert mine.refresh() == [] and len(mine) == 3
    assert mine.ids == theirs.ids == Database(path).ids


def test_removals_are_recorded_and_can_be_undone(path):
    db, other = Database(path), Database(path)
    ids = [db.add(siam(i), noisy(siam(i))).id for i in range(4)]
    other.refresh()
    before = db.digest
    db.remove([ids[1], ids[2]], "failed audit")
    with pytest.raises(KeyError, match="nothing was removed"):
        db.remove([ids[0], "unknown"], "typo")
    for step in ("journal", "snapshot"):
        other.refresh()
        for view in (db, other, Database(path)):
            assert view.ids == [ids[0], ids[3]], step
            assert view.removed[ids[1]]["why"] == "failed audit"
            assert [p.index for p in view] == [0, 1]
            assert siam(1) not in view and ids[1] not in view
        db.compact()
    with pytest.raises(ValueError, match="failed audit.*restore"):
        db.add(siam(1), noisy(siam(1)))
    db.restore(ids[1], "the audit was wrong")
    db.restore(ids[2])
    db.compact()
    assert Database(path).digest == before and Database(path).removed == {}


def test_merge(path, tmp_path):
    other = Database(tmp_path / "other.h5")
    for i in range(4):
        other.add(siam(i), noisy(siam(i)))
    other.remove(other.ids[3], "bad")
    for target in (Database(path), Database(None)):
        target.add(siam(2), noisy(siam(2)))
        target.add(siam(9), noisy(siam(9)))
        assert target.merge(other if target.path is None else other.path) == 2
        assert len(target) == 4 and len(target.removed) == 1
        assert target.merge(other) == 0
    assert Database(path).digest == target.digest
    assert Database(path).journal.names() == []
    stranger = Database(None)
    stranger.add(two_orbitals(), noisy(two_orbitals()))
    assert target.merge(stranger) == 1 and target.kinds["2+2 general"] == 1


def test_digest_is_of_the_content():
    a, b = Database(None), Database(None)
    for i in (0, 1):
        a.add(siam(i), noisy(siam(i)), host="x", date="today")
    for i in (1, 0):
        b.add(siam(i), noisy(siam(i)), host="y", date="tomorrow")
    assert a.digest == b.digest
    a.add(siam(2), noisy(siam(2)))
    assert a.digest != b.digest


def test_table_and_select(reopened):
    problems = [siam(i, field=0.0) for i in range(6)]
    db = reopened(*[(p, noisy(p, i)) for i, p in enumerate(problems)])
    t = db.table()
    canonical = [p.canonical() for p in problems]
    np.testing.assert_allclose(t["beta"], [p.beta for p in canonical])
    np.testing.assert_allclose(t["U"], [p.U[0, 1] for p in canonical])
    np.testing.assert_allclose(t["x"], [p.x for p in canonical])
    np.testing.assert_allclose(t["density"], [q.solution.density for q in db])
    np.testing.assert_allclose(t["double_occupancy"], [q.solution.double_occupancy for q in db])
    assert t["id"].tolist() == db.ids and t["solver"].tolist() == ["segment"] * 6
    assert t["seed"].tolist() == [0, 1, 2, 3, 4, 5] and np.isnan(t["seconds"]).all()
    nodes, weights = np.polynomial.legendre.leggauss(300)
    s = db[2].solution
    mean = [np.sqrt(0.5 * weights @ e[:, 0, 0] ** 2) for e in s.G_tau_error(0.5 * s.beta * (nodes + 1))]
    np.testing.assert_allclose(t["error_bar"][2], max(mean), rtol=1e-6)
    series = db.table(["G_l"])
    assert series["G_l_0"].shape == (6, max(len(q.solution.G_l[0]) for q in db), 1, 1)
    for i, q in enumerate(db):
        np.testing.assert_array_equal(series["G_l_1"][i, : len(q.solution.G_l[1])], q.solution.G_l[1])
        assert not series["G_l_1"][i, len(q.solution.G_l[1]) :].any()
    low, high = np.sort(t["beta"])[[1, 3]]
    assert sorted(p.problem.beta for p in db.select(beta=(low, high))) == sorted(t["beta"])[1:4]
    assert [p.index for p in db.select(seed=(2, 4), solver="segment")] == [2, 3, 4]
    assert db.select(solver="ed") == []
    with pytest.raises(TypeError, match="Did you mean 'beta'"):
        db.select(bta=(0, 1))


def test_info(path):
    db = Database(path)
    assert db.info()["points"] == 0
    for i in range(3):
        db.add(siam(i), noisy(siam(i), i), fidelity="exact" if i else "ed-3")
    info = db.info()
    assert info["points"] == info["journal_files"] == 3
    assert info["solvers"] == {"segment 0.1": 3} and info["fidelities"] == {"ed-3": 1, "exact": 2}
    assert info["ranges"]["beta"] == (db.table()["beta"].min(), db.table()["beta"].max())
    assert info["snapshot_bytes"] == path.stat().st_size and info["journal_bytes"] > 3000
    json.dumps(info)


def test_nothing_is_created_before_the_first_point(path):
    assert len(Database(path)) == 0
    assert list(path.parent.iterdir()) == []
    with pytest.raises(FileNotFoundError, match="no database"):
        Database(path, read_only=True)
    Database(path).add(siam(), noisy(siam()))
    assert path.exists()


def test_bad_places(tmp_path):
    with pytest.raises(IsADirectoryError, match="give the name of a file"):
        Database(tmp_path)
    with pytest.raises(FileNotFoundError, match="nowhere of the database does not exist"):
        Database(tmp_path / "nowhere" / "a.h5")


def test_read_only_refuses_changes(path):
    point = Database(path).add(siam(), noisy(siam()))
    db = Database(path, read_only=True)
    calls = [
        lambda: db.add(siam(1), noisy(siam(1))),
        lambda: db.remove(point.id, "x"),
        db.compact,
    ]
    for call in [*calls, lambda: db.merge(Database(None)), lambda: db.save_replay(siam(), "x")]:
        with pytest.raises(PermissionError, match="read_only=True"):
            call()
    assert len(Database(path)) == 1


def test_a_long_journal_is_folded_at_the_next_opening(path, monkeypatch):
    monkeypatch.setattr(store, "_JOURNAL_LIMIT", 3)
    with Database(path) as db:
        for i in range(3):
            db.add(siam(i), noisy(siam(i)))
    assert len(db.journal.names()) == 3
    db.add(siam(3), noisy(siam(3)))
    Database(path, read_only=True)
    assert len(db.journal.names()) == 4
    assert len(Database(path)) == 4 and db.journal.names() == []


def test_readable_with_h5py_alone(path):
    db = Database(path)
    for i in range(3):
        db.add(siam(i), noisy(siam(i), i))
    db.compact()
    with h5py.File(path) as f:
        ends = f["header_end"][...], f["data_end"][...]
        header = json.loads(f["headers"][ends[0][0] : ends[0][1]].tobytes())
        numbers = f["data"][ends[1][0] : ends[1][1]]
        assert "header_end[k-1]" in f.attrs["readme"]
    start, found = 0, {}
    for name, shape in header["arrays"]:
        if isinstance(shape, str):
            found[name] = found[shape]
            continue
        found[name] = numbers[start : start + int(np.prod(shape))].reshape(shape)
        start += int(np.prod(shape))
    assert start == len(numbers)
    np.testing.assert_array_equal(found["G_l/1"], db[1].solution.G_l[1])
    np.testing.assert_array_equal(found["Delta_l/1"], db[1].problem.Delta_l[1])
    assert header["attributes"]["seed"] == 1


def test_replay(path):
    db = Database(path)
    problem = siam(4)
    name = db.save_replay(problem, "average sign 0.01", seed=5)
    back, note = store.read_replay(name)
    assert name.startswith(f"{path}.replay/")
    assert back == problem and back.beta == problem.beta and back.gf_struct == problem.gf_struct
    np.testing.assert_array_equal(back.bath[0].V, problem.bath[0].V)
    assert note == {"why": "average sign 0.01", "seed": 5}
    assert len(Database(path)) == 0
    assert Database(None).save_replay(problem, "x") is None


def test_decision_log(tmp_path):
    log = DecisionLog(tmp_path / "a.log")
    assert log.read() == {} and len(log) == 0
    log.append(source="model", bound=1e-3, ok=True)
    with open(log.path, "ab") as f:
        f.write(b'{"source": "torn')  # a crash in the middle of a line
    log.append(source="exact", seconds=2.0, ok=False, bound=np.float64("nan"))
    with open(log.path, "ab") as f:
        f.write(b'{"source": "to')
    t = DecisionLog(log.path).read()
    assert t["source"].tolist() == ["model", "exact"] and t["ok"].tolist() == [True, False]
    np.testing.assert_array_equal(t["bound"], [1e-3, np.nan])
    np.testing.assert_array_equal(t["seconds"], [np.nan, 2.0])
    assert np.all(np.diff(t["time"]) >= 0) and len(log) == 2


def test_exact_answers_supersede_cheap_ones(tmp_path):
    """Of each problem the best answer; the others stay."""
    db = Database(tmp_path / "db.h5")
    first, second = (Problem.siam(beta=5.0, U=U, mu=0.5, eps=[0.1], V=[0.4]) for U in (1.0, 2.0))
    noisy = lambda error: {"G_l_error": tuple(np.full((8, 1, 1), error) for _ in range(2))}
    answers = {p: ED().solve(p) for p in (first, second)}
    cheap = db.add(second, answers[second], fidelity="ed1")
    db.add(first, answers[first], fidelity="ed3")
    better = db.add(first, answers[first], fidelity="short")
    assert db.best_points() == [cheap, better]
    for seed, error in ((1, 0.2), (2, 0.1), (3, 0.3)):
        solution = dataclasses.replace(answers[first], provenance={"solver": "mc", "seed": seed}, **noisy(error))
        db.add(first, solution)
    assert [p.attributes.get("seed") for p in db.best_points()] == [0, 2] and len(db) == 6
    assert len(db.find(first)) == 5 and Database(None).best_points() == []
