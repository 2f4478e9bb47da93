"""What a call is given: arrays and numbers, and the types that they are computed in."""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from s3s4._table import TABLE

ARRAYS = (Array, np.ndarray, np.generic, bool, int, float)


def check(name: str, given: Sequence[ArrayLike]) -> None:
    """Refuse what is no argument of an activation.

    Raises
    ------
    TypeError
        If x or a parameter is neither an array nor a number, or complex.
    """
    for label, value in zip(("x", *TABLE[name].parameters), given, strict=True):
        # As jax.numpy has it: a parameter of flax or equinox is an array, a list is none.
        if not isinstance(value, ARRAYS) and not hasattr(value, "__jax_array__"):
            raise TypeError(f"{label} must be an array or a number, not {type(value).__name__}")
        if jnp.issubdtype(jnp.result_type(value), jnp.complexfloating):
            raise TypeError(f"{label} must be real, not {jnp.result_type(value)}")


def types(given: Sequence[ArrayLike]) -> tuple[np.dtype, np.dtype]:
    """The type of the result, as jax.numpy promotes, and the one that it is computed in."""
    dtype = jnp.result_type(*given)
    if not jnp.issubdtype(dtype, jnp.floating):
        dtype = jnp.result_type(float)
    return dtype, jnp.dtype(jnp.float32) if dtype.itemsize < 4 else dtype
