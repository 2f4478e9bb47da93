"""The kernels: built from the generated text for a type, compiled when first launched."""

from functools import cache
from typing import Any

import numpy as np

from s3s4 import _formulas_gpu
from s3s4._gpu import stored
from s3s4._gpu.primitives import primitives
from s3s4._gpu.toolchain import ALIGNMENT, SIMULATED, cuda, inline, memory_access

THREADS = 8 if SIMULATED else 256
BLOCKS_A_PROCESSOR = 8
FLOATS: dict[type[np.generic], type[np.generic]] = {
    np.float16: np.float32,
    np.float32: np.float32,
    np.float64: np.float64,
}
"""Types in memory, and the types of their arithmetic."""
REGISTERS: dict[type[np.generic], int] = {np.float16: 56, np.float32: 48, np.float64: 64}
"""What a thread may use: for five blocks at a time on a processor, four of the wider types.

Sixteen bytes are eight halves, which a thread holds as floats at the same time. Indices of 64 bits
take `WIDE_REGISTERS` more.
"""
WIDE_REGISTERS = 8
NARROW = 1 << 30
"""Axes and strides below this are indexed with 32 bits: a product of two takes one instruction."""


def width(dtype: Any) -> int:
    """Elements of 16 bytes."""
    return ALIGNMENT // int(np.dtype(dtype).itemsize)


def registers(dtype: Any, index: Any = np.int32) -> int:
    """What a thread may use of the registers."""
    return REGISTERS[dtype] + (WIDE_REGISTERS if index is np.int64 else 0)


@cache
def texts(dtype: Any, uniform: bool, index: Any = np.int32) -> dict[str, Any]:
    """The Python functions of a type's kernels.

    Parameters
    ----------
    dtype : type
        That of the arrays in memory.
    uniform : bool
        Whether parameters are numbers of usual size.
    index : type
        That of an index along an axis of a strided array: 32 bits go up to `NARROW`.

    Returns
    -------
    dict
    """
    real = FLOATS[dtype]
    build: Any = _formulas_gpu.build
    built: dict[str, Any] = build(
        cuda, inline, dtype, real, index, memory_access(dtype), primitives(real, uniform), THREADS
    )
    return built


@cache
def kernel(name: str, dtype: Any, uniform: bool = False, index: Any = np.int32) -> Any:
    """A kernel that compiles itself, or finds itself on disk, when it is first launched."""
    text = texts(dtype, uniform, index)[name]
    if SIMULATED:
        return cuda.jit(text)
    compiled = cuda.jit(max_registers=registers(dtype, index))(text)
    stored.keep(compiled, f"{name}, {np.dtype(dtype)}, {index.__name__}, {uniform=}")
    return compiled
