"""What a call on arrays of the device costs the host: `make gpu-host`.

Microseconds until a call returns, while the kernel is still to run, beside Numba's own dispatch of
a kernel of as many arrays, in one process. On the driver that is not there (tests/tools/fakecuda) a
launch costs what a queue costs; a true driver's takes 2 to 4 microseconds more.
"""

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import s3s4

CALLS, ROUNDS = 100, 30


class Exported:
    """An array as CuPy shows it: the array interface, and a device by DLPack."""

    def __init__(self, array: Any, stream: int) -> None:
        self._array = array  # whose memory it is
        self.dtype, self.shape = array.dtype, array.shape
        self.__cuda_array_interface__ = {**array.__cuda_array_interface__, "stream": stream}

    def __dlpack_device__(self) -> tuple[int, int]:
        return 2, 0


def run(quick: bool, names: list[str]) -> None:
    """Print the table."""
    from numba import cuda

    x = np.linspace(-9, 9, 1000, dtype=np.float32)
    there, out, g, k = (cuda.to_device(x) for _ in range(4))
    shown, shown_out = Exported(there, 1), Exported(out, 1)

    @cuda.jit
    def twice(n: int, a: np.ndarray, b: np.ndarray) -> None:
        i = cuda.grid(1)
        if i < n:
            b[i] = a[i] + a[i]

    contenders: dict[str, Callable[[], object]] = {
        "Numba's dispatch of a kernel, two arrays": lambda: twice[4, 256](1000, there, out),
        "`cuda.device_array`": lambda: cuda.device_array(1000, np.float32),
        "`s4(x, out=out)`": lambda: s3s4.s4(there, out=out),
        "`s4(x, out=out)`, as CuPy shows arrays": lambda: s3s4.s4(shown, out=shown_out),
        "`s4(x, k, out=out)`, k an array": lambda: s3s4.s4(there, k, out=out),
        "`s4(x)`": lambda: s3s4.s4(there),
        "`s4.value_and_derivative(x)`": lambda: s3s4.s4.value_and_derivative(there),
        "`s4.backward(g, x, k)`, k a number": lambda: s3s4.s4.backward(g, there, 2.0),
        "`s3.backward(g, x)`": lambda: s3s4.s3.backward(g, there),
    }
    found: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(5 if quick else ROUNDS):
        for name, call in contenders.items():
            call()
            cuda.synchronize()
            start = time.thread_time()
            for _ in range(CALLS):
                call()
            found[name].append((time.thread_time() - start) / CALLS)
            cuda.synchronize()
    print(f"| call | least, µs | median, µs |\n| {'-' * 44} | --- | --- |")
    for name, times in found.items():
        print(f"| {name:44} | {min(times) * 1e6:.1f} | {statistics.median(times) * 1e6:.1f} |")
