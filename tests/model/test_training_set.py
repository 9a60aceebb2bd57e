# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Named rows, how they lie in a cache, and which of them belong together."""

from copy import deepcopy
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from triqs_mlsolver import Predictor, Problem
from triqs_mlsolver.database.cache import DescriptorCache
from triqs_mlsolver.exact.ed import ED
from triqs_mlsolver.model.features.descriptor import Descriptor, Kind
from triqs_mlsolver.model.features.labelled_rows import as_numbers, from_numbers, row_type
from triqs_mlsolver.model.features.training_set import ByProblem, TrainingSet, some_problems
from triqs_mlsolver.numerics import legendre

DESCRIPTOR, KIND = Descriptor(("hubbard_i",)), Kind(2, False)


@pytest.fixture(scope="module")
def solved():
    """Twenty problems with one bath level each side, and their answers."""
    rng = np.random.default_rng(5)
    problems = []
    for _ in range(20):
        U, eps = rng.uniform(0.5, 3.0), np.sort(rng.uniform(-0.8, 0.8, 2))
        problems.append(Problem.siam(8.0, U, U / 2 + rng.uniform(-0.3, 0.3), eps, [0.35, 0.35]))
    return [(p, ED().solve(p)) for p in problems]


# -- rows


def test_a_row_says_what_it_is_made_of(solved):
    problem, exact = solved[0]
    training, canonical = TrainingSet(DESCRIPTOR, KIND), problem.canonical()
    told = replace(exact, provenance={**exact.provenance, "G_tau_noise": 2e-3, "G_iw0_noise": 1e-3})
    training.append(training.rows_of(problem, told))
    (row,), description = training.rows, DESCRIPTOR.describe(canonical)
    assert np.array_equal(row["X"], description.rows[0].features) and row["amplitude"] == description.rows[0].amplitude
    assert (row["G_tau_error"], row["G_iw0_error"], row["noise"], row["source"]) == (2e-3, 1e-3, 0.0, 0.0)
    assert row["density"] == pytest.approx(exact.density[0]) and row["problem"] == int(canonical.id[:13], 16)
    G0, Sigma = exact.G_iw(1)[0][0, 0, 0] / problem.beta, exact.Sigma_iw(problem, 1)[0][0, 0, 0]
    assert row["G0"] == pytest.approx(G0) and row["sigma_unit"] == pytest.approx(np.pi - problem.beta * Sigma.imag)
    baseline = description.baseline
    change = legendre.resized(exact.G_l[0][:, 0, 0] / problem.beta - baseline.G_l[0][:, 0, 0] / canonical.beta, 20)
    assert np.allclose(row["y"][:20], change, atol=1e-12)


def test_every_field_is_an_attribute(solved):
    training = TrainingSet(DESCRIPTOR, KIND)
    for k, (problem, exact) in enumerate(solved[:3]):
        training.append(training.rows_of(problem, exact), "short" if k == 1 else "exact")
    for name in row_type(DESCRIPTOR, KIND).names:
        assert np.array_equal(getattr(training, name), training.rows[name]), name
    assert training.source.tolist() == [0, 1, 0] and training.cheap == ["short"] and training.source.dtype == int
    assert not hasattr(training, "label_error")
    training.X[0, 0] = 7.0
    assert training.rows["X"][0, 0] == 7.0, "a view"
    assert len(deepcopy(training)) == 3


