"""An operator of PyTorch for each activation: torch.ops.s3s4.<name> and <name>_backward.

Design:
- The CPU runs the kernels; every other device, and whatever must be differentiated further, runs
  the expressions, which are plain operations of PyTorch.
- What happens under autograd is decided by a kernel at the operators' Autograd key. Both ways that
  PyTorch documents (register_autograd, an autograd.Function alone) give zeros without a word where
  torch.compile meets torch.func. In plain autograd it is a Function that saves the inputs alone;
  within functorch, in forward mode and for second derivatives it is the expressions.
- torch.ops.s3s4_traced.<name> is the same to a compiler: the textbook's short form, with the
  formulas' own first derivatives, all of which can be fused with what stands around them.
"""

from functools import partial
from typing import Any

import torch
from torch import Tensor

from s3s4 import _array_forms
from s3s4._array_primitives import Primitives
from s3s4._table import TABLE
from s3s4.torch._on_cpu import empty_output, on_cpu, takes
from s3s4.torch._short import short
from s3s4.torch._stored import Kernel, gradients, in_single, stored

TAGS = (torch.Tag.pt2_compliant_tag,)
library = torch.library.Library("s3s4", "DEF")
traced_library = torch.library.Library("s3s4_traced", "DEF")

_level = torch._C._functorch.maybe_current_level
_forward_ad = torch.autograd.forward_ad
_below_autograd: Any = torch._C._AutoDispatchBelowAutograd


def transformed() -> bool:
    """Whether torch.func or forward mode is at work, at any depth."""
    return _level() is not None or _forward_ad._current_level >= 0


def constant(value: float, like: Tensor) -> Tensor:
    """Of two numbers torch.where makes what the default dtype is."""
    return torch.full((), value, dtype=like.dtype, device=like.device)


PRIMITIVES = Primitives(torch, constant)


def in_operations(form: Kernel) -> Kernel:
    """An activation over tensors of any precision."""

    def value(*variables: Tensor) -> Tensor:
        return stored(form(*in_single(variables)), variables[0])

    return value


def expressions(name: str) -> tuple[Kernel, Kernel]:
    """The value and g times each derivative, in operations of PyTorch."""
    of_value = partial(getattr(_array_forms, name), PRIMITIVES)
    of_products = partial(getattr(_array_forms, f"{name}_backward"), PRIMITIVES)

    def backward(g: Tensor, *variables: Tensor) -> Any:
        products = of_products(*in_single((g, *variables)))
        products = products if isinstance(products, tuple) else (products,)
        summed = tuple(
            one if one.shape == like.shape else one.sum_to_size(like.shape)
            for one, like in zip(products, variables, strict=True)
        )
        return gradients(summed, variables)

    return in_operations(of_value), backward


def empty_gradients(g: Tensor, *variables: Tensor) -> Any:
    """Room for the gradients."""
    return gradients(tuple(map(torch.empty_like, variables)), variables)


def define(name: str) -> None:
    """Register the operators of an activation."""
    parameters = "".join(f", Tensor {parameter}" for parameter in TABLE[name].parameters)
    gradients = ", ".join(["Tensor"] * (1 + len(TABLE[name].parameters)))
    value, backward = expressions(name)

    library.define(f"{name}(Tensor input{parameters}) -> Tensor", tags=TAGS)
    library.define(
        f"{name}_backward(Tensor grad_output, Tensor input{parameters}) -> ({gradients})", tags=TAGS
    )
    operator = getattr(torch.ops.s3s4, name).default
    operator_backward = getattr(torch.ops.s3s4, f"{name}_backward").default
    cpu, cpu_backward = on_cpu(name)
    for suffix, kernel, text, meta in (
        ("", cpu, value, empty_output),
        ("_backward", cpu_backward, backward, empty_gradients),
    ):
        library.impl(name + suffix, kernel, "CPU")
        library.impl(name + suffix, meta, "Meta")
        library.impl(name + suffix, text, "CompositeExplicitAutograd")
        library.impl(name + suffix, text, "FuncTorchBatched")
    recorded = function(operator, operator_backward)
    library.impl(name, at_autograd(operator, value, recorded), "Autograd")
    library.impl(f"{name}_backward", at_autograd(operator_backward, backward, backward), "Autograd")

    traced_library.define(f"{name}(Tensor input{parameters}) -> Tensor", tags=TAGS)
    textbook = in_operations(short(name))
    traced_library.impl(name, textbook, "CompositeExplicitAutograd")
    traced_library.impl(name, value, "FuncTorchBatched")
    recorded = function(textbook, backward)
    traced_library.impl(name, at_autograd(textbook, value, recorded), "Autograd")


def function(value: Kernel, backward: Kernel) -> Kernel:
    """What plain autograd sees: it saves the inputs alone."""

    class Saved(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *variables: Tensor) -> Tensor:
            ctx.save_for_backward(*variables)
            with _below_autograd():
                result: Tensor = value(*variables)
            return result

        @staticmethod
        def backward(ctx: Any, g: Tensor) -> Any:
            return backward(g, *ctx.saved_tensors)

    recorded: Kernel = Saved.apply
    return recorded


def past_dispatch(name: str) -> tuple[Kernel, Kernel]:
    """The kernels for eager calls on the CPU, without gradients and recorded.

    PyTorch's dispatcher takes several times as long as a thousand elements.
    """
    value, backward = on_cpu(name)
    operator = getattr(torch.ops.s3s4, f"{name}_backward").default

    def at_once(*given: Tensor) -> Any:
        usual = not (torch.is_grad_enabled() or torch.compiler.is_compiling() or transformed())
        return (backward if usual and takes(given) else operator)(*given)

    return value, function(value, at_once)


def at_autograd(below: Kernel, transformable: Kernel, differentiable: Kernel) -> Kernel:
    """The kernel at the Autograd key."""

    def kernel(*given: Tensor) -> Any:
        if transformed():
            return transformable(*given)
        if torch.is_grad_enabled() and any(one.requires_grad for one in given):
            return differentiable(*given)
        with _below_autograd():
            return below(*given)

    return kernel


for _name in TABLE:
    define(_name)
