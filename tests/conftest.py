"""Let the tests import the helpers beside them: importlib mode puts no folder on the path."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "tools")]
