"""Translate formulas.py: C functions for the kernels and C users, and the table of activations.

Usage: python generate.py formulas.py s3s4.h|table.h|_table.py OUTPUT

Design:
- A body becomes a list of single assignments and one expression per output. Parts with a leading
  underscore are inlined; bodies are merged by name, so that a value and its derivatives share
  their exponentials.
- A scalar function is that list, one C statement each. A block function runs over 512 bytes at a
  time and gives every exponential a loop of its own, into an array on the stack: one long loop
  body would overflow the window in which a core looks for independent work. What is cheap is
  computed again in each loop that needs it. Where it is short, and its constants fit the
  registers, one loop is better: the exponentials of one element hide the division of another.
- Meanwhile a later block is fetched from memory. More than eight lines of an array at once would
  make the processor wait for them.
- a b + c is one fused operation where the processor has it, chosen here and not by the compiler:
  every form of a function (scalar, block, uniform) gives the same bits under every compiler.
- Constants take the type of the loop, or a float loop would be computed in double; their digits
  are kept as they are written, for long double has more of them than a Python number.
- What depends on nothing but constants and on parameters that a whole loop shares is computed once,
  before the loop.
- What is not understood is refused with its line, never guessed.
"""

import ast
import copy
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

# These have a form for a parameter that a whole loop shares, and one for ordinary parameters.
UNIFORM = {"exp_neg_product", "scaled_exp_neg_product"}
EXPENSIVE = {
    "exp_neg", "expm1_neg", "log1p", "log1p_any", "normal_tail", "tanh_rest",
    *UNIFORM, *(f"{name}_ordinary" for name in UNIFORM),
}  # fmt: skip
CHEAP = {"abs", "copysign", "finite", "unless_nan", "unscaled"}
REDUCTIONS = {"largest", "total"}  # of a row: generate_rows.py splits bodies at them
PRIMITIVES = EXPENSIVE | CHEAP | REDUCTIONS
TAKEN = {"i", "in", "m", "n", "out", "start"}  # names in the functions that are generated
# Operations beside exponentials up to which one loop is better than several, by what it needs.
SHORT = {8: "S3S4_FMA", 28: "S3S4_REGISTERS >= 32"}
C_TYPES = {"f32": ("float", "f"), "f64": ("double", ""), "ld": ("long double", "L")}
BLOCK_TYPES = ("f32", "f64")
OPERATORS: dict[type, str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/",
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
}  # fmt: skip

UNDERSTOOD = (ast.Name, ast.Load, ast.BinOp, ast.IfExp, ast.UnaryOp, ast.USub, *OPERATORS)


class Refused(SystemExit):
    """What the translator does not understand, with the file and line."""

    def __init__(self, node: ast.AST, reason: str) -> None:
        super().__init__(f"formulas.py:{getattr(node, 'lineno', '?')}: {reason}")


@dataclass
class Body:
    """Single assignments in order, and the expressions they lead to."""

    inputs: list[str]
    assignments: dict[str, ast.expr] = field(default_factory=dict)
    outputs: list[ast.expr] = field(default_factory=list)

    def needed(self, expressions: list[ast.expr], known: set[str]) -> list[str]:
        """Names to assign, in order, before the expressions, given the known ones."""
        wanted: set[str] = set()
        queue = list(expressions)
        while queue:
            for name in names(queue.pop()) - known - wanted - set(self.inputs):
                wanted.add(name)
                queue.append(self.assignments[name])
        return [name for name in self.assignments if name in wanted]

    def used(self, expressions: list[ast.expr], known: set[str]) -> set[str]:
        """Names that the expressions and what must be assigned before them are made of."""
        steps = [self.assignments[name] for name in self.needed(expressions, known)]
        return set().union(*map(names, [*expressions, *steps]))

    def settled(self, inputs: set[str]) -> set[str]:
        """The given inputs, and the names that follow from them and from constants alone."""
        found = set(inputs)
        for name, value in self.assignments.items():
            if names(value) <= found:
                found.add(name)
        return found


@dataclass
class Activation:
    """An activation as formulas.py states it."""

    name: str
    parameters: dict[str, float]
    doc: str
    derivatives: dict[str, str]  # by what -> documentation


