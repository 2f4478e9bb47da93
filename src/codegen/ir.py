"""What a formula is: nodes of operations, and functions over them.

Design:
- A node is made once: the same operation on the same nodes is the same node. Two formulas that
  compute e^-|x| share it, whatever each calls it, and no pass looks for common subexpressions.
- Names that an author gave are kept beside the nodes, for whoever reads the text that is made.
- A node is a real number or, of a comparison, a truth value. It belongs to an element or, where it
  follows from reductions and numbers alone, to a row.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

COMPARISONS = {"lt", "le", "gt", "ge", "eq", "ne"}
ARITHMETIC = {"add", "sub", "mul", "div", "neg", "fma", "select"} | COMPARISONS
CHEAP = {
    "abs": 1,
    "binary_exponent": 1,
    "copysign": 2,
    "finite": 1,
    "row_reference": 1,
    "sqrt_square_plus": 2,
    "unless_nan": 2,
    "unscaled": 1,
    "unscaled_product": 2,
    "within_exp": 1,
    "within_normal": 1,
}
"""Primitives, each with the number of its arguments; src/formulas says what they are."""
COSTLY = {
    "exp_neg": 1,
    "exp_neg_product": 2,
    "exp_neg_scaled": 2,
    "scaled_exp_neg": 1,
    "scaled_exp_neg_half_square": 1,
    "scaled_exp_neg_product": 2,
    "expm1_neg": 1,
    "log1p": 1,
    "log1p_any": 1,
    "normal_tail": 1,
    "sinc_product": 2,
    "tanh_rest": 1,
}
PRODUCTS = {"exp_neg_product", "scaled_exp_neg_product", "unscaled_product"}
"""By a factor k: these have forms for a k that no element decides."""
FORMS = ("_ordinary", "_uniform", "_shared")
"""For an ordinary k, for one that a loop shares, and for one of which that is known later."""
ELEMENTS = ("g", "x")
"""Inputs that each element has its own of."""
REDUCTIONS = {"largest": 1, "total": 1}
PRIMITIVES = CHEAP | COSTLY | REDUCTIONS


class Node:
    """An operation on other nodes, an input or a number."""

    __slots__ = ("args", "is_of_row", "leaves", "op", "text")
    _made: ClassVar[dict[tuple[str, tuple["Node", ...], str], "Node"]] = {}

    op: str
    args: tuple["Node", ...]
    text: str
    """Of an input its name, of a number its digits as they are written."""
    leaves: frozenset["Node"]
    """The inputs it is made of."""
    is_of_row: bool
    """Whether it is one number for a whole row: made of reductions and numbers alone."""

    def __new__(cls, op: str, *args: "Node", text: str = "") -> "Node":
        key = op, args, text
        if key not in cls._made:
            node = super().__new__(cls)
            node.op, node.args, node.text = key
            if op.endswith(FORMS):
                decided = {leaf.text for leaf in args[0].leaves} & {*ELEMENTS}
                if decided:
                    raise TypeError(f"{op} takes a factor that no element decides: {decided}")
            own = [node] if op == "input" else []
            node.leaves = frozenset(own).union(*(arg.leaves for arg in args))
            node.is_of_row = op in REDUCTIONS or (
                any(arg.is_of_row for arg in args)
                and all(arg.is_of_row or not arg.leaves for arg in args)
            )
            cls._made[key] = node
        return cls._made[key]

    @property
    def is_truth(self) -> bool:
        return self.op in COMPARISONS

    @property
    def is_costly(self) -> bool:
        """Whether it takes as long as an exponential; so do its forms for special parameters."""
        ends = [form for form in FORMS if self.op.endswith(form)]
        return (self.op.removesuffix(ends[0]) if ends else self.op) in COSTLY


def read(name: str) -> Node:
    """An input."""
    return Node("input", text=name)


def number(digits: str) -> Node:
    return Node("number", text=digits)


def walk(roots: Iterable[Node], known: Collection[Node] = ()) -> list[Node]:
    """Every node that the roots are made of, each after its arguments; none that is known."""
    seen, found = set(known), list[Node]()

    def visit(node: Node) -> None:
        if node not in seen:
            seen.add(node)
            for arg in node.args:
                visit(arg)
            found.append(node)

    for root in roots:
        visit(root)
    return found


@dataclass(frozen=True, eq=False)
class Function:
    """Outputs over inputs, with the names that their author gave to nodes on the way."""

    name: str
    doc: str
    inputs: tuple[str, ...]
    outputs: tuple[Node, ...]
    names: Mapping[Node, str] = field(default_factory=dict)
    is_second: bool = False
    """Of the second derivatives, which are asked for seldom: no form for ordinary parameters."""

    @cached_property
    def parameters(self) -> frozenset[Node]:
        return frozenset(read(name) for name in self.inputs if name not in ELEMENTS)

    @cached_property
    def nodes(self) -> list[Node]:
        """What the outputs are made of, in the order in which its author named it."""
        needed = {*walk(self.outputs)}
        return [node for node in walk([*self.names, *self.outputs]) if node in needed]

    @property
    def costly(self) -> list[Node]:
        return [node for node in self.nodes if node.is_costly]

    @property
    def is_public(self) -> bool:
        """Not so what is multiplied by g, which only `backward` calls."""
        return "g" not in self.inputs


def settled(nodes: Iterable[Node], inputs: frozenset[Node]) -> set[Node]:
    """Those that follow from the given inputs and from numbers alone."""
    return {node for node in nodes if node.leaves <= inputs}
