"""The derivative of nodes, by rules for each operation.

Second derivatives are made by them; the first ones of activations.py are written by hand, for range
and accuracy, and checked against them.

Design:
- Products with 0 and 1 are not made: most of what the rules give is one.
- At 0 the slopes of |x| and of what has its sign are those of the side that the formula takes for
  x = 0: its own comparison of x, or of a product with x, says which. Else it is the right one.
"""

from collections.abc import Callable

from codegen.ir import COMPARISONS, Function, Node, number, read, walk

ZERO, HALF, ONE, THREE = map(number, ("0.0", "0.5", "1.0", "3.0"))
DENSITY = number("0.39894228040143267793994605993438186847585863116493")
"""1 / sqrt(2 pi)."""
RIGHT = {"gt": ONE, "ge": ONE, "lt": Node("neg", ONE), "le": Node("neg", ONE)}
"""The sign of what is compared with 0, where the comparison holds."""


def add(a: Node, b: Node) -> Node:
    if a is ZERO or b is ZERO:
        return b if a is ZERO else a
    return sub(a, b.args[0]) if b.op == "neg" else Node("add", a, b)


def sub(a: Node, b: Node) -> Node:
    if a is ZERO or b is ZERO:
        return neg(b) if a is ZERO else a
    return Node("add", a, b.args[0]) if b.op == "neg" else Node("sub", a, b)


def mul(a: Node, b: Node) -> Node:
    if a is ZERO or b is ZERO:
        return ZERO
    if a is ONE or b is ONE:
        return b if a is ONE else a
    if a.op == "neg":
        return neg(mul(a.args[0], b))
    return neg(mul(a, b.args[0])) if b.op == "neg" else Node("mul", a, b)


def div(a: Node, b: Node) -> Node:
    if a is ZERO or b is ONE:
        return a
    return neg(div(a.args[0], b)) if a.op == "neg" else Node("div", a, b)


def neg(a: Node) -> Node:
    if a is ZERO:
        return a
    return a.args[0] if a.op == "neg" else Node("neg", a)


def select(test: Node, a: Node, b: Node) -> Node:
    return a if a is b else Node("select", test, a, b)


def bounded(u: Node) -> Node:
    """Of an infinite u a huge number: 0 times it is 0, as where u is a factor of e^-u."""
    return u if u.op in ("finite", "number", "within_normal") else Node("finite", u)


def normal_tail(node: Node, u: Node) -> Node:
    """R' = u R - 1 / sqrt(2 pi) for R = e^(u^2/2) Phi(-u)."""
    return sub(mul(bounded(u), node), DENSITY)


def tanh_rest(node: Node, u: Node) -> Node:
    """T' = ((1 - u^2 T)^2 - 3 T) / u for T = (u - tanh u) / u^3."""
    share = sub(ONE, mul(mul(u, u), node))
    return div(sub(mul(share, share), mul(THREE, node)), u)


def sinc(node: Node, k: Node, u: Node, by: Node) -> Node:
    """R' = (cos t - R) / t for R = sin(t) / t and t = k u; cos t = 1 - (t R(t/2))^2 / 2."""
    t = mul(k, u)
    sine = mul(t, Node("sinc_product", mul(HALF, k), u))
    rise = sub(sub(ONE, mul(HALF, mul(sine, sine))), node)
    return mul(by, div(rise, Node("select", Node("eq", t, ZERO), ONE, t)))


