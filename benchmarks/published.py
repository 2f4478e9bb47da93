"""The published experiment as it was: 10^7 float64, 10, 100 and 1000 calls, against NumPy.

arXiv 2507.22090 reports the time of so many calls of S4 on a T4 graphics processor beside NumPy on
that machine's processor. This runs the same calls here, on the processor. It takes some minutes,
nearly all of them NumPy's; --quick makes 10 calls of 10^6.

Design: an output is allocated in every call on both sides, as published; totals and not the best
# of several, as published.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import click

import results
import s3s4
import tables
from definitions import NUMPY
from job import Job, K

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


def measure(n: int, repetitions: Sequence[int]) -> list[dict[str, Any]]:
    """Run the experiment."""
    x = Job.make("s4", "float64", n).x
    rows = []
    for calls in repetitions:
        with click.progressbar(length=2 * calls, label=f"{calls} calls of each") as bar:
            theirs, ours = (
                total(partial(formula, x, K), calls, partial(bar.update, 1))
                for formula in (NUMPY.formula("s4"), s3s4.s4)
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


def run(quick: bool, names: Sequence[str]) -> None:
    """Measure, print and keep."""
    rows = measure(10**6, CALLS[:1]) if quick else measure(N, CALLS)
    print(tables.published(rows))
    if not quick:
        results.store("published", rows)
