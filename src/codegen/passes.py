"""Rewrites of functions: what a processor would rather compute, with the same meaning."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from codegen.ir import COMPARISONS, PRODUCTS, Function, Node, number, settled, walk

SHORT = 26
"""Operations up to which one loop is better than several, with 32 registers."""


def rewritten(function: Function, rule: Callable[[Node], Node]) -> Function:
    """Every node, after its arguments, as a rule makes it; names follow."""
    new: dict[Node, Node] = {}
    for node in walk([*function.outputs, *function.names]):
        new[node] = rule(Node(node.op, *(new[arg] for arg in node.args), text=node.text))
    names: dict[Node, str] = {}
    for node, name in function.names.items():
        names.setdefault(new[node], name)
    return replace(function, outputs=tuple(new[o] for o in function.outputs), names=names)


def without_idle_scales(function: Function) -> Function:
    """e^-(k u) at once where 2^64 e^-(k u) is wanted for its unscaled value alone.

    And what is scaled back, or added to 1 as well, with no test that its sign makes idle.
    """
    scaled_too = {*function.outputs}.union(
        *(node.args for node in function.nodes if node.op != "unscaled")
    )

    def rule(node: Node) -> Node:
        match node:
            case Node(op="unscaled", args=(Node(op="scaled_exp_neg_product") as product,)):
                if product not in scaled_too:
                    return Node("exp_neg_product", *product.args)
            case Node(op="unscaled", args=(y,)) if is_positive(y):
                return Node("unscaled_positive", y)
            case Node(op="add", args=(Node(text="1.0"), Node(op="unscaled_positive", args=(y,)))):
                return Node("one_plus_unscaled", y)
        return clipped(node)

    return rewritten(function, rule)


def clipped(node: Node) -> Node:
    """A maximum or minimum of x and 0, less w, where x - w stands on one side of 0 and -w beyond.

    It is -0, as -0 - w is -w, also of w = 0. NaN is in w.
    """
    match node:
        case Node(op="select", args=(Node(op="ge", args=(x, Node(text="0.0"))), yes, no)):
            zero = Node("neg", number("0.0"))
            for side, beyond, kept in ((yes, no, (zero, x)), (no, yes, (x, zero))):
                match side, beyond:
                    case Node(op="sub", args=(one, w)), Node(op="neg", args=(other,)):
                        if one is x and other is w and x in w.leaves:
                            return Node("sub", Node("select", Node("lt", x, zero), *kept), w)
    return node


def is_positive(node: Node) -> bool:
    """Whether it is seen to be no negative number."""
    if node.op in {"add", "mul", "div", "finite", "within_exp", "within_normal"}:
        return all(map(is_positive, node.args))
    given = ("abs", "exp_neg", "normal_tail", "number", "scaled_exp_neg")
    return node.op.startswith(given)


def is_of(node: Node, inputs: frozenset[Node]) -> bool:
    """Whether it depends on some of these inputs, and on no other."""
    return bool(node.leaves) and node.leaves <= inputs


def ordinary(function: Function) -> Function:
    """What is left where every parameter is known to be a usual number, and not negative."""

    def rule(node: Node) -> Node:
        match node:
            case Node(op="select", args=(Node(op="ge", args=(k, Node(text="0.0"))), yes, _)):
                return yes if k in function.parameters else node
            case Node(op="abs" | "finite", args=(k,)) if k.leaves <= function.parameters:
                return k
            case Node(op="unless_nan", args=(y, k)) if is_of(k, function.parameters):
                return y
            case Node(op=op, args=(k, u)) if op in PRODUCTS and k.leaves <= function.parameters:
                return Node(f"{op}_{'ordinary' if k.leaves else 'uniform'}", k, u)
        return finite_product(node, function.parameters)

    return rewritten(function, rule)


def finite_product(node: Node, finite: frozenset[Node]) -> Node:
    """Drop the guard of `k * y if y != 0 else y` against an infinite k where k is finite.

    And not negative: k 0 is y otherwise but for its sign.
    """
    match node:
        case Node(op="select", args=(Node(op="ne", args=(y, Node(text="0.0"))), product, other)):
            if other is y and product.op == "mul" and product.args[1] is y:
                return product if is_of(product.args[0], finite) else node
    return node


def decided(function: Function, condition: Node, truth: bool) -> Function:
    """What is left of a function of ordinary parameters where a condition on one is known."""
    is_sign = condition.op == "ge" and condition.args[1].text == "0.0"
    positive = frozenset({condition.args[0]} if is_sign and truth else set[Node]())

    def rule(node: Node) -> Node:
        is_choice = node.op == "select" and node.args[0] is condition
        return node.args[1 if truth else 2] if is_choice else finite_product(node, positive)

    return rewritten(function, rule)


def with_shared_factors(function: Function) -> Function:
    """Products by numbers, and by what parameters decide: it is known later what those are."""

    def rule(node: Node) -> Node:
        match node:
            case Node(op=op, args=(k, u)) if op in PRODUCTS and k.leaves <= function.parameters:
                return Node(f"{op}_{'shared' if k.leaves else 'uniform'}", k, u)
        return node

    return rewritten(function, rule)


def is_lighter(ordinary: Function, uniform: Function) -> bool:
    """Whether to know that parameters are ordinary saves more than to read them once more costs.

    A test for NaN, which neither form has, costs less than that.
    """
    ours, theirs = (Counter(node.op for node in form.nodes) for form in (ordinary, uniform))
    return bool((theirs - ours).keys() - {"abs", "finite"})


def uniform(function: Function, shared: frozenset[Node]) -> Function:
    """Products by what follows from numbers, and from inputs that a whole loop shares.

    That such an input is NaN shows in the other terms of a result.
    """

    def rule(node: Node) -> Node:
        match node:
            case Node(op="unless_nan", args=(y, k)) if is_of(k, shared):
                return y
            case Node(op=op, args=(k, u)) if op in PRODUCTS and k.leaves <= shared:
                return Node(f"{op}_uniform", k, u)
        return node

    return rewritten(function, rule)


@dataclass(frozen=True)
class Loop:
    """One pass over the elements: what it computes, from what earlier loops left."""

    steps: tuple[Node, ...]
    targets: tuple[Node, ...]
    known: tuple[Node, ...]


def loops(function: Function, shared: frozenset[Node], at_once: bool) -> list[Loop]:
    """A loop for each costly node and one for the rest, or one for all.

    One long body would overflow the window in which a core looks for independent work. What is
    cheap is computed again in each loop that needs it.
    """
    nodes = function.nodes
    once = settled(nodes, shared)
    costly = [] if at_once else [node for node in function.costly if node not in once]
    found = []
    for index, targets in enumerate([*((node,) for node in costly), function.outputs]):
        known = (*costly[:index],)
        needed = {*walk(targets, {*known, *once})}
        found.append(Loop(tuple(node for node in nodes if node in needed), targets, known))
    return found


def operations(function: Function) -> int:
    """How many an element takes, beside those that parameters alone decide.

    Of what parameters choose between, the longer. A fused one counts as the two that it is, and so
    does one that looks for what would be subnormal; what a selection or a sign takes is not counted
    twice.
    """
    once = settled(function.nodes, function.parameters)
    free = COMPARISONS | {"neg"}

    def chosen(branch: int) -> Callable[[Node], Node]:
        def rule(node: Node) -> Node:
            is_choice = node.op == "select" and node.args[0].leaves <= function.parameters
            return node.args[branch] if is_choice else node

        return rule

    return max(
        sum(
            1 + (node.op == "fma" or node.op.startswith("unscaled"))
            for node in rewritten(function, chosen(branch)).nodes
            if node.args and node.op not in free and node not in once
        )
        for branch in (1, 2)
    )


def uses(nodes: Iterable[Node], outputs: Iterable[Node]) -> Counter[Node]:
    """How often each node is an argument or an output."""
    return Counter([*(arg for node in nodes for arg in node.args), *outputs])