@dataclass
class Function:
    """A function of the table: what the kernels know by name."""

    name: str
    doc: str
    body: Body
    public: bool

    @property
    def exponentials(self) -> int:
        return sum(is_expensive(value) for value in self.body.assignments.values())


def names(node: ast.AST) -> set[str]:
    return {
        n.id for n in ast.walk(node) if isinstance(n, ast.Name)
    } - EXPENSIVE - CHEAP - REDUCTIONS  # fmt: skip


def calls(node: ast.AST) -> set[str]:
    return {ast.unparse(n.func) for n in ast.walk(node) if isinstance(n, ast.Call)}


def is_expensive(node: ast.expr, which: set[str] = EXPENSIVE) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in which


class Formulas:
    """The functions of formulas.py, read and checked."""

    def __init__(self, text: str) -> None:
        module = ast.parse(text)
        for constant in ast.walk(module):
            if isinstance(constant, ast.Constant) and type(constant.value) is float:
                constant.kind = ast.get_source_segment(text, constant)
        self.functions: dict[str, ast.FunctionDef] = {}
        for node in module.body:
            if isinstance(node, ast.FunctionDef):
                self.functions[node.name] = node
            elif not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
                raise Refused(node, f"only functions may stand here, not {type(node).__name__}")

    def activations(self) -> list[Activation]:
        rows = self.rows()
        rows += [f"{name}_vjp" for name in rows]
        public = [name for name in self.functions if not name.startswith("_") and name not in rows]
        bases = [n for n in public if not any(n.startswith(f"{b}_d") for b in public if b != n)]
        return [self._activation(name) for name in bases]

    def rows(self) -> list[str]:
        """The row functions: those that reduce, apart from their vector-Jacobian products."""
        return [
            name
            for name in self.functions
            if not name.startswith("_")
            and not name.endswith("_vjp")
            and any(calls(value) & REDUCTIONS for value in self.body(name).assignments.values())
        ]

    def _activation(self, name: str) -> Activation:
        node = self.functions[name]
        arguments = [a.arg for a in node.args.args]
        if arguments[:1] != ["x"] or len(node.args.defaults) != len(arguments) - 1:
            raise Refused(node, f"{name} must take x, then parameters that have defaults")
        defaults = {
            a: float(ast.literal_eval(d))
            for a, d in zip(arguments[1:], node.args.defaults, strict=True)
        }
        derivatives = {}
        for argument in arguments:
            if f"{name}_d{argument}" not in self.functions:
                raise Refused(node, f"the derivative {name}_d{argument} is missing")
            derivatives[argument] = documentation(self.functions[f"{name}_d{argument}"])
        return Activation(name, defaults, documentation(node), derivatives)

    def body(self, name: str) -> Body:
        """The assignments and outputs of a function, with its parts inlined."""
        node = self.functions[name]
        body = Body([a.arg for a in node.args.args])
        for statement in node.body:
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                continue
            if isinstance(statement, ast.Return) and statement.value is not None:
                value = statement.value
                body.outputs = list(value.elts) if isinstance(value, ast.Tuple) else [value]
                for output in body.outputs:
                    check(output, body)
            elif isinstance(statement, ast.Assign) and len(statement.targets) == 1:
                self._assign(body, statement.targets[0], statement.value)
            else:
                raise Refused(statement, f"cannot translate {type(statement).__name__}")
        if not body.outputs:
            raise Refused(node, f"{name} returns nothing")
        return body

    def _assign(self, body: Body, target: ast.expr, value: ast.expr) -> None:
        targets = target.elts if isinstance(target, ast.Tuple) else [target]
        if isinstance(value, ast.Call) and getattr(value.func, "id", "").startswith("_"):
            part = self.body(ast.unparse(value.func))
            if [ast.unparse(a) for a in value.args] != part.inputs:
                raise Refused(value, "a part is called with the names of its own arguments")
            for name, expression in part.assignments.items():
                add(body, name, expression)
            values = part.outputs
        else:
            values = list(value.elts) if isinstance(value, ast.Tuple) else [value]
        if len(values) != len(targets):
            raise Refused(target, f"{len(targets)} names for {len(values)} values")
        for one, expression in zip(targets, values, strict=True):
            if not isinstance(one, ast.Name):
                raise Refused(one, f"cannot assign to {type(one).__name__}")
            check(expression, body)
            add(body, one.id, expression)


