"""A table for each question that a reader has of the speed; NAME is a question.

A copy of the same arrays stands in every table that memory has a part in, from the same race. All
of it takes three minutes.

Design: a column is a race. A cell is a median with half the distance of its quartiles; what others
disturbed was repeated. The kept figures are in seconds a call.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

import numpy as np

import load
import machine
import points
import results
import s3s4
import tables
import threads
import ulps
from beside_peers import ROWS, of_torch, rows_complaint
from contenders import CONTENDERS, OURS
from definitions import NUMPY
from effort import FLOATS, IN_CACHE, of_threads, size, touched
from job import QUANTITIES, Job, K, complaint
from timing import Call, Timing, quartiles

SECONDS, QUICK_SECONDS = 0.5, 0.1
LARGE, QUICK_LARGE = 10**7, 10**6
REPEATING = 30.0
"""Seconds after which disturbed races are no longer repeated."""


@dataclass(frozen=True)
class Cell:
    """The seconds of a call: the median, half the distance of the quartiles, and the error."""

    median: float
    spread: float
    error: str = ""


@dataclass
class Table:
    """The answer to a question.

    Attributes
    ----------
    caption : str
        What its cells are.
    unit : str
        A unit of time, or "ns an element".
    cells : dict
        By row and column.
    elements : dict
        Elements of a call by column.
    others : float
        The most processors that others took of a race.
    """

    caption: str
    unit: str
    cells: dict[str, dict[str, Cell]] = field(default_factory=dict)
    elements: dict[str, int] = field(default_factory=dict)
    others: float = 0.0

    def add(self, column: str, n: int, raced: tuple[dict[str, Timing], float]) -> None:
        """Add a race as a column."""
        timings, others = raced
        self.elements[column] = n
        self.others = max(self.others, others)
        for name, timing in timings.items():
            low, median, high = (float(f"{v:.4g}") for v in quartiles(timing.seconds))
            spread = float(f"{(high - low) / 2:.2g}")
            self.cells.setdefault(name, {})[column] = Cell(median, spread)

    def note(self, column: str, errors: Mapping[str, str]) -> None:
        """Put errors beside the times of a column."""
        for name, text in errors.items():
            cell = self.cells[name][column]
            self.cells[name][column] = Cell(cell.median, cell.spread, text)


@dataclass(frozen=True)
class Means:
    """What is spent: seconds for a race, elements of a large array, what runs a race."""

    seconds: float
    large: int
    calm: Callable[..., tuple[dict[str, Timing], float]] = load.calm_race

    def race(self, calls: Mapping[str, Call], **options: Any) -> tuple[dict[str, Timing], float]:
        """Race calls that may have threads."""
        return self.calm(calls, self.seconds, min_turns=5, **options)

    def race_small(self, calls: Mapping[str, Call]) -> tuple[dict[str, Timing], float]:
        """Race short calls on one thread."""
        return self.calm(calls, self.seconds / 2, min_turns=30, max_turns=300, pause=0.0)


def present(names: Sequence[str], job: Job) -> dict[str, Call]:
    """Prepare the contenders that are there and have the function, and check their answers."""
    calls: dict[str, Call] = {}
    for name in names:
        contender = CONTENDERS[name]
        if contender.missing:
            continue
        try:
            call = contender.prepare(job)
        except NotImplementedError:
            continue
        if contender.is_limit or not complaint(job, call()):
            calls[name] = call
    return calls


def small(means: Means) -> Table:
    """Microseconds of a call, one thread, float64, k a number."""
    table = Table("µs a call of n float64 elements, one thread", "µs")
    for n in (1, 10, 100, 1000):
        job = Job.make("s4", "float64", n)
        x, g, out = job.x, job.grad, job.out[0]
        calls: dict[str, Call] = {
            "s4(x)": partial(s3s4.s4, x),
            "s4(x, out=y)": partial(s3s4.s4, x, out=out),
            "ufuncs.s4(x, k)": partial(s3s4.ufuncs.s4, x, K),
            "s4.value_and_derivative(x, k)": partial(s3s4.s4.value_and_derivative, x, K),
            "s4.backward(g, x, k)": partial(s3s4.s4.backward, g, x, K),
            "softmax(x)": partial(s3s4.softmax, x),
            "np.logaddexp(x, k)": partial(np.logaddexp, x, K),
            "S4 as a NumPy expression": partial(NUMPY.formula("s4"), x, K),
        }
        if not CONTENDERS["torch"].missing:
            calls["S4 in eager PyTorch"] = CONTENDERS["torch"].prepare(job)
        if not CONTENDERS["torch.compile"].missing:
            calls["S4 in torch.compile"] = CONTENDERS["torch.compile"].prepare(job)
        with s3s4.threads(1):
            table.add(f"n = {n}", n, means.race_small(calls))
    return table


WHO_IN_CACHE = (OURS, "SLEEF", "Highway", "numba", "numexpr", "torch", "numpy", "copy, 1 thread")
WHO_LARGE = tuple(name for name in CONTENDERS if name not in ("scipy", "copy, 1 thread"))


def beside(means: Means, names: Sequence[str], n: int, count: int) -> Table:
    """Race S4 and its derivative in both precisions."""
    table = Table(f"ns an element, {size(n)}, {of_threads(count)}", "ns an element")
    for quantity in ("s4", "s4_dx"):
        for dtype in FLOATS:
            with threads.only(count), s3s4.threads(1) if count == 1 else nullcontext():
                raced = means.race(present(names, Job.make(quantity, dtype, n)))
            table.add(f"{QUANTITIES[quantity]}, {dtype}", n, raced)
    return table


def in_cache(means: Means) -> Table:
    """S4 and S4' of 16384 elements on one thread."""
    return beside(means, WHO_IN_CACHE, IN_CACHE, 1)


