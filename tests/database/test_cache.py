# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""The cache beside a database: what went in comes out, whatever happens to the file."""

from __future__ import annotations

import os

import numpy as np
import pytest

from triqs_mlsolver.database.cache import DescriptorCache

RANDOM = np.random.default_rng(5)
KIND = "1+1 density-density"
ARRAYS = {
    "0123456789abcdef0123": RANDOM.normal(size=400),
    "b": RANDOM.normal(size=(2, 7)),
    "c": np.array(1.5),
    "d": np.empty((0, 3)),
}


def same(found, expected):
    return found.keys() == expected.keys() and all(
        found[k].shape == expected[k].shape and np.array_equal(found[k], expected[k]) for k in expected
    )


@pytest.fixture
def cache(tmp_path):
    return DescriptorCache(tmp_path / "bethe.h5", KIND)


def test_what_went_in_comes_out(cache, tmp_path):
    assert cache.get(ARRAYS, "1") == {}
    for key, array in ARRAYS.items():
        cache.put({key: array}, "1")
    assert same(DescriptorCache(tmp_path / "bethe.h5", KIND).get([*ARRAYS, "unknown"], "1"), ARRAYS)
    assert list(cache.get(["b"], "1")) == ["b"]


def test_the_last_one_counts(cache):
    cache.put({"a": np.zeros(3)}, "1")
    cache.put({"a": np.ones(2)}, "1")
    assert same(cache.get(["a"], "1"), {"a": np.ones(2)})


def test_another_version_replaces_everything(cache):
    cache.put(ARRAYS, "1")
    assert cache.get(ARRAYS, "2") == {}
    cache.put({"b": np.ones(2)}, "2")
    assert same(cache.get(ARRAYS, "2"), {"b": np.ones(2)}) and cache.get(ARRAYS, "1") == {}


@pytest.mark.parametrize("kept", [1, 10, 47, 48, 60, 300])
def test_a_torn_record_costs_that_record_alone(cache, kept):
    cache.put({"b": ARRAYS["b"]}, "1")
    whole = os.path.getsize(cache.path)
    cache.put({"0123456789abcdef0123": ARRAYS["0123456789abcdef0123"]}, "1")
    os.truncate(cache.path, whole + kept)  # a crash in the middle of the write
    cache.put({"c": ARRAYS["c"]}, "1")
    assert same(cache.get(ARRAYS, "1"), {k: ARRAYS[k] for k in ("b", "c")})


def test_a_wrong_number_is_noticed(cache):
    cache.put(ARRAYS, "1")
    with open(cache.path, "r+b") as f:
        f.seek(-1000, os.SEEK_END)
        f.write(b"\x55" * 8)
    assert same(cache.get(ARRAYS, "1"), {k: v for k, v in ARRAYS.items() if len(k) == 1})


@pytest.mark.parametrize("content", [b"", b"something else\n", b"\x93MLC" * 40])
def test_foreign_files_are_no_cache(cache, content):
    with open(cache.path, "wb") as f:
        f.write(content)
    assert cache.get(ARRAYS, "1") == {}
    cache.put(ARRAYS, "1")
    assert same(cache.get(ARRAYS, "1"), ARRAYS)


def test_never_written_where_it_must_not_be(tmp_path):
    DescriptorCache(tmp_path / "bethe.h5", KIND, read_only=True).put(ARRAYS, "1")
    DescriptorCache(None, KIND).put(ARRAYS, "1")
    assert os.listdir(tmp_path) == [] and DescriptorCache(None, KIND).get(ARRAYS, "1") == {}


def test_a_place_that_cannot_be_written_is_a_warning(tmp_path):
    cache = DescriptorCache(tmp_path / "gone" / "bethe.h5", KIND)
    with pytest.warns(UserWarning, match="later starts take longer"):
        cache.put(ARRAYS, "1")


def test_what_cannot_be_cached_is_refused(cache):
    with pytest.raises(ValueError, match="up to 20 characters"):
        cache.put({"x" * 21: np.zeros(1)}, "1")


def test_each_kind_has_a_file_of_its_own(cache, tmp_path):
    cache.put(ARRAYS, "1")
    other = DescriptorCache(tmp_path / "bethe.h5", "2+2 general")
    other.put({"a": np.ones(2)}, "2")
    assert same(cache.get(ARRAYS, "1"), ARRAYS) and list(other.get(["a"], "2")) == ["a"]
    assert sorted(os.listdir(tmp_path)) == ["bethe.h5.1+1-density-density.cache", "bethe.h5.2+2-general.cache"]
