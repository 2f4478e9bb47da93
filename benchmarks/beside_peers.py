"""The targets that are about peers: functions of elements, and of rows.

Design: both errors stand beside the times, so that a faster wrong answer is seen to be one; a peer
that computes another function is not timed at all.
"""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

import s3s4
import threads
import ulps
from contenders import CONTENDERS, OURS
from effort import IN_CACHE, Effort, of_threads, on_threads, size, touched
from job import Array, Job, complaint
from timing import Call
from verdict import Verdict, compare

LARGEST_ERROR = 4.0
"""Eps of the sum of terms that this package may be wrong by."""

PEERS: dict[str, dict[str, float]] = {
    "gelu": {"torch, out=": 1.1, "oneDNN": 0.9},
    "silu": {"ggml": 1.0},
    "gelu_tanh": {"oneDNN": 1.0},
    "mish": {"oneDNN": 1.0},
    "tanh": {"MKL LA": 1.0},
    "sigmoid": {"XNNPACK": 1.05},
    "elu": {"XNNPACK": 1.05},
    "hardswish": {"XNNPACK": 1.0},
}
"""For each function the peers, and how many times theirs its time may be, in float32."""


def peers(effort: Effort) -> Iterator[Verdict]:
    """Point 2: functions in float32 beside the strongest peers, with the errors of both."""
    for quantity, bounds in PEERS.items():
        for n, counts in ((IN_CACHE, [1]), (effort.large, on_threads())):
            for count in counts:
                where = f"{quantity}, float32, {size(n)}, {of_threads(count)}"
                yield from beside_peers(effort, quantity, n, count, bounds, where)


def beside_peers(
    effort: Effort, quantity: str, n: int, count: int, bounds: dict[str, float], where: str
) -> Iterator[Verdict]:
    """Race one function against its peers, on so many threads."""
    job = Job.make(quantity, "float32", n)
    absent: dict[str, str] = {}
    calls: dict[str, Call] = {}
    with threads.only(count), s3s4.threads(count) if count == 1 else nullcontext():
        for name in (OURS, *bounds):
            contender = CONTENDERS[name]
            reason = contender.missing
            if not reason:
                calls[name] = contender.prepare(job)
                job.out[0].fill(0)
                reason = complaint(job, calls[name]())
            if reason:
                absent[name] = reason
                calls.pop(name, None)
        timings, others = effort.race(calls)
    for name, bound in bounds.items():
        target = f"{where}: s3s4 / {name.removesuffix(', out=')}"
        if name in absent or OURS in absent:
            reason = absent.get(name) or absent[OURS]
            yield Verdict("2", target, bound, note=reason)
            continue
        own, theirs = (ulps.error(who, quantity, "float32") for who in (OURS, name))
        yield replace(
            compare("2", target, bound, timings[OURS], timings[name], others),
            note=f"{own} beside {theirs}",
            is_right=own.terms <= LARGEST_ERROR,
        )


ROWS: tuple[tuple[tuple[int, ...], int, dict[str, float], float], ...] = (
    ((64, 8, 128, 128), -1, {"torch": 0.9, "onnxruntime": 1.5}, 0.9),
    ((10_000, 1000), -1, {"onnxruntime": 1.3}, 1.0),
    ((10_000, 1000), 0, {"torch": 1.0, "onnxruntime": 1.0}, 1.0),
    ((1_000_000, 10), -1, {"onnxruntime": 1.0}, 1.0),
    ((1024, 50_257), -1, {"torch": 1.0, "onnxruntime": 1.0}, 1.0),
)
"""Shape and axis, what softmax may take of each peer's time, and backward of torch's."""


def softmax(effort: Effort) -> Iterator[Verdict]:
    """Point 6: softmax and its gradient in float32 beside ONNX Runtime and PyTorch."""
    absent = {name: CONTENDERS[name].missing for name in ("torch", "onnxruntime")}
    for shape, axis, bounds, of_backward in ROWS:
        if np.prod(shape) > 10 * effort.large:
            continue
        missing = dict(absent)
        x = Job.make("s4", "float32", int(np.prod(shape))).x.reshape(shape)
        grad = np.cos(x)
        (out,) = touched(x)
        calls: dict[str, Call] = {
            OURS: partial(s3s4.softmax, x, axis, out=out),
            "backward": partial(s3s4.softmax.backward, grad, x, axis, out=out),
        }
        if not missing["onnxruntime"]:
            from contenders import from_onnxruntime

            calls["onnxruntime"] = from_onnxruntime.softmax(x, out, axis)
        if not missing["torch"]:
            calls |= of_torch(x, grad, out, axis)
        for name, call in list(calls.items()):
            given = grad if "backward" in name else None
            if reason := rows_complaint(call(), x, axis, given):
                missing[name.removesuffix(", backward")] = reason
        timings, others = effort.race(calls)
        where = f"float32, {' x '.join(map(str, shape))}, axis {axis}"
        for name, bound in bounds.items():
            target = f"softmax, {where}: s3s4 / {name}"
            if missing[name]:
                yield Verdict("6", target, bound, note=missing[name])
            else:
                yield compare("6", target, bound, timings[OURS], timings[name], others)
        target = f"softmax.backward, {where}: s3s4 / torch's two passes"
        if missing["torch"]:
            yield Verdict("6", target, of_backward, note=missing["torch"])
        else:
            both = timings["backward"], timings["torch, backward"]
            yield compare("6", target, of_backward, *both, others)
    x = Job.make("s4", "float32", 10).x
    target = "softmax, float32, n = 10: s3s4 / torch"
    if absent["torch"]:
        yield Verdict("6", target, 1.5, note=absent["torch"])
        return
    import torch

    tensor = torch.from_numpy(x)
    small: dict[str, Call] = {
        OURS: partial(s3s4.softmax, x),
        "torch": partial(torch.softmax, tensor, -1),
    }
    timings, others = effort.race_small(small)
    yield compare("6", target, 1.5, timings[OURS], timings["torch"], others)


def rows_complaint(result: Any, x: Array, axis: int, grad: Array | None = None) -> str:
    """Compare the first rows of a softmax, or of its gradient, with the definition."""

    def first(array: Any) -> Array:
        rows = np.moveaxis(np.asarray(array), axis, -1)
        return rows.reshape(-1, x.shape[axis])[:8].astype(np.float64)

    e = np.exp(first(x) - first(x).max(-1, keepdims=True))
    wanted = e / e.sum(-1, keepdims=True)
    if grad is not None:
        g = first(grad)
        wanted *= g - (g * wanted).sum(-1, keepdims=True)
    error = float(np.max(abs(first(result) - wanted)))
    return "" if error < 1e-5 else f"wrong by {error:.1g}"


def of_torch(x: Array, grad: Array, out: Array, axis: int) -> dict[str, Call]:
    """Return PyTorch's softmax, and it with its gradient: s3s4 computes that from x too."""
    import torch

    torch.set_num_threads(threads.limit())
    tensor, given, target = (torch.from_numpy(array) for array in (x, grad, out))
    learnt = tensor.detach().requires_grad_()

    def backward() -> Any:
        return torch.autograd.grad(torch.softmax(learnt, axis), learnt, given)[0]

    return {
        "torch": partial(torch.softmax, tensor, axis, out=target),
        "torch, backward": backward,
    }
