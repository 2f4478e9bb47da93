"""What the speed targets are, and how each is measured.

# Design: a target is a ratio of two calls of one `race`. In-cache targets use arrays that fit the
# second-level cache of any current processor, the others 10^7 elements, which fit none, or a quick
# look's 10^6.
"""

import gc
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

import cells
import layouts
import machine
import s3s4
import threads
from contenders import CONTENDERS, OURS, PEERS
from definitions import NUMPY
from job import QUANTITIES, Array, Job, K
from tables import power
from timing import Timing, race, ratio

IN_CACHE = 1 << 14
DTYPES = ("float64", "float32")


@dataclass(frozen=True)
class Effort:
    """What is spent on the targets.

    Attributes
    ----------
    seconds : float
        For a race of a few contenders.
    large : int
        Elements of the arrays that fit no cache.
    turns : int
        How many there must be of a race in cache.
    sizes : int
        How many sizes a sweep has.
    """

    seconds: float
    large: int
    turns: int
    sizes: int


FULL = Effort(seconds=4.0, large=10**7, turns=100, sizes=105)
QUICK = Effort(seconds=0.1, large=10**6, turns=5, sizes=9)


@dataclass(frozen=True)
class Verdict:
    """A target and what came of it.

    Attributes
    ----------
    target : str
        What is compared with what.
    bound : str
        What it must be.
    measured : str
        What it is.
    met : bool
        Whether that is within the bound.
    """

    target: str
    bound: str
    measured: str
    met: bool


def at_most(target: str, bound: float, slow: Timing, fast: Timing) -> Verdict:
    """Judge a ratio that must not be larger."""
    found = ratio(slow, fast)
    return Verdict(target, f"<= {bound:g}x", str(found), found.best <= bound)


def at_least(target: str, bound: float, slow: Timing, fast: Timing) -> Verdict:
    """Judge a ratio that must not be smaller."""
    found = ratio(slow, fast)
    return Verdict(target, f">= {bound:g}x", str(found), found.best >= bound)


def touched(x: Array) -> Array:
    """Return an output for x whose pages are there already."""
    out = np.empty_like(x)
    out.fill(0)
    return out


def peers(effort: Effort) -> Iterator[Verdict]:
    """Target 1: the fastest peer against s3s4, in large arrays."""
    contestants = {
        "s4": PEERS,
        "s4_dx": ["jax.jit", "torch.compile", "numba"],
    }
    for dtype, bound in zip(DTYPES, (5.0, 6.5), strict=True):
        for quantity, names in contestants.items():
            present = [name for name in names if not CONTENDERS[name].missing]
            job = Job.make(quantity, dtype, effort.large)
            timings = race(cells.prepare(job, [OURS, *present]).calls, 3 * effort.seconds)
            fastest = min(set(timings) - {OURS}, key=lambda name: timings[name].best)
            absent = set(names) - set(timings)
            missing = f" (without {', '.join(sorted(absent))})" if absent else ""
            where = f"{QUANTITIES[quantity]}, {dtype}, {power(effort.large)}"
            target = f"1. {where}: {fastest}{missing} / s3s4"
            yield at_least(target, bound, timings[fastest], timings[OURS])


def derivatives(effort: Effort) -> Iterator[Verdict]:
    """Target 2: what is computed together against the derivative alone, in large arrays."""
    for dtype in DTYPES:
        job = Job.make("s4", dtype, effort.large)
        x, out = job.x, job.out
        timings = race(
            {
                "derivative": partial(s3s4.s4.derivative, x, K, out=out[0]),
                "both": partial(s3s4.s4.value_and_derivative, x, K, out=out),
                "backward": partial(s3s4.s4.backward, job.grad, x, K, out=out[0]),
            },
            effort.seconds,
        )
        yield at_most(
            f"2. value and derivative / derivative, {dtype}, {power(effort.large)}",
            1.4,
            timings["both"],
            timings["derivative"],
        )
        yield at_most(
            f"2. backward / derivative, {dtype}, {power(effort.large)}",
            1.4,
            timings["backward"],
            timings["derivative"],
        )