def add(body: Body, name: str, expression: ast.expr) -> None:
    """Assign a name once; the same assignment again is the same value."""
    if isinstance(expression, ast.Name) and expression.id == name:
        return
    if name in TAKEN:
        raise Refused(expression, f"{name} is a name of the generated code's own")
    known = body.assignments.get(name)
    if name in body.inputs or (known and ast.unparse(known) != ast.unparse(expression)):
        raise Refused(expression, f"{name} is assigned twice")
    body.assignments[name] = expression


def check(node: ast.expr, body: Body) -> None:
    """Refuse unknown names, what has no translation, and exponentials inside an expression."""
    unknown = names(node) - body.assignments.keys() - set(body.inputs)
    for child in ast.walk(node):
        if isinstance(child, ast.Call):
            if not isinstance(child.func, ast.Name) or child.func.id not in PRIMITIVES:
                raise Refused(child, f"unknown primitive {ast.unparse(child.func)}")
            if child.keywords:
                raise Refused(child, "primitives take no keywords")
            if child is not node and (is_expensive(child) or child.func.id in REDUCTIONS):
                raise Refused(child, f"give {child.func.id}(...) a name of its own")
        elif isinstance(child, ast.Constant):
            if type(child.value) not in (int, float):
                raise Refused(child, f"cannot translate the constant {child.value!r}")
        elif isinstance(child, ast.Compare):
            if len(child.ops) != 1:
                raise Refused(child, "one comparison at a time")
        elif isinstance(child, ast.Name) and child.id in unknown:
            raise Refused(child, f"{child.id} is not assigned before it is used")
        elif not isinstance(child, UNDERSTOOD):
            place = child if hasattr(child, "lineno") else node
            raise Refused(place, f"cannot translate {type(child).__name__}")


def read(source: str) -> str:
    """The activations, and the row functions beside them."""
    rows = Path(source).with_name("rows.py")
    return Path(source).read_text() + (rows.read_text() if rows.exists() else "")


def documentation(node: ast.FunctionDef) -> str:
    text = ast.get_docstring(node)
    if not text:
        raise Refused(node, f"{node.name} has no docstring")
    return text


def merge(bodies: list[Body]) -> Body:
    """One body with the outputs of several; a name that differs is renamed."""
    merged = Body(bodies[0].inputs)
    for index, body in enumerate(bodies):
        renamed = {
            name: f"{name}_{index}"
            for name, value in body.assignments.items()
            if name in merged.assignments
            and ast.unparse(merged.assignments[name]) != ast.unparse(value)
        }
        for name, value in body.assignments.items():
            merged.assignments[renamed.get(name, name)] = rename(value, renamed)
        merged.outputs += [rename(output, renamed) for output in body.outputs]
    return merged


def rename(node: ast.expr, renamed: dict[str, str]) -> ast.expr:
    changed = copy.deepcopy(node)
    for child in ast.walk(changed):
        if isinstance(child, ast.Name):
            child.id = renamed.get(child.id, child.id)
    return changed


def table(formulas: Formulas) -> list[Function]:
    """Every function the kernels have: values, derivatives, and the merged ones."""
    functions = []
    for activation in formulas.activations():
        name = activation.name
        value = formulas.body(name)
        derivatives = {by: formulas.body(f"{name}_d{by}") for by in activation.derivatives}
        functions.append(Function(name, activation.doc, value, True))
        for by, body in derivatives.items():
            functions.append(Function(f"{name}_d{by}", activation.derivatives[by], body, True))
        both = merge([value, derivatives["x"]])
        doc = f"{name} and its derivative by x, in one pass."
        functions.append(Function(f"{name}_value_dx", doc, both, True))
        backward = merge(list(derivatives.values()))
        backward.outputs = [
            ast.BinOp(ast.Name("g"), ast.Mult(), output) for output in backward.outputs
        ]
        backward.inputs = ["g", *backward.inputs]
        doc = f"g times each derivative of {name}."
        functions.append(Function(f"{name}_backward", doc, backward, False))
    return functions


