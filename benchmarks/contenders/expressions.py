"""A formula of the definitions, bound to the arguments of its quantity."""

from collections.abc import Callable
from functools import partial
from types import FunctionType
from typing import Any

from definitions import Array
from job import parameters


def arrays(quantity: str, x: Array, grad: Array) -> tuple[Array, ...]:
    """Return the arrays that a quantity is computed from."""
    return (grad, x) if quantity == "s4_backward" else (x,)


def bind(formula: Callable[..., Any], quantity: str, x: Array, grad: Array) -> Callable[[], Any]:
    """Bind a formula to the arguments that its quantity has.

    Parameters
    ----------
    formula : callable
        As the method of `Definitions` that is named like the quantity.
    quantity : str
        What it computes.
    x, grad : array
        Input and gradient, as the formula's library wants them.
    """
    return partial(formula, *arrays(quantity, x, grad), *parameters(quantity))


def settled(formula: Callable[..., Any], quantity: str) -> FunctionType:
    """Return a formula of its arrays alone: to a compiler the parameters are constants."""
    values = parameters(quantity)

    def function(*given: Array) -> Any:
        return formula(*given, *values)

    return function
