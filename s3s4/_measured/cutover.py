"""The sizes from which on the GPU, and the CPU's threads, are worth it: measured and kept."""

# Design:
# - What the GPU is worth is measured when it is first needed, by one thread; all others use the CPU
#   meanwhile. What threads are worth is measured by `calibrate` alone: until then, and wherever
#   nothing else is known, the constant of the kernels holds. No call waits for that.
# - Results are kept on disk under all that could change them. Those of the threads are read by the
#   first large call.
# - The measured size of one function stands for all: the kernels scale it by the bytes and the
#   exponentials of each. It stays within a factor of 8 of their constant, whatever a disturbed
#   machine has shown.

import os
import platform
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np

from s3s4 import _cpu, _devices
from s3s4._measured import cache as _cache
from s3s4._measured import comparison as _calibration
from s3s4._measured.comparison import Comparison, Sample
from s3s4._table import TABLE

FLOOR = 1 << 18
"""Below this many elements no bus and no launch is worth it: no GPU is looked for."""
ASSUMED = 1 << 22
"""The GPU's cutover where S3S4_CALIBRATE=0 forbids to measure it."""
BUDGET, THREADS_BUDGET = 1.6, 0.2
"""Seconds that all measurements of the GPU together may take, and those of the threads."""
SIZES = [FLOOR << step for step in range(0, 8, 2)]
THREADS_SIZES = [1 << step for step in range(10, 19, 2)]
THREADS_FLOOR = 1 << 13
"""Calls of fewer elements do not look for what was measured."""
KINDS = ("value", "value_dx")
THREADED: tuple[type[np.generic], ...] = (np.float32, np.float64)
WITHIN = 8
"""How far the threads' cutover may be from the kernels' constant, as a factor."""


class Calibration:
    """From which sizes on threads and the GPU compute, and what that was found from.

    Attributes
    ----------
    comparisons : dict
        By what was compared ("threads", or the function class "value" or "value_dx" for the GPU)
        and dtype: a table of sizes and times, the fitted lines, and the cutover, None for never.
    gpu : str
        The GPU that was measured, or why none was.
    """

    def __init__(self, comparisons: dict[tuple[str, str], Comparison], gpu: str) -> None:
        self.comparisons = comparisons
        self.gpu = gpu

    def __str__(self) -> str:
        parts = [f"{kind}, {dtype}\n{c}" for (kind, dtype), c in self.comparisons.items()]
        return "\n\n".join([*parts, f"gpu: {self.gpu}"])

    __repr__ = __str__