def without_idle_scales(function: Function) -> Function:
    """Take e^-(k u) at once where 2^64 e^-(k u) is wanted for its unscaled value alone."""
    body = function.body
    steps = {name: body.assignments[name] for name in body.needed(body.outputs, set())}
    for name, value in list(steps.items()):
        users = [user for user, expression in steps.items() if name in names(expression)]
        if (
            ast.unparse(value).startswith("scaled_exp_neg_product(")
            and all(ast.unparse(steps[user]) == f"unscaled({name})" for user in users)
            and not any(name in names(output) for output in body.outputs)
        ):
            del steps[name]
            direct = rename(value, {"scaled_exp_neg_product": "exp_neg_product"})
            steps |= dict.fromkeys(users, direct)
    return replace(function, body=replace(body, assignments=steps))


class Ordinary(ast.NodeTransformer):
    """What an expression is where every parameter is known to be an ordinary number."""

    def __init__(self, parameters: set[str]) -> None:
        self.parameters = parameters

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        is_certain = ast.unparse(node.test) in {f"{name} >= 0" for name in self.parameters}
        chosen: ast.AST = self.visit(node.body) if is_certain else self.generic_visit(node)
        return chosen

    def visit_Call(self, node: ast.Call) -> ast.AST:
        name = ast.unparse(node.func)
        values: list[ast.expr] = [self.visit(value) for value in node.args]
        if names(values[0]) <= self.parameters:
            if name == "abs":
                return values[0]
            if name in UNIFORM:
                name += "_ordinary"
        return ast.Call(ast.Name(name), values, [])


def with_ordinary_parameters(function: Function) -> Function:
    body = function.body
    assume = Ordinary(set(body.inputs) - {"g", "x"})

    def assumed(node: ast.expr) -> ast.expr:
        result: ast.expr = assume.visit(rename(node, {}))
        return result

    steps = {name: assumed(value) for name, value in body.assignments.items()}
    outputs = [assumed(output) for output in body.outputs]
    return replace(function, body=replace(body, assignments=steps, outputs=outputs))


def fused(node: ast.expr) -> ast.expr:
    """One operation fma(a, b, c) for a b + c; any other expression as it is."""

    def fma(a: ast.expr, b: ast.expr, c: ast.expr) -> ast.expr:
        return ast.Call(ast.Name("fma"), [a, b, c], [])

    def minus(operand: ast.expr) -> ast.expr:
        return ast.UnaryOp(ast.USub(), operand)

    match node:
        case ast.BinOp(left=ast.BinOp(left=a, op=ast.Mult(), right=b), op=ast.Add(), right=c):
            return fma(a, b, c)
        case ast.BinOp(left=ast.BinOp(left=a, op=ast.Mult(), right=b), op=ast.Sub(), right=c):
            return fma(a, b, minus(c))
        case ast.BinOp(left=c, op=ast.Add(), right=ast.BinOp(left=a, op=ast.Mult(), right=b)):
            return fma(a, b, c)
        case ast.BinOp(left=c, op=ast.Sub(), right=ast.BinOp(left=a, op=ast.Mult(), right=b)):
            return fma(minus(a), b, c)
    return node


def c_expression(node: ast.expr, kind: str, uniform: frozenset[str] = frozenset()) -> str:
    """A C expression; `uniform` names the arguments that a whole loop shares."""

    def c(child: ast.expr) -> str:
        return c_expression(child, kind, uniform)

    match fused(node):
        case ast.Constant(value=int() | float() as value, kind=digits):
            return f"{digits or repr(float(value))}{C_TYPES[kind][1]}"
        case ast.Name(id=name):
            return name
        case ast.BinOp(left=left, op=op, right=right):
            return f"({c(left)} {OPERATORS[type(op)]} {c(right)})"
        case ast.UnaryOp(operand=operand):
            return f"(-{c(operand)})"
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            return f"({c(left)} {OPERATORS[type(op)]} {c(right)})"
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return f"({c(test)} ? {c(body)} : {c(orelse)})"
        case ast.Call(func=ast.Name(id=name), args=args):
            settled = name in UNIFORM and names(args[0]) <= uniform and kind in BLOCK_TYPES
            form = "_uniform" if settled else ""
            return f"s3s4_{name}{form}_{kind}({', '.join(map(c, args))})"
    raise Refused(node, f"cannot translate {type(node).__name__}")


