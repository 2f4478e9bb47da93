"""Calls on arrays that are on the device and stay there."""

# Design:
# - A call is made for x's stream. What the streams of other arrays were asked for comes before it,
#   and what they are asked for later comes after it.

from collections.abc import Sequence
from typing import Any

import numpy as np

from s3s4._gpu import driver, foreign, rows
from s3s4._gpu.foreign import Operand
from s3s4._gpu.kernels import FLOATS
from s3s4._gpu.launches import launch
from s3s4._gpu.sums import gradients


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
    first = _operand("x", x)
    if driver.current_device() == first.device:
        return _evaluate(function, x, first, parameters, outs)
    with driver.on(first.device):
        return _evaluate(function, x, first, parameters, outs)


def _evaluate(
    function: str, x: Any, first: Operand, parameters: Sequence[Any], outs: Sequence[Any]
) -> tuple[Any, ...]:
    stream, shape = first.stream, first.shape
    given = [_parameter("a parameter", p, first) for p in parameters]
    if any(p.shape not in ((), shape) for p in given):
        shape = np.broadcast_shapes(shape, *(p.shape for p in given))
    arrays = [first, *given]
    results = tuple([foreign.like(x, first, shape) if out is None else out for out in outs])
    targets = [_operand("out", result, first) for result in results]
    for out, target in zip(outs, targets, strict=True):
        if out is not None:
            _require_room(target, shape, [*arrays, *targets])
    others, is_awaited = _before([*arrays, *targets], stream)
    launch(function, arrays, targets, 1, stream)
    _after(others, is_awaited, stream)
    return results


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


def _operand(name: str, value: Any, first: Operand | None = None) -> Operand:
    """A device array as a kernel takes it: of the dtype and device of the first."""
    if first is None:
        found = foreign.described(name, value)
        if getattr(found.dtype, "type", None) not in FLOATS:
            raise TypeError(
                f"on the GPU {name} must be of float16, float32 or float64, not {found.dtype}"
            )
        return found
    found = foreign.described(name, value, first.stream)
    if found.device != first.device:
        raise ValueError(f"{name} is on another GPU than x")
    if found.dtype != first.dtype:
        raise TypeError(f"on the GPU {name} must be of {first.dtype}, not {found.dtype}")
    return found


def _parameter(name: str, value: Any, first: Operand) -> Any:
    """A device array as a kernel takes it, or a number of its dtype."""
    if isinstance(value, (int, float, np.generic)):
        return first.dtype.type(value)
    if isinstance(value, np.ndarray) and not value.ndim:
        return first.dtype.type(value[()])
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
    function = f"{name}_backward"
    first = _operand("x", x)
    with driver.on(first.device):
        shape, stream = first.shape, first.stream
        gradient = _operand("grad_output", grad_output, first)
        given = [_parameter("a parameter", p, first) for p in parameters]
        shapes = [a.shape for a in (gradient, *given) if a.shape not in ((), shape)]
        if shapes and np.broadcast_shapes(shape, *shapes) != shape:
            raise ValueError("on the GPU x must have the shape of the result")
        result = [foreign.like(x, first, v.shape) for v in (first, *given)]
        targets = [_operand("out", r, first) for r in result]
        others, is_awaited = _before([first, gradient, *given, *targets], stream)
        gradients(function, [gradient, first, *given], targets, stream)
        _after(others, is_awaited, stream)
    return tuple(result)


def over_rows(function: str, values: Sequence[Any], axes: Sequence[int], out: Any) -> Any:
    """Values of a row function, or the gradients of its input, on the device.

    Parameters
    ----------
    function : str
        Its name among the generalised ufuncs.
    values : sequence of device array
        x, or a gradient that broadcasts to its shape and x.
    axes : sequence of int
        Those that a row lies along.
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
    first = _operand("x", x)
    with driver.on(first.device):
        shape, stream = first.shape, first.stream
        arrays = [*(_operand("grad_output", one, first) for one in values[:-1]), first]
        try:
            fits = np.broadcast_shapes(shape, arrays[0].shape) == shape
        except ValueError:
            fits = False
        if not fits:
            raise ValueError(
                f"grad_output of shape {arrays[0].shape} does not fit the output's {shape}"
            )
        result = foreign.like(x, first, shape) if out is None else out
        target = _operand("out", result, first)
        if out is not None:
            _require_room(target, shape, arrays)
        others, is_awaited = _before([*arrays, target], stream)
        rows.launch(function, arrays, target, axes, stream)
        _after(others, is_awaited, stream)
    return result
