"""Kernels over arrays that are on the device and stay there."""

# Design:
# - Contiguous arrays on 16-byte boundaries take kernels with 16-byte loads; every other layout is
#   brought to four axes and walked.
# - Sums for the gradient of a parameter are taken on the device: a block leaves one, in two
#   numbers, and a second kernel adds those.

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from s3s4._device_arrays import lies_on_device
from s3s4._gpu import foreign
from s3s4._gpu.axes import broadcast_strides, joined, padded
from s3s4._gpu.kernels import BLOCKS_A_PROCESSOR, FLOATS, NARROW, THREADS, kernel, width
from s3s4._gpu.primitives import CONSTANTS
from s3s4._gpu.toolchain import ALIGNMENT, SIMULATED, cuda, quietly

AXES = 4


def _processors() -> int:
    return 1 if SIMULATED else int(cuda.get_current_device().MULTIPROCESSOR_COUNT)


def _pointer(array: Any) -> int:
    return int(array._ary.ctypes.data if SIMULATED else array.device_ctypes_pointer.value or 0)


def strided(
    array: Any, shape: Sequence[int], strides: Sequence[int], dtype: Any | None = None
) -> Any:
    """The memory of an array under another shape, strides and perhaps dtype."""
    if SIMULATED:
        base = array._ary if dtype is None else array._ary.view(dtype)
        return type(array)(np.lib.stride_tricks.as_strided(base, shape, strides))
    return type(array)(tuple(shape), tuple(strides), dtype or array.dtype, gpu_data=array.gpu_data)


def _is_flat(array: Any, shape: tuple[int, ...]) -> bool:
    return (
        tuple(array.shape) == shape
        and array.flags["C_CONTIGUOUS"]
        and _pointer(array) % ALIGNMENT == 0
    )


