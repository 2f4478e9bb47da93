"""JAX, from the definition, with its own differentiation."""

from collections.abc import Callable
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp

from contenders.expressions import bind
from definitions import Array, Definitions
from job import Job

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_platforms", "cpu")

JAX = Definitions(jax.nn.sigmoid, jnp.where)


def backward(grad: Array, x: Array, k: Array) -> Array:
    """Return the gradients by x and by k."""
    return jax.vjp(JAX.s4, x, k)[1](grad)


@cache
def compiled(quantity: str) -> Callable[..., Any]:
    """Compile a quantity; JAX compiles once more for every size."""
    formulas: dict[str, Callable[..., Any]] = {
        "s3": JAX.s3,
        "s4": JAX.s4,
        "s4_dx": jax.vmap(jax.grad(JAX.s4), (0, None)),
        "s4_value_dx": jax.vmap(jax.value_and_grad(JAX.s4), (0, None)),
        "s4_backward": backward,
    }
    result: Callable[..., Any] = jax.jit(formulas[quantity])
    return result


def prepare(job: Job) -> Callable[[], Any]:
    """Prepare the job; the input is JAX's own array before the clock starts."""
    call = bind(compiled(job.quantity), job.quantity, jnp.asarray(job.x), jnp.asarray(job.grad))
    return lambda: jax.block_until_ready(call())
