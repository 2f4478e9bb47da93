"""A call on the GPU: its arguments as a backend takes them, and the CPU where that fails."""

# Design:
# - In auto mode whatever goes wrong with the GPU is said once, and the CPU does the work.

from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from s3s4 import _devices
from s3s4._cpu import arrays
from s3s4._device_arrays import lies_on_device


def evaluate(
    backend: ModuleType,
    ufunc: np.ufunc,
    x: Any,
    parameters: Sequence[Any],
    outs: Sequence[Any],
    options: Mapping[str, Any],
    auto: bool,
) -> tuple[Any, ...] | None:
    """The results of a call, or None if it was not asked for and does not work.

    Parameters
    ----------
    backend : module
        The GPU.
    ufunc : numpy.ufunc
        The same on the CPU.
    x : array_like
    parameters : sequence of array_like
    outs : sequence of array or None
    options : mapping
        Those of a ufunc; a GPU knows `out` and `dtype` alone.
    auto : bool
        Whether the CPU may do it as well.

    Raises
    ------
    TypeError, ValueError
        If the arguments do not fit the GPU that was asked for.
    """
    on_device = lies_on_device(x)
    others = options.keys() - ({"out"} if auto or on_device else {"out", "dtype"})
    count, function = ufunc.nout, ufunc.__name__
    if others or len(outs) != count:
        if auto:
            return None
        raise TypeError(
            f"on the GPU {min(others)}= is not supported"
            if others
            else f"out must hold {count} arrays, not {len(outs)}"
        )
    if on_device:
        results: tuple[Any, ...] = backend.evaluate_on_device(function, x, parameters, outs)
        return results
    if not auto:
        return _from_host(backend, ufunc, x, parameters, outs, options.get("dtype"))
    try:
        return _from_host(backend, ufunc, x, parameters, outs, None)
    except (TypeError, ValueError):
        return None  # the CPU explains it, or can do it
    except Exception as error:
        # Memory may be there again for the next call.
        if not isinstance(error, MemoryError):
            _devices.lose(error)
        _devices.fell_back(error)
        return None


def _from_host(
    backend: ModuleType,
    ufunc: np.ufunc,
    x: Any,
    parameters: Sequence[Any],
    outs: Sequence[Any],
    dtype: Any,
) -> tuple[Any, ...]:
    array = np.asarray(x)
    if dtype is None:
        kinds = [type(p) if type(p) in (int, float) else np.asarray(p).dtype for p in parameters]
        dtype = ufunc.resolve_dtypes((array.dtype, *kinds, *[None] * ufunc.nout))[-1]
    dtype = np.dtype(dtype)
    if dtype.type not in arrays.FLOATS:
        raise TypeError(f"a GPU computes float16, float32 and float64, not {dtype}")
    inputs = [array, *map(np.asarray, parameters)]
    shape = arrays.common_shape(inputs)
    for out in outs:
        if out is None:
            continue
        if not isinstance(out, np.ndarray) or out.shape != shape or not out.flags.writeable:
            raise ValueError(f"out must be a writeable array of shape {shape}")
        if not np.can_cast(dtype, out.dtype, "same_kind"):
            raise TypeError(f"out of {out.dtype} cannot hold {dtype}")
    # What fails half-way must leave the inputs as they were: the CPU starts again from them.
    apart = [
        out if out is not None and not any(arrays.overlap(out, i) for i in inputs) else None
        for out in outs
    ]
    results = backend.evaluate(ufunc.__name__, array.astype(dtype, copy=False), parameters, apart)
    for out, result in zip(outs, results, strict=True):
        if out is not None and out is not result:
            out[...] = result
    final = (r if out is None else out for out, r in zip(outs, results, strict=True))
    return tuple(
        r if r.ndim or out is not None else r[()] for r, out in zip(final, outs, strict=True)
    )
