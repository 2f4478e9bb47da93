"""Intel's MKL: its vector functions in the accuracy that is asked for."""

import ctypes
import os
from collections.abc import Callable
from functools import cache, partial
from importlib import metadata
from typing import Any

import numpy as np

import threads
from job import Job

FUNCTIONS = {"tanh": "Tanh"}
"""Its functions by the names of ours; the others would take several passes."""

LOW, HIGH = 1, 2


@cache
def library() -> ctypes.CDLL:
    """Load it with the OpenMP of the system, whose threads sleep soon after their work."""
    os.environ["MKL_THREADING_LAYER"] = "GNU"
    files = metadata.files("mkl") or []
    return ctypes.CDLL(str(next(f.locate() for f in files if f.name.startswith("libmkl_rt.so"))))


def prepare(accuracy: int, job: Job) -> Callable[[], Any]:
    """Prepare the job with the output given."""
    if job.quantity not in FUNCTIONS:
        raise NotImplementedError("it has no such function")
    mkl = library()
    kind = {"float64": "d", "float32": "s"}[job.x.dtype.name]
    function = getattr(mkl, f"vm{kind}{FUNCTIONS[job.quantity]}")
    count, out = threads.limit(), job.out[0]
    arguments = (
        ctypes.c_int(job.x.size),
        ctypes.c_void_p(job.x.ctypes.data),
        ctypes.c_void_p(out.ctypes.data),
        ctypes.c_longlong(accuracy),
    )
    held: Callable[[int], int] = mkl.MKL_Set_Num_Threads_Local

    def call() -> np.ndarray:
        before = held(count)
        function(*arguments)
        held(before)
        return out

    return call


low = partial(prepare, LOW)
high = partial(prepare, HIGH)
