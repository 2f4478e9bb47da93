"""Row functions on the device: the kernels, and what they are launched with."""

# Design:
# - A row up to `SHORT` elements has a warp, or less, a longer one a block; beyond `PIECE` it has
#   many blocks, and each phase is a launch.
# - Which threads are neighbours in a block changes no bit, and so follows from strides.

import math
from collections.abc import Sequence
from functools import cache, lru_cache
from itertools import chain
from typing import Any

import numpy as np

from s3s4 import _rows_gpu
from s3s4._gpu.access import bfloat16, memory_access
from s3s4._gpu.axes import broadcast_strides, joined, padded
from s3s4._gpu.foreign import Operand, contiguous
from s3s4._gpu.kernels import FLOATS, THREADS, Kernel, wide
from s3s4._gpu.launches import index_type, steps_of
from s3s4._gpu.loops import AXES
from s3s4._gpu.primitives import primitives
from s3s4._gpu.row_loops import SCALARS, WHOLE, RowLoops
from s3s4._gpu.toolchain import cuda, inline
from s3s4._gpu.workspace import borrowed

WARP, SHORT = 32, 1 << 10
PIECE, MOST_PIECES = 1 << 13, 1 << 9
REGISTERS = {np.float16: 64, bfloat16: 64, np.float32: 64, np.float64: 80}
"""What a thread may use."""


@cache
def elements(real: Any) -> dict[str, Any]:
    """What the phases take of an element, and what they are made of, for a type of arithmetic."""

    @inline
    def larger(largest: Any, term: Any) -> Any:
        return term if largest < term else largest

    made: Any = _rows_gpu.phases  # generated, without types
    known = primitives(real, uniform=False, is_short=False)
    return {"larger": larger, "add": known["add"], **made(inline, real, known)}


def loops(function: str) -> RowLoops:
    """The kernels' text of a row function."""
    return RowLoops(function, *_rows_gpu.ROWS[function])


def text(function: str, form: str, dtype: Any, index: Any = np.int32) -> Any:
    """The Python function of a kernel.

    Parameters
    ----------
    function : str
        Name of a row function.
    form : str
        One of its `RowLoops.forms`.
    dtype : type
        That of the arrays in memory.
    index : type
        That of an index along an axis.

    Returns
    -------
    callable
    """
    real: Any = FLOATS[dtype]
    # The simulator looks for the module among a kernel's globals.
    names = {"cuda": cuda, "THREADS": THREADS, "real": real, "index": index, "min": min}
    names |= {"lowest": real(-np.inf), **elements(real)}
    names |= {"wide": wide(dtype), **memory_access(dtype)}
    source = loops(function).text(form)
    exec(compile(source, f"<{function} {form}>", "exec"), names)  # text of row_loops.py's own
    return names[form]


def kinds(function: str, form: str, index: Any = np.int32) -> list[str]:
    """What a kernel takes, argument by argument: see `kernels.kinds`."""
    step = "wide" if index is np.int64 else "narrow"
    views = ["view"] * (len(loops(function).inputs) + 1)
    return ["n"] * len(SCALARS) + [step] * 2 + views + ["sums"] * (form != WHOLE)


@cache
def kernel(function: str, form: str, dtype: Any, index: Any) -> Kernel:
    """The kernel of a row function; see `text`."""
    name = f"{function}, {form}, {np.dtype(dtype)}, {index.__name__}"
    python = text(function, form, dtype, index)
    return Kernel(python, kinds(function, form, index), dtype, REGISTERS[dtype], name)


def launch(
    function: str, arrays: Sequence[Operand], out: Operand, axes: Sequence[int], stream: int
) -> None:
    """Run a row function over device arrays.

    Parameters
    ----------
    function : str
    arrays : sequence of Operand
        Those broadcast to the shape of the last one, x.
    out : Operand
        Of the shape of x.
    axes : sequence of int
        Those that a row lies along.
    stream : int

    Raises
    ------
    ValueError
        If rows, or what lies beside them, take more than two axes that do not run on in memory.
    """
    shape, device, scalar = out.shape, out.device, out.dtype.type
    if 0 in shape:
        return
    memory = [*arrays, out]
    layouts = tuple([(a.shape, a.strides) for a in memory])
    lengths, views, index = _folded(shape, tuple(sorted(axes)), layouts)
    n = lengths[2] * lengths[3]
    count = lengths[0] * lengths[1]
    lanes, piece, pieces = divided(n)
    rows = THREADS // lanes
    of_row, beside = abs(views[-1][3]), abs(views[-1][1])
    is_across = 0 < beside < of_row
    places = (_bits(rows), 0) if is_across else (0, _bits(lanes))
    values = [count, n, piece, lanes, rows, *places, *steps_of(lanes, lengths[2:], index)]
    values += chain(*(a.passed(lengths, view) for a, view in zip(memory, views, strict=True)))
    grid = -(-count // rows), pieces
    if pieces == 1:
        kernel(function, WHOLE, scalar, index).launch(device, grid, stream, values)
        return
    found, real = loops(function), np.dtype(FLOATS[scalar])
    sums = found.slots, count * pieces, 2
    with borrowed(math.prod(sums) * real.itemsize, device, stream) as address:
        partial = Operand(address, sums, (), real).passed(sums, contiguous(sums, real.itemsize))
        for form in found.forms[1:]:
            kernel(function, form, scalar, index).launch(device, grid, stream, [*values, *partial])


def divided(n: int) -> tuple[int, int, int]:
    """How many threads take a row, the length of its pieces, and how many there are.

    The order of sums follows from these, and so from n alone.
    """
    most = WARP if n <= SHORT else THREADS
    lanes = min(most, THREADS, 1 << _bits(n))
    piece = max(PIECE, -(-n // MOST_PIECES))
    return lanes, piece, -(-n // piece)


def _bits(n: int) -> int:
    """Of the largest power of 2 up to n."""
    return n.bit_length() - 1


@lru_cache(maxsize=1024)
def _folded(
    shape: tuple[int, ...],
    axes: tuple[int, ...],
    layouts: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...],
) -> tuple[list[int], list[list[int]], Any]:
    """Two axes beside the rows and two along them: lengths, strides, and the type of an index."""
    strides = [broadcast_strides(one, shape) for one in layouts]
    lengths: list[int] = []
    views: list[list[int]] = [[] for _ in layouts]
    half = len(AXES) // 2
    for own in ([one for one in range(len(shape)) if one not in axes], axes):
        few, steps = joined([shape[axis] for axis in own], [[s[a] for a in own] for s in strides])
        if len(few) > half:
            raise ValueError(
                f"on the GPU rows, and what lies beside them, may take {half} axes each that do "
                "not run on in memory: copy the array"
            )
        lengths += padded(few, half, 1)
        for view, s in zip(views, steps, strict=True):
            view += padded(s, half, 0)
    return lengths, views, index_type(lengths, views)
