"""s3s4.torch: its functions and modules, and the list of its operators.

Design:
- Names, signatures and defaults are those of torch.nn.functional and torch.nn where they have the
  function; what differs from the formulas' names is listed here.
- A parameter is a number or a tensor; PyTorch's own modules keep theirs a number unless asked.
"""

from codegen.family import Activation, Family

RENAMED = {
    "leaky_relu": {"a": "negative_slope"},
    "prelu": {"a": "weight"},
    "hardtanh": {"min": "min_val", "max": "max_val"},
}
"""Parameters that have another name in PyTorch."""
THEIRS = {"leaky_relu", "rrelu", "hardtanh", "elu", "celu", "softplus", "softshrink", "hardshrink"}
"""Modules of PyTorch whose parameters are not learnt."""
NEVER_IN_PLACE = {"softplus", "softshrink", "hardshrink"}
"""Of those."""
TITLES = {
    "relu": "ReLU", "relu6": "ReLU6", "leaky_relu": "LeakyReLU", "prelu": "PReLU",
    "rrelu": "RReLU", "elu": "ELU", "celu": "CELU", "selu": "SELU", "gelu": "GELU",
    "gelu_tanh": "GELUTanh", "silu": "SiLU", "pss": "PSS", "logsigmoid": "LogSigmoid",
    "quick_gelu": "QuickGELU",
}  # fmt: skip
"""Modules whose name is not simply written in capitals."""

PACKAGE = '''\
"""The activations as functions and modules of PyTorch, with gradients by x and every parameter.

Needs PyTorch, which the extra ``s3s4[torch]`` names; ``import s3s4`` alone never loads it.
Generated.
"""

from s3s4.torch import _required as _required  # first: it says what is missing

from s3s4.torch import init
'''
FUNCTIONS = '''\
"""The activations as functions. Generated."""

from torch import Tensor, fx
from torch.nn import functional as _theirs

from s3s4.torch._apply import apply as _apply

'''
MODULES = '''\
"""The activations as modules. Generated."""

from typing import Literal

from torch import Tensor, device as _device, dtype as _dtype

from s3s4.torch import _functions
from s3s4.torch._parametric import Parametric as _Parametric, Plain as _Plain

'''


def package(family: Family) -> str:
    names = [activation.name for activation in family.activations]
    titles = [title(activation) for activation in family.activations]
    return "".join(
        [
            PACKAGE,
            f"from s3s4.torch._functions import {', '.join(names)}\n",
            f"from s3s4.torch._modules import {', '.join(titles)}\n",
            "from s3s4.torch._names import get\n\n",
            f"__all__ = {['get', 'init', *names, *titles]!r}\n",
        ]
    )


def operators(family: Family) -> str:
    """torch_operators.h: every activation, for operators.c."""
    names = [activation.name for activation in family.activations]
    return "\n".join([
        "/* Generated from src/formulas: the operators of PyTorch, for operators.c. */",
        f"enum {{ S3S4_OPERATORS = {len(names)} }};",
        "#define S3S4_EACH_OPERATOR(F) \\",
        " \\\n".join(f"    F({index}, {name})" for index, name in enumerate(names)),
        "",
    ])  # fmt: skip


def functions(family: Family) -> str:
    names = [activation.name for activation in family.activations]
    parts = [FUNCTIONS, f"__all__ = {names!r}\n\n"]
    parts += [f"\n{function(activation)}\n" for activation in family.activations]
    parts.append("\nfor _name in __all__:\n    fx.wrap(_name)\n")
    return "".join(parts)


