"""Kernels run from Python: memory of the device, launches, and what was found wrong.

For Linux on x86-64 with a C compiler.
"""

import ctypes
import hashlib
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from fakecuda import build
from fakecuda.ptx import Refused

__all__ = ["Array", "Refused", "complaints", "launch"]


class _Dim(ctypes.Structure):
    _fields_ = [(axis, ctypes.c_uint32) for axis in "xyz"]


@cache
def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="fakecuda-"))


def _of_kernel(ptx: str) -> ctypes.CDLL:
    library = _folder() / f"{hashlib.sha256(ptx.encode()).hexdigest()[:16]}.so"
    return ctypes.CDLL(str(library if library.exists() else build.kernel(ptx, library)))


@cache
def _device() -> ctypes.CDLL:
    library = build.compile_shared(_folder() / "device.so", ("-O2",), ("device.c",))
    device = ctypes.CDLL(str(library))
    u64, pointer = ctypes.c_uint64, ctypes.c_void_p
    device.fake_allocate.argtypes = [u64, ctypes.c_int]
    device.fake_allocate.restype = u64
    device.fake_free.argtypes = [u64]
    device.fake_write.argtypes = [u64, pointer, u64]
    device.fake_read.argtypes = [pointer, u64, u64]
    device.fake_complaint.restype = ctypes.c_char_p
    return device


class Array:
    """An array on the device; `of` leaves nothing unwritten, `room` everything."""

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype) -> None:
        self.shape, self.dtype = shape, dtype
        self.nbytes = int(np.prod(shape)) * dtype.itemsize
        self.address = _device().fake_allocate(self.nbytes, 0)
        if not self.address:
            raise MemoryError("no addresses are left on the device")

    @classmethod
    def of(cls, host: np.ndarray) -> "Array":
        """A copy of an array of the host."""
        host = np.ascontiguousarray(host)
        array = cls(host.shape, host.dtype)
        _device().fake_write(array.address, host.ctypes.data, host.nbytes)
        return array

    @classmethod
    def room(cls, shape: int | tuple[int, ...], dtype: Any) -> "Array":
        """Room for an array."""
        return cls((shape,) if isinstance(shape, int) else shape, np.dtype(dtype))

    def free(self) -> None:
        """Give the memory back."""
        _device().fake_free(self.address)

    def to_host(self) -> np.ndarray:
        """A copy on the host."""
        host = np.empty(self.shape, self.dtype)
        _device().fake_read(host.ctypes.data, self.address, self.nbytes)
        return host

    def as_numba_passes_it(self, shift: int = 0) -> list[Any]:
        """The parameters of a kernel that Numba makes of an array argument.

        Parameters
        ----------
        shift : int
            Bytes to add to the address.
        """
        strides = np.empty(self.shape, self.dtype).strides
        size = int(np.prod(self.shape))
        numbers = [0, 0, size, self.dtype.itemsize, self.address + shift, *self.shape, *strides]
        return [np.int64(number) for number in numbers]


def launch(
    ptx: str,
    grid: Sequence[int],
    block: Sequence[int],
    arguments: Sequence[Any],
    approximation_off: int = 0,
) -> None:
    """Run the kernel of a PTX module to its end.

    Parameters
    ----------
    ptx : str
    grid, block : sequence of int
        Up to three axes.
    arguments : sequence
        NumPy scalars, an `Array` for its address, or a list of those.
    approximation_off : int
        1 or -1: approximations err by all that NVIDIA allows, up or down.

    Raises
    ------
    Refused
        If there is an instruction in it that is not known.
    TypeError
        If there are other arguments than the kernel takes.
    """
    library = _of_kernel(ptx)
    values = [one for given in arguments for one in (given if type(given) is list else [given])]
    buffers = [
        np.array(one.address if isinstance(one, Array) else one).reshape(1) for one in values
    ]
    count = ctypes.c_int.in_dll(library, "kernel_count").value
    sizes = list((ctypes.c_int * count).in_dll(library, "kernel_sizes"))
    if [buffer.nbytes for buffer in buffers] != sizes:
        raise TypeError(f"the kernel takes arguments of {sizes} bytes")
    pointers = (ctypes.c_void_p * len(buffers))(*(buffer.ctypes.data for buffer in buffers))
    dims = [ctypes.byref(_Dim(*axes, *[1] * (3 - len(axes)))) for axes in (grid, block)]
    _device().fake_launch(library.kernel_run, *dims, pointers, approximation_off, 0)


def complaints() -> list[str]:
    """What was found wrong since this was asked last."""
    device = _device()
    kept = min(device.fake_complaint_count(), 200)
    found = [device.fake_complaint(index).decode() for index in range(kept)]
    device.fake_forget()
    return found
