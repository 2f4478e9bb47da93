"""s3s4.jax: its functions.

Design:
- A parameter keeps the name it has in s3s4: jax.nn has few of them, and calls by position fit both.
"""

from codegen.family import Activation, Family

MODULE = '''\
"""The activations as functions of JAX, with the formulas' own derivatives. Generated.

Needs JAX, which the extra ``s3s4[jax]`` names; ``import s3s4`` alone never loads it. Each function
can be transformed by whatever JAX has, to any order. Arrays and numbers broadcast and are promoted
as in jax.numpy; float16 and bfloat16 are computed in float32.
"""

from s3s4._jax import OLDEST as _OLDEST  # first: it says what is missing

from jax import Array
from jax.typing import ArrayLike

from s3s4._jax.ruled import apply as _apply
'''


def module(family: Family) -> str:
    names = [activation.name for activation in family.activations]
    parts = [MODULE, f"\n__all__ = {names!r}\n\n"]
    parts += [f"\n{function(activation)}\n" for activation in family.activations]
    return "".join(parts)


def function(activation: Activation) -> str:
    name, defaults = activation.name, activation.defaults
    takes = "".join(f", {one}: ArrayLike = {value!r}" for one, value in defaults.items())
    given = ", ".join(["x", *defaults])
    return (
        f'def {name}(x: ArrayLike{takes}) -> Array:\n    r"""{activation.value.doc}"""\n'
        f"    return _apply({name!r}, {given})\n"
    )
