"""Any program on the GPU that is not there: python run.py COMMAND ARGUMENT..."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from fakecuda import build

if __name__ == "__main__":
    os.execvpe(sys.argv[1], sys.argv[1:], os.environ | build.environment())
