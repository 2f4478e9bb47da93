"""An activation within torch.func: the kernels, and the formulas' own first derivatives."""

# Design:
# - What torch.func differentiates is a Function: a derivative is then the formula's, which has its
#   limit at infinity, where the expressions' own derivatives are NaN. Derivatives of those are the
#   expressions'.
# - Not so under torch.compile, nor in forward mode within forward mode: there, Functions give zeros
#   without a word.

from typing import Any

import torch
from torch import Tensor

from s3s4.torch._stored import Kernel


def ruled(value: Kernel, backward: Kernel) -> Kernel:
    """An activation that torch.func can differentiate.

    Parameters
    ----------
    value : callable
        The operator.
    backward : callable
        Its gradients in operations of PyTorch, which can be differentiated.
    """

    class Ruled(torch.autograd.Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(*variables: Tensor) -> Any:
            return value(*variables)

        @staticmethod
        def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            ctx.save_for_backward(*inputs)
            ctx.save_for_forward(*inputs)
            ctx.set_materialize_grads(False)  # 0 times an infinite derivative

        @staticmethod
        def backward(ctx: Any, g: Tensor) -> Any:
            return backward(g, *ctx.saved_tensors)

        @staticmethod
        def jvp(ctx: Any, *tangents: Tensor | None) -> Any:
            variables = ctx.saved_tensors
            shape = torch.broadcast_shapes(*[one.shape for one in variables])
            wide = [one.expand(shape) for one in variables]
            slopes = backward(torch.ones_like(wide[0]), *wide)
            slopes = slopes if isinstance(slopes, tuple) else (slopes,)
            moved = [t * d for t, d in zip(tangents, slopes, strict=True) if t is not None]
            return sum(moved[1:], moved[0]).to(variables[0].dtype)

    recorded: Kernel = Ruled.apply
    return recorded
