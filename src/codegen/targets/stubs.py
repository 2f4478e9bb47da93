"""__init__.pyi and ufuncs.pyi: the activations with their signatures, and the ufuncs.

Design:
- The public objects come from a table, so a type checker cannot find them in the source: their
  stubs are made from the same formulas. What `__init__.py` imports is exported as it is.
- One class for each list of parameters, private to the stub: a call then knows its keywords, and
  the dtype of its result wherever a single one goes in. Everything else is Any, as for NumPy's own
  ufuncs.
"""

import ast
from collections.abc import Iterable, Sequence
from pathlib import Path

from codegen.family import Family

INIT = Path(__file__).parents[3] / "s3s4" / "__init__.py"
HEADER = '''\
"""Generated from src/formulas and __init__.py."""

# mypy: disable-error-code="override"
# Activation takes any parameters; each class here takes its own.

from typing import Any, Literal, TypedDict, TypeVar, Unpack, overload

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

'''

SHARED = """
_F = TypeVar("_F", bound=np.floating[Any])
_Out = TypeVar("_Out", bound=NDArray[Any])
_Device = Literal["auto", "cpu", "gpu"] | None

class _Options(TypedDict, total=False):
    where: ArrayLike
    casting: Literal["no", "equiv", "safe", "same_kind", "unsafe"]
    order: Literal["K", "A", "C", "F"]
    subok: bool
    device: _Device
    gpu_threshold: int | None
"""

ANY = "ArrayLike"
# Types of x and of each parameter, options that are required, and the result.
CALLS = (
    ("float", "float", "", "np.float64"),
    ("_F", "float | _F", "", "_F"),
    ("NDArray[_F]", "float | _F | NDArray[_F]", "", "NDArray[_F]"),
    ("NDArray[Any]", ANY, "dtype: type[_F] | np.dtype[_F], ", "NDArray[_F]"),
    (ANY, ANY, "out: {out}, dtype: DTypeLike | None = ..., ", "_Out"),
    (ANY, ANY, "out: Any = ..., dtype: DTypeLike | None = ..., ", "Any"),
)
# Types of grad_output, of x and of each parameter, and their gradients.
BACKWARD = (
    ("float", "float", "float = ...", "np.float64", "np.float64"),
    ("float | NDArray[_F]", "NDArray[_F]", "float | _F = ...", "NDArray[_F]", "_F"),
    ("float | NDArray[_F]", "NDArray[_F]", "NDArray[_F]", "NDArray[_F]", "NDArray[_F]"),
    (ANY, ANY, f"{ANY} = ...", "Any", "Any"),
)


# Of the row activations: with the dtype that goes in, that is asked for, of what is given, unknown.
ROWS = """
class _RowOptions(TypedDict, total=False):
    casting: Literal["no", "equiv", "safe", "same_kind", "unsafe"]
    order: Literal["K", "A", "C", "F"]
    subok: bool
    device: Literal["auto", "cpu"] | None

class _Rows(RowActivation):
    @overload
    def __call__(self, x: NDArray[_F], axis: int = ..., **options: Unpack[_RowOptions]) -> NDArray[_F]: ...
    @overload
    def __call__(self, x: NDArray[Any], axis: int = ..., *, dtype: type[_F] | np.dtype[_F], **options: Unpack[_RowOptions]) -> NDArray[_F]: ...
    @overload
    def __call__(self, x: ArrayLike, axis: int = ..., *, out: _Out, dtype: DTypeLike | None = ..., **options: Unpack[_RowOptions]) -> _Out: ...
    @overload
    def __call__(self, x: ArrayLike, axis: int = ..., *, out: Any = ..., dtype: DTypeLike | None = ..., **options: Unpack[_RowOptions]) -> Any: ...
    @overload
    def backward(self, grad_output: float | NDArray[_F], x: NDArray[_F], axis: int = ..., *, device: _Device = ...) -> NDArray[_F]: ...
    @overload
    def backward(self, grad_output: ArrayLike, x: ArrayLike, axis: int = ..., *, out: _Out, device: _Device = ...) -> _Out: ...
    @overload
    def backward(self, grad_output: ArrayLike, x: ArrayLike, axis: int = ..., *, out: Any = ..., device: _Device = ...) -> Any: ...
    @overload
    def jacobian(self, x: NDArray[_F], axis: int = ...) -> NDArray[_F]: ...
    @overload
    def jacobian(self, x: ArrayLike, axis: int = ...) -> Any: ...
"""  # noqa: E501


