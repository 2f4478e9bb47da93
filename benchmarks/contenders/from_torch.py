"""PyTorch, eager and compiled, from the definition."""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import torch

import threads
from contenders.expressions import bind
from definitions import Definitions
from job import Job, K

TYPICAL_SIZE = 10**7

TORCH = Definitions(torch.sigmoid, torch.where)


def autograd(x: Any, k: Any, grad: Any) -> Any:
    """Run forward and backward, as a training step of an eager model does."""
    return torch.autograd.grad(TORCH.s4(x, k), (x, k), grad)


def eager(job: Job) -> Callable[[], Any]:
    """Prepare the job in eager mode."""
    torch.set_num_threads(threads.limit())
    x, grad = torch.from_numpy(job.x), torch.from_numpy(job.grad)
    if job.quantity == "s4_backward":
        k = torch.tensor(K, dtype=x.dtype, requires_grad=True)
        return partial(autograd, x.requires_grad_(), k, grad)
    return bind(getattr(TORCH, job.quantity), job.quantity, x, grad)


@cache
def optimised(quantity: str, dtype: torch.dtype) -> Callable[..., Any]:
    """Compile a formula, once for all sizes: one compilation a size would take minutes.

    The compiler takes the first size it sees for the typical one and drops the threads if that is
    small; so it sees a large one first. The cache of compiled graphs does not know that size.
    """
    torch._inductor.config.fx_graph_cache = False
    formula: Callable[..., Any] = torch.compile(getattr(TORCH, quantity), dynamic=True)
    large = torch.zeros(TYPICAL_SIZE, dtype=dtype)
    bind(formula, quantity, large, large)()
    return formula


def compiled(job: Job) -> Callable[[], Any]:
    """Prepare the job compiled; the backward pass is written out, which spares it the forward."""
    torch.set_num_threads(threads.limit())
    x, grad = torch.from_numpy(job.x), torch.from_numpy(job.grad)
    return bind(optimised(job.quantity, x.dtype), job.quantity, x, grad)