def large(means: Means) -> Table:
    """S4 and S4' of 10^7 elements on all threads."""
    return beside(means, WHO_LARGE, means.large, threads.limit())


FAMILY = (
    "gelu",
    "gelu_tanh",
    "silu",
    "mish",
    "sigmoid",
    "tanh",
    "elu",
    "softplus",
    "hardswish",
)
WHO_IN_FAMILY = (
    OURS,
    "torch, out=",
    "onnxruntime",
    "oneDNN",
    "XNNPACK",
    "MKL LA",
    "SLEEF",
    "Highway",
    "ggml",
)


def family(means: Means, n: int, count: int) -> Table:
    """Race functions in float32 against the strongest peers, with the errors of all."""
    table = Table(f"ns an element of float32, {size(n)}, {of_threads(count)}", "ns an element")
    for quantity in FAMILY:
        with threads.only(count), s3s4.threads(1) if count == 1 else nullcontext():
            copy = "copy, 1 thread" if count == 1 else "copy"
            calls = present((*WHO_IN_FAMILY, copy), Job.make(quantity, "float32", n))
            table.add(quantity, n, means.race(calls))
            table.note(
                quantity,
                {
                    name: tables.ulp(ulps.error(name, quantity, "float32").ulp)
                    for name in calls
                    if not CONTENDERS[name].is_limit
                },
            )
    return table


def functions_in_cache(means: Means) -> Table:
    """Functions of the family in float32, 16384 elements, one thread."""
    return family(means, IN_CACHE, 1)


def functions(means: Means) -> Table:
    """Functions of the family in float32, 10^7 elements, all threads."""
    return family(means, means.large, threads.limit())


def gradients(means: Means) -> Table:
    """Derivatives and backward passes of 10^7 elements on all threads."""
    table = Table(f"ns an element, {power_of(means)}, all threads", "ns an element")
    for dtype in FLOATS:
        job = Job.make("s4_backward", dtype, means.large)
        x, g, out = job.x, job.grad, job.out
        calls: dict[str, Call] = {
            "s4.derivative(x, out=)": partial(s3s4.s4.derivative, x, K, out=out[0]),
            "s4.value_and_derivative(x, out=)": partial(
                s3s4.s4.value_and_derivative, x, K, out=out
            ),
            "s4.backward(g, x, k, out=)": partial(s3s4.s4.backward, g, x, K, out=out[0]),
            "s4.backward(g, x, k)": partial(s3s4.s4.backward, g, x, K),
            "sigmoid.backward(g, x, out=)": partial(s3s4.sigmoid.backward, g, x, out=out[0]),
            "gelu.backward(g, x, out=)": partial(s3s4.gelu.backward, g, x, out=out[0]),
        }
        labels = {
            "torch": "S4 in eager PyTorch, both passes",
            "torch.compile": "backward of S4 in torch.compile",
            "jax.jit": "backward of S4 in jax.jit",
            "copy": "copy: reads two arrays, writes one",
        }
        for name, call in present(list(labels), job).items():
            calls[labels[name]] = call
        if not CONTENDERS["torch"].missing:
            import torch

            torch.set_num_threads(threads.limit())
            tg, tx, to = (torch.from_numpy(array) for array in (g, x, out[0]))
            gelu = torch.ops.aten.gelu_backward.grad_input
            calls["gelu_backward of PyTorch, out="] = partial(gelu, tg, tx, grad_input=to)
            calls["torch.mul(g, x, out=)"] = partial(torch.mul, tg, tx, out=to)
        table.add(dtype, means.large, means.race(calls))
    return table


def power_of(means: Means) -> str:
    """Say how large the arrays are."""
    return f"{tables.power(means.large)} elements"


