"""Which device computes, and why."""

# Design:
# - Asked for nothing, or for "auto", small calls never get here, and a GPU is looked for by the
#   first call that is large enough to gain from one: by its driver first, which takes no import.
# - The sizes from which on the GPU is faster are measured when first needed, by one thread; all
#   others use the CPU meanwhile. They are kept on disk under all that could change them.
# - In auto mode whatever goes wrong with the GPU is said once, and the CPU does the work.
# - CUDA does not survive a fork: a child computes on the CPU.

import ctypes
import importlib.util
import os
import platform
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np

from s3s4 import _cache, _calibration, _cpu
from s3s4._calibration import Comparison, Sample
from s3s4._table import TABLE

DEVICES = ("auto", "cpu", "gpu")
FLOOR = 1 << 18
"""Below this many elements no bus and no launch is worth it: no GPU is looked for."""
ASSUMED = 1 << 22
"""The cutover where S3S4_CALIBRATE=0 forbids to measure it."""
BUDGET = 2.0
"""Seconds that all measurements together may take."""
SIZES = [FLOOR << step for step in range(0, 8, 2)]
NO_NUMBA = "numba-cuda is not installed (pip install 's3s4[gpu]')"


class GPUUnavailable(RuntimeError):
    """The GPU was asked for and cannot be had; says why, and what to install."""

    __module__ = "s3s4"


_chosen: ContextVar[str | None] = ContextVar("device", default=None)
_pid = os.getpid()


class _State:
    """What is known of the GPU of this process, and the lock of those who find it out."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.reason: str | None = None
        self.gpu: ModuleType | None = None
        self.known = False
        self.warned = False
        self.cutovers: dict[tuple[str, str], Comparison] = {}


_state = _State()


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


def is_device_array(value: Any) -> bool:
    """Whether a value is an array on a GPU, as far as can be told without touching one.

    Raises
    ------
    TypeError
        If it is a tensor whose gradient is recorded, which would be lost.
    """
    kind = type(value)
    # Numba's simulator has arrays of its own.
    if hasattr(kind, "__cuda_ndarray__"):
        return True
    if not hasattr(kind, "__cuda_array_interface__"):
        return False
    try:
        return hasattr(value, "__cuda_array_interface__")
    except RuntimeError as error:
        raise TypeError(
            "a tensor that requires grad cannot be used as an array: wrap s3s4's backward in a "
            f"torch.autograd.Function, or detach the tensor ({error})"
        ) from error


# --- The GPU ---


def gpu() -> ModuleType:
    """The GPU backend, looked for once.

    Raises
    ------
    RuntimeError
        If there is none, with the reason and what to install.
    """
    if os.getpid() != _pid:
        raise GPUUnavailable("CUDA cannot be used after a fork: start the process anew (spawn)")
    if not _state.known:
        with _state.lock:
            if not _state.known:
                _find()
                _state.known = True
    if _state.gpu is None:
        raise GPUUnavailable(f"device='gpu' is not available: {_state.reason}")
    return _state.gpu


def available() -> bool:
    """Whether there is a GPU that works."""
    try:
        gpu()
    except RuntimeError:
        return False
    return True


def status() -> str:
    """What is known of the GPU, found out if need be, in one line."""
    try:
        found = gpu().device()
    except RuntimeError as error:
        return str(error)
    return f"{found.name}, compute capability {found.capability}, {found.memory / 2**30:.0f} GiB"


def _find() -> None:
    try:
        if importlib.util.find_spec("numba_cuda") is None:
            _state.reason = NO_NUMBA
            return
        if os.environ.get("NUMBA_ENABLE_CUDASIM", "0") == "0":
            _state.reason = _missing_driver()
            if _state.reason:
                return
        from s3s4 import _gpu

        _gpu.device()
        _state.gpu = _gpu
    except Exception as error:
        # A wrong wheel can fail in any way while it is imported.
        _state.reason = f"{type(error).__name__}: {error}"


def _missing_driver() -> str | None:
    """What the driver lacks, without CUDA's Python packages."""
    name = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    try:
        driver = ctypes.CDLL(name)
    except OSError:
        return f"no NVIDIA driver ({name}) is installed"
    count = ctypes.c_int(0)
    code = driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count))
    if code or not count.value:
        return f"the NVIDIA driver shows no device (CUDA error {code})"
    return None


def fell_back(error: Exception, depth: int) -> None:
    """Say once that the CPU does what the GPU could not; `depth` calls below the user's."""
    with _state.lock:
        if _state.warned:
            return
        _state.warned = True
    warnings.warn(f"s3s4 uses the CPU: {error}", RuntimeWarning, stacklevel=1 + depth)


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
    RuntimeError
        If the GPU was asked for and cannot be had.
    """
    name = wanted(given)
    if is_device_array(x):
        return gpu()
    if name == "cpu":
        return None
    if name == "gpu":
        return gpu()
    if not isinstance(x, np.ndarray) or x.dtype.type not in _cpu.FLOATS:
        return None
    # What is measured is one array over the bus: parameters that are arrays only add to it.
    if x.size < (FLOOR if threshold is None else threshold) or any(map(np.ndim, parameters)):
        return None
    if os.getpid() != _pid or (_state.known and _state.gpu is None):
        return None
    try:
        backend = gpu()
    except RuntimeError as error:
        # Without numba-cuda nobody expects a GPU.
        if _state.reason != NO_NUMBA:
            fell_back(error, 5)
        return None
    if threshold is None:
        threshold = _cutover(backend, function, x.dtype)
    return backend if threshold is not None and x.size >= threshold else None


# --- Calls ---


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
    RuntimeError
        If the GPU was asked for and cannot be had.
    TypeError, ValueError
        If the GPU was asked for and the arguments do not fit it.
    """
    backend = choose(given, function, x, parameters, threshold)
    if backend is None:
        return None
    count = _cpu.ufuncs[function].nout
    out = options.get("out")
    outs = out if isinstance(out, tuple) else (out,) * (count if out is None else 1)
    on_device = is_device_array(x)
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
        _state.gpu, _state.reason = None, f"it failed before: {error}"
        fell_back(error, 4)
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


