"""s3s4.torch beside PyTorch, s3s4.jax_kernels beside JAX: S4, float32, with bars to be met.

"compiled" and "eager" are the textbook's S4 in PyTorch. "both" is forward and backward with a k
that is learnt. --quick leaves out 10^7.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import frameworks_jax
import machine
import threads
from timing import race

SECONDS, QUICK_SECONDS = 10.0, 3.0
"""For each race."""

BARS = (
    ("forward", 10**3, "silu", "s4", 1 / 2.5),
    ("forward", 10**3, "silu", "module", 1 / 4),
    ("both", 10**3, "silu", "s4", 1 / 2),
    ("both", 10**3, "compiled", "s4", 2.5),
    ("forward", 10**6, "compiled", "s4", 2.0),
    ("forward", 10**6, "eager", "s4", 6.0),
    ("both", 10**6, "compiled", "s4", 1.4),
    ("both", 10**6, "eager", "s4", 7.0),
    ("both", 10**6, "gelu", "s4", 1 / 1.7),
    ("forward", 10**7, "compiled", "s4", 1.0),
    ("both", 10**7, "compiled", "s4", 1.0),
)
"""Pass, elements, whose time is divided by whose, and the least that this should be."""


def run(quick: bool, names: Sequence[str]) -> None:
    """Measure, and print each bar with what was reached."""
    print(*machine.lines(machine.describe()), sep="\n")
    print("\n| S4, float32 | ratio | at least | reached | met |\n| --- | --- | ---: | ---: | --- |")
    sizes = dict.fromkeys(size for _, size, *_ in BARS if not (quick and size > 10**6))
    for size in sizes:
        for what in ("forward", "both"):
            bars = [bar for bar in BARS if bar[:2] == (what, size)]
            timings = race(calls(what, size), QUICK_SECONDS if quick else SECONDS, min_turns=7)
            microseconds = ", ".join(f"{n} {t.best * 1e6:.1f}" for n, t in timings.items())
            for _, _, slow, fast, least in bars:
                reached = timings[slow].best / timings[fast].best
                met = "yes" if reached >= least else "**no**"
                row = (f"{what}, {size:.0e}", f"{slow} / {fast}", f"{least:.2f}", f"{reached:.2f}")
                print(f"| {' | '.join(row)} | {met} |", flush=True)
            print(f"| {what}, {size:.0e} | µs: {microseconds} | | | |", flush=True)
    frameworks_jax.rows(QUICK_SECONDS if quick else SECONDS)


def calls(what: str, size: int) -> Mapping[str, Callable[[], Any]]:
    """Every contender's call."""
    import torch
    from torch.nn import functional

    import s3s4.torch as st

    def textbook(x: Any, k: Any) -> Any:
        s = torch.sigmoid(x)
        return s + torch.sigmoid(k * x) * (functional.softsign(x) - s)

    torch.set_num_threads(threads.limit())
    torch.manual_seed(0)
    learnt = what == "both"
    x = torch.randn(size, requires_grad=learnt)
    k = torch.tensor(5.0, requires_grad=learnt)
    module, compiled, ours = st.S4(), torch.compile(textbook), torch.compile(st.s4)
    forms = {
        "s4": lambda: st.s4(x, k),
        "module": lambda: module(x),
        "s4, compiled": lambda: ours(x, k),
        "compiled": lambda: compiled(x, k),
        "eager": lambda: textbook(x, k),
        "silu": lambda: functional.silu(x),
        "gelu": lambda: functional.gelu(x),
    }
    if learnt:
        grad = torch.ones(size)
        return {name: both(form, (x, k, module.k), grad) for name, form in forms.items()}
    return {name: torch.no_grad()(form) for name, form in forms.items()}


def both(form: Callable[[], Any], leaves: Sequence[Any], grad: Any) -> Callable[[], None]:
    """A forward and a backward pass into new gradients."""

    def call() -> None:
        for leaf in leaves:
            leaf.grad = None
        form().backward(grad)

    return call