def scalar_function(function: Function, kind: str) -> str:
    """One element: a single output is returned, several go through pointers."""
    ctype = C_TYPES[kind][0]
    body = function.body
    arguments = [f"{ctype} {name}" for name in body.inputs]
    lines = [
        f"    const {ctype} {name} = {c_expression(body.assignments[name], kind)};"
        for name in body.needed(body.outputs, set())
    ]
    used = body.used(body.outputs, set())
    lines[:0] = [f"    (void){name};" for name in body.inputs if name not in used]
    results = [c_expression(output, kind) for output in body.outputs]
    if len(results) == 1:
        returns = ctype
        lines.append(f"    return {results[0]};")
    else:
        returns = "void"
        arguments += [f"{ctype} *out{i}" for i in range(len(results))]
        lines += [f"    const {ctype} value{i} = {r};" for i, r in enumerate(results)]
        lines += [f"    *out{i} = value{i};" for i in range(len(results))]
    head = f"static inline {returns} s3s4_{function.name}_{kind}({', '.join(arguments)})"
    return "\n".join([f"{head} {{", *lines, "}"])


def block_function(function: Function, kind: str, form: str) -> str:
    """Any multiple of 16 elements."""
    ctype = C_TYPES[kind][0]
    if form == "ordinary":
        function = with_ordinary_parameters(function)
    body = function.body
    elements = [name for name in body.inputs if form != "uniform" or name in ("g", "x")]
    shared = frozenset(body.settled(set(body.inputs) - set(elements)))
    once = body.needed([ast.Name(name) for name in shared], set())
    used = body.used(body.outputs, set())
    lines = [
        "S3S4_UNUSED",
        f"static void s3s4_{function.name}_{form}_{kind}(",
        f"    ptrdiff_t n, const {ctype} *const *in, {ctype} *const *out) {{",
        *(
            f"    const {ctype} {name} = in[{i}][0];"
            for i, name in enumerate(body.inputs)
            if name in shared & used
        ),
        *(
            f"    const {ctype} {n} = {c_expression(body.assignments[n], kind, shared)};"
            for n in once
            if n in used
        ),
    ]
    pointers = {
        f"in_{name}": f"const {ctype} *in_{name} = in[{i}] + start;"
        for i, name in enumerate(body.inputs)
        if name in elements and name in used
    } | {f"out_{i}": f"{ctype} *out_{i} = out[{i}] + start;" for i in range(len(body.outputs))}
    outputs = {f"out_{i}": output for i, output in enumerate(body.outputs)}
    expensive = [
        n for n, v in body.assignments.items() if is_expensive(v) and n not in shared and n in used
    ]
    split = [f"        {ctype} block_{name}[S3S4_BLOCK({ctype})];" for name in expensive]
    for done, name in enumerate(expensive):
        step = {f"block_{name}": body.assignments[name]}
        split += element_loop(body, kind, elements, shared, expensive[:done], step)
    split += element_loop(body, kind, elements, shared, expensive, outputs)
    split = in_blocks(pointers, ctype, split)
    conditions = [needs for limit, needs in SHORT.items() if operations(body) <= limit]
    if conditions and (form != "block" or set(elements) <= {"g", "x"}):
        whole = element_loop(body, kind, elements, shared, [], outputs)
        whole = in_blocks(pointers, ctype, whole)
        lines += [f"#if {conditions[0]}", *whole, "#else", *split, "#endif"]
    else:
        lines += split
    return "\n".join([*lines, "}"])


def in_blocks(pointers: dict[str, str], ctype: str, loops: list[str]) -> list[str]:
    """Loops over a block at a time, while a later one is fetched from memory."""
    return [
        f"    for (ptrdiff_t start = 0; start < n; start += S3S4_BLOCK({ctype})) {{",
        f"        const ptrdiff_t m = S3S4_LENGTH(n - start, S3S4_BLOCK({ctype}));",
        *(f"        {declaration}" for declaration in pointers.values()),
        *(f"        S3S4_FETCH({pointer});" for pointer in pointers),
        *loops,
        "    }",
    ]


