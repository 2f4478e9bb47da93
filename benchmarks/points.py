"""What the speed targets are, point by point, and how each is measured.

Design: a target is a ratio of two calls of one race, the median of turns, or a time. In cache
means 16384 elements, which fit the second-level cache of any current processor; large means 10^7,
or for a quick look 10^6, which fit none. Calls get their output where they take one.
"""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

import beside_peers
import layouts
import load
import s3s4
import sizes
import threads
from contenders import CONTENDERS, native
from effort import FLOATS, IN_CACHE, Effort, of_threads, size, touched
from job import Job, K
from tables import power
from timing import Call
from verdict import Verdict, compare, seconds


def threads_pay(effort: Effort) -> Iterator[Verdict]:
    """Point 1: threads pay from 4096 elements, and harm at no size, however busy the machine."""
    job = Job.make("s4", "float64", 4096)
    call = partial(s3s4.s4, job.x, K, out=job.out[0])
    tried = []
    for _ in range(load.TRIES):
        watch = load.Watch()
        _, figure = sizes.compare(call, sizes.Effort(41, 0.004, 2.0))
        tried.append((watch.others, figure))
        if tried[-1][0] <= load.DISTURBED:
            break
    others, figure = min(tried, key=lambda pair: pair[0])
    target = f"S4, float64, n = 4096: {of_threads(threads.limit())} / 1 thread"
    yield Verdict("1", target, 0.75, "x", figure, others)
    for way in sizes.WAYS:
        for dtype in FLOATS:
            watch = load.Watch()
            rows = sizes.measure(dtype, effort.largest, way)
            row = sizes.worst(rows)
            target = (
                f"S4, {dtype}, {way}: as it comes / 1 thread, the worst of {len(rows)} sizes "
                f"to {power(effort.largest)}"
            )
            note = f"at n = {row.n}"
            yield Verdict("1", target, 1.2, "x", row.ratio, watch.others, note)


def vectors(effort: Effort) -> Iterator[Verdict]:
    """Point 3: cycles that a vector of S4 takes in cache, on processors with AVX-512."""
    for dtype, bound in zip(FLOATS, (28.0, 22.0), strict=True):
        target = f"S4, {dtype}, in cache, 1 thread: a vector of 512 bits"
        if "avx512" not in s3s4.build_config()["variants"]:
            reason = "on this processor, which has no AVX-512"
            yield Verdict("3", target, bound, "cycles", note=reason)
            continue
        job = Job.make("s4", dtype, IN_CACHE)
        ufunc = s3s4._cpu.load("avx512").ufuncs["s4"]
        call = partial(ufunc, job.x, job.x.dtype.type(K), out=job.out[0])
        with s3s4.threads(1):
            timings, others = effort.race_small({"S4": call})
        vector_seconds = IN_CACHE * job.x.itemsize / 64
        figure = seconds(timings["S4"], vector_seconds / native.cycles_a_second())
        yield Verdict("3", target, bound, "cycles", figure, others)


def gradients(effort: Effort) -> Iterator[Verdict]:
    """Point 4: backward and value_and_derivative, into given outputs and for 10 elements."""
    for dtype in FLOATS:
        job = Job.make("s4", dtype, effort.large)
        x, g, (out, other) = job.x, job.grad, job.out
        calls: dict[str, Call] = {
            "derivative": partial(s3s4.s4.derivative, x, K, out=out),
            "backward": partial(s3s4.s4.backward, g, x, K, out=out),
            "both": partial(s3s4.s4.value_and_derivative, x, K, out=(out, other)),
            "sigmoid": partial(s3s4.sigmoid.backward, g, x, out=out),
        }
        reason = CONTENDERS["torch"].missing
        if not reason:
            import torch

            torch.set_num_threads(threads.limit())
            tensors = [torch.from_numpy(array) for array in (g, x, out)]
            calls["mul"] = partial(torch.mul, tensors[0], tensors[1], out=tensors[2])
        timings, others = effort.race(calls)
        where = f"{dtype}, {power(effort.large)}"
        target = f"sigmoid.backward(out=) / torch.mul, {where}"
        if reason:
            yield Verdict("4", target, 1.3, note=reason)
        else:
            yield compare("4", target, 1.3, timings["sigmoid"], timings["mul"], others)
        if dtype == "float64":
            for name, label in (("backward", "backward"), ("both", "value_and_derivative")):
                target = f"S4: {label}(out=) / derivative, {where}"
                yield compare("4", target, 1.4, timings[name], timings["derivative"], others)
    job = Job.make("s4", "float64", 10)
    timings, others = effort.race_small(
        {
            "backward": partial(s3s4.s4.backward, job.grad, job.x, K),
            "value_and_derivative": partial(s3s4.s4.value_and_derivative, job.x, K),
        }
    )
    for name, timing in timings.items():
        target = f"S4: {name}, float64, n = 10, k a number"
        yield Verdict("4", target, 3.0, "µs", seconds(timing, 1e-6), others)


