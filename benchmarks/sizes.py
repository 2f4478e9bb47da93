"""All threads beside one thread at every size from 1 to 10^8, on an idle machine and on a busy one.

On the busy one a process that computes without end runs beside it on each processor (as --busy does
for other commands). Prints S4 with its output given: what a call takes on one thread, and how many
times that it takes as it comes by itself, the median of turns with its quartiles.

Design: both take turns, each for some milliseconds at a stretch, on the busy machine for longer
than a scheduler's slice. Sizes are dense around the one from which threads are used. A size that
looks slow is measured once more, for longer: of so many medians some are off by chance.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from math import ceil
from typing import Any

import numpy as np

import load
import machine
import results
import s3s4
import tables
import threads
from job import Job, K
from timing import SELF_WARMING, Ratio, draw, quartiles

LARGEST, QUICK_LARGEST = 10**8, 10**6
SUSPICIOUS = 1.1
WAYS = ("idle", "busy")


@dataclass(frozen=True)
class Effort:
    """What is spent on a size: turns, seconds of each draw, and seconds after which 5 turns do."""

    turns: int
    seconds: float
    most: float


EFFORTS = {"idle": Effort(9, 0.004, 0.7), "busy": Effort(7, 0.03, 0.5)}
AGAIN = 3
"""So many times the turns for a size that looks slow."""

measured: dict[str, Any] = {}
"""What was measured, by way and dtype, as it is kept."""


@dataclass(frozen=True)
class Row:
    """All threads over one thread at a size.

    Attributes
    ----------
    n : int
        Elements.
    serial : float
        Seconds of a call on one thread, the median.
    ratio : Ratio
        What it takes as it comes, over that.
    """

    n: int
    serial: float
    ratio: Ratio


def sizes(dtype: str, largest: int, count: int = 25) -> list[int]:
    """Return sizes that are dense where threads begin."""
    begin = s3s4._cpu.threads.parallel_size("s4", np.dtype(dtype))
    around = np.geomspace(begin / 2, begin * 4, 14)
    found = {round(n) for n in [*np.geomspace(1, largest, count), *around]}
    return sorted(n for n in found | {begin - 1, begin} if 1 <= n <= largest)


def compare(call: Callable[[], Any], effort: Effort) -> tuple[float, Ratio]:
    """Return the seconds on one thread, and the ratio to them."""
    estimate = 0.0

    def timed(one: bool, calls: int) -> float:
        with s3s4.threads(1) if one else nullcontext():
            if estimate < SELF_WARMING:
                call()
            return draw(call, calls)

    estimate = timed(True, 1)
    calls = max(1, ceil(effort.seconds / estimate))
    serial, pairs = [], []
    end = time.monotonic() + effort.most
    for turn in range(effort.turns):
        if turn >= 5 and time.monotonic() > end:
            break
        both = {one: timed(one, calls) for one in ((True, False) if turn % 2 else (False, True))}
        serial.append(both[True])
        pairs.append(both[False] / both[True])
    low, median, high = quartiles(pairs)
    return quartiles(serial)[1], Ratio(median, low, high)


def measure(dtype: str, largest: int, way: str) -> list[Row]:
    """Measure every size, on this machine as it is or made busy."""
    effort = EFFORTS[way]
    largest = min(largest, machine.free_bytes() // (4 * np.dtype(dtype).itemsize))
    job = Job.make("s4", dtype, largest)
    rows = []
    watch = load.Watch()
    with load.busy(threads.limit() if way == "busy" else 0):
        for n in sizes(dtype, largest):
            call = partial(s3s4.s4, job.x[:n], K, out=job.out[0][:n])
            seconds, found = compare(call, effort)
            if found.median > SUSPICIOUS:
                more = Effort(AGAIN * effort.turns, effort.seconds, 4 * effort.most)
                seconds, found = compare(call, more)
            rows.append(Row(n, seconds, found))
    kept = [asdict(row) for row in rows]
    measured[f"{way}, {dtype}"] = {"others": round(watch.others, 2), "rows": kept}
    return rows


def worst(rows: Sequence[Row]) -> Row:
    """Return the size where threads cost the most."""
    return max(rows, key=lambda row: row.ratio.median)


def run(quick: bool, names: Sequence[str]) -> None:
    """Measure, print and keep."""
    unknown = {*names} - {*WAYS}
    if unknown:
        raise SystemExit(f"no way {', '.join(sorted(unknown))}: {', '.join(WAYS)}")
    print(*machine.lines(machine.describe()), load.before(), sep="\n")
    for way in names or WAYS:
        for dtype in ("float64",) if quick else ("float64", "float32"):
            measure(dtype, QUICK_LARGEST if quick else LARGEST, way)
            found = measured[f"{way}, {dtype}"]
            print(f"\n{way}, {dtype}; others took {found['others']:.2f} processors\n")
            print(tables.sizes(found["rows"]))
    if not quick and not names:
        results.store("sizes", measured)
