"""Arrays of the host: which shape they have together, how they lie, and the kernels over them.

What is contiguous and what overlaps is asked here and nowhere else.
"""

# Design:
# - A ufunc's inner loop sees one axis at a time. Large arrays of any other layout are handed to the
#   kernels whole; what is left to NumPy is what it does in one piece anyway, and all odd cases.
# - np.broadcast_shapes and np.broadcast know no more than 32 axes, arrays have up to 64.

import math
from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

import numpy as np
from numpy import ndarray

from s3s4._cpu.outputs import new
from s3s4._cpu.variant import kernels

FLOATS = (np.float16, np.float32, np.float64)
LEAST_OVERFLOW = float(np.finfo(np.float16).max)
"""Of all FLOATS: what is smaller is rounded without a warning."""
FIRST_SLOT = np.zeros((), np.intp)


def common_shape(arrays: Sequence[ndarray]) -> tuple[int, ...]:
    """The shape that arrays broadcast to.

    Raises
    ------
    ValueError
        If they do not.
    """
    shape = arrays[0].shape
    for array in arrays[1:]:
        if not array.ndim or array.shape == shape:
            continue
        longer, shorter = shape, array.shape
        if len(longer) < len(shorter):
            longer, shorter = shorter, longer
        lengths = list(longer)
        for axis, length in enumerate(shorter, len(longer) - len(shorter)):
            if lengths[axis] == 1:
                lengths[axis] = length
            elif length not in (1, lengths[axis]):
                raise ValueError(f"shapes do not broadcast: {shape} and {array.shape}")
        shape = tuple(lengths)
    return shape


def operands(
    x: ndarray, parameters: Sequence[Any], outs: Sequence[Any] = ()
) -> tuple[list[ndarray], bool] | None:
    """The inputs as arrays of the type of x, and whether NumPy sees all arrays as one axis.

    None where NumPy would choose another type, or an output is no array of this type.
    """
    scalar = x.dtype.type
    inputs = [x]
    in_c_order = x.flags.c_contiguous or x.ndim == 1
    in_f_order = x.flags.f_contiguous
    alike = x.dtype.isnative
    for value in parameters:
        kind = type(value)
        if kind is float or kind is int:
            try:
                inputs.append(np.array(value, scalar))
            except OverflowError:
                return None
            continue
        if kind is not ndarray and not isinstance(value, np.generic):
            return None
        if value.dtype.type is not scalar:
            return None
        array = value if kind is ndarray else np.asarray(value)
        inputs.append(array)
        if array.ndim:
            alike = alike and array.shape == x.shape and array.dtype.isnative
            in_c_order = in_c_order and (array.flags.c_contiguous or array.ndim == 1)
            in_f_order = in_f_order and array.flags.f_contiguous
    for out in outs:
        if out is None:
            continue
        if type(out) is not ndarray or out.dtype.type is not scalar:
            return None
        alike = alike and out.shape == x.shape and out.dtype.isnative
        in_c_order = in_c_order and (out.flags.c_contiguous or out.ndim == 1)
        in_f_order = in_f_order and out.flags.f_contiguous
    return inputs, alike and (in_c_order or in_f_order)


def fitting(inputs: Sequence[ndarray], outs: Sequence[ndarray | None]) -> tuple[int, ...] | None:
    """The shape of the results, or None if they do not fit the outputs, or overlap an input."""
    shape = inputs[0].shape
    for array in inputs[1:]:
        if array.ndim:
            try:
                shape = common_shape(inputs)
            except ValueError:
                return None
            break
    for out in outs:
        if out is None:
            continue
        if out.shape != shape or not out.flags.writeable:
            return None
        for other in (*inputs, *outs):
            if other is not None and other is not out and not apart(out, other):
                return None
    return shape


def overlap(one: ndarray, other: ndarray) -> bool:
    """Whether two arrays may share memory."""
    return np.may_share_memory(one, other)


def apart(out: ndarray, other: ndarray) -> bool:
    """Whether out overlaps another array nowhere, or is exactly the same memory."""
    return not overlap(out, other) or (
        out.ctypes.data == other.ctypes.data
        and out.strides == other.strides
        and out.shape == other.shape
    )


def evaluate(
    name: str, shape: tuple[int, ...], inputs: Sequence[ndarray], outs: Sequence[ndarray | None]
) -> tuple[ndarray, ...]:
    """Values of a function of the table over large arrays, in threads whatever their layout.

    Parameters
    ----------
    name : str
        The function.
    shape : tuple of int
        Of the results.
    inputs : sequence of ndarray
        x and the parameters, as `operands` gives them.
    outs : sequence of ndarray or None
        Where to put the results, as `fitting` allows; None allocates.
    """
    x = inputs[0]
    native = x.dtype.newbyteorder("=")
    nbytes = math.prod(shape) * native.itemsize
    make: Any = np.empty_like if x.shape == shape else np.empty
    like = x if x.shape == shape else shape
    results = tuple([new(nbytes, make, like, native) if out is None else out for out in outs])
    kernels.evaluate(name, shape, tuple(inputs), results, len(inputs) - 1)
    return results


