"""s3s4.jax and s3s4.jax_kernels: their functions.

Design:
- A parameter keeps the name it has in s3s4: jax.nn has few of them, and calls by position fit both.
"""

from codegen.family import Activation, Family

OPERATIONS = """\
The activations as functions of JAX, with the formulas' own derivatives. Generated.

Needs JAX, which the extra ``s3s4[jax]`` names; ``import s3s4`` alone never loads it. Each function
can be transformed by whatever JAX has, to any order. Arrays and numbers broadcast and are promoted
as in jax.numpy; float16 and bfloat16 are computed in float32.
"""
KERNELS = """\
The functions of `s3s4.jax`, computed on the CPU by the kernels of this package. Generated.

They are for reverse mode: values and gradients are one call each, which XLA cannot fuse with what
stands around it; gradients of gradients, and other devices, take the operations of `s3s4.jax`.
Forward mode (``jax.jvp``, ``jax.jacfwd``, ``jax.hessian``) is an error of JAX's.
"""
MODULE = '''\
"""{}"""

from s3s4._jax import OLDEST as _OLDEST  # first: it says what is missing

from jax import Array
from jax.typing import ArrayLike

from s3s4._jax.{} import apply as _apply
'''


def in_operations(family: Family) -> str:
    return module(family, OPERATIONS, "ruled")


def on_kernels(family: Family) -> str:
    return module(family, KERNELS, "kernels")


def module(family: Family, documentation: str, applied: str) -> str:
    names = [activation.name for activation in family.activations]
    parts = [MODULE.format(documentation, applied), f"\n__all__ = {names!r}\n\n"]
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
