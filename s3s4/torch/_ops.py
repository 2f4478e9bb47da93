"""An operator of PyTorch for each activation: torch.ops.s3s4.<name> and <name>_backward.

Design:
- The CPU runs the kernels, which C hands to PyTorch; every other device, and whatever must be
  differentiated further, runs the expressions, which are plain operations of PyTorch.
- What happens under autograd is decided by a kernel at the operators' Autograd key. Both ways that
  PyTorch documents (register_autograd, an autograd.Function alone) give zeros without a word where
  torch.compile meets torch.func. In plain autograd it is a Function that saves the inputs alone;
  within functorch, in forward mode and for second derivatives it is the expressions.
- torch.ops.s3s4_traced_<fingerprint>.<name> is the same to a compiler: the textbook's short form,
  with first derivatives of our own, all of which can be fused with what stands around them. PyTorch
  keeps what it compiled on disk, by the names of operators: what they compute is part of the name.
- torch.ops.s3s4_plain.<name> has no kernel but the CPU's, and its caller rules out all else: a
  call through a kernel in Python takes several times as long as a thousand elements. They are
  registered when they are first used, which takes as long as importing this.
"""

import ctypes
import sys
import threading
import zlib
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from s3s4 import _array_forms, _textbook
from s3s4._array_primitives import Primitives
from s3s4._cpu import version
from s3s4._table import TABLE
from s3s4.torch import _operators, _short
from s3s4.torch._short import PRODUCTS, short
from s3s4.torch._stored import Kernel, gradients, in_single, stored

TAGS = (torch.Tag.pt2_compliant_tag,)
PLAIN = (Tensor, nn.Parameter)
SHIM = {"darwin": "libtorch_cpu.dylib", "win32": "torch_cpu.dll"}.get(
    sys.platform, "libtorch_cpu.so"
)
"""The library that has PyTorch's C interface."""
library = torch.library.Library("s3s4", "DEF")
plain_library = torch.library.Library("s3s4_plain", "DEF")

_level = torch._C._functorch.maybe_current_level
_modes = torch._C._len_torch_dispatch_stack
_is_tracing = torch._C._is_tracing
_transforms: Any = torch._functorch.eager_transforms
_forward_ad = torch.autograd.forward_ad
_below_autograd: Any = torch._C._AutoDispatchBelowAutograd


def transformed() -> bool:
    """Whether torch.func or forward mode is at work, at any depth."""
    return _level() is not None or _forward_ad._current_level >= 0


def takes_functions() -> bool:
    """Whether torch.func alone is, and differentiates a Function rightly."""
    forward = _transforms.JVP_NESTING
    return _level() is not None and (forward == 1 or _forward_ad._current_level < 0)


def unobserved() -> bool:
    """Whether nothing but plain autograd listens to what is called."""
    return not (torch.compiler.is_compiling() or _modes() or _is_tracing() or transformed())


def constant(value: float, like: Tensor) -> Tensor:
    """Of two numbers torch.where makes what the default dtype is."""
    return torch.full((), value, dtype=like.dtype, device=like.device)


PRIMITIVES = Primitives(torch, constant)


def fingerprint(*paths: str | None) -> str:
    """What tells the text of some files, of this version, from any other."""
    digest = zlib.crc32(version.encode())
    for path in filter(None, paths):
        # In a frozen application modules have no file. Its texts are those of its version.
        with suppress(OSError):
            digest = zlib.crc32(Path(path).read_bytes(), digest)
    return f"{digest:08x}"


TRACED = f"s3s4_traced_{fingerprint(_array_forms.__file__, _short.__file__, _textbook.__file__)}"
traced_library = torch.library.Library(TRACED, "DEF")


def in_operations(form: Kernel) -> Kernel:
    """An activation over tensors of any precision."""

    def value(*variables: Tensor) -> Tensor:
        return stored(form(*in_single(variables)), variables[0])

    return value


def expressions(name: str) -> tuple[Kernel, Kernel]:
    """The value and g times each derivative, in operations of PyTorch."""
    of_value = partial(getattr(_array_forms, name), PRIMITIVES)
    of_products = partial(getattr(_array_forms, f"{name}_backward"), PRIMITIVES)
    return in_operations(of_value), summing(of_products)


def summing(of_products: Kernel) -> Kernel:
    """The gradients of tensors of any precision, of g times each derivative."""

    def backward(g: Tensor, *variables: Tensor) -> Any:
        products = of_products(*in_single((g, *variables)))
        products = products if isinstance(products, tuple) else (products,)
        summed = tuple(
            one if one.shape == like.shape else one.sum_to_size(like.shape)
            for one, like in zip(products, variables, strict=True)
        )
        return gradients(summed, variables)

    return backward


def require_one_device(variables: tuple[Tensor, ...]) -> None:
    """Refuse tensors of several devices, as PyTorch does; numbers may lie anywhere."""
    devices = dict.fromkeys(one.device for one in variables if one.dim())
    if len(devices) > 1:
        names = " and ".join(map(str, devices))
        raise RuntimeError(f"all tensors must be on the same device, but there are {names}")


def empty_output(x: Tensor, *parameters: Tensor) -> Tensor:
    """Room for the result, laid out as x is where it has its shape."""
    require_one_device((x, *parameters))
    shape = torch.broadcast_shapes(x.shape, *[one.shape for one in parameters])
    return torch.empty_like(x) if x.shape == shape else x.new_empty(shape)


