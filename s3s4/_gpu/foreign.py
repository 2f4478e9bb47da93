"""Arrays on the device, whichever library they come from: where they lie, and new ones."""

# Design:
# - A kernel runs on x's stream: the one that ``__cuda_array_interface__`` names, or torch's current
#   one, which torch leaves out there. Where none is named it is CUDA's default stream. No side
#   waits: streams of other arrays are ordered before and after it by events.
# - Others hand their memory over by DLPack, which makes the kernel's stream wait for them. Nothing
#   makes them wait for it, so that such a call returns when the kernel has ended.

import math
import sys
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from cuda.core.utils import StridedMemoryView

from s3s4._device_arrays import lies_on_device
from s3s4._gpu import toolchain
from s3s4._gpu.access import BFLOAT16
from s3s4._gpu.axes import as_they_lie
from s3s4._gpu.driver import LEGACY, current_device, device_of
from s3s4._gpu.toolchain import SIMULATED, cuda


class Operand(NamedTuple):
    """Memory of a device as an array."""

    pointer: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: Any
    device: int = 0
    stream: int = LEGACY
    is_read_only: bool = False
    is_awaited: bool = False
    """Whether nothing tells its library when the work is done."""
    owner: Any = None

    def passed(self, shape: Sequence[int], strides: Sequence[int]) -> tuple[int, ...]:
        """What a kernel is passed for it, under a shape and strides."""
        size = self.dtype.itemsize
        return 0, 0, math.prod(shape), size, self.pointer, *shape, *strides


