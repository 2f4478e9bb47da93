"""The GPU: what `_dispatch` asks of it.

Kernels are made from the same formulas as the CPU's (src/generate_gpu.py) and compiled by Numba,
which `toolchain` alone imports.
"""

from s3s4._gpu.on_device import backward as backward_on_device
from s3s4._gpu.on_device import evaluate as evaluate_on_device
from s3s4._gpu.on_host import backward, evaluate
from s3s4._gpu.probe import bandwidth, device
from s3s4._gpu.toolchain import SIMULATED

__all__ = [
    "SIMULATED",
    "backward",
    "backward_on_device",
    "bandwidth",
    "device",
    "evaluate",
    "evaluate_on_device",
]
