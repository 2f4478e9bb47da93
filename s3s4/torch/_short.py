"""The textbook's forms in PyTorch: short, for compilers and exporters."""

import math
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace

import torch
from torch import Tensor

from s3s4 import _textbook


def softplus(x: Tensor) -> Tensor:
    """log(1 + e^x), where PyTorch's own is x from 20 on."""
    return -torch.nn.functional.logsigmoid(-x)


NAMES = SimpleNamespace(
    abs=torch.abs,
    expm1=torch.expm1,
    ones_like=torch.ones_like,
    sin=torch.sin,
    sqrt=torch.sqrt,
    tanh=torch.tanh,
    where=torch.where,
    e=math.e,
    pi=math.pi,
    sigmoid=torch.sigmoid,
    softplus=softplus,
    ndtr=torch.special.ndtr,
)


def short(name: str) -> Callable[..., Tensor]:
    """An activation as the textbook has it."""
    form: Callable[..., Tensor] = partial(getattr(_textbook, name), NAMES)
    return form


def s4_products(g: Tensor, x: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
    """Multiply g by each derivative of S4, in as few operations as its short form."""
    a, s, r = torch.sigmoid(k * x), torch.sigmoid(x), 1 / (1 + abs(x))
    steep = g * (a * (1 - a)) * (x * r - s)
    return k * steep + g * (a * (r * r) + (1 - a) * (s * (1 - s))), x * steep


PRODUCTS = {"s4": s4_products}
"""Short derivatives, of what is fused most: for all others compilers get the accurate ones."""
