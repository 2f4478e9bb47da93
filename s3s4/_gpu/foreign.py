"""Arrays on the device, whichever library they come from: as Numba sees them, and new ones."""

# Design:
# - A kernel runs on the stream its input was made on, so that neither side waits: the one that
#   ``__cuda_array_interface__`` names, or torch's current one, which torch leaves out there.
# - Others hand their memory over by DLPack, which makes CUDA's default stream wait for them. The
#   kernel runs there, and has ended when the call returns.

import sys
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

from s3s4._device_arrays import lies_on_device
from s3s4._gpu.toolchain import SIMULATED, cuda, over_dlpack

LEGACY, PER_THREAD = 1, 2
"""Default streams as the array interface and DLPack number them."""


class Place(NamedTuple):
    """Where the work on an array goes: a stream, and whether the end must be waited for."""

    stream: Any
    awaited: bool


def _is_numbas(array: Any) -> bool:
    return hasattr(type(array), "__cuda_ndarray__")


def _library(array: Any) -> Any:
    return sys.modules.get(type(array).__module__.partition(".")[0])


def _stream_number(array: Any) -> int | None:
    """The stream of an array's producer, if it tells."""
    library = _library(array)
    if library is not None and library.__name__ == "torch":
        return int(library.cuda.current_stream(array.device).cuda_stream) or LEGACY
    number = getattr(array, "__cuda_array_interface__", {}).get("stream")
    return None if number is None else int(number)


def _by_dlpack(array: Any) -> bool:
    return (
        hasattr(type(array), "__dlpack__")
        and not _is_numbas(array)
        and _stream_number(array) is None
    )


def place(array: Any) -> Place:
    """Where to work on an array, so that its producer's work on it is done before."""
    number = None if SIMULATED else _stream_number(array)
    if number in (None, LEGACY):
        return Place(cuda.default_stream(), _by_dlpack(array))
    if number == PER_THREAD:
        return Place(cuda.per_thread_default_stream(), False)
    return Place(cuda.external_stream(number), False)


def device_number(array: Any) -> int | None:
    """The number of the device an array lies on, if it tells."""
    if hasattr(type(array), "__dlpack_device__"):
        return int(array.__dlpack_device__()[1])
    if _is_numbas(array) and not SIMULATED:
        return int(array.gpu_data.context.device.id)
    return None


def on_its_device(array: Any) -> AbstractContextManager[Any]:
    """Make the device that an array lies on the current one."""
    number = device_number(array)
    device: AbstractContextManager[Any] = nullcontext() if number is None else cuda.gpus[number]
    return device


def imported(array: Any) -> Any:
    """An array of any library as Numba's, over the same memory.

    Raises
    ------
    TypeError
        If it does not lie on a device.
    """
    if _is_numbas(array):
        return array
    if _by_dlpack(array) and lies_on_device(array):
        return over_dlpack(array, LEGACY)
    if hasattr(array, "__cuda_array_interface__"):
        return cuda.as_cuda_array(array)  # waits for the stream that is named there
    raise TypeError(f"an array on the GPU is needed, not {type(array).__name__}")


def is_read_only(array: Any) -> bool:
    """Whether the library says that nothing may be written here."""
    return bool(getattr(array, "__cuda_array_interface__", {}).get("data", (0, False))[1])


def like(array: Any, shape: tuple[int, ...], stream: Any) -> Any:
    """A new array of the library and dtype that one is of, on its device."""
    library = _library(array)
    if library is not None and library.__name__ == "torch":
        return array.new_empty(shape)
    if library is not None and library.__name__ == "cupy":
        return library.empty(shape, array.dtype)
    if hasattr(type(array), "__array_namespace__"):
        namespace = array.__array_namespace__()
        return namespace.empty(shape, dtype=array.dtype, device=array.device)
    return cuda.device_array(shape, array.dtype, stream=stream)
