"""Arrays of the host: in chunks, copied in and out while others are computed."""

# Design:
# - Buffers are bytes, reused by every call of every dtype: pinning memory takes longer than copying
#   it. There are two sets, each with a stream: while one computes, the other is filled or emptied.
# - When memory runs out the buffers are halved, down to a floor, and stay so.

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from s3s4._gpu import driver, on_device, toolchain
from s3s4._gpu.foreign import Operand
from s3s4._gpu.launches import launch
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
        self.waiting: tuple[slice, Sequence[Any], Sequence[np.ndarray]] | None = None

    def buffers(self, length: int, dtype: np.dtype) -> Iterator[tuple[np.ndarray, Operand]]:
        """Each buffer of the host and of the device as an array of a length and dtype."""
        for host, device in zip(self.host, self.device, strict=True):
            place = toolchain.pointer(device), (length,), (dtype.itemsize,), dtype
            yield (
                host[: length * dtype.itemsize].view(dtype),
                Operand(*place, toolchain.device(device), self.number),
            )

    def finish(self) -> None:
        """Hand over what was computed here last."""
        if self.waiting is None:
            return
        part, results, buffers = self.waiting
        self.waiting = None
        driver.synchronize(self.number)
        for result, buffer in zip(results, buffers, strict=True):
            result[part] = buffer


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
    ring = _rings.setdefault(0 if SIMULATED else cuda.get_current_device().id, _Ring())
    count = len(arrays) + len(targets)
    chunk = ring.take(count, n * dtype.itemsize) // dtype.itemsize
    try:
        for turn, start in enumerate(range(0, n, chunk)):
            slot = ring.slots[turn % len(ring.slots)]
            slot.finish()
            part = slice(start, min(start + chunk, n))
            buffers = list(slot.buffers(part.stop - part.start, dtype))[:count]
            for source, (host, there) in zip(sources, buffers, strict=False):
                host[:] = source[part]
                driver.copy_in(there.pointer, host, slot.number)
            results = buffers[len(arrays) :]
            inputs = [there for _, there in buffers[: len(arrays)]]
            outputs = [there for _, there in results]
            launch(function, [*inputs, *numbers], outputs, 1, slot.number)
            for host, there in results:
                driver.copy_out(host, there.pointer, slot.number)
            slot.waiting = part, sinks, [host for host, _ in results]
        for slot in ring.slots:
            slot.finish()
    finally:
        # After an error nothing may be handed to a later call's arrays.
        for slot in ring.slots:
            slot.waiting = None


def backward(
    name: str, grad_output: np.ndarray, x: np.ndarray, parameters: Sequence[np.ndarray]
) -> tuple[np.ndarray, ...]:
    """As `backward_on_device`, for host arrays of one dtype: copied there and back."""
    shape = np.broadcast_shapes(x.shape, *(p.shape for p in parameters))
    with _alone():
        gradient, there = (cuda.to_device(np.ascontiguousarray(a)) for a in (grad_output, x))
        if x.shape != shape:
            raise ValueError("on the GPU x must have the shape of the result")
        given = [cuda.to_device(np.ascontiguousarray(p)) if p.ndim else p[()] for p in parameters]
        gradients = on_device.backward(name, gradient, there, given)
        return tuple(np.asarray(g.copy_to_host()) for g in gradients)


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
