"""The kernels: built from the generated text for a type, compiled when first launched."""

from functools import cache
from typing import Any

import numpy as np

from s3s4 import _formulas_gpu
from s3s4._gpu import stored
from s3s4._gpu.loops import TOTAL, Loops
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
REGISTERS: dict[type[np.generic], int] = {np.float16: 64, np.float32: 48, np.float64: 64}
"""What a thread may use: for five blocks at a time on a processor, four of the wider types.

Sixteen bytes are eight halves, which a thread holds as floats at the same time. Indices of 64 bits
take `WIDE_REGISTERS` more.
"""
WIDE_REGISTERS = 8
GRADIENT_REGISTERS = {np.float16: 80, np.float32: 48, np.float64: 96}
"""What it may use for several gradients, which would spill: for three blocks, and two."""
NARROW = 1 << 30
"""Axes and strides below this are indexed with 32 bits: a product of two takes one instruction."""


def width(dtype: Any) -> int:
    """Elements of 16 bytes."""
    return ALIGNMENT // int(np.dtype(dtype).itemsize)


def registers(function: str, dtype: Any, index: Any = np.int32) -> int:
    """What a thread may use of the registers."""
    usual = GRADIENT_REGISTERS if function.endswith("_backward") else REGISTERS
    return usual[dtype] + (WIDE_REGISTERS if index is np.int64 else 0)


@cache
def elements(real: Any, uniform: bool) -> dict[str, Any]:
    """The device functions of one element, and the primitives they are made of, for a type.

    Parameters
    ----------
    real : type
        That of the arithmetic.
    uniform : bool
        Whether parameters are numbers of usual size.

    Returns
    -------
    dict
    """
    made: Any = _formulas_gpu.elements  # generated, without types
    known = primitives(real, uniform)
    return {**known, **made(inline, real, known)}


@cache
def text(function: str, form: str, dtype: Any, uniform: bool = False, index: Any = np.int32) -> Any:
    """The Python function of a kernel.

    Parameters
    ----------
    function : str
        What each element takes.
    form : str
        shared, full, walk or reduce; or total, which adds up what reduce left, of no function.
    dtype : type
        That of the arrays in memory.
    uniform : bool
        Whether parameters are numbers of usual size.
    index : type
        That of an index along an axis of a strided array: 32 bits go up to `NARROW`.

    Returns
    -------
    callable
    """
    real: Any = FLOATS[dtype]
    made = elements(real, uniform)
    # The simulator looks for the module among a kernel's globals.
    names = {"cuda": cuda, "THREADS": THREADS, "storage": dtype, "real": real, "index": index}
    names |= {"add": made["add"], **memory_access(dtype)}
    if form == "total":
        source = TOTAL
    else:
        inputs, outputs = _formulas_gpu.FUNCTIONS[function]
        names["element"] = made[f"{function}_element"]
        source = Loops(inputs, outputs, width(dtype)).text(form)
    exec(compile(source, f"<{function} {form}>", "exec"), names)  # text of loops.py's own
    return names[form]


@cache
def kernel(
    function: str, form: str, dtype: Any, uniform: bool = False, index: Any = np.int32
) -> Any:
    """A kernel that compiles itself, or finds itself on disk, when it is first launched."""
    python = text(function, form, dtype, uniform, index)
    if SIMULATED:
        return cuda.jit(python)
    compiled = cuda.jit(max_registers=registers(function, dtype, index))(python)
    name = f"{function}, {form}, {np.dtype(dtype)}, {index.__name__}, {uniform=}"
    stored.keep(compiled, name)
    return compiled
