"""What docstrings refer to in other projects: inventories for intersphinx, written here.

# Design: real inventories would have to be fetched, and a build without a network is to link too.
"""

import tempfile
import zlib
from pathlib import Path

PROJECTS = {
    "python": "https://docs.python.org/3/",
    "numpy": "https://numpy.org/doc/stable/",
    "matplotlib": "https://matplotlib.org/stable/",
}
OBJECTS = {
    "python": {
        "TypeError": ("py:exception", "library/exceptions.html#TypeError"),
        "ValueError": ("py:exception", "library/exceptions.html#ValueError"),
        "RuntimeError": ("py:exception", "library/exceptions.html#RuntimeError"),
        "NotImplementedError": ("py:exception", "library/exceptions.html#NotImplementedError"),
    },
    "numpy": {
        "numpy.ndarray": ("py:class", "reference/generated/numpy.ndarray.html#numpy.ndarray"),
        "numpy.ufunc": ("py:class", "reference/generated/numpy.ufunc.html#numpy.ufunc"),
    },
    "matplotlib": {
        "matplotlib.axes.Axes": ("py:class", "api/_as_gen/matplotlib.axes.Axes.html#$"),
    },
}
"""By project and name: what it is, and where it is documented."""


def mapping() -> dict[str, tuple[str, str]]:
    """Return what intersphinx is told: each project's address, and the file of its inventory."""
    folder = Path(tempfile.mkdtemp(prefix="s3s4-site-"))
    found = {}
    for project, address in PROJECTS.items():
        head = f"# Sphinx inventory version 2\n# Project: {project}\n# Version: \n"
        head += "# The remainder of this file is compressed using zlib.\n"
        lines = [f"{n} {what} 1 {at} -\n" for n, (what, at) in OBJECTS[project].items()]
        (folder / project).write_bytes(head.encode() + zlib.compress("".join(lines).encode()))
        found[project] = (address, str(folder / project))
    return found
