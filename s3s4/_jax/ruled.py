"""An activation in operations of JAX, and the rule that differentiates it."""

# Design:
# - The rule is a custom_jvp, from which JAX makes every other one: reverse mode by transposition,
#   higher orders by differentiating the rule's own text, batches by mapping it.
# - A parameter that nothing is differentiated by has a symbolic zero for a tangent: its derivative
#   is not multiplied by it, for that would be NaN where it is infinite.
# - Each form is jitted, so that a call outside of jax.jit is one computation and not thirty.

from collections.abc import Callable
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.custom_derivatives import SymbolicZero
from jax.typing import ArrayLike

from s3s4 import _array_forms
from s3s4._array_primitives import Primitives
from s3s4._jax.arguments import check, types

PRIMITIVES = Primitives(jnp, lambda value, like: value)


def apply(name: str, *given: ArrayLike) -> Array:
    """The activation of an input."""
    check(name, given)
    return jitted(name)(*given)


@cache
def jitted(name: str) -> Callable[..., Array]:
    """The activation of arrays and numbers of any dtype."""
    function = ruled(name)

    def activation(*given: ArrayLike) -> Array:
        dtype, computed = types(given)
        return function(*(jnp.asarray(one, computed) for one in given)).astype(dtype)

    activation.__name__ = name
    compiled: Callable[..., Array] = jax.jit(activation)
    return compiled


@cache
def ruled(name: str) -> Any:
    """The activation of arrays of one dtype, with its derivatives as the rule."""
    of_value = getattr(_array_forms, name)
    of_products = getattr(_array_forms, f"{name}_backward")

    def form(*variables: Array) -> Array:
        shape = jnp.broadcast_shapes(*(one.shape for one in variables))
        # Of a parameter alone, or of neither, where a form has no use for the others.
        return jnp.broadcast_to(of_value(PRIMITIVES, *variables), shape)

    form.__name__ = name
    activation = jax.custom_jvp(form)

    def rule(primals: tuple[Array, ...], tangents: tuple[Any, ...]) -> tuple[Array, Any]:
        value = activation(*primals)
        found = of_products(PRIMITIVES, 1.0, *primals)
        slopes = found if isinstance(found, tuple) else (found,)
        terms = [
            slope * tangent
            for slope, tangent in zip(slopes, tangents, strict=True)
            if not isinstance(tangent, SymbolicZero)
        ]
        total = sum(terms[1:], start=terms[0]) if terms else jnp.zeros_like(value)
        return value, jnp.broadcast_to(total, value.shape).astype(value.dtype)

    activation.defjvp(rule, symbolic_zeros=True)
    return activation
