"""A formula of the definitions, bound to the arguments of its quantity."""

from collections.abc import Callable
from functools import partial
from typing import Any

from definitions import Array
from job import K


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
    match quantity:
        case "s3":
            return partial(formula, x)
        case "s4_backward":
            return partial(formula, grad, x, K)
        case _:
            return partial(formula, x, K)