def class_name(parameters: Sequence[str]) -> str:
    return "_" + "".join(["X", *(p.capitalize() for p in parameters)])


def class_stub(parameters: Sequence[str]) -> str:
    """The class of every activation with these parameters."""
    wrt = ", ".join(f'"{name}"' for name in ("x", *parameters))
    return "\n".join(
        [
            f"class {class_name(parameters)}(Activation):",
            *calls("__call__", "derivative: bool = ..., ", parameters),
            *calls("derivative", f"wrt: Literal[{wrt}] = ..., ", parameters),
            *calls("value_and_derivative", "", parameters, "tuple[{0}, {0}]"),
            *backward(parameters),
            "",
        ]
    )


def calls(method: str, options: str, parameters: Sequence[str], result: str = "{0}") -> list[str]:
    """The overloads of a method that takes x, the parameters and a ufunc's options."""
    signatures = []
    for x, parameter, required, single in CALLS:
        arguments = [f"x: {x}", *(f"{name}: {parameter} = ..." for name in parameters)]
        # Without a keyword-only argument there is no bare star.
        keywords = required.format(out=result.format("_Out")) + options
        signatures.append(
            f"{method}(self, {', '.join(arguments)}, {'*, ' if keywords else ''}{keywords}"
            f"**options: Unpack[_Options]) -> {result.format(single)}"
        )
    return overloads(signatures)


def backward(parameters: Sequence[str]) -> list[str]:
    """The overloads of `backward`; some are the same where there are no parameters."""
    signatures = []
    for grad, x, parameter, grad_x, grad_parameter in BACKWARD:
        arguments = [
            f"grad_output: {grad}",
            f"x: {x}",
            *(f"{name}: {parameter}" for name in parameters),
        ]
        results = [grad_x, *(grad_parameter for _ in parameters)]
        result = f"tuple[{', '.join(results)}]" if parameters else grad_x
        signatures.append(
            f"backward(self, {', '.join(arguments)}, *, device: _Device = ...) -> {result}"
        )
    return overloads(dict.fromkeys(signatures))


def overloads(signatures: Iterable[str]) -> list[str]:
    return [line for text in signatures for line in ("    @overload", f"    def {text}: ...")]


def package(family: Family) -> str:
    """`__init__.pyi`: what `__init__.py` imports, and every activation."""
    imports = [
        node for node in ast.parse(INIT.read_text()).body if isinstance(node, ast.ImportFrom)
    ]
    exports = [alias.asname or alias.name for node in imports for alias in node.names]
    exports += [activation.name for activation in family.activations]
    exports += [row.name for row in family.rows]
    classes = dict.fromkeys(tuple(activation.defaults) for activation in family.activations)
    return HEADER + "\n".join([
        *map(ast.unparse, imports),
        SHARED,
        *map(class_stub, classes),
        ROWS,
        *(f"{a.name}: {class_name(tuple(a.defaults))}" for a in family.activations),
        *(f"{row.name}: _Rows" for row in family.rows),
        "",
        f"__all__ = {exports!r}",
        "",
    ])  # fmt: skip


def ufuncs(family: Family) -> str:
    """`ufuncs.pyi`: every public function of the tables."""
    names = [function.name for function in family.functions if function.is_public]
    names += [function.name for function in family.row_functions]
    lines = ['"""Generated from src/formulas."""', "", "import numpy as np", ""]
    lines += [f"{name}: np.ufunc" for name in names]
    return "\n".join([*lines, "", f"__all__ = {names!r}", ""])
