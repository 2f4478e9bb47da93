"""An activation whose values and gradients on the CPU are the kernels', called by XLA."""

# Design:
# - The rule is a custom_vjp: one call for the gradients of x and of every parameter, which saves x
#   and the parameters alone. JAX has no forward mode for it.
# - Gradients of gradients, and whatever is no CPU, are the operations of JAX.
# - Half precision is given as it lies; parameters stay in the type that they are computed in.

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from s3s4._jax import _handlers
from s3s4._jax.arguments import check, types
from s3s4._jax.ruled import ruled

TARGET = "s3s4"

jax.ffi.register_ffi_target(TARGET, _handlers.handler, platform="cpu")


def apply(name: str, *given: ArrayLike) -> Array:
    """The activation of an input."""
    check(name, given)
    return jitted(name)(*given)


@cache
def jitted(name: str) -> Callable[..., Array]:
    """The activation of arrays and numbers of any dtype."""
    function = ruled_by_kernels(name)

    def activation(x: ArrayLike, *parameters: ArrayLike) -> Array:
        dtype, computed = types((x, *parameters))
        given = [jnp.asarray(one, computed) for one in parameters]
        result: Array = function(jnp.asarray(x, dtype), *given)
        return result

    activation.__name__ = name
    compiled: Callable[..., Array] = jax.jit(activation)
    return compiled


@cache
def ruled_by_kernels(name: str) -> Any:
    """The activation of x and of parameters in the type that they are computed in."""
    in_operations = ruled(name)

    def text(x: Array, *parameters: Array) -> Array:
        computed = jnp.promote_types(x.dtype, jnp.float32)
        result: Array = in_operations(x.astype(computed), *parameters).astype(x.dtype)
        return result

    def products_of_text(g: Array, *variables: Array) -> Any:
        return jax.vjp(text, *variables)[1](g)

    def gradients(g: Array, *variables: Array) -> Any:
        kernel = partial(call, f"{name}_backward", like=variables)
        return jax.lax.platform_dependent(g, *variables, cpu=kernel, default=products_of_text)

    def value(*variables: Array) -> Array:
        shape = jnp.broadcast_shapes(*(one.shape for one in variables))
        like = jax.ShapeDtypeStruct(shape, variables[0].dtype)

        def kernel(*variables: Array) -> Array:
            (result,) = call(f"{name}_strided", *variables, like=[like])
            return result

        result: Array = jax.lax.platform_dependent(*variables, cpu=kernel, default=text)
        return result

    products, activation = jax.custom_vjp(gradients), jax.custom_vjp(value)
    products.defvjp(
        lambda *given: (products(*given), given),
        lambda given, by_each: jax.vjp(products_of_text, *given)[1](by_each),
    )
    activation.defvjp(
        lambda *variables: (activation(*variables), variables),
        lambda variables, g: products(g, *variables),
    )
    return activation


def call(function: str, *given: Array, like: Sequence[Any]) -> Sequence[Array]:
    """Results of a function of the C table, with the shapes and types of others.

    All are given as many axes: what broadcasts, and what is summed over, has the length 1.
    """
    axes = max(one.ndim for one in given)

    def aligned(shape: Sequence[int]) -> tuple[int, ...]:
        return (*(1,) * (axes - len(shape)), *shape)

    results = [jax.ShapeDtypeStruct(aligned(one.shape), one.dtype) for one in like]
    called = jax.ffi.ffi_call(TARGET, results, vmap_method="expand_dims")
    found = called(*(one.reshape(aligned(one.shape)) for one in given), function=function)
    return tuple([one.reshape(other.shape) for one, other in zip(found, like, strict=True)])