def outputs(means: Means) -> Table:
    """A new output in every call beside a given one, 10^7 elements."""
    table = Table(f"ns an element, {power_of(means)}, all threads", "ns an element")
    for dtype in FLOATS:
        job = Job.make("s4", dtype, means.large)
        x, out, held = job.x, job.out[0], {}

        def new(
            name: str, call: Call, held: dict[str, Any] = held
        ) -> Callable[[], None]:  # the last result goes when the next one is there
            def keep() -> None:
                held[name] = call()

            return keep

        calls: dict[str, Call] = {
            "s4(x, out=y)": partial(s3s4.s4, x, out=out),
            "y = s4(x)": new("s4", partial(s3s4.s4, x)),
            "np.exp(x, out=y)": partial(np.exp, x, out=out),
            "y = np.exp(x)": new("exp", partial(np.exp, x)),
            "copy": CONTENDERS["copy"].prepare(job),
        }
        if not CONTENDERS["torch"].missing:
            import torch

            tx, to = torch.from_numpy(x), torch.from_numpy(out)
            calls["torch.sigmoid(x, out=y)"] = partial(torch.sigmoid, tx, out=to)
            calls["y = torch.sigmoid(x)"] = new("torch", partial(torch.sigmoid, tx))
        table.add(dtype, means.large, means.race(calls))
        reuse = getattr(s3s4, "reuse_outputs", None)
        if reuse is not None:
            held.clear()
            reuse(4 * x.nbytes)
            timings, others = means.race({"y": new("s4", partial(s3s4.s4, x))})
            held.clear()
            reuse(0)
            label = "y = s4(x), with reuse_outputs"
            table.add(dtype, means.large, ({label: timings["y"]}, others))
    return table


def halves(means: Means) -> Table:
    """S4 in types of two bytes beside float32."""
    table = Table("ns an element", "ns an element")
    for n, count in ((IN_CACHE, 1), (means.large, threads.limit())):
        job = Job.make("s4", "float32", n)
        calls: dict[str, Call] = {"float32": partial(s3s4.s4, job.x, K, out=job.out[0])}
        for name, dtype in points.half_types().items():
            x = job.x.astype(dtype)
            calls[name] = partial(s3s4.s4, x, K, out=touched(x)[0])
        calls["copy of float32"] = CONTENDERS["copy, 1 thread" if count == 1 else "copy"].prepare(
            job
        )
        with threads.only(count), s3s4.threads(1) if count == 1 else nullcontext():
            table.add(f"{size(n)}, {of_threads(count)}", n, means.race(calls))
    return table


def rows(means: Means) -> Table:
    """Softmax of float32 on all threads, output given where one is taken."""
    table = Table("ns an element of float32, all threads", "ns an element")
    for shape, axis, _, _ in ROWS:
        n = int(np.prod(shape))
        if n > 10 * means.large:
            continue
        x = Job.make("s4", "float32", n).x.reshape(shape)
        grad = np.cos(x)
        (out,) = touched(x)
        calls: dict[str, Call] = {
            OURS: partial(s3s4.softmax, x, axis, out=out),
            "s3s4, new output": partial(s3s4.softmax, x, axis),
            "s3s4, backward": partial(s3s4.softmax.backward, grad, x, axis, out=out),
        }
        if not CONTENDERS["torch"].missing:
            found = of_torch(x, grad, out, axis)
            calls["torch, out="] = found["torch"]
            calls["torch, both passes"] = found["torch, backward"]
        if not CONTENDERS["onnxruntime"].missing:
            from contenders import from_onnxruntime

            calls["onnxruntime"] = from_onnxruntime.softmax(x, out, axis)
        for name, call in list(calls.items()):
            if rows_complaint(
                call(), x, axis, grad if "passes" in name or "back" in name else None
            ):
                del calls[name]
        calls["copy, 1 thread"] = partial(np.copyto, out, x)
        label = f"{' x '.join(map(str, shape))}, axis {axis}"
        table.add(label, n, means.race(calls))
    return table


QUESTIONS: dict[str, Callable[[Means], Table]] = {
    function.__name__: function
    for function in (
        small,
        in_cache,
        large,
        functions_in_cache,
        functions,
        gradients,
        outputs,
        halves,
        rows,
    )
}


def answers(names: Sequence[str], means: Means) -> Iterator[tuple[str, dict[str, Any]]]:
    """Measure the tables, as they are kept."""
    for name in names:
        begin = time.monotonic()
        table = asdict(QUESTIONS[name](means))
        print(f"\n{QUESTIONS[name].__doc__} ({time.monotonic() - begin:.0f} s)\n")
        print(tables.question(table), flush=True)
        yield name, table


def run(quick: bool, names: Sequence[str]) -> None:
    """Measure, print and keep."""
    unknown = {*names} - QUESTIONS.keys()
    if unknown:
        known = ", ".join(QUESTIONS)
        raise SystemExit(f"no question {', '.join(sorted(unknown))}: {known}")
    before = load.before()
    print(*machine.lines(machine.describe()), f"before: {before}", sep="\n")
    spent = (QUICK_SECONDS, QUICK_LARGE) if quick else (SECONDS, LARGE)
    means = Means(*spent, calm=load.calm_for(0.0 if quick else REPEATING))
    watch = load.Watch()
    found = dict(answers(names or list(QUESTIONS), means))
    during = f"others took {watch.others:.2f} processors"
    print(f"\nbefore: {before}; during: {during}")
    if not quick and not names:
        results.store("questions", {"tables": found, "before": before, "during": during})