def evaluate_bfloat(
    ufunc: np.ufunc, x: ndarray, parameters: Sequence[Any], outs: Sequence[Any]
) -> tuple[ndarray, ...] | None:
    """Values at bfloat16, which the kernels read and round themselves.

    None unless x is an array of axes, each parameter a number or of its type, and what is given
    of outs of its type as well, and as `fitting` allows.
    """
    if type(x) is ndarray and kernels.evaluate_bfloats(
        ufunc.__name__, x, tuple(parameters), tuple(outs)
    ):
        return tuple(outs)
    numbers = [type(value) in (float, int) for value in parameters]
    narrow = [x, *[v for v, is_number in zip(parameters, numbers, strict=True) if not is_number]]
    narrow += [out for out in outs if out is not None]
    if len(outs) != ufunc.nout or not x.ndim:
        return None
    if any(type(a) is not ndarray or a.dtype != x.dtype for a in narrow):
        return None
    inputs = [x]
    for value, is_number in zip(parameters, numbers, strict=True):
        inputs.append(np.array(value, np.float32) if is_number else value)
    shape = fitting(inputs, outs)
    if shape is None:
        return None
    nbytes = math.prod(shape) * x.itemsize
    make: Any = np.empty_like if x.shape == shape else np.empty
    like = x if x.shape == shape else shape
    results = tuple([new(nbytes, make, like, x.dtype) if out is None else out for out in outs])
    bits = [a.view(np.uint16) if a.dtype == x.dtype else a for a in (*inputs, *results)]
    kernels.evaluate(
        ufunc.__name__, shape, tuple(bits[: ufunc.nin]), tuple(bits[ufunc.nin :]), len(parameters)
    )
    return results


def backward(
    name: str,
    grad_output: ndarray,
    x: ndarray,
    parameters: Sequence[ndarray],
    outs: Sequence[ndarray | None] = (),
) -> tuple[ndarray, ...]:
    """Gradients of x and of every parameter, each summed to its shape, in one pass.

    Parameters
    ----------
    name : str
        The activation.
    grad_output, x : ndarray
    parameters : sequence of ndarray
        All of one dtype: float16, float32 or float64. grad_output broadcasts to the shape that
        x and the parameters have together.
    outs : sequence of ndarray or None
        Where gradients of that shape are put, if they fit there.

    Returns
    -------
    tuple of ndarray
        Those of outs that were taken, and new ones.
    """
    variables = (x, *parameters)
    shape = common_shape(variables)
    native = x.dtype.newbyteorder("=")
    others = [grad_output, *variables, *[out for out in outs if out is not None]]
    outputs = tuple(
        [
            _sums(v)
            if v.shape != shape
            else new(v.nbytes, np.empty_like, v, native)
            if out is None or not _is_room(out, v, others)
            else out
            for v, out in zip_longest(variables, outs)
        ]
    )
    kernels.evaluate(f"{name}_backward", shape, (grad_output, *variables), outputs, len(parameters))
    return tuple(
        [
            _total(output[0], v) if isinstance(output, tuple) else output
            for output, v in zip(outputs, variables, strict=True)
        ]
    )


def _is_room(out: ndarray, variable: ndarray, others: Sequence[ndarray]) -> bool:
    """Whether the kernels can write a gradient of a variable's shape there."""
    return (
        type(out) is ndarray
        and out.shape == variable.shape
        and out.dtype.type is variable.dtype.type
        and all(apart(out, other) for other in others)
    )


def _sums(variable: ndarray) -> tuple[ndarray, ndarray]:
    """Room for compensated sums, and for each element of a variable the sum it belongs to."""
    if not variable.ndim:
        return np.zeros((2, 1)), FIRST_SLOT
    slots = np.arange(variable.size, dtype=np.intp).reshape(variable.shape)
    return np.zeros((2, variable.size)), slots


def _total(sums: ndarray, variable: ndarray) -> ndarray:
    dtype = variable.dtype.newbyteorder("=")
    if not variable.ndim:  # a dozen times as fast as arrays of one element
        total, rest = sums.ravel().tolist()
        if abs(total) < LEAST_OVERFLOW:
            return np.array(total + rest, dtype)
    totals, rests = sums
    np.add(totals, rests, out=totals, where=np.isfinite(totals))
    with np.errstate(all="ignore"):
        rounded: ndarray = totals.astype(dtype)
    return rounded.reshape(variable.shape)
