"""The CPU: which variant of the kernels runs, on how many threads, over which memory."""

# Design:
# - What the rest of the package may use is listed here.
# - A ufunc's inner loop sees one axis at a time. Large arrays of any other layout are handed to the
#   kernels whole; what is left to NumPy is what it does in one piece anyway, and all odd cases.

from collections.abc import Sequence
from typing import Any

import numpy as np

from s3s4._cpu import openmp, threads, variant
from s3s4._cpu.threads import (
    get_num_threads,
    parallel_size,
    set_num_threads,
    set_parallel_size,
    usual_parallel_size,
)
from s3s4._cpu.variant import VARIANTS, kernels, load, ufuncs, version

__all__ = [
    "FLOATS",
    "VARIANTS",
    "apart",
    "backward",
    "evaluate",
    "evaluate_rows",
    "get_num_threads",
    "kernels",
    "load",
    "openmp",
    "parallel_size",
    "set_num_threads",
    "set_parallel_size",
    "threads",
    "ufuncs",
    "usual_parallel_size",
    "variant",
    "version",
]

FIRST_SLOT = np.zeros((), np.intp)
FLOATS = (np.float16, np.float32, np.float64)


def evaluate(
    name: str, x: Any, parameters: Sequence[Any], outs: Sequence[Any]
) -> tuple[np.ndarray, ...] | None:
    """Values of a function of the table over large arrays, in threads whatever their layout.

    Parameters
    ----------
    name : str
        The function.
    x : ndarray
        Its first argument.
    parameters : sequence of array_like
        The others.
    outs : sequence of ndarray or None
        Where to put the results; None allocates.

    Returns
    -------
    tuple of ndarray or None
        None where NumPy should do it: in one piece, or with casting, temporaries or an error.
    """
    dtype = x.dtype
    if dtype.type not in FLOATS:
        return None
    arrays = [a for p in parameters if (a := _operand(p, dtype.type)) is not None]
    if len(arrays) != len(parameters):
        return None
    given = [out for out in outs if out is not None]
    operands = [a for a in arrays if a.ndim] + given
    if dtype.isnative and _one_piece(x, operands):
        return None
    try:
        shape = _shape(x, arrays)
    except ValueError:
        return None
    for out in given:
        if type(out) is not np.ndarray or out.shape != shape or out.dtype.type is not dtype.type:
            return None
        if not out.flags.writeable:
            return None
        others = [x, *arrays, *(o for o in given if o is not out)]
        if not all(apart(out, other) for other in others):
            return None
    native = dtype.newbyteorder("=")
    results = tuple(
        out
        if out is not None
        else np.empty_like(x, native)
        if x.shape == shape
        else np.empty(shape, native)
        for out in outs
    )
    kernels.evaluate(name, _broadcast((x, *arrays), shape), results, len(arrays))
    return results


evaluate_rows = kernels.evaluate_rows


def _operand(value: Any, scalar: type[np.generic]) -> np.ndarray | None:
    """A parameter as an array of the loop's type, if that is the type NumPy would choose."""
    if type(value) is float or type(value) is int:
        return np.asarray(value, scalar)
    if (type(value) is np.ndarray or isinstance(value, np.generic)) and value.dtype.type is scalar:
        return np.asarray(value)
    return None


def _shape(x: np.ndarray, parameters: Sequence[np.ndarray]) -> tuple[int, ...]:
    """The shape they have together; to ask NumPy takes longer than to see that it is that of x."""
    if any(p.ndim for p in parameters):
        return np.broadcast_shapes(x.shape, *(p.shape for p in parameters))
    return x.shape


def _broadcast(arrays: Sequence[np.ndarray], shape: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    """Arrays of a shape; the kernels do it themselves for one without axes."""
    return tuple(a if a.shape == shape or not a.ndim else np.broadcast_to(a, shape) for a in arrays)


def _one_piece(x: np.ndarray, others: Sequence[np.ndarray]) -> bool:
    """Whether NumPy's iterator would join all axes into one."""
    if not x.flags.forc:
        return False
    c_order, f_order = x.flags.c_contiguous, x.flags.f_contiguous
    return all(
        o.shape == x.shape
        and o.dtype == x.dtype
        and ((c_order and o.flags.c_contiguous) or (f_order and o.flags.f_contiguous))
        for o in others
    )


def apart(out: np.ndarray, other: np.ndarray) -> bool:
    """Whether out overlaps another array nowhere, or is exactly the same memory."""
    return not np.may_share_memory(out, other) or (
        out.ctypes.data == other.ctypes.data
        and out.strides == other.strides
        and out.shape == other.shape
    )


def backward(
    name: str, grad_output: np.ndarray, x: np.ndarray, parameters: Sequence[np.ndarray]
) -> tuple[np.ndarray, ...]:
    """Gradients of x and of every parameter, each summed to its shape, in one pass.

    Parameters
    ----------
    name : str
        The activation.
    grad_output, x : ndarray
    parameters : sequence of ndarray
        All of one dtype: float16, float32 or float64. grad_output broadcasts to the shape that
        x and the parameters have together.

    Returns
    -------
    tuple of ndarray
    """
    threads.follow_block()
    shape = _shape(x, parameters)
    variables = (x, *parameters)
    outputs = tuple(
        np.empty_like(v, v.dtype.newbyteorder("=")) if v.shape == shape else _sums(v, shape)
        for v in variables
    )
    inputs = (
        grad_output if grad_output.shape == shape else np.broadcast_to(grad_output, shape),
        *_broadcast(variables, shape),
    )
    kernels.evaluate(f"{name}_backward", inputs, outputs, len(parameters))
    return tuple(
        _total(output[0], v) if isinstance(output, tuple) else output
        for output, v in zip(outputs, variables, strict=True)
    )


def _sums(variable: np.ndarray, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Room for compensated sums, and for each element of shape the sum it belongs to."""
    if not variable.ndim:
        return np.zeros((2, 1)), FIRST_SLOT
    slots = np.arange(variable.size, dtype=np.intp).reshape(variable.shape)
    return np.zeros((2, variable.size)), np.broadcast_to(slots, shape)


def _total(sums: np.ndarray, variable: np.ndarray) -> np.ndarray:
    totals, rests = sums
    np.add(totals, rests, out=totals, where=np.isfinite(totals))
    with np.errstate(all="ignore"):
        total: np.ndarray = totals.astype(variable.dtype.newbyteorder("="))
    return total.reshape(variable.shape)