def outputs(effort: Effort) -> Iterator[Verdict]:
    """Point 5: what a new output costs beside a given one, without and with `reuse_outputs`."""
    reuse = getattr(s3s4, "reuse_outputs", None)
    for dtype in FLOATS:
        job = Job.make("s4", dtype, effort.large)
        held: dict[str, Any] = {}

        def new(job: Job = job, held: dict[str, Any] = held) -> None:
            held["y"] = s3s4.s4(job.x, K)

        calls: dict[str, Call] = {"new": new, "out": partial(s3s4.s4, job.x, K, out=job.out[0])}
        what = f"S4, {dtype}, {power(effort.large)}: a new output / out="
        timings, others = effort.race(calls)
        yield compare("5", what, 1.7, timings["new"], timings["out"], others)
        what += ", with reuse_outputs"
        if reuse is None:
            yield Verdict("5", what, 1.2, note="not there: s3s4.reuse_outputs")
            continue
        held.clear()
        reuse(4 * job.x.nbytes)
        try:
            timings, others = effort.race(calls)
        finally:
            held.clear()
            reuse(0)
        yield compare("5", what, 1.2, timings["new"], timings["out"], others)


def transposed(effort: Effort) -> Iterator[Verdict]:
    """Point 7: transposed input into an output in C order, beside contiguous arrays."""
    shapes = ((2500, 4000), (100, 200, 500), (10, 50, 100, 200))
    for dtype, bound in zip(FLOATS, (1.7, 2.2), strict=True):
        x = layouts.draw(dtype)
        (out,) = touched(x)
        calls: dict[str, Call] = {"contiguous": partial(s3s4.s4, x, K, out=out)}
        for shape in shapes:
            view = x.reshape(shape).T
            calls[str(len(shape))] = partial(s3s4.s4, view, K, out=out.reshape(view.shape))
        timings, others = effort.race(calls)
        for axes in list(calls)[1:]:
            target = f"S4, {dtype}, 10^7, {axes} axes: transposed into C order / contiguous"
            yield compare("7", target, bound, timings[axes], timings["contiguous"], others)


def halves(effort: Effort) -> Iterator[Verdict]:
    """Point 8: float16 and bfloat16 beside float32, with its results rounded."""
    for n, count in ((IN_CACHE, 1), (effort.large, threads.limit())):
        job = Job.make("s4", "float32", n)
        calls: dict[str, Call] = {"float32": partial(s3s4.s4, job.x, K, out=job.out[0])}
        same: dict[str, bool] = {}
        for name, dtype in half_types().items():
            x = job.x.astype(dtype)
            (out,) = touched(x)
            calls[name] = partial(s3s4.s4, x, K, out=out)
            calls[name]()
            same[name] = np.array_equal(out, s3s4.s4(x.astype("float32"), K).astype(dtype))
        with s3s4.threads(1) if count == 1 else nullcontext():
            timings, others = effort.race(calls)
        for name in ("float16", "bfloat16"):
            target = f"S4, {size(n)}, {of_threads(count)}: {name} / float32"
            if name not in same:
                yield Verdict("8", target, 1.2, note="missing: pip install ml_dtypes")
                continue
            judged = compare("8", target, 1.2, timings[name], timings["float32"], others)
            note = f"{'the same' if same[name] else 'NOT the same'} bits as float32 rounded"
            yield replace(judged, note=note, is_right=same[name])


def half_types() -> dict[str, Any]:
    """Return the types of two bytes that are there."""
    found: dict[str, Any] = {"float16": np.dtype("float16")}
    try:
        import ml_dtypes
    except ImportError:
        return found
    return found | {"bfloat16": np.dtype(ml_dtypes.bfloat16)}


def small_calls(effort: Effort) -> Iterator[Verdict]:
    """Point 9: what the function in Python adds to its ufunc."""
    ufunc = s3s4.ufuncs.s4
    for n in (1, 10, 100, 8192, 16384, 65536):
        job = Job.make("s4", "float64", n)
        x, out = job.x, job.out[0]
        calls: dict[str, Call] = {
            "ufunc, out=": partial(ufunc, x, K, out=out),
            "out=": partial(s3s4.s4, x, out=out),
        }
        if n <= 100:
            calls |= {"ufunc": partial(ufunc, x, K), "new": partial(s3s4.s4, x)}
        timings, others = effort.race_small(calls)
        bound = 1.6 if n <= 100 else 1.1
        target = f"s4(x, out=) / the ufunc, float64, n = {n}"
        yield compare("9", target, bound, timings["out="], timings["ufunc, out="], others)
        if n <= 100:
            target = f"s4(x) / the ufunc, float64, n = {n}"
            yield compare("9", target, 1.5, timings["new"], timings["ufunc"], others)


POINTS: dict[str, Callable[[Effort], Iterator[Verdict]]] = {
    "1": threads_pay,
    "2": beside_peers.peers,
    "3": vectors,
    "4": gradients,
    "5": outputs,
    "6": beside_peers.softmax,
    "7": transposed,
    "8": halves,
    "9": small_calls,
}
