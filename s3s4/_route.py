"""Which road a call takes: NumPy's ufunc, the kernels over whole arrays, or a GPU."""

# Design:
# - A call on a small ndarray that names no device never gets here. For every other one each fact
#   (where the arrays lie, their types, sizes and layout, what was asked for) is looked up once.
# - Asked for nothing, or for "auto", a GPU is looked for by the first call that is large enough to
#   gain from one, as `calibrate` has found. CUDA is not begun to learn that none gains.
#
# Sizes that decide, and their units:
#   SMALL                 elements of x       below it NumPy's ufunc, whatever the layout
#   _cutover.FLOOR        elements of x       below it no GPU is looked for
#   _cutover.gpu_from     elements of x       measured, by function and dtype: from it on the GPU
#   _cpu.parallel_size    elements of output  measured, by function and dtype: from it on threads,
#                                             asked by the kernels themselves on either road

import os
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from types import ModuleType
from typing import Any

from numpy import ndarray

from s3s4 import _devices
from s3s4._block import Block
from s3s4._cpu import arrays, kernels, outputs, threads
from s3s4._device_arrays import lies_on_device, on_host, require_beside
from s3s4._errors import GPUUnavailable
from s3s4._measured import cutover as _cutover

UFUNC, KERNELS, GPU = "ufunc", "kernels", "gpu"
SMALL = 1 << 13
"""Elements below which a call is the ufunc's: what NumPy's iterator costs is worth no question."""

WIDEST = 8
"""Bytes of an element of what the kernels compute."""

DEVICES = ("auto", "cpu", "gpu")
_environment = os.environ.get("S3S4_DEVICE") or "auto"
_chosen: ContextVar[str | None] = ContextVar("device", default=None)
_outside: ContextVar[tuple[str | None, ...]] = ContextVar("device outside", default=())


def device(name: str) -> Block[str | None]:
    """Prefer a device within a `with` block, for calls that name none.

    It is a preference of large calls: those of a few thousand elements stay on the CPU, whose
    result is there before a GPU would have been asked. `device=` in a call is obeyed at any size.
    A block may be kept and entered again, and decorate a function.

    Parameters
    ----------
    name : {"auto", "cpu", "gpu"}

    Raises
    ------
    ValueError
        If there is no such device.

    Examples
    --------
    >>> import s3s4
    >>> with s3s4.device("cpu"):
    ...     float(s3s4.s4(0.0))
    0.25
    """
    if name not in DEVICES:
        raise _no_such_device(name)
    return Block(_chosen, _outside, name)


def wanted(given: object) -> str:
    """The device a call asks for: its own, its block's, the environment's, or "auto".

    Raises
    ------
    ValueError
        If there is no such device.
    """
    asked = (_chosen.get() or _environment) if given is None else given
    if asked not in DEVICES:
        raise _no_such_device(given)
    return str(asked)


def _no_such_device(given: object) -> ValueError:
    source, asked = ("S3S4_DEVICE", _environment) if given is None else ("device", given)
    return ValueError(f"{source} must be one of {', '.join(DEVICES)}, not {asked!r}")


def is_left_to_ufunc(size: int) -> bool:
    """Whether NumPy's ufunc takes a contiguous array that no device was named for.

    It does from `SMALL` on as well, unless a GPU is asked for or may be worth asking, or the memory
    of a new output is reused.
    """
    if (_chosen.get() or _environment) == "gpu" or outputs.is_reused(WIDEST * size):
        return False
    kernels.set_local_threads(threads._of_block.get())  # follow_block, without a call more
    state = _devices._state
    return size < _cutover.FLOOR or (state.known and state.gpu is None)


