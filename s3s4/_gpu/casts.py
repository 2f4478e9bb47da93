"""Arrays of another type than the result's: copies of them, as NumPy's ufuncs make them."""

# Design:
# - A copy lies in memory that the stream itself takes and gives back: nobody waits, and nothing is
#   kept.

import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np

from s3s4._gpu import driver
from s3s4._gpu.access import BFLOAT16, bfloat16, memory_access
from s3s4._gpu.axes import as_they_lie, joined, padded
from s3s4._gpu.foreign import Operand, as_it_lies
from s3s4._gpu.kernels import FLOATS, THREADS, Kernel, wide
from s3s4._gpu.launches import index_type, steps_of
from s3s4._gpu.loops import AXES, advance, indented, length, listed, split, steps
from s3s4._gpu.toolchain import cuda

REGISTERS = 32


@contextmanager
def copied(array: Any, dtype: Any, stream: int) -> Iterator[Any]:
    """An array in a type, for what a stream is asked for within; numbers as they are.

    Parameters
    ----------
    array : Operand or number
    dtype : dtype
    stream : int

    Raises
    ------
    ValueError
        If it has more than four axes that do not run on in memory.
    """
    if not isinstance(array, Operand) or array.dtype == dtype:
        yield array
        return
    shape, size = array.shape, dtype.itemsize
    with driver.temporary(max(1, math.prod(shape)) * size, stream) as address:
        strides = as_it_lies(shape, array.strides, size)
        made = Operand(address, shape, strides, dtype, array.device, stream)
        if 0 not in shape:
            _copy(array, made, stream)
        yield made


def _copy(source: Operand, target: Operand, stream: int) -> None:
    order = as_they_lie(target.strides)
    lengths, strides = joined(
        [target.shape[axis] for axis in order],
        [[one.strides[axis] for axis in order] for one in (source, target)],
    )
    if len(lengths) > len(AXES):
        raise ValueError(f"on the GPU an array may have {len(AXES)} axes that do not run on")
    lengths = padded(lengths, len(AXES), 1)
    strides = [padded(one, len(AXES), 0) for one in strides]
    index = index_type(lengths, strides)
    made = _kernel(source.dtype.type, target.dtype.type, index)
    blocks = min(-(-math.prod(lengths) // THREADS), made.blocks(source.device))
    values = [
        *steps_of(blocks * THREADS, lengths, index),
        *source.passed(lengths, strides[0]),
        *target.passed(lengths, strides[1]),
    ]
    made.launch(source.device, (blocks, 1), stream, values)


def text(source: Any, target: Any, index: Any = np.int32) -> Any:
    """The Python function of the kernel that copies a type into another.

    Parameters
    ----------
    source, target : type
    index : type
    """
    indices = listed(AXES)
    lines = [
        f"def cast({listed(steps(AXES))}, source, out0):",
        *indented(split("cuda.grid(1)", AXES), 1),
        f"    while a < {length('a')}:",
        f"        put(out0, {indices}, wide(get(source, {indices})))",
        *indented(advance(AXES), 2),
    ]
    real: Any = wide(source) if source is bfloat16 else FLOATS[target]
    names = {"cuda": cuda, "index": index, "wide": real, **memory_access(target)}
    exec(compile("\n".join(lines), "<cast>", "exec"), names)  # text of this function's own
    return names["cast"]


def kinds(source: Any, index: Any = np.int32) -> list[str]:
    """What that kernel takes: see `kernels.kinds`."""
    step = "wide" if index is np.int64 else "narrow"
    return [step] * len(AXES) + [f"view:{np.dtype(source)}", "view"]


@cache
def _kernel(source: Any, target: Any, index: Any) -> Kernel:
    name = f"cast, {source.__name__}, {target.__name__}, {index.__name__}"
    return Kernel(text(source, target, index), kinds(source, index), target, REGISTERS, name)


def promoted(ufunc: np.ufunc, kinds: list[Any]) -> np.dtype:
    """The type in which NumPy computes a function.

    Parameters
    ----------
    ufunc : numpy.ufunc
        The same on the CPU.
    kinds : list of dtype or type
        Those of its inputs; `int` and `float` of Python's numbers.

    Raises
    ------
    TypeError
        If it is none that a GPU computes in.
    """
    known = [np.dtype(np.float32) if kind == BFLOAT16 else kind for kind in kinds]
    are_numbers = all(kind in (int, float) for kind in known[1:])
    of_integers = getattr(known[0], "kind", "") in "biu" and are_numbers
    try:
        dtype = (
            np.exp.resolve_dtypes((known[0], None))[-1]
            if of_integers
            else ufunc.resolve_dtypes((*known, *[None] * ufunc.nout))[-1]
        )
    except TypeError:
        names = ", ".join(str(getattr(kind, "__name__", kind)) for kind in kinds)
        raise TypeError(f"a GPU computes real numbers, not {names}") from None
    if dtype.type not in FLOATS:
        raise TypeError(f"a GPU computes float16, float32 and float64, not {dtype}")
    return dtype
