"""Errors that name the argument: what NumPy refused is explained after the fact."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy import ndarray

from s3s4._cpu import arrays
from s3s4._device_arrays import on_host


def real(name: str, value: Any) -> ndarray:
    """The value as an array of real numbers, or an error that names it."""
    array = np.asarray(on_host(name, value))
    if array.dtype.kind not in "fiub" and not is_narrow(array.dtype):
        raise TypeError(f"{name} must hold real numbers, not {array.dtype}")
    return array


def is_narrow(dtype: Any) -> bool:
    """Whether a dtype is another library's float within float32, as ml_dtypes' bfloat16 is."""
    return (
        isinstance(dtype, np.dtype)
        and dtype.kind == "V"
        and dtype.names is None
        and _casts_to_float(dtype)
    )


@cache
def _casts_to_float(dtype: np.dtype) -> bool:
    return np.can_cast(dtype, np.float32)


@cache
def is_bfloat(dtype: np.dtype) -> bool:
    """Whether a dtype is that of bfloat16, whoever has made it."""
    return dtype.name == "bfloat16"


def unknown(name: str, parameters: Iterable[str], given: Iterable[str]) -> TypeError:
    """The error of a keyword that is neither a parameter nor an option."""
    takes = ", ".join(parameters) or "no parameters"
    return TypeError(f"{name} takes {takes}, not {min(given)}: an unexpected argument")


def explained(error: Exception, values: Mapping[str, Any], options: Mapping[str, Any]) -> Exception:
    """The same error with the argument it is about, where that can be told."""
    try:
        found = {name: real(name, value) for name, value in values.items()}
        shape = shape_of(found)
    except (TypeError, ValueError) as explanation:
        return explanation
    return explained_out(error, options.get("out"), shape)


def explained_out(error: Exception, out: Any, shape: Sequence[int]) -> Exception:
    """The same error with what is wrong with out, where that can be told."""
    for array in out if isinstance(out, tuple) else (out,):
        if isinstance(array, ndarray):
            if not array.flags.writeable:
                return ValueError("out is read-only")
            if array.shape != shape:
                return ValueError(f"out has shape {array.shape}, the result has {shape}")
        elif array is not None and not hasattr(type(array), "__array_ufunc__"):
            return TypeError(f"out must be an array, not {type(array).__name__}")
    return error


def shape_of(named: Mapping[str, ndarray]) -> tuple[int, ...]:
    """The shape that named arrays have together, or an error that names them."""
    try:
        return arrays.common_shape(list(named.values()))
    except ValueError:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in named.items())
        raise ValueError(f"shapes do not broadcast: {shapes}") from None
