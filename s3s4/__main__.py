"""The command, as ``python -m s3s4``."""

import sys

from s3s4._command.main import main

if __name__ == "__main__":
    sys.exit(main())
