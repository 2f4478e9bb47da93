"""Calls on arrays that are on the device and stay there."""

# Design:
# - A call is made for x's stream. What the streams of other arrays were asked for comes before it,
#   and what they are asked for later comes after it.

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np

from s3s4 import _cpu
from s3s4._gpu import driver, foreign, rows
from s3s4._gpu.access import BFLOAT16
from s3s4._gpu.casts import copied, promoted
from s3s4._gpu.foreign import Operand
from s3s4._gpu.kernels import FLOATS
from s3s4._gpu.launches import launch
from s3s4._gpu.sums import gradients

NUMBERS = (int, float)


def evaluate(
    function: str, x: Any, parameters: Sequence[Any], outs: Sequence[Any]
) -> tuple[Any, ...]:
    """Values of a function over arrays that are on the device, without leaving it.

    Parameters
    ----------
    function : str
        Its name in the table.
    x : device array
        With ``__cuda_array_interface__`` or DLPack's methods.
    parameters : sequence
        Device arrays or numbers; the type of all is what NumPy promotes them to.
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
    first = foreign.described("x", x)
    if driver.current_device() == first.device:
        return _evaluate(function, x, first, parameters, outs)
    with driver.on(first.device):
        return _evaluate(function, x, first, parameters, outs)


def _evaluate(
    function: str, x: Any, first: Operand, parameters: Sequence[Any], outs: Sequence[Any]
) -> tuple[Any, ...]:
    stream, shape = first.stream, first.shape
    given = [_parameter("a parameter", p, first) for p in parameters]
    dtype = _dtype(function, first, given)
    others = [p.shape for p in given if isinstance(p, Operand) and p.shape not in ((), shape)]
    if others:
        shape = np.broadcast_shapes(shape, *others)
    arrays = [first, *given]
    results = tuple([foreign.like(x, first, shape, dtype) if o is None else o for o in outs])
    targets = [_target(result, first, dtype) for result in results]
    for out, target in zip(outs, targets, strict=True):
        if out is not None:
            _require_room(target, shape, [*arrays, *targets])
    streams, is_awaited = _before([*arrays, *targets], stream)
    if _is_one_type(arrays, dtype):  # the way out of most calls: copies cost the host more
        number = _number(dtype)
        given = [one if isinstance(one, Operand) else number(one) for one in arrays]
        launch(function, given, targets, 1, stream)
    else:
        with ExitStack() as copies:
            launch(function, _settled(arrays, dtype, copies, stream), targets, 1, stream)
    _after(streams, is_awaited, stream)
    return results


def _dtype(function: str, first: Operand, others: Sequence[Any]) -> Any:
    """The type in which a function is computed: that of all arrays, or what NumPy makes of them."""
    dtype = first.dtype
    if dtype.type in FLOATS and all(type(one) in NUMBERS or one.dtype == dtype for one in others):
        return dtype
    kinds = [type(one) if type(one) in NUMBERS else one.dtype for one in (first, *others)]
    return promoted(_cpu.ufuncs[function], kinds)


def _number(dtype: Any) -> Any:
    """The type of a number beside arrays of a type."""
    return FLOATS[dtype.type] if dtype == BFLOAT16 else dtype.type


def _is_one_type(arrays: Sequence[Any], dtype: Any) -> bool:
    return not [one for one in arrays if isinstance(one, Operand) and one.dtype != dtype]


def _settled(arrays: Sequence[Any], dtype: Any, copies: ExitStack, stream: int) -> list[Any]:
    """Arrays in one type, copied where they have another, and numbers in that of the arithmetic."""
    number = _number(dtype)
    return [
        number(one)
        if not isinstance(one, Operand)
        else one
        if one.dtype == dtype
        else copies.enter_context(copied(one, dtype, stream))
        for one in arrays
    ]


def _require_room(target: Operand, shape: tuple[int, ...], arrays: Sequence[Any]) -> None:
    """Refuse an output that the result does not fit, or that is partly another array."""
    if target.shape != shape:
        raise ValueError(f"out has shape {target.shape}, the result has {shape}")
    if target.is_read_only:
        raise ValueError("out is read-only")
    for other in arrays:
        if other is not target and isinstance(other, Operand) and not _apart(target, other):
            raise ValueError("out overlaps another array, and not element by element")


def _before(arrays: Sequence[Any], stream: int) -> tuple[set[int], bool]:
    """Let a stream come after those of arrays: which those are, and whether to wait in the end."""
    others, is_awaited = set(), False
    for one in arrays:
        if isinstance(one, Operand):
            is_awaited |= one.is_awaited
            if one.stream != stream:
                others.add(one.stream)
    for other in others:
        driver.order(other, stream)
    return others, is_awaited


def _after(others: set[int], is_awaited: bool, stream: int) -> None:
    """Let others come after a stream, and the host as well where nothing tells their libraries."""
    for other in others:
        driver.order(stream, other)
    if is_awaited:
        driver.synchronize(stream)


def _operand(name: str, value: Any, first: Operand) -> Operand:
    """A device array as a kernel takes it, on the device of the first."""
    found = foreign.described(name, value, first.stream)
    if found.device != first.device:
        raise ValueError(f"{name} is on another GPU than x")
    return found


def _target(value: Any, first: Operand, dtype: Any) -> Operand:
    """An output, which is of the result's type."""
    found = _operand("out", value, first)
    if found.dtype != dtype:
        raise TypeError(f"on the GPU out must be of {dtype}, not {found.dtype}")
    return found


