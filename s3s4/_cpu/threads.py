"""On how many threads the kernels run."""

# Design:
# - The default number of threads is what OpenMP would take, cut to the processors this process may
#   use and to its cgroup's quota: OpenMP knows nothing of quotas and would be throttled. Which
#   processors, OpenMP is asked: where it binds threads (OMP_PROC_BIND), this one is bound already.
# - A block's number belongs to the context, as that of `device()` does: a coroutine keeps its own.
#   The kernels know the calling thread's alone, which large calls set to that of their context.

import math
import os
import sys
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path

import numpy as np

from s3s4._block import Block
from s3s4._cpu.variant import kernels
from s3s4._environment import refuse

MOST: int = kernels.most_threads
"""The largest number of threads there can be."""
_of_block: ContextVar[int] = ContextVar("threads", default=0)
_outside: ContextVar[tuple[int, ...]] = ContextVar("threads outside", default=())


def set_num_threads(n: int) -> None:
    """Set the number of threads that large calls may use, in the whole process.

    They use fewer for a while when other work keeps the processors busy, so that waiting for a
    thread would take longer than its help saves.

    Parameters
    ----------
    n : int
        From 1 to 1024. It may exceed the number of processors.

    Raises
    ------
    TypeError, ValueError
        If n is no integer in that range.

    Examples
    --------
    >>> import s3s4
    >>> before = s3s4.get_num_threads()
    >>> s3s4.set_num_threads(1)
    >>> s3s4.get_num_threads()
    1
    >>> s3s4.set_num_threads(before)
    """
    kernels.set_process_threads(_checked_threads("n", n))


def get_num_threads() -> int:
    """The number of threads a large call made here and now may use.

    It is 1 in a forked child, inside another OpenMP parallel region, and wherever a library has
    limited OpenMP's threads (as threadpoolctl does) to 1.

    Returns
    -------
    int

    Examples
    --------
    >>> import s3s4
    >>> s3s4.get_num_threads() >= 1
    True
    """
    follow_block()
    return int(kernels.threads_now())


def threads(n: int) -> Block[int]:
    """Use n threads within a `with` block, for calls from this context alone.

    A coroutine or a Python thread that enters a block changes nothing for the others. Calls from C,
    and of the ufuncs themselves, know of no context: they follow the block that their Python
    thread has entered or left last. A block may be kept and entered again, and decorate a function.

    Parameters
    ----------
    n : int
        From 1 to 1024. Exactly as many are used, however busy the processors are.

    Raises
    ------
    TypeError, ValueError
        If n is no integer in that range.

    Examples
    --------
    >>> import s3s4
    >>> with s3s4.threads(1):
    ...     s3s4.get_num_threads()
    1
    """
    return Block(_of_block, _outside, _checked_threads("n", n), follow_block)


def follow_block() -> None:
    """Have the kernels use the number of this context's block when this thread calls them."""
    kernels.set_local_threads(_of_block.get())


def parallel_size(name: str, dtype: np.dtype) -> int:
    """The number of elements from which on a function of the table uses threads."""
    return int(kernels.parallel_size(name, dtype == np.float64, False))


def usual_parallel_size(name: str, dtype: np.dtype) -> int:
    """The same by the kernels' constant, before anything was measured."""
    return int(kernels.parallel_size(name, dtype == np.float64, True))


def set_parallel_size(name: str, dtype: np.dtype, n: int) -> None:
    """Set it for one function; all others of the dtype follow by the work they do."""
    kernels.set_parallel_size(name, dtype == np.float64, n)


def _checked_threads(name: str, n: object) -> int:
    if isinstance(n, bool) or not hasattr(n, "__index__"):
        raise TypeError(f"{name} must be an integer, not {type(n).__name__}")
    number = n.__index__()
    if not 1 <= number <= MOST:
        raise ValueError(f"{name} must be from 1 to {MOST}, not {number}")
    return int(number)


def default_threads(root: Path = Path("/")) -> int:
    """The number of threads to start with; `root` is where /proc and /sys are found."""
    wanted = os.environ.get("S3S4_NUM_THREADS")
    if wanted:
        try:
            return _checked_threads("S3S4_NUM_THREADS", min(int(wanted), MOST))
        except ValueError:
            refuse(ValueError(f"S3S4_NUM_THREADS must be an integer of at least 1, not {wanted!r}"))
    limits = [MOST, int(kernels.openmp_threads())]
    if not os.environ.get("OMP_NUM_THREADS"):
        limits.append(int(kernels.openmp_processors()))
        if sys.platform == "linux":
            limits += _quotas(root)
    return max(1, min(limits))


def _quotas(root: Path) -> Iterator[int]:
    """Processors' worth of time that the cgroups of this process allow, version 2 and 1."""
    folders = [root / "sys/fs/cgroup"]
    try:
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if not controllers or "cpu" in controllers.split(","):
                base = folders[0] / controllers
                own = base / path.lstrip("/")
                folders += [own, *(p for p in own.parents if p.is_relative_to(base))]
    except (OSError, ValueError):
        pass
    for folder in dict.fromkeys([*folders, folders[0] / "cpu"]):
        try:
            if (folder / "cpu.max").exists():
                quota, period = (folder / "cpu.max").read_text().split()
            else:
                quota = (folder / "cpu.cfs_quota_us").read_text()
                period = (folder / "cpu.cfs_period_us").read_text()
            if quota != "max" and int(quota) > 0:
                yield math.ceil(int(quota) / int(period))
        except (OSError, ValueError, ZeroDivisionError):
            continue


kernels.set_process_threads(default_threads())
