"""Launches: the kernel that fits how arrays lie, and what it is passed."""

# Design:
# - Axes are taken in the order in which the first result lies. Where all arrays then run on, as
#   those of Fortran's order and of channels last do, they are one axis; where only the last one
#   runs on, as beside a parameter a channel, it still takes 16 bytes at once.
# - What fits is found once for a way in which arrays lie, and kept: a call fills in addresses and
#   numbers.

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from s3s4._gpu.axes import as_they_lie, broadcast_strides, joined, padded
from s3s4._gpu.foreign import Operand
from s3s4._gpu.kernels import FLOATS, NARROW, THREADS, Kernel, kernel, width
from s3s4._gpu.loops import AXES, Form
from s3s4._gpu.primitives import CONSTANTS
from s3s4._gpu.toolchain import ALIGNMENT

Layout = tuple[tuple[int, ...], tuple[int, ...], bool] | None
"""Shape, strides and whether it starts where 16 bytes may be read; None for a number."""


class Plan(NamedTuple):
    """A kernel, and what it is passed for arrays that lie in some way."""

    kernel: Kernel
    grid: tuple[int, int]
    values: list[Any]
    places: tuple[int, ...]
    """Where in `values` the address of an array, or a number, goes: of operands, then of results"""

    def launch(self, arrays: Sequence[Any], device: int, stream: int) -> None:
        """Ask a stream of the current device for it.

        Parameters
        ----------
        arrays : sequence of Operand, int or number
            Operands, results and addresses in the order of `places`.
        device : int
        stream : int
        """
        values = self.values.copy()
        for place, one in zip(self.places, arrays, strict=True):
            values[place] = one.pointer if isinstance(one, Operand) else one
        self.kernel.launch(device, self.grid, stream, values)


class Memory(NamedTuple):
    """Arrays as axes that they have in common."""

    lengths: list[int]
    strides: list[list[int]]
    loop: str
    kinds: list[str]
    """Of each array, results included; see `loops.Form`."""


class Values:
    """What a kernel is passed, and where in it addresses and numbers go."""

    def __init__(self, *before: Any) -> None:
        self.list: list[Any] = list(before)
        self.places: list[int] = []

    def number(self) -> None:
        self.places.append(len(self.list))
        self.list.append(0)

    def array(self, size: int, lengths: Sequence[int], strides: Sequence[int]) -> None:
        """As Numba passes it."""
        self.places.append(len(self.list) + 4)
        self.list += [0, 0, math.prod(lengths), size, 0, *lengths, *strides]

    def memory(self, memory: Memory, size: int) -> None:
        """Operands and results."""
        for kind, strides in zip(memory.kinds, memory.strides, strict=True):
            if kind == "number":
                self.number()
            elif kind == "one":
                self.array(size, [1], [size])
            else:
                self.array(size, memory.lengths, strides)


def are_usual(numbers: Sequence[Any], real: Any) -> bool:
    """Whether none is so large that the kernels for such numbers do not take it; NaN is usual."""
    most = CONSTANTS[real].uniform
    return not [p for p in numbers if abs(float(p)) > most]


def layout(array: Any) -> Layout:
    """How an array lies; None of a number."""
    if isinstance(array, Operand):
        return array.shape, array.strides, not array.pointer % ALIGNMENT
    return None


def launch(
    function: str, arrays: Sequence[Any], outs: Sequence[Operand], variables: int, stream: int
) -> None:
    """Run a kernel over device arrays; numbers among them are shared parameters.

    The first `variables` arrays are never numbers.
    """
    first = outs[0]
    if 0 in first.shape:
        return
    scalar = first.dtype.type
    given = arrays[variables:]
    layouts = tuple([layout(one) for one in (*arrays, *outs)])
    found = _planned(function, layouts, len(outs), scalar, usual(given, scalar), first.device)
    found.launch([*arrays, *outs], first.device, stream)


