"""The speed targets of the project, each measured and judged in one run of about ten minutes.

A line a target: the median of the ratios of interleaved turns with its quartiles, what was asked,
and the verdict. It says how loaded the machine is, and repeats what others disturbed. What this
machine cannot be asked about (no AVX-512, a peer that is not installed) is named with the reason.
"""

import gc
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import effort
import load
import machine
import points
import results
import sizes
from verdict import Verdict

REPEATING = 400.0
"""Seconds after which disturbed races are no longer repeated."""


def row(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict as it is kept."""
    return asdict(verdict) | {
        "measured": verdict.measured,
        "asked": verdict.asked,
        "verdict": verdict.word,
    }


def run(quick: bool, names: Sequence[str]) -> None:
    """Measure, print and keep."""
    unknown = {*names} - points.POINTS.keys()
    if unknown:
        known = ", ".join(points.POINTS)
        raise SystemExit(f"no point {', '.join(sorted(unknown))}: {known}")
    begin = time.monotonic()
    calm = load.calm_for(0.0 if quick else REPEATING)
    spent = replace(effort.QUICK if quick else effort.FULL, calm=calm)
    before = load.before()
    print(*machine.lines(machine.describe()), f"before: {before}", sep="\n")
    watch, rows = load.Watch(), []
    for point in names or points.POINTS:
        print(f"\n{points.POINTS[point].__doc__}")
        for verdict in points.POINTS[point](spent):
            rows.append(row(verdict))
            print(verdict, flush=True)
        gc.collect()
    counted = Counter(found["verdict"] for found in rows)
    during = f"others took {watch.others:.2f} processors"
    print(f"\n{time.monotonic() - begin:.0f} s; before: {before}; during: {during}")
    print(", ".join(f"{count} {word}" for word, count in counted.items()))
    if not quick and not names:
        results.store("sizes", sizes.measured)
        results.store("targets", {"rows": rows, "before": before, "during": during})