@lru_cache(maxsize=1024)
def contiguous(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """The strides of an array in C's order."""
    strides = []
    for length in reversed(shape):
        strides.append(itemsize)
        itemsize *= max(length, 1)
    return tuple(reversed(strides))


@lru_cache(maxsize=1024)
def as_it_lies(shape: tuple[int, ...], strides: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """The strides of an array without gaps whose axes follow each other as those of another do."""
    found = [0] * len(shape)
    for axis in reversed(as_they_lie(strides)):
        found[axis] = itemsize
        itemsize *= max(shape[axis], 1)
    return tuple(found)


@lru_cache
def _of_module(name: str) -> str:
    return name.partition(".")[0]


def _library(kind: type) -> str:
    return _of_module(kind.__module__)


def _of_numba(array: Any) -> Operand:
    return Operand(
        toolchain.pointer(array),
        array.shape,
        array.strides,
        array.dtype,
        toolchain.device(array),
        toolchain.stream_number(array.stream) or LEGACY if not SIMULATED else LEGACY,
        owner=array,
    )


@lru_cache
def _dtype_of_torch(dtype: Any) -> Any:
    name = str(dtype).partition(".")[2]
    try:
        return BFLOAT16 if name == "bfloat16" else np.dtype(name)
    except TypeError:
        return dtype


def _of_torch(array: Any) -> Operand:
    torch = sys.modules["torch"]
    dtype, step = _dtype_of_torch(array.dtype), array.element_size()
    return Operand(
        array.data_ptr(),
        tuple(array.shape),
        tuple([stride * step for stride in array.stride()]),
        dtype,
        array.device.index or 0,
        int(torch.cuda.current_stream(array.device).cuda_stream) or LEGACY,
        owner=array,
    )


def _of_interface(array: Any, interface: dict[str, Any]) -> Operand:
    if interface.get("mask") is not None:
        raise TypeError("an array on the GPU with a mask is not supported")
    pointer, is_read_only = interface["data"]
    dtype, shape = _named(array, interface["typestr"]), tuple(interface["shape"])
    if hasattr(type(array), "__dlpack_device__"):
        device = array.__dlpack_device__()[1]
    else:
        device = device_of(pointer) if pointer else current_device() or 0
    return Operand(
        pointer,
        shape,
        interface.get("strides") or contiguous(shape, dtype.itemsize),
        dtype,
        device,
        interface.get("stream") or LEGACY,
        is_read_only,
        owner=array,
    )


def _named(array: Any, text: str) -> Any:
    """A dtype by the interface, which has no name for bfloat16."""
    is_unnamed = text[1:] == "V2" and str(getattr(array, "dtype", "")) == str(BFLOAT16)
    return BFLOAT16 if is_unnamed else np.dtype(text)


def _over_dlpack(array: Any, stream: int) -> Operand:
    view = StridedMemoryView.from_dlpack(array, stream_ptr=stream)
    shape, steps, size = tuple(view.shape), view.strides, view.dtype.itemsize
    strides = contiguous(shape, size) if steps is None else tuple([step * size for step in steps])
    return Operand(
        int(view.ptr),
        shape,
        strides,
        BFLOAT16 if str(view.dtype) == str(BFLOAT16) else view.dtype,
        int(view.device_id),
        stream,
        bool(view.readonly) and not SIMULATED,
        True,
        array,
    )


def described(name: str, array: Any, stream: int = LEGACY) -> Operand:
    """An array of any library, over the same memory.

    Parameters
    ----------
    name : str
        What it is to the caller.
    array : object
    stream : int
        Where the kernel will run: it waits for what only DLPack describes.

    Raises
    ------
    TypeError
        If it does not lie on a device.
    """
    kind = type(array)
    if hasattr(kind, "__cuda_ndarray__"):
        return _of_numba(array)
    if not lies_on_device(array):
        raise TypeError(f"{name} must be on the GPU as x is, not {kind.__name__}")
    if not SIMULATED:
        if _library(type(array)) == "torch":
            return _of_torch(array)
        interface = getattr(array, "__cuda_array_interface__", None)
        by_dlpack = hasattr(kind, "__dlpack__")
        if interface is not None and (interface.get("stream") is not None or not by_dlpack):
            return _of_interface(array, interface)
    return _over_dlpack(array, stream)


def like(array: Any, first: Operand, shape: tuple[int, ...], dtype: Any) -> Any:
    """A new array of the library that one is of, on its device.

    Of the same shape it lies as that one does, as far as the library has a say in it.

    Parameters
    ----------
    array : object
    first : Operand
        The same, as it is described.
    shape : tuple of int
    dtype : dtype
        That of the new one, by NumPy.
    """
    is_alike = shape == first.shape
    other = None if dtype == first.dtype else str(dtype)
    make = _MAKERS.get(_library(type(array)))
    if make is not None:
        return make(array, shape, is_alike, other)
    kind = type(array)
    if hasattr(kind, "__array_namespace__") and not hasattr(kind, "__cuda_ndarray__"):
        namespace = array.__array_namespace__()
        own = array.dtype if other is None else getattr(namespace, other)
        return namespace.empty(shape, dtype=own, device=array.device)
    # Stream 0 of Numba's is none in particular: what reads the array there waits.
    stream = 0 if first.stream == LEGACY or SIMULATED else cuda.external_stream(first.stream)
    size = dtype.itemsize
    strides = as_it_lies(shape, first.strides, size) if is_alike else contiguous(shape, size)
    return toolchain.new_array(array, shape, strides, dtype, stream)


def _of_cupy(array: Any, shape: tuple[int, ...], is_alike: bool, dtype: str | None) -> Any:
    cupy = sys.modules["cupy"]
    return cupy.empty_like(array, dtype) if is_alike else cupy.empty(shape, dtype or array.dtype)


def _new_of_torch(array: Any, shape: tuple[int, ...], is_alike: bool, dtype: str | None) -> Any:
    torch = sys.modules["torch"]
    own = array.dtype if dtype is None else getattr(torch, dtype)
    return torch.empty_like(array, dtype=own) if is_alike else array.new_empty(shape, dtype=own)


_MAKERS: dict[str, Callable[[Any, tuple[int, ...], bool, str | None], Any]] = {
    "cupy": _of_cupy,
    "torch": _new_of_torch,
}
