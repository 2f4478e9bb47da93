"""What NVIDIA's compilers make of every kernel, without a GPU: `make gpu-check`.

Compiles for each compute capability and fails on arithmetic in double in a kernel of floats, on
spills, local memory, too many registers, and vector kernels that do not move 16 bytes at a time.
Prints a line a kernel. Skips, with the reason, where the toolchain's wheels are missing.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import numpy as np

CAPABILITIES = ((7, 5), (8, 0), (8, 6), (8, 9), (9, 0), (10, 0), (12, 0))
REGISTERS = {"float16": 56, "float32": 48, "float64": 64}
# As they are, above what was aimed at: two derivatives of several elements live at a time.
BACKWARD = {"float16": 57, "float32": 53, "float64": 72}
REDUCE = {"float16": 78, "float32": 77, "float64": 104}


def assembler() -> Path | None:
    """The ptxas of the wheels: one of the system may be older than the PTX."""
    for place in find_spec("nvidia").submodule_search_locations if find_spec("nvidia") else ():
        for path in sorted(Path(place).glob("*/bin/ptxas")):
            return path
    return None


def kernel_types(name: str, dtype: str) -> list[tuple[str, bool, tuple[object, ...]]]:
    """The kernels of a function, whether each takes numbers, and the types of their arguments."""
    import inspect

    from numba import types

    from s3s4 import _gpu

    scalar = np.dtype(dtype).type
    memory = {"float16": types.float16, "float32": types.float32, "float64": types.float64}[dtype]
    real = types.float64 if dtype == "float64" else types.float32
    width = 16 // np.dtype(dtype).itemsize
    found = []
    for form in ("shared", "full", "walk", "reduce"):
        kernel = f"{name}_{form}" + (f"_{width}" if form in ("shared", "full") else "")
        text = _gpu.kernels(scalar, form == "shared").get(kernel)
        if text is None:
            continue
        flat = types.Array(memory, 1, "C")
        arguments: list[object] = []
        for argument in inspect.signature(text).parameters:
            if argument in ("n", "kept", "summed"):
                arguments.append(types.int64)
            elif form == "shared":
                array = argument in ("g", "x") or argument.startswith("out")
                arguments.append(flat if array else real)
            elif form == "full":
                arguments.append(flat)
            elif form == "reduce" and argument.startswith("out") and argument != "out0":
                arguments.append(types.Array(real, 3, "C"))
            else:
                arguments.append(types.Array(memory, 4, "A"))
        found.append((kernel, form == "shared", tuple(arguments)))
    return found


def compiled(name: str, dtype: str) -> Iterator[tuple[str, str]]:
    """The PTX of the kernels of a function, for the oldest processor."""
    from numba import cuda

    from s3s4 import _gpu

    for kernel, shared, arguments in kernel_types(name, dtype):
        text = _gpu.kernels(np.dtype(dtype).type, shared)[kernel]
        ptx, _ = cuda.compile(
            text, arguments, device=False, cc=CAPABILITIES[0], output="ptx", abi="numba"
        )
        yield kernel, ptx if isinstance(ptx, str) else ptx.decode()


def check(name: str, dtype: str) -> tuple[list[str], list[str]]:
    """What was found of the kernels of a function, and what is wrong with them."""
    lines, wrong = [], []
    ptxas = assembler()
    for kernel, ptx in compiled(name, dtype):
        registers = []
        with tempfile.TemporaryDirectory() as folder:
            for major, minor in CAPABILITIES:
                target = f"sm_{major}{minor}"
                source = Path(folder) / f"{target}.ptx"
                source.write_text(re.sub(r"(?m)^\.target .*", f".target {target}", ptx))
                done = subprocess.run(
                    [ptxas, f"-arch={target}", "-v", source, "-o", source.with_suffix(".cubin")],
                    capture_output=True,
                    text=True,
                    check=False,
                )
                if done.returncode:
                    wrong.append(f"{dtype} {kernel} {target}: {done.stderr.strip()}")
                    continue
                registers.append(int(re.search(r"Used (\d+) registers", done.stderr)[1]))
                for kind in ("stack frame", "spill stores", "spill loads"):
                    if re.search(rf"(\d+) bytes {kind}", done.stderr)[1] != "0":
                        wrong.append(f"{dtype} {kernel} {target}: {kind}")
        limits = (
            REDUCE
            if kernel.endswith("_reduce")
            else BACKWARD
            if "_backward_" in kernel
            else REGISTERS
        )
        if max(registers, default=0) > limits[dtype]:
            wrong.append(f"{dtype} {kernel}: {max(registers)} registers")
        doubles = len(re.findall(r"\.f64\b", ptx))
        if dtype != "float64" and doubles:
            wrong.append(f"{dtype} {kernel}: {doubles} operations in double")
        if ".local" in ptx:
            wrong.append(f"{dtype} {kernel}: local memory")
        vector = "shared" in kernel or "full" in kernel
        wide = {"float16": r"v4\.[ubf]\w*", "float32": r"v4\.f32", "float64": r"v2\.f64"}[dtype]
        loads = len(re.findall(rf"ld\.global\.{wide}", ptx))
        stores = len(re.findall(rf"st\.global\.{wide}", ptx))
        if vector and not (loads and stores):
            wrong.append(f"{dtype} {kernel}: no vector loads and stores")
        lines.append(
            f"{dtype:8} {kernel:22} registers {min(registers, default=0)}-"
            f"{max(registers, default=0)}, .f64 {doubles}, vector loads {loads}, stores {stores}"
        )
    return lines, wrong


def names() -> Sequence[str]:
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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", help="functions whose name contains this")
    only = parser.parse_args().only or ""
    missing = [
        what
        for what, there in (
            ("numba-cuda", find_spec("numba_cuda")),
            ("ptxas (nvidia-cuda-nvcc)", assembler()),
        )
        if not there
    ]
    if missing:
        print(f"gpu-check skipped: {', '.join(missing)} is missing; install s3s4[gpu-check]")
        return 0
    jobs = [(name, dtype) for dtype in REGISTERS for name in names() if only in name]
    failures = []
    with ProcessPoolExecutor() as pool:
        for lines, wrong in pool.map(check, *zip(*jobs, strict=True)):
            print(*lines, sep="\n", flush=True)
            failures += wrong
    for failure in failures:
        print(f"FAILED {failure}")
    print(f"{len(jobs)} functions for {len(CAPABILITIES)} processors, {len(failures)} failures")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
