"""The limit: moving the bytes that a job must move, and no arithmetic worth the name.

# Design: pieces that fit into a core's cache, so that a second output costs no second read of the
# input. NumPy copies on one thread; Python threads make it several, since NumPy releases the GIL.
# Starting them costs some 50 µs a call, so the limit on several threads is one only for sizes that
# take much longer.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial

import numpy as np

import threads
from job import Job

PIECE = 1 << 14


def move(job: Job, start: int, stop: int) -> None:
    """Read and write what the job reads and writes between two positions."""
    for i in range(start, stop, PIECE):
        piece = slice(i, min(i + PIECE, stop))
        if job.quantity == "s4_backward":
            np.add(job.x[piece], job.grad[piece], out=job.out[0][piece])
            continue
        np.copyto(job.out[0][piece], job.x[piece])
        if job.quantity == "s4_value_dx":
            np.copyto(job.out[1][piece], job.x[piece])


@cache
def workers(count: int) -> ThreadPoolExecutor:
    """Keep one pool for all jobs."""
    return ThreadPoolExecutor(count)


def single(job: Job) -> Callable[[], None]:
    """Prepare the copy on the calling thread."""
    return partial(move, job, 0, job.x.size)


def threaded(job: Job) -> Callable[[], None]:
    """Prepare the copy in equal shares, one a thread."""
    count = threads.limit()
    if job.x.size < count * PIECE:
        return single(job)
    pool = workers(count)
    bounds = [job.x.size * i // count for i in range(count + 1)]

    def call() -> None:
        list(pool.map(partial(move, job), bounds[:-1], bounds[1:]))

    return call