def operations(body: Body) -> int:
    """How many each element takes, beside its exponentials, in a loop that shares parameters."""
    steps = [body.assignments[name] for name in body.needed(body.outputs, set())]
    parameters = set(body.inputs) - {"g", "x"}

    def count(node: ast.AST) -> int:
        if isinstance(node, ast.IfExp) and names(node.test) <= parameters:
            return max(count(node.body), count(node.orelse))
        is_operation = isinstance(node, ast.BinOp | ast.IfExp | ast.Call)
        return is_operation + sum(map(count, ast.iter_child_nodes(node)))

    return sum(map(count, [*steps, *body.outputs]))


def element_loop(
    body: Body,
    kind: str,
    elements: list[str],
    shared: frozenset[str],
    known: list[str],
    targets: dict[str, ast.expr],
) -> list[str]:
    """One loop over a block, from inputs and known intermediate blocks to targets."""
    ctype = C_TYPES[kind][0]
    values = list(targets.values())
    steps = body.needed(values, {*known, *shared})
    used = body.used(values, {*known, *shared})

    def c(value: ast.expr) -> str:
        return c_expression(value, kind, shared)

    return [
        "        S3S4_INDEPENDENT",
        "        for (ptrdiff_t i = 0; i < m; i++) {",
        *(f"            const {ctype} {n} = in_{n}[i];" for n in elements if n in used),
        *(f"            const {ctype} {n} = block_{n}[i];" for n in known if n in used),
        *(f"            const {ctype} {n} = {c(body.assignments[n])};" for n in steps),
        *(f"            const {ctype} new_{i} = {c(v)};" for i, v in enumerate(values)),
        *(f"            {target}[i] = new_{i};" for i, target in enumerate(targets)),
        "        }",
    ]


HEADER = """\
/* s3s4.h: every activation as C99 functions, generated from formulas.py.
 *
 * s3s4_<name>_<f32|f64|ld>(x, parameters...) computes one element.
 * s3s4_<name>_block_<f32|f64>(n, in, out) computes n elements, n a multiple of 16, from arrays
 * in[0] = x, in[1] = first parameter, ... to arrays out[0], ...; out may be one of in.
 * s3s4_<name>_ordinary_<f32|f64>, where there is one, takes parameters from 0 to S3S4_ORDINARY_MAX
 * and is faster. s3s4_<name>_uniform_<f32|f64> takes parameters of one element each, from
 * -S3S4_ORDINARY_MAX to S3S4_ORDINARY_MAX, or NaN. All give the same bits.
 *
 * C99 and C++17, no library but libm. Compilers vectorise the block functions with -O3
 * -fno-math-errno -fno-trapping-math and flags for the processor; with -ffast-math, or any part of
 * it that changes results, they refuse to be compiled. After Python.h, s3s4_import() gives an
 * extension module the functions of the installed package instead (s3s4_api.h).
 */
#ifndef S3S4_H
#define S3S4_H

#include <stddef.h>

#include "vecmath.h"

/* Elements at a time. */
#define S3S4_BLOCK(type) (512 / (ptrdiff_t)sizeof(type))
/* The smaller of two multiples of 16, in a form that shows it is one and not 0. */
#define S3S4_LENGTH(left, most) (((((left) < (most) ? (left) : (most)) - 1) & ~(ptrdiff_t)15) + 16)

/* Fetch a block's worth of lines that lie S3S4_AHEAD bytes ahead, in the array or behind it: with
 * this much arithmetic in between, the processor's own prefetchers leave it waiting for memory. */
#define S3S4_AHEAD 2048
#if defined(__GNUC__)
#define S3S4_FETCH(pointer)                                                          \\
    for (ptrdiff_t line = 0; line < S3S4_BLOCK(char); line += 64)                    \\
        __builtin_prefetch((const char *)(pointer) + S3S4_AHEAD + line)
#else
#define S3S4_FETCH(pointer) (void)0
#endif

/* Not inline, which changes what gcc makes of the loops. */
#if defined(__GNUC__)
#define S3S4_UNUSED __attribute__((unused))
#else
#define S3S4_UNUSED
#endif

#if defined(__clang__)
#define S3S4_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define S3S4_INDEPENDENT _Pragma("GCC ivdep") _Pragma("GCC unroll 1")
#else
#define S3S4_INDEPENDENT
#endif
"""


