"""The row activations beside their peers, as ratios.

What is timed is a call into a new output, as programs make it, and once more into one that is
given. scipy computes on one thread, and in new arrays throughout. --quick takes softmax in float32
alone.
"""

import importlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

import machine
import s3s4
import threads
from timing import race

SHAPES = ((10**4, 1000), (10**6, 10), (10, 10**6))
SECONDS, QUICK_SECONDS = 6.0, 2.0
"""For each race."""

FUNCTIONS = ("softmax", "log_softmax")

Calls = Iterator[tuple[str, Callable[[], Any]]]
Contender = Callable[[str, np.ndarray, np.ndarray, int], Calls]


def ours(name: str, x: Any, grad: Any, axis: int) -> Calls:
    own = getattr(s3s4, name)
    yield "s3s4", lambda: own(x, axis)
    yield "s3s4, out=", partial(own, x, axis, out=np.zeros_like(x))


def ours_backward(name: str, x: Any, grad: Any, axis: int) -> Calls:
    own = getattr(s3s4, name).backward
    yield "s3s4", lambda: own(grad, x, axis)
    yield "s3s4, out=", partial(own, grad, x, axis, out=np.zeros_like(x))


def with_torch(name: str, x: Any, grad: Any, axis: int) -> Calls:
    import torch

    torch.set_num_threads(threads.limit())
    function, tensor = getattr(torch, name), torch.from_numpy(x)
    compiled = torch.compile(partial(function, dim=axis))
    yield "torch", lambda: function(tensor, axis)
    yield "torch, out=", partial(function, tensor, axis, out=torch.zeros_like(tensor))
    yield "torch.compile", lambda: compiled(tensor)


def with_torch_backward(name: str, x: Any, grad: Any, axis: int) -> Calls:
    import torch

    torch.set_num_threads(threads.limit())
    function, tensor = getattr(torch, name), torch.from_numpy(x).requires_grad_()
    given = torch.from_numpy(grad)

    def from_input(t: Any, g: Any) -> Any:
        y = function(t, axis)
        if name == "softmax":
            return y * (g - (y * g).sum(axis, keepdim=True))
        return g - y.exp() * g.sum(axis, keepdim=True)

    compiled = torch.compile(from_input)
    yield "torch", lambda: torch.autograd.grad(function(tensor, axis), tensor, given)
    yield "torch.compile", lambda: compiled(tensor.detach(), given)


def with_jax(name: str, x: Any, grad: Any, axis: int) -> Calls:
    import jax

    jax.config.update("jax_enable_x64", True)
    array, function = jax.numpy.asarray(x), jax.jit(partial(getattr(jax.nn, name), axis=axis))
    yield "jax.jit", lambda: jax.block_until_ready(function(array))


def with_jax_backward(name: str, x: Any, grad: Any, axis: int) -> Calls:
    import jax

    jax.config.update("jax_enable_x64", True)
    arrays = jax.numpy.asarray(x), jax.numpy.asarray(grad)
    function = partial(getattr(jax.nn, name), axis=axis)
    product = jax.jit(lambda a, g: jax.vjp(function, a)[1](g)[0])
    yield "jax.jit", lambda: jax.block_until_ready(product(*arrays))


def with_scipy(name: str, x: Any, grad: Any, axis: int) -> Calls:
    from scipy import special

    yield "scipy", partial(getattr(special, name), x, axis=axis)


def copy(name: str, x: Any, grad: Any, axis: int) -> Calls:
    yield "copy", partial(np.copyto, np.zeros_like(x), x)


CONTENDERS: dict[str, tuple[tuple[str, Contender], ...]] = {
    "": (
        ("s3s4", ours),
        ("torch", with_torch),
        ("jax", with_jax),
        ("scipy", with_scipy),
        ("numpy", copy),
    ),
    ".backward": (
        ("s3s4", ours_backward),
        ("torch", with_torch_backward),
        ("jax", with_jax_backward),
        ("numpy", copy),
    ),
}
"""For the values and for backward: what a contender needs, and what makes its calls."""


def is_there(package: str) -> bool:
    try:
        importlib.import_module(package)
    except ImportError:
        return False
    return True


def run(quick: bool, names: Sequence[str]) -> None:
    """Measure and print a table for each function."""
    unknown = {*names} - {*FUNCTIONS}
    if unknown:
        raise SystemExit(f"no row activation {', '.join(sorted(unknown))}: {', '.join(FUNCTIONS)}")
    print(*machine.lines(machine.describe()), sep="\n")
    packages = {package for contenders in CONTENDERS.values() for package, _ in contenders}
    missing = {package for package in packages if not is_there(package)}
    for package in sorted(missing):
        print(f"  {package}: missing: pip install {package}")
    for name in names or FUNCTIONS[: 1 if quick else None]:
        for what, contenders in CONTENDERS.items():
            makers = [make for package, make in contenders if package not in missing]
            print(f"\n{name}{what}, ns an element and times as long\n")
            table(name, makers, quick)


def table(name: str, makers: Sequence[Contender], quick: bool) -> None:
    """Measure and print a row for each dtype, shape and axis."""
    rng = np.random.default_rng(0)
    header: list[str] = []
    for dtype in ("float32",) if quick else ("float32", "float64"):
        for shape in SHAPES:
            for axis in (-1, 0):
                x = rng.uniform(-12, 12, shape).astype(dtype)
                grad = rng.normal(size=shape).astype(dtype)
                calls = dict(pair for make in makers for pair in make(name, x, grad, axis))
                timings = race(calls, QUICK_SECONDS if quick else SECONDS)
                if not header:
                    header = list(timings)
                    print(f"| dtype, shape, axis | {' | '.join(header)} |")
                    print(f"| --- |{' ---: |' * len(header)}")
                own = timings["s3s4"].median
                cells = [f"{own / x.size * 1e9:.2f}"]
                cells += [f"{timings[one].median / own:.2f}x" for one in header[1:]]
                label = f"{dtype}, {shape[0]} x {shape[1]}, {axis}"
                print(f"| {label} | {' | '.join(cells)} |", flush=True)
