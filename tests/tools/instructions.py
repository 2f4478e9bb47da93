"""Instructions per element of every block function, in the modules that are installed.

Usage: python tests/tools/instructions.py

Rewrites tests/instructions.json, which tests/test_instructions.py compares with.

# Design:
# - Counts and not times: the same on every run, whatever else the machine does.
# - Two views. ``executed`` lets callgrind count what a run really takes, overhead of the loops and
#   all; it emulates the processor, and knows no AVX-512. ``loops`` reads the machine code, which
#   needs no processor that could run it; a loop that the compiler split by the sign of k counts
#   with both its halves there, of which one is run; a loop that it unrolled altogether counts as
#   what it became, a part of the loop over blocks.
# - Both go by the symbols of the block functions, which every build keeps until it is stripped.
"""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from s3s4 import _cpu, _table

TABLE = Path(__file__).parents[1] / "instructions.json"

EXECUTED = ("baseline", "avx2")
"""The variants that callgrind's emulated processor runs."""

SYMBOL = re.compile(
    rf"s3s4_((?:{'|'.join(_table.TABLE)})_(?:\w+_)?(?:block|ordinary|uniform)_f(?:32|64))"
    r"(?:\.\w+)*"
)

ELEMENTS = 1 << 14

BLOCK_BYTES = 512
"""What a turn of a block function's outer loop takes of every array (S3S4_BLOCK)."""

WORKLOAD = f"""
import json
import sys

import numpy as np
import s3s4
from s3s4._table import TABLE

for dtype in (np.float32, np.float64):
    x = np.linspace(-12, 12, {ELEMENTS}).astype(dtype)
    for activation in filter(lambda a: isinstance(a, s3s4.Activation), s3s4.activations.values()):
        calls = {{
            "": activation,
            "value_dx_": activation.value_and_derivative,
            "backward_": lambda *inputs: activation.backward(x, *inputs),
        }}
        for by in ("x", *activation.parameters):
            calls[f"d{{by}}_"] = lambda *inputs, by=by: activation.derivative(*inputs, wrt=by)
        for by in TABLE[activation.name].second_derivatives:
            calls[f"d{{''.join(by)}}_"] = (
                lambda *inputs, by=by: activation.second_derivative(*inputs, wrt=by)
            )
        defaults = list(activation.parameters.values())
        for suffix, call in calls.items():
            call(x, *defaults)
            if defaults:
                call(x, *[np.full_like(x, p) for p in defaults])
            # Where those were ordinary, negative ones are counted apart.
            if f"{{activation.name}}_{{suffix}}ordinary_f32" in json.loads(sys.argv[1]):
                call(x, *[np.full_like(x, -1 - abs(p)) for p in defaults])
"""


class UnavailableError(Exception):
    """What cannot be counted here, and why."""


@dataclass(frozen=True)
class Loop:
    """A loop of a block function.

    Attributes
    ----------
    instructions : tuple of str
        Mnemonics and operands, without those of loops inside.
    elements : int
        How many elements one turn advances.
    is_innermost : bool
        Whether it is a loop over elements, not over blocks.
    """

    instructions: tuple[str, ...]
    elements: int
    is_innermost: bool

    @property
    def is_vectorised(self) -> bool:
        """Whether a turn takes several elements and computes with none of them alone."""
        return self.elements > 1 and not any(
            re.match(r"v?(add|sub|mul|div|fn?m\w+|sqrt)\w*s[sd]\b|call", i)
            for i in self.instructions
        )


def tool(name: str) -> str:
    """Return the path of a program of the system."""
    path = shutil.which(name)
    if path is None:
        raise UnavailableError(f"{name} is not installed")
    return path


@cache
def loops(variant: str) -> dict[str, list[Loop]]:
    """Return the loops of each block function of a variant."""
    module = importlib.util.find_spec(f"s3s4._kernels_{variant}")
    if module is None or module.origin is None:
        raise UnavailableError(f"this build has no variant {variant}")
    command = [tool("objdump"), "-d", "--no-show-raw-insn", module.origin]
    listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    functions: dict[str, list[Loop]] = {}
    for heading, body in re.findall(r"^\w+ <(\S+)>:\n((?:.+\n)+)", listing, re.MULTILINE):
        symbol = SYMBOL.fullmatch(heading)
        if symbol:
            functions[symbol[1]] = nested(body, 8 if symbol[1].endswith("64") else 4)
    if not functions:
        raise UnavailableError(f"the module of variant {variant} is stripped of its symbols")
    return functions