def launch(
    function: str, arrays: Sequence[Any], outs: Sequence[Any], variables: int, stream: Any
) -> None:
    """Run a kernel over device arrays; numbers among them are shared parameters.

    The first `variables` arrays are never numbers.
    """
    shape = tuple(outs[0].shape)
    n = math.prod(shape)
    if n == 0:
        return
    dtype = outs[0].dtype.type
    real = FLOATS[dtype]
    parameters = arrays[variables:]
    numbers = [p for p in parameters if isinstance(p, np.generic)]
    usual = all(not abs(float(p)) > CONSTANTS[real].uniform for p in numbers)
    flat = all(_is_flat(a, shape) for a in (*arrays, *outs) if not isinstance(a, np.generic))
    form = None
    if flat and usual and len(numbers) == len(parameters):
        form = "shared"
    elif flat and not numbers:
        form = "full"
    if form:
        blocks = min(-(-n // (THREADS * width(dtype))), _processors() * BLOCKS_A_PROCESSOR)
        operands = [
            real(a) if isinstance(a, np.generic) else strided(a, (n,), (a.dtype.itemsize,))
            for a in (*arrays, *outs)
        ]
        compiled = kernel(function, form, dtype, form == "shared")
        compiled[blocks, THREADS, stream](n, *operands)
        return
    everything = [
        cuda.to_device(np.full(1, a, dtype), stream=stream) if isinstance(a, np.generic) else a
        for a in (*arrays, *outs)
    ]
    lengths, strides = joined(shape, [broadcast_strides(a, shape) for a in everything])
    if len(lengths) > AXES:
        raise ValueError(f"on the GPU an array may have {AXES} axes that do not run on")
    lengths = padded(lengths, AXES, 1)
    views = [
        strided(a, lengths, padded(s, AXES, 0)) for a, s in zip(everything, strides, strict=True)
    ]
    blocks = min(-(-n // THREADS), _processors() * BLOCKS_A_PROCESSOR)
    index = _index(lengths, strides)
    kernel(function, "walk", dtype, index=index)[blocks, THREADS, stream](
        *_steps(blocks * THREADS, lengths, index), *views
    )


def _index(lengths: Sequence[int], strides: Sequence[Sequence[int]]) -> Any:
    """The type that holds every index, and every product with a stride when widened."""
    most = max([*lengths, *(abs(s) for one in strides for s in one)])
    return np.int32 if most < NARROW else np.int64


def _steps(count: int, lengths: Sequence[int], index: Any) -> list[Any]:
    """How far a number of elements goes along each axis, the last one running fastest."""
    steps: list[Any] = []
    for length in reversed(lengths[1:]):
        count, rest = divmod(count, length)
        steps.append(index(rest))
    return [index(count), *reversed(steps)]


def evaluate(
    function: str, x: Any, parameters: Sequence[Any], outs: Sequence[Any]
) -> tuple[Any, ...]:
    """Values of a function over arrays that are on the device, without leaving it.

    Parameters
    ----------
    function : str
        Its name in the table.
    x : device array
        With ``__cuda_array_interface__`` or DLPack's methods, of float16, float32 or float64.
    parameters : sequence
        Device arrays of the same dtype, or numbers.
    outs : sequence of device array or None
        Where to put the results; None allocates arrays of x's library.

    Returns
    -------
    tuple of device array

    Raises
    ------
    TypeError, ValueError
        If dtypes, shapes, devices or memory do not fit.
    """
    with quietly(), foreign.on_its_device(x):
        place = foreign.place(x)
        array = _operand("x", x)
        arrays = [array, *(_operand("a parameter", p, array, x) for p in parameters)]
        shape = np.broadcast_shapes(*(np.shape(a) for a in arrays))
        results = tuple(
            foreign.like(x, shape, place.stream) if out is None else out for out in outs
        )
        targets = [_operand("out", result, array, x) for result in results]
        for out, target in zip(outs, targets, strict=True):
            if tuple(target.shape) != shape:
                raise ValueError(f"out has shape {tuple(target.shape)}, the result has {shape}")
            if out is not None and foreign.is_read_only(out):
                raise ValueError("out is read-only")
            others = [a for a in (*arrays, *targets) if a is not target]
            if not all(isinstance(a, np.generic) or _apart(target, a) for a in others):
                raise ValueError("out overlaps another array, and not element by element")
        launch(function, arrays, targets, 1, place.stream)
        if place.awaited:
            place.stream.synchronize()
    return results


def _operand(name: str, value: Any, array: Any = None, beside: Any = None) -> Any:
    """A device array as Numba sees it, or a number: of the dtype and device of another array."""
    if array is not None and isinstance(value, (int, float, np.generic)):
        return array.dtype.type(value)
    if array is not None and isinstance(value, np.ndarray) and not value.ndim:
        return array.dtype.type(value[()])
    if not lies_on_device(value):
        raise TypeError(f"{name} must be on the GPU as x is, not {type(value).__name__}")
    if beside is not None and foreign.device_number(value) != foreign.device_number(beside):
        raise ValueError(f"{name} is on another GPU than x")
    result = foreign.imported(value)
    if result.dtype.type not in FLOATS or (array is not None and result.dtype != array.dtype):
        wanted = "float16, float32 or float64" if array is None else array.dtype
        raise TypeError(f"on the GPU {name} must be of {wanted}, not {result.dtype}")
    return result


def _apart(out: Any, other: Any) -> bool:
    """Whether two arrays share no memory, or are the same element by element."""

    def extent(array: Any) -> tuple[int, int]:
        steps = [(n - 1) * s for n, s in zip(array.shape, array.strides, strict=True)]
        start = _pointer(array)
        end = start + sum(max(0, step) for step in steps) + array.dtype.itemsize
        return start + sum(min(0, step) for step in steps), end

    if 0 in out.shape or 0 in other.shape:
        return True
    if _pointer(out) == _pointer(other):
        return tuple(out.shape) == tuple(other.shape) and out.strides == other.strides
    (low, high), (other_low, other_high) = extent(out), extent(other)
    return high <= other_low or other_high <= low


def backward(name: str, grad_output: Any, x: Any, parameters: Sequence[Any]) -> tuple[Any, ...]:
    """Gradients of x and of every parameter, on the device; sums are taken there too.

    Parameters
    ----------
    name : str
        The activation.
    grad_output, x : device array
        x of the shape of the result, grad_output broadcasting to it.
    parameters : sequence
        Device arrays or numbers.

    Returns
    -------
    tuple of device array
        A parameter that is a number gets an array of no axes.

    Raises
    ------
    TypeError, ValueError
        If dtypes, shapes or devices do not fit.
    """
    function = f"{name}_backward"
    with quietly(), foreign.on_its_device(x):
        place = foreign.place(x)
        stream = place.stream
        array = _operand("x", x)
        dtype, shape = array.dtype, tuple(array.shape)
        gradient = _operand("grad_output", grad_output, array, x)
        given = [_operand("a parameter", p, array, x) for p in parameters]
        if np.broadcast_shapes(*(np.shape(a) for a in (array, gradient, *given))) != shape:
            raise ValueError("on the GPU x must have the shape of the result")
        result = [foreign.like(x, np.shape(v), stream) for v in (array, *given)]
        targets = [_operand("out", r, array, x) for r in result]
        summed = [index for index, p in enumerate(given) if np.shape(p) != shape]
        if len(summed) < len(given) or not given:
            # What is to be summed is thrown away here, and computed again where it is summed.
            everything = [
                cuda.device_array(shape, dtype, stream=stream) if index - 1 in summed else target
                for index, target in enumerate(targets)
            ]
            launch(function, [gradient, array, *given], everything, 2, stream)
        operands = [
            cuda.to_device(np.full(1, p, dtype), stream=stream) if isinstance(p, np.generic) else p
            for p in given
        ]
        for index in summed:
            _reduce(
                function,
                [gradient, array, *operands],
                targets,
                index,
                np.shape(given[index]),
                stream,
            )
        if place.awaited:
            stream.synchronize()
    return tuple(result)


def _reduce(
    function: str,
    arrays: Sequence[Any],
    results: Sequence[Any],
    index: int,
    parameter: tuple[int, ...],
    stream: Any,
) -> None:
    """The gradient of one parameter, summed to its shape; that of x comes with it."""
    x, dtype = arrays[1], arrays[1].dtype
    shape = tuple(x.shape)
    own = padded(parameter, len(shape), 1)
    groups = [a for a, n in enumerate(own) if n > 1], [a for a, n in enumerate(own) if n == 1]
    strides = [broadcast_strides(a, shape) for a in (*arrays, results[0])]
    lengths: list[int] = []
    views: list[list[int]] = [[] for _ in strides]
    for axes in groups:
        few, kept = joined([shape[a] for a in axes], [[s[a] for a in axes] for s in strides])
        if len(few) > AXES // 2:
            raise ValueError("on the GPU a parameter may be broadcast along two axes at most")
        lengths += padded(few, AXES // 2, 1)
        for view, s in zip(views, kept, strict=True):
            view += padded(s, AXES // 2, 0)
    kept_size, summed = lengths[0] * lengths[1], lengths[2] * lengths[3]
    if kept_size == 0:
        return
    pieces = max(1, min(-(-summed // THREADS), _processors() * BLOCKS_A_PROCESSOR // kept_size))
    sums = np.zeros((kept_size, pieces, 2), FLOATS[dtype.type])
    partial = [cuda.to_device(sums, stream=stream) for _ in results[1:]]
    if summed:
        operands = [
            strided(a, lengths, s) for a, s in zip((*arrays, results[0]), views, strict=True)
        ]
        kind = _index(lengths, views)
        kernel(function, "reduce", dtype.type, index=kind)[(kept_size, pieces), THREADS, stream](
            *_steps(pieces * THREADS, lengths[2:], kind), *operands, *partial
        )
    flat = strided(results[1 + index], (kept_size,), (dtype.itemsize,))
    blocks = min(-(-kept_size // THREADS), _processors() * BLOCKS_A_PROCESSOR)
    kernel("", "total", dtype.type)[blocks, THREADS, stream](kept_size, partial[index], flat)