def test_rows_and_lines_of_floats_are_the_same(solved):
    training = TrainingSet(DESCRIPTOR, KIND)
    rows = np.concatenate([training.rows_of(*pair) for pair in solved[:4]])
    lines = as_numbers(rows)
    assert lines.dtype == float and lines.shape == (4, training.row_type.itemsize // 8)
    assert np.array_equal(from_numbers(lines, training.row_type), rows)
    assert np.array_equal(from_numbers(np.asfortranarray(lines), training.row_type), rows), "in any order of bytes"
    n = len(training.layout.group)
    assert np.array_equal(lines[:, :n], rows["X"]) and np.array_equal(lines[:, -2], rows["problem"])
    assert np.array_equal(lines[:, -6:-4] @ [1, 1j], rows["G0"])


def test_the_set_grows_beyond_any_size(solved):
    training = TrainingSet(DESCRIPTOR, KIND)
    rows = training.rows_of(*solved[0])
    for k in range(150):
        rows["problem"] = k
        training.append(rows)
    assert len(training) == 150 and training.problem.tolist() == list(range(150))
    assert np.all(training.amplitude == rows["amplitude"])


# -- which belong together


def test_a_problem_counts_once_with_its_largest_error():
    problem, scale, error = (
        np.array([7, 2, 7, 2, 5]),
        np.array([1, 4, 3, 2, 9.0]),
        np.array([[6], [1], [2], [3], [8.0]]),
    )
    problems = ByProblem(problem)
    rows, largest = problems.row_of_largest(scale), problems.largest(error)
    assert rows.tolist() == [2, 1, 4] and largest.ravel().tolist() == [6, 3, 8]
    assert problems.largest(scale)[problems.place].tolist() == [3, 4, 3, 4, 9]
    assert problems.smallest(error).ravel().tolist() == [2, 1, 8] and len(problems) == 3
    scale[2] = np.nan  # of the first problem
    assert np.isnan(problems.largest(scale)).tolist() == [True, False, False]


def test_a_subset_holds_whole_problems():
    problem = np.random.default_rng(0).permutation(np.repeat(np.arange(50), 4))
    rows = some_problems(problem, 80, seed=1)
    assert len(rows) == 80 and set(np.unique(problem[rows], return_counts=True)[1]) == {4}


# -- caches of rows


class Memory(dict):
    """A cache of descriptors in memory."""

    def put(self, arrays, version):
        self.update({(key, version): value for key, value in arrays.items()})

    def get(self, ids, version):
        return {key: self[key, version] for key in ids if (key, version) in self}


class Point:
    def __init__(self, name, problem, solution):
        self.id, self.problem, self.solution = name, problem, solution


def test_a_cache_spares_the_cheap_solvers(solved, monkeypatch):
    points = [Point(str(i), *pair) for i, pair in enumerate(solved[:20])]
    cache = Memory()
    first = Predictor().fit(points, cache=cache)
    monkeypatch.setattr(type(first.descriptor_), "describe", lambda *_: pytest.fail("described again"))
    second = Predictor().fit(points, cache=cache)
    assert np.array_equal(first.training_.X, second.training_.X) and np.array_equal(
        first.training_.y, second.training_.y
    )
    assert not cache.get(["0"], Predictor(representation="ir").fit([]).training_)


def test_a_cache_on_disk_gives_the_same_model(solved, tmp_path):
    """What is read back from the file beside a database is what was computed, to the last digit."""
    points = [SimpleNamespace(id=f"{i:020d}", problem=p, solution=s) for i, (p, s) in enumerate(solved[:8])]
    cache = DescriptorCache(tmp_path / "some.h5", points[0].problem.id)
    first, second = (Predictor(approximations=("hubbard_i",)).fit(points, cache=cache) for _ in range(2))
    assert len(cache.get([p.id for p in points], first.training_.version)) == 8
    assert first.training_.rows.tobytes() == second.training_.rows.tobytes()
    a, b = (m.predict(solved[9][0]) for m in (first, second))
    assert a.error_bound == b.error_bound and np.array_equal(a.solution.G_l[0], b.solution.G_l[0])


def test_the_version_names_what_rows_depend_on():
    """The shipped cache is found by it: a new one means that every user computes all rows again."""
    versions = {TrainingSet(d, k).version for d in (DESCRIPTOR, Descriptor()) for k in (KIND, Kind(4, True))}
    assert len(versions) == 4 and all(len(v) == 16 for v in versions)
    assert TrainingSet(Descriptor(), KIND).version == TrainingSet(Descriptor(), KIND).version
