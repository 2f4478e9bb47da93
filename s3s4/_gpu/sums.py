"""Gradients of parameters, summed on the device to the parameters' shapes."""

# Design:
# - A block leaves sums, or pieces of them, each in two numbers; a second kernel adds those.
# - Threads of a block stand side by side along what lies side by side in memory: along what is
#   summed, or along the sums where those do, as for one number a channel along the last axis.

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from s3s4._gpu import driver
from s3s4._gpu.axes import as_they_lie, broadcast_strides, joined, padded
from s3s4._gpu.foreign import Operand, contiguous
from s3s4._gpu.kernels import FLOATS, THREADS, kernel, width
from s3s4._gpu.launches import (
    Layout,
    Memory,
    Plan,
    Values,
    form_of,
    index_type,
    launch,
    layout,
    memory,
    steps_of,
    usual,
)
from s3s4._gpu.loops import AXES, Form
from s3s4._gpu.toolchain import ALIGNMENT
from s3s4._gpu.workspace import borrowed

WAVES = 2
"""How often a card should be full of blocks, at least: the last of them leave it empty in part."""
SIDE_BY_SIDE = THREADS // 4
"""Sums of a block that lie side by side: rows of memory that are long enough."""


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
    room = -(-math.prod(shape) * size // ALIGNMENT) * ALIGNMENT
    if len(summed) < len(given):
        with borrowed(len(summed) * room, device, stream) as address:
            places = iter(range(address, address + len(summed) * room, room))
            left: list[Operand] = [
                first._replace(pointer=next(places), strides=contiguous(shape, size))
                if i - 1 in summed
                else target
                for i, target in enumerate(targets)
            ]
            launch(function, arrays, left, 2, stream)
    shapes = {np.shape(given[i]) for i in summed}
    for parameter in sorted(shapes):
        chosen = tuple([i for i in summed if np.shape(given[i]) == parameter])
        _reduce(function, arrays, targets, chosen, parameter, stream)


def _reduce(
    function: str,
    arrays: Sequence[Any],
    targets: Sequence[Operand],
    chosen: tuple[int, ...],
    parameter: tuple[int, ...],
    stream: int,
) -> None:
    """Gradients of the parameters of a shape, summed to it; that of x comes with them."""
    first = arrays[1]
    shape, device, scalar = first.shape, first.device, first.dtype.type
    own = tuple(padded(parameter, len(shape), 1))
    if 0 in own:
        return
    layouts = tuple([layout(one) for one in (*arrays, targets[0])])
    given = usual(arrays[2:], scalar)
    found = _planned(function, layouts, own, len(targets) - 1, scalar, given, device)
    with borrowed(found.each * (len(targets) - 1), device, stream) as address:
        partial = [address + i * found.each for i in range(len(targets) - 1)]
        if found.terms is not None:
            found.terms.launch([*arrays, targets[0], *partial], device, stream)
        else:
            driver.clear(address, found.each * len(partial), stream)
        for i in chosen:
            found.total.launch([partial[i], targets[1 + i]], device, stream)


class _Sums(NamedTuple):
    """How sums are taken for arrays that lie in some way."""

    terms: Plan | None
    """What leaves pieces; None where there is nothing to add."""
    total: Plan
    each: int
    """Bytes that the pieces of a parameter take."""


@lru_cache(maxsize=1024)
def _planned(
    function: str,
    layouts: tuple[Layout, ...],
    own: tuple[int, ...],
    sums: int,
    scalar: Any,
    uniform: bool,
    device: int,
) -> _Sums:
    """The plan of a sum to `own`, which has a length for each axis of x."""
    first = layouts[1]
    assert first is not None
    shape, size, real = first[0], np.dtype(scalar).itemsize, np.dtype(FLOATS[scalar])
    kept, terms = math.prod(own), None
    summed, pieces = math.prod(shape) // kept, 1
    if summed:
        run_on = memory(layouts, 1, scalar) if kept == 1 else None
        if run_on is not None and run_on.loop == "flat":
            form = form_of(run_on, 1)._replace(loop="sum")
            made = kernel(function, form, scalar, uniform)
            pieces = min(-(-summed // (THREADS * width(scalar))), made.blocks(device))
            grid, values, found = (pieces, 1), Values(summed), run_on
        else:
            found, across = _folded(shape, own, layouts)
            form = Form("reduce", tuple(found.kinds[:-1]))
            index = index_type(found.lengths, found.strides)
            made = kernel(function, form, scalar, uniform, index)
            blocks, rows = -(-kept // across), THREADS // across
            pieces = min(-(-summed // rows), -(-WAVES * made.blocks(device) // blocks))
            grid = blocks, pieces
            steps = steps_of(pieces * rows, found.lengths[2:], index)
            values = Values(across, *steps)
        values.memory(found, size)
        partial = kept, pieces, 2
        for _ in range(sums):
            values.array(real.itemsize, partial, contiguous(partial, real.itemsize))
        terms = Plan(made, grid, values.list, tuple(values.places))
    partial = kept, pieces, 2
    # A thread a piece where there are fewer of them than threads.
    beside = THREADS // _power(min(pieces, THREADS))
    total = Values(beside)
    total.array(real.itemsize, partial, contiguous(partial, real.itemsize))
    total.array(size, (kept,), (size,))
    return _Sums(
        terms,
        Plan(
            kernel("", Form("total"), scalar),
            (-(-kept // beside), 1),
            total.list,
            tuple(total.places),
        ),
        kept * pieces * 2 * real.itemsize,
    )


def _power(count: int) -> int:
    """The least power of two that is not less."""
    return 1 << (count - 1).bit_length()


def _folded(
    shape: tuple[int, ...], own: tuple[int, ...], layouts: tuple[Layout, ...]
) -> tuple[Memory, int]:
    """Two axes that are kept and two that are summed, and how many sums stand side by side."""
    wide = [
        [0] * len(shape) if one is None else broadcast_strides(one[:2], shape) for one in layouts
    ]
    kinds = [
        "number" if one is None else "view" if any(strides) else "one"
        for one, strides in zip(layouts, wide, strict=True)
    ]
    kinds[-1] = "view"
    order = as_they_lie(wide[1])
    lengths: list[int] = []
    views: list[list[int]] = [[] for _ in layouts]
    nearest = []
    for is_kept in (True, False):
        # Results are in the order of a parameter's axes, whatever memory's is.
        axes = [
            axis for axis in (range(len(own)) if is_kept else order) if (own[axis] > 1) is is_kept
        ]
        few, steps = joined([shape[axis] for axis in axes], [[s[a] for a in axes] for s in wide])
        if len(few) > len(AXES) // 2:
            raise ValueError("on the GPU a parameter may be broadcast along two axes at most")
        nearest.append(abs(steps[1][-1]) if few else None)
        lengths += padded(few, len(AXES) // 2, 1)
        for view, s in zip(views, steps, strict=True):
            view += padded(s, len(AXES) // 2, 0)
    kept, summed = math.prod(lengths[:2]), math.prod(lengths[2:])
    across = THREADS // _power(min(summed, THREADS))
    if nearest[0] is not None and (nearest[1] is None or nearest[0] < nearest[1]):
        across = max(across, SIDE_BY_SIDE)
    return Memory(lengths, views, "reduce", kinds), min(across, _power(kept))
