"""CUDA's driver, as far as launches need it: the order of streams, and arguments in one piece.

Streams are the numbers of the array interface and of DLPack: 1 is the legacy default stream.
"""

import ctypes
import struct
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import numpy as np
from cuda.bindings import driver

from s3s4._gpu.toolchain import SIMULATED, cuda

LEGACY = 1
"""The default stream, which waits for all blocking streams, and they for it."""
_ROOM = 2048
_END, _BUFFER, _SIZE = 0, 1, 2
_NO_TIMES = 2  # an event that only orders is cheaper


def _checked(result: tuple[Any, ...]) -> Any:
    code, *found = result
    if code:
        raise RuntimeError(f"the GPU's driver answers {code.name}")
    return found[0] if found else None


class _Arguments(threading.local):
    """Room for the arguments of a launch, and for the driver's description of it."""

    def __init__(self) -> None:
        self.buffer = ctypes.create_string_buffer(_ROOM)
        self.size = ctypes.c_size_t()
        places = _BUFFER, ctypes.addressof(self.buffer), _SIZE, ctypes.addressof(self.size), _END
        self.description = (ctypes.c_void_p * len(places))(*places)
        self.address = ctypes.addressof(self.description)


_arguments = _Arguments()


def launch(
    function: Any,
    grid: tuple[int, int],
    threads: int,
    stream: int,
    layout: struct.Struct,
    values: Sequence[Any],
) -> None:
    """Ask a stream for a kernel.

    Parameters
    ----------
    function : int
        As the driver calls it.
    grid : tuple of int
        Blocks along two axes.
    threads : int
        Of a block.
    stream : int
    layout : struct.Struct
        Of the values, which are the kernel's arguments in order.
    """
    room = _arguments
    layout.pack_into(room.buffer, 0, *values)
    room.size.value = layout.size
    (code,) = driver.cuLaunchKernel(
        function, grid[0], grid[1], 1, threads, 1, 1, 0, stream, 0, room.address
    )
    if code:
        raise RuntimeError(f"the GPU's driver answers {code.name} to a launch")


def most_blocks(function: Any, threads: int, device: int) -> int:
    """How many blocks of a kernel a device runs at a time.

    Parameters
    ----------
    function : int
        As the driver calls it.
    threads : int
        Of a block.
    device : int
        The current one.
    """
    processors = driver.CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT
    each = _checked(driver.cuOccupancyMaxActiveBlocksPerMultiprocessor(function, threads, 0))
    return int(each) * int(_checked(driver.cuDeviceGetAttribute(processors, device)))


def device_of(pointer: int) -> int:
    """The number of the device that memory lies on."""
    kind = driver.CUpointer_attribute.CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL
    return int(_checked(driver.cuPointerGetAttribute(kind, pointer)))


def current_device() -> int | None:
    """The number of this thread's device, if it has one yet."""
    if SIMULATED:
        return 0
    code, device = driver.cuCtxGetDevice()
    return None if code else int(device)


def on(device: int) -> AbstractContextManager[Any]:
    """Make a device the current one."""
    if SIMULATED or current_device() == device:
        return nullcontext()
    found: AbstractContextManager[Any] = cuda.gpus[device]
    return found


class Event:
    """What a stream was asked for until now."""

    def __init__(self, stream: int) -> None:
        self._handle = _checked(driver.cuEventCreate(_NO_TIMES))
        self.record(stream)

    def record(self, stream: int) -> None:
        """Let it stand for what the stream was asked for until now."""
        _checked(driver.cuEventRecord(self._handle, stream))

    def hold(self, stream: int) -> None:
        """Let a stream wait for it."""
        _checked(driver.cuStreamWaitEvent(stream, self._handle, 0))

    def __del__(self) -> None:
        driver.cuEventDestroy(self._handle)  # the driver keeps it while it is waited for


def order(before: int, after: int) -> None:
    """Let a stream wait for what another was asked for until now."""
    if before != after and not SIMULATED:
        Event(before).hold(after)


def synchronize(stream: int) -> None:
    """Wait for a stream."""
    if not SIMULATED:
        _checked(driver.cuStreamSynchronize(stream))


def is_captured(stream: int) -> bool:
    """Whether what a stream is asked for becomes a graph."""
    if SIMULATED:
        return False
    code, status = driver.cuStreamIsCapturing(stream)
    return not code and bool(status)


@contextmanager
def temporary(size: int, stream: int) -> Iterator[int]:
    """The address of so many bytes, for what a stream is asked for within."""
    if SIMULATED:
        room = np.empty(size, np.uint8)
        yield room.ctypes.data
        return
    address = int(_checked(driver.cuMemAllocAsync(size, stream)))
    try:
        yield address
    finally:
        _checked(driver.cuMemFreeAsync(address, stream))


def clear(pointer: int, size: int, stream: int) -> None:
    """Put zeros into memory."""
    if SIMULATED:
        ctypes.memset(pointer, 0, size)
    else:
        _checked(driver.cuMemsetD8Async(pointer, 0, size, stream))


def copy_in(pointer: int, host: np.ndarray, stream: int) -> None:
    """Copy a contiguous array of the host to the device."""
    if SIMULATED:
        ctypes.memmove(pointer, host.ctypes.data, host.nbytes)
    else:
        _checked(driver.cuMemcpyHtoDAsync(pointer, host.ctypes.data, host.nbytes, stream))


def copy_out(host: np.ndarray, pointer: int, stream: int) -> None:
    """Copy memory of the device to a contiguous array of the host."""
    if SIMULATED:
        ctypes.memmove(host.ctypes.data, pointer, host.nbytes)
    else:
        _checked(driver.cuMemcpyDtoHAsync(host.ctypes.data, pointer, host.nbytes, stream))
