"""Every activation, by name."""

import difflib
from collections.abc import Mapping
from types import MappingProxyType

from s3s4._activation import Activation, elementwise
from s3s4._rows import RowActivation, row_activations

activations: Mapping[str, Activation | RowActivation] = MappingProxyType(
    {**elementwise, **row_activations}
)
"""Those of single elements, then those of rows; read-only."""


def get(name: str) -> Activation | RowActivation:
    """The activation of a name.

    Parameters
    ----------
    name : str

    Returns
    -------
    Activation or RowActivation

    Raises
    ------
    ValueError
        If there is none of that name.

    Examples
    --------
    >>> import s3s4
    >>> s3s4.get("mish") is s3s4.mish
    True
    """
    try:
        return activations[name]
    except (KeyError, TypeError):
        close = difflib.get_close_matches(str(name).lower(), activations)
        hint = f"did you mean {' or '.join(close)}?" if close else ", ".join(activations)
        raise ValueError(f"name must be that of an activation, not {name!r}: {hint}") from None
