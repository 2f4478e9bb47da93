"""Launches: the kernel that fits how arrays lie, and what it is passed."""

# Design:
# - Contiguous arrays on 16-byte boundaries take kernels with 16-byte loads; every other layout is
#   brought to four axes and walked. Numbers are arguments of a kernel; only where one parameter is
#   a number and another an array, the number becomes an array of one.

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

import numpy as np

from s3s4._gpu import driver
from s3s4._gpu.axes import broadcast_strides, joined, padded
from s3s4._gpu.foreign import Operand, contiguous
from s3s4._gpu.kernels import BLOCKS_A_PROCESSOR, FLOATS, NARROW, THREADS, kernel, width
from s3s4._gpu.loops import AXES, NUMBERS
from s3s4._gpu.primitives import CONSTANTS
from s3s4._gpu.toolchain import ALIGNMENT, SIMULATED, cuda
from s3s4._gpu.workspace import borrowed


@lru_cache
def most_blocks(device: int) -> int:
    count = 1 if SIMULATED else int(cuda.get_current_device().MULTIPROCESSOR_COUNT)
    return count * BLOCKS_A_PROCESSOR


def _is_flat(array: Operand, shape: tuple[int, ...]) -> bool:
    return (
        array.shape == shape
        and array.strides == contiguous(shape, array.dtype.itemsize)
        and not array.pointer % ALIGNMENT
    )


def are_usual(numbers: Sequence[Any], real: Any) -> bool:
    """Whether none is so large that the kernels for such numbers do not take it; NaN is usual."""
    most = CONSTANTS[real].uniform
    return not any(abs(float(p)) > most for p in numbers)


def launch(
    function: str, arrays: Sequence[Any], outs: Sequence[Operand], variables: int, stream: int
) -> None:
    """Run a kernel over device arrays; numbers among them are shared parameters.

    The first `variables` arrays are never numbers.
    """
    first = outs[0]
    shape, device = first.shape, first.device
    n = math.prod(shape)
    if n == 0:
        return
    parameters = arrays[variables:]
    given = [p for p in parameters if isinstance(p, np.generic)]
    if given and len(given) < len(parameters):
        with borrowed(len(given) * ALIGNMENT, device, stream) as address:
            launch_alike(function, written(arrays, address, stream), outs, [], variables, stream)
        return
    launch_alike(function, arrays, outs, given, variables, stream)


def written(arrays: Sequence[Any], address: int, stream: int) -> list[Any]:
    """Arrays, those of one element included that numbers become, at an address."""
    result: list[Any] = []
    for one in arrays:
        if isinstance(one, np.generic):
            driver.write(address, one, stream)
            result.append(Operand(address, (1,), (one.itemsize,), one.dtype))
            address += ALIGNMENT
        else:
            result.append(one)
    return result


def launch_alike(
    function: str,
    arrays: Sequence[Any],
    outs: Sequence[Operand],
    numbers: Sequence[Any],
    variables: int,
    stream: int,
) -> None:
    """Where parameters are all numbers, or all arrays."""
    first = outs[0]
    shape, device, scalar = first.shape, first.device, first.dtype.type
    n, real = math.prod(shape), FLOATS[scalar]
    usual = bool(numbers) and are_usual(numbers, real)
    memory = [*arrays[: variables if numbers else None], *outs]
    given = [real(p) for p in numbers]
    start = len(memory) - len(outs)
    if all(_is_flat(a, shape) for a in memory):
        form = "shared" if len(given) == len(arrays) - variables else "full"
        blocks = min(-(-n // (THREADS * width(scalar))), most_blocks(device))
        size = first.dtype.itemsize
        values: list[Any] = [n]
        for one in memory[:start]:
            values += 0, 0, n, size, one.pointer, n, size
        values += given
        for one in outs:
            values += 0, 0, n, size, one.pointer, n, size
        kernel(function, form, scalar, form == "shared" and (usual or not given)).launch(
            device, (blocks, 1), stream, values
        )
        return
    lengths, strides, index = _walked(shape, tuple([(a.shape, a.strides) for a in memory]))
    views = [a.passed(lengths, s) for a, s in zip(memory, strides, strict=True)]
    blocks = min(-(-n // THREADS), most_blocks(device))
    form = f"walk{NUMBERS}" if given else "walk"
    values = [*steps_of(blocks * THREADS, lengths, index), *chain(*views[:start]), *given]
    values += chain(*views[start:])
    kernel(function, form, scalar, usual, index).launch(device, (blocks, 1), stream, values)


@lru_cache(maxsize=1024)
def _walked(
    shape: tuple[int, ...], layouts: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]
) -> tuple[list[int], list[list[int]], Any]:
    """Four axes: lengths, strides of arrays of some shapes and strides, the type of an index."""
    lengths, strides = joined(shape, [broadcast_strides(one, shape) for one in layouts])
    if len(lengths) > len(AXES):
        raise ValueError(f"on the GPU an array may have {len(AXES)} axes that do not run on")
    lengths = padded(lengths, len(AXES), 1)
    strides = [padded(s, len(AXES), 0) for s in strides]
    return lengths, strides, index_type(lengths, strides)


def index_type(lengths: Sequence[int], strides: Sequence[Sequence[int]]) -> Any:
    """The type that holds every index, and every product with a stride when widened."""
    most = max([*lengths, *(abs(s) for one in strides for s in one)])
    return np.int32 if most < NARROW else np.int64


def steps_of(count: int, lengths: Sequence[int], index: Any) -> list[Any]:
    """How far a number of elements goes along each axis, the last one running fastest."""
    steps: list[Any] = []
    for length in reversed(lengths[1:]):
        count, rest = divmod(count, length)
        steps.append(index(rest))
    return [index(count), *reversed(steps)]
