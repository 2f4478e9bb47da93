"""The GPU's kernels compiled without a GPU, as NVIDIA's compilers see them.

Design:
- A kernel becomes PTX once, for the oldest capability, and machine code for any from that: this is
  what a driver does. It takes as many registers as `s3s4._gpu.kernels` allows it on a device.
- Numba asks the current device for its capability wherever a function is called by another. There
  is none: it is told one.
"""

import hashlib
import importlib
import inspect
import re
import subprocess
import tempfile
import types
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

CAPABILITIES = ((7, 5), (8, 0), (8, 6), (8, 9), (9, 0), (10, 0), (12, 0))
DTYPES = ("float16", "float32", "float64")
WIDE = " wide"
"""What the name of a form ends with whose indices have 64 bits."""
FORMS = ("shared", "full", "walk", "walk_shared", "reduce", "reduce_shared")


def missing() -> str | None:
    """What is needed and not installed."""
    lacking = [
        what
        for what, there in (
            ("numba-cuda", find_spec("numba_cuda")),
            ("ptxas (nvidia-cuda-nvcc)", tool("ptxas")),
            ("nvdisasm (nvidia-cuda-nvdisasm)", tool("nvdisasm")),
        )
        if not there
    ]
    return f"{', '.join(lacking)} is missing; install s3s4[gpu-check]" if lacking else None


def tool(name: str) -> Path | None:
    """A program of the wheels: one of the system may be older than the PTX."""
    spec = find_spec("nvidia")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        for path in sorted(Path(place).glob(f"*/bin/{name}")):
            return path
    return None


def functions() -> list[str]:
    """Every function of the table that a GPU has kernels of."""
    from s3s4._table import TABLE

    return [
        function
        for name, entry in TABLE.items()
        for function in (
            name,
            *(f"{name}_d{by}" for by in entry.derivatives),
            f"{name}_value_dx",
            f"{name}_backward",
        )
    ]


@dataclass
class Kernel:
    """A kernel in PTX."""

    function: str
    form: str
    dtype: str
    registers: int
    """What it may take."""
    arrays: int
    """How many it reads and writes once."""
    stores: int
    """How many writes an element takes, or a vector."""
    ptx: str

    @property
    def vector(self) -> bool:
        return self.form in ("shared", "full")

    @property
    def width(self) -> int:
        """Elements that it moves at once."""
        return 16 // np.dtype(self.dtype).itemsize if self.vector else 1

    def __str__(self) -> str:
        return f"{self.dtype:8} {self.function} {self.form}"


def pretend_device(capability: tuple[int, int]) -> None:
    """Let Numba believe in a device."""
    device = types.SimpleNamespace(compute_capability=capability, id=0)
    for name in ("compiler", "dispatcher"):
        module: Any = importlib.import_module(f"numba.cuda.{name}")
        module.get_current_device = lambda: device
    devices: Any = importlib.import_module("numba.cuda.cudadrv.devices")
    devices.get_context = lambda number=None: types.SimpleNamespace(device=device)


def argument_types(function: str, form: str, dtype: str) -> tuple[Any, ...]:
    """What a kernel is launched with."""
    from s3s4._gpu import kernels as backend
    from s3s4._gpu import toolchain

    scalar = np.dtype(dtype).type
    index = np.int64 if form.endswith(WIDE) else np.int32
    taken = backend.kinds(function, form.removesuffix(WIDE), index)
    return tuple(toolchain.argument_types(taken, np.dtype(dtype), np.dtype(backend.FLOATS[scalar])))


def kernels(function: str, dtype: str) -> Iterator[Kernel]:
    """All kernels of a function, and with the first one those that belong to no function."""
    from s3s4._gpu import kernels as backend

    pretend_device(CAPABILITIES[0])
    scalar = np.dtype(dtype).type
    inputs, outputs = backend._formulas_gpu.FUNCTIONS[function]
    absent = set() if {*inputs} - {"g", "x"} else {"full", "walk_shared", "reduce_shared"}
    if "g" not in inputs or outputs == 1:
        absent |= {"reduce", "reduce_shared"}
    for form in FORMS:
        if form not in absent:
            text = backend.text(function, form, scalar, form.endswith("shared"))
            yield compiled(function, text, form, dtype)
            # Indices of 64 bits, for axes of more than 2^30, take registers: large bodies tell.
            if form in ("walk", "reduce") and function.endswith("_backward"):
                wide = backend.text(function, form, scalar, False, np.int64)
                yield compiled(function, wide, form + WIDE, dtype)
    if function == functions()[0]:
        yield compiled("", backend.text("", "total", scalar), "total", dtype)


def compiled(function: str, text: Any, form: str, dtype: str) -> Kernel:
    from numba import cuda

    from s3s4._gpu.kernels import registers

    arguments = argument_types(function, form, dtype)
    ptx, _ = cuda.compile(
        text, arguments, device=False, cc=CAPABILITIES[0], output="ptx", abi="numba"
    )
    return Kernel(
        function,
        form,
        dtype,
        registers(function, np.dtype(dtype).type, np.int64 if form.endswith(WIDE) else np.int32),
        sum(type(a).__name__ == "Array" and a.ndim != 3 for a in arguments),
        1
        if "reduce" in form
        else sum(n.startswith("out") for n in inspect.signature(text).parameters),
        ptx if isinstance(ptx, str) else ptx.decode(),
    )


def compiled_as_on_a_device(capability: tuple[int, int]) -> tuple[int, str]:
    """A kernel as its first launch compiles it: how often it was found on disk, and its digest."""
    from numba.cuda import dispatcher, utils

    from s3s4._gpu import kernels as backend

    pretend_device(capability)
    # There is no device to load it onto: the code is made, and that is what is kept.
    dispatcher._Kernel.bind = lambda self: self._codelibrary.get_cubin(cc=capability)
    kernel = backend.kernel("s3", "walk", np.float32)._kernel
    with utils.numba_target_override():
        compiled = kernel.compile(argument_types("s3", "walk", "float32"))
    code = compiled._codelibrary.get_cubin(cc=capability).code
    return sum(kernel.stats.cache_hits.values()), hashlib.sha256(code).hexdigest()


@dataclass
class Assembled:
    """What the assembler made of a kernel for one capability."""

    registers: int
    stack: int
    spilled: int
    code: str


def assembled(kernel: Kernel, capability: tuple[int, int], disassemble: bool = False) -> Assembled:
    """Machine code for a capability, and its text if that is wanted."""
    with tempfile.TemporaryDirectory() as folder:
        source, binary = Path(folder) / "kernel.ptx", Path(folder) / "kernel.cubin"
        source.write_text(kernel.ptx)
        told = output_of(
            tool("ptxas"),
            "-v",
            f"-arch=sm_{capability[0]}{capability[1]}",
            f"-maxrregcount={kernel.registers}",
            source,
            "-o",
            binary,
        )
        code = output_of(tool("nvdisasm"), "-c", binary) if disassemble else ""

    def number(pattern: str) -> int:
        found = re.search(pattern, told)
        if found is None:
            raise SystemExit(f"ptxas did not say {pattern!r}:\n{told}")
        return int(found[1])

    return Assembled(
        number(r"Used (\d+) registers"),
        number(r"(\d+) bytes stack frame"),
        number(r"(\d+) bytes spill stores") + number(r"(\d+) bytes spill loads"),
        code,
    )


def output_of(*command: object) -> str:
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}:\n{done.stderr or done.stdout}")
    return done.stdout + done.stderr
