"""One call of an activation: its arguments, and which of its forms computes it."""

import torch
from torch import Tensor

from s3s4._table import TABLE
from s3s4.torch._on_cpu import takes
from s3s4.torch._ops import expressions, in_operations, past_dispatch, transformed
from s3s4.torch._short import short
from s3s4.torch._stored import HALF

OPERATORS = {name: getattr(torch.ops.s3s4, name).default for name in TABLE}
TRACED = {name: getattr(torch.ops.s3s4_traced, name).default for name in TABLE}
NUMBERS = (float, int, torch.SymFloat, torch.SymInt)
EXPRESSIONS = {name: expressions(name)[0] for name in TABLE}
PAST_DISPATCH = {name: past_dispatch(name) for name in TABLE}
SHORT = {name: in_operations(short(name)) for name in TABLE}


def apply(name: str, input: Tensor, inplace: bool, *parameters: Tensor | float) -> Tensor:
    """The activation of an input.

    Raises
    ------
    TypeError
        If input is no tensor of a floating type, or a parameter neither such a tensor nor a number.
    """
    if not isinstance(input, Tensor):
        raise TypeError(f"input must be a torch.Tensor, not {type(input).__name__}")
    if not input.dtype.is_floating_point:
        raise TypeError(f"input must be of a floating dtype, not {input.dtype}")
    # A parameter beside half precision is as precise as what is computed with it.
    dtype = torch.float32 if input.dtype in HALF else input.dtype
    variables = [input]
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
        variables.append(value)
    if not inplace:
        return evaluate(name, variables)
    # What is overwritten would be missing in the backward pass.
    return input.copy_(evaluate(name, [input.clone(), *variables[1:]]))


def evaluate(name: str, variables: list[Tensor]) -> Tensor:
    if torch.compiler.is_compiling():
        return (SHORT if torch.compiler.is_exporting() else TRACED)[name](*variables)
    if torch.jit.is_tracing():
        return SHORT[name](*variables)
    if transformed():
        return EXPRESSIONS[name](*variables)
    if takes(variables):
        recorded = torch.is_grad_enabled() and any(one.requires_grad for one in variables)
        return PAST_DISPATCH[name][recorded](*variables)
    return OPERATORS[name](*variables)
