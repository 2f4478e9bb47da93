"""The activations as model-local functions of ONNX, for any exporter and any runtime.

Needs onnx, which the extra ``s3s4[onnx]`` names; ``import s3s4`` alone never loads it.
"""

# Design:
# - A model has one node s3s4::s4 (x, k); its body is plain operators, so that a runtime needs
#   nothing of this package, and parameters stay what the exporter makes them: initializers, inputs.
# - The body is the textbook's short form: a runtime fuses little, so nodes are what counts.
# - The form is run once over objects that record an operator for each operation. Who records it is
#   a callable: nodes of a function here, an exporter's own builder in `translations`.
# - Numbers are cast to the type of x: one function serves all floating types.

import math
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from inspect import Parameter, Signature
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from s3s4._extras import to_install

try:
    import onnx
except ImportError as error:
    raise ImportError(
        f"s3s4.onnx needs onnx >= 1.17, which is not installed: {to_install('onnx')}"
    ) from error

from onnx import helper, numpy_helper

from s3s4 import _family, _textbook
from s3s4._table import TABLE

if tuple(int(part) for part in onnx.__version__.split(".")[:2]) < (1, 17):
    raise ImportError(f"s3s4.onnx needs onnx >= 1.17, not {onnx.__version__}")

__all__ = ["function", "model", "translations"]

DOMAIN = "s3s4"
OPSET = 18
"""Of the default operator set; from 20 on it has Gelu."""
PRODUCTS = {"silu", "swish", "gelu", "gelu_tanh", "quick_gelu", "mish", "hardswish"}
"""Of x and what vanishes: that must be precise where x is large, and 0 where x is infinite."""

Emit = Callable[..., Any]


class Symbol:
    """A quantity in an expression: each operation on it becomes an operator."""

    def __init__(self, value: Any, emit: "Operators") -> None:
        self.value, self._emit = value, emit

    def __add__(self, other: Any) -> "Symbol":
        return self._emit("Add", self, other)

    def __radd__(self, other: Any) -> "Symbol":
        return self._emit("Add", other, self)

    def __sub__(self, other: Any) -> "Symbol":
        return self._emit("Sub", self, other)

    def __rsub__(self, other: Any) -> "Symbol":
        return self._emit("Sub", other, self)

    def __mul__(self, other: Any) -> "Symbol":
        return self._emit("Mul", self, other)

    def __rmul__(self, other: Any) -> "Symbol":
        return self._emit("Mul", other, self)

    def __truediv__(self, other: Any) -> "Symbol":
        return self._emit("Div", self, other)

    def __rtruediv__(self, other: Any) -> "Symbol":
        return self._emit("Div", other, self)

    def __pow__(self, other: Any) -> "Symbol":
        return self._emit("Pow", self, other)

    def __rpow__(self, other: Any) -> "Symbol":
        return self._emit("Pow", other, self)

    def __neg__(self) -> "Symbol":
        return self._emit("Neg", self)

    def __lt__(self, other: Any) -> "Symbol":
        return self._emit("Less", self, other)

    def __le__(self, other: Any) -> "Symbol":
        return self._emit("LessOrEqual", self, other)

    def __gt__(self, other: Any) -> "Symbol":
        return self._emit("Greater", self, other)

    def __ge__(self, other: Any) -> "Symbol":
        return self._emit("GreaterOrEqual", self, other)


class Operators:
    """What textbook.py takes from a library, as operators.

    Parameters
    ----------
    emit : callable
        Records an operator, given its name and its inputs, and returns its output.
    x : object
        What the activation is of, as `emit` takes it.
    precise : bool
        Whether sigmoid has to be so relative to itself: runtimes' own is relative to 1.
    """

    e, pi = math.e, math.pi

    def __init__(self, emit: Emit, x: Any, precise: bool) -> None:
        self._record, self._like, self._precise = emit, x, precise
        self._numbers: dict[float, Any] = {}

    def __call__(self, kind: str, *inputs: Any, **attributes: Any) -> Symbol:
        values = [one.value if isinstance(one, Symbol) else self._number(one) for one in inputs]
        return Symbol(self._record(kind, *values, **attributes), self)

    def _number(self, value: float) -> Any:
        if value not in self._numbers:
            stored = numpy_helper.from_array(np.array(value, np.float64))
            constant = self._record("Constant", value=stored)
            self._numbers[value] = self._record("CastLike", constant, self._like)
        return self._numbers[value]

    def abs(self, x: Symbol) -> Symbol:
        return self("Abs", x)

    def expm1(self, x: Symbol) -> Symbol:
        return self("Exp", x) - 1

    def ones_like(self, x: Symbol) -> float:
        return 1

    def sin(self, x: Symbol) -> Symbol:
        return self("Sin", x)

    def sqrt(self, x: Symbol) -> Symbol:
        return self("Sqrt", x)

    def tanh(self, x: Symbol) -> Symbol:
        return self("Tanh", x)

    def where(self, test: Symbol, yes: Any, no: Any) -> Symbol:
        return self("Where", test, yes, no)

    def sigmoid(self, x: Symbol) -> Symbol:
        return 1 / (1 + self("Exp", -x)) if self._precise else self("Sigmoid", x)

    def softplus(self, x: Symbol) -> Symbol:
        return self("Softplus", x)

    def ndtr(self, x: Symbol) -> Symbol:
        return 0.5 * (1 + self("Erf", math.sqrt(0.5) * x))


