# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Crashes, full disks, foreign files: nothing whose `add` returned is ever lost, and nothing bad is served."""

import contextlib
import errno
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import warnings

import h5py
import numpy as np
import pytest

from triqs_mlsolver import Database, Problem, Solution
from triqs_mlsolver.database import DatabaseError, compaction, files, lock, snapshot
from triqs_mlsolver.database.lock import Lock, Locked

PROBLEM = Problem.siam(beta=5.0, U=2.0, mu=0.7, eps=[-0.5, 0.5], V=[0.35, 0.35])


def answer(seed):
    """Cheap numbers that tell from which seed they are."""
    G = np.full((PROBLEM.n_l, 1, 1), float(seed))
    one = (np.eye(1), np.eye(1))
    provenance = {"solver": "fake", "version": "1", "seed": seed}
    return Solution(PROBLEM.beta, PROBLEM.gf_struct, (G, -G), np.full((2, 2), 0.25), one, one, provenance=provenance)


def assert_intact(db, seeds):
    """Exactly these points, each once, with the right numbers."""
    assert len(db.ids) == len(set(db.ids))
    assert sorted(p.attributes["seed"] for p in db) == sorted(seeds)
    for p in db:
        np.testing.assert_allclose(p.solution.in_units_of(PROBLEM).G_l[0], p.attributes["seed"], rtol=1e-12)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "bethe.h5"


@pytest.fixture
def db(path):
    db = Database(path)
    for seed in range(3):
        db.add(PROBLEM, answer(seed))
    return db


# -- killed processes --------------------------------------------------------------------------------------------------


def fork(work, *args) -> int:
    """Run work(*args) in a child process that never returns into the tests."""
    child = os.fork()
    if child:
        return child
    try:
        work(*args)
    except BaseException:
        import traceback

        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def keep_adding(path, first_seed, acknowledged):
    db = Database(path)
    for seed in range(first_seed, first_seed + 10_000):
        db.add(PROBLEM, answer(seed))
        os.write(acknowledged, b"%d\n" % seed)


def keep_compacting(path):
    while True:
        try:
            Database(path).compact()
        except Locked as error:  # only by a living one
            raise AssertionError from error
        time.sleep(0.005)


def run_killed_writers(directory, kills, seed=0, n_writers=4):
    """Writers and a compactor at work, one of them shot at random, `kills` times; path and what was acknowledged."""
    rng = np.random.default_rng(seed)
    path, log = os.path.join(directory, "bethe.h5"), os.path.join(directory, "acknowledged")
    acknowledged = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    starts = iter(range(0, 10**9, 10_000))
    new_writer = lambda: fork(keep_adding, path, next(starts), acknowledged)
    workers = [(new_writer(), new_writer) for _ in range(n_writers)]
    new_compactor = lambda: fork(keep_compacting, path)
    workers.append((new_compactor(), new_compactor))
    try:
        for _ in range(kills):
            time.sleep(rng.uniform(0.002, 0.1))
            victim = int(rng.integers(len(workers)))
            child, renew = workers[victim]
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
            assert os.WIFSIGNALED(status), "a worker had died of an error of its own before it was killed"
            workers[victim] = (renew(), renew)
    finally:
        for child, _ in workers:
            with contextlib.suppress(
                ProcessLookupError, ChildProcessError
            ):  # one that died of its own leaves the others
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
        os.close(acknowledged)
    return path, [int(line) for line in pathlib.Path(log).read_text().split()]


