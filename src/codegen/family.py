"""What the formulas are about: activations with their derivatives, and row functions.

Design:
- An activation is a public function that is not a derivative of another one, by its exact name:
  `name_d<argument>`. What starts like one and is none is an activation itself.
- What its name would collide with in a target is refused here, for all targets.
"""

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations_with_replacement
from pathlib import Path

from codegen.derive import second_derivative
from codegen.ir import Function, Node, read
from codegen.read import Formulas

MAX_PARAMETERS = 3
"""What kernels.pyx, whose arrays of operands have a fixed size, has room for."""
RESERVED = {
    "auto", "break", "case", "char", "const", "default", "do", "double", "enum", "extern", "float",
    "goto", "inline", "int", "long", "register", "restrict", "return", "short", "signed", "sizeof",
    "static", "struct", "switch", "typedef", "union", "unsigned", "void", "volatile",
    "g", "i", "in", "m", "n", "out", "start",
}  # fmt: skip
"""Words of C, and names of the generated functions' own, which no parameter may have."""
MADE = {
    "array",
    "backward",
    "block",
    "long",
    "ordinary",
    "packed",
    "row",
    "rows",
    "strided",
    "uniform",
    "value",
}
"""What targets add to a name."""


@dataclass(frozen=True)
class Activation:
    """A function of elements, the defaults of its parameters, and its derivatives by what."""

    value: Function
    defaults: Mapping[str, float]
    derivatives: Mapping[str, Function]
    second_derivatives: Mapping[tuple[str, str], Function]

    @property
    def name(self) -> str:
        return self.value.name


@dataclass(frozen=True)
class RowFunction:
    """A function of rows, and g times its Jacobian."""

    value: Function
    product: Function

    @property
    def name(self) -> str:
        return self.value.name


class Family:
    """Every activation and row function, and the tables of what the kernels compute of them."""

    def __init__(self, formulas: Formulas) -> None:
        self.formulas = formulas
        functions = formulas.functions
        reducing = [name for name, f in functions.items() if any(n.is_of_row for n in f.nodes)]
        of_rows = dict.fromkeys(name.removesuffix("_vjp") for name in reducing)
        self.rows = [self._row_function(name, reducing) for name in of_rows]
        names = [name for name in functions if name.removesuffix("_vjp") not in of_rows]
        derivatives = {
            f"{name}_d{by}"
            for name in names
            for by in (*functions[name].inputs, *map("".join, pairs(functions[name].inputs)))
        }
        self.activations = [self._activation(name) for name in names if name not in derivatives]
        self.functions = [f for activation in self.activations for f in table(activation)]
        self.functions += [
            f for activation in self.activations for f in activation.second_derivatives.values()
        ]
        self.row_functions = [f for row in self.rows for f in (row.value, row.product)]
        self._check_names()

    def _activation(self, name: str) -> Activation:
        functions, definitions = self.formulas.functions, self.formulas.definitions
        function, takes = functions[name], definitions[name].node.args
        if function.inputs[:1] != ("x",) or len(takes.defaults) != len(function.inputs) - 1:
            self.formulas.refuse(name, f"{name} must take x, then parameters that have defaults")
        if len(takes.defaults) > MAX_PARAMETERS:
            self.formulas.refuse(name, f"{name} has more than {MAX_PARAMETERS} parameters")
        values = map(self._default(name), takes.defaults)
        defaults = dict(zip(function.inputs[1:], values, strict=True))
        by = {argument: f"{name}_d{argument}" for argument in function.inputs}
        for derivative in by.values():
            if derivative not in functions:
                self.formulas.refuse(name, f"the derivative {derivative} is missing")
            if ast.unparse(definitions[derivative].node.args) != ast.unparse(takes):
                self.formulas.refuse(derivative, f"{derivative} must take what {name} takes")
        for one in (name, *by.values()):
            if len(functions[one].outputs) != 1:
                self.formulas.refuse(one, f"{one} must return one value")
        derivatives = {argument: functions[derivative] for argument, derivative in by.items()}
        seconds = {pair: self._second(name, derivatives, *pair) for pair in pairs(function.inputs)}
        return Activation(function, defaults, derivatives, seconds)

    def _second(self, name: str, first: Mapping[str, Function], a: str, b: str) -> Function:
        """As it is written, where rules would lose accuracy, or else by rules."""
        second = f"{name}_d{a}{b}"
        if second in self.formulas.functions:
            return replace(self.formulas.functions[second], is_second=True)
        by = f"d {a} d {b}" if a != b else f"d {a}^2"
        return second_derivative(first[b], a, second, f"d^2 {name} / {by}.")

    def _default(self, name: str) -> Callable[[ast.expr], float]:
        def value(node: ast.expr) -> float:
            try:
                default = ast.literal_eval(node)
            except ValueError:
                default = None
            if type(default) not in (int, float):
                self.formulas.definitions[name].refuse(node, "a default is a number")
            return float(default)

        return value

    def _row_function(self, name: str, reducing: list[str]) -> RowFunction:
        product = f"{name}_vjp"
        for one, inputs in ((name, ("x",)), (product, ("g", "x"))):
            if one not in self.formulas.functions:
                self.formulas.refuse(name if one == product else product, f"{one} is missing")
            function = self.formulas.functions[one]
            if function.inputs != inputs or len(function.outputs) != 1:
                takes = " and ".join(inputs)
                self.formulas.refuse(one, f"{one} must take {takes}, and return one value")
            if one not in reducing:
                self.formulas.refuse(one, f"{one} has neither a largest element nor a total")
        return RowFunction(self.formulas.functions[name], self.formulas.functions[product])

    def _check_names(self) -> None:
        """Refuse what would be another thing in the text of a target."""
        for name in self.formulas.functions:
            owner, _, last = name.removesuffix("_dx").rpartition("_")
            if last in MADE and owner in self.formulas.functions:
                self.formulas.refuse(name, f"{name} is made of {owner}")
        for activation in self.activations:
            for parameter in activation.defaults:
                if parameter in RESERVED:
                    reason = f"{parameter} is a name of the generated code's own"
                    self.formulas.refuse(activation.name, reason)


def table(activation: Activation) -> list[Function]:
    """What the kernels have of an activation: each function, and those that share their nodes."""
    value, by, name = activation.value, activation.derivatives, activation.name
    g = read("g")
    both = Function(
        f"{name}_value_dx",
        f"{name} and its derivative by x, in one pass.",
        value.inputs,
        (*value.outputs, *by["x"].outputs),
        names_of(value, by["x"]),
    )
    backward = Function(
        f"{name}_backward",
        f"g times each derivative of {name}.",
        ("g", *value.inputs),
        tuple(Node("mul", g, one.outputs[0]) for one in by.values()),
        names_of(*by.values()),
    )
    return [value, *by.values(), both, backward]


def pairs(inputs: Sequence[str]) -> list[tuple[str, str]]:
    """What second derivatives are by."""
    return [*combinations_with_replacement(inputs, 2)]


def names_of(*functions: Function) -> dict[Node, str]:
    """The names of several functions' nodes: the first that gives one has its way."""
    found: dict[Node, str] = {}
    for function in functions:
        for node, name in function.names.items():
            found.setdefault(node, name)
    return found


def family(folder: Path) -> Family:
    """Everything that the files of a folder state."""
    files = [folder / "activations.py", folder / "rows.py"]
    return Family(Formulas({path.name: path.read_text() for path in files}))
