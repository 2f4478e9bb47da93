"""What NVIDIA's compilers make of every kernel, without a GPU: `make gpu-check`.

Usage: python tests/tools/gpu_check.py [--turns] [--only NAME]

Fails on arithmetic in double in a kernel of floats, on spills, local memory, too many registers,
and on vector kernels that do not move 16 bytes at a time; and if a kernel kept on disk is not found
again. Prints a line a kernel. Skips, with the reason, where the toolchain's wheels are missing.
"""

import argparse
import itertools
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

import gpu_offline
from gpu_offline import CAPABILITIES, DTYPES, compiled_as_on_a_device

WIDE = {"float16": r"v4\.[ub]32", "float32": r"v4\.f32", "float64": r"v2\.f64"}


def check(
    name: str, dtype: str, capabilities: Sequence[tuple[int, int]], turn: int | None
) -> list[str]:
    """A line for each kernel of a function, and one that starts with FAILED for what is wrong."""
    lines = []
    of_rows = name in gpu_offline.row_functions()
    made = (gpu_offline.row_kernels if of_rows else gpu_offline.kernels)(name, dtype, turn)
    for kernel in made:
        found = [gpu_offline.assembled(kernel, capability) for capability in capabilities]
        registers = [one.registers for one in found]
        loads, stores = (
            len(re.findall(rf"{way}\.global\.{WIDE[dtype]}", kernel.ptx)) for way in ("ld", "st")
        )
        doubles = len(re.findall(r"\.f64\b", kernel.ptx))
        lines.append(
            f"{kernel!s:40} registers {min(registers)}-{max(registers)}, .f64 {doubles}, "
            f"16-byte loads {loads}, stores {stores}"
        )
        wrong = {
            "operations in double": dtype != "float64" and doubles,
            "local memory": ".local" in kernel.ptx or max(one.stack for one in found),
            "bytes spilled": max(one.spilled for one in found),
            "registers": max(registers) > kernel.registers and max(registers),
            "no 16-byte loads and stores": kernel.form.is_vector and not (loads and stores),
        }
        lines += [f"FAILED {kernel}: {what} ({n})" for what, n in wrong.items() if n]
    return lines


def kept() -> list[str]:
    """What is wrong with the kernels on disk: a second process must find what the first made."""
    made = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(2):
            done = subprocess.run(
                [sys.executable, __file__, "--one"],
                env={**os.environ, "S3S4_CACHE_DIR": folder},
                capture_output=True,
                text=True,
                check=False,
            )
            made.append(done.stdout.split())
    (found, first), (again, second) = made
    print(f"a kernel kept on disk: found {found} times, then {again}")
    right = (found, again) == ("0", "1") and first == second
    return [] if right else [f"FAILED kernels kept on disk: {made}\n{done.stderr}"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default="", help="functions whose name contains this")
    parser.add_argument(
        "--turns",
        action="store_true",
        help="in turns one capability, half of the forms, one dtype beside float32, a function",
    )
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(*compiled_as_on_a_device((9, 0)))
        return 0
    reason = gpu_offline.missing()
    if reason:
        print(f"gpu-check skipped: {reason}")
        return 0
    functions = [*gpu_offline.functions(), *gpu_offline.row_functions()]
    functions = [name for name in functions if options.only in name]
    jobs = [(name, dtype) for dtype in DTYPES for name in functions]
    turns: list[Sequence[tuple[int, int]]] = [CAPABILITIES] * len(jobs)
    forms: list[int | None] = [None] * len(jobs)
    if options.turns:
        jobs = [(name, "float32") for name in functions]
        jobs += zip(functions, itertools.cycle(("float16", "float64")), strict=False)
        turns = [[CAPABILITIES[i % len(CAPABILITIES)]] for i in range(len(jobs))]
        forms = list(range(len(jobs)))
    failures = 0
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for lines in pool.map(check, *zip(*jobs, strict=True), turns, forms):
            print(*lines, sep="\n", flush=True)
            failures += sum(line.startswith("FAILED") for line in lines)
    for failure in kept():
        print(failure)
        failures += 1
    print(f"{len(jobs)} functions, {failures} failures")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
