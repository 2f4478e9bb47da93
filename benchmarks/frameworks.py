"""s3s4.torch beside PyTorch, s3s4.jax_kernels beside JAX: S4, with the bars that they should meet.

"compiled" and "eager" are the textbook's S4 in PyTorch, "both" is forward and backward with a k
that is learnt, "fused" stands in the middle of a compiled act(x w + b, k) + r. A ratio is that of
the fastest turns; behind it are the quartiles of the ratios of single turns. --quick leaves out
what takes long.
"""

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

import frameworks_jax
import machine
import s3s4.torch as st
import threads
from timing import Call, race, ratio

SECONDS, QUICK_SECONDS = 10.0, 3.0
"""For each race."""
LARGE = 10**7
"""Elements, which no cache holds."""

Pair = tuple[str, str, float]


def textbook(x: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
    s = torch.sigmoid(x)
    return s + torch.sigmoid(k * x) * (functional.softsign(x) - s)


@dataclass(frozen=True)
class Scene:
    """What is raced, whose time is divided by whose, and the least that this should be.

    Attributes
    ----------
    most : mapping of str to float
        Microseconds that a contender may take.
    """

    title: str
    calls: Callable[[], Mapping[str, Call]]
    bars: Sequence[Pair]
    most: Mapping[str, float]
    is_long: bool


def run(quick: bool, names: Sequence[str]) -> None:
    """Measure, and print each bar with what was reached."""
    torch.set_num_threads(threads.limit())
    torch.manual_seed(0)
    print(*machine.lines(machine.describe()), f"PyTorch {torch.__version__}", sep="\n")
    print("\n| S4 | bar | reached | met |\n| --- | --- | --- | --- |")
    for scene in scenes():
        if not (quick and scene.is_long):
            torch._dynamo.reset()
            measure(scene, QUICK_SECONDS if quick else SECONDS)
    same = len(set(gradients_by_threads())) == 1
    row("gradient of k, 1 to 4 threads", "the same bits", "same" if same else "different", same)
    if not quick:
        saved, arrays = memory()
        row("saved for backward", "x and k", str(saved), saved == [(LARGE,), ()])
        row(f"peak of both, {LARGE:.0e}", "≤ 3 arrays of x", f"{arrays:.2f}", round(arrays, 2) <= 3)
    print("\n| S4 in JAX | ratio | at least | reached | met |\n| --- | --- | ---: | ---: | --- |")
    frameworks_jax.rows(QUICK_SECONDS if quick else SECONDS)


def row(*cells: Any) -> None:
    *texts, met = cells
    print(f"| {' | '.join(texts)} | {'yes' if met else '**no**'} |", flush=True)


def measure(scene: Scene, seconds: float) -> None:
    timings = race(scene.calls(), seconds, min_turns=7)
    for slow, fast, least in scene.bars:
        found = ratio(timings[slow], timings[fast])
        row(scene.title, f"{slow} / {fast} ≥ {least:.2f}", str(found), found.median >= least)
    for name, most in scene.most.items():
        best = timings[name].median * 1e6
        row(scene.title, f"{name} ≤ {most:g} µs", f"{best:.2f} µs", best <= most)
    print(f"|  | medians, µs: {', '.join(medians(timings))} |  |  |", flush=True)


def medians(timings: Mapping[str, Any]) -> Iterator[str]:
    for name, timing in timings.items():
        yield f"{name} {statistics.median(timing.seconds) * 1e6:.4g}"


def scenes() -> Iterator[Scene]:
    """Every race."""
    for size in (10**3, 10**6, LARGE):
        for what, pairs, most in BARS[size]:
            yield Scene(
                f"{what}, {size:.0e}", whole(what, (size,)), pairs, most, is_long=size == LARGE
            )
    channels = (32, 64, 32, 32)
    for title, layout, pairs in (
        ("per channel", torch.contiguous_format, (1.3, 1.8)),
        ("channels_last", torch.channels_last, (1.1, 1.5)),
    ):
        bars = [("compiled", "s4", pairs[0]), ("prelu", "s4", pairs[1])]
        call = whole("both", channels, (1, 64, 1, 1), layout=layout)
        yield Scene(f"both, {title}", call, bars, {}, is_long=False)
    call = whole("both", (10**6,), dtype=torch.bfloat16)
    yield Scene("both, bfloat16, 1e+06", call, [("compiled", "s4", 1.0)], {}, is_long=False)
    bars = [("textbook", "s4", 1 / 1.08)]
    yield Scene("both, fused, 1e+06", fused, bars, {}, is_long=False)


BARS: Mapping[int, Sequence[tuple[str, Sequence[Pair], Mapping[str, float]]]] = {
    10**3: [
        ("forward", [("silu", "s4", 1 / 2.5)], {"s4": 5, "module": 8}),
        ("both", [("silu", "s4", 1 / 2), ("compiled", "s4", 2.5)], {}),
    ],
    10**6: [
        ("forward", [("compiled", "s4", 2.0), ("eager", "s4", 6.0)], {}),
        ("both", [("compiled", "s4", 1.4), ("eager", "s4", 7.0), ("gelu", "s4", 1 / 1.7)], {}),
    ],
    LARGE: [
        ("forward", [("compiled", "s4", 1.0)], {}),
        ("both", [("compiled", "s4", 1.0)], {}),
    ],
}


def whole(
    what: str,
    shape: tuple[int, ...],
    shape_of_k: tuple[int, ...] = (),
    dtype: torch.dtype = torch.float32,
    layout: torch.memory_format = torch.contiguous_format,
) -> Callable[[], Mapping[str, Call]]:
    """Every contender's call, made when it is needed."""

    def calls() -> Mapping[str, Call]:
        learnt = what == "both"
        x = torch.randn(shape, dtype=dtype).contiguous(memory_format=layout).requires_grad_(learnt)
        k = torch.full(shape_of_k, 5.0, requires_grad=learnt)
        module, compiled = st.S4(), torch.compile(textbook)
        forms: dict[str, Call] = {
            "s4": lambda: st.s4(x, k),
            "compiled": lambda: compiled(x, k.to(dtype)),
        }
        if shape_of_k:
            forms["prelu"] = lambda: functional.prelu(x, k.view(-1))
        elif dtype is torch.float32:
            forms |= {
                "module": lambda: module(x),
                "eager": lambda: textbook(x, k),
                "silu": lambda: functional.silu(x),
                "gelu": lambda: functional.gelu(x),
            }
        if not learnt:
            return {name: torch.no_grad()(form) for name, form in forms.items()}
        grad = torch.ones_like(x, requires_grad=False)
        return {name: both(form, (x, k, module.k), grad) for name, form in forms.items()}

    return calls


def fused() -> Mapping[str, Call]:
    """A chain that Inductor makes one loop of."""
    x, r = torch.randn(10**6 // 64, 64, requires_grad=True), torch.randn(10**6 // 64, 64)
    w, b, k = torch.randn(64), torch.randn(64), torch.tensor(5.0, requires_grad=True)
    grad = torch.ones_like(r)

    def chain(form: Callable[..., torch.Tensor]) -> Call:
        compiled = torch.compile(lambda x, k: form(x * w + b, k) + r, fullgraph=True)
        return both(lambda: compiled(x, k), (x, k), grad)

    return {"s4": chain(st.s4), "textbook": chain(textbook)}


def both(form: Call, leaves: Sequence[torch.Tensor], grad: torch.Tensor) -> Call:
    """A forward and a backward pass into new gradients."""

    def call() -> None:
        for leaf in leaves:
            leaf.grad = None
        result: Any = form()
        result.backward(grad)

    return call


def gradients_by_threads() -> Iterator[float]:
    x, k = torch.randn(1_000_003), torch.tensor(5.0, requires_grad=True)
    for count in (1, 2, 3, 4):
        torch.set_num_threads(count)
        yield torch.autograd.grad(st.s4(x, k).sum(), k)[0].item()
    torch.set_num_threads(threads.limit())


def memory() -> tuple[list[tuple[int, ...]], float]:
    """The shapes that are saved, and the most that lies in memory, in arrays of x."""
    x, k = torch.randn(LARGE, requires_grad=True), torch.tensor(5.0, requires_grad=True)
    saved: list[tuple[int, ...]] = []

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        saved.append(tuple(tensor.shape))
        return tensor

    Path("/proc/self/clear_refs").write_text("5")
    before = kilobytes("VmRSS")
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        y = st.s4(x, k)
    y.backward(torch.ones(()).expand(LARGE))
    return saved, 1 + (kilobytes("VmHWM") - before) * 1024 / (4 * LARGE)


def kilobytes(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(field)).split()[1])
