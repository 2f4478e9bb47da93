"""Where an array of another library lies, told without CUDA and without touching its memory."""

from collections.abc import Sequence
from typing import Any

import numpy as np

CUDA, CUDA_MANAGED = 2, 13
"""The kinds of memory that a GPU of NVIDIA's can read, as DLPack numbers them."""
NUMBERS = (float, int)
UNDERSTOOD = ("__array__", "__array_interface__", "__array_struct__", "__array_ufunc__")
"""What NumPy asks a value for by itself."""


def lies_on_device(value: Any) -> bool:
    """Whether a value is an array on a GPU."""
    kind = type(value)
    if kind is np.ndarray:
        return False
    # Numba's simulator has arrays of its own.
    if hasattr(kind, "__cuda_ndarray__"):
        return True
    # Asked first: what torch's tensors show by the other way takes longer, and not all can.
    if hasattr(kind, "__dlpack_device__"):
        return value.__dlpack_device__()[0] in (CUDA, CUDA_MANAGED)
    return hasattr(kind, "__cuda_array_interface__") and hasattr(value, "__cuda_array_interface__")


def on_host(name: str, value: Any) -> Any:
    """The value, or NumPy's view of an array that says what it holds by DLPack alone.

    Raises
    ------
    TypeError
        If it is a tensor whose gradient is recorded, which would be lost.
    """
    kind = type(value)
    if kind in NUMBERS:
        return value
    if getattr(value, "requires_grad", False) is True:
        raise TypeError(
            f"{name} requires grad, and its gradient would be lost: call the function of the same "
            f"name in s3s4.torch (s3s4.torch.s4), or this one on {name}.detach()"
        )
    if not hasattr(kind, "__dlpack__") or any(hasattr(kind, way) for way in UNDERSTOOD):
        return value
    return value if lies_on_device(value) else np.from_dlpack(value)


def require_beside(names: Sequence[str], values: Sequence[Any]) -> None:
    """Refuse a parameter on a GPU beside an x on the host, which would be copied in silence.

    Parameters
    ----------
    names : sequence of str
    values : sequence
        x first.

    Raises
    ------
    TypeError
    """
    for name, value in zip(names[1:], values[1:], strict=True):
        if lies_on_device(value) and not lies_on_device(values[0]):
            raise TypeError(
                f"{name} is on the GPU and {names[0]} is not: move {names[0]} there, or {name} "
                "to the host"
            )
