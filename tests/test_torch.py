"""Values and gradients are those of PyTorch, kinks included.

# Design:
# - One line an activation, by name: what a user of PyTorch would write. Where PyTorch has no
#   function of that name it is the textbook's over its operations, and autograd differentiates it.
# - PyTorch's own rounding is the tolerance: some of its float32 functions lose several digits.
# - Where PyTorch gives NaN for a number (gelu(-inf)), this package gives the limit; where PyTorch
#   gives a number for NaN (the slope of relu), it gives NaN. Both are left out here.
"""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

import s3s4
from s3s4 import _textbook as textbook
from support import ELEMENTWISE

torch = pytest.importorskip("torch", reason="PyTorch is not installed: it is no part of [test]")
F = torch.nn.functional
pytestmark = pytest.mark.torch

VERBATIM = ("abs", "e", "expm1", "ones_like", "pi", "sin", "sqrt", "tanh")
TEXTBOOK = SimpleNamespace(
    **{name: getattr(torch, name) for name in VERBATIM},
    where=torch.where,
    sigmoid=torch.sigmoid,
    softplus=lambda x: F.softplus(x, threshold=1000.0),
    ndtr=torch.special.ndtr,
)
COUNTERPARTS = {
    "s3": partial(textbook.s3, TEXTBOOK),
    "s4": partial(textbook.s4, TEXTBOOK),
    "s3_smooth": partial(textbook.s3_smooth, TEXTBOOK),
    "sigmoid": torch.sigmoid,
    "pss": partial(textbook.pss, TEXTBOOK),
    "softsign": F.softsign,
    "rational_softsign": partial(textbook.rational_softsign, TEXTBOOK),
    "tanh": torch.tanh,
    "tanhshrink": F.tanhshrink,
    "relu": F.relu,
    "leaky_relu": lambda x, a: F.leaky_relu(x, a.item()),
    "prelu": F.prelu,
    "rrelu": lambda x, lower, upper: F.rrelu(x, lower.item(), upper.item()),
    "relu6": F.relu6,
    "hardtanh": lambda x, min, max: F.hardtanh(x, min.item(), max.item()),
    "hardsigmoid": F.hardsigmoid,
    "hardswish": F.hardswish,
    "threshold": lambda x, threshold: slope(F.threshold, x, threshold.item(), 0.0),
    "softshrink": lambda x, lambd: F.softshrink(x, lambd.item()),
    "hardshrink": lambda x, lambd: F.hardshrink(x, lambd.item()),
    "elu": lambda x, alpha: F.elu(x, alpha.item()),
    "celu": lambda x, alpha: F.celu(x, alpha.item()),
    "selu": F.selu,
    "logsigmoid": F.logsigmoid,
    "snake": partial(textbook.snake, TEXTBOOK),
    "squareplus": partial(textbook.squareplus, TEXTBOOK),
    "quick_gelu": partial(textbook.quick_gelu, TEXTBOOK),
    "softplus": lambda x, beta, threshold: F.softplus(x, beta.item(), threshold.item()),
    "silu": F.silu,
    "swish": partial(textbook.swish, TEXTBOOK),
    "mish": F.mish,
    "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
}
KINKS = np.array([0.0, 0.5, 1.0, 3.0, 6.0, 20.0, 1e-8, 30.0, 88.0, np.inf])
TOLERANCE = {
    np.float64: {"rtol": 1e-9, "atol": 1e-14},
    np.float32: {"rtol": 2e-4, "atol": 3e-6},
}
# PyTorch's slope of hardsigmoid is 1/6 in float32 for doubles too.
COARSE = {"hardsigmoid": 1e-7}


def slope(function, x, *parameters):
    """Differentiate by x, which is cut off from any other graph."""
    x = x.detach().requires_grad_()
    return torch.autograd.grad(function(x, *parameters).sum(), x)[0]


def points(dtype):
    drawn = np.random.default_rng(0).uniform(-12, 12, 2000)
    return np.concatenate([drawn, KINKS, -KINKS]).astype(dtype)


