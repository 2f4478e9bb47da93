"""The kernels: built from the generated text for a type, compiled when first launched."""

import struct
import threading
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from s3s4 import _formulas_gpu
from s3s4._gpu import driver, stored, toolchain
from s3s4._gpu.access import bfloat16, memory_access, of_bits
from s3s4._gpu.loops import AXES, TOTAL, Form, Loops
from s3s4._gpu.primitives import primitives
from s3s4._gpu.toolchain import ALIGNMENT, SIMULATED, cuda, inline

THREADS = 8 if SIMULATED else 256
FLOATS: dict[Any, type[np.generic]] = {
    np.float16: np.float32,
    bfloat16: np.float32,
    np.float32: np.float32,
    np.float64: np.float64,
}
"""Types in memory, and the types of their arithmetic."""
REGISTERS: dict[Any, int] = {np.float16: 64, bfloat16: 64, np.float32: 48, np.float64: 64}
"""What a thread may use: for five blocks at a time on a processor, four of the wider types.

Sixteen bytes are eight halves, which a thread holds as floats at the same time. Indices of 64 bits
take `WIDE_REGISTERS` more.
"""
WIDE_REGISTERS = 8
GRADIENT_REGISTERS = {np.float16: 80, bfloat16: 80, np.float32: 48, np.float64: 96}
"""What it may use for several gradients, which would spill: for three blocks, and two."""
NARROW = 1 << 30
"""Axes and strides below this are indexed with 32 bits: a product of two takes one instruction."""


def width(dtype: Any) -> int:
    """Elements of 16 bytes."""
    return ALIGNMENT // int(np.dtype(dtype).itemsize)


def wide(dtype: Any) -> Any:
    """What makes a number of the arithmetic of what lies in memory."""
    return of_bits if dtype is bfloat16 else FLOATS[dtype]


def registers(function: str, dtype: Any, index: Any = np.int32) -> int:
    """What a thread may use of the registers."""
    usual = GRADIENT_REGISTERS if function.endswith("_backward") else REGISTERS
    return usual[dtype] + (WIDE_REGISTERS if index is np.int64 else 0)


@cache
def elements(real: Any, uniform: bool, is_short: bool) -> dict[str, Any]:
    """The device functions of one element, and the primitives they are made of, for a type.

    Parameters
    ----------
    real : type
        That of the arithmetic.
    uniform : bool
        Whether parameters are numbers of usual size.
    is_short : bool
        Whether results are rounded to eleven bits or fewer.

    Returns
    -------
    dict
    """
    made: Any = _formulas_gpu.elements  # generated, without types
    known = primitives(real, uniform, is_short)
    return {**known, **made(inline, real, known)}


@cache
def text(
    function: str, form: Form, dtype: Any, uniform: bool = False, index: Any = np.int32
) -> Any:
    """The Python function of a kernel.

    Parameters
    ----------
    function : str
        What each element takes; of total none.
    form : Form
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
    # Terms of second derivatives cancel where the others' do not, and they are asked for seldom.
    is_second = function in _formulas_gpu.SECOND_DERIVATIVES
    made = elements(real, uniform, np.dtype(dtype).itemsize == 2 and not is_second)
    # The simulator looks for the module among a kernel's globals.
    names = {"cuda": cuda, "THREADS": THREADS, "real": real, "index": index}
    names |= {"add": made["add"], "wide": wide(dtype), **memory_access(dtype)}
    if form.loop == "total":
        source = "\n".join(TOTAL)
    else:
        names["element"] = made[f"{function}_element"]
        inputs, outputs = _formulas_gpu.FUNCTIONS[function]
        source = Loops(inputs, outputs, width(dtype), form).text
    exec(compile(source, f"<{function} {form}>", "exec"), names)  # text of loops.py's own
    return names[form.loop]


def kinds(outputs: int, form: Form, index: Any = np.int32) -> list[str]:
    """What a kernel takes, argument by argument.

    Returns
    -------
    list of str
        As the keys of `toolchain.KINDS`, whose values say how each is passed.
    """
    if form.loop == "total":
        return ["narrow", "sums", "flat"]
    sums = ["sums"] * (outputs - 1)
    ways = {"number": "real", "one": "flat", "each": "flat"}
    given = [ways.get(kind, "view") for kind in form.operands]
    if form.loop in ("flat", "sum"):
        return ["n", *given, "flat", *(sums if form.loop == "sum" else ["flat"] * len(sums))]
    step = "wide" if index is np.int64 else "narrow"
    if form.loop == "reduce":
        return ["narrow", *[step] * (len(AXES) // 2), *given, "view", *sums]
    return [*[step] * form.axes, *given, "view", *["view"] * len(sums)]


class Kernel:
    """A kernel that compiles itself, or finds itself on disk, when it is first launched.

    Parameters
    ----------
    python : callable
        Its text.
    taken : list of str
        Its arguments, as `kinds` says it.
    dtype : type
        That of the arrays in memory.
    registers : int
        What a thread may use.
    name : str
        What it is kept under on disk.
    """

    def __init__(
        self, python: Any, taken: Sequence[str], dtype: Any, registers: int, name: str
    ) -> None:
        self._kernel = toolchain.prepared(python, registers, stored.Kept(name))
        self._taken, self._memory, self._real = taken, np.dtype(dtype), np.dtype(FLOATS[dtype])
        real = self._real.char
        layout = "".join(toolchain.passed(kind).replace("r", real) for kind in taken)
        self._packing = struct.Struct(f"@{layout}")
        self._lock = threading.Lock()
        self._loaded: dict[int, tuple[Any, int]] = {}

    def blocks(self, device: int) -> int:
        """How many of its blocks the current device runs at a time.

        Parameters
        ----------
        device : int
            The current one.
        """
        return self._on(device)[1]

    def _on(self, device: int) -> tuple[Any, int]:
        found = self._loaded.get(device)
        if found is None:
            with self._lock:
                function = toolchain.loaded(self._kernel, self._taken, self._memory, self._real)
                blocks = 1 if SIMULATED else driver.most_blocks(function, THREADS, device)
                found = self._loaded[device] = function, blocks
        return found

    def launch(
        self, device: int, grid: tuple[int, int], stream: int, values: Sequence[Any]
    ) -> None:
        """Ask a stream of the current device for it.

        Parameters
        ----------
        device : int
            The current one.
        grid : tuple of int
            Blocks along two axes.
        stream : int
        values : sequence of int or float
            Those of the first argument, of the second and so on.
        """
        function, _ = self._on(device)
        if SIMULATED:
            function(grid, THREADS, values)
        else:
            driver.launch(function, grid, THREADS, stream, self._packing, values)


@cache
def kernel(
    function: str, form: Form, dtype: Any, uniform: bool = False, index: Any = np.int32
) -> Kernel:
    """The kernel of a function; see `text`."""
    name = f"{function}, {form}, {np.dtype(dtype)}, {index.__name__}, {uniform=}"
    python = text(function, form, dtype, uniform, index)
    outputs = _formulas_gpu.FUNCTIONS[function][1] if function else 1
    taken = kinds(outputs, form, index)
    return Kernel(python, taken, dtype, registers(function, dtype, index), name)
