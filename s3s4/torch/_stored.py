"""What is stored in half precision is computed in single."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Kernel = Callable[..., Any]
HALF = (torch.bfloat16, torch.float16)


def stored(tensor: Tensor, like: Tensor) -> Tensor:
    """In the dtype of another one."""
    return tensor if tensor.dtype is like.dtype else tensor.to(like.dtype)


def in_single(given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Nothing in half precision."""
    return tuple([one.float() if one.dtype in HALF else one for one in given])


def gradients(found: tuple[Tensor, ...], variables: tuple[Tensor, ...]) -> Any:
    """Of each variable, in its dtype: one alone is no tuple, as PyTorch wants it."""
    if len(found) == 1:
        return stored(found[0], variables[0])
    return tuple([stored(one, like) for one, like in zip(found, variables, strict=True)])
