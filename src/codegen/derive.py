"""The derivative of nodes, by rules for each operation.

The derivatives of formulas.py are written by hand, for range and accuracy; these are what they are
checked against.
"""

from collections.abc import Callable

from codegen.ir import COMPARISONS, Node, number, walk

ONE, THREE = number("1.0"), number("3.0")
DENSITY = number("0.39894228040143267793994605993438186847585863116493")
"""1 / sqrt(2 pi)."""


def add(a: Node, b: Node) -> Node:
    return Node("add", a, b)


def sub(a: Node, b: Node) -> Node:
    return Node("sub", a, b)


def mul(a: Node, b: Node) -> Node:
    return Node("mul", a, b)


def div(a: Node, b: Node) -> Node:
    return Node("div", a, b)


def neg(a: Node) -> Node:
    return Node("neg", a)


def sign(a: Node) -> Node:
    return Node("copysign", ONE, a)


def normal_tail(node: Node, u: Node) -> Node:
    """R' = u R - 1 / sqrt(2 pi) for R = e^(u^2/2) Phi(-u)."""
    return sub(mul(u, node), DENSITY)


def tanh_rest(node: Node, u: Node) -> Node:
    """T' = ((1 - u^2 T)^2 - 3 T) / u for T = (u - tanh u) / u^3."""
    share = sub(ONE, mul(mul(u, u), node))
    return div(sub(mul(share, share), mul(THREE, node)), u)


PARTIAL: dict[str, tuple[Callable[..., Node], ...]] = {
    "add": (lambda y, a, b: ONE, lambda y, a, b: ONE),
    "sub": (lambda y, a, b: ONE, lambda y, a, b: neg(ONE)),
    "mul": (lambda y, a, b: b, lambda y, a, b: a),
    "div": (lambda y, a, b: div(ONE, b), lambda y, a, b: neg(div(y, b))),
    "neg": (lambda y, a: neg(ONE),),
    "fma": (lambda y, a, b, c: b, lambda y, a, b, c: a, lambda y, a, b, c: ONE),
    "abs": (lambda y, a: sign(a),),
    "copysign": (lambda y, a, b: mul(sign(a), sign(b)), lambda y, a, b: number("0.0")),
    "finite": (lambda y, a: ONE,),
    "unless_nan": (lambda y, a, b: ONE, lambda y, a, b: number("0.0")),
    "unscaled": (lambda y, a: Node("unscaled", ONE),),
    "unscaled_product": (lambda y, a, b: Node("unscaled", b), lambda y, a, b: Node("unscaled", a)),
    "exp_neg": (lambda y, u: neg(y),),
    "exp_neg_product": (lambda y, k, u: neg(mul(u, y)), lambda y, k, u: neg(mul(k, y))),
    "scaled_exp_neg_product": (lambda y, k, u: neg(mul(u, y)), lambda y, k, u: neg(mul(k, y))),
    "expm1_neg": (lambda y, u: neg(add(ONE, y)),),
    "log1p": (lambda y, t: div(ONE, add(ONE, t)),),
    "log1p_any": (lambda y, t: div(ONE, add(ONE, t)),),
    "normal_tail": (normal_tail,),
    "tanh_rest": (tanh_rest,),
}
"""By each argument, from the result and the arguments: what `select` chooses between is apart."""


def derivative(output: Node, by: Node) -> Node:
    """That of an output by an input; at a kink that of the side which the formula takes."""
    zero = number("0.0")
    found: dict[Node, Node] = {}
    for node in walk([output]):
        if node is by:
            found[node] = ONE
        elif by not in node.leaves or node.op in COMPARISONS:
            found[node] = zero
        elif node.op == "select":
            test, yes, no = node.args
            found[node] = Node("select", test, found[yes], found[no])
        else:
            terms = [
                partial(node, *node.args) if found[arg] is ONE
                else mul(found[arg], partial(node, *node.args))
                for arg, partial in zip(node.args, PARTIAL[node.op], strict=True)
                if found[arg] is not zero
            ]  # fmt: skip
            total = terms[0] if terms else zero
            for term in terms[1:]:
                total = add(total, term)
            found[node] = total
    return found[output]
