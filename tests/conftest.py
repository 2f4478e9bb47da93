"""Let the tests import the helpers beside them: importlib mode puts no folder on the path."""

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "tools")]


@pytest.fixture
def own_folder(tmp_path, monkeypatch):
    """Let a test work in an empty folder of its own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
