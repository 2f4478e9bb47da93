"""Weights and biases of PyTorch's layers, by what stands before them."""

import math

import torch
from torch import Tensor, nn

from s3s4 import _gaussian
from s3s4.torch import _functions, _modules
from s3s4.torch._parametric import Parametric

LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
NAMES = dict(zip(_modules.__all__, _functions.__all__, strict=True))


def critical_(
    layer: nn.Module,
    activation: str | nn.Module | None,
    *parameters: float,
    generator: torch.Generator | None = None,
) -> nn.Module:
    """Fill a layer so that gradients keep their norm through many such layers.

    The weights are normal, with the gain of `s3s4.critical_init`; the bias takes off the mean of
    what comes in, and adds what is missing of the variance 1.

    Parameters
    ----------
    layer : torch.nn.Linear, Conv1d, Conv2d or Conv3d
        With a bias.
    activation : str, a module of this package or None
        What stands before the layer; None for inputs of mean 0 and variance 1, as those of the
        first layer should be.
    *parameters : float
        Of an activation that is given by its name.
    generator : torch.Generator, optional
        PyTorch's own, if not given.

    Returns
    -------
    torch.nn.Module
        The layer.

    Raises
    ------
    TypeError
        If layer or activation is of another kind.
    ValueError
        If the layer has no bias to take off a mean with, the parameters of the activation differ by
        channel, or as in `s3s4.critical_init`.

    Examples
    --------
    >>> import torch, s3s4.torch as st
    >>> neurons = st.S4(k=2.0)
    >>> layer = st.init.critical_(torch.nn.Linear(64, 32), neurons)
    """
    if not isinstance(layer, LAYERS):
        kinds = ", ".join(kind.__name__ for kind in LAYERS)
        raise TypeError(f"layer must be one of {kinds}, not {type(layer).__name__}")
    gain, bias_mean, bias_variance = _wanted(activation, parameters)
    if layer.bias is None and (bias_mean or bias_variance):
        raise ValueError(f"layer must have a bias after {_called(activation)}")
    weight = layer.weight
    with torch.no_grad():
        weight.normal_(0.0, gain / math.sqrt(weight[0].numel()), generator=generator)
        if layer.bias is not None:
            layer.bias.normal_(0.0, math.sqrt(bias_variance), generator=generator)
            sums = weight.to(torch.promote_types(weight.dtype, torch.float32)).flatten(1).sum(1)
            layer.bias.add_(bias_mean * sums)
    return layer


def _wanted(
    activation: str | nn.Module | None, parameters: tuple[float, ...]
) -> _gaussian.CriticalInit:
    if activation is None:
        return _gaussian.CriticalInit(1.0, 0.0, 0.0)
    name = _called(activation)
    if isinstance(activation, Parametric):
        values = (getattr(activation, one) for one in activation.initial)
        parameters = tuple(_number(name, one) for one in values)
    return _gaussian.critical_init(name, *parameters)


def _called(activation: object) -> str:
    if isinstance(activation, str):
        return activation
    kind = type(activation)
    if getattr(_modules, kind.__name__, None) is not kind:
        raise TypeError(f"activation must be a name or a module of s3s4.torch, not {activation!r}")
    return NAMES[kind.__name__]


def _number(name: str, value: Tensor | float) -> float:
    if not isinstance(value, Tensor):
        return value
    values = value.detach().flatten()
    first = float(values[0])
    if not bool((values == first).all()):
        raise ValueError(f"the parameters of {name} must be the same in all channels")
    return first
