"""Functions of s3s4.torch by their name."""

from collections.abc import Callable

from torch import Tensor

from s3s4 import _family
from s3s4._table import TABLE
from s3s4.torch import _functions


def get(name: str) -> Callable[..., Tensor]:
    """The function of a name.

    Parameters
    ----------
    name : str

    Returns
    -------
    function

    Raises
    ------
    ValueError
        If there is none of that name.
    """
    if name not in TABLE:
        _family.get(name)
        raise ValueError(f"{name} acts on rows: use torch.nn.functional.{name}")
    function: Callable[..., Tensor] = getattr(_functions, name)
    return function
