"""Races of contenders by quantity, dtype and size."""

import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import click

import machine
from contenders import CONTENDERS, OURS
from job import Job, complaint
from tables import power
from timing import Timing, race, ratio

DTYPES = ("float64", "float32")

ARRAYS_AT_ONCE = 14
"""Arrays of one size that the hungriest contenders hold together: input, outputs, temporaries."""


ONE_DRAW = 0.5
"""Seconds after which the first call of 10^8 elements is also the only one that is timed."""

CALLS = 4
"""Calls of one contender that a cell is planned with, at a size where a call is long."""


@dataclass(frozen=True)
class Cell:
    """One race.

    Attributes
    ----------
    quantity, dtype, n
        What was computed, on how much.
    timings : dict
        For each contender that took part its `Timing`.
    complaints : dict
        For each contender that was not timed the reason: what is wrong with its result, or what it
        has no means for.
    """

    quantity: str
    dtype: str
    n: int
    timings: dict[str, Timing]
    complaints: dict[str, str]

    def rows(self) -> dict[str, list[float]]:
        """Return for each contender its seconds and the quartiles of its ratio to s3s4."""
        ours = self.timings[OURS]
        return {
            name: [float(f"{v:.4g}") for v in (timing.median, r.low, r.high)]
            for name, timing in self.timings.items()
            for r in (ratio(timing, ours),)
        }


def budget(n: int) -> float:
    """Seconds for one race, not counting the turns that a contender must have."""
    return {10**6: 2.0, 10**7: 5.0, 10**8: 5.0}.get(n, 1.2)


@dataclass
class Prepared:
    """Contenders that are ready to be timed.

    Attributes
    ----------
    calls : dict
        What to time.
    slow : dict
        The only draw of those that take longer than `ONE_DRAW`.
    complaints : dict
        Why a contender is not timed: a wrong result, or no means to compute it.
    """

    calls: dict[str, Callable[[], Any]] = field(default_factory=dict)
    slow: dict[str, Timing] = field(default_factory=dict)
    complaints: dict[str, str] = field(default_factory=dict)


def prepare(job: Job, names: Sequence[str]) -> Prepared:
    """Prepare and check contenders."""
    prepared = Prepared()
    for name in names:
        try:
            call = CONTENDERS[name].prepare(job)
            start = time.perf_counter()
            result = call()
        except NotImplementedError as reason:
            prepared.complaints[name] = str(reason)
            continue
        seconds = time.perf_counter() - start
        wrong = "" if CONTENDERS[name].is_limit else complaint(job, result)
        if wrong:
            prepared.complaints[name] = wrong
        elif seconds > ONE_DRAW and job.x.size >= 10**8:
            prepared.slow[name] = Timing([seconds])
        else:
            prepared.calls[name] = call
    return prepared


def measure(
    quantities: Sequence[str],
    sizes: Sequence[int],
    names: Sequence[str],
    allowance: float,
    seconds: float | None = None,
) -> Iterator[Cell | str]:
    """Run the races; yield each cell, or a line that says why it was left out.

    Parameters
    ----------
    quantities : sequence of str
        Keys of `job.QUANTITIES`.
    sizes : sequence of int
        Numbers of elements; the last ones are left out when time is short.
    names : sequence of str
        Contenders, s3s4 among them.
    allowance : float
        Seconds for all of it.
    seconds : float, optional
        What must do for each race, in place of a time that goes by the size.
    """
    # exp overflows in the definition where s3s4 has no need to: that is the peers' own affair.
    warnings.filterwarnings("ignore", "overflow encountered in exp", RuntimeWarning)
    end = time.monotonic() + allowance
    an_element: dict[tuple[str, str], float] = {}
    for n in sizes:
        for dtype in DTYPES:
            needed = ARRAYS_AT_ONCE * n * int(dtype[-2:]) // 8
            if needed > machine.free_bytes():
                for quantity in quantities:
                    yield f"{quantity}, {dtype}, {n}: needs {needed >> 30} GiB"
                continue
            base = Job.make(quantities[0], dtype, n)
            for quantity in quantities:
                calls = 1 if n >= 10**8 else CALLS
                expected = calls * n * an_element.get((quantity, dtype), 0.0)
                if time.monotonic() + expected > end:
                    yield f"{quantity}, {dtype}, {n}: no time left"
                    continue
                job = base.of(quantity)
                prepared = prepare(job, names)
                timings = race(
                    prepared.calls,
                    seconds or budget(n),
                    min_turns=2 if seconds or n >= 10**8 else 3,
                )
                timings |= prepared.slow
                an_element[quantity, dtype] = sum(t.median for t in timings.values()) / n
                yield Cell(quantity, dtype, n, timings, prepared.complaints)


def collect(
    quantities: Sequence[str],
    sizes: Sequence[int],
    names: Sequence[str],
    allowance: float,
    seconds: float | None,
) -> tuple[list[Cell], list[str]]:
    """Run the races of the contenders that are installed, and tell how it goes.

    Takes what `measure` takes. Returns the cells, and a line for each that was left out.
    """
    print(*machine.lines(machine.describe()), sep="\n")
    for name in names:
        print(f"  {name}: {CONTENDERS[name].missing or CONTENDERS[name].note}")
    present = [name for name in names if not CONTENDERS[name].missing]
    measured: list[Cell] = []
    left_out: list[str] = []
    start = time.monotonic()
    races = len(DTYPES) * len(sizes) * len(quantities)
    with click.progressbar(
        measure(quantities, sizes, present, allowance, seconds), races, label="races"
    ) as bar:
        for cell in bar:
            if isinstance(cell, str):
                left_out.append(cell)
            else:
                measured.append(cell)
    print(f"{time.monotonic() - start:.0f} s in all")
    for line in left_out:
        print(f"left out: {line}")
    for cell in measured:
        for name, wrong in cell.complaints.items():
            print(f"not timed: {name}, {cell.quantity}, {cell.dtype}, {power(cell.n)}: {wrong}")
    print()
    return measured, left_out
