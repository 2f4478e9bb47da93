"""What the GPU is, and how fast."""

import math
import time
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from s3s4._errors import GPUUnavailable
from s3s4._gpu import on_device, on_host
from s3s4._gpu.toolchain import SIMULATED, cuda, version


class Device(NamedTuple):
    """What was found."""

    name: str
    capability: str
    memory: int


@cache
def device() -> Device:
    """The current device, after one small kernel has run on it.

    Raises
    ------
    GPUUnavailable
        If there is no driver, no device, or the kernel cannot be compiled or run.
    """
    if SIMULATED:
        return Device("Numba's simulator", "none", 0)
    try:
        found = cuda.get_current_device()
        memory = cuda.current_context().get_memory_info().total
    except Exception as error:
        raise GPUUnavailable(f"no driver or no device: {_first_line(error)}") from error
    try:
        on_host.evaluate("s3", np.zeros(1, np.float32), [], [None])
    except MemoryError as error:
        raise GPUUnavailable(f"the GPU has no memory left for a kernel: {error}") from error
    except Exception as error:
        # The driver's errors are of several packages' classes, and all say what CUDA calls them.
        reason = (
            "a kernel does not run; the driver may be older than the toolkit that numba-cuda found "
            "(install s3s4[gpu-cu12] or a newer driver)"
            if "CUDA_ERROR" in str(error)
            else f"numba-cuda {version()} does not compile a kernel here, with NumPy "
            f"{np.__version__} (the driver and the device are there)"
        )
        raise GPUUnavailable(f"{reason}: {_first_line(error)}") from error
    name = found.name.decode() if isinstance(found.name, bytes) else str(found.name)
    return Device(name, "{}.{}".format(*found.compute_capability), int(memory))


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines()]
    return f"{type(error).__name__}: {' '.join(line for line in lines if line)[:300]}"


def there(array: np.ndarray) -> Any:
    """A copy on the device, in an array of Numba's."""
    return cuda.to_device(array)


def bandwidth(
    function: str, dtype: Any, size: int, parameters: Sequence[Any]
) -> tuple[float, float]:
    """Bytes a second that a function of one output moves on the device, and that a copy moves.

    Parameters
    ----------
    function : str
        Its name in the table.
    dtype : type
    size : int
        Elements.
    parameters : sequence of float

    Returns
    -------
    of_function, of_copy : float
    """
    x = cuda.to_device(np.linspace(-10, 10, size).astype(dtype))
    out = cuda.device_array(size, dtype)
    moved = 2 * x.size * x.dtype.itemsize
    computing = _seconds(lambda: on_device.evaluate(function, x, parameters, [out]))
    return moved / computing, moved / _seconds(lambda: out.copy_to_device(x))


def _seconds(call: Callable[[], object]) -> float:
    """The least time of a call, of several draws of several calls each."""
    call()
    calls, least = 10, math.inf
    for _ in range(5):
        cuda.synchronize()
        start = time.perf_counter()
        for _ in range(calls):
            call()
        cuda.synchronize()
        least = min(least, (time.perf_counter() - start) / calls)
    return least
