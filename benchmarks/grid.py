"""The grid: every contender, quantity, dtype and size."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import machine
from contenders import CONTENDERS, OURS
from job import QUANTITIES, Job, complaint
from timing import Timing, race, ratio

DTYPES = ("float64", "float32")

ARRAYS_AT_ONCE = 14
"""Arrays of one size that the hungriest contenders hold together: input, outputs, temporaries."""


@dataclass(frozen=True)
class Cell:
    """One race of the grid.

    Attributes
    ----------
    quantity, dtype, n
        What was computed, on how much.
    timings : dict
        For each contender that took part its `Timing`.
    complaints : dict
        For each contender with a wrong result, what is wrong with it.
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
            name: [float(f"{v:.4g}") for v in (timing.best, r.low, r.high)]
            for name, timing in self.timings.items()
            for r in (ratio(timing, ours),)
        }


def budget(n: int) -> float:
    """Seconds for one race: enough for the slow contenders to have three turns."""
    return {10**6: 2.0, 10**7: 6.0, 10**8: 16.0}.get(n, 1.2)


def present() -> list[str]:
    """Return the contenders whose library is installed."""
    return [name for name, contender in CONTENDERS.items() if not contender.missing]


def prepare(job: Job, names: Sequence[str]) -> tuple[dict[str, Callable[[], Any]], dict[str, str]]:
    """Prepare and check contenders; those with a wrong result are not timed."""
    calls, complaints = {}, {}
    for name in names:
        call = CONTENDERS[name].prepare(job)
        result = call()
        wrong = "" if CONTENDERS[name].is_limit else complaint(job, result)
        if wrong:
            complaints[name] = wrong
        else:
            calls[name] = call
    return calls, complaints


def measure(
    quantities: Sequence[str],
    sizes: Sequence[int],
    names: Sequence[str],
    *,
    is_quick: bool = False,
) -> Iterator[Cell | str]:
    """Run the grid; yield each cell, or a line that says why it was left out.

    Parameters
    ----------
    quantities : sequence of str
        Keys of `job.QUANTITIES`.
    sizes : sequence of int
        Numbers of elements.
    names : sequence of str
        Contenders, s3s4 among them.
    is_quick : bool
        Whether a second for each race must do.
    """
    # exp overflows in the definition where s3s4 has no need to: that is the peers' own affair.
    warnings.filterwarnings("ignore", "overflow encountered in exp", RuntimeWarning)
    for dtype in DTYPES:
        for n in sizes:
            needed = ARRAYS_AT_ONCE * n * int(dtype[-2:]) // 8
            if needed > machine.free_bytes():
                for quantity in quantities:
                    yield f"{QUANTITIES[quantity]}, {dtype}, {n}: needs {needed >> 30} GiB"
                continue
            base = Job.make(quantities[0], dtype, n)
            for quantity in quantities:
                calls, complaints = prepare(base.of(quantity), names)
                seconds = 1.0 if is_quick else budget(n)
                timings = race(calls, seconds, min_turns=2 if is_quick or n >= 10**8 else 3)
                yield Cell(quantity, dtype, n, timings, complaints)