def empty_gradients(g: Tensor, *variables: Tensor) -> Any:
    """Room for the gradients."""
    require_one_device((g, *variables))
    return gradients(tuple(map(torch.empty_like, variables)), variables)


def signature(name: str) -> tuple[str, str]:
    """What an activation takes, and its gradients."""
    parameters = TABLE[name].parameters
    variables = "".join(f", Tensor {parameter}" for parameter in parameters)
    return f"Tensor input{variables}", ", ".join(["Tensor"] * (1 + len(parameters)))


def define(name: str) -> None:
    """Register the operators of an activation."""
    variables, gradients = signature(name)
    value, backward = expressions(name)

    library.define(f"{name}({variables}) -> Tensor", tags=TAGS)
    library.define(f"{name}_backward(Tensor grad_output, {variables}) -> ({gradients})", tags=TAGS)
    for suffix, text, meta in (("", value, empty_output), ("_backward", backward, empty_gradients)):
        library.impl(name + suffix, meta, "Meta")
        library.impl(name + suffix, text, "CompositeExplicitAutograd")
    _operators.implement("s3s4", name)
    below = getattr(torch.ops.s3s4, name).default
    below_backward = getattr(torch.ops.s3s4, f"{name}_backward").default
    torch.library.register_vmap(f"s3s4::{name}", batched(below), lib=library)
    library.impl(f"{name}_backward", backward, "FuncTorchBatched")
    recorded = function(below, below_backward)
    library.impl(name, at_autograd(below, value, recorded), "Autograd")
    library.impl(f"{name}_backward", at_autograd(below_backward, backward, backward), "Autograd")

    traced_library.define(f"{name}({variables}) -> Tensor", tags=TAGS)
    textbook = in_operations(short(name))
    traced_library.impl(name, textbook, "CompositeExplicitAutograd")
    traced_library.impl(name, value, "FuncTorchBatched")
    recorded = function(textbook, summing(PRODUCTS[name]) if name in PRODUCTS else backward)
    traced_library.impl(name, at_autograd(textbook, value, recorded), "Autograd")


def batched(operator: Kernel) -> Kernel:
    """How torch.vmap calls it: elements know nothing of axes."""

    def rule(_: Any, axes: tuple[int | None, ...], *given: Tensor) -> Any:
        pairs = list(zip(given, axes, strict=True))
        dimensions = max(one.dim() - (axis is not None) for one, axis in pairs)
        moved = []
        for one, axis in pairs:
            if axis is not None:
                first = one.movedim(axis, 0)
                missing = [1] * (1 + dimensions - first.dim())
                one = first.reshape(first.shape[0], *missing, *first.shape[1:])
            moved.append(one)
        return operator(*moved), 0

    return rule


def find_kernels() -> None:
    """Find what the kernels on the CPU need of PyTorch."""
    shim = ctypes.CDLL(str(Path(torch.__file__).parent / "lib" / SHIM))

    def find(name: str) -> int | None:
        return ctypes.cast(getattr(shim, name), ctypes.c_void_p).value

    _operators.find_functions(find)


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


class Plainly(dict[str, tuple[Kernel, Kernel]]):
    """Of each activation what nobody else listens to: without gradients, and recorded."""

    lock = threading.Lock()

    def __missing__(self, name: str) -> tuple[Kernel, Kernel]:
        with self.lock:
            if name not in self:
                self[name] = plainly(name)
        return self[name]


PLAINLY = Plainly()


def plainly(name: str) -> tuple[Kernel, Kernel]:
    """The kernels on the CPU, of an operator of their own, without gradients and recorded."""
    variables, gradients = signature(name)
    for schema in (
        f"{name}({variables}) -> Tensor",
        f"{name}_backward(Tensor grad_output, {variables}, int wanted) -> ({gradients})",
    ):
        defined = plain_library.define(schema)
        plain_library.impl(defined, torch.library.fallthrough_kernel, "Autograd")
    _operators.implement("s3s4_plain", name)
    value = getattr(torch.ops.s3s4_plain, name).default
    plain_backward = getattr(torch.ops.s3s4_plain, f"{name}_backward").default
    operator_backward = getattr(torch.ops.s3s4, f"{name}_backward").default

    class Saved(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *variables: Tensor) -> Tensor:
            ctx.save_for_backward(*variables)
            result: Tensor = value(*variables)
            return result

        @staticmethod
        def backward(ctx: Any, g: Tensor) -> Any:
            if type(g) is Tensor and not torch.is_grad_enabled() and unobserved():
                return plain_backward(g, *ctx.saved_tensors, WANTED[ctx.needs_input_grad])
            return operator_backward(g, *ctx.saved_tensors)

    # Past what Function.apply asks first, and unobserved() has.
    recorded: Kernel = super(torch.autograd.Function, Saved).apply
    return value, recorded


class Wanted(dict[tuple[bool, ...], int]):
    """The bits of what autograd wants."""

    def __missing__(self, needs: tuple[bool, ...]) -> int:
        self[needs] = bits = sum(need << i for i, need in enumerate(needs))
        return bits


WANTED = Wanted()


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


find_kernels()
for _name in TABLE:
    define(_name)
