"""Rows over several axes at once: they are joined into one, the last."""

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np


def over_axes(
    call: Callable[..., Any], arrays: Sequence[Any], axis: tuple[int, ...] | None, out: Any
) -> Any:
    """A function of rows along the last axis, over several axes.

    Parameters
    ----------
    call : callable
        Takes the arrays.
    arrays : sequence of ndarray
        Of one shape; also of other types that can be transposed and reshaped, as masked arrays.
    axis : tuple of int or None
        All axes for None.
    out : ndarray, optional
        Where to put the result; it may be one of the arrays.

    Returns
    -------
    ndarray or scalar
        Of the arrays' shape.

    Raises
    ------
    TypeError, ValueError
        If an axis is no integer, is not there or stands twice, or out does not fit.
    """
    shape = arrays[0].shape
    ndim = len(shape)
    axes = several(axis, ndim)
    if out is not None:
        if not isinstance(out, np.ndarray):
            raise TypeError(f"out must be an array, not {type(out).__name__}")
        if not out.flags.writeable:
            raise ValueError("out is read-only")
        if out.shape != shape:
            raise ValueError(f"out has shape {out.shape}, the result has {shape}")
    kept = [one for one in range(ndim) if one not in axes]
    order = (*kept, *axes)
    lengths = [shape[one] for one in order]
    rows = (*lengths[: len(kept)], math.prod(lengths[len(kept) :]))
    result = call(*(array.transpose(order).reshape(rows) for array in arrays))
    result = result.reshape(lengths).transpose(tuple(np.argsort(order)))
    if out is None:
        return result if ndim else result[()]
    np.copyto(out, result, casting="same_kind")
    return out


def several(axis: tuple[int, ...] | None, ndim: int) -> tuple[int, ...]:
    """Axes, all of them for None, as numbers from 0.

    Raises
    ------
    TypeError, ValueError
        If an axis is no integer, is not there or stands twice.
    """
    axes = tuple(range(ndim)) if axis is None else tuple(_index(one, ndim) for one in axis)
    if len(set(axes)) < len(axes):
        raise ValueError(f"axis must name each axis once, not {axis}")
    return axes


def _index(axis: Any, ndim: int) -> int:
    try:
        index = operator.index(axis)
    except TypeError:
        raise TypeError(f"axis must hold integers, not {type(axis).__name__}") from None
    if not -ndim <= index < ndim:
        raise ValueError(f"axis must be from {-ndim} to {ndim - 1}, not {index}")
    return index % ndim
