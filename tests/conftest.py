"""Let the tests import the helpers beside them: importlib mode puts no folder on the path."""

import signal
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "tools")]

# A shell starts what runs in the background with SIGINT ignored, and so it would be for every
# process that a test starts and interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def own_folder(tmp_path, monkeypatch):
    """Let a test work in an empty folder of its own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
