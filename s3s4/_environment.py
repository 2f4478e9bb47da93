"""How a wrong value in the environment is refused: as an exception, or as the command does it."""

# Design:
# - The package reads the environment when it is imported, before any code of its command runs. So
#   this is the one place that can spare the command's users a traceback.

import os
import sys
from typing import NoReturn


def refuse(error: Exception) -> NoReturn:
    """Raise an error, or print it and end where this process is the command ``s3s4``.

    Parameters
    ----------
    error : Exception
        Its message names the variable.
    """
    # The path of a script, or the module of `python -m`: sys.argv does not name that yet.
    program = sys.orig_argv[-len(sys.argv)] if sys.argv else ""
    if os.path.basename(program) != "s3s4":
        raise error
    print(f"s3s4: {error}", file=sys.stderr)
    raise SystemExit(2)