exp_neg_product = (
    lambda y, k, u: neg(mul(bounded(u), y)),
    lambda y, k, u: neg(mul(bounded(k), y)),
)
PARTIAL: dict[str, tuple[Callable[..., Node], ...]] = {
    "add": (lambda y, a, b: ONE, lambda y, a, b: ONE),
    "sub": (lambda y, a, b: ONE, lambda y, a, b: neg(ONE)),
    "mul": (lambda y, a, b: b, lambda y, a, b: a),
    "fma": (lambda y, a, b, c: b, lambda y, a, b, c: a, lambda y, a, b, c: ONE),
    "finite": (lambda y, a: ONE,),
    "within_exp": (lambda y, u: ONE,),
    "within_normal": (lambda y, u: ONE,),
    "unless_nan": (lambda y, a, b: ONE, lambda y, a, b: ZERO),
    "unscaled_product": (lambda y, a, b: Node("unscaled", b), lambda y, a, b: Node("unscaled", a)),
    "exp_neg": (lambda y, u: neg(y),),
    "scaled_exp_neg": (lambda y, u: neg(y),),
    "scaled_exp_neg_half_square": (lambda y, u: neg(mul(bounded(u), y)),),
    "exp_neg_product": exp_neg_product,
    "scaled_exp_neg_product": exp_neg_product,
    "expm1_neg": (lambda y, u: neg(Node("exp_neg", u)),),
    "log1p": (lambda y, t: div(ONE, add(ONE, t)),),
    "log1p_any": (lambda y, t: div(ONE, add(ONE, t)),),
    "normal_tail": (normal_tail,),
    "sinc_product": (
        lambda y, k, u: sinc(y, k, u, u),
        lambda y, k, u: sinc(y, k, u, k),
    ),
    "sqrt_square_plus": (lambda y, u, b: div(u, y), lambda y, u, b: div(HALF, y)),
    "tanh_rest": (tanh_rest,),
}
"""By each argument, from the result and the arguments; `Side` has those that a sign decides."""


class Side:
    """Which sign inputs have, as a function sees them where they are 0."""

    def __init__(self, function: Function) -> None:
        self.found: dict[Node, Node] = {}
        tests = [node for node in function.nodes if node.op in RIGHT and node.args[1] is ZERO]
        for test in tests:
            if test.args[0].op == "input":
                self.found.setdefault(test.args[0], self._where(test))
        products = [test for test in tests if test.args[0].op == "mul"]
        self.found |= {
            one: mul(self._where(test), self.sign(other))
            for test in reversed(products)
            for one, other in (test.args[0].args, test.args[0].args[::-1])
            if one.op == "input" and one not in self.found
        }

    def _where(self, test: Node) -> Node:
        return select(test, RIGHT[test.op], neg(RIGHT[test.op]))

    def sign(self, node: Node) -> Node:
        """1 or -1."""
        if node.op == "neg":
            return neg(self.sign(node.args[0]))
        if node.op == "input":
            return self.found.get(node) or self._where(Node("ge", node, ZERO))
        return Node("copysign", ONE, node)

    def partials(self, node: Node) -> tuple[Node, ...]:
        """The derivatives of an operation by its arguments."""
        if node.op == "abs":
            return (self.sign(node.args[0]),)
        if node.op == "copysign":
            return mul(Node("copysign", ONE, node.args[0]), self.sign(node.args[1])), ZERO
        return tuple(partial(node, *node.args) for partial in PARTIAL[node.op])


def derivative(function: Function, by: Node) -> Node:
    """That of a function of one output by an input."""
    side = Side(function)
    found: dict[Node, Node] = {}
    for node in walk(function.outputs):
        if node is by:
            found[node] = ONE
        elif by not in node.leaves or node.op in COMPARISONS:
            found[node] = ZERO
        elif node.op == "select":
            test, yes, no = node.args
            found[node] = select(test, found[yes], found[no])
        elif node.op == "div":  # y = a / b: y' = (a' - y b') / b
            a, b = node.args
            found[node] = div(sub(found[a], mul(node, found[b])), b)
        elif node.op == "neg":
            found[node] = neg(found[node.args[0]])
        elif node.op == "unscaled":
            found[node] = Node("unscaled", found[node.args[0]])
        else:
            total = ZERO
            for arg, partial in zip(node.args, side.partials(node), strict=True):
                total = add(total, mul(found[arg], partial))
            found[node] = total
    return found[function.outputs[0]]


def second_derivative(first: Function, by: str, name: str, doc: str) -> Function:
    """That of a first derivative: NaN in an input gives NaN, also where it is a number."""
    output = derivative(first, read(by))
    for given in first.inputs:
        output = Node("unless_nan", output, read(given))
    return Function(name, doc, first.inputs, (output,), first.names, is_second=True)
