"""One call of an activation: its arguments, and which of its forms computes it."""

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from s3s4._table import TABLE
from s3s4.torch import _ops
from s3s4.torch._ops import (
    PLAIN,
    PLAINLY,
    expressions,
    in_operations,
    takes_functions,
    transformed,
    unobserved,
)
from s3s4.torch._ruled import ruled
from s3s4.torch._short import short
from s3s4.torch._stored import HALF

OPERATORS = {name: getattr(torch.ops.s3s4, name).default for name in TABLE}
TRACED = {name: getattr(getattr(torch.ops, _ops.TRACED), name).default for name in TABLE}
NUMBERS = (float, int, torch.SymFloat, torch.SymInt)
EXPRESSIONS = {name: expressions(name) for name in TABLE}
RULED = {name: ruled(OPERATORS[name], backward) for name, (_, backward) in EXPRESSIONS.items()}
SHORT = {name: in_operations(short(name)) for name in TABLE}
COMPUTED = {dtype: dtype for dtype in (torch.float32, torch.float64)}
COMPUTED |= dict.fromkeys(HALF, torch.float32)
"""The precision of what is computed, and of a parameter beside it."""

_grad_enabled = torch.is_grad_enabled


def apply(name: str, input: Tensor, inplace: bool, *parameters: Tensor | float) -> Tensor:
    """The activation of an input.

    Raises
    ------
    TypeError
        If input is no tensor of a floating type, or a parameter neither such a tensor nor a number.
    """
    if not inplace and unobserved() and on_cpu(input):
        value: Any
        variables = [input]
        recorded = input.requires_grad
        dtype = COMPUTED.get(input.dtype)
        for value in parameters:
            if type(value) is float and value:
                value = number(value, dtype)
            elif not on_cpu(value) or value.dtype is not dtype:
                break
            elif value.requires_grad:
                recorded = True
            variables.append(value)
        else:
            if dtype is not None:
                return PLAINLY[name][recorded and _grad_enabled()](*variables)
    variables = [input, *checked(name, input, parameters)]
    if not inplace:
        return evaluate(name, variables)
    # What is overwritten would be missing in the backward pass.
    return input.copy_(evaluate(name, [input.clone(), *variables[1:]]))


def on_cpu(value: Any) -> bool:
    """Whether it is a tensor, of no class of its own, in the CPU's memory."""
    return type(value) in PLAIN and value.is_cpu


@lru_cache
def number(value: float, dtype: torch.dtype) -> Tensor:
    """A number that many calls share, and nobody else sees. Not 0, whose sign would be lost."""
    with torch.inference_mode(False):
        return torch.full((), value, dtype=dtype, device="cpu")


def checked(name: str, input: Tensor, parameters: tuple[Tensor | float, ...]) -> list[Tensor]:
    """The parameters as tensors."""
    if not isinstance(input, Tensor):
        raise TypeError(f"input must be a torch.Tensor, not {type(input).__name__}")
    if not input.dtype.is_floating_point:
        raise TypeError(f"input must be of a floating dtype, not {input.dtype}")
    # A parameter beside half precision is as precise as what is computed with it.
    dtype = COMPUTED.get(input.dtype, input.dtype)
    tensors = []
    for called, value in zip(TABLE[name].parameters, parameters, strict=True):
        if isinstance(value, NUMBERS):
            value = torch.full((), value, dtype=dtype, device=input.device)
        elif not isinstance(value, Tensor):
            kind = type(value).__name__
            raise TypeError(f"{called} must be a number or a torch.Tensor, not {kind}")
        elif not value.dtype.is_floating_point:
            raise TypeError(f"{called} must be of a floating dtype, not {value.dtype}")
        elif value.dtype is not dtype:
            value = value.to(dtype)
        tensors.append(value)
    return tensors


def evaluate(name: str, variables: list[Tensor]) -> Tensor:
    if torch.compiler.is_compiling():
        return (SHORT if torch.compiler.is_exporting() else TRACED)[name](*variables)
    if torch.jit.is_tracing():
        return SHORT[name](*variables)
    if takes_functions():
        return RULED[name](*variables)
    if transformed():
        return EXPRESSIONS[name][0](*variables)
    if unobserved() and all(map(on_cpu, variables)):
        recorded = _grad_enabled() and any(one.requires_grad for one in variables)
        return PLAINLY[name][recorded](*variables)
    return OPERATORS[name](*variables)
