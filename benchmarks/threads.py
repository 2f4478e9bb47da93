"""The number of threads that every contender is held to.

# Design: the process keeps to so many processors before any library is imported, for JAX and the
# OpenMP runtimes size their pools once, by what they see then. Where a library also has a switch,
# its contender sets it.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

_fewer: list[int] = []


def hold(count: int) -> None:
    """Confine this process to so many of the processors that it may use."""
    usable = sorted(os.sched_getaffinity(0))
    if not 1 <= count <= len(usable):
        raise SystemExit(f"--threads: {count} is not between 1 and {len(usable)}")
    os.sched_setaffinity(0, usable[:count])


def limit() -> int:
    """Return how many threads a contender may use."""
    return _fewer[-1] if _fewer else len(os.sched_getaffinity(0))


@contextmanager
def only(count: int) -> Iterator[None]:
    """Prepare contenders for so many threads, which are no more than there are."""
    _fewer.append(count)
    try:
        yield
    finally:
        _fewer.pop()