def in_cache(effort: Effort) -> Iterator[Verdict]:
    """Target 3: one thread against np.exp, and the variants against each other."""
    variants = {name: s3s4._cpu.load(name).ufuncs["s4"] for name in s3s4._cpu.VARIANTS}
    for dtype, bound in zip(DTYPES, (1.6, 1.0), strict=True):
        x = Job.make("s4", dtype, IN_CACHE).x
        k = x.dtype.type(K)
        out = touched(x)
        with s3s4.threads(1):
            timings = race(
                {
                    "exp": partial(np.exp, x, out=out),
                    "numpy": partial(NUMPY.formula("s4"), x, k),
                    **{name: partial(f, x, k, out=out) for name, f in variants.items()},
                },
                effort.seconds,
                min_turns=effort.turns,
                max_turns=400,
                pause=0.0,
            )
        where = f"{dtype}, in cache, 1 thread"
        pairs: list[tuple[str, str, str, float, Callable[..., Verdict]]] = [
            (f"S4 avx512 / np.exp, {where}", "avx512", "exp", bound, at_most),
            (f"S4 avx2 / S4 avx512, {where}", "avx2", "avx512", 2.2, at_most),
            (f"NumPy's S4 / S4 baseline, {where}", "numpy", "baseline", 4.0, at_least),
        ]
        for target, slow, fast, limit, judge in pairs:
            if {slow, fast} <= set(timings):
                yield judge(f"3. {target}", limit, timings[slow], timings[fast])
            else:
                yield Verdict(f"3. {target}", f"{limit:g}x", "variant not on this machine", False)


def inputs(effort: Effort) -> Iterator[Verdict]:
    """Target 4: unusual values cost nothing, and S3 little more than a copy."""
    for dtype, width in zip(DTYPES, (1000.0, 100.0), strict=True):
        job = Job.make("s4", dtype, effort.large)
        values = {
            "|x| <= 12": job.x,
            f"|x| <= {width:g}": job.x * (width / 12),
            "NaN": np.full_like(job.x, np.nan),
            "inf": np.copysign(np.inf, job.x),
        }
        for name, function in s3s4.activations.items():
            timings = race(
                {label: partial(function, x, out=job.out[0]) for label, x in values.items()},
                effort.seconds,
            )
            for label in list(values)[1:]:
                target = f"4. {name}, {label} / |x| <= 12, {dtype}, {power(effort.large)}"
                yield at_most(target, 1.2, timings[label], timings["|x| <= 12"])
    job = Job.make("s3", "float32", effort.large)
    timings = race(cells.prepare(job, [OURS, "copy"]).calls, effort.seconds)
    yield at_most(
        f"4. S3 / copy, float32, {power(effort.large)}", 2.0, timings[OURS], timings["copy"]
    )


def calls(effort: Effort) -> Iterator[Verdict]:
    """Target 5: the cost of a call, and of a fresh output."""
    for n in (1, 10, 100):
        x = Job.make("s4", "float64", n).x
        timings = race(
            {
                "logaddexp": partial(np.logaddexp, x, K),
                "ufunc": partial(s3s4.ufuncs.s4, x, K),
                "front": partial(s3s4.s4, x),
            },
            effort.seconds,
            min_turns=effort.turns,
            max_turns=400,
            pause=0.0,
        )
        yield at_most(f"5. s4 ufunc / np.logaddexp, n = {n}", 1.1, timings["ufunc"],
                      timings["logaddexp"])  # fmt: skip
        yield at_most(f"5. s3s4.s4(x) / the ufunc, n = {n}", 1.6, timings["front"],
                      timings["ufunc"])  # fmt: skip
    for dtype in DTYPES:
        x = Job.make("s4", dtype, effort.large).x
        out = touched(x)
        timings = race(
            {
                "np.exp, new": partial(np.exp, x),
                "np.exp, out": partial(np.exp, x, out=out),
                "s4, new": partial(s3s4.s4, x),
                "s4, out": partial(s3s4.s4, x, out=out),
            },
            effort.seconds,
        )
        theirs, ours = (
            (timings[f"{name}, new"].best - timings[f"{name}, out"].best) * 1e3
            for name in ("np.exp", "s4")
        )
        target = f"5. what a new output costs in ms, {dtype}, {power(effort.large)}"
        yield Verdict(target, f"<= {theirs:.2f} (np.exp)", f"{ours:.2f}", ours <= theirs)


