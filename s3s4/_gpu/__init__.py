"""The GPU: what `_offload` asks of it.

What an element takes is made from the same formulas as the CPU's, loops around it are made by
`loops`, and Numba, which `toolchain` alone imports, compiles them.
"""

from s3s4._gpu.on_device import backward as backward_on_device
from s3s4._gpu.on_device import evaluate as evaluate_on_device
from s3s4._gpu.on_device import over_rows as over_rows_on_device
from s3s4._gpu.on_host import backward, evaluate, over_rows
from s3s4._gpu.probe import bandwidth, device, there
from s3s4._gpu.toolchain import SIMULATED

__all__ = [
    "SIMULATED",
    "backward",
    "backward_on_device",
    "bandwidth",
    "device",
    "evaluate",
    "evaluate_on_device",
    "over_rows",
    "over_rows_on_device",
    "there",
]
