"""What limits every GPU kernel, predicted from its machine code: `make gpu-roofline`.

Counts the instructions of a kernel's loop by the part of a processor that takes them, and compares
the time each part needs, at the published rates of a card, with the time memory needs. No card is
measured: latencies, caches and clocks that sink under load are left out, and nothing is ever as
fast as its limit. docs/gpu.md gets the slowest of S4's kernels of each form and dtype; --only names
another function, --quick is for float32 alone.

Design:
- The loop is the shortest one in the disassembly that both loads and stores. Of branches, as by
  the sign of a parameter, the longer side is counted: neighbours seldom differ there. What stands
  in a block that calls a subroutine is left out: those are the rare operands of a division.
- A rate is that of one multiprocessor in a cycle, from the table of arithmetic throughput in
  NVIDIA's CUDA C++ Programming Guide; clocks and bandwidths are those of the data sheets.
"""

import os
import re
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import gpu_offline
from document import fill
from gpu_offline import DTYPES, Kernel

DOCUMENT = Path(__file__).parents[1] / "docs" / "gpu.md"

PARTS = {
    "FP32": r"F(ADD|MUL|FMA|SWZADD)|IMAD|IMUL",  # integer products take the same part
    "MUFU": r"MUFU|F2F|F2I|I2F|FRND",
    "FP64": r"D(ADD|MUL|FMA|SETP|MNMX)",
    "load/store": r"(LD|ST)[GSLC]?\b|ULDC|ATOM|RED|LDC",
}
"""Instructions by the part that takes them; all others are "other"."""


@dataclass(frozen=True)
class Card:
    """Published figures: GHz, GB/s, and threads' instructions a cycle by part."""

    name: str
    capability: tuple[int, int]
    processors: int
    clock: float
    bandwidth: float
    rates: dict[str, int]


def rates(fp32: int, fp64: int, load_store: int) -> dict[str, int]:
    """Four schedulers issue for 32 threads each, and integer and logic take 64 on every card."""
    return {
        "FP32": fp32,
        "MUFU": 16,
        "FP64": fp64,
        "load/store": load_store,
        "other": 64,
        "issue": 128,
    }


CARDS = (
    Card("T4", (7, 5), 40, 1.59, 320, rates(64, 2, 16)),
    Card("A100 40 GB", (8, 0), 108, 1.41, 1555, rates(64, 32, 32)),
    Card("L4", (8, 9), 58, 2.04, 300, rates(128, 2, 16)),
    Card("RTX 4090", (8, 9), 128, 2.52, 1008, rates(128, 2, 16)),
    Card("H100 SXM", (9, 0), 132, 1.98, 3350, rates(128, 64, 32)),
    Card("H200", (9, 0), 132, 1.98, 4800, rates(128, 64, 32)),
    Card("B200", (10, 0), 148, 1.965, 8000, rates(128, 64, 32)),
)
FORMS = {
    "flat number": "contiguous, a number for each parameter",
    "flat one": "contiguous, parameters of one element in memory",
    "flat each": "contiguous, arrays for parameters",
    "lines line": "a parameter a channel, along the last axis",
    "lines point": "a parameter a channel, in the middle",
    "walk number": "strided",
    "walk view": "strided, four axes, arrays for parameters",
    "sum number": "gradients, one sum",
    "sum one": "gradients, one sum, a parameter in memory",
    "reduce number": "gradients, sums of rows or columns, numbers",
    "reduce view": "gradients, sums of rows or columns",
}
"""By the loop and how parameters are read; what comes from a cache moves no bytes of memory."""
FUNCTIONS = ("s4", "s4_dx", "s4_dk", "s4_value_dx", "s4_backward")
ENOUGH = 0.9
"""The share of the bandwidth from which a kernel is called bound by memory."""


@dataclass
class Prediction:
    """A kernel on a card."""

    kernel: Kernel
    card: Card
    counts: dict[str, float]

    @property
    def seconds(self) -> dict[str, float]:
        """What each part needs for an element, at its rate."""
        card = self.card
        total = sum(self.counts.values())
        cycles = {part: n / card.rates[part] for part, n in {**self.counts, "issue": total}.items()}
        times = {part: c / (card.processors * card.clock * 1e9) for part, c in cycles.items()}
        moved = self.kernel.arrays * np.dtype(self.kernel.dtype).itemsize
        return {"memory": moved / (card.bandwidth * 1e9), **times}

    @property
    def limit(self) -> str:
        return max(self.seconds, key=self.seconds.__getitem__)

    def __str__(self) -> str:
        return f"{self.share:.0%}" + ("" if self.limit == "memory" else f" {self.limit}")

    @property
    def share(self) -> float:
        """The share of the card's bandwidth that is left by the slowest part."""
        return self.seconds["memory"] / max(self.seconds.values())


def instructions(code: str) -> list[tuple[str, str]]:
    """Labels and instructions of a kernel, in order, without the subroutines behind it."""
    body = code[code.index("\n.text.") :]
    found = []
    for line in body.splitlines():
        if line.startswith("$__internal"):
            break
        label = re.match(r"(\.L_x_\d+):", line)
        one = re.search(r"/\*[0-9a-f]{4,}\*/\s+(.*?)\s*;", line)
        if label:
            found.append(("label", label[1]))
        elif one:
            found.append(("instruction", one[1].replace("`", "")))
    return found