# --- Calibration ---


class Calibration:
    """From which sizes on the GPU computes, and what that was found from.

    Attributes
    ----------
    comparisons : dict
        By function class ("value", "value_dx") and dtype: a table of sizes and times, the fitted
        lines, and the cutover, None for never.
    """

    def __init__(self, comparisons: dict[tuple[str, str], Comparison]) -> None:
        self.comparisons = comparisons

    def __str__(self) -> str:
        parts = [f"{kind}, {dtype}\n{c}" for (kind, dtype), c in self.comparisons.items()]
        return "\n\n".join(parts)

    __repr__ = __str__


def calibrate(
    force: bool = False,
    progress: Callable[[str, str, Sample], object] = lambda kind, dtype, sample: None,
) -> Calibration:
    """Measure from which size on the GPU is faster, for each class of function and dtype.

    Parameters
    ----------
    force : bool
        Measure again what is known from this process or from disk.
    progress : callable
        Is told the function class, the dtype and each sample.

    Returns
    -------
    Calibration

    Raises
    ------
    GPUUnavailable
        If there is no GPU.
    """
    backend = gpu()
    if backend.SIMULATED:
        raise GPUUnavailable("the simulator's times say nothing of a GPU")
    found = {}
    with _state.lock:
        for kind in ("value", "value_dx"):
            for scalar in _cpu.FLOATS:
                dtype = np.dtype(scalar)
                told = partial(progress, kind, dtype.name)
                found[kind, dtype.name] = _comparison(backend, kind, dtype, force, told)
    return Calibration(found)


def _cutover(backend: ModuleType, function: str, dtype: np.dtype) -> int | None:
    if backend.SIMULATED:
        return None
    if os.environ.get("S3S4_CALIBRATE") == "0":
        return ASSUMED
    kind = "value_dx" if function.endswith("_value_dx") else "value"
    known = _state.cutovers.get((kind, dtype.name))
    if known is None:
        # Another thread measures: it must not be disturbed, nor waited for.
        if not _state.lock.acquire(blocking=False):
            return None
        try:
            known = _comparison(backend, kind, dtype, False, lambda sample: None)
        finally:
            _state.lock.release()
    return known.cutover


def _comparison(
    backend: ModuleType,
    kind: str,
    dtype: np.dtype,
    force: bool,
    progress: Callable[[Sample], object],
) -> Comparison:
    """From memory, from disk or from the clock; the caller holds the lock."""
    index = (kind, dtype.name)
    if index in _state.cutovers and not force:
        return _state.cutovers[index]
    key = {**_machine(backend), "function": kind, "dtype": dtype.name}
    result = None
    if not force:
        # A file that holds anything else is a miss: it is measured again and rewritten.
        with suppress(ValueError):
            result = Comparison.from_json(_cache.load(key) or {})
    if result is None:
        result = _measure(backend, kind, dtype, progress)
        _cache.store(key, result.to_json())
    _state.cutovers[index] = result
    return result


def _machine(backend: ModuleType) -> dict[str, Any]:
    """All that could change a cutover."""
    return {
        "version": _cpu.version,
        "variant": _cpu.variant,
        "processor": _processor(),
        "threads": _cpu.get_num_threads(),
        "gpu": list(backend.device()),
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:
            names = (line.partition(":")[2].strip() for line in lines if "model name" in line)
            return next(names, platform.machine())
    except OSError:
        return platform.processor() or platform.machine()


def _measure(
    backend: ModuleType, kind: str, dtype: np.dtype, progress: Callable[[Sample], object]
) -> Comparison:
    # The activation with most parameters stands for all: they differ little beside the bus.
    name = max(TABLE, key=lambda one: len(TABLE[one].parameters))
    function = name if kind == "value" else f"{name}_{kind}"
    ufunc = _cpu.ufuncs[function]
    parameters = [dtype.type(value) for value in TABLE[name].parameters.values()]
    x = np.linspace(-10, 10, SIZES[-1], dtype=np.float32).astype(dtype)
    outs = tuple(np.zeros_like(x) for _ in range(ufunc.nout))

    def on_cpu(size: int) -> object:
        return ufunc(x[:size], *parameters, out=tuple(o[:size] for o in outs))

    def on_gpu(size: int) -> object:
        return backend.evaluate(function, x[:size], parameters, [o[:size] for o in outs])

    # The first call compiles, which is no part of a call's time. If it fails, so will the
    # comparison, and say never.
    with suppress(Exception):
        on_gpu(1)
    return _calibration.compare(
        on_cpu,
        on_gpu,
        SIZES,
        clock=time.perf_counter,
        resolution=time.get_clock_info("perf_counter").resolution,
        budget=BUDGET / (2 * len(_cpu.FLOATS)),
        names=("CPU", "GPU"),
        progress=progress,
    )
