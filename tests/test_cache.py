"""What can happen to a file on disk, and that none of it reaches the user."""

import json
import multiprocessing
import os
from pathlib import Path

import pytest

from s3s4._measured import cache as _cache

KEY = {"version": "1", "processors": 2, "gpu": None}
VALUE = {"sizes": [1, 2, 3], "cutover": None, "text": "µ"}


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("S3S4_CACHE_DIR", str(tmp_path / "new" / "folder"))
    return tmp_path / "new" / "folder"


def entry(place):
    (path,) = place.iterdir()
    return path


def test_round_trip(place):
    assert _cache.load(KEY) is None
    _cache.store(KEY, VALUE)
    assert _cache.load(KEY) == VALUE
    assert _cache.load(dict(reversed(KEY.items()))) == VALUE
    _cache.store(KEY, 2)
    assert _cache.load(KEY) == 2
    assert entry(place).suffix == ".json"


@pytest.mark.parametrize("name", KEY)
def test_every_part_of_the_key_counts(place, name):
    _cache.store(KEY, VALUE)
    assert _cache.load({**KEY, name: "other"}) is None


def test_truncated_at_every_byte(place):
    _cache.store(KEY, VALUE)
    whole = entry(place).read_bytes()
    for length in range(len(whole)):
        entry(place).write_bytes(whole[:length])
        assert _cache.load(KEY) is None
    _cache.store(KEY, VALUE)
    assert _cache.load(KEY) == VALUE


@pytest.mark.parametrize(
    "content",
    [
        b"\x00\xff" * 100,
        b"[" * 100_000,
        b"null",
        b"[]",
        b"{}",
        b" " * (_cache.LARGEST + 1),
        json.dumps({"schema": _cache.SCHEMA, "key": KEY}).encode(),
        json.dumps({"schema": _cache.SCHEMA, "key": {}, "value": 1}).encode(),
        json.dumps({"schema": _cache.SCHEMA + 1, "key": KEY, "value": 1}).encode(),
    ],
    ids=["noise", "deep", "null", "list", "empty", "huge", "no value", "other key", "newer"],
)
def test_garbage(place, content):
    _cache.store(KEY, VALUE)
    entry(place).write_bytes(content)
    assert _cache.load(KEY) is None
    _cache.store(KEY, VALUE)
    assert _cache.load(KEY) == VALUE


def write(number):
    for _ in range(10):
        _cache.store(KEY, [number] * 1000)
        value = _cache.load(KEY)
        if value is None or len(set(value)) != 1 or len(value) != 1000:
            return False
    return True


def test_sixteen_processes(place):
    with multiprocessing.get_context("fork").Pool(16) as pool:
        assert all(pool.map(write, range(16), chunksize=1))
    assert entry(place).suffix == ".json"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_something_that_is_no_file(place):
    _cache.store(KEY, VALUE)
    path = entry(place)
    path.unlink()
    os.mkfifo(path)
    assert _cache.load(KEY) is None
    path.unlink()
    path.mkdir()
    assert _cache.load(KEY) is None
    _cache.store(KEY, VALUE)
    assert entry(place).is_dir()


def test_the_folder_is_a_file(place):
    place.parent.mkdir()
    place.write_text("")
    _cache.store(KEY, VALUE)
    assert _cache.load(KEY) is None


def test_a_folder_that_cannot_be_written(place, monkeypatch):
    _cache.store(KEY, VALUE)

    def refused(*arguments, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(_cache.tempfile, "mkstemp", refused)
    _cache.store(KEY, 2)
    monkeypatch.setattr(Path, "mkdir", refused)
    _cache.store(KEY, 3)
    assert _cache.load(KEY) == VALUE


def test_a_full_disk_leaves_nothing_behind(place, monkeypatch):
    _cache.store(KEY, VALUE)

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_cache.os, "replace", full)
    _cache.store(KEY, 2)
    assert _cache.load(KEY) == VALUE
    assert entry(place).suffix == ".json"


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="this system's files have no such owner")
def test_another_users_file(place, monkeypatch):
    _cache.store(KEY, VALUE)
    owner = os.getuid()
    monkeypatch.setattr(_cache.os, "getuid", lambda: owner + 1)
    assert _cache.load(KEY) is None


def test_no_home(monkeypatch):
    for name in ("S3S4_CACHE_DIR", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(_cache.os.path, "expanduser", lambda path: path)
    assert _cache.folder() is None
    _cache.store(KEY, VALUE)
    assert _cache.load(KEY) is None


def test_where_it_is(monkeypatch, tmp_path):
    monkeypatch.delenv("S3S4_CACHE_DIR", raising=False)
    monkeypatch.setattr(_cache.sys, "platform", "linux")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert _cache.folder() == tmp_path / ".cache" / "s3s4"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert _cache.folder() == tmp_path / "xdg" / "s3s4"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert _cache.folder() is None
    monkeypatch.setenv("S3S4_CACHE_DIR", str(tmp_path / "own"))
    assert _cache.folder() == tmp_path / "own"