def assert_close(actual, wanted, dtype, name=None):
    wanted = wanted.detach().numpy()
    tolerance = dict(TOLERANCE[dtype])
    tolerance["rtol"] = max(tolerance["rtol"], COARSE.get(name, 0.0))
    known = ~np.isnan(wanted)
    assert known.mean() > 0.99
    np.testing.assert_allclose(actual[known], wanted[known], **tolerance)


def test_every_activation_has_a_counterpart():
    assert COUNTERPARTS.keys() == ELEMENTWISE.keys()


@pytest.mark.parametrize("dtype", TOLERANCE, ids=lambda dtype: dtype.__name__)
@pytest.mark.parametrize("name", COUNTERPARTS)
def test_value(name, dtype):
    x, activation = points(dtype), s3s4.get(name)
    parameters = [torch.tensor(v, dtype=torch.float64) for v in activation.parameters.values()]
    if name == "prelu":
        parameters = [p.to(torch.from_numpy(x).dtype)[None] for p in parameters]
    wanted = COUNTERPARTS[name](torch.from_numpy(x), *parameters)
    assert_close(activation(x), wanted, dtype)
    assert np.isnan(activation(dtype(np.nan)))


@pytest.mark.parametrize("dtype", TOLERANCE, ids=lambda dtype: dtype.__name__)
@pytest.mark.parametrize("name", sorted(COUNTERPARTS.keys() - {"threshold"}))
def test_backward(name, dtype):
    x, activation = points(dtype), s3s4.get(name)
    x = x[np.isfinite(x)]
    grad_output = np.random.default_rng(1).uniform(-2, 2, x.shape).astype(dtype)
    kind = torch.from_numpy(x).dtype
    values = [torch.tensor(v, dtype=kind) for v in activation.parameters.values()]
    if name == "prelu":
        values = [value[None] for value in values]
    leaves = [torch.from_numpy(x.copy()), *values]
    for leaf in leaves:
        leaf.requires_grad_()
    y = COUNTERPARTS[name](*leaves)
    y.backward(torch.from_numpy(grad_output))
    gradients = activation.backward(grad_output, x)
    gradients = gradients if isinstance(gradients, tuple) else (gradients,)
    assert_close(gradients[0], leaves[0].grad, dtype, name)
    for ours, theirs in zip(gradients[1:], leaves[1:], strict=True):
        if theirs.grad is not None:  # parameters that PyTorch's functions take as numbers
            scale = np.abs(grad_output).sum() * np.finfo(dtype).eps * 100
            assert abs(ours - theirs.grad.item()) <= scale


@pytest.mark.parametrize("name", ["softshrink", "hardshrink"])
def test_shrinking_by_nothing_has_no_slope_at_zero(name):
    x = np.array([-1.0, 0.0, 1.0])
    wanted = slope(getattr(F, name), torch.from_numpy(x), 0.0)
    np.testing.assert_array_equal(getattr(s3s4, name).derivative(x, 0.0), wanted.numpy())


@pytest.mark.parametrize("dtype", TOLERANCE, ids=lambda dtype: dtype.__name__)
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_gradients_of_the_textbook(name, dtype):
    """No NaN from what is not taken, at any finite x; at kinks those of this package."""
    activation = ELEMENTWISE[name]
    x = points(dtype)
    x = np.concatenate([x[np.isfinite(x)], np.array([1e4, 1e15, -1e4, -1e15], dtype)])
    leaves = [torch.from_numpy(x.copy())]
    leaves += [torch.full_like(leaves[0], value) for value in activation.parameters.values()]
    for leaf in leaves:
        leaf.requires_grad_()
    y = getattr(textbook, name)(TEXTBOOK, *leaves)
    gradients = torch.autograd.grad(y.sum(), leaves, allow_unused=True, materialize_grads=True)
    # The slope of a sigmoid is rounded at 1, and that of swish by beta has x^2 beside it.
    tolerance = {"rtol": TOLERANCE[dtype]["rtol"], "atol": 144 * np.finfo(dtype).eps}
    for wrt, found in zip(("x", *activation.parameters), gradients, strict=True):
        wanted = activation.derivative(x, wrt=wrt)
        assert torch.isfinite(found).all(), wrt
        near = np.abs(x) <= 12
        np.testing.assert_allclose(found.numpy()[near], wanted[near], **tolerance, err_msg=wrt)