def of_call(
    function: str,
    x: Any,
    parameters: Sequence[Any],
    outs: Sequence[Any],
    options: Mapping[str, Any],
    given: object = None,
    threshold: int | None = None,
) -> tuple[str, Any]:
    """The road of a call of a function of the table.

    Parameters
    ----------
    function : str
        Its name.
    x : array_like
    parameters : sequence of array_like
    outs : sequence
        As many as the function has results, None where one is to be made.
    options : mapping
        Those of the ufunc.
    given : {"auto", "cpu", "gpu", None}
        The device that the call names.
    threshold : int, optional
        The size from which "auto" takes the GPU, in place of the measured one.

    Returns
    -------
    UFUNC, None
        NumPy computes it, or explains what is wrong.
    KERNELS, (shape, inputs)
        As `arrays.evaluate` takes them.
    GPU, (backend, auto)
        auto: whether the CPU may do it as well.

    Raises
    ------
    ValueError
        If there is no such device.
    GPUUnavailable
        If the GPU was asked for and cannot be had.
    """
    asked = (_chosen.get() or _environment) if given is None else given
    if asked not in DEVICES:
        raise _no_such_device(given)
    plain = type(x) is ndarray
    if asked == "gpu" or (not plain and lies_on_device(x)):
        return GPU, (_devices.gpu(), False)
    kernels.set_local_threads(threads._of_block.get())  # follow_block, without a call more
    if not plain or x.dtype.type not in arrays.FLOATS:
        return UFUNC, None
    size = x.size
    state = _devices._state
    least = _cutover.FLOOR if threshold is None else threshold
    if size >= least and asked == "auto" and (state.gpu is not None or not state.known):
        backend = _worth_a_gpu(function, x, parameters, threshold)
        if backend is not None:
            return GPU, (backend, True)
    if size < SMALL or (options and options.keys() != {"out"}):
        return UFUNC, None
    found = arrays.operands(x, parameters, outs)
    if found is None or found[1]:
        return UFUNC, None
    shape = arrays.fitting(found[0], outs)
    return (UFUNC, None) if shape is None else (KERNELS, (shape, found[0]))


def of_backward(
    grad_output: Any, x: Any, parameters: Sequence[Any], given: object = None
) -> tuple[str, Any]:
    """The road of the gradients of an activation.

    Returns
    -------
    UFUNC, None
        Something is to be cast, to be taken out of its container, or to be explained.
    KERNELS, (grad_output, x, *parameters)
        As `arrays.backward` takes them.
    GPU, (backend, False)
    """
    asked = wanted(given)
    plain = type(x) is ndarray
    if not plain:
        x = on_host("x", x)
    if asked == "gpu" or (not plain and lies_on_device(x)):
        return GPU, (_devices.gpu(), False)
    if not plain or type(grad_output) is not ndarray or x.dtype.type not in arrays.FLOATS:
        return UFUNC, None
    threads.follow_block()
    found = arrays.operands(x, (grad_output, *parameters))
    if found is None:
        return UFUNC, None
    x, grad_output, *parameters = found[0]
    try:
        shape = arrays.common_shape((x, *parameters))
        if (
            grad_output.shape != shape
            and arrays.common_shape((x, *parameters, grad_output)) != shape
        ):
            return UFUNC, None
    except ValueError:
        return UFUNC, None
    return KERNELS, (grad_output, x, *parameters)


def of_rows(names: Sequence[str], values: Sequence[Any], given: object) -> ModuleType | None:
    """The GPU that rows are computed on, or None for the CPU.

    They are where their arrays lie, unless the call itself names the GPU: a preference for it (a
    block's) does not concern them.

    Parameters
    ----------
    names : sequence of str
        What the values are to the caller.
    values : sequence of array_like
        x comes last.
    given : {"auto", "cpu", "gpu", None}
        The device that the call names.

    Raises
    ------
    ValueError
        If there is no such device.
    TypeError
        If another array is on a GPU and x is not.
    GPUUnavailable
        If the GPU was asked for and cannot be had.
    """
    threads.follow_block()
    asked = "auto" if given is None else wanted(given)
    there = [
        type(value) is not ndarray and lies_on_device(on_host(name, value))
        for name, value in zip(names, values, strict=True)
    ]
    if any(there):
        require_beside(names[::-1], values[::-1])
    return _devices.gpu() if there[-1] or asked == "gpu" else None


def _worth_a_gpu(
    function: str, x: ndarray, parameters: Sequence[Any], threshold: int | None
) -> ModuleType | None:
    # What is measured is one array over the bus: parameters that are arrays only add to it.
    if any(getattr(parameter, "ndim", 0) for parameter in parameters):
        return None
    if _devices.is_out_of_question():
        return None
    is_given = threshold is not None
    if threshold is None:
        threshold = _cutover.gpu_from(function, x.dtype)
    if threshold is None or x.size < threshold:
        return None
    try:
        backend = _devices.gpu()
    except GPUUnavailable as error:
        if _devices.is_there():
            _devices.fell_back(error)
        return None
    return backend if is_given or not backend.SIMULATED else None
