"""What the expressions of _expressions.py are made of, as operations of PyTorch.

Design:
- Their derivatives are autograd's, to any order, so they must be right at 0, where torch.abs and
  torch.copysign have slope 0: here a kink has the slope of the side that the formula takes.
- PyTorch has subnormal numbers and a tail of its own; what it lacks is computed here.
"""

import math

import torch
from torch import Tensor

exp, expm1, log1p, isnan = torch.exp, torch.expm1, torch.log1p, torch.isnan
SERIES_TO = 0.5
TANH_REST = (
    0.3333333333333333, -0.13333333333333333, 0.05396825396825397, -0.021869488536155203,
    0.008863235529902197, -0.003592128036572481, 0.0014558343870513183, -0.000590027440945586,
    0.00023912911424355248, -9.691537956929451e-05, 3.927832388331683e-05, -1.5918905069328964e-05,
    6.451689215655431e-06, -2.6147711512907546e-06, 1.0597268320104654e-06, -4.294911078273806e-07,
)  # fmt: skip
"""Taylor's, by u^2: as precise as a double up to there."""


def abs(x: Tensor | float) -> Tensor | float:
    return torch.where(x >= 0, x, -x) if isinstance(x, Tensor) else math.fabs(x)


def left_abs(x: Tensor) -> Tensor:
    """With the slope of the left at 0."""
    return torch.where(x > 0, x, -x)


def clip(x: Tensor, least: Tensor, most: Tensor) -> Tensor:
    return torch.minimum(torch.maximum(x, least), most)


def copysign(u: Tensor, x: Tensor) -> Tensor:
    size = torch.where(u >= 0, u, -u)
    return torch.where(x < 0, -size, size)


def minimum(x: Tensor | float, most: float) -> Tensor | float:
    return torch.clamp(x, max=most) if isinstance(x, Tensor) else min(x, most)


def where(test: Tensor, yes: Tensor | float, no: Tensor | float, like: Tensor) -> Tensor:
    """Of two numbers, too: PyTorch would give them a dtype of its own."""
    if isinstance(yes, float) and isinstance(no, float):
        yes = torch.full((), yes, dtype=like.dtype, device=like.device)
    return torch.where(test, yes, no)


def sqrt_square_plus(u: Tensor, b: Tensor | float) -> Tensor:
    return torch.sqrt(u * u + b)


def sinc_product(k: Tensor | float, u: Tensor) -> Tensor:
    """sin(t) / t with t = k u: Taylor's near 0, where torch.sinc has no second derivative."""
    t = k * u
    is_near = torch.abs(t) < 0.1
    far, square = torch.where(is_near, 1.0, t), t * t
    series = 1 - square / 6 * (1 - square / 20 * (1 - square / 42 * (1 - square / 72)))
    return torch.where(is_near, series, torch.sin(far) / far)


def normal_tail(u: Tensor) -> Tensor:
    """e^(u^2/2) Phi(-u), constant where it multiplies 0 anyway."""
    return 0.5 * torch.special.erfcx(torch.clamp(u, max=1e3) * math.sqrt(0.5))


def tanh_rest(u: Tensor) -> Tensor:
    """(u - tanh u) / u^3 for u <= 1."""
    near = torch.clamp(u, max=SERIES_TO)
    far = torch.clamp(u, SERIES_TO, 1.0)
    square = near * near
    series = torch.full_like(u, TANH_REST[-1])
    for coefficient in reversed(TANH_REST[:-1]):
        series = series * square + coefficient
    return torch.where(u < SERIES_TO, series, (far - torch.tanh(far)) / (far * far * far))
