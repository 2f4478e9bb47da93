"""s3s4.keras: its functions and layers.

Design:
- Layers have the arguments of keras.layers.PReLU, and a parameter the name it has in s3s4.
"""

from codegen.family import Activation, Family
from codegen.targets.pytorch import title

KINDS = ("initializer", "regularizer", "constraint")
MODULE = '''\
"""The activations as functions and layers of Keras 3, with exact gradients. Generated.

Needs Keras, which the extra ``s3s4[keras]`` names, and one of its backends; ``import s3s4`` alone
never loads it. A model that was saved with them is loaded after ``import s3s4.keras``.
"""

from typing import Any

from s3s4._keras import OLDEST as _OLDEST  # first: it says what is missing

from s3s4._keras.apply import apply as _apply, registered as _registered
from s3s4._keras.initializer import Critical
from s3s4._keras.layers import Parametric as _Parametric, Plain as _Plain
from s3s4._keras.names import register as _register

'''
NAMES = '''

def register_names() -> None:
    """Let Keras know the functions by their names: ``Dense(activation="s4")``.

    Names that Keras has itself stay Keras's own.
    """
    _register(globals()[name] for name in __all__[:{}])
'''


def module(family: Family) -> str:
    names = [activation.name for activation in family.activations]
    titles = [title(activation) for activation in family.activations]
    parts = [MODULE, f"__all__ = {[*names, *titles, 'Critical', 'register_names']!r}\n\n"]
    parts += [f"\n{function(activation)}\n" for activation in family.activations]
    parts += [f"\n{layer(activation)}\n" for activation in family.activations]
    return "".join(parts) + NAMES.format(len(names))


def function(activation: Activation) -> str:
    name, defaults = activation.name, activation.defaults
    takes = "".join(f", {one}: Any = {value!r}" for one, value in defaults.items())
    given = ", ".join(["x", *defaults])
    return (
        f'@_registered\ndef {name}(x: Any{takes}) -> Any:\n    r"""{activation.value.doc}"""\n'
        f"    return _apply({name!r}, {given})\n"
    )


def layer(activation: Activation) -> str:
    name, defaults = activation.name, activation.defaults
    base = "_Parametric" if defaults else "_Plain"
    head = (
        f"@_registered\nclass {title(activation)}({base}):\n"
        f'    r"""{activation.value.doc}"""\n\n    activation = {name!r}\n'
    )
    if not defaults:
        return head
    numbers = "".join(f"        {one}: float = {value!r},\n" for one, value in defaults.items())
    kinds = [
        f"{one}_{kind}" for one in defaults for kind in ("initializer", "regularizer", "constraint")
    ]
    options = "".join(f"        {one}: Any = None,\n" for one in kinds)
    values = ", ".join(f"{one!r}: {one}" for one in defaults)
    given = ", ".join(f"{one!r}: {one}" for one in kinds)
    return (
        f"{head}\n    def __init__(\n        self,\n{numbers}        shared_axes: Any = None,\n"
        f"{options}        **kwargs: Any,\n    ) -> None:\n"
        f"        super().__init__({{{values}}}, shared_axes, {{{given}}}, **kwargs)\n"
    )
