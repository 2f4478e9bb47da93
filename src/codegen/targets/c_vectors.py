"""The block functions of functions.h on vectors of 512 bits: the same nodes, on whole vectors.

Design:
- They take the place of those of c_blocks.py in code for AVX-512 that asks for it, and where an
  exponential gains by the instructions that compilers do not find (vectors_type.h).
- All functions of an activation or none: they share exponentials, whose bits would differ.
- Long functions have a loop for each exponential, as there. Where the sign of a parameter that a
  loop shares decides, each sign has loops of its own.
"""

from collections.abc import Mapping, Sequence

from codegen.family import Activation, Family, table
from codegen.ir import ARITHMETIC, COMPARISONS, Function, Node, settled
from codegen.passes import SHORT, Loop, decided, loops, operations
from codegen.targets.c_elements import TAKEN, C
from codegen.text import Language, Writer, infix

VECTORS = Language(
    infix(
        select="S3S4_K(s3s4_v_select)({}, {}, {})",
        **{op: f"S3S4_K(s3s4_v_{op})({{}}, {{}})" for op in COMPARISONS},
    ),
    number=lambda digits: f"S3S4_K(s3s4_v_splat)(S3S4_L({digits}))",
    call=lambda op: f"S3S4_K(s3s4_v_{op})",
)
GAINING = {
    "exp_neg",
    "exp_neg_product",
    "scaled_exp_neg",
    "scaled_exp_neg_half_square",
    "scaled_exp_neg_product",
}
KNOWN = (
    ARITHMETIC
    | GAINING
    | {"input", "number", "abs", "copysign", "finite", "normal_tail", "unless_nan"}
    | {"unscaled", "unscaled_product", "within_exp", "within_normal"}
)
"""What vectors_type.h has."""


def names(family: Family) -> set[str]:
    """The functions that are made of vectors."""
    return {
        function.name
        for activation in family.activations
        if is_on_vectors(activation)
        for function in functions(activation)
    }


def functions(activation: Activation) -> list[Function]:
    return [*table(activation), *activation.second_derivatives.values()]


def is_on_vectors(activation: Activation) -> bool:
    """Whether an exponential gains, and nothing is missing."""
    used = {node.op for function in functions(activation) for node in function.nodes}
    return bool(used & GAINING) and used <= KNOWN


def body(function: Function, shared: frozenset[Node]) -> list[str]:
    """The loops over the elements: one, or one for each side of what shared parameters decide."""
    conditions = decisions(function, shared)
    if len(conditions) != 1:
        return loop(function, shared)
    (condition,) = conditions
    writer = Writer(function, C)
    writer.known |= {node: scalar(function, node) for node in shared}
    return [
        f"    if ({writer.text(condition)}) {{",
        *(f"    {line}" for line in loop(decided(function, condition, True), shared)),
        "    } else {",
        *(f"    {line}" for line in loop(decided(function, condition, False), shared)),
        "    }",
    ]


def decisions(function: Function, shared: frozenset[Node]) -> set[Node]:
    """What shared parameters alone decide between, of that which elements take part in."""
    once = settled(function.nodes, shared)
    return {
        node.args[0]
        for node in function.nodes
        if node.op == "select" and node.args[0] in once and node not in once
    }


def scalar(function: Function, node: Node) -> str:
    """A parameter that a loop shares, as C reads it."""
    return f"in[{function.inputs.index(node.text)}][0]"


def loop(function: Function, shared: frozenset[Node]) -> list[str]:
    """A vector at a time, and a block at a time that is fetched meanwhile."""
    once = settled(function.nodes, shared) if shared else set[Node]()
    used = [node for node in function.nodes if node.op == "input"]
    writer = Writer(function, VECTORS, TAKEN)
    before = [
        *((n.text, f"S3S4_K(s3s4_v_splat)({scalar(function, n)})") for n in used if n in once),
        *writer.assignments(node for node in function.nodes if node in once),
    ]
    arrays = {n: f"in_{n.text}" for n in used if n not in once}
    outs = [f"out_{i}" for i in range(len(function.outputs))]
    every = loops(function, shared, operations(function) <= SHORT)
    stored = {node: f"block_{i}" for i, node in enumerate(every[-1].known)}
    lines = [
        *(f"    const S3S4_K(s3s4_v) {name} = {text};" for name, text in before),
        "    for (ptrdiff_t start = 0; start < n; start += S3S4_BLOCK(S3S4_T)) {",
        "        const ptrdiff_t m = S3S4_LENGTH(n - start, S3S4_BLOCK(S3S4_T));",
        *(
            f"        const S3S4_T *{name} = in[{function.inputs.index(node.text)}] + start;"
            for node, name in arrays.items()
        ),
        *(f"        S3S4_T *{name} = out[{i}] + start;" for i, name in enumerate(outs)),
        *(f"        S3S4_T {name}[S3S4_BLOCK(S3S4_T)];" for name in stored.values()),
    ]
    for one in every:
        targets = outs if one is every[-1] else [stored[node] for node in one.targets]
        lines += vector_loop(one, writer.inner(), arrays | stored, targets)
    lines += [f"        S3S4_FETCH({name});" for name in (*arrays.values(), *outs)]
    return [*lines, "    }"]


def vector_loop(
    loop: Loop, writer: Writer, arrays: Mapping[Node, str], targets: Sequence[str]
) -> list[str]:
    """One loop over a block, from inputs and what earlier loops stored to targets."""
    needed = {arg for node in loop.steps for arg in node.args} | {*loop.targets}
    reads = [
        *(node for node in loop.steps if node.op == "input" and node in arrays),
        *(node for node in loop.known if node in needed),
    ]
    steps = [
        *(
            (node.text or writer.name(node), f"S3S4_K(s3s4_v_load)({arrays[node]} + i)")
            for node in reads
        ),
        *writer.assignments(loop.steps),
        *((f"new_{i}", writer.text(target)) for i, target in enumerate(loop.targets)),
    ]
    return [
        "        S3S4_ROLLED",
        "        for (ptrdiff_t i = 0; i < m; i += S3S4_IN_VECTOR(S3S4_T)) {",
        *(f"            const S3S4_K(s3s4_v) {name} = {text};" for name, text in steps),
        *(
            f"            S3S4_K(s3s4_v_store)({target} + i, new_{i});"
            for i, target in enumerate(targets)
        ),
        "        }",
    ]


def element_steps(function: Function) -> list[tuple[str, str]]:
    """One element in every place of a vector: what is computed of it, the outputs last."""
    writer = Writer(function, VECTORS, TAKEN, inputs="every_{}")
    used = [node.text for node in function.nodes if node.op == "input"]
    return [
        *((f"every_{name}", f"S3S4_K(s3s4_v_splat)({name})") for name in used),
        *writer.assignments(function.nodes),
        *((f"every_{i}", writer.text(output)) for i, output in enumerate(function.outputs)),
    ]
