"""Names for strings: keras.activations.get looks into a table of Keras's own, and nowhere else."""

from collections.abc import Callable, Iterable
from typing import Any

from keras.src import activations


def register(functions: Iterable[Callable[..., Any]]) -> None:
    """Let Keras find functions by their names, unless it has its own of that name."""
    for function in functions:
        activations.ALL_OBJECTS_DICT.setdefault(function.__name__, function)
