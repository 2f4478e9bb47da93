"""All threads beside one thread at every size from 1 to 10^8, on an idle machine and on a busy one.

On the busy one a process that computes without end runs beside it on each processor (as --busy does
for other commands). Prints S4 with its output given: what a call takes on one thread, and how many
times that it takes as it comes by itself, the median of turns with its quartiles.

Design: both take turns, each for some milliseconds at a stretch, on the busy machine for longer
than a scheduler's slice. Sizes are dense around the one from which threads are used. A size that
looks slow is measured once more, for longer: of so many medians some are off by chance.
"""

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
from timing import Ratio, draw, quartiles

LARGEST, QUICK_LARGEST = 10**8, 10**6
SUSPICIOUS = 1.1
WAYS = ("idle", "busy")


@dataclass(frozen=True)
class Effort:
    """What is spent on a size: turns, and seconds of each draw."""

    turns: int
    seconds: float


EFFORTS = {"idle": Effort(9, 0.004), "busy": Effort(9, 0.03)}
AGAIN = 3
"""So many times the turns for a size that looks slow."""


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


def sizes(dtype: str, largest: int, count: int = 33) -> list[int]:
    """Return sizes that are dense where threads begin."""
    begin = s3s4._cpu.threads.parallel_size("s4", np.dtype(dtype))
    around = np.geomspace(begin / 2, begin * 4, 14)
    found = {round(n) for n in [*np.geomspace(1, largest, count), *around]}
    return sorted(n for n in found | {begin - 1, begin} if 1 <= n <= largest)


def compare(call: Callable[[], Any], effort: Effort) -> tuple[float, Ratio]:
    """Return the seconds on one thread, and the ratio to them."""

    def timed(one: bool, calls: int) -> float:
        with s3s4.threads(1) if one else nullcontext():
            call()
            return draw(call, calls)

    estimate = min(timed(True, 1), timed(True, 1))
    calls = max(1, ceil(effort.seconds / estimate))
    serial, pairs = [], []
    for turn in range(effort.turns):
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
    with load.busy(threads.limit() if way == "busy" else 0):
        for n in sizes(dtype, largest):
            call = partial(s3s4.s4, job.x[:n], K, out=job.out[0][:n])
            seconds, found = compare(call, effort)
            if found.median > SUSPICIOUS:
                seconds, found = compare(call, Effort(AGAIN * effort.turns, effort.seconds))
            rows.append(Row(n, seconds, found))
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
    kept: dict[str, Any] = {}
    for way in names or WAYS:
        for dtype in ("float64",) if quick else ("float64", "float32"):
            watch = load.Watch()
            rows = measure(dtype, QUICK_LARGEST if quick else LARGEST, way)
            others = watch.others
            kept[f"{way}, {dtype}"] = {"others": others, "rows": [asdict(row) for row in rows]}
            print(f"\n{way}, {dtype}; others took {others:.2f} processors\n")
            print(tables.sweep([asdict(row) for row in rows]))
    if not quick and not names:
        results.store("sweep", kept)
