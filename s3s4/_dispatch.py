"""Which device computes, and why."""

# Design:
# - Asked for nothing, or for "auto", small calls never get here, and a GPU is looked for by the
#   first call that is large enough to gain from one.
# - In auto mode whatever goes wrong with the GPU is said once, and the CPU does the work.

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from types import ModuleType
from typing import Any

import numpy as np

from s3s4 import _cpu, _devices
from s3s4._device_arrays import lies_on_device
from s3s4._measured import cutover as _cutover

DEVICES = ("auto", "cpu", "gpu")
_chosen: ContextVar[str | None] = ContextVar("device", default=None)


def _checked(device: object, source: str = "device") -> str:
    if device not in DEVICES:
        raise ValueError(f"{source} must be one of {', '.join(DEVICES)}, not {device!r}")
    return str(device)


@contextmanager
def device(name: str) -> Iterator[None]:
    """Prefer a device within a `with` block, for calls that name none.

    It is a preference of large calls: those of a few thousand elements stay on the CPU, whose
    result is there before a GPU would have been asked. `device=` in a call is obeyed at any size.

    Parameters
    ----------
    name : {"auto", "cpu", "gpu"}

    Raises
    ------
    ValueError
        If there is no such device.
    """
    token = _chosen.set(_checked(name))
    try:
        yield
    finally:
        _chosen.reset(token)


def wanted(given: object) -> str:
    """The device a call asks for: its own, its block's, the environment's, or "auto".

    Raises
    ------
    ValueError
        If there is no such device.
    """
    if given is not None:
        return _checked(given)
    return _chosen.get() or _checked(os.environ.get("S3S4_DEVICE") or "auto", "S3S4_DEVICE")


def is_left_to_cpu(size: int) -> bool:
    """Whether a large call on a NumPy array that names no device is the CPU's without a question.

    Parameters
    ----------
    size : int
        Its elements.
    """
    _cpu.threads.follow_block()
    return (
        (size < _cutover.FLOOR or _devices.is_out_of_question())
        and _chosen.get() is None
        and "S3S4_DEVICE" not in os.environ
    )


def choose(
    given: object, function: str, x: Any, parameters: Sequence[Any], threshold: int | None = None
) -> ModuleType | None:
    """The GPU backend if it shall compute a call, else None.

    Parameters
    ----------
    given : {"auto", "cpu", "gpu", None}
        What the call asks for.
    function : str
        Its name in the table.
    x : array_like
    parameters : sequence of array_like
    threshold : int, optional
        The size from which "auto" takes the GPU, in place of the measured one.

    Raises
    ------
    ValueError
        If there is no such device.
    GPUUnavailable
        If the GPU was asked for and cannot be had.
    """
    name = wanted(given)
    if lies_on_device(x):
        return _devices.gpu()
    if name == "cpu":
        return None
    if name == "gpu":
        return _devices.gpu()
    if not isinstance(x, np.ndarray) or x.dtype.type not in _cpu.FLOATS:
        return None
    # What is measured is one array over the bus: parameters that are arrays only add to it.
    least = _cutover.FLOOR if threshold is None else threshold
    if x.size < least or any(map(np.ndim, parameters)) or _devices.is_out_of_question():
        return None
    try:
        backend = _devices.gpu()
    except _devices.GPUUnavailable as error:
        if _devices.is_there():
            _devices.fell_back(error, 5)
        return None
    if threshold is None:
        threshold = _cutover.gpu_from(backend, function, x.dtype)
    return backend if threshold is not None and x.size >= threshold else None


def evaluate(
    function: str,
    x: Any,
    parameters: Sequence[Any],
    options: Mapping[str, Any],
    given: object,
    threshold: int | None,
) -> tuple[Any, ...] | None:
    """The results of a call if a GPU computes them, None if the CPU shall.

    Parameters
    ----------
    function : str
        Its name in the table.
    x : array_like
    parameters : sequence of array_like
    options : mapping
        Those of a ufunc; a GPU knows `out` and `dtype` alone.
    given, threshold
        As for `choose`.

    Raises
    ------
    GPUUnavailable
        If the GPU was asked for and cannot be had.
    TypeError, ValueError
        If the GPU was asked for and the arguments do not fit it.
    """
    _cpu.threads.follow_block()
    backend = choose(given, function, x, parameters, threshold)
    if backend is None:
        return None
    count = _cpu.ufuncs[function].nout
    out = options.get("out")
    outs = out if isinstance(out, tuple) else (out,) * (count if out is None else 1)
    on_device = lies_on_device(x)
    auto = wanted(given) == "auto" and not on_device
    others = options.keys() - ({"out"} if auto or on_device else {"out", "dtype"})
    if others or len(outs) != count:
        if auto:
            return None
        raise TypeError(
            f"on the GPU {min(others)!r} has no meaning"
            if others
            else f"out must hold {count} arrays, not {len(outs)}"
        )
    if on_device:
        results: tuple[Any, ...] = backend.evaluate_on_device(function, x, parameters, outs)
        return results
    if not auto:
        return _from_host(backend, function, x, parameters, outs, options.get("dtype"))
    try:
        return _from_host(backend, function, x, parameters, outs, None)
    except (TypeError, ValueError):
        return None  # the CPU explains it, or can do it
    except Exception as error:
        # Memory may be there again for the next call.
        if not isinstance(error, MemoryError):
            _devices.lose(error)
        _devices.fell_back(error, 4)
        return None


def _from_host(
    backend: ModuleType,
    function: str,
    x: Any,
    parameters: Sequence[Any],
    outs: Sequence[Any],
    dtype: Any,
) -> tuple[Any, ...]:
    array = np.asarray(x)
    if dtype is None:
        kinds = [type(p) if type(p) in (int, float) else np.asarray(p).dtype for p in parameters]
        ufunc = _cpu.ufuncs[function]
        dtype = ufunc.resolve_dtypes((array.dtype, *kinds, *[None] * ufunc.nout))[-1]
    dtype = np.dtype(dtype)
    if dtype.type not in _cpu.FLOATS:
        raise TypeError(f"a GPU computes float16, float32 and float64, not {dtype}")
    shape = np.broadcast_shapes(array.shape, *map(np.shape, parameters))
    for out in outs:
        if out is None:
            continue
        if not isinstance(out, np.ndarray) or out.shape != shape or not out.flags.writeable:
            raise ValueError(f"out must be a writeable array of shape {shape}")
        if not np.can_cast(dtype, out.dtype, "same_kind"):
            raise TypeError(f"out of {out.dtype} cannot hold {dtype}")
    # What fails half-way must leave the inputs as they were: the CPU starts again from them.
    inputs = [array, *map(np.asarray, parameters)]
    apart = [
        out if out is not None and not any(np.may_share_memory(out, i) for i in inputs) else None
        for out in outs
    ]
    results = backend.evaluate(function, array.astype(dtype, copy=False), parameters, apart)
    for out, result in zip(outs, results, strict=True):
        if out is not None and out is not result:
            out[...] = result
    final = (r if out is None else out for out, r in zip(outs, results, strict=True))
    return tuple(
        r if r.ndim or out is not None else r[()] for r, out in zip(final, outs, strict=True)
    )
