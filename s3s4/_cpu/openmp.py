"""OpenMP's runtime: how it is loaded, and which one it is."""

# Design:
# - libgomp's threads wait for their next loop, and loops for their threads, by looking again and
#   again, for up to 15 milliseconds. Beside other work those who are waited for cannot run because
#   of those who wait: 80 times slower than one thread. How long it looks, libgomp reads from the
#   environment when it is loaded, and that is with the kernels, unless another library was first.
# - What the user has set stays, and so does a runtime that is there already.

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

SPIN = 50e-6
"""Seconds: longer than from one call to the next, and than the last task of a loop."""
COUNT = "GOMP_SPINCOUNT"


@contextmanager
def patience(seconds_of_a_spin: Callable[[], float]) -> Iterator[None]:
    """While libgomp is loaded, have it find in the environment how long to wait.

    Parameters
    ----------
    seconds_of_a_spin : callable
        Measures how long it takes libgomp to look once.
    """
    if os.environ.keys() & {COUNT, "OMP_WAIT_POLICY"}:
        yield
        return
    os.environ[COUNT] = str(round(SPIN / seconds_of_a_spin()))
    try:
        yield
    finally:
        del os.environ[COUNT]


def runtime(version: int) -> str | None:
    """The OpenMP runtime in this process, if the kernels were built with OpenMP.

    Parameters
    ----------
    version : int
        The version of OpenMP they were built with, or 0.
    """
    if not version:
        return None
    try:
        maps = Path("/proc/self/maps").read_text()
    except OSError:
        return f"OpenMP {version}"
    loaded = {Path(line.split()[-1]).name for line in maps.splitlines() if "omp" in line}
    return ", ".join(sorted(n for n in loaded if n.startswith(("libgomp", "libomp", "libiomp"))))
