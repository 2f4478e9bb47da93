"""Arrays of the host: in chunks, copied in and out while others are computed."""

# Design:
# - Buffers are bytes, reused by every call of every dtype: pinning memory takes longer than copying
#   it. There are two sets, each with a stream: while one computes, the other is filled or emptied.
# - One thread's copy into them is slower than the bus: the CPU's kernels copy, in threads. They
#   have no copy of their own, and leaky_relu of slope 1 is one.
# - Gradients of parameters are summed on the device chunk by chunk, and those sums here in float64.
# - When memory runs out the buffers are halved, down to a floor, and stay so.

import math
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from s3s4 import _cpu
from s3s4._gpu import driver, on_device, toolchain
from s3s4._gpu.foreign import Operand, contiguous
from s3s4._gpu.launches import launch
from s3s4._gpu.sums import gradients
from s3s4._gpu.toolchain import SIMULATED, cuda

CHUNK, SMALLEST_CHUNK = 1 << 24, 1 << 18
"""Bytes of a host array in flight at a time, and the fewest tried when memory runs out."""


class _Slot:
    """A stream with buffers for one chunk: pinned ones of the host, and those of the device."""

    def __init__(self, count: int, chunk: int) -> None:
        self.stream = cuda.stream()
        self.number = 0 if SIMULATED else toolchain.stream_number(self.stream)
        try:
            self.host = [cuda.pinned_array(chunk, np.uint8) for _ in range(count)]
        except Exception:  # pinned memory is scarce, and pageable memory works
            self.host = [np.empty(chunk, np.uint8) for _ in range(count)]
        self.device = [cuda.device_array(chunk, np.uint8, stream=self.stream) for _ in range(count)]
        self.waiting: list[tuple[Any, Any, np.ndarray]] = []
        """Where results go, into which part of it, and the buffers that they are in."""

    def sized(
        self, lengths: Sequence[int], dtype: np.dtype
    ) -> Iterator[tuple[np.ndarray, Operand]]:
        """As many buffers of the host and of the device, as arrays of some lengths and a dtype."""
        for length, host, device in zip(lengths, self.host, self.device, strict=False):
            place = toolchain.pointer(device), (length,), (dtype.itemsize,), dtype
            yield (
                host[: length * dtype.itemsize].view(dtype),
                Operand(*place, toolchain.device(device), self.number),
            )

    def finish(self) -> None:
        """Hand over what was computed here last."""
        waiting, self.waiting = self.waiting, []
        if waiting:
            driver.synchronize(self.number)
        for result, part, buffer in waiting:
            copy(result, part, buffer)


