"""s3s4.jax_kernels beside jit of the textbook: S4, float32, with the bars that it should meet.

"gradient" is that of a sum, by x and by k, in one jitted function. "temporaries" is the memory
that XLA plans for the gradient through two layers, in arrays of x's size. "x + k" is what a call
costs by itself.
"""

from collections.abc import Callable, Mapping
from typing import Any

from timing import race

BARS = ((10**3, "textbook", "kernels", 3.0), (10**6, "textbook", "kernels", 1.4))
"""Elements, whose time is divided by whose, and the least that this should be."""
MOST_TEMPORARIES = 4
LAYERS = 10**6
"""Elements of a layer whose memory is looked at."""

Function = Callable[[Any, Any], Any]


def rows(seconds: float) -> None:
    """Measure, and print each bar with what was reached."""
    import jax

    # The same on a machine that has a GPU.
    jax.config.update("jax_platforms", "cpu")
    for size, slow, fast, least in BARS:
        timings = race(calls(size), seconds, min_turns=7)
        reached = timings[slow].median / timings[fast].median
        microseconds = ", ".join(f"{name} {t.median * 1e6:.1f}" for name, t in timings.items())
        met = "yes" if reached >= least else "**no**"
        print(
            f"| JAX, gradient, {size:.0e} | {slow} / {fast} | {least:.2f} | {reached:.2f} | {met} |"
        )
        print(f"| JAX, gradient, {size:.0e} | µs: {microseconds} | | | |", flush=True)
    found = {name: temporaries(function) for name, function in functions().items()}
    met = "yes" if found["kernels"] <= MOST_TEMPORARIES else "**no**"
    arrays = ", ".join(f"{name} {count:.1f}" for name, count in found.items())
    print(f"| JAX, temporaries, {LAYERS:.0e} | at most {MOST_TEMPORARIES}: {arrays} | | | {met} |")


def functions() -> Mapping[str, Function]:
    """Every contender."""
    import jax

    import s3s4.jax
    import s3s4.jax_kernels

    def textbook(x: Any, k: Any) -> Any:
        s = jax.nn.sigmoid(x)
        return s + jax.nn.sigmoid(k * x) * (jax.nn.soft_sign(x) - s)

    return {
        "kernels": s3s4.jax_kernels.s4,
        "operations": s3s4.jax.s4,
        "textbook": textbook,
        "silu": lambda x, k: jax.nn.silu(x) + k,
        "x + k": lambda x, k: x + k,
    }


def calls(size: int) -> Mapping[str, Callable[[], Any]]:
    """Every contender's call."""
    import jax

    x, k = jax.random.normal(jax.random.key(0), (size,)), jax.numpy.float32(5)

    def call(function: Function) -> Callable[[], Any]:
        gradient = jax.jit(jax.grad(lambda x, k: function(x, k).sum(), (0, 1)))
        return lambda: jax.block_until_ready(gradient(x, k))

    return {name: call(function) for name, function in functions().items()}


def temporaries(function: Function) -> float:
    """What XLA plans beside arguments and results, in arrays of x's size."""
    import jax

    def loss(x: Any, k: Any) -> Any:
        y = function(function(x * 2.0, k) * 3.0, k)
        return (y * y).sum()

    given = jax.ShapeDtypeStruct((LAYERS,), "float32"), jax.ShapeDtypeStruct((), "float32")
    compiled = jax.jit(jax.grad(loss, (0, 1))).lower(*given).compile()
    size: int = compiled.memory_analysis().temp_size_in_bytes
    return size / (4 * LAYERS)
