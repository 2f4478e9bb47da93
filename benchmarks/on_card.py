"""Bandwidth on a card beside a copy and other libraries' functions: a part of `make on-card`.

Each moves one array in and one out, so that a copy on the device is the limit. torch's functions
and CuPy's fused kernel are left out where the library is not there.
"""

import time
from collections.abc import Callable, Sequence

import numpy as np

import s3s4

SIZE, CALLS, ROUNDS = 1 << 26, 20, 7


def contenders(size: int) -> dict[str, Callable[[], object]]:
    """Calls on float32 arrays of a size, by name."""
    from numba import cuda

    host = np.linspace(-10, 10, size, dtype=np.float32)
    x, out = cuda.to_device(host), cuda.device_array(size, np.float32)
    found: dict[str, Callable[[], object]] = {
        "a copy on the device": lambda: out.copy_to_device(x),
        "s4": lambda: s3s4.s4(x, out=out),
        "s3": lambda: s3s4.s3(x, out=out),
        "gelu": lambda: s3s4.gelu(x, out=out),
        "s4, every other element": lambda: s3s4.s4(x[::2], out=out[::2]),
    }
    try:
        import torch

        tensor = torch.as_tensor(host, device="cuda")

        @torch.compile
        def textbook(x: object) -> object:
            blend = torch.sigmoid(-5.0 * x)
            return blend * torch.sigmoid(x) + (1 - blend) * torch.nn.functional.softsign(x)

        found["torch gelu"] = lambda: torch.nn.functional.gelu(tensor)
        found["torch silu"] = lambda: torch.nn.functional.silu(tensor)
        found["torch, a textbook S4, compiled"] = lambda: textbook(tensor)
        found["s4 of a tensor"] = lambda: s3s4.s4(tensor)
    except Exception as error:  # without a GPU's build of it, or without a compiler
        print("torch is left out:", error)
    try:
        import cupy

        array = cupy.asarray(host)
        fused = cupy.ElementwiseKernel(
            "float32 x", "float32 y", "float s = 1/(1+expf(-x)), b = 1/(1+expf(5*x));"
            "y = b*s + (1-b)*x/(1+fabsf(x))", "textbook_s4")  # fmt: skip
        found["CuPy, a textbook S4, fused"] = lambda: fused(array)
        found["s4 of CuPy's array"] = lambda: s3s4.s4(array)
    except Exception as error:
        print("CuPy is left out:", error)
    return found


def run(quick: bool, names: Sequence[str]) -> None:
    """Print the table."""
    from numba import cuda

    size = SIZE >> 12 if quick else SIZE
    least: dict[str, float] = {}
    calls = contenders(size)
    for _ in range(2 if quick else ROUNDS):
        for name, call in calls.items():
            call()
            cuda.synchronize()
            start = time.perf_counter()
            for _ in range(CALLS):
                call()
            cuda.synchronize()
            seconds = (time.perf_counter() - start) / CALLS
            least[name] = min(seconds, least.get(name, seconds))
    copy = least["a copy on the device"]
    print(f"| {size} floats | µs | GB/s | of a copy |\n| --- | --- | --- | --- |")
    for name, seconds in least.items():
        part = 0.5 if "every other" in name else 1.0
        print(
            f"| {name} | {seconds * 1e6:.1f} | {part * 8 * size / seconds / 1e9:.0f} "
            f"| {part * copy / seconds:.0%} |"
        )
