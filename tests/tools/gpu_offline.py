"""The GPU's kernels compiled without a GPU, as NVIDIA's compilers see them.

Design:
- A kernel becomes PTX once, for the oldest capability, and machine code for any from that: this is
  what a driver does. It takes as many registers as `s3s4._gpu.kernels` allows it on a device.
- Numba asks the current device for its capability wherever a function is called by another. There
  is none: it is told one.
"""

import hashlib
import importlib
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


def row_functions() -> list[str]:
    """Every function of rows that a GPU has kernels of."""
    from s3s4._rows_gpu import ROWS

    return list(ROWS)


@dataclass
class Kernel:
    """A kernel in PTX."""

    function: str
    form: Any
    """A `Form` of s3s4._gpu.loops."""
    is_wide: bool
    """Whether indices have 64 bits, for axes of more than 2^30."""
    dtype: str
    registers: int
    """What it may take."""
    arrays: int
    """How many it reads and writes once: not what a cache has, of a parameter for many elements."""
    stores: int
    """How many writes an element takes, or a vector."""
    ptx: str

    @property
    def width(self) -> int:
        """Elements that it moves at once."""
        return 16 // np.dtype(self.dtype).itemsize if self.form.is_vector else 1

    def __str__(self) -> str:
        return f"{self.dtype:8} {self.function} {self.form}{' wide' * self.is_wide}"


def pretend_device(capability: tuple[int, int]) -> None:
    """Let Numba believe in a device."""
    device = types.SimpleNamespace(compute_capability=capability, id=0)
    for name in ("compiler", "dispatcher"):
        module: Any = importlib.import_module(f"numba.cuda.{name}")
        module.get_current_device = lambda: device
    devices: Any = importlib.import_module("numba.cuda.cudadrv.devices")
    devices.get_context = lambda number=None: types.SimpleNamespace(device=device)


def argument_types(function: str, form: Any, dtype: str, index: Any = np.int32) -> tuple[Any, ...]:
    """What a kernel is launched with."""
    from s3s4._gpu import kernels as backend
    from s3s4._gpu import toolchain

    outputs = backend._formulas_gpu.FUNCTIONS[function][1] if function else 1
    taken = backend.kinds(outputs, form, index)
    real = backend.FLOATS[np.dtype(dtype).type]
    return tuple(toolchain.argument_types(taken, np.dtype(dtype), np.dtype(real)))


def forms(function: str) -> list[Any]:
    """The forms of a function's kernels: for parameters of each kind, and for none once."""
    from s3s4._gpu import kernels as backend
    from s3s4._gpu.loops import Form

    inputs, outputs = backend._formulas_gpu.FUNCTIONS[function]
    variables = len({*inputs} & {"g", "x"})
    wanted = [
        ("flat", "each", "number", 4), ("flat", "each", "one", 4), ("flat", "each", "each", 4),
        ("lines", "line", "line", 2), ("lines", "line", "point", 4),
        ("walk", "view", "number", 2), ("walk", "view", "view", 4),
    ]  # fmt: skip
    if "g" in inputs and outputs > 1:
        wanted += [
            ("sum", "each", "number", 4), ("sum", "each", "one", 4),
            ("reduce", "view", "number", 4), ("reduce", "view", "view", 4),
        ]  # fmt: skip
    found = {}
    for loop, variable, parameter, axes in wanted:
        operands = (variable,) * variables + (parameter,) * (len(inputs) - variables)
        found.setdefault((loop, operands, axes), Form(loop, operands, axes))
    return list(found.values())


def kernels(function: str, dtype: str, turn: int | None = None) -> Iterator[Kernel]:
    """All kernels of a function, and with the first one those that belong to no function.

    With a turn every other one, and the first.
    """
    from s3s4._gpu.loops import Form

    pretend_device(CAPABILITIES[0])
    first, *others = forms(function)
    for form in [first, *(others if turn is None else others[turn % 2 :: 2])]:
        yield compiled(function, form, dtype)
        # Indices of 64 bits take registers: large bodies tell.
        if form.loop in ("walk", "reduce") and function.endswith("_backward"):
            yield compiled(function, form, dtype, np.int64)
    if function == functions()[0]:
        yield compiled("", Form("total"), dtype)


def row_kernels(function: str, dtype: str, turn: int | None = None) -> Iterator[Kernel]:
    """Kernels of a row function: all its phases in one, and the last, which merges the others'.

    With a turn one of them.
    """
    from s3s4._gpu import kernels as backend
    from s3s4._gpu import rows, toolchain
    from s3s4._gpu.loops import Form

    pretend_device(CAPABILITIES[0])
    scalar = np.dtype(dtype).type
    forms: list[tuple[str, Any]] = [("whole", np.int32), ("phase2", np.int32)]
    if function.endswith("_vjp"):  # larger: there indices of 64 bits tell
        forms.append(("whole", np.int64))
    for form, index in forms if turn is None else [forms[turn % len(forms)]]:
        taken = rows.kinds(function, form, index)
        memory, real = np.dtype(dtype), np.dtype(backend.FLOATS[scalar])
        text = rows.text(function, form, scalar, index)
        ptx = ptx_of(text, tuple(toolchain.argument_types(taken, memory, real)))
        arrays = taken.count("view")
        most = rows.REGISTERS[scalar]
        yield Kernel(function, Form(form), index is np.int64, dtype, most, arrays, 1, ptx)


def ptx_of(text: Any, arguments: tuple[Any, ...]) -> str:
    """PTX of a kernel for the oldest capability."""
    from numba import cuda

    ptx, _ = cuda.compile(
        text, arguments, device=False, cc=CAPABILITIES[0], output="ptx", abi="numba"
    )
    return ptx if isinstance(ptx, str) else str(ptx.decode())


def compiled(function: str, form: Any, dtype: str, index: Any = np.int32) -> Kernel:
    """A kernel's PTX, for the oldest capability."""
    from s3s4._gpu import kernels as backend

    scalar = np.dtype(dtype).type
    inputs, outputs = backend._formulas_gpu.FUNCTIONS[function] if function else ((), 1)
    uniform = not {"one", "each", "line", "point", "view"} & {
        kind for name, kind in zip(inputs, form.operands, strict=True) if name not in ("g", "x")
    }
    text = backend.text(function, form, scalar, uniform, index)
    ptx = ptx_of(text, argument_types(function, form, dtype, index))
    stores = 1 if form.loop in ("sum", "reduce") else outputs
    moved = [
        name
        for name, kind in zip(inputs, form.operands, strict=True)
        if name in ("g", "x") or (kind == "each" and form.loop == "flat")
    ]
    return Kernel(
        function,
        form,
        index is np.int64,
        dtype,
        backend.registers(function, scalar, index),
        len(moved) + stores,
        stores,
        ptx,
    )


def compiled_as_on_a_device(capability: tuple[int, int]) -> tuple[int, str]:
    """A kernel as its first launch compiles it: how often it was found on disk, and its digest."""
    from numba.cuda import dispatcher, utils

    from s3s4._gpu import kernels as backend
    from s3s4._gpu.loops import Form

    pretend_device(capability)
    # There is no device to load it onto: the code is made, and that is what is kept.
    dispatcher._Kernel.bind = lambda self: self._codelibrary.get_cubin(cc=capability)
    form = Form("walk", ("view",))
    kernel = backend.kernel("s3", form, np.float32)._kernel
    with utils.numba_target_override():
        compiled = kernel.compile(argument_types("s3", form, "float32"))
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
