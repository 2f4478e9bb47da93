"""Gradients of parameters, summed on the device to the parameters' shapes."""

# Design:
# - A block leaves one sum, or a piece of it, in two numbers; a second kernel adds those.

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

import numpy as np

from s3s4._gpu import driver
from s3s4._gpu.axes import broadcast_strides, joined, padded
from s3s4._gpu.foreign import Operand, contiguous
from s3s4._gpu.kernels import FLOATS, THREADS, kernel
from s3s4._gpu.launches import (
    are_usual,
    index_type,
    launch,
    launch_alike,
    most_blocks,
    steps_of,
    written,
)
from s3s4._gpu.loops import AXES, NUMBERS
from s3s4._gpu.toolchain import ALIGNMENT
from s3s4._gpu.workspace import borrowed


def gradients(
    function: str, arrays: Sequence[Any], targets: Sequence[Operand], stream: int
) -> None:
    """Gradients of x and of the parameters.

    Parameters
    ----------
    function : str
        Name of the kernel's function.
    arrays : sequence of Operand or number
        grad_output, x and the parameters.
    targets : sequence of Operand
        For the gradient of x, and of each parameter.
    stream : int
    """
    first, given = arrays[1], arrays[2:]
    shape, device, size = first.shape, first.device, first.dtype.itemsize
    summed = [i for i, p in enumerate(given) if np.shape(p) != shape]
    if not summed:
        launch(function, arrays, targets, 2, stream)
        return
    # What is to be summed is left in nobody's memory, and computed again where it is summed.
    count = math.prod(shape)
    room = -(-count * size // ALIGNMENT) * ALIGNMENT
    kept = len(given) - len(summed)
    if kept:
        numbers = len(given) * ALIGNMENT
        with borrowed(numbers + len(summed) * room, device, stream) as address:
            places = iter(range(address + numbers, address + numbers + len(summed) * room, room))
            left: list[Operand] = [
                first._replace(pointer=next(places), strides=contiguous(shape, size))
                if i - 1 in summed
                else target
                for i, target in enumerate(targets)
            ]
            some = [p for p in given if isinstance(p, np.generic)]
            every = arrays if len(some) == len(given) else written(arrays, address, stream)
            launch_alike(function, every, left, some if every is arrays else [], 2, stream)
    shapes = {given[i].shape for i in summed}
    for parameter in sorted(shapes):
        chosen = [i for i in summed if given[i].shape == parameter]
        _reduce(function, arrays, targets, chosen, parameter, stream)


def _reduce(
    function: str,
    arrays: Sequence[Any],
    targets: Sequence[Operand],
    chosen: Sequence[int],
    parameter: tuple[int, ...],
    stream: int,
) -> None:
    """Gradients of the parameters of a shape, summed to it; that of x comes with them."""
    first, scalar = arrays[1], arrays[1].dtype.type
    shape, device, real = first.shape, first.device, np.dtype(FLOATS[scalar])
    own = padded(parameter, len(shape), 1)
    kept = math.prod(own)
    if kept == 0:
        return
    summed = math.prod(shape) // kept
    pieces = max(1, min(-(-summed // THREADS), most_blocks(device) // kept))
    each, start = kept * pieces * 2 * real.itemsize, len(arrays) * ALIGNMENT
    with borrowed(start + (len(targets) - 1) * each, device, stream) as address:
        sums = (kept, pieces, 2)
        partial = [
            Operand(address + start + i * each, sums, (), real).passed(
                sums, contiguous(sums, real.itemsize)
            )
            for i in range(len(targets) - 1)
        ]
        if summed:
            grid = kept, pieces
            _sums(function, arrays, targets[0], own, partial, grid, address, stream)
        else:
            driver.clear(address + start, each * (len(targets) - 1), stream)
        for i in chosen:
            flat = targets[1 + i].passed((kept,), (first.dtype.itemsize,))
            kernel("", "total", scalar).launch(device, (kept, 1), stream, partial[i] + flat)


def _sums(
    function: str,
    arrays: Sequence[Any],
    target: Operand,
    own: Sequence[int],
    partial: Sequence[tuple[int, ...]],
    grid: tuple[int, int],
    address: int,
    stream: int,
) -> None:
    """The gradient of x, and a pair for each piece of each sum; own: lengths of the parameter."""
    first, scalar = arrays[1], arrays[1].dtype.type
    real = FLOATS[scalar]
    numbers = [p for p in arrays[2:] if isinstance(p, np.generic)]
    if numbers and len(numbers) < len(arrays) - 2:
        arrays, numbers = written(arrays, address, stream), []
    memory = [*(a for a in arrays if not isinstance(a, np.generic)), target]
    layouts = tuple([(a.shape, a.strides) for a in memory])
    lengths, views, index = _folded(first.shape, tuple(own), layouts)
    operands: list[Any] = [a.passed(lengths, view) for a, view in zip(memory, views, strict=True)]
    usual = bool(numbers) and are_usual(numbers, real)
    form = f"reduce{NUMBERS}" if numbers else "reduce"
    values = [*steps_of(grid[1] * THREADS, lengths[2:], index), *chain(*operands[:-1])]
    values += [real(p) for p in numbers]
    values += chain(operands[-1], *partial)
    kernel(function, form, scalar, usual, index).launch(first.device, grid, stream, values)


@lru_cache(maxsize=1024)
def _folded(
    shape: tuple[int, ...],
    own: tuple[int, ...],
    layouts: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...],
) -> tuple[list[int], list[list[int]], Any]:
    """Two axes that are kept and two that are summed: lengths, strides, and the type of an index.

    Parameters
    ----------
    shape : tuple of int
    own : tuple of int
        Lengths of the parameter, one for each axis.
    layouts : tuple
        Shape and strides of each array.
    """
    strides = [broadcast_strides(one, shape) for one in layouts]
    lengths: list[int] = []
    views: list[list[int]] = [[] for _ in layouts]
    for is_kept in (True, False):
        axes = [axis for axis, length in enumerate(own) if (length > 1) is is_kept]
        few, steps = joined([shape[axis] for axis in axes], [[s[a] for a in axes] for s in strides])
        if len(few) > len(AXES) // 2:
            raise ValueError("on the GPU a parameter may be broadcast along two axes at most")
        lengths += padded(few, len(AXES) // 2, 1)
        for view, s in zip(views, steps, strict=True):
            view += padded(s, len(AXES) // 2, 0)
    return lengths, views, index_type(lengths, views)
