"""The CPU: which variant of the kernels runs, on how many threads, over which memory."""

# Design:
# - What the rest of the package may use is listed here.

from s3s4._cpu import arrays, openmp, outputs, threads, variant
from s3s4._cpu.arrays import FLOATS
from s3s4._cpu.threads import (
    get_num_threads,
    parallel_size,
    set_num_threads,
    set_parallel_size,
    usual_parallel_size,
)
from s3s4._cpu.variant import VARIANTS, kernels, load, ufuncs, version

__all__ = [
    "FLOATS",
    "VARIANTS",
    "arrays",
    "get_num_threads",
    "kernels",
    "load",
    "openmp",
    "outputs",
    "parallel_size",
    "set_num_threads",
    "set_parallel_size",
    "threads",
    "ufuncs",
    "usual_parallel_size",
    "variant",
    "version",
]