class _State:
    """What is known in this process, and the lock of the one who measures."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.known: dict[tuple[str, str], Comparison] = {}
        self.threads_restored = False


_state = _State()
Progress = Callable[[str, str, Sample], object]


def calibrate(
    force: bool = False, progress: Progress = lambda kind, dtype, sample: None
) -> Calibration:
    """Measure from which size on threads pay, and the GPU, if there is one.

    Parameters
    ----------
    force : bool
        Measure again what is known from this process or from disk.
    progress : callable
        Is told what is compared, the dtype and each sample.

    Returns
    -------
    Calibration
    """
    found = {}
    with _state.lock:
        if _cpu.get_num_threads() > 1:
            for scalar in THREADED:
                index = ("threads", np.dtype(scalar).name)
                threads = _comparison(index, {}, _measure_threads, force, progress)
                if _means_something(threads):
                    found[index] = threads
                    _use_threads(scalar, threads)
            _state.threads_restored = True
        try:
            backend = _devices.gpu()
            gpu = _devices.status()
            if backend.SIMULATED:
                gpu = f"{gpu}: its times say nothing of a GPU"
            else:
                for kind in KINDS:
                    for measured in _cpu.FLOATS:
                        index = (kind, np.dtype(measured).name)
                        found[index] = _of_gpu(backend, index, force, progress)
        except _devices.GPUUnavailable as error:
            gpu = str(error)
    return Calibration(found, gpu)


# --- The GPU ---


def gpu_from(backend: ModuleType, function: str, dtype: np.dtype) -> int | None:
    """The size from which on the GPU computes a function of host arrays; None is never."""
    if backend.SIMULATED:
        return None
    if os.environ.get("S3S4_CALIBRATE") == "0":
        return ASSUMED
    index = ("value_dx" if function.endswith("_value_dx") else "value", dtype.name)
    known = _state.known.get(index)
    if known is None:
        # Another thread measures: it must not be disturbed, nor waited for.
        if not _state.lock.acquire(blocking=False):
            return None
        try:
            known = _of_gpu(backend, index, False, lambda kind, dtype, sample: None)
        finally:
            _state.lock.release()
    return known.cutover


def _of_gpu(
    backend: ModuleType, index: tuple[str, str], force: bool, progress: Progress
) -> Comparison:
    key = {"gpu": list(backend.device())}
    return _comparison(index, key, partial(_measure_gpu, backend), force, progress)


def _measure_gpu(
    backend: ModuleType, index: tuple[str, str], progress: Callable[[Sample], object]
) -> Comparison:
    kind, dtype = index[0], np.dtype(index[1])
    name, parameters = _example(dtype)
    function = name if kind == "value" else f"{name}_{kind}"
    ufunc = _cpu.ufuncs[function]
    x = np.linspace(-10, 10, SIZES[-1], dtype=np.float32).astype(dtype)
    outs = tuple(np.zeros_like(x) for _ in range(ufunc.nout))

    def on_cpu(size: int) -> object:
        return ufunc(x[:size], *parameters, out=tuple(o[:size] for o in outs))

    def on_gpu(size: int) -> object:
        return backend.evaluate(function, x[:size], parameters, [o[:size] for o in outs])

    # The first call compiles, which is no part of a call's time.
    with suppress(Exception):  # of any kind; the comparison meets it again, and says never
        on_gpu(1)
    share = BUDGET / (len(KINDS) * len(_cpu.FLOATS))
    return _timed(on_cpu, on_gpu, SIZES, share, ("CPU", "GPU"), progress)


# --- Threads ---


def restore_threads() -> None:
    """Take over what an earlier process measured, once."""
    if _state.threads_restored or os.environ.get("S3S4_CALIBRATE") == "0":
        return
    _state.threads_restored = True
    for scalar in THREADED:
        index = ("threads", np.dtype(scalar).name)
        known = _kept(_key(index))
        if known is not None:
            _use_threads(scalar, known)


def _use_threads(scalar: type[np.generic], found: Comparison) -> None:
    dtype = np.dtype(scalar)
    name, _ = _example(dtype)
    usual = _cpu.usual_parallel_size(name, dtype)
    wanted = WITHIN * usual if found.cutover is None else found.cutover
    _cpu.set_parallel_size(name, dtype, min(max(wanted, usual // WITHIN), WITHIN * usual))


def _measure_threads(index: tuple[str, str], progress: Callable[[Sample], object]) -> Comparison:
    dtype = np.dtype(index[1])
    name, parameters = _example(dtype)
    ufunc = _cpu.ufuncs[name]
    x = np.linspace(-10, 10, THREADS_SIZES[-1]).astype(dtype)
    out = np.zeros_like(x)

    def call(size: int) -> object:
        return ufunc(x[:size], *parameters, out=out[:size])

    def serial(size: int) -> object:
        with _cpu.threads.threads(1):
            return call(size)

    def parallel(size: int) -> object:
        with _cpu.threads.threads(count):
            return call(size)

    count = _cpu.get_num_threads()
    with _parallel_from_nothing(name, dtype):
        return _timed(
            serial,
            parallel,
            THREADS_SIZES,
            THREADS_BUDGET / len(THREADED),
            ("one thread", f"{count} threads"),
            progress,
        )


@contextmanager
def _parallel_from_nothing(name: str, dtype: np.dtype) -> Iterator[None]:
    before = _cpu.parallel_size(name, dtype)
    _cpu.set_parallel_size(name, dtype, 0)
    try:
        yield
    finally:
        _cpu.set_parallel_size(name, dtype, before)


# --- Both ---


def _example(dtype: np.dtype) -> tuple[str, list[Any]]:
    """The activation that stands for all, with its parameters: the one that does most work."""
    name = min(TABLE, key=lambda one: _cpu.usual_parallel_size(one, dtype))
    return name, [dtype.type(value) for value in TABLE[name].parameters.values()]


def _comparison(
    index: tuple[str, str],
    more: dict[str, Any],
    measure: Callable[[tuple[str, str], Callable[[Sample], object]], Comparison],
    force: bool,
    progress: Progress,
) -> Comparison:
    """From memory, from disk or from the clock; the caller holds the lock."""
    if index in _state.known and not force:
        return _state.known[index]
    key = {**_key(index), **more}
    result = None if force else _kept(key)
    if result is None:
        result = measure(index, partial(progress, *index))
        if _means_something(result):
            _cache.store(key, result.to_json())
    _state.known[index] = result
    return result


def _means_something(found: Comparison) -> bool:
    """Whether there was time for more than one size: a machine may be busy with other things."""
    return len(found.samples) > 1


def _kept(key: dict[str, Any]) -> Comparison | None:
    kept = _cache.load(key)
    if kept is None:
        return None
    try:
        return Comparison.from_json(kept)
    except ValueError:  # damaged, or somebody's edit: measured again and rewritten
        return None


def _key(index: tuple[str, str]) -> dict[str, Any]:
    """All that could change a cutover of the CPU."""
    return {
        "version": _cpu.version,
        "variant": _cpu.variant.name,
        "processor": _processor(),
        "threads": _cpu.get_num_threads(),
        "compared": index[0],
        "dtype": index[1],
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:
            names = (line.partition(":")[2].strip() for line in lines if "model name" in line)
            return next(names, platform.machine())
    except OSError:
        return platform.processor() or platform.machine()


def _timed(
    first: Callable[[int], object],
    second: Callable[[int], object],
    sizes: list[int],
    budget: float,
    names: tuple[str, str],
    progress: Callable[[Sample], object],
) -> Comparison:
    return _calibration.compare(
        first,
        second,
        sizes,
        clock=time.perf_counter,
        resolution=time.get_clock_info("perf_counter").resolution,
        budget=budget,
        names=names,
        progress=progress,
    )
