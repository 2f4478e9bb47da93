"""The sizes from which on the GPU, and the CPU's threads, are worth it: measured and kept."""

# Design:
# - All is measured by `calibrate` alone, and no call waits for it. Until then no array of the host
#   goes to a GPU: it loses more often than it wins there, and to find that out CUDA would have to
#   begin, which no child of the process survives. For threads the constant of the kernels holds.
# - Results are kept on disk under all that could change them. Those of the threads are handed to
#   the kernels at import, so that whoever calls these (the front, a bare ufunc, somebody's C code)
#   obeys them and no call looks for them.
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

from s3s4 import _cpu, _devices, _isa
from s3s4._errors import GPUUnavailable
from s3s4._measured import cache as _cache
from s3s4._measured import comparison as _calibration
from s3s4._measured.comparison import Comparison, Sample
from s3s4._table import TABLE

FLOOR = 1 << 18
"""Below this many elements no bus and no launch is worth it: no GPU is looked for."""
ASSUMED = 1 << 22
"""The GPU's cutover where S3S4_CALIBRATE=0 forbids to measure it."""
BUDGET, THREADS_BUDGET = 1.6, 2.0
"""Seconds that all measurements of the GPU together may take, and those of the threads.

On a machine that does nothing else the second take a tenth.
"""
SIZES = [FLOOR << step for step in range(0, 8, 2)]
THREADS_SIZES = [1 << step for step in range(10, 19, 2)]
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
    dropped : dict
        Likewise: why it could not be measured, and what holds remains as it was.
    gpu : str
        The GPU that was measured, or why none was.

    Examples
    --------
    >>> from s3s4 import Calibration
    >>> print(Calibration({}, {}, "no GPU"))
    gpu: no GPU
    """

    def __init__(
        self,
        comparisons: dict[tuple[str, str], Comparison],
        dropped: dict[tuple[str, str], str],
        gpu: str,
    ) -> None:
        self.comparisons = comparisons
        self.dropped = dropped
        self.gpu = gpu

    def __str__(self) -> str:
        parts = [
            f"{kind}, {dtype}\n{c}" + (_because(c) if kind in KINDS else "")
            for (kind, dtype), c in self.comparisons.items()
        ]
        parts += [f"{kind}, {dtype}: dropped, {why}" for (kind, dtype), why in self.dropped.items()]
        return "\n\n".join([*parts, f"gpu: {self.gpu}"])

    __repr__ = __str__


class _State:
    """What is known in this process, and the lock of the one who measures."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.known: dict[tuple[str, str], Comparison] = {}
        self.unknown: set[tuple[str, str]] = set()
        """Of what was not found on disk."""


def _because(found: Comparison) -> str:
    """Why the answer is what it is, in a sentence; empty if too little was measured."""
    if not found.lines:
        return ""
    cpu, gpu = found.lines
    return (
        f"\nbecause an element takes the GPU {gpu.per_element * 1e9:.3g} ns, both copies included, "
        f"and the CPU {cpu.per_element * 1e9:.3g} ns, and a call {gpu.latency * 1e6:.3g} us before "
        "its first"
    )


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

    Examples
    --------
    It takes seconds, and what it finds holds for this process and the next ones:

    >>> from s3s4 import calibrate
    >>> found = calibrate()  # doctest: +SKIP
    >>> found.comparisons["threads", "float64"].cutover  # doctest: +SKIP
    32768
    """
    found: dict[tuple[str, str], Comparison] = {}
    dropped: dict[tuple[str, str], str] = {}

    def take(index: tuple[str, str], comparison: Comparison) -> None:
        if comparison.is_conclusive:
            found[index] = comparison
        else:
            dropped[index] = comparison.reason

    with _state.lock:
        if _cpu.get_num_threads() > 1:
            for scalar in THREADED:
                index = ("threads", np.dtype(scalar).name)
                threads = _comparison(index, _key(index), _measure_threads, force, progress)
                take(index, threads)
                if threads.is_conclusive:
                    _use_threads(scalar, threads)
        try:
            backend = _devices.gpu()
            gpu = _devices.status()
            if backend.SIMULATED:
                gpu = f"{gpu}: its times say nothing of a GPU"
            else:
                for kind in KINDS:
                    for measured in _cpu.FLOATS:
                        index = (kind, np.dtype(measured).name)
                        measure = partial(_measure_gpu, backend)
                        take(index, _comparison(index, _gpu_key(index), measure, force, progress))
        except GPUUnavailable as error:
            gpu = str(error)
    return Calibration(found, dropped, gpu)


# --- The GPU ---


def gpu_from(function: str, dtype: np.dtype) -> int | None:
    """The size from which on the GPU computes a function of host arrays; None is never.

    Never it is, too, where `calibrate` has not measured it.
    """
    if os.environ.get("S3S4_CALIBRATE") == "0":
        return ASSUMED
    index = ("value_dx" if function.endswith("_value_dx") else "value", dtype.name)
    if index not in _state.known and index not in _state.unknown:
        known = _kept(_gpu_key(index))
        if known is None:
            _state.unknown.add(index)
        else:
            _state.known[index] = known
    found = _state.known.get(index)
    return None if found is None else found.cutover


def _gpu_key(index: tuple[str, str]) -> dict[str, Any]:
    return {**_key(index), "gpu": _devices.identity()}


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

    # The first call compiles, which is no part of a call's time. A compiler or a driver may raise
    # anything; nothing is lost, as the timed calls below raise it again, which makes "never".
    with suppress(Exception):
        on_gpu(1)
    share = BUDGET / (len(KINDS) * len(_cpu.FLOATS))
    return _timed(on_cpu, on_gpu, SIZES, share, ("CPU", "GPU"), progress)


# --- Threads ---


def restore_threads() -> None:
    """Take over what an earlier process measured."""
    if os.environ.get("S3S4_CALIBRATE") == "0":
        return
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
    key: dict[str, Any],
    measure: Callable[[tuple[str, str], Callable[[Sample], object]], Comparison],
    force: bool,
    progress: Progress,
) -> Comparison:
    """From memory, from disk or from the clock; the caller holds the lock."""
    known = _state.known.get(index)
    if known is not None and known.is_conclusive and not force:
        return known
    result = None if force else _kept(key)
    if result is None:
        result = measure(index, partial(progress, *index))
        if result.is_conclusive:
            _cache.store(key, result.to_json())
    _state.known[index] = result
    return result


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
        "processor": _isa.processor() or platform.machine(),
        "threads": _cpu.get_num_threads(),
        "compared": index[0],
        "dtype": index[1],
    }


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


restore_threads()
