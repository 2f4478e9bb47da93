"""The row activations beside their peers, as ratios, in one process.

Usage: python benchmarks/rows.py [--quick] [--threads N]

What is timed is a call into a new output, as programs make it, and once more into one that is
given. scipy computes on one thread, and in new arrays throughout.
"""

import argparse
from collections.abc import Callable
from functools import partial
from typing import Any

import threads

SHAPES = ((10**4, 1000), (10**6, 10), (10, 10**6))
SECONDS = 12.0


def main() -> None:
    """Measure and print a table for each function."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--threads", type=int, default=min(2, threads.limit()))
    parser.add_argument("--quick", action="store_true", help="softmax in float32 alone")
    options = parser.parse_args()
    threads.hold(options.threads)
    # The libraries size their thread pools when they are imported.
    import jax
    import jax.numpy as jnp
    import numpy as np
    import torch
    from scipy import special

    import machine
    import s3s4
    from timing import race

    jax.config.update("jax_enable_x64", True)
    torch.set_num_threads(options.threads)

    def values(name: str, x: Any, grad: Any, axis: int) -> dict[str, Callable[[], Any]]:
        function, own = getattr(torch, name), getattr(s3s4, name)
        tensor, array = torch.from_numpy(x), jnp.asarray(x)
        compiled = torch.compile(partial(function, dim=axis))
        jitted = jax.jit(partial(getattr(jax.nn, name), axis=axis))
        return {
            "s3s4": lambda: own(x, axis),
            "s3s4, out=": partial(own, x, axis, out=np.zeros_like(x)),
            "torch": lambda: function(tensor, axis),
            "torch, out=": partial(function, tensor, axis, out=torch.zeros_like(tensor)),
            "torch.compile": lambda: compiled(tensor),
            "jax.jit": lambda: jax.block_until_ready(jitted(array)),
            "scipy": lambda: getattr(special, name)(x, axis=axis),
        }

    def products(name: str, x: Any, grad: Any, axis: int) -> dict[str, Callable[[], Any]]:
        own, weight = getattr(s3s4, name).backward, getattr(torch, name)
        tensor = torch.from_numpy(x).requires_grad_()
        grad_tensor, arrays = torch.from_numpy(grad), (jnp.asarray(x), jnp.asarray(grad))
        function = partial(getattr(jax.nn, name), axis=axis)

        def from_input(t: Any, g: Any) -> Any:
            y = weight(t, axis)
            if name == "softmax":
                return y * (g - (y * g).sum(axis, keepdim=True))
            return g - y.exp() * g.sum(axis, keepdim=True)

        compiled = torch.compile(from_input)
        jitted = jax.jit(lambda a, g: jax.vjp(function, a)[1](g)[0])
        return {
            "s3s4": lambda: own(grad, x, axis),
            "s3s4, out=": partial(own, grad, x, axis, out=np.zeros_like(x)),
            "torch": lambda: torch.autograd.grad(weight(tensor, axis), tensor, grad_tensor),
            "torch.compile": lambda: compiled(tensor.detach(), grad_tensor),
            "jax.jit": lambda: jax.block_until_ready(jitted(*arrays)),
        }

    print(*machine.lines(machine.describe()), sep="\n")
    rng = np.random.default_rng(0)
    for name in ("softmax",) if options.quick else ("softmax", "log_softmax"):
        for title, prepare in (("", values), (".backward", products)):
            header: list[str] = []
            for dtype in ("float32",) if options.quick else ("float32", "float64"):
                for shape in SHAPES:
                    for axis in (-1, 0):
                        x = rng.uniform(-12, 12, shape).astype(dtype)
                        grad = rng.normal(size=shape).astype(dtype)
                        contenders = prepare(name, x, grad, axis)
                        contenders["copy"] = partial(np.copyto, np.zeros_like(x), x)
                        timings = race(contenders, SECONDS / (6 if options.quick else 2))
                        own = timings["s3s4"].best
                        if not header:
                            header = list(timings)
                            print(f"\n{name}{title}, ns an element and times as long\n")
                            print(f"| dtype, shape, axis | {' | '.join(header)} |")
                            print(f"| --- |{' ---: |' * len(header)}")
                        cells = [f"{own / x.size * 1e9:.2f}"]
                        cells += [f"{timings[one].best / own:.2f}x" for one in header[1:]]
                        label = f"{dtype}, {shape[0]} x {shape[1]}, {axis}"
                        print(f"| {label} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
