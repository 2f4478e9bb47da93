"""Small results kept on disk between runs, one file an entry."""

# Design:
# - Reading or writing never raises: a cache that cannot be used is an empty one.
# - A file holds its own key. Its name is a digest of that, and a file that says otherwise, or
#   belongs to somebody else, is no entry.
# - A file appears under its name when it is complete, so that readers and writers need no lock.

import hashlib
import json
import os
import stat
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

SCHEMA = 1
LARGEST = 1 << 20
"""No entry has more bytes."""


def folder() -> Path | None:
    """Where entries are kept; None if this user has no such place."""
    chosen = os.environ.get("S3S4_CACHE_DIR")
    if chosen:
        return Path(chosen)
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA")
    elif sys.platform == "darwin":
        base = os.path.expanduser("~/Library/Caches")
    else:
        base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    # A relative path (or an unexpanded ~) would depend on where the process happens to be.
    return Path(base) / "s3s4" if base and os.path.isabs(base) else None


def load(key: Mapping[str, Any]) -> Any:
    """The value kept under a key, or None."""
    path = _path(key)
    if path is None:
        return None
    try:
        # Not blocking: what lies there may be a pipe.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with open(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            own = not hasattr(os, "getuid") or status.st_uid == os.getuid()
            if not (own and stat.S_ISREG(status.st_mode) and status.st_size <= LARGEST):
                return None
            entry = json.loads(file.read(LARGEST))
        if type(entry) is dict and entry["schema"] == SCHEMA and entry["key"] == dict(key):
            return entry["value"]
    except (OSError, ValueError, KeyError, RecursionError):
        pass
    return None


def store(key: Mapping[str, Any], value: Any) -> None:
    """Keep a value of JSON's types under a key of JSON's types, if that can be done."""
    path = _path(key)
    if path is None:
        return
    text = json.dumps({"schema": SCHEMA, "key": dict(key), "value": value}, indent=1)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(".tmp", path.stem, path.parent)
    except OSError:
        return
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, path)
    except BaseException as error:
        # The temporary file may be gone, or its folder be read-only by now. What is raised, or let
        # go, must be why the value was not written, and not that.
        with suppress(OSError):
            os.unlink(temporary)
        if not isinstance(error, OSError):
            raise


def _path(key: Mapping[str, Any]) -> Path | None:
    place = folder()
    digest = hashlib.sha256(json.dumps(dict(key), sort_keys=True).encode()).hexdigest()
    return place and place / f"{digest[:32]}.json"
