"""A `with` block in which a setting holds, for the calls of the context that has entered it."""

# Design:
# - A block may be entered again, inside itself and by several threads at once. What it found is
#   therefore kept in the context and not in the block; and no variable is made for each block, as
#   a context would keep it for good.

from collections.abc import Callable
from contextlib import ContextDecorator
from contextvars import ContextVar
from typing import Generic, TypeVar

T = TypeVar("T")


class Block(ContextDecorator, Generic[T]):
    """Give a variable a value in a `with` block, or while a function that it decorates runs.

    Parameters
    ----------
    variable : ContextVar
        The setting.
    outer : ContextVar
        What the setting was outside each of the blocks that this context is in.
    value : object
        What it is inside.
    changed : callable
        Called whenever the setting has changed.
    """

    def __init__(
        self,
        variable: ContextVar[T],
        outer: ContextVar[tuple[T, ...]],
        value: T,
        changed: Callable[[], object] = lambda: None,
    ) -> None:
        self._variable, self._outer, self._value, self._changed = variable, outer, value, changed

    def __enter__(self) -> None:
        self._outer.set((*self._outer.get(), self._variable.get()))
        self._variable.set(self._value)
        self._changed()

    def __exit__(self, *error: object) -> None:
        *outer, before = self._outer.get()
        self._outer.set(tuple(outer))
        self._variable.set(before)
        self._changed()
