"""__init__.pyi and ufuncs.pyi: the activations with their signatures, and the ufuncs.

Design:
- The public objects come from a table, so a type checker cannot find them in the source: their
  stubs are made from the same formulas. What `__init__.py` imports is exported as it is.
- One class for each list of parameters and defaults, private to the stub: a call then knows its
  keywords, and the dtype of its result wherever a single one goes in. Everything else is Any, as
  for NumPy's own ufuncs.
- Editors show the string below a variable as its documentation.
"""

import ast
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from codegen.family import Family

INIT = Path(__file__).parents[3] / "s3s4" / "__init__.py"
HEAD = Path(__file__).with_name("package.pyi.in")
"""What does not depend on the formulas."""
ANY = "ArrayLike"
# Types of x and of each parameter, options that are required, and the result.
CALLS = (
    ("float", "float", "", "np.float64"),
    ("_F", "float | _F", "", "_F"),
    ("NDArray[_F]", "float | _F | NDArray[_F]", "", "NDArray[_F]"),
    ("NDArray[Any]", ANY, "dtype: type[_F] | np.dtype[_F], ", "NDArray[_F]"),
    (ANY, ANY, "out: {out}, dtype: DTypeLike | None = None, ", "_Out"),
    (ANY, ANY, "out: Any = None, dtype: DTypeLike | None = None, ", "Any"),
)
# Types of grad_output, of x and of each parameter, and their gradients.
BACKWARD = (
    ("float", "float", "float = {}", "np.float64", "np.float64"),
    ("float | NDArray[_F]", "NDArray[_F]", "float | _F = {}", "NDArray[_F]", "_F"),
    ("float | NDArray[_F]", "NDArray[_F]", "NDArray[_F]", "NDArray[_F]", "NDArray[_F]"),
    (ANY, ANY, f"{ANY} = {{}}", "Any", "Any"),
)
Parameters = Mapping[str, float]


def class_name(parameters: Parameters) -> str:
    """The name of the class of these parameters and defaults, as in `_XK_5_0`."""
    text = "".join(f"{name.capitalize()}_{value!r}" for name, value in parameters.items())
    return "_X" + re.sub(r"\W", "_", text)


def class_stub(parameters: Parameters) -> str:
    """The class of every activation with these parameters."""
    wrt = ", ".join(f'"{name}"' for name in ("x", *parameters))
    pairs = f"Literal[{wrt}] | tuple[Literal[{wrt}], Literal[{wrt}]]"
    return "\n".join(
        [
            f"class {class_name(parameters)}(Activation):",
            *calls("__call__", "derivative: bool = False, ", parameters),
            *calls("derivative", f'wrt: Literal[{wrt}] = "x", ', parameters),
            *calls("second_derivative", f'wrt: {pairs} = "x", ', parameters),
            *calls("value_and_derivative", "", parameters, "tuple[{0}, {0}]"),
            *backward(parameters),
            "",
        ]
    )


def calls(method: str, options: str, parameters: Parameters, result: str = "{0}") -> list[str]:
    """The overloads of a method that takes x, the parameters and a ufunc's options."""
    signatures = []
    for x, parameter, required, single in CALLS:
        arguments = [f"x: {x}", *(f"{p}: {parameter} = {v!r}" for p, v in parameters.items())]
        # Without a keyword-only argument there is no bare star.
        keywords = required.format(out=result.format("_Out")) + options
        signatures.append(
            f"{method}(self, {', '.join(arguments)}, {'*, ' if keywords else ''}{keywords}"
            f"**options: Unpack[_Options]) -> {result.format(single)}"
        )
    return overloads(signatures)


def backward(parameters: Parameters) -> list[str]:
    """The overloads of `backward`; some are the same where there are no parameters."""
    signatures = []
    for grad, x, parameter, grad_x, grad_parameter in BACKWARD:
        arguments = [
            f"grad_output: {grad}",
            f"x: {x}",
            *(f"{name}: {parameter.format(repr(value))}" for name, value in parameters.items()),
        ]
        results = [grad_x, *(grad_parameter for _ in parameters)]
        result = f"tuple[{', '.join(results)}]" if parameters else grad_x
        signatures.append(
            f"backward(self, {', '.join(arguments)}, *, out: Any = None, "
            f"device: _Device = None) -> {result}"
        )
    return overloads(dict.fromkeys(signatures))


def get(classes: Mapping[str, str]) -> list[str]:
    """The overloads of `get`: each name has its class, and an unknown one may be any."""
    names: dict[str, list[str]] = {}
    for name, owner in classes.items():
        names.setdefault(owner, []).append(f'"{name}"')
    return [
        line.removeprefix("    ")
        for line in overloads(
            [
                *(f"get(name: Literal[{', '.join(n)}]) -> {c}" for c, n in names.items()),
                "get(name: str) -> Activation | RowActivation",
            ]
        )
    ]


def overloads(signatures: Iterable[str]) -> list[str]:
    return [line for text in signatures for line in ("    @overload", f"    def {text}: ...")]


def package(family: Family) -> str:
    """`__init__.pyi`: what `__init__.py` imports, and every activation."""
    imports = [
        node for node in ast.parse(INIT.read_text()).body if isinstance(node, ast.ImportFrom)
    ]
    exports = [alias.asname or alias.name for node in imports for alias in node.names]
    for node in imports:  # it has its overloads here
        node.names = [alias for alias in node.names if alias.name != "get"]
    documented = {a.name: a.value.doc for a in family.activations}
    documented |= {row.name: row.value.doc for row in family.rows}
    bodies = {class_name(a.defaults): class_stub(a.defaults) for a in family.activations}
    classes = {a.name: class_name(a.defaults) for a in family.activations}
    classes |= {row.name: "_Rows" for row in family.rows}
    return "\n".join([
        HEAD.read_text(),
        *map(ast.unparse, imports),
        "",
        *bodies.values(),
        *get(classes),
        "",
        *(f'{name}: {owner}\nr"""{documented[name]}"""' for name, owner in classes.items()),
        "",
        f"__all__ = {[*exports, *classes]!r}",
        "",
    ])  # fmt: skip


def ufuncs(family: Family) -> str:
    """`ufuncs.pyi`: every public function of the tables."""
    names = [function.name for function in family.functions if function.is_public]
    names += [function.name for function in family.row_functions]
    lines = ['"""Generated from src/formulas."""', "", "import numpy as np", ""]
    lines += [f"{name}: np.ufunc" for name in names]
    return "\n".join([*lines, "", f"__all__ = {names!r}", ""])