def check_killed_writers(path, acknowledged):
    """Nothing lost, nothing twice, nothing corrupt; and the next compaction takes over a dead owner's lock."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a skipped file would warn
        db = Database(path)
        stored = [p.attributes["seed"] for p in db]
        assert set(acknowledged) <= set(stored)
        assert_intact(db, stored)
        db.compact()
        assert db.journal.names() == []
        assert Database(path).digest == db.digest
        assert len(Database(path)) == len(stored)
    return len(stored)


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_killed_writers_and_compactors_lose_nothing(tmp_path):
    path, acknowledged = run_killed_writers(tmp_path, kills=60)
    assert len(acknowledged) > 50
    check_killed_writers(path, acknowledged)


STEPS = [
    ("write", 1),
    ("write", 5),
    ("fsync", 1),
    ("fsync", 2),
    ("fsync", 3),
    ("replace", 1),
    ("unlink", 1),
    ("unlink", 3),
]


class Crash(BaseException):
    """Stands for the death of the process."""


@pytest.mark.parametrize("step, nth", STEPS)
def test_a_compaction_that_dies_at_any_step_loses_nothing(path, db, monkeypatch, step, nth):
    db.compact()
    for seed in range(3, 6):
        db.add(PROBLEM, answer(seed))
    calls, real = [], getattr(os, step)

    def dying(*args, **kwargs):
        calls.append(args)
        if len(calls) >= nth:
            raise Crash
        return real(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(os, step, dying)
        with pytest.raises(Crash):
            db.compact()
    assert_intact(Database(path), range(6))
    files.remove_if_there(f"{path}.lock")  # ours: this process is alive
    Database(path).compact()
    assert_intact(Database(path), range(6))


def test_reading_while_entries_are_folded(path, db, monkeypatch):
    """The reader has listed the journal; before it opens an entry, all are folded into a new snapshot."""
    original, done = snapshot.record_from_file, []

    def folded_first(name):
        if not done:
            done.append(name)
            with monkeypatch.context() as patch:
                patch.setattr(snapshot, "record_from_file", original)
                db.compact()
        return original(name)

    monkeypatch.setattr(snapshot, "record_from_file", folded_first)
    assert_intact(Database(path), range(3))
    assert done


# -- durability --------------------------------------------------------------------------------------------------------


def test_file_and_directory_are_synced_before_add_returns(path, db, monkeypatch):
    """The order of calls; a kill cannot show it, since the page cache survives a process."""
    calls = []
    real_open, real_fsync, real_replace = os.open, os.fsync, os.replace
    names = {}

    def opened(name, *args, **kwargs):
        descriptor = real_open(name, *args, **kwargs)
        names[descriptor] = os.fspath(name)
        return descriptor

    def synced(descriptor):
        calls.append(("fsync", names[descriptor]))
        real_fsync(descriptor)

    def replaced(source, target):
        calls.append(("replace", source, target))
        real_replace(source, target)

    monkeypatch.setattr(os, "open", opened)
    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    db.add(PROBLEM, answer(3))
    journal = f"{path}.journal"
    (first, temporary), (second, source, target), (third, directory) = calls
    assert (first, second, third) == ("fsync", "replace", "fsync")
    assert temporary == source and os.path.dirname(target) == directory == journal


TRACED = """
import os, sys
sys.path.insert(0, {tests!r})
from test_database_faults import PROBLEM, Database, answer
db = Database({path!r})
db.add(PROBLEM, answer(0))
os.write(1, b"first add returned")
db.add(PROBLEM, answer(1))
os.write(1, b"second add returned")
db.compact()
os.write(1, b"compaction returned")
"""


def test_trace_of_system_calls(path, tmp_path):
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    trace = tmp_path / "trace"
    code = TRACED.format(tests=os.path.dirname(os.path.abspath(__file__)), path=str(path))
    command = [
        "strace",
        "-f",
        "-y",
        "-o",
        str(trace),
        "-e",
        "trace=fsync,write,rename,renameat,renameat2,unlink,unlinkat",
    ]
    run = subprocess.run([*command, sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    if not trace.exists() or "ptrace" in run.stderr:
        pytest.skip(f"strace may not trace here: {run.stderr.strip()[-100:]}")
    assert run.returncode == 0, run.stderr
    text = trace.read_text()
    between = text[text.index("first add returned") : text.index("second add returned")]
    journal = re.escape(f"{path}.journal")
    order = re.compile(
        rf"write\(\d+<({journal}/\.[^>]*)>.*?fsync\(\d+<\1>\) = 0.*?"
        rf"rename\w*\(.*?\"\1\".*?\) = 0.*?fsync\(\d+<{journal}>\) = 0",
        re.S,
    )
    assert order.search(between), between
    folding = text[text.index("second add returned") : text.index("compaction returned")]
    parent = re.escape(str(path.parent))
    order = re.compile(
        rf"fsync\(\d+<({parent}/\.[^>]*)>\) = 0.*?rename\w*\(.*?\"\1\".*?\) = 0.*?"
        rf"fsync\(\d+<{parent}>\) = 0.*?unlink\w*\(.*?{journal}/0",
        re.S,
    )
    assert order.search(folding), folding


# -- disks -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 300 kB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(place)], capture_output=True, text=True
    )
    if mount.returncode:
        pytest.skip(f"no small file system can be mounted here: {mount.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_full_disk(small_disk):
    path = small_disk / "bethe.h5"
    db, stored = Database(path), []
    with pytest.raises(OSError, match="No space left.*intact.*Free some space") as error:
        for seed in range(10_000):
            db.add(PROBLEM, answer(seed))
            stored.append(seed)
    assert error.value.errno == errno.ENOSPC and str(small_disk) in str(error.value)
    assert len(stored) > 5
    assert_intact(db, stored)
    assert_intact(Database(path), stored)
    with pytest.raises(OSError, match="No space left.*intact"):
        db.compact()
    assert not [name for name in os.listdir(small_disk) if files.is_temporary(name) or name.endswith(".lock")]
    assert_intact(Database(path), stored)


def test_a_disk_that_fills_up_in_the_middle_of_a_compaction(small_disk, monkeypatch):
    """HDF5 alone would crash the process here."""
    path = small_disk / "bethe.h5"
    db = Database(path)
    for seed in range(6):
        db.add(PROBLEM, answer(seed))
    monkeypatch.setattr(compaction, "_check_space", lambda *args: None)
    free, failures = shutil.disk_usage(small_disk).free, 0
    for left in (0, 4096, 8192, 12288, 16384):
        (small_disk / "ballast").write_bytes(bytes(max(free - left, 0)))
        try:
            db.compact()
        except OSError as error:
            assert error.errno == errno.ENOSPC
            failures += 1
        (small_disk / "ballast").unlink()
        assert_intact(Database(path), range(6))
    assert failures >= 2
    db.compact()
    assert_intact(Database(path), range(6))


@pytest.mark.parametrize("call", ["write", "fsync", "replace"])
def test_failing_system_calls(path, db, monkeypatch, call):
    def failing(*args):
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    with monkeypatch.context() as patch:
        patch.setattr(os, call, failing)
        with pytest.raises(OSError, match="storing the point failed.*quota.*intact"):
            db.add(PROBLEM, answer(3))
    assert_intact(db, range(3))
    assert_intact(Database(path), range(3))
    assert not [name for name in os.listdir(f"{path}.journal") if files.is_temporary(name)]
    db.add(PROBLEM, answer(3))
    assert_intact(Database(path), range(4))


def test_read_only_directory():
    """As an ordinary user, since root may write everywhere."""
    place = tempfile.mkdtemp()
    try:
        path = os.path.join(place, "bethe.h5")
        Database(path).add(PROBLEM, answer(0))
        os.chmod(f"{path}.journal", 0o555)
        os.chmod(place, 0o555)
        reader, writer = os.pipe()

        def visit():
            if os.getuid() == 0:
                os.setuid(65534)
            db = Database(path)
            assert_intact(db, [0])
            for act in (lambda: db.add(PROBLEM, answer(1)), db.compact, lambda: db.remove(db.ids, "x")):
                try:
                    act()
                except PermissionError as error:
                    os.write(writer, f"{error}\n".encode())
            assert_intact(db, [0])

        _, status = os.waitpid(fork(visit), 0)
        os.close(writer)
        messages = os.read(reader, 10_000).decode().splitlines()
        os.close(reader)
        assert status == 0 and len(messages) == 3
        assert all("may not write there" in m and place in m for m in messages), messages
        assert_intact(Database(path, read_only=True), [0])
    finally:
        os.chmod(place, 0o755)
        os.chmod(f"{path}.journal", 0o755)
        shutil.rmtree(place)


# -- bad files ---------------------------------------------------------------------------------------------------------


def newer_version(name):
    with h5py.File(name, "r+") as f:
        f.attrs["format_version"] = 99


def foreign(name):
    os.unlink(name)
    with h5py.File(name, "w") as f:
        f["spectrum"] = np.arange(3)


def truncated(name):
    os.truncate(name, os.path.getsize(name) // 2)


def empty(name):
    os.truncate(name, 0)


def text(name):
    pathlib.Path(name).write_text("# my notes\n")


@pytest.mark.parametrize("harm", [newer_version, foreign, truncated, empty, text])
def test_bad_snapshots_are_refused_and_left_alone(path, db, harm):
    db.compact()
    db.add(PROBLEM, answer(3))
    harm(path)
    content = path.read_bytes()
    remedy = {newer_version: "upgrade", foreign: "choose another name"}.get(
        harm, "restore it from a copy, or move it away"
    )
    for attempt in (lambda: Database(path), lambda: Database(path, read_only=True), db.compact):
        with pytest.raises(DatabaseError, match=remedy) as error:
            attempt()
        assert str(path) in str(error.value)
    assert path.read_bytes() == content
    assert_intact(db, range(4))
    os.rename(path, f"{path}.bad")
    assert_intact(Database(path), [3])


def flipped(name):
    content = bytearray(pathlib.Path(name).read_bytes())
    where = content.index(np.float64(PROBLEM.U[0, 1] / PROBLEM.scale).tobytes())
    content[where] ^= 1
    pathlib.Path(name).write_bytes(content)


def newer_record(name):
    header = json.loads(snapshot.record_from_file(name).header) | {"format_version": 99}
    with h5py.File(name, "w") as f:
        f["header"] = np.frombuffer(json.dumps(header).encode(), "u1")
        f["data"] = np.zeros(3)


@pytest.mark.parametrize("harm", [newer_record, foreign, truncated, empty, text, flipped])
def test_bad_journal_files_are_skipped_by_name_and_kept(path, db, harm):
    bad = db.journal.path(db.journal.names()[1])
    harm(bad)
    content = pathlib.Path(bad).read_bytes()
    with pytest.warns(UserWarning, match=f"{re.escape(bad)} is skipped") as caught:
        served = Database(path)
    assert_intact(served, [0, 2])
    assert ("upgrade" in str(caught[0].message)) == (harm is newer_record)
    with pytest.warns(UserWarning, match=re.escape(bad)):
        served.compact()
    assert served.journal.names() == [os.path.basename(bad)] and pathlib.Path(bad).read_bytes() == content
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        served.refresh()  # told once is enough


def test_bad_event_is_skipped(path, db):
    db.remove(db.ids[0], "x")
    bad = next(name for name in db.journal.names() if name.endswith(".event"))
    pathlib.Path(db.journal.path(bad)).write_text('{"id": ')
    with pytest.warns(UserWarning, match=re.escape(bad)):
        assert_intact(Database(path), range(3))


def test_a_damaged_point_of_the_snapshot_is_left_out(path, db):
    db.compact()
    with h5py.File(path, "r+") as f:
        f["data"][f["data_end"][0] + 2] += 1.0
    with pytest.warns(UserWarning, match=f"1 points of {re.escape(str(path))} are damaged.*{db.ids[1]}"):
        served = Database(path)
    assert_intact(served, [0, 2])
    served.add(PROBLEM, answer(1))  # computed again
    served.compact()
    with pytest.warns(UserWarning, match="1 points"):
        assert_intact(Database(path), [0, 1, 2])


def test_file_locks_are_not_asked_for_and_named_when_they_bite(path, db):
    db.compact()
    with h5py.File(path, "r+", locking=True):  # somebody holds HDF5's exclusive lock
        env = {k: v for k, v in os.environ.items() if k != "HDF5_USE_FILE_LOCKING"}
        code = f"from triqs_mlsolver import Database; print(len(Database({str(path)!r})))"
        run = lambda **extra: subprocess.run(
            [sys.executable, "-c", code], env={**env, **extra}, capture_output=True, text=True
        )
        assert run().stdout == "3\n"
        forced = run(HDF5_USE_FILE_LOCKING="TRUE")
    assert "set HDF5_USE_FILE_LOCKING=FALSE" in forced.stderr and str(path) in forced.stderr


# -- the lock ----------------------------------------------------------------------------------------------------------


def test_only_one_compacts(path, db):
    with Lock(f"{path}.lock"):
        with pytest.raises(Locked, match=f"process {os.getpid()} on {socket.gethostname()}"):
            db.compact()
        db.add(PROBLEM, answer(3))  # adding does not care
    db.compact()
    assert_intact(Database(path), range(4))
    assert not os.path.exists(f"{path}.lock")


def owner(**changes):
    mine = {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "started": lock._started(os.getpid()),
        "time": time.time(),
    }
    return json.dumps(mine | changes)


def dead_pid():
    child = fork(lambda: None)
    os.waitpid(child, 0)
    return child


@pytest.mark.parametrize(
    "content, age, stale",
    [
        (lambda: owner(), 1e6, False),  # alive here: however old
        (lambda: owner(pid=dead_pid()), 0, True),
        (lambda: owner(started="1"), 0, True),  # a later process with the same pid
        (lambda: owner(host="elsewhere"), 100, False),
        (lambda: owner(host="elsewhere"), 1000, True),
        (lambda: "", 0, False),  # just being written
        (lambda: "", 100, True),
    ],
)
def test_stale_owners(tmp_path, content, age, stale):
    name = tmp_path / "x.lock"
    name.write_text(content())
    os.utime(name, (time.time() - age,) * 2)
    if stale:
        with Lock(str(name)) as held:
            held.beat()
        assert os.listdir(tmp_path) == []
    else:
        before = name.read_text()
        with pytest.raises(Locked, match="remove the file"), Lock(str(name)):
            pass
        assert name.read_text() == before and os.listdir(tmp_path) == ["x.lock"]


def test_a_lock_is_signed_from_its_first_moment_on(tmp_path, monkeypatch):
    name, seen, real = tmp_path / "x.lock", [], os.write

    def watched(*args):
        seen.append(name.exists())  # who dies here leaves no lock whose owner nobody knows
        return real(*args)

    monkeypatch.setattr(os, "write", watched)
    with Lock(str(name)):
        assert json.loads(name.read_text())["pid"] == os.getpid() and os.listdir(tmp_path) == ["x.lock"]
    assert seen == [False] and os.listdir(tmp_path) == []


@pytest.mark.parametrize("code", [errno.EPERM, errno.ENOTSUP])
def test_a_lock_where_files_have_one_name_only(tmp_path, monkeypatch, code):
    def refused(*args):
        raise OSError(code, os.strerror(code))

    name = str(tmp_path / "x.lock")
    monkeypatch.setattr(os, "link", refused)
    with Lock(name):
        assert os.listdir(tmp_path) == ["x.lock"]
        with pytest.raises(Locked), Lock(name):
            pass
    assert os.listdir(tmp_path) == []


def test_an_owner_that_lost_its_lock_gives_up(path, db, monkeypatch):
    before = Database(path).digest
    real = snapshot.write

    def robbed(*args):
        pathlib.Path(f"{path}.lock").write_text(owner(host="elsewhere"))
        return real(*args)

    monkeypatch.setattr(snapshot, "write", robbed)
    with pytest.raises(Locked, match="taken over by process"):
        db.compact()
    assert Database(path).digest == before and len(db.journal.names()) == 3


def test_lock_is_waited_for(tmp_path):
    name = str(tmp_path / "x.lock")

    def hold():
        with Lock(name):
            time.sleep(0.3)

    child = fork(hold)
    while not os.path.exists(name):
        time.sleep(0.01)
    with Lock(name, wait=20.0):
        pass
    assert os.waitpid(child, 0)[1] == 0


def test_leftovers_of_killed_writers_are_cleared(path, db):
    old, new = (files.temporary_name(os.path.join(f"{path}.journal", name)) for name in ("a.h5", "b.h5"))
    for name, age in ((old, 7200), (new, 0)):
        pathlib.Path(name).write_bytes(b"x")
        os.utime(name, (time.time() - age,) * 2)
    db.compact()
    assert not os.path.exists(old) and os.path.exists(new)
