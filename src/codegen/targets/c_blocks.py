"""s3s4.h and functions.h: functions of one element, and of blocks that compilers vectorise.

Design:
- A block function runs over 512 bytes at a time and gives every exponential a loop of its own, into
  an array on the stack. Where it is short, and its constants fit the registers, one loop is better:
  the exponentials of one element hide the division of another.
- Meanwhile a later block is fetched from memory. More than eight lines of an array at once would
  make the processor wait for them.
- What depends on nothing but constants and on parameters that a whole loop shares is computed once,
  before the loop.
"""

from codegen.family import Family
from codegen.ir import Function, Node, settled
from codegen.passes import (
    SHORT,
    Loop,
    is_lighter,
    loops,
    operations,
    ordinary,
    uniform,
    without_idle_scales,
)
from codegen.targets import c_vectors
from codegen.targets.c_elements import TAKEN, TYPES, C, element, included
from codegen.text import Writer

HEAD = """\
/* s3s4.h: every activation as C99 functions, generated from src/formulas.
 *
 * s3s4_<name>_<f32|f64|ld>(x, parameters...) computes one element.
 * s3s4_<name>_block_<f32|f64>(n, in, out) computes n elements, n a multiple of 16, from arrays
 * in[0] = x, in[1] = first parameter, ... to arrays out[0], ...; out may be one of in.
 * s3s4_<name>_ordinary_<f32|f64>, where there is one, takes parameters from 0 to S3S4_ORDINARY_MAX
 * and is faster. s3s4_<name>_uniform_<f32|f64> takes parameters of one element each, from
 * -S3S4_ORDINARY_MAX to S3S4_ORDINARY_MAX. All give the same bits.
 *
 * C99 and C++17, no library but libm. Compilers vectorise the block functions with -O3
 * -fno-math-errno -fno-trapping-math and flags for the processor; with -ffast-math, or any part of
 * it that changes results, they refuse to be compiled. After Python.h, s3s4_import() gives an
 * extension module the functions of the installed package instead (s3s4_api.h).
 */
#ifndef S3S4_H
#define S3S4_H

#include "primitives.h"

#include "blocks.h"
"""
FUNCTIONS_HEAD = """\
/* functions.h: every activation in one type, generated from src/formulas. Included by s3s4.h. */
"""
FOOT = """\
#include "rows.h"

#ifdef Py_PYTHON_H
#include "s3s4_api.h"
#endif

#if defined(__clang__)
#pragma float_control(pop)
#endif

#endif
"""


def header(_: Family) -> str:
    """What is included by others: every function in every type."""
    return "\n\n".join([HEAD, *(included("functions.h", kind) for kind in TYPES), FOOT])


def functions(family: Family) -> str:
    """Every function of the table, in one type."""
    every = [*map(without_idle_scales, family.functions)]
    on_vectors = c_vectors.names(family)
    elements = [
        element(f, c_vectors.element_steps(f) if f.name in on_vectors else ())
        for f in every
        if f.is_public
    ]
    blocks = [
        block(one, form, f.name in on_vectors) for f in every for form, one in forms(f).items()
    ]
    return "\n\n".join([FUNCTIONS_HEAD, *elements, "#if S3S4_IS_BLOCKED", *blocks, "#endif\n"])


def forms(function: Function) -> dict[str, Function]:
    """The block functions that differ: what has no parameters needs but one."""
    found = {"block": uniform(function, frozenset())}
    if function.parameters:
        found["uniform"] = uniform(function, function.parameters)
        special = ordinary(function)
        if not function.is_second and is_lighter(special, found["uniform"]):
            found["ordinary"] = special
    return found


def block(function: Function, form: str, has_vectors: bool) -> str:
    """Any multiple of 16 elements."""
    shared = function.parameters if form == "uniform" else frozenset[Node]()
    lines = element_loops(function, form, shared)
    if has_vectors:
        vectors = c_vectors.body(function, shared)
        lines = ["#if S3S4_VECTORS", *vectors, "#else", *lines, "#endif"]
    return "\n".join([
        "S3S4_UNUSED",
        f"static void S3S4_K(s3s4_{function.name}_{form})(",
        "    ptrdiff_t n, const S3S4_T *const *in, S3S4_T *const *out) {",
        *lines,
        "}",
    ])  # fmt: skip


def element_loops(function: Function, form: str, shared: frozenset[Node]) -> list[str]:
    """The body of a block function, which compilers vectorise."""
    once = settled(function.nodes, shared)
    used = {node.text: node in once for node in function.nodes if node.op == "input"}
    writer = Writer(function, C, TAKEN)
    before = [
        *((n, f"in[{i}][0]") for i, n in enumerate(function.inputs) if used.get(n)),
        *writer.assignments(node for node in function.nodes if node in once and shared),
    ]
    arrays = [name for name in function.inputs if used.get(name) is False]
    pointers = {
        f"in_{name}": f"const S3S4_T *in_{name} = in[{function.inputs.index(name)}] + start;"
        for name in arrays
    }
    outs = [f"out_{i}" for i in range(len(function.outputs))]
    pointers |= {out: f"S3S4_T *{out} = out[{i}] + start;" for i, out in enumerate(outs)}

    def in_blocks(at_once: bool) -> list[str]:
        every = loops(function, shared, at_once)
        stored = {node: f"block_{i}" for i, node in enumerate(every[-1].known)}
        lines = [
            "    for (ptrdiff_t start = 0; start < n; start += S3S4_BLOCK(S3S4_T)) {",
            "        const ptrdiff_t m = S3S4_LENGTH(n - start, S3S4_BLOCK(S3S4_T));",
            *(f"        {declaration}" for declaration in pointers.values()),
            *(f"        S3S4_T {name}[S3S4_BLOCK(S3S4_T)];" for name in stored.values()),
        ]
        for one in every:
            targets = outs if one is every[-1] else [stored[node] for node in one.targets]
            lines += element_loop(one, writer.inner(), arrays, stored, targets)
        # At the end, or gcc would not move what is constant out of the loop over blocks.
        lines += [f"        S3S4_FETCH({pointer});" for pointer in pointers]
        return [*lines, "    }"]

    if (
        operations(function) <= SHORT
        and not once.issuperset(function.costly)
        and (form != "block" or not function.parameters)
    ):
        body = ["#if S3S4_REGISTERS >= 32", *in_blocks(True), "#else", *in_blocks(False), "#endif"]
    else:
        body = in_blocks(False)
    return [*(f"    const S3S4_T {name} = {text};" for name, text in before), *body]


def element_loop(
    loop: Loop,
    writer: Writer,
    arrays: list[str],
    stored: dict[Node, str],
    targets: list[str],
) -> list[str]:
    """One loop over a block, from inputs and what earlier loops stored to targets."""
    needed = {arg for node in loop.steps for arg in node.args} | {*loop.targets}
    reads = [node.text for node in loop.steps if node.op == "input"]
    steps = [
        *((name, f"in_{name}[i]") for name in arrays if name in reads),
        *((writer.name(node), f"{stored[node]}[i]") for node in loop.known if node in needed),
        *writer.assignments(loop.steps),
    ]
    values = [writer.text(target) for target in loop.targets]
    return [
        "        S3S4_INDEPENDENT",
        "        for (ptrdiff_t i = 0; i < m; i++) {",
        *(f"            const S3S4_T {name} = {text};" for name, text in steps),
        *(f"            const S3S4_T new_{j} = {value};" for j, value in enumerate(values)),
        *(f"            {target}[i] = new_{j};" for j, target in enumerate(targets)),
        "        }",
    ]