def header(functions: list[Function]) -> str:
    parts = [HEADER]
    for function in map(without_idle_scales, functions):
        parts += [scalar_function(function, kind) for kind in C_TYPES if function.public]
        for kind in BLOCK_TYPES:
            parts += [block_function(function, kind, form) for form in forms(function)]
    parts += ['#include "rows.h"', '#ifdef Py_PYTHON_H\n#include "s3s4_api.h"\n#endif']
    parts += ["#if defined(__clang__)\n#pragma float_control(pop)\n#endif", "#endif\n"]
    return "\n\n".join(parts)


def forms(function: Function) -> list[str]:
    """The block functions that differ: what has no parameters needs but one."""
    if not set(function.body.inputs) - {"g", "x"}:
        return ["block"]
    ordinary = with_ordinary_parameters(function).body
    is_other = list(map(ast.unparse, ordinary.assignments.values())) != list(
        map(ast.unparse, function.body.assignments.values())
    )
    return ["block", *(["ordinary"] if is_other else []), "uniform"]


def c_table(functions: list[Function]) -> str:
    """The table of functions that the kernels are driven by."""
    lines = ["/* Generated from formulas.py: what kernels.pyx knows of each function. */"]
    for function in functions:
        if function.public:
            lines.append(long_double_loop(function))
    lines.append("static const s3s4_function s3s4_functions[] = {")
    for function in functions:
        own = forms(function)
        symbols = [
            f"s3s4_{function.name}_{form if form in own else 'block'}_{kind}"
            for form in ("block", "ordinary", "uniform")
            for kind in BLOCK_TYPES
        ]
        fields = [
            c_string(function.name),
            c_string(function.doc),
            str(len(function.body.inputs)),
            str(len(function.body.outputs)),
            str(int(function.public)),
            str(function.exponentials),
            *symbols,
            f"s3s4_{function.name}_long" if function.public else "NULL",
        ]
        lines.append("    {" + ",\n     ".join(fields) + "},")
    return "\n".join([*lines, "};", ""])


def long_double_loop(function: Function) -> str:
    inputs = [f"in[{i}]" for i in range(len(function.body.inputs))]
    call = f"s3s4_{function.name}_ld({', '.join(inputs)}"
    if len(function.body.outputs) == 1:
        call = f"out[0] = {call})"
    else:
        call += "".join(f", &out[{i}]" for i in range(len(function.body.outputs))) + ")"
    head = f"static void s3s4_{function.name}_long(const long double *in, long double *out)"
    return f"{head} {{\n    {call};\n}}"


def c_string(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", '\\n"\n     "')
    return f'"{escaped}"'


def python_table(formulas: Formulas) -> str:
    """What the Python front knows of each activation."""
    lines = [
        '"""The activations: parameters with their defaults, documentation. Generated."""',
        "",
        "from typing import NamedTuple",
        "",
        "",
        "class Entry(NamedTuple):",
        '    """An activation of formulas.py."""',
        "",
        "    parameters: dict[str, float]",
        "    doc: str",
        "    derivatives: dict[str, str]",
        "",
        "",
        "TABLE = {",
    ]
    for activation in formulas.activations():
        lines += [
            f"    {activation.name!r}: Entry(",
            f"        {activation.parameters!r},",
            f"        {activation.doc!r},",
            f"        {activation.derivatives!r},",
            "    ),",
        ]
    return "\n".join([*lines, "}", ""])


def main(source: str, kind: str, output: str) -> None:
    formulas = Formulas(read(source))
    texts = {
        "s3s4.h": lambda: header(table(formulas)),
        "table.h": lambda: c_table(table(formulas)),
        "_table.py": lambda: python_table(formulas),
    }
    Path(output).write_text(texts[kind]())


if __name__ == "__main__":
    main(*sys.argv[1:])
