"""What the modules have in common."""

from collections.abc import Mapping

import torch
import torch.fx
from torch import Tensor, nn


def along_channels(parameter: Tensor, input: Tensor, channel_dim: int) -> Tensor:
    """A parameter in the shape in which it broadcasts along the channels of an input."""
    dimensions, count = input.dim(), parameter.shape[0]
    channels = channel_dim if dimensions > 1 else 0
    fits = -dimensions <= channels < dimensions
    # A trace would warn of the comparison.
    if not fits or not (torch.jit.is_tracing() or input.shape[channels] == count):
        raise ValueError(
            f"input must have {count} channels in dimension {channels}, "
            f"not the shape {tuple(input.shape)}"
        )
    shape = [1] * dimensions
    shape[channels] = count
    return parameter.view(shape)


def for_all(parameter: Tensor, input: Tensor) -> Tensor:
    """A parameter of one element, in a shape that adds no axis to an input."""
    return parameter if input.dim() else parameter.view(())


# What they ask of an input, a symbolic trace could not.
torch.fx.wrap("along_channels")
torch.fx.wrap("for_all")


class Plain(nn.Module):
    """A module without parameters."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def extra_repr(self) -> str:
        """The options that are not usual."""
        return "inplace=True" if self.inplace else ""


class Parametric(Plain):
    """Parameters of shape (num_parameters,) along a dimension of the input, as nn.PReLU has them.

    What is not learnt is a number, and no part of the state, as in nn.LeakyReLU.
    """

    def __init__(
        self,
        initial: Mapping[str, float],
        num_parameters: int,
        learnable: bool,
        channel_dim: int,
        device: torch.device | str | None,
        dtype: torch.dtype | None,
        inplace: bool = False,
    ) -> None:
        super().__init__(inplace)
        if isinstance(num_parameters, bool) or not isinstance(num_parameters, int):
            raise TypeError(f"num_parameters must be an integer, not {num_parameters!r}")
        if num_parameters < 1:
            raise ValueError(f"num_parameters must be positive, not {num_parameters}")
        if num_parameters > 1 and not learnable:
            raise ValueError("num_parameters is that of what is learnt: learnable is False")
        self.initial = {name: float(value) for name, value in initial.items()}
        self.num_parameters, self.learnable = num_parameters, learnable
        self.channel_dim = channel_dim
        for name, value in self.initial.items():
            if learnable:
                empty = torch.empty(num_parameters, device=device, dtype=dtype)
                self.register_parameter(name, nn.Parameter(empty))
            else:
                setattr(self, name, value)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set every parameter to the number it began with."""
        for name, parameter in self.named_parameters(recurse=False):
            nn.init.constant_(parameter, self.initial[name])

    def along(self, input: Tensor) -> list[Tensor | float]:
        """The parameters in the shape that fits an input's channels."""
        values = [getattr(self, name) for name in self.initial]
        if not self.learnable:
            return values
        if self.num_parameters == 1:
            return [for_all(value, input) for value in values]
        return [along_channels(value, input, self.channel_dim) for value in values]

    def extra_repr(self) -> str:
        """The numbers it began with, and the options that are not usual."""
        parts = [f"{name}={value}" for name, value in self.initial.items()]
        if self.num_parameters != 1:
            parts.append(f"num_parameters={self.num_parameters}")
        if not self.learnable:
            parts.append("learnable=False")
        if self.channel_dim != 1:
            parts.append(f"channel_dim={self.channel_dim}")
        rest = super().extra_repr()
        return ", ".join([*parts, rest] if rest else parts)