def usual(parameters: Sequence[Any], scalar: Any) -> bool:
    """Whether parameters are numbers alone, of usual size."""
    for one in parameters:
        if isinstance(one, Operand):
            return False
    return are_usual(parameters, FLOATS[scalar])


@lru_cache(maxsize=1024)
def _planned(
    function: str, layouts: tuple[Layout, ...], outs: int, scalar: Any, uniform: bool, device: int
) -> Plan:
    found = memory(layouts, outs, scalar)
    form, size = form_of(found, outs), np.dtype(scalar).itemsize
    count = math.prod(found.lengths)
    if found.loop == "flat":
        made = kernel(function, form, scalar, uniform)
        blocks = min(-(-count // (THREADS * width(scalar))), made.blocks(device))
        values = Values(count)
    else:
        index = index_type(found.lengths, found.strides)
        made = kernel(function, form, scalar, uniform, index)
        blocks = min(-(-count // THREADS), made.blocks(device))
        axes = found.lengths[-form.axes :]
        values = Values(*steps_of(blocks * THREADS, axes, index))
    values.memory(found, size)
    return Plan(made, (blocks, 1), values.list, tuple(values.places))


def form_of(memory: Memory, outs: int) -> Form:
    """The form of a kernel for arrays, the last of which are results."""
    axes = len(AXES)
    if memory.loop != "flat" and math.prod(memory.lengths[: axes // 2]) == 1:
        axes //= 2
    return Form(memory.loop, tuple(memory.kinds[: len(memory.kinds) - outs]), axes)


def memory(layouts: Sequence[Layout], outs: int, scalar: Any) -> Memory:
    """Arrays, the last of which are results, as one axis or four.

    Raises
    ------
    ValueError
        If they take more.
    """
    first = layouts[-outs]
    assert first is not None
    shape, size = first[0], np.dtype(scalar).itemsize
    is_one = math.prod(shape) == 1
    order = as_they_lie(first[1])
    wide = [
        [0] * len(shape) if one is None else broadcast_strides(one[:2], shape) for one in layouts
    ]
    kinds = [
        "number" if one is None else "view" if any(strides) or is_one else "one"
        for one, strides in zip(layouts, wide, strict=True)
    ]
    lying = [i for i, kind in enumerate(kinds) if kind == "view"]
    lengths, strides = joined(
        [shape[axis] for axis in order], [[wide[i][axis] for axis in order] for i in lying]
    )
    if is_one:
        lengths, strides = [1], [[size] for _ in lying]
    vectors, loop = width(scalar), "walk"
    aligned = [bool(one and one[2]) for one in map(layouts.__getitem__, lying)]
    lasts = [one[-1] for one in strides]
    if len(lengths) == 1 and all(aligned) and all(last == size for last in lasts):
        loop, way = "flat", {size: "each"}
    elif (
        lengths[-1] % vectors == 0
        and all(last in (0, size) for last in lasts)
        and all(last == size for last in lasts[-outs:])
        and all(
            last == 0 or (is_aligned and not any(step % ALIGNMENT for step in one[:-1]))
            for last, is_aligned, one in zip(lasts, aligned, strides, strict=True)
        )
    ):
        loop, way = "lines", {size: "line", 0: "point"}
        lengths[-1] //= vectors
        for one in strides:
            one[-1] *= vectors
    else:
        way = dict.fromkeys(lasts, "view")
    for i, last in zip(lying, lasts, strict=True):
        kinds[i] = way[last]
    if len(lengths) > len(AXES):
        raise ValueError(f"on the GPU an array may have {len(AXES)} axes that do not run on")
    every: list[list[int]] = [[] for _ in layouts]
    for i, one in zip(lying, strides, strict=True):
        every[i] = one
    if loop != "flat":
        lengths = padded(lengths, len(AXES), 1)
        every = [padded(one, len(AXES), 0) for one in every]
    return Memory(lengths, every, loop, kinds)


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