def threading(effort: Effort) -> Iterator[Verdict]:
    """Target 6: two threads are worth having, and never harm."""
    count = threads.limit()
    for dtype in DTYPES:
        for n in (10**6, effort.large):
            job = Job.make("s4", dtype, n)
            timings = on_threads(partial(s3s4.s4, job.x, K, out=job.out[0]), count, effort.seconds)
            yield at_least(f"6. S4, 1 thread / {count} threads, {dtype}, {power(n)}", 1.85,
                           timings["1"], timings[str(count)])  # fmt: skip
    for dtype in DTYPES:
        yield from sweep(dtype, count, effort)


def on_threads(call: Callable[[], Any], count: int, seconds: float) -> dict[str, Timing]:
    """Race a call on one thread against itself on several."""

    def one() -> None:
        with s3s4.threads(1):
            call()

    def many() -> None:
        with s3s4.threads(count):
            call()

    return race({"1": one, str(count): many}, seconds)


def sweep(dtype: str, count: int, effort: Effort) -> Iterator[Verdict]:
    """Judge the sizes from 1 to ten times a large one, or what memory holds."""
    largest = min(10 * effort.large, machine.free_bytes() // (6 * int(dtype[-2:]) // 8))
    sizes = sorted({round(size) for size in np.geomspace(1, largest, effort.sizes)})
    job = Job.make("s4", dtype, sizes[-1])
    worst, worst_step = (0.0, 0), (0.0, 0)
    previous: tuple[int, float] | None = None
    for n in sizes:
        call = partial(s3s4.s4, job.x[:n], K, out=job.out[0][:n])
        timings = on_threads(call, count, min(0.3, effort.seconds))
        several = timings[str(count)].best
        worst = max(worst, (several / timings["1"].best, n))
        if previous:
            smaller, seconds = previous
            worst_step = max(worst_step, (several / (seconds * n / smaller), n))
        previous = n, several
    yield Verdict(f"6. S4, {count} threads / 1 thread, {dtype}, worst of {len(sizes)} sizes",
                  "<= 1.2x", f"{worst[0]:.2f} at n = {worst[1]}", worst[0] <= 1.2)  # fmt: skip
    yield Verdict(f"6. S4, time an element from one size to the next, {dtype}, worst growth",
                  "<= 1.2x", f"{worst_step[0]:.2f} at n = {worst_step[1]}",
                  worst_step[0] <= 1.2)  # fmt: skip


def any_layout(effort: Effort) -> Iterator[Verdict]:
    """Target 7: the table of layouts."""
    bounds = {"k per channel, last axis": 1.3, "k per channel, middle axis": 1.3, "float16": 1.5}
    for row in layouts.measure(effort.seconds):
        if row["layout"] == "contiguous":
            continue
        bound = bounds.get(row["layout"], 2.0)
        target = f"7. {row['layout']} / contiguous, {row['dtype']}, 10^7"
        yield Verdict(target, f"<= {bound:g}x", f"{row['ratio']:.2f}", row["ratio"] <= bound)


GROUPS = {
    measure.__name__: measure
    for measure in (peers, derivatives, in_cache, inputs, calls, threading, any_layout)
}


def of(groups: Iterable[str], effort: Effort) -> Iterator[Verdict]:
    """Measure groups of targets in order."""
    for group in groups:
        yield from GROUPS[group](effort)
        gc.collect()