def nested(body: str, item_size: int) -> list[Loop]:
    """Find the loops in one function's listing: over blocks, and in them over elements."""
    lines = re.findall(r"^\s*(\w+):\s+(.*?)\s*(?:#.*)?$", body, re.MULTILINE)
    position = {address: i for i, (address, _) in enumerate(lines)}
    # A loop may be left for its next turn in many places: the last one closes it.
    ends: dict[int, int] = {}
    for i, (_, text) in enumerate(lines):
        jump = re.match(r"j\w+\s+(\w+)", text)
        if jump and position.get(jump[1], i + 1) <= i:
            ends[position[jump[1]]] = i + 1
    spans = [range(start, end) for start, end in ends.items()]
    # A jump back over the end of the function leaves it, or comes from a part that is set aside.
    spans = [span for span in spans if not any(lines[i][1].startswith("ret") for i in span)]
    found = []
    for span in spans:
        inside = [s for s in spans if s != span and s[0] in span and s[-1] in span]
        around = [s for s in spans if s != span and span[0] in s and span[-1] in s]
        texts = tuple(lines[i][1] for i in span if not any(i in s for s in inside))
        is_innermost = bool(around) and not inside
        elements = advance(texts, item_size) if is_innermost else BLOCK_BYTES // item_size
        found.append(Loop(texts, elements, is_innermost))
    return found


def advance(instructions: tuple[str, ...], item_size: int) -> int:
    """Return the elements by which a loop's counter moves on."""
    for text in instructions:
        step = re.match(r"(add|sub)q?\s+\$(-?0x[0-9a-f]+),(%\w+)", text)
        if not step:
            continue
        scaled = re.compile(rf"\(%?\w*,{step[3]},(\d)\)")
        scales = {int(s) for other in instructions for s in scaled.findall(other)}
        count = abs(signed(step[2])) * max(scales, default=1) // item_size
        if count:
            return count
    return 1


def signed(text: str) -> int:
    """Return a number of a listing, where -128 may stand as 0xffffffffffffff80."""
    number = int(text, 16)
    return number - 2**64 if number >= 2**63 else number


def read(variant: str) -> dict[str, float]:
    """Return instructions per element as the machine code has them."""
    return {
        name: round(sum(len(loop.instructions) / loop.elements for loop in found), 2)
        for name, found in loops(variant).items()
    }


@cache
def executed(variant: str) -> dict[str, float]:
    """Return instructions per element as callgrind counts them."""
    valgrind = tool("valgrind")
    if variant not in _cpu.VARIANTS:
        raise UnavailableError(f"no variant {variant} on this machine")
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "callgrind.out"
        subprocess.run(
            [valgrind, "--tool=callgrind", f"--callgrind-out-file={output}",
             "--compress-strings=no", "--compress-pos=no", sys.executable, "-P", "-c", WORKLOAD,
             json.dumps([*loops(variant)])],
            env={**os.environ, "S3S4_ISA": variant, "S3S4_NUM_THREADS": "1"},
            capture_output=True,
            check=True,
        )  # fmt: skip
        costs = self_costs(output.read_text())
    if not costs:
        raise UnavailableError(f"the module of variant {variant} is stripped of its symbols")
    return {name: round(cost / ELEMENTS, 2) for name, cost in costs.items()}


def self_costs(profile: str) -> dict[str, int]:
    """Add up the instructions of each block function, without those of what it calls."""
    costs: dict[str, int] = defaultdict(int)
    current = None
    is_call = False
    for line in profile.splitlines():
        if line.startswith("fn="):
            symbol = SYMBOL.fullmatch(line[3:])
            current = symbol[1] if symbol else None
        elif line.startswith("calls="):
            is_call = True
        elif is_call:
            is_call = False
        elif current and re.match(r"\d+ \d+$", line):
            costs[current] += int(line.split()[1])
    return costs


def count(variant: str) -> dict[str, float]:
    """Return instructions per element of a variant, executed where that can be had."""
    return executed(variant) if variant in EXECUTED else read(variant)


def main() -> None:
    """Count anew and rewrite the table."""
    table = {}
    for variant in (*EXECUTED, "avx512"):
        try:
            table[variant] = dict(sorted(count(variant).items()))
        except UnavailableError as reason:
            raise SystemExit(f"{variant}: {reason}; the table is left as it was") from None
    TABLE.write_text(json.dumps(table, indent=2) + "\n")
    print(f"written: {TABLE}")


if __name__ == "__main__":
    main()
