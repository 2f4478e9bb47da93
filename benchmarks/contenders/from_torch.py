"""PyTorch, eager and compiled: its own functions, from the definition where it has none."""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import torch
import torch.nn.functional as F

import threads
from contenders.expressions import arrays, bind, settled
from definitions import Definitions
from job import Job, K, parameters, split

TYPICAL_SIZE = 10**7


def choose(condition: Any, one: float, other: float, x: Any) -> Any:
    """Return one or the other number in the type of x."""
    return torch.full_like(x, other).masked_fill(condition, one)


TORCH = Definitions(
    abs=torch.abs,
    exp=torch.exp,
    expm1=torch.expm1,
    log1p=torch.log1p,
    ones_like=torch.ones_like,
    sin=torch.sin,
    sqrt=torch.sqrt,
    tanh=torch.tanh,
    where=torch.where,
    choose=choose,
    sigmoid=torch.sigmoid,
    ndtr=torch.special.ndtr,
)

OWN: dict[str, Callable[..., Any]] = {
    "softsign": F.softsign,
    "tanhshrink": F.tanhshrink,
    "relu": F.relu,
    "leaky_relu": F.leaky_relu,
    "prelu": lambda x, a: F.prelu(x, x.new_tensor([a])),
    "rrelu": F.rrelu,
    "relu6": F.relu6,
    "hardtanh": F.hardtanh,
    "hardsigmoid": F.hardsigmoid,
    "hardswish": F.hardswish,
    "softshrink": F.softshrink,
    "hardshrink": F.hardshrink,
    "elu": F.elu,
    "celu": F.celu,
    "selu": F.selu,
    "logsigmoid": F.logsigmoid,
    "softplus": F.softplus,
    "silu": F.silu,
    "mish": F.mish,
    "gelu": F.gelu,
    "gelu_tanh": partial(F.gelu, approximate="tanh"),
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
}
"""Its functions by the names of ours; parameters come in the same order."""


def autograd(x: Any, k: Any, grad: Any) -> Any:
    """Run forward and backward, as a training step of an eager model does."""
    return torch.autograd.grad(TORCH.formula("s4")(x, k), (x, k), grad)


def eager(job: Job) -> Callable[[], Any]:
    """Prepare the job in eager mode."""
    torch.set_num_threads(threads.limit())
    x, grad = torch.from_numpy(job.x), torch.from_numpy(job.grad)
    if job.quantity == "s4_backward":
        k = torch.tensor(K, dtype=x.dtype, requires_grad=True)
        return partial(autograd, x.requires_grad_(), k, grad)
    name, what = split(job.quantity)
    if name in OWN and what == "dx":
        # The backward pass alone, as if a training step had paid for the forward one.
        value = OWN[name](x.requires_grad_(), *parameters(name))
        ones = torch.ones_like(x)
        return lambda: torch.autograd.grad(value, x, ones, retain_graph=True)[0]
    return bind(OWN.get(job.quantity) or TORCH.formula(job.quantity), job.quantity, x, grad)


INTO: dict[str, tuple[str, dict[str, Any]]] = {
    "sigmoid": ("sigmoid", {}),
    "tanh": ("tanh", {}),
    "gelu": ("gelu", {}),
    "gelu_tanh": ("gelu", {"approximate": "tanh"}),
    "silu": ("silu", {}),
    "mish": ("mish", {}),
    "elu": ("elu", {}),
    "softplus": ("softplus", {}),
    "hardswish": ("hardswish", {}),
}
"""Those that take an output, under their names in ATen."""


def into_out(job: Job) -> Callable[[], Any]:
    """Prepare the job in eager mode with the output given."""
    if job.quantity not in INTO:
        raise NotImplementedError("it takes no output")
    torch.set_num_threads(threads.limit())
    name, options = INTO[job.quantity]
    function = getattr(torch.ops.aten, name).out
    x, out = torch.from_numpy(job.x), torch.from_numpy(job.out[0])
    return partial(function, x, **options, out=out)


@cache
def optimised(quantity: str, dtype: torch.dtype) -> Callable[..., Any]:
    """Compile a formula, once for all sizes: one compilation a size would take minutes.

    The compiler takes the first size it sees for the typical one and drops the threads if that is
    small; so it sees a large one first. The cache of compiled graphs does not know that size.
    """
    torch._inductor.config.fx_graph_cache = False
    definition = OWN.get(quantity) or TORCH.formula(quantity)
    function = settled(definition, quantity)
    # Its compilations are counted and looked up by code object; all formulas would share this one.
    function.__code__ = function.__code__.replace(co_name=quantity)
    formula: Callable[..., Any] = torch.compile(function, dynamic=True)
    large = torch.zeros(TYPICAL_SIZE, dtype=dtype)
    formula(*arrays(quantity, large, large))
    return formula


def compiled(job: Job) -> Callable[[], Any]:
    """Prepare the job compiled; derivatives are written out, which spares it the forward pass."""
    torch.set_num_threads(threads.limit())
    x, grad = torch.from_numpy(job.x), torch.from_numpy(job.grad)
    return partial(optimised(job.quantity, x.dtype), *arrays(job.quantity, x, grad))