def function(activation: Activation) -> str:
    name, values = activation.name, parameters(activation)
    required = name == "prelu"
    takes = "".join(
        f", {parameter}: Tensor" if required else f", {parameter}: Tensor | float = {value!r}"
        for parameter, value in values.items()
    )
    call = f"_apply({name!r}, input, {{}}{''.join(f', {parameter}' for parameter in values)})"
    start = ""
    if name == "rrelu":
        takes += ", training: bool = False"
        start = """\
    if training:
        return _theirs.rrelu(input, float(lower), float(upper), True, inplace)
"""
    elif name == "gelu":
        takes += ", approximate: str = 'none'"
        start = """\
    if approximate == "tanh":
        return gelu_tanh(input)
    if approximate != "none":
        raise ValueError(f"approximate must be 'none' or 'tanh', not {approximate!r}")
"""
    without = name in ("prelu", "gelu", "gelu_tanh")
    takes += "" if without else ", inplace: bool = False"
    return (
        f"def {name}(input: Tensor{takes}) -> Tensor:\n    {documented(activation)}\n{start}"
        f"    return {call.format('False' if without else 'inplace')}\n"
    )


def modules(family: Family) -> str:
    titles = [title(activation) for activation in family.activations]
    parts = [MODULES, f"__all__ = {titles!r}\n\n"]
    parts += [f"\n{module(activation)}\n" for activation in family.activations]
    return "".join(parts)


def module(activation: Activation) -> str:
    name, values = activation.name, parameters(activation)
    head = f"class {title(activation)}({{}}):\n    {documented(activation)}\n\n"
    head = head.format("_Parametric" if values else "_Plain")
    if not values:
        return head + plain_body(name)
    fields = "".join(f"    {parameter}: Tensor | float\n" for parameter in values)
    numbers = ", ".join(f"{parameter}: float = {value!r}" for parameter, value in values.items())
    given = ", ".join(f"{parameter!r}: {parameter}" for parameter in values)
    place = "device: _device | str | None = None, dtype: _dtype | None = None"
    keep = "num_parameters, learnable, channel_dim, device, dtype"
    if name == "prelu":
        takes = f"num_parameters: int = 1, init: float = 0.25, {place}, *, channel_dim: int = 1"
        given, keep = "'weight': init", keep.replace("learnable", "True")
    elif name in THEIRS:
        inplace = "" if name in NEVER_IN_PLACE else "inplace: bool = False, "
        takes = (
            f"{numbers}, {inplace}*, num_parameters: int = 1, learnable: bool = False, "
            f"channel_dim: int = 1, {place}"
        )
    else:
        inplace = ""
        takes = (
            f"{numbers}, num_parameters: int = 1, learnable: bool = True, "
            f"channel_dim: int = 1, {place}"
        )
    options = ""
    if name in THEIRS and inplace:
        options = ", inplace=self.inplace"
        keep += ", inplace"
    if name == "rrelu":
        options += ", training=self.training"
    arguments = ", ".join(f"{parameter}=values[{i}]" for i, parameter in enumerate(values))
    return (
        f"{head}{fields}\n    def __init__(self, {takes}) -> None:\n"
        f"        super().__init__({{{given}}}, {keep})\n\n"
        "    def forward(self, input: Tensor) -> Tensor:\n"
        "        values = self.along(input)\n"
        f"        return _functions.{name}(input, {arguments}{options})\n"
    )


def plain_body(name: str) -> str:
    if name == "gelu":
        return """\
    approximate: str

    def __init__(self, approximate: Literal["none", "tanh"] = "none") -> None:
        super().__init__()
        self.approximate = approximate

    def forward(self, input: Tensor) -> Tensor:
        return _functions.gelu(input, approximate=self.approximate)

    def extra_repr(self) -> str:
        return f"approximate={self.approximate!r}"
"""
    if name == "gelu_tanh":
        return """\
    def forward(self, input: Tensor) -> Tensor:
        return _functions.gelu_tanh(input)
"""
    return f"""\
    def __init__(self, inplace: bool = False) -> None:
        super().__init__(inplace)

    def forward(self, input: Tensor) -> Tensor:
        return _functions.{name}(input, inplace=self.inplace)
"""


def parameters(activation: Activation) -> dict[str, float]:
    """Names and defaults as PyTorch has them."""
    renamed = RENAMED.get(activation.name, {})
    return {renamed.get(name, name): value for name, value in activation.defaults.items()}


def title(activation: Activation) -> str:
    words = activation.name.split("_")
    return TITLES.get(activation.name) or "".join(word.capitalize() for word in words)


def documented(activation: Activation) -> str:
    return f'r"""{activation.value.doc}"""'