class _Sum:
    """What chunks add up to."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.total = np.zeros(shape)

    def __setitem__(self, part: Any, chunk: np.ndarray) -> None:
        self.total += chunk.reshape(self.total.shape)


def copy(target: Any, part: Any, source: Any) -> None:
    """Put numbers into a part of an array, in threads where both run on and are of one type."""
    if type(target) is type(source) is np.ndarray and target.dtype == source.dtype:
        one = source.dtype.type(1)
        _cpu.ufuncs["leaky_relu"](source.reshape(target[part].shape), one, out=target[part])
    else:
        target[part] = source


class _Ring:
    """The slots of a device, made when they are first needed and made anew when too small."""

    def __init__(self) -> None:
        self.slots: list[_Slot] = []
        self.count = self.chunk = 0
        self.largest = CHUNK

    def take(self, count: int, size: int) -> int:
        """Have slots of so many buffers, and return how many bytes each has room for."""
        wanted = min(self.largest, max(SMALLEST_CHUNK, size))
        if self.count >= count and self.chunk >= wanted:
            return self.chunk
        self.slots, count = [], max(count, self.count)
        self.count = self.chunk = 0
        while True:
            try:
                self.slots = [_Slot(count, wanted) for _ in range(2)]
            except Exception as error:
                if not _out_of_memory(error):
                    raise
            # Outside the handler: what failed has let go of its memory here.
            if self.slots:
                self.count, self.chunk = count, wanted
                return wanted
            if wanted <= SMALLEST_CHUNK:
                raise MemoryError("the GPU has no memory for the smallest chunk")
            self.largest = wanted = max(SMALLEST_CHUNK, wanted // 2)


_rings: dict[int, _Ring] = {}
_lock = threading.Lock()


def _out_of_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError) or "OUT_OF_MEMORY" in str(error).upper()


@contextmanager
def _alone() -> Iterator[None]:
    """One call at a time; memory that runs out on the device is a MemoryError."""
    try:
        with _lock:
            yield
    except Exception as error:
        if isinstance(error, MemoryError) or not _out_of_memory(error):
            raise
        raise MemoryError(f"the GPU has no memory left: {error}") from error


def evaluate(
    function: str, x: np.ndarray, parameters: Sequence[Any], outs: Sequence[Any]
) -> tuple[np.ndarray, ...]:
    """Values of a function over host arrays, in chunks that are copied while others are computed.

    Parameters
    ----------
    function : str
        Its name in the table.
    x : ndarray
        Of float16, float32 or float64.
    parameters : sequence of array_like
        They are cast to the dtype of x.
    outs : sequence of ndarray or None
        Where to put the results; None allocates.

    Returns
    -------
    tuple of ndarray

    Raises
    ------
    MemoryError
        If the device has no room for the smallest chunk.
    """
    dtype = x.dtype.newbyteorder("=")
    given = [np.asarray(p, dtype) for p in parameters]
    shape = np.broadcast_shapes(x.shape, *(p.shape for p in given))
    arrays, numbers = [x], []
    # One kernel takes either numbers or arrays: a single array makes arrays of all of them.
    if any(p.ndim for p in given):
        arrays += given
    else:
        numbers = [p[()] for p in given]
    results = tuple(np.empty(shape, dtype) if out is None else out for out in outs)
    with _alone():
        _pipeline(function, dtype, [np.broadcast_to(a, shape) for a in arrays], numbers, results)
    return results


def _flat(array: np.ndarray) -> Any:
    """An array as one axis, a slice of which is copied when it is its turn and not before."""
    return array.reshape(-1) if array.flags.c_contiguous else array.flat


def _pipeline(
    function: str,
    dtype: np.dtype,
    arrays: Sequence[np.ndarray],
    numbers: Sequence[Any],
    targets: Sequence[np.ndarray],
) -> None:
    n = targets[0].size
    sources, sinks = list(map(_flat, arrays)), list(map(_flat, targets))
    count = len(arrays) + len(targets)
    with _slots(count, n * dtype.itemsize) as (slots, room):
        chunk = room // dtype.itemsize
        for turn, start in enumerate(range(0, n, chunk)):
            slot = slots[turn % len(slots)]
            slot.finish()
            part = slice(start, min(start + chunk, n))
            buffers = list(slot.sized([part.stop - part.start] * count, dtype))
            for source, (host, there) in zip(sources, buffers, strict=False):
                copy(host, slice(None), source[part])
                driver.copy_in(there.pointer, host, slot.number)
            results = buffers[len(arrays) :]
            inputs = [there for _, there in buffers[: len(arrays)]]
            outputs = [there for _, there in results]
            launch(function, [*inputs, *numbers], outputs, 1, slot.number)
            for host, there in results:
                driver.copy_out(host, there.pointer, slot.number)
            slot.waiting = [
                (sink, part, host) for sink, (host, _) in zip(sinks, results, strict=True)
            ]
        for slot in slots:
            slot.finish()


@contextmanager
def _slots(count: int, size: int) -> Iterator[tuple[list[_Slot], int]]:
    """Slots of so many buffers for an array of so many bytes, and how many each has room for."""
    ring = _rings.setdefault(0 if SIMULATED else cuda.get_current_device().id, _Ring())
    chunk = ring.take(count, size)
    try:
        yield ring.slots, chunk
    finally:
        # After an error nothing may be handed to a later call's arrays.
        for slot in ring.slots:
            slot.waiting = []


def backward(
    name: str, grad_output: np.ndarray, x: np.ndarray, parameters: Sequence[np.ndarray]
) -> tuple[np.ndarray, ...]:
    """As `backward_on_device`, for host arrays of one dtype: in chunks, as `evaluate`.

    A chunk is a part of the first axis, or of all where parameters are numbers. Where that axis
    cannot be cut into chunks all is copied at once.
    """
    shape = np.broadcast_shapes(x.shape, *(p.shape for p in parameters))
    if x.shape != shape:
        raise ValueError("on the GPU x must have the shape of the result")
    dtype = x.dtype.newbyteorder("=")
    arrays = [np.broadcast_to(one, shape).astype(dtype, copy=False) for one in (grad_output, x)]
    given = [np.asarray(p, dtype) for p in parameters]
    if not any(p.ndim for p in given):
        arrays = [one.reshape(-1) for one in arrays]
    whole = arrays[1].shape
    # A parameter is cut where x is, unless all chunks have the same of it.
    is_cut = [p.ndim == len(whole) and p.shape[0] == whole[0] for p in given]
    result = np.empty(whole, dtype)
    sinks: list[Any] = [
        np.empty(p.shape, dtype) if cut else _Sum(p.shape)
        for p, cut in zip(given, is_cut, strict=True)
    ]
    with _alone():
        if math.prod(whole[1:]) * dtype.itemsize > CHUNK:
            there = [cuda.to_device(np.ascontiguousarray(one)) for one in arrays]
            few = [cuda.to_device(p) if p.ndim else p[()] for p in given]
            found = on_device.backward(name, there[0], there[1], few)
            return tuple(np.asarray(one.copy_to_host()) for one in found)
        if x.size:
            _in_chunks(f"{name}_backward", arrays, given, is_cut, [result, *sinks])
    sums = [one.total.astype(dtype) if isinstance(one, _Sum) else one for one in sinks]
    return (result.reshape(shape), *sums)


def _in_chunks(
    function: str,
    arrays: Sequence[np.ndarray],
    given: Sequence[np.ndarray],
    is_cut: Sequence[bool],
    sinks: Sequence[Any],
) -> None:
    dtype, length = arrays[0].dtype, arrays[0].shape[0]
    row = arrays[0].size // length
    count = 3 + 2 * len(given)
    with _slots(count, arrays[0].nbytes) as (slots, chunk):
        rows = chunk // (row * dtype.itemsize)
        if not rows:
            raise MemoryError("the GPU has no memory for one element of the first axis")
        for turn, start in enumerate(range(0, length, rows)):
            slot = slots[turn % len(slots)]
            slot.finish()
            part = slice(start, min(start + rows, length))
            parts = [part, part, *(part if cut else ... for cut in is_cut)]
            shapes = [one[where].shape for one, where in zip((*arrays, *given), parts, strict=True)]
            sizes = [math.prod(shape) for shape in (*shapes, shapes[1], *shapes[2:])]
            buffers = list(slot.sized(sizes, dtype))
            operands = [
                there._replace(shape=shape, strides=contiguous(shape, dtype.itemsize))
                for (_, there), shape in zip(buffers, (*shapes, *shapes[1:]), strict=True)
            ]
            inputs: list[Any] = list(operands[: len(shapes)])
            for i, (source, where) in enumerate(zip((*arrays, *given), parts, strict=True)):
                if source.ndim or i < 2:
                    host, there = buffers[i]
                    copy(host, slice(None), source[where].reshape(-1))
                    driver.copy_in(there.pointer, host, slot.number)
                else:
                    inputs[i] = source[()]
            gradients(function, inputs, operands[len(shapes) :], slot.number)
            results = buffers[len(shapes) :]
            for host, there in results:
                driver.copy_out(host, there.pointer, slot.number)
            slot.waiting = [
                (sink, where, host.reshape(shape))
                for sink, where, (host, _), shape in zip(
                    sinks, parts[1:], results, shapes[1:], strict=True
                )
            ]
        for slot in slots:
            slot.finish()


def over_rows(function: str, values: Sequence[np.ndarray], axes: Sequence[int]) -> np.ndarray:
    """As `over_rows_on_device`, for host arrays of one dtype: copied there and back.

    Rows are brought together for the journey, whatever their axes.
    """
    shape = values[-1].shape
    order = [*(axis for axis in range(len(shape)) if axis not in axes), *axes]
    with _alone():
        there = [
            cuda.to_device(np.ascontiguousarray(np.broadcast_to(one, shape).transpose(order)))
            for one in values
        ]
        last = range(len(shape) - len(axes), len(shape))
        found = on_device.over_rows(function, there, lambda _: last, None)
        result = np.asarray(found.copy_to_host())
    return result.transpose(np.argsort(order))
