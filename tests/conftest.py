"""Let the tests import the helpers beside them: importlib mode puts no folder on the path."""

import signal
import sys
import zlib
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "tools")]

# A shell starts what runs in the background with SIGINT ignored, and so it would be for every
# process that a test starts and interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser):
    """Let a run take a part of the tests: together the turns 0/N to N-1/N take all of them."""
    parser.addoption("--turn", metavar="K/N", help="run the K-th of N parts (0/N is the first)")


def pytest_collection_modifyitems(config, items):
    """Keep the tests whose turn it is: by their names, so that a new one moves no other."""
    turn = config.getoption("--turn")
    if turn:
        index, count = map(int, turn.split("/"))
        mine = [item for item in items if zlib.crc32(item.nodeid.encode()) % count == index % count]
        config.hook.pytest_deselected(items=[item for item in items if item not in set(mine)])
        items[:] = mine


@pytest.fixture
def own_folder(tmp_path, monkeypatch):
    """Let a test work in an empty folder of its own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
