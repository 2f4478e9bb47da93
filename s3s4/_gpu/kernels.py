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

Sixteen bytes are eight halves, which a thread holds as floats at the same time.
"""


def width(dtype: Any) -> int:
    """Elements of 16 bytes."""
    return ALIGNMENT // np.dtype(dtype).itemsize


@cache
def texts(dtype: Any, uniform: bool) -> dict[str, Any]:
    """The Python functions of a type's kernels.

    Parameters
    ----------
    dtype : type
        That of the arrays in memory.
    uniform : bool
        Whether parameters are numbers of usual size.

    Returns
    -------
    dict
    """
    real = FLOATS[dtype]
    build: Any = _formulas_gpu.build
    built: dict[str, Any] = build(
        cuda, inline, dtype, real, memory_access(dtype), primitives(real, uniform), THREADS
    )
    return built


@cache
def kernel(name: str, dtype: Any, uniform: bool = False) -> Any:
    """A kernel that compiles itself, or finds itself on disk, when it is first launched."""
    text = texts(dtype, uniform)[name]
    if SIMULATED:
        return cuda.jit(text)
    compiled = cuda.jit(max_registers=REGISTERS[dtype])(text)
    stored.keep(compiled, f"{name}, {np.dtype(dtype)}{', uniform' if uniform else ''}")
    return compiled
