"""JAX: its own functions, from the definition where it has none, and its own differentiation."""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp

from contenders.expressions import arrays, settled
from definitions import Array, Definitions
from job import Job, K, split

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_platforms", "cpu")


def choose(condition: Array, one: float, other: float, x: Array) -> Array:
    """Return one or the other number in the type of x."""
    return jnp.where(condition, jnp.asarray(one, x.dtype), jnp.asarray(other, x.dtype))


JAX = Definitions(
    abs=jnp.abs,
    exp=jnp.exp,
    expm1=jnp.expm1,
    log1p=jnp.log1p,
    ones_like=jnp.ones_like,
    sin=jnp.sin,
    sqrt=jnp.sqrt,
    tanh=jnp.tanh,
    where=jnp.where,
    choose=choose,
    sigmoid=jax.nn.sigmoid,
    ndtr=jax.scipy.special.ndtr,
)

OWN: dict[str, Callable[..., Any]] = {
    "softsign": jax.nn.soft_sign,
    "relu": jax.nn.relu,
    "leaky_relu": jax.nn.leaky_relu,
    "relu6": jax.nn.relu6,
    "hardsigmoid": jax.nn.hard_sigmoid,
    "hardswish": jax.nn.hard_silu,
    "elu": jax.nn.elu,
    "celu": jax.nn.celu,
    "selu": jax.nn.selu,
    "logsigmoid": jax.nn.log_sigmoid,
    "softplus": lambda x, beta, threshold: jax.nn.softplus(beta * x) / beta,
    "squareplus": jax.nn.squareplus,
    "silu": jax.nn.silu,
    "mish": jax.nn.mish,
    "gelu": partial(jax.nn.gelu, approximate=False),
    "gelu_tanh": partial(jax.nn.gelu, approximate=True),
}
"""Its functions by the names of ours; parameters come in the same order."""


@cache
def compiled(quantity: str) -> Callable[..., Any]:
    """Compile a quantity; JAX compiles once more for every size."""
    name, what = split(quantity)
    if what == "backward":
        return jax.jit(lambda grad, x: jax.vjp(JAX.formula(name), x, K)[1](grad))
    formula = settled(OWN.get(name) or JAX.formula(name), quantity)
    formulas: dict[str, Callable[..., Any]] = {
        "": formula,
        "dx": jax.vmap(jax.grad(formula)),
        "value_dx": jax.vmap(jax.value_and_grad(formula)),
    }
    result: Callable[..., Any] = jax.jit(formulas[what])
    return result


def prepare(job: Job) -> Callable[[], Any]:
    """Prepare the job; the input is JAX's own array before the clock starts."""
    given = arrays(job.quantity, jnp.asarray(job.x), jnp.asarray(job.grad))
    formula = compiled(job.quantity)
    return lambda: jax.block_until_ready(formula(*given))