def _parameter(name: str, value: Any, first: Operand) -> Any:
    """A device array as a kernel takes it, or a number."""
    if isinstance(value, (int, float, np.generic)):
        return int(value) if type(value) is bool else value
    if isinstance(value, np.ndarray) and not value.ndim:
        return value[()]
    return _operand(name, value, first)


def _apart(out: Operand, other: Operand) -> bool:
    """Whether two arrays share no memory, or are the same element by element."""
    if 0 in out.shape or 0 in other.shape:
        return True
    if out.pointer == other.pointer:
        return out.shape == other.shape and out.strides == other.strides
    low, high = _extent(out)
    other_low, other_high = _extent(other)
    return high <= other_low or other_high <= low


def _extent(array: Operand) -> tuple[int, int]:
    low = high = array.pointer
    for length, stride in zip(array.shape, array.strides, strict=True):
        if stride > 0:
            high += (length - 1) * stride
        else:
            low += (length - 1) * stride
    return low, high + array.dtype.itemsize


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
    first = foreign.described("x", x)
    with driver.on(first.device):
        shape, stream = first.shape, first.stream
        gradient = _operand("grad_output", grad_output, first)
        given = [_parameter("a parameter", p, first) for p in parameters]
        dtype = _of_product(_dtype(name, first, given), gradient)
        shapes = [np.shape(a) for a in (gradient, *given) if np.shape(a) not in ((), shape)]
        if shapes and np.broadcast_shapes(shape, *shapes) != shape:
            raise ValueError("on the GPU x must have the shape of the result")
        result = [foreign.like(x, first, np.shape(v), dtype) for v in (first, *given)]
        targets = [_target(r, first, dtype) for r in result]
        arrays = [gradient, first, *given]
        others, is_awaited = _before([*arrays, *targets], stream)
        with ExitStack() as copies:
            settled = _settled(arrays, dtype, copies, stream)
            gradients(f"{name}_backward", settled, targets, stream)
        _after(others, is_awaited, stream)
    return tuple(result)


def _of_product(dtype: Any, gradient: Operand) -> Any:
    """The type of a gradient: that of the values, or a wider one of the incoming gradient."""
    if gradient.dtype == dtype:
        return dtype
    kinds = [np.dtype(np.float32) if one == BFLOAT16 else one for one in (dtype, gradient.dtype)]
    found = np.result_type(*kinds)
    if found.type not in FLOATS:
        raise TypeError(f"a GPU computes float16, float32 and float64, not {found}")
    return found


def over_rows(
    function: str, values: Sequence[Any], axes: Callable[[int], Sequence[int]], out: Any
) -> Any:
    """Values of a row function, or the gradients of its input, on the device.

    Parameters
    ----------
    function : str
        Its name among the generalised ufuncs.
    values : sequence of device array
        x, or a gradient that broadcasts to its shape and x.
    axes : callable
        Gives those that a row lies along, of so many.
    out : device array or None
        Where to put the result; None allocates an array of x's library.

    Returns
    -------
    device array

    Raises
    ------
    TypeError, ValueError
        If dtypes, shapes, devices, memory or layouts do not fit.
    """
    x = values[-1]
    first = foreign.described("x", x)
    with driver.on(first.device):
        shape, stream = first.shape, first.stream
        chosen = axes(len(shape))
        dtype = _dtype(function.removesuffix("_vjp"), first, [])
        arrays = [*(_operand("grad_output", one, first) for one in values[:-1]), first]
        try:
            fits = np.broadcast_shapes(shape, arrays[0].shape) == shape
        except ValueError:
            fits = False
        if not fits:
            raise ValueError(
                f"grad_output of shape {arrays[0].shape} does not fit the output's {shape}"
            )
        if len(arrays) > 1:
            dtype = _of_product(dtype, arrays[0])
        result = foreign.like(x, first, shape, dtype) if out is None else out
        target = _target(result, first, dtype)
        if out is not None:
            _require_room(target, shape, arrays)
        others, is_awaited = _before([*arrays, target], stream)
        with ExitStack() as copies:
            settled = _settled(arrays, dtype, copies, stream)
            rows.launch(function, settled, target, chosen, stream)
        _after(others, is_awaited, stream)
    return result
