"""The CPU's kernels over the memory of tensors."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from s3s4 import _cpu
from s3s4.torch._stored import Kernel, gradients, in_single, stored

PLAIN = (Tensor, nn.Parameter)
_modes = torch._C._len_torch_dispatch_stack


def takes(tensors: Sequence[Tensor]) -> bool:
    """Whether the kernels may have them at once: nobody listens to what PyTorch dispatches."""
    if _modes():
        return False
    for one in tensors:
        if type(one) not in PLAIN or not one.is_cpu or one.layout is not torch.strided:
            return False
    return True


def on_cpu(name: str) -> tuple[Kernel, Kernel]:
    """An activation, and g times each derivative."""

    def value(*variables: Tensor) -> Tensor:
        inputs = in_single(variables)
        y = empty_output(*inputs)
        follow_threads()
        x, *parameters = [as_array(one) for one in inputs]
        _cpu.kernels.evaluate(name, tuple(y.shape), (x, *parameters), (y.numpy(),), len(parameters))
        return stored(y, variables[0])

    def backward(g: Tensor, *variables: Tensor) -> Any:
        follow_threads()
        grad, x, *parameters = [as_array(one) for one in in_single((g, *variables))]
        found = _cpu.arrays.backward(name, grad, x, parameters)
        tensors = [
            torch.from_numpy(one)
            if one.shape == like.shape
            else torch.from_numpy(one).view(like.shape)
            for one, like in zip(found, variables, strict=True)
        ]
        return gradients(tuple(tensors), variables)

    return value, backward


def as_array(tensor: Tensor) -> np.ndarray:
    """A tensor's memory; one element broadcasts like a number, which is what is fast."""
    array: np.ndarray = tensor.detach().resolve_neg().numpy()
    return array.reshape(()) if array.size == 1 and array.ndim else array


def empty_output(x: Tensor, *parameters: Tensor) -> Tensor:
    """Room for the result, laid out as x is where it has its shape."""
    shape = x.shape
    if any(one.dim() for one in parameters):
        shape = torch.broadcast_shapes(shape, *[one.shape for one in parameters])
    return torch.empty_like(x) if x.shape == shape else x.new_empty(shape)


def follow_threads() -> None:
    """Use no more threads than PyTorch does."""
    _cpu.threads.follow_block()
    most = torch.get_num_threads()
    if most < _cpu.kernels.threads_now():
        _cpu.kernels.set_local_threads(most)