def expression(name: str, emit: Emit, inputs: Sequence[Any], opset: int) -> Any:
    """Record an activation's operators; return the last one's output."""
    operators = Operators(emit, inputs[0], name in PRODUCTS)
    x, *parameters = (Symbol(one, operators) for one in inputs)
    if name == "gelu" and opset >= 20:
        y = operators("Gelu", x)
    elif name == "gelu_tanh" and opset >= 20:
        y = operators("Gelu", x, approximate="tanh")
    elif name == "squareplus":  # the textbook's form cancels left of 0
        (b,) = parameters
        root = operators("Sqrt", x * x + b)
        y = operators.where(x < 0, b / (2 * (root - x)), (x + root) / 2)
    else:
        y = getattr(_textbook, name)(operators, x, *parameters)
    if name in PRODUCTS:
        undefined = operators("And", operators("IsNaN", y), operators("IsInf", x))
        y = operators.where(undefined, 0, y)
    return y.value


def check(name: str, opset: int) -> None:
    """Say what there is not."""
    if name not in TABLE:
        _family.get(name)
        raise ValueError(f"{name} acts on rows: ONNX has operators of its own for these")
    if opset < OPSET:
        raise ValueError(f"opset must be {OPSET} or later, not {opset}")


def function(name: str, opset: int = OPSET) -> onnx.FunctionProto:
    """An activation as a function of a model, in the domain s3s4.

    Parameters
    ----------
    name : str
        That of an activation of elements.
    opset : int
        The version of the default operator set that the model imports.

    Returns
    -------
    onnx.FunctionProto
        Its inputs are x and the parameters, by their names; its output is y.

    Raises
    ------
    ValueError
        If there is none of that name, or opset is less than 18.
    """
    check(name, opset)
    inputs = ["x", *TABLE[name].parameters]
    nodes: list[onnx.NodeProto] = []

    def record(kind: str, *given: str, **attributes: Any) -> str:
        output = f"t{len(nodes)}"
        nodes.append(helper.make_node(kind, given, [output], **attributes))
        return output

    expression(name, record, inputs, opset)
    nodes[-1].output[0] = "y"
    return helper.make_function(
        DOMAIN, name, inputs, ["y"], nodes, [helper.make_opsetid("", opset)]
    )


def model(
    name: str,
    parameters: Mapping[str, ArrayLike | None] | None = None,
    dtype: DTypeLike = np.float32,
    shape: Sequence[int | str] = ("batch", "features"),
    opset: int = OPSET,
) -> onnx.ModelProto:
    """A model of one activation.

    Parameters
    ----------
    name : str
        That of an activation of elements.
    parameters : mapping of str to array_like, optional
        The initializers, which must not broadcast beyond the shape of x; what is missing has its
        default. None makes a scalar input of the model.
    dtype : dtype
        A floating type, of x and the parameters.
    shape : sequence of int or str, optional
        That of x; a str names an axis of any length.
    opset : int
        The version of the default operator set.

    Returns
    -------
    onnx.ModelProto
        With an input x, and an output y.

    Raises
    ------
    ValueError
        If there is none of that name, or no parameter of a name, or opset is less than 18.
    """
    check(name, opset)
    defaults = TABLE[name].parameters
    given = dict(parameters or {})
    for one in given.keys() - defaults.keys():
        raise ValueError(f"{name} has no parameter {one!r}")
    values = {**defaults, **given}
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    graph = helper.make_graph(
        [helper.make_node(name, ["x", *values], ["y"], domain=DOMAIN)],
        name,
        [
            helper.make_tensor_value_info("x", kind, shape),
            *(
                helper.make_tensor_value_info(one, kind, ())
                for one, value in values.items()
                if value is None
            ),
        ],
        [helper.make_tensor_value_info("y", kind, shape)],
        [
            numpy_helper.from_array(np.asarray(value, dtype), one)
            for one, value in values.items()
            if value is not None
        ],
    )
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid(DOMAIN, 1)]
    return helper.make_model(
        graph,
        functions=[function(name, opset)],
        opset_imports=opsets,
        ir_version=helper.find_min_ir_version_for(opsets, ignore_unknown=True),
        producer_name="s3s4",
    )


def translations(opset: int = OPSET) -> dict[Any, Callable[..., Any]]:
    """A table for ``torch.onnx.export(..., dynamo=True, custom_translation_table=...)``.

    Models that call functions and modules of s3s4.torch need none: they are traced to operations of
    PyTorch. It is for models that call the operators, ``torch.ops.s3s4.<name>``.

    Parameters
    ----------
    opset : int
        The version of the default operator set, the same as the ``opset_version`` of the export.

    Returns
    -------
    dict
        For each operator, the function that makes its operators of ONNX.
    """
    import onnxscript
    import torch

    check("s4", opset)
    import_module("s3s4.torch")  # defines the operators
    operators: Any = getattr(onnxscript, f"opset{opset}")

    def record(kind: str, *given: Any, **attributes: Any) -> Any:
        return getattr(operators, kind)(*given, **attributes)

    def translation(name: str) -> Callable[..., Any]:
        def translated(*given: Any) -> Any:
            return expression(name, record, given, opset)

        names = ("input", *TABLE[name].parameters)
        kinds = [Parameter(one, Parameter.POSITIONAL_OR_KEYWORD) for one in names]
        translated.__name__ = name
        vars(translated)["__signature__"] = Signature(kinds)
        return translated

    return {getattr(torch.ops.s3s4, name).default: translation(name) for name in TABLE}
