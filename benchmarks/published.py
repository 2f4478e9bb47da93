"""The published experiment as it was: 10^7 float64, 10, 100 and 1000 calls, against NumPy.

Usage: python benchmarks/published.py

arXiv 2507.22090 reports the time of so many calls of S4 on a T4 graphics processor beside NumPy on
that machine's processor. This runs the same calls here, on the processor, and keeps the result in
benchmarks/results/<processor>.json. It takes some minutes, nearly all of them NumPy's.

# Design: an output is allocated in every call on both sides, as published; totals and not the best
# of several, as published.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import results
import s3s4
import tables
from definitions import NUMPY
from job import Job, K
from progress import progress

N = 10**7
CALLS = (10, 100, 1000)
REPORTED = {10: 5.57, 100: 6.46, 1000: 6.45}
"""Published ratios of NumPy to Numba CUDA on a T4: reported, not measured here."""


def total(call: Callable[[], Any], calls: int, advance: Callable[[], Any]) -> float:
    """Return the seconds of so many calls."""
    seconds = 0.0
    for _ in range(calls):
        start = time.perf_counter()
        call()
        seconds += time.perf_counter() - start
        advance()
    return seconds


def measure() -> list[dict[str, Any]]:
    """Run the experiment."""
    x = Job.make("s4", "float64", N).x
    rows = []
    with progress() as bar:
        for calls in CALLS:
            advance = partial(bar.advance, bar.add_task(f"{calls} calls of each", total=2 * calls))
            theirs, ours = (
                total(partial(formula, x, K), calls, advance) for formula in (NUMPY.s4, s3s4.s4)
            )
            rows.append(
                {
                    "calls": calls,
                    "numpy": float(f"{theirs:.4g}"),
                    "s3s4": float(f"{ours:.4g}"),
                    "ratio": float(f"{theirs / ours:.3g}"),
                    "reported": REPORTED[calls],
                }
            )
    return rows


def main() -> None:
    """Measure, print and keep."""
    rows = measure()
    print(tables.published(rows))
    print(f"written: {results.store('published', rows)}")


if __name__ == "__main__":
    main()