def loop(code: str, vector: bool) -> list[str]:
    """A round of the shortest loop that loads and stores, 16 bytes at once if `vector`."""
    moves = [rf"{way}\S*{'.128' if vector else ''}\b" for way in ("LDG", "STG")]
    lines = instructions(code)
    places = {text: i for i, (kind, text) in enumerate(lines) if kind == "label"}
    loops = []
    for end, (_, text) in enumerate(lines):
        target = re.search(r"\bBRA\S* .*?\((\.L_x_\d+)\)", text)
        if target and places[target[1]] < end:
            body = lines[places[target[1]] : end + 1]
            texts = [t for _, t in body]
            if all(any(re.search(move, t) for t in texts) for move in moves):
                loops.append(body)
    return usual_path(min(loops, key=len))


def usual_path(body: list[tuple[str, str]]) -> list[str]:
    """The longest way through the blocks that call nothing."""
    blocks: list[list[str]] = [[]]
    starts: dict[str, int] = {}
    for kind, text in body:
        if kind == "label":
            if blocks[-1]:
                blocks.append([])
            starts[text] = len(blocks) - 1
            continue
        blocks[-1].append(text)
        if re.search(r"\b(BRA|CALL|EXIT)\b", text):
            blocks.append([])
    longest: dict[int, list[str]] = {len(blocks): []}
    for index in reversed(range(len(blocks))):
        block = blocks[index]
        if any(text.startswith("CALL") for text in block):
            continue
        last = block[-1] if block else ""
        target = re.search(r"\bBRA\S* .*?\((\.L_x_\d+)\)", last)
        ways = []
        if target and starts.get(target[1], 0) > index:
            ways.append(starts[target[1]])
        if not last.startswith("BRA"):
            ways.append(index + 1)
        after = max((longest.get(way, []) for way in ways), key=len, default=[])
        longest[index] = block + after
    return longest[0]


def part_of(instruction: str) -> str:
    opcode = re.sub(r"^@!?U?P\w+\s+", "", instruction).split(".")[0].split(" ")[0]
    for part, pattern in PARTS.items():
        if re.fullmatch(pattern, opcode):
            return part
    return "other"


def predictions(function: str, dtype: str) -> list[Prediction]:
    found = []
    for kernel in gpu_offline.kernels(function, dtype):
        if kernel.is_wide or not kernel.function:
            continue
        for capability in dict.fromkeys(card.capability for card in CARDS):
            code = gpu_offline.assembled(kernel, capability, disassemble=True).code
            body = loop(code, kernel.form.is_vector)
            taken = Counter(map(part_of, body))
            # A short loop is unrolled: how often, the writes tell.
            elements = kernel.width * sum("STG" in one for one in body) / kernel.stores
            counts = {part: taken[part] / elements for part in (*PARTS, "other")}
            found += [
                Prediction(kernel, card, counts) for card in CARDS if card.capability == capability
            ]
    return found


def kind(kernel: Kernel) -> str:
    """The loop, and how it reads parameters; of none, as the first that would be."""
    loop, operands = kernel.form.loop, kernel.form.operands
    own = {"flat": "number", "lines": "line", "walk": "number", "sum": "number", "reduce": "number"}
    variables = 1 + kernel.function.endswith("_backward")
    return f"{loop} {operands[-1] if len(operands) > variables else own[loop]}"


def line(found: Sequence[Prediction]) -> str:
    """A kernel on every card."""
    counts = ", ".join(f"{part} {n:.0f}" for part, n in found[0].counts.items())
    shares = ", ".join(f"{p.card.name} {p}" for p in found)
    return f"{found[0].kernel!s:34} {counts}: {shares}"


def by_kernel(found: Sequence[Prediction]) -> list[list[Prediction]]:
    kernels: dict[str, list[Prediction]] = {}
    for p in found:
        kernels.setdefault(str(p.kernel), []).append(p)
    return list(kernels.values())


def table(found: Sequence[Prediction]) -> str:
    """A line a form and dtype: the slowest kernel on every card, and how many are fast enough."""
    cards = list(dict.fromkeys(p.card.name for p in found))
    groups: dict[tuple[str, str], dict[str, list[Prediction]]] = {}
    for p in found:
        group = groups.setdefault((FORMS[kind(p.kernel)], p.kernel.dtype), {})
        group.setdefault(p.card.name, []).append(p)
    lines = [f"| kernels | {' | '.join(cards)} |", f"| --- |{' --- |' * len(cards)}"]
    for (form, dtype), by_card in groups.items():
        cells = []
        for some in by_card.values():
            worst = min(some, key=lambda p: p.share)
            enough = sum(p.share >= ENOUGH for p in some)
            cells.append(f"{worst}")
            if enough < len(some):
                cells[-1] += (
                    f" ({worst.kernel.function}); {enough} of {len(some)} from {ENOUGH:.0%}"
                )
        lines.append(f"| {form}, {dtype} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def run(quick: bool, names: Sequence[str]) -> None:
    """Predict, print and fill the document's table."""
    reason = gpu_offline.missing()
    if reason:
        print(f"roofline skipped: {reason}")
        return
    dtypes = ("float32",) if quick else DTYPES
    jobs = [(n, d) for d in dtypes for n in names or FUNCTIONS]
    found: list[Prediction] = []
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for some in pool.map(predictions, *zip(*jobs, strict=True)):
            found += some
    text = table(found)
    print("A prediction from machine code and published rates; nothing here was run on a card.")
    print("Instructions an element by part, and the share of the bandwidth that is left:\n")
    print(*map(line, by_kernel(found)), "", text, sep="\n")
    if not quick and not names:
        DOCUMENT.write_text(fill(DOCUMENT.read_text("utf-8"), {"roofline": text}), "utf-8")
